//! Certificates and keys in PEM, as TLS Secrets hold them.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::facts::CertificateFacts;
use crate::failure::Failure;
use crate::roots::Roots;
use crate::trust::{self, Distrust};

/// Why a text is not what it should be. Says nothing of its content: it may be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No certificate is in it.
    #[error("there is no certificate in it (expected PEM that begins with -----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// Something in it is called a certificate and cannot be read.
    #[error("certificate {number} of it cannot be read")]
    BadCertificate {
        /// Which one, counted from 1.
        number: usize,
    },
    /// No private key is in it.
    #[error("there is no private key in it that can be read (expected PEM: PKCS #8, PKCS #1 or SEC 1)")]
    NoKey,
    /// The key is of a kind that TLS does not use.
    #[error("its private key is of a kind that cannot be used for TLS")]
    UnusableKey,
}

pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let number = found.len() + 1;
        let der = certificate.map_err(|_| PemError::BadCertificate { number })?;
        CertificateFacts::of_der(&der).ok_or(PemError::BadCertificate { number })?;
        found.push(der);
    }
    if found.is_empty() { Err(PemError::NoCertificate) } else { Ok(found) }
}

/// The facts of a chain such as `tls.crt` of a TLS Secret, in its order: the server's own certificate first.
///
/// # Errors
/// When there is no certificate in it or one cannot be read.
pub fn facts_of_pem(pem: &[u8]) -> Result<Vec<CertificateFacts>, PemError> {
    Ok(CertificateFacts::of_chain(&certificates(pem)?))
}

/// Whether a private key (`tls.key`) belongs to the first certificate of a chain (`tls.crt`).
///
/// # Errors
/// When one of them cannot be read.
pub fn key_belongs(chain: &[u8], key: &[u8]) -> Result<bool, PemError> {
    let chain = certificates(chain)?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| PemError::NoKey)?;
    let key = aws_lc_rs::sign::any_supported_type(&key).map_err(|_| PemError::UnusableKey)?;
    match CertifiedKey::new(chain, key).keys_match() {
        Ok(()) => Ok(true),
        Err(TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Ok(false),
        Err(TlsError::InvalidCertificate(_)) => Err(PemError::BadCertificate { number: 1 }),
        Err(_) => Err(PemError::UnusableKey),
    }
}

/// Why a client that trusts these roots would not trust a chain for a host at this time; empty when it would.
///
/// # Errors
/// [`Failure::Setup`] when the chain, the host or the roots cannot be used.
pub fn distrust_of_pem(chain: &[u8], host: &str, roots: &Roots, now: Timestamp) -> Result<Vec<Distrust>, Failure> {
    let chain = certificates(chain).map_err(|error| Failure::setup(format!("the certificate chain: {error}")))?;
    let host = trust::server_name(host)?;
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)));
    let store = Arc::new(roots.store()?);
    Ok(trust::distrust(&chain, &host, &store, now))
}

#[cfg(test)]
mod tests;
