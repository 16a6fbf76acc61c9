//! What a certificate says of itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use serde::Serialize;
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::trust::is_signed_by_itself;

/// Subjects of the certificates that ingress controllers serve while they have none for a host.
const DEFAULTS: [(&str, &str); 2] = [
    ("TRAEFIK DEFAULT CERT", "Traefik's default certificate"),
    ("Kubernetes Ingress Controller Fake Certificate", "ingress-nginx's default certificate"),
];

/// The facts of one certificate. Nothing here is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateFacts {
    /// The subject, such as `CN=ffe.example.com`.
    pub subject: String,
    /// The issuer, such as `C=US, O=Let's Encrypt, CN=R11`.
    pub issuer: String,
    /// The names and addresses that it is for: the subject alternative names.
    pub sans: Vec<String>,
    /// The serial number: hexadecimal, lower case, whole bytes, no separators.
    pub serial: String,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when it is valid.
    pub not_after: Timestamp,
    /// The SHA-256 of its DER: 64 hexadecimal digits, lower case.
    pub fingerprint_sha256: String,
    /// The kind of its key, such as `RSA 2048`, `ECDSA 256` or `Ed25519`.
    pub key: String,
    /// Whether it is the certificate of an authority.
    pub is_ca: bool,
    /// Whether it signs itself: subject and issuer are the same, or there is neither and it was signed with its own key.
    pub self_signed: bool,
}

impl CertificateFacts {
    /// Reads a certificate in DER. `None` when it is none.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Option<CertificateFacts> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let sans = certificate.subject_alternative_name().ok().flatten();
        let constraints = certificate.basic_constraints().ok().flatten();
        let same_names = certificate.subject().as_raw() == certificate.issuer().as_raw();
        let mut facts = CertificateFacts {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            sans: sans.map(|names| names.value.general_names.iter().filter_map(san).collect()).unwrap_or_default(),
            serial: hex::encode(certificate.serial.to_bytes_be()),
            not_before: Timestamp::from_second(certificate.validity().not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?,
            fingerprint_sha256: hex::encode(Sha256::digest(der)),
            key: key(&certificate),
            is_ca: constraints.is_some_and(|constraints| constraints.value.ca),
            self_signed: same_names,
        };
        // No names are the same names, whoever has signed.
        facts.self_signed &= !facts.subject.is_empty() || is_signed_by_itself(der, &facts);
        Some(facts)
    }

    pub(crate) fn of_chain(chain: &[CertificateDer<'_>]) -> Vec<CertificateFacts> {
        chain.iter().filter_map(|der| CertificateFacts::of_der(der)).collect()
    }

    /// Whether it is for this host name or address. A wildcard stands for one label (RFC 6125).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.sans.iter().any(|san| san.parse() == Ok(address));
        }
        self.sans.iter().any(|san| match san.strip_prefix("*.") {
            Some(parent) => {
                host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent))
            }
            None => san.eq_ignore_ascii_case(host),
        })
    }

    /// How long it is still valid; negative when it has expired.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> SignedDuration {
        self.not_after.duration_since(now)
    }

    /// Whether its issuer is the one that is meant: the text stands in the issuer's name as whole words, in any case.
    /// `Let's Encrypt` and `R11` both mean `C=US, O=Let's Encrypt, CN=R11`; `R1` does not.
    #[must_use]
    pub fn issued_by(&self, issuer: &str) -> bool {
        let (name, wanted) = (self.issuer.to_lowercase(), issuer.trim().to_lowercase());
        !wanted.is_empty()
            && name.match_indices(&wanted).any(|(at, found)| {
                let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
                !word(name[..at].chars().next_back()) && !word(name[at + found.len()..].chars().next())
            })
    }

    /// What it is called when it is the one that an ingress controller serves for hosts that it has no certificate for.
    #[must_use]
    pub fn controller_default(&self) -> Option<&'static str> {
        DEFAULTS.into_iter().find(|(subject, _)| self.subject.contains(subject)).map(|(_, name)| name)
    }
}

/// Names of a certificate for a sentence.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => "no name at all".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn san(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)));
            let v6 = || <[u8; 16]>::try_from(*bytes).map(|bytes| IpAddr::from(Ipv6Addr::from(bytes)));
            v4.or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    }
}

fn key(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        // The modulus is written as a signed number: a zero byte in front is not part of its size.
        Ok(PublicKey::RSA(key)) => {
            let zeros = key.modulus.iter().take_while(|byte| **byte == 0).count();
            format!("RSA {}", (key.modulus.len() - zeros) * 8)
        }
        // An uncompressed point is two coordinates behind one byte.
        Ok(PublicKey::EC(point)) => match point.data().len().saturating_sub(1) / 2 * 8 {
            528 => "ECDSA 521".to_owned(),
            bits => format!("ECDSA {bits}"),
        },
        _ => match certificate.public_key().algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => "Ed25519".to_owned(),
            oid => oid.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
