//! Issuers that ask Vault's PKI.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{SecretKey, set};

/// An issuer that has Vault sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// URL
    pub server: String,
    /// Where it signs: `pki/sign/<role>`
    pub path: String,
    /// Of Vault Enterprise
    pub namespace: Option<String>,
    /// PEM of the authorities that Vault itself is trusted by; None: the system's
    pub ca_bundle: Option<String>,
    /// How cert-manager logs in
    pub login: VaultLogin,
}

/// How cert-manager logs in at Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultLogin {
    /// With a token
    Token(SecretKey),
    /// With a role and its secret
    AppRole {
        /// Where the method is mounted
        path: String,
        /// No secret
        role_id: String,
        /// The secret
        secret_id: SecretKey,
    },
    /// With a token of a service account, which cert-manager asks the cluster for
    Kubernetes {
        /// Where the method is mounted, with `/v1/auth/`
        mount_path: String,
        /// Vault's role
        role: String,
        /// In the namespace in which the issuer's Secrets are
        service_account: String,
    },
}

impl Vault {
    pub(super) fn secrets(&self) -> Vec<SecretKey> {
        match &self.login {
            VaultLogin::Token(secret) | VaultLogin::AppRole { secret_id: secret, .. } => vec![secret.clone()],
            VaultLogin::Kubernetes { .. } => Vec::new(),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        let auth = match &self.login {
            VaultLogin::Token(token) => json!({"tokenSecretRef": token.selector()}),
            VaultLogin::AppRole { path, role_id, secret_id } => {
                json!({"appRole": {"path": path, "roleId": role_id, "secretRef": secret_id.selector()}})
            }
            VaultLogin::Kubernetes { mount_path, role, service_account } => {
                json!({"kubernetes": {"mountPath": mount_path, "role": role,
                    "serviceAccountRef": {"name": service_account}}})
            }
        };
        let mut object = json!({"server": self.server, "path": self.path, "auth": auth});
        set(&mut object, [("namespace", self.namespace.as_deref())]);
        if let Some(pem) = &self.ca_bundle {
            object["caBundle"] = Value::from(STANDARD.encode(pem));
        }
        object
    }
}
