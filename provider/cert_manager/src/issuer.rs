//! Issuers as objects for server-side apply, and the Secrets that they read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::names::{API, IssuerRef};

/// Directory of Let's Encrypt, whose certificates browsers trust.
pub const LETSENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Its staging server: far larger limits, trusted by nobody.
pub const LETSENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// One entry of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretKey {
    /// Name of the Secret
    pub name: String,
    /// Name of the entry
    pub key: String,
}

impl SecretKey {
    /// Short for both.
    pub fn new(name: &str, key: &str) -> Self {
        Self { name: name.to_owned(), key: key.to_owned() }
    }
}

/// The key that signs RFC 2136 updates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tsig {
    /// As the name server calls it
    pub key_name: String,
    /// `HMACSHA256`; also `HMACSHA512`, `HMACSHA1`, `HMACMD5`
    pub algorithm: String,
    /// Where the key stands, in base64 as the name server's configuration has it
    pub secret: SecretKey,
}

/// How the ACME server is shown that a name is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Solver {
    /// A file below `/.well-known/acme-challenge/`, by an Ingress
    Http01Ingress {
        /// Name of an IngressClass; None: the cluster's default class
        class: Option<String>,
    },
    /// The same by an HTTPRoute
    Http01Gateway {
        /// Name of the Gateway
        name: String,
        /// Its namespace; None: that of the certificate
        namespace: Option<String>,
        /// The listener of port 80; None: any
        section: Option<String>,
    },
    /// A TXT record, made through Cloudflare
    Dns01Cloudflare {
        /// An API token with Zone:Read and DNS:Edit
        token: SecretKey,
    },
    /// A TXT record, made by dynamic update
    Dns01Rfc2136 {
        /// IP address with or without port
        nameserver: String,
        /// None: unsigned updates
        tsig: Option<Tsig>,
    },
}

/// An issuer that asks an ACME server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// URL of the directory; [`directory_url`] knows the short names
    pub server: String,
    /// Contact of the account; Let's Encrypt refuses reserved domains such as example.com
    pub email: Option<String>,
    /// PEM of the authorities that the ACME server itself is trusted by; None: the system's
    pub ca_bundle: Option<String>,
    /// Secret that cert-manager keeps the account's key in (entry `tls.key`); it makes one if there is none
    pub account_key_secret: String,
    /// For all names
    pub solver: Solver,
}

/// What an issuer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerSpec {
    /// By an ACME server
    Acme(Acme),
    /// By an authority whose key pair is in the cluster
    Ca {
        /// Of type `kubernetes.io/tls`
        secret_name: String,
    },
    /// Each certificate signs itself
    SelfSigned,
}

/// The URL behind `letsencrypt` and `letsencrypt-staging`; anything else is one already.
pub fn directory_url(server: &str) -> &str {
    match server {
        "letsencrypt" => LETSENCRYPT,
        "letsencrypt-staging" => LETSENCRYPT_STAGING,
        url => url,
    }
}

/// True when every issuance counts against the limits of five a week for the same names.
pub fn is_letsencrypt_production(server: &str) -> bool {
    is_same_directory(server, LETSENCRYPT)
}

/// Whether both name the same ACME server: a slash at the end does not count.
pub fn is_same_directory(one: &str, other: &str) -> bool {
    let directory = |server| directory_url(server).trim_end_matches('/').to_owned();
    directory(one) == directory(other)
}

impl IssuerSpec {
    /// What must be there before the issuer can work, in the namespace that
    /// [`crate::secret_namespace`] tells. Without the account's key: cert-manager makes that.
    pub fn secrets(&self) -> Vec<SecretKey> {
        match self {
            Self::SelfSigned => Vec::new(),
            Self::Ca { secret_name } => {
                vec![SecretKey::new(secret_name, "tls.crt"), SecretKey::new(secret_name, "tls.key")]
            }
            Self::Acme(acme) => match &acme.solver {
                Solver::Dns01Cloudflare { token } => vec![token.clone()],
                Solver::Dns01Rfc2136 { tsig: Some(tsig), .. } => vec![tsig.secret.clone()],
                _ => Vec::new(),
            },
        }
    }
}

/// The object, without labels and annotations.
pub fn issuer_object(issuer: &IssuerRef, namespace: &str, spec: &IssuerSpec) -> Value {
    let named = issuer.object(namespace);
    let mut metadata = json!({"name": named.name});
    if let Some(namespace) = named.namespace {
        metadata["namespace"] = Value::from(namespace);
    }
    let spec = match spec {
        IssuerSpec::SelfSigned => json!({"selfSigned": {}}),
        IssuerSpec::Ca { secret_name } => json!({"ca": {"secretName": secret_name}}),
        IssuerSpec::Acme(acme) => json!({"acme": acme_object(acme)}),
    };
    json!({"apiVersion": API, "kind": named.kind, "metadata": metadata, "spec": spec})
}

fn acme_object(acme: &Acme) -> Value {
    let mut object = json!({
        "server": directory_url(&acme.server),
        "privateKeySecretRef": {"name": acme.account_key_secret},
        "solvers": [solver_object(&acme.solver)],
    });
    if let Some(email) = &acme.email {
        object["email"] = Value::from(email.as_str());
    }
    if let Some(pem) = &acme.ca_bundle {
        object["caBundle"] = Value::from(STANDARD.encode(pem));
    }
    object
}

fn solver_object(solver: &Solver) -> Value {
    match solver {
        Solver::Http01Ingress { class: None } => json!({"http01": {"ingress": {}}}),
        Solver::Http01Ingress { class: Some(class) } => json!({"http01": {"ingress": {"ingressClassName": class}}}),
        Solver::Http01Gateway { name, namespace, section } => {
            let mut parent = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name});
            for (field, value) in [("namespace", namespace), ("sectionName", section)] {
                if let Some(value) = value {
                    parent[field] = Value::from(value.as_str());
                }
            }
            json!({"http01": {"gatewayHTTPRoute": {"parentRefs": [parent]}}})
        }
        Solver::Dns01Cloudflare { token } => json!({"dns01": {"cloudflare": {"apiTokenSecretRef": selector(token)}}}),
        Solver::Dns01Rfc2136 { nameserver, tsig } => {
            let mut rfc2136 = json!({"nameserver": nameserver});
            if let Some(tsig) = tsig {
                rfc2136["tsigKeyName"] = Value::from(tsig.key_name.as_str());
                rfc2136["tsigAlgorithm"] = Value::from(tsig.algorithm.as_str());
                rfc2136["tsigSecretSecretRef"] = selector(&tsig.secret);
            }
            json!({"dns01": {"rfc2136": rfc2136}})
        }
    }
}

fn selector(secret: &SecretKey) -> Value {
    json!({"name": secret.name, "key": secret.key})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme(solver: Solver) -> IssuerSpec {
        IssuerSpec::Acme(Acme {
            server: "letsencrypt-staging".to_owned(),
            email: Some("ops@three-rivers-tech.com".to_owned()),
            ca_bundle: None,
            account_key_secret: "le-account".to_owned(),
            solver,
        })
    }

    #[test]
    fn an_acme_issuer_names_its_server_account_and_solver() {
        let spec = acme(Solver::Http01Ingress { class: Some("traefik".to_owned()) });
        assert_eq!(
            issuer_object(&IssuerRef::issuer("le"), "ffe", &spec),
            json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": "le", "namespace": "ffe"},
                "spec": {"acme": {"server": LETSENCRYPT_STAGING, "privateKeySecretRef": {"name": "le-account"},
                    "solvers": [{"http01": {"ingress": {"ingressClassName": "traefik"}}}],
                    "email": "ops@three-rivers-tech.com"}}})
        );
        assert!(spec.secrets().is_empty());
    }

    #[test]
    fn a_cluster_issuer_has_no_namespace() {
        let object = issuer_object(&IssuerRef::cluster_issuer("self"), "ffe", &IssuerSpec::SelfSigned);
        assert_eq!(object["metadata"], json!({"name": "self"}));
        assert_eq!(object["kind"], "ClusterIssuer");
        assert_eq!(object["spec"], json!({"selfSigned": {}}));
    }

    #[test]
    fn dns_solvers_read_their_credentials_from_secrets() {
        let cloudflare = acme(Solver::Dns01Cloudflare { token: SecretKey::new("cf", "token") });
        assert_eq!(cloudflare.secrets(), [SecretKey::new("cf", "token")]);
        let solver = &issuer_object(&IssuerRef::issuer("le"), "ffe", &cloudflare)["spec"]["acme"]["solvers"][0];
        assert_eq!(solver, &json!({"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "cf", "key": "token"}}}}));

        let rfc2136 = acme(Solver::Dns01Rfc2136 {
            nameserver: "10.0.0.53:5353".to_owned(),
            tsig: Some(Tsig {
                key_name: "ffe".to_owned(),
                algorithm: "HMACSHA256".to_owned(),
                secret: SecretKey::new("tsig", "key"),
            }),
        });
        assert_eq!(rfc2136.secrets(), [SecretKey::new("tsig", "key")]);
        let solver = &issuer_object(&IssuerRef::issuer("le"), "ffe", &rfc2136)["spec"]["acme"]["solvers"][0];
        assert_eq!(
            solver["dns01"]["rfc2136"],
            json!({"nameserver": "10.0.0.53:5353", "tsigKeyName": "ffe", "tsigAlgorithm": "HMACSHA256",
                "tsigSecretSecretRef": {"name": "tsig", "key": "key"}})
        );
    }

    #[test]
    fn a_gateway_solver_names_its_listener() {
        let spec = acme(Solver::Http01Gateway {
            name: "edge".to_owned(),
            namespace: Some("infra".to_owned()),
            section: Some("web".to_owned()),
        });
        let solver = &issuer_object(&IssuerRef::issuer("le"), "ffe", &spec)["spec"]["acme"]["solvers"][0];
        assert_eq!(
            solver["http01"]["gatewayHTTPRoute"]["parentRefs"][0],
            json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "namespace": "infra",
                "sectionName": "web"})
        );
    }

    #[test]
    fn a_private_acme_server_is_trusted_by_its_bundle() {
        let IssuerSpec::Acme(acme) = acme(Solver::Http01Ingress { class: None }) else { unreachable!("it is ACME") };
        let spec = IssuerSpec::Acme(Acme {
            server: "https://pebble.test:14000/dir".to_owned(),
            email: None,
            ca_bundle: Some("-----BEGIN CERTIFICATE-----\n".to_owned()),
            ..acme
        });
        let object = issuer_object(&IssuerRef::issuer("pebble"), "ffe", &spec);
        assert_eq!(object["spec"]["acme"]["server"], "https://pebble.test:14000/dir");
        assert_eq!(object["spec"]["acme"]["caBundle"], "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==");
        assert_eq!(object["spec"]["acme"]["email"], Value::Null);
    }

    #[test]
    fn an_internal_authority_reads_its_key_pair() {
        let spec = IssuerSpec::Ca { secret_name: "root".to_owned() };
        assert_eq!(spec.secrets(), [SecretKey::new("root", "tls.crt"), SecretKey::new("root", "tls.key")]);
        let object = issuer_object(&IssuerRef::issuer("internal"), "ffe", &spec);
        assert_eq!(object["spec"], json!({"ca": {"secretName": "root"}}));
    }

    #[test]
    fn only_lets_encrypt_proper_counts() {
        assert!(is_letsencrypt_production("letsencrypt"));
        assert!(is_letsencrypt_production("https://acme-v02.api.letsencrypt.org/directory"));
        assert!(!is_letsencrypt_production("letsencrypt-staging"));
        assert!(!is_letsencrypt_production("https://pebble.test/dir"));
    }
}
