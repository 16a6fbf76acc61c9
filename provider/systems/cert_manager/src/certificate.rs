//! Certificates as objects for server-side apply.

use std::time::Duration;

use ffe_cluster::format_duration;
use serde_json::{Value, json};

use crate::names::{API, IssuerRef};

/// The kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// 2048 bits by default; 4096 and 8192 too
    Rsa,
    /// 256 bits by default; 384 and 521 too
    Ecdsa,
    /// Has no size; Let's Encrypt does not sign these
    Ed25519,
}

impl KeyAlgorithm {
    /// As cert-manager writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Ecdsa => "ECDSA",
            Self::Ed25519 => "Ed25519",
        }
    }
}

/// Whether a renewal makes a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// cert-manager's default since 1.18
    Always,
    /// The key stays, even when the algorithm is changed (which then cannot be issued)
    Never,
}

impl Rotation {
    /// As cert-manager writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

/// The key; what is None is cert-manager's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrivateKey {
    /// RSA
    pub algorithm: Option<KeyAlgorithm>,
    /// Bits
    pub size: Option<u32>,
    /// At renewals
    pub rotation: Option<Rotation>,
}

/// What a certificate shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSpec {
    /// The Secret that cert-manager writes `tls.crt` and `tls.key` into; no other Certificate's
    pub secret_name: String,
    /// The names, wildcards too
    pub dns_names: Vec<String>,
    /// Who issues it
    pub issuer: IssuerRef,
    /// How long it shall be valid; ACME servers decide that themselves. At least an hour.
    pub duration: Option<Duration>,
    /// How long before its end it is renewed; None: when a third of its life is left
    pub renew_before: Option<Duration>,
    /// Its key
    pub private_key: PrivateKey,
}

/// The object, without labels and annotations.
pub fn certificate_object(namespace: &str, name: &str, spec: &CertificateSpec) -> Value {
    let mut body = json!({
        "secretName": spec.secret_name,
        "dnsNames": spec.dns_names,
        "issuerRef": spec.issuer.to_value(),
    });
    for (field, duration) in [("duration", spec.duration), ("renewBefore", spec.renew_before)] {
        if let Some(duration) = duration {
            body[field] = Value::from(format_duration(duration));
        }
    }
    let mut key = json!({});
    if let Some(algorithm) = spec.private_key.algorithm {
        key["algorithm"] = Value::from(algorithm.as_str());
    }
    if let Some(size) = spec.private_key.size {
        key["size"] = Value::from(size);
    }
    if let Some(rotation) = spec.private_key.rotation {
        key["rotationPolicy"] = Value::from(rotation.as_str());
    }
    if key.as_object().is_some_and(|key| !key.is_empty()) {
        body["privateKey"] = key;
    }
    json!({"apiVersion": API, "kind": "Certificate", "metadata": {"name": name, "namespace": namespace}, "spec": body})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_left_to_cert_manager() {
        let spec = CertificateSpec {
            secret_name: "api-tls".to_owned(),
            dns_names: vec!["api.test".to_owned(), "www.api.test".to_owned()],
            issuer: IssuerRef::cluster_issuer("le"),
            duration: None,
            renew_before: None,
            private_key: PrivateKey::default(),
        };
        assert_eq!(
            certificate_object("ffe", "api", &spec),
            json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate",
                "metadata": {"name": "api", "namespace": "ffe"},
                "spec": {"secretName": "api-tls", "dnsNames": ["api.test", "www.api.test"],
                    "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "le"}}})
        );
    }

    #[test]
    fn what_is_said_is_written() {
        let spec = CertificateSpec {
            secret_name: "api-tls".to_owned(),
            dns_names: vec!["api.test".to_owned()],
            issuer: IssuerRef::issuer("internal"),
            duration: Some(Duration::from_secs(90 * 24 * 3600)),
            renew_before: Some(Duration::from_secs(720 * 3600)),
            private_key: PrivateKey {
                algorithm: Some(KeyAlgorithm::Ecdsa),
                size: Some(384),
                rotation: Some(Rotation::Never),
            },
        };
        let object = certificate_object("ffe", "api", &spec);
        assert_eq!(object["spec"]["duration"], "2160h");
        assert_eq!(object["spec"]["renewBefore"], "720h");
        assert_eq!(object["spec"]["privateKey"], json!({"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Never"}));
    }
}
