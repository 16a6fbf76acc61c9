//! What stands behind the issuer of a certificate: as the endpoint makes it, or, of one that it refers to, as it is in the
//! cluster now. Both are judged alike.

use ffe_cert_manager::{IssuerSpec, is_letsencrypt_production, is_letsencrypt_staging};
use ffe_cluster::{Cluster, Kind};
use ffe_https::CertificateFacts;
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Path};

use crate::desired::find;
use crate::spec::Spec;

/// What Let's Encrypt's staging server writes into the names of its authorities.
const STAGING: &str = "(STAGING)";

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    /// An ACME server, by its short name or the URL of its directory.
    Acme { server: String },
    /// One whose key is in the cluster.
    Ca,
    /// Every certificate signs itself.
    SelfSigned,
    /// Something else, such as Vault.
    Other,
    /// The issuer could not be looked at: why.
    Unknown { why: String },
}

impl Authority {
    /// Of an endpoint's issuer.
    pub(crate) async fn find(cluster: &Cluster, spec: &Spec) -> Authority {
        if let Some(own) = &spec.own_issuer {
            return Authority::of_own(&own.what);
        }
        if spec.issuer.kind.is_external() {
            return Authority::Other;
        }
        let object = spec.issuer.object(&spec.names.namespace);
        match find(cluster, &object).await {
            Ok(Some(found)) => Authority::of_object(&found.data),
            Ok(None) => Authority::Unknown { why: format!("{object} does not exist") },
            Err(error) => {
                tracing::info!(%error, "the issuer was not looked at");
                let why = if error.kind() == Kind::Forbidden { "it may not be read" } else { "it could not be read" };
                Authority::Unknown { why: format!("{object}: {why}") }
            }
        }
    }

    fn of_own(own: &IssuerSpec) -> Authority {
        match own {
            IssuerSpec::Acme(acme) => Authority::Acme { server: acme.server.clone() },
            IssuerSpec::Ca { .. } => Authority::Ca,
            IssuerSpec::SelfSigned => Authority::SelfSigned,
            IssuerSpec::Vault(_) => Authority::Other,
        }
    }

    /// Of an Issuer or ClusterIssuer.
    fn of_object(object: &Json) -> Authority {
        let spec = &object["spec"];
        if let Some(server) = spec["acme"]["server"].as_str() {
            Authority::Acme { server: server.to_owned() }
        } else if !spec["ca"].is_null() {
            Authority::Ca
        } else if !spec["selfSigned"].is_null() {
            Authority::SelfSigned
        } else {
            Authority::Other
        }
    }

    /// Whether nobody trusts its certificates, by design: Let's Encrypt's server for trying things out.
    pub(crate) fn is_staging(&self) -> bool {
        matches!(self, Authority::Acme { server } if is_letsencrypt_staging(server))
    }

    /// Whether every certificate counts against Let's Encrypt's limits.
    pub(crate) fn is_production(&self) -> bool {
        matches!(self, Authority::Acme { server } if is_letsencrypt_production(server))
    }

    /// Whether what it puts beside a certificate (`ca.crt`) says whom to trust. What everybody trusts, or nobody, is not for
    /// the certificate's own Secret to say.
    pub(crate) fn brings_its_root(&self) -> bool {
        !self.is_staging() && !self.is_production()
    }

    /// Whether it cannot have issued this: it was made another one in place, and the certificate has not followed.
    pub(crate) fn contradicts(&self, leaf: &CertificateFacts) -> bool {
        match self {
            Authority::SelfSigned | Authority::Other | Authority::Unknown { .. } => false,
            Authority::Acme { server } => {
                // Another server of ACME may hand on what the staging server issues.
                let of_staging = leaf.issuer.contains(STAGING) && is_letsencrypt_production(server);
                of_staging || leaf.self_signed
            }
            Authority::Ca => leaf.issuer.contains(STAGING) || leaf.self_signed,
        }
    }

    /// Whether there is an issuer that cannot have issued this. It saves to look for it.
    pub(crate) fn may_contradict(leaf: &CertificateFacts) -> bool {
        leaf.issuer.contains(STAGING) || leaf.self_signed
    }

    /// Why nobody can trust a certificate of it, where that is by design.
    pub(crate) fn why_nobody_trusts(&self) -> Option<&'static str> {
        match self {
            Authority::SelfSigned => {
                Some("the certificate signs itself: that it is the endpoint's own is checked instead")
            }
            staging if staging.is_staging() => Some(
                "nobody trusts Let's Encrypt's staging server, by design: that the certificate is the endpoint's own is \
                 checked instead",
            ),
            _ => None,
        }
    }

    /// A warning about an issuer that is referred to and that nobody trusts: its configuration stands elsewhere.
    pub(crate) fn distrusted(&self, spec: &Spec) -> Option<Diagnostic> {
        if spec.own_issuer.is_some() || !self.is_staging() {
            return None;
        }
        let issuer = spec.issuer.object(&spec.names.namespace);
        Some(
            Diagnostic::warning(
                format!("No browser trusts the certificates of {issuer}"),
                format!(
                    "It asks Let's Encrypt's staging server, which is for trying things out. For the world, set the server of \
                     {issuer} to {}, or refer to another issuer; the next apply orders the certificate anew.",
                    ffe_cert_manager::LETSENCRYPT
                ),
            )
            .at(Path::attribute("issuer").child("name")),
        )
    }

    /// What a chain that is not trusted has to do with the issuer.
    pub(crate) fn about_distrust(&self, spec: &Spec, leaf: &CertificateFacts) -> Option<String> {
        let issuer = spec.issuer.object(&spec.names.namespace);
        match self {
            Authority::Unknown { why } => Some(format!(
                "Whether anybody is to trust this issuer is not known ({why}). Allow get on it, or name whom to trust with \
                 verify.ca_bundle."
            )),
            authority if authority.contradicts(leaf) => Some(format!(
                "The certificate in Secret {}/{} was not issued by what {issuer} asks now; it is \"{}\" that has signed it.",
                spec.names.namespace, spec.certificate.secret_name, leaf.issuer
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster_testing::FakeApi;
    use serde_json::json;

    use super::*;
    use crate::testing::{certified, minimal, settled};

    fn acme(server: &str) -> Authority {
        Authority::Acme { server: server.to_owned() }
    }

    fn leaf(issuer: &str, own: bool) -> CertificateFacts {
        ffe_https::facts_of_pem(certified(issuer, own).as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn a_certificate_of_the_former_issuer_contradicts_the_present_one() {
        let (production, staging) = (acme("letsencrypt"), acme("letsencrypt-staging"));
        let untrusted = leaf("(STAGING) Ersatz Edamame E1", false);
        assert!(production.contradicts(&untrusted) && Authority::Ca.contradicts(&untrusted));
        assert!(!staging.contradicts(&untrusted) && !Authority::SelfSigned.contradicts(&untrusted));
        let own = leaf("api.example.com", true);
        assert!(production.contradicts(&own) && staging.contradicts(&own) && Authority::Ca.contradicts(&own));
        assert!(!Authority::SelfSigned.contradicts(&own) && !production.contradicts(&leaf("R11", false)));
        // What is not known contradicts nothing, and neither does a server that may stand before the staging one.
        let unknown = Authority::Unknown { why: "it may not be read".to_owned() };
        for quiet in [unknown, Authority::Other, acme("https://acme.example.com/directory")] {
            assert!(!quiet.contradicts(&untrusted), "{quiet:?}");
        }
    }

    #[tokio::test]
    async fn an_issuer_that_is_referred_to_is_as_the_cluster_has_it() {
        let spec = |issuer: Json| Spec::of(&settled(minimal(json!({ "issuer": issuer })))).unwrap();
        let api = FakeApi::new();
        let referred = spec(json!({ "name": "le", "kind": "ClusterIssuer" }));
        let missing = Authority::find(&api.cluster(), &referred).await;
        assert!(
            matches!(&missing, Authority::Unknown { why } if why.contains("ClusterIssuer le does not exist")),
            "{missing:?}"
        );
        api.register("cert-manager.io/v1", "ClusterIssuer", "clusterissuers", false);
        let production = ffe_cert_manager::LETSENCRYPT;
        for (issuer, expected) in [
            (json!({ "acme": { "server": production } }), acme(production)),
            (json!({ "ca": { "secretName": "root" } }), Authority::Ca),
            (json!({ "selfSigned": {} }), Authority::SelfSigned),
            (json!({ "vault": { "server": "https://vault.example.com" } }), Authority::Other),
        ] {
            api.put(json!({ "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": { "name": "le" }, "spec": issuer }));
            assert_eq!(Authority::find(&api.cluster(), &referred).await, expected);
        }
        api.fail("GET", "/clusterissuers/le", None, 403, "Forbidden", "no");
        let refused = Authority::find(&api.cluster(), &referred).await;
        assert_eq!(refused, Authority::Unknown { why: "ClusterIssuer le: it may not be read".to_owned() });
        let external = json!({ "name": "pca", "kind": "AWSPCAClusterIssuer", "group": "awspca.cert-manager.io" });
        assert_eq!(Authority::find(&api.cluster(), &spec(external)).await, Authority::Other, "nobody is asked");
        // The endpoint's own is as it shall be, whatever is there yet.
        assert_eq!(Authority::find(&api.cluster(), &spec(json!({ "self_signed": {} }))).await, Authority::SelfSigned);
    }

    #[test]
    fn only_lets_encrypts_servers_have_no_say_in_whom_to_trust() {
        for (authority, says) in [
            (acme("letsencrypt"), false),
            (acme("letsencrypt-staging"), false),
            (acme("https://acme.example.com/directory"), true),
            (Authority::Ca, true),
            (Authority::Other, true),
        ] {
            assert_eq!(authority.brings_its_root(), says, "{authority:?}");
        }
    }
}
