//! Issuers as objects for server-side apply, and the Secrets that they read.

mod acme;
mod solver;
mod vault;

use serde_json::{Value, json};

pub use acme::{
    Acme, ExternalAccount, LETSENCRYPT, LETSENCRYPT_STAGING, directory_url, is_letsencrypt_production,
    is_letsencrypt_staging, is_same_directory,
};
pub use solver::{AwsKeys, DnsProvider, ParentGateway, PodTemplate, Selector, Solver, Toleration, Tsig, Way};
pub use vault::{Vault, VaultLogin};

use crate::names::{API, IssuerRef};

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

    /// As cert-manager's objects refer to it.
    fn selector(&self) -> Value {
        json!({"name": self.name, "key": self.key})
    }
}

/// What an issuer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerSpec {
    /// By an ACME server
    Acme(Box<Acme>),
    /// By an authority whose key pair is in the cluster
    Ca {
        /// Of type `kubernetes.io/tls`
        secret_name: String,
    },
    /// Each certificate signs itself
    SelfSigned,
    /// By Vault's PKI
    Vault(Vault),
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
            Self::Acme(acme) => acme.secrets(),
            Self::Vault(vault) => vault.secrets(),
        }
    }

    /// Whether the authority looks for hosts at themselves (HTTP-01), of some names at least.
    pub fn asks_hosts(&self) -> bool {
        let Self::Acme(acme) = self else { return false };
        acme.solvers.iter().any(|solver| matches!(solver.way, Way::Http01Ingress { .. } | Way::Http01Gateway { .. }))
    }

    /// The Secret in which cert-manager keeps the key of the ACME account.
    pub fn account_key_secret(&self) -> Option<&str> {
        match self {
            Self::Acme(acme) => Some(&acme.account_key_secret),
            Self::Ca { .. } | Self::SelfSigned | Self::Vault(_) => None,
        }
    }

    /// Whether certificates of both are the same: account, authority of the server and solvers do not show in one.
    pub fn issues_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Acme(one), Self::Acme(other)) => {
                is_same_directory(&one.server, &other.server)
                    && one.profile == other.profile
                    && one.preferred_chain == other.preferred_chain
            }
            (Self::Vault(one), Self::Vault(other)) => {
                (&one.server, &one.path, &one.namespace) == (&other.server, &other.path, &other.namespace)
            }
            (one, other) => one == other,
        }
    }

    /// As it stands in the object's `spec`.
    fn to_value(&self) -> Value {
        match self {
            Self::SelfSigned => json!({"selfSigned": {}}),
            Self::Ca { secret_name } => json!({"ca": {"secretName": secret_name}}),
            Self::Acme(acme) => json!({"acme": acme.to_value()}),
            Self::Vault(vault) => json!({"vault": vault.to_value()}),
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
    json!({"apiVersion": API, "kind": named.kind, "metadata": metadata, "spec": spec.to_value()})
}

/// Sets fields that have a value.
fn set<'a>(object: &mut Value, fields: impl IntoIterator<Item = (&'static str, Option<&'a str>)>) {
    for (field, value) in fields {
        if let Some(value) = value {
            object[field] = Value::from(value);
        }
    }
}

#[cfg(test)]
mod tests;
