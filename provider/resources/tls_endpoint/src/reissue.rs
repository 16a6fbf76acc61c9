//! When a certificate is to be issued again though cert-manager sees no reason: it compares the name of the issuer, and an
//! issuer that is changed in place keeps its name.

use crate::spec::Spec;

/// Whether the issuer of the same name issues something else from now on, for the same Secret.
pub(crate) fn is_another(prior: &Spec, spec: &Spec) -> bool {
    prior.certificate.secret_name == spec.certificate.secret_name && is_changed_in_place(prior, spec)
}

/// Whether the issuer keeps its name and issues something else: what lies in any Secret may be of the former one.
pub(crate) fn is_changed_in_place(prior: &Spec, spec: &Spec) -> bool {
    let (Some(before), Some(now)) = (&prior.own_issuer, &spec.own_issuer) else { return false };
    prior.issuer == spec.issuer && !before.what.issues_like(&now.what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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
}
