//! Whether a chain is trusted, and if not, exactly why.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::facts::{CertificateFacts, list};
use crate::failure::Failure;

/// A reason why a chain is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// A certificate of the chain is too old.
    #[error("the certificate \"{subject}\" expired on {not_after} ({} ago)", words(*ago))]
    Expired {
        /// Whose certificate.
        subject: String,
        /// Until when it was valid.
        not_after: Timestamp,
        /// How long ago that was.
        ago: SignedDuration,
    },
    /// A certificate of the chain is too young, or the clock here is wrong.
    #[error("the certificate \"{subject}\" is not valid before {not_before} (in {}); is the clock right?", words(*wait))]
    NotYetValid {
        /// Whose certificate.
        subject: String,
        /// From when it is valid.
        not_before: Timestamp,
        /// How long that still takes.
        wait: SignedDuration,
    },
    /// The chain ends at somebody who is not trusted.
    #[error("it is issued by \"{issuer}\", which is not among the trusted authorities{}", hint(*intermediate_missing))]
    UnknownIssuer {
        /// The issuer at which the chain ends.
        issuer: String,
        /// Whether the server sent its own certificate alone, so that a link may be missing.
        intermediate_missing: bool,
    },
    /// It is signed by itself and not among the trusted ones.
    #[error("\"{subject}\" is self-signed and not among the trusted certificates{}", default(*controller_default))]
    SelfSigned {
        /// Whose certificate.
        subject: String,
        /// What it is called, where it is a controller's default.
        controller_default: Option<&'static str>,
    },
    /// It is for other names.
    #[error("it is not for \"{host}\" but for {}", list(names))]
    WrongName {
        /// The host that was asked for.
        host: String,
        /// The names that it has.
        names: Vec<String>,
    },
    /// It is the certificate of an authority.
    #[error("the server shows the certificate of an authority (\"{subject}\") as its own")]
    CaAsServer {
        /// Whose certificate.
        subject: String,
    },
    /// It may be used, but not for this.
    #[error("\"{subject}\" may not be used as a server's certificate (extended key usage)")]
    WrongUse {
        /// Whose certificate.
        subject: String,
    },
    /// A signature in the chain is wrong: the certificate was changed, or another key has the issuer's name.
    #[error("the signature of \"{issuer}\" on it is wrong: changed, or signed by another key of the same name")]
    BadSignature {
        /// Whose signature it should be.
        issuer: String,
    },
    /// Anything else, in the words of the TLS library.
    #[error("{0}")]
    Other(String),
}

fn hint(intermediate_missing: bool) -> &'static str {
    if intermediate_missing { " (the server sent no intermediate certificate)" } else { "" }
}

fn default(controller: Option<&'static str>) -> String {
    controller.map(|name| format!(" ({name}: the controller has no certificate for this host yet)")).unwrap_or_default()
}

/// A length of time in its largest whole unit.
pub(crate) fn words(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7200 => (seconds / 60, "minute"),
        7200..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

pub(crate) fn server_name(host: &str) -> Result<ServerName<'static>, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned())
        .map_err(|_| Failure::setup(format!("\"{host}\" is neither a host name nor an address")))
}

/// Every reason at once: the chain and the name are looked at on their own.
pub(crate) fn distrust(
    chain: &[CertificateDer<'_>],
    host: &ServerName<'_>,
    roots: &RootCertStore,
    now: UnixTime,
) -> Vec<Distrust> {
    let Some((leaf, rest)) = chain.split_first() else {
        return vec![Distrust::Other("the server showed no certificate".to_owned())];
    };
    let facts = CertificateFacts::of_chain(chain);
    let Some(own) = facts.first() else {
        return vec![Distrust::Other("the server's certificate cannot be read".to_owned())];
    };
    let parsed = match ParsedCertificate::try_from(leaf) {
        Ok(parsed) => parsed,
        Err(error) => return vec![reason(&error, &facts, own, now)],
    };
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
    let mut reasons = Vec::new();
    let verify = |at| verify_server_cert_signed_by_trust_anchor(&parsed, roots, rest, at, algorithms);
    if let Err(error) = verify(now) {
        let first = reason(&error, &facts, own, now);
        // Dates are looked at before issuers: at a time that suits, the issuer may turn out to be unknown besides.
        let besides = matches!(first, Distrust::Expired { .. } | Distrust::NotYetValid { .. })
            .then(|| verify(midlife(own)).err())
            .flatten()
            .map(|error| reason(&error, &facts, own, midlife(own)))
            .filter(|reason| !matches!(reason, Distrust::Expired { .. } | Distrust::NotYetValid { .. }));
        reasons.push(first);
        reasons.extend(besides);
    }
    if verify_server_name(&parsed, host).is_err() {
        reasons.push(Distrust::WrongName { host: host.to_str().into_owned(), names: own.sans.clone() });
    }
    reasons
}

/// Whether a certificate was signed with its own key.
pub(crate) fn is_signed_by_itself(der: &[u8], own: &CertificateFacts) -> bool {
    let der = CertificateDer::from(der);
    let mut roots = RootCertStore::empty();
    let (Ok(parsed), Ok(())) = (ParsedCertificate::try_from(&der), roots.add(der.clone())) else { return false };
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], midlife(own), algorithms).is_ok()
}

fn midlife(own: &CertificateFacts) -> UnixTime {
    let middle = own.not_before.as_second().midpoint(own.not_after.as_second());
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(middle).unwrap_or(0)))
}

fn reason(error: &TlsError, chain: &[CertificateFacts], own: &CertificateFacts, now: UnixTime) -> Distrust {
    let subject = own.subject.clone();
    let now = Timestamp::from_second(i64::try_from(now.as_secs()).unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX);
    let TlsError::InvalidCertificate(problem) = error else { return Distrust::Other(error.to_string()) };
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            // Not always the server's own: an intermediate may be the old one.
            let old = chain.iter().find(|facts| facts.not_after < now).unwrap_or(own);
            Distrust::Expired {
                subject: old.subject.clone(),
                not_after: old.not_after,
                ago: now.duration_since(old.not_after),
            }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            let young = chain.iter().find(|facts| facts.not_before > now).unwrap_or(own);
            Distrust::NotYetValid {
                subject: young.subject.clone(),
                not_before: young.not_before,
                wait: young.not_before.duration_since(now),
            }
        }
        CertificateError::UnknownIssuer if own.self_signed => {
            Distrust::SelfSigned { subject, controller_default: own.controller_default() }
        }
        CertificateError::UnknownIssuer => {
            let last = last_link(chain, own);
            Distrust::UnknownIssuer { issuer: last.issuer.clone(), intermediate_missing: chain.len() == 1 }
        }
        CertificateError::BadSignature => Distrust::BadSignature { issuer: own.issuer.clone() },
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Distrust::WrongUse { subject }
        }
        CertificateError::Other(_) if own.is_ca => Distrust::CaAsServer { subject },
        other => Distrust::Other(format!("the certificate \"{subject}\" is not valid: {other}")),
    }
}

/// The certificate at which the chain that the server sent ends. Servers send more than belongs to it.
fn last_link<'a>(chain: &'a [CertificateFacts], own: &'a CertificateFacts) -> &'a CertificateFacts {
    let mut link = own;
    for _ in 0..chain.len() {
        match chain.iter().find(|next| next.subject == link.issuer && !next.self_signed) {
            Some(next) if next.fingerprint_sha256 != link.fingerprint_sha256 => link = next,
            _ => break,
        }
    }
    link
}

/// Keeps what the server showed and what is wrong with it, and lets the handshake go on.
#[derive(Debug)]
pub(crate) struct Recorder {
    roots: RootCertStore,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<(Vec<CertificateFacts>, Vec<Distrust>)>>,
}

impl Recorder {
    pub(crate) fn new(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Arc<Recorder> {
        Arc::new(Recorder { roots, provider, seen: Mutex::default() })
    }

    /// What the server showed, where it came to that.
    pub(crate) fn seen(&self) -> Option<(Vec<CertificateFacts>, Vec<Distrust>)> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let chain: Vec<CertificateDer<'_>> = [end_entity].into_iter().chain(intermediates).cloned().collect();
        let reasons = distrust(&chain, server_name, &self.roots, now);
        let facts = CertificateFacts::of_chain(&chain);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((facts, reasons));
        // Nothing is entrusted to the connection while there is a reason: see `look`.
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
