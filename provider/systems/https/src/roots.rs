//! Whom to trust.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

use crate::facts::CertificateFacts;
use crate::failure::Failure;
use crate::pem::{self, PemError};

/// The authorities that a chain may end at.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Those of the system; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured.
    #[default]
    System,
    /// Those of a bundle and no others.
    Bundle(Bundle),
    /// Those of the system and of a bundle.
    Both(Bundle),
}

/// Certificates of authorities.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle(Arc<[CertificateDer<'static>]>);

impl Bundle {
    /// Reads one or more certificates in PEM.
    ///
    /// # Errors
    /// When there is none or one cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<Bundle, PemError> {
        pem::certificates(pem).map(|found| Bundle(found.into()))
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subjects = CertificateFacts::of_chain(&self.0).into_iter().map(|facts| facts.subject);
        f.debug_list().entries(subjects).finish()
    }
}

/// Read once: it is some hundred files.
static SYSTEM: OnceLock<Result<RootCertStore, String>> = OnceLock::new();

impl Roots {
    pub(crate) fn store(&self) -> Result<RootCertStore, Failure> {
        match self {
            Roots::System => system().cloned().map_err(Failure::setup),
            Roots::Bundle(bundle) => add(RootCertStore::empty(), bundle),
            // The bundle is enough where the system has none.
            Roots::Both(bundle) => add(system().cloned().unwrap_or_else(|_| RootCertStore::empty()), bundle),
        }
    }
}

fn add(mut store: RootCertStore, bundle: &Bundle) -> Result<RootCertStore, Failure> {
    for certificate in bundle.0.iter() {
        store.add(certificate.clone()).map_err(|error| {
            let subject = CertificateFacts::of_der(certificate).map(|facts| facts.subject).unwrap_or_default();
            Failure::setup(format!(
                "the certificate \"{subject}\" of the bundle cannot be trusted as an authority: {error}"
            ))
        })?;
    }
    Ok(store)
}

fn system() -> Result<&'static RootCertStore, String> {
    let loaded = SYSTEM.get_or_init(|| {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        // Systems carry certificates that are too old for the checks of today; they are left out, as by other clients.
        let (added, ignored) = store.add_parsable_certificates(found.certs);
        tracing::debug!(added, ignored, "root certificates of the system read");
        match (added, found.errors.first()) {
            (0, None) => {
                Err("the system has no root certificates; install them (package ca-certificates) or give a bundle"
                    .to_owned())
            }
            (0, Some(error)) => Err(format!("the system's root certificates cannot be read: {error}; give a bundle")),
            _ => Ok(store),
        }
    });
    loaded.as_ref().map_err(Clone::clone)
}
