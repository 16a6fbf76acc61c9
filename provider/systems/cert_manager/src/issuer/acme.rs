//! Issuers that ask an ACME server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{SecretKey, Solver, set};

/// Directory of Let's Encrypt, whose certificates browsers trust.
pub const LETSENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Its staging server: far larger limits, trusted by nobody.
pub const LETSENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// An issuer that asks an ACME server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acme {
    /// URL of the directory; [`directory_url`] knows the short names
    pub server: String,
    /// Contact of the account; Let's Encrypt refuses reserved domains such as example.com
    pub email: Option<String>,
    /// PEM of the authorities that the ACME server itself is trusted by; None: the system's
    pub ca_bundle: Option<String>,
    /// The kind of certificate, where the server offers several
    pub profile: Option<String>,
    /// Common name of the root that the chain shall lead to, where the server offers several
    pub preferred_chain: Option<String>,
    /// Secret that cert-manager keeps the account's key in (entry `tls.key`); it makes one if there is none
    pub account_key_secret: String,
    /// The customer's account at the authority that the ACME account is bound to
    pub external_account: Option<ExternalAccount>,
    /// cert-manager takes the one whose selector says most of a name, of equal ones the first
    pub solvers: Vec<Solver>,
}

/// External account binding (RFC 8555, 7.3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// What the authority calls the key
    pub key_id: String,
    /// The key itself, in base64url as the authority gives it
    pub key: SecretKey,
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

/// True when nobody trusts what is issued, by design.
pub fn is_letsencrypt_staging(server: &str) -> bool {
    is_same_directory(server, LETSENCRYPT_STAGING)
}

/// Whether both name the same ACME server: a slash at the end does not count.
pub fn is_same_directory(one: &str, other: &str) -> bool {
    let directory = |server| directory_url(server).trim_end_matches('/').to_owned();
    directory(one) == directory(other)
}

impl Acme {
    pub(super) fn secrets(&self) -> Vec<SecretKey> {
        let account = self.external_account.iter().map(|account| account.key.clone());
        account.chain(self.solvers.iter().filter_map(Solver::secret)).collect()
    }

    pub(super) fn to_value(&self) -> Value {
        let solvers: Vec<Value> = self.solvers.iter().map(Solver::to_value).collect();
        let mut object = json!({
            "server": directory_url(&self.server),
            "privateKeySecretRef": {"name": self.account_key_secret},
            "solvers": solvers,
        });
        let texts = [("email", &self.email), ("profile", &self.profile), ("preferredChain", &self.preferred_chain)];
        set(&mut object, texts.map(|(field, text)| (field, text.as_deref())));
        if let Some(pem) = &self.ca_bundle {
            object["caBundle"] = Value::from(STANDARD.encode(pem));
        }
        if let Some(ExternalAccount { key_id, key }) = &self.external_account {
            object["externalAccountBinding"] = json!({"keyID": key_id, "keySecretRef": key.selector()});
        }
        object
    }
}
