//! When a certificate is to be issued again though cert-manager sees no reason: it compares the name of the issuer, and an
//! issuer that is changed in place keeps its name.

use ffe_cert_manager::is_same_directory;
use ffe_https::CertificateFacts;

use crate::spec::{OwnIssuer, Spec};

/// What Let's Encrypt's staging server writes into the names of its authorities.
pub(crate) const STAGING: &str = "(STAGING)";

/// Whether the issuer of the same name issues something else from now on.
pub(crate) fn is_another(prior: &Spec, spec: &Spec) -> bool {
    let same_names = prior.issuer == spec.issuer && prior.certificate.secret_name == spec.certificate.secret_name;
    let (Some(before), Some(now)) = (&prior.own_issuer, &spec.own_issuer) else { return false };
    same_names && !issue_the_same(before, now)
}

/// Account, authority of the server and solver do not show in a certificate.
fn issue_the_same(one: &OwnIssuer, other: &OwnIssuer) -> bool {
    match (one, other) {
        (OwnIssuer::Acme(one), OwnIssuer::Acme(other)) => {
            is_same_directory(&one.server, &other.server) && one.profile == other.profile
        }
        (one, other) => one == other,
    }
}

/// Whether the issuer cannot have issued this: a run that changed it may have ended before the certificate followed.
pub(crate) fn contradicts(issuer: &OwnIssuer, leaf: &CertificateFacts) -> bool {
    if *issuer == OwnIssuer::SelfSigned {
        return false;
    }
    // Without names, subject and issuer are the same and say nothing.
    let signs_itself = leaf.self_signed && !leaf.subject.is_empty();
    signs_itself || (leaf.issuer.contains(STAGING) && !issuer.is_staging())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{minimal, settled};

    fn spec(issuer: Json) -> Spec {
        Spec::of(&settled(minimal(json!({ "issuer": issuer })))).unwrap()
    }

    fn acme(more: Json) -> Spec {
        let mut acme = json!({ "server": "letsencrypt", "solver": { "http01": {} } });
        acme.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec(json!({ "acme": acme }))
    }

    #[test]
    fn what_shows_in_a_certificate_makes_an_issuer_another_one() {
        let one = acme(json!({}));
        for other in [
            acme(json!({ "server": "letsencrypt-staging" })),
            acme(json!({ "profile": "shortlived" })),
            spec(json!({ "self_signed": {} })),
            spec(json!({ "ca": { "secret_name": "root" } })),
        ] {
            assert!(is_another(&one, &other) && is_another(&other, &one), "{other:?}");
        }
        assert!(is_another(
            &spec(json!({ "ca": { "secret_name": "a" } })),
            &spec(json!({ "ca": { "secret_name": "b" } }))
        ));
        for same in [
            acme(json!({ "server": "https://acme-v02.api.letsencrypt.org/directory/" })),
            acme(json!({ "email": "ops@three-rivers-tech.com" })),
            acme(json!({ "solver": { "http01": { "ingress_class": "other" } } })),
            // cert-manager sees these by itself.
            spec(json!({ "self_signed": {}, "name": "own" })),
            spec(json!({ "name": "api" })),
        ] {
            assert!(!is_another(&one, &same), "{same:?}");
        }
    }

    #[test]
    fn a_certificate_of_the_former_issuer_contradicts_the_present_one() {
        let leaf = |issuer: &str, own: bool| {
            let mut params = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
            params.distinguished_name.push(DnType::CommonName, issuer);
            let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            let mut leaf = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
            leaf.distinguished_name.push(DnType::CommonName, "leaf");
            let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
            let pem = if own { authority.pem() } else { leaf.pem() };
            ffe_https::facts_of_pem(pem.as_bytes()).unwrap().remove(0)
        };
        let of = |spec: Spec| spec.own_issuer.unwrap();
        let (production, staging) = (of(acme(json!({}))), of(acme(json!({ "server": "letsencrypt-staging" }))));
        let (internal, itself) =
            (of(spec(json!({ "ca": { "secret_name": "a" } }))), of(spec(json!({ "self_signed": {} }))));
        let untrusted = leaf("(STAGING) Ersatz Edamame E1", false);
        assert!(contradicts(&production, &untrusted) && contradicts(&internal, &untrusted));
        assert!(!contradicts(&staging, &untrusted) && !contradicts(&itself, &untrusted));
        let own = leaf("api.example.com", true);
        assert!(contradicts(&production, &own) && contradicts(&staging, &own) && contradicts(&internal, &own));
        assert!(!contradicts(&itself, &own) && !contradicts(&production, &leaf("R11", false)));
    }
}
