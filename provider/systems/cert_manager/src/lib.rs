//! Issuers and certificates of cert-manager: objects, waiting, and why an issuance does not get on.
//!
//! The way of a certificate: [`installation`] says whether cert-manager is there; Secrets go where
//! [`secret_namespace`] says; [`issuer_object`] and [`certificate_object`] are handed to [`apply`], which
//! waits for a webhook that is just starting; [`retry_issuer`] and [`retry`] begin anew what failed
//! before and is mended now; [`wait_issuer`] and [`wait_certificate`] wait, and end as soon as the chain
//! says that it is over; [`diagnose`] says why. On the way out [`release_challenges`] lets go what cannot be
//! cleaned up.
//!
//! It knows nothing of Terraform. Facts about cert-manager are those of its version 1.21.

mod alert;
mod certificate;
mod diagnose;
mod error;
mod install;
mod issuances;
mod issuer;
mod model;
mod names;
mod proof;
mod release;
mod renew;
mod requests;
pub mod shim;
mod status;
mod wait;
mod webhook;

#[cfg(test)]
mod testing;

pub use alert::{alerts_supported, renewal_alert};
pub use certificate::{CertificateSpec, KeyAlgorithm, PrivateKey, Rotation, certificate_object};
pub use diagnose::{Cause, Diagnosis, diagnose, diagnose_issuer};
pub use error::Error;
pub use install::{Installation, Part, installation, secret_namespace};
pub use issuances::{Issuance, Outcome, issuances, users};
pub use issuer::{
    Acme, AwsKeys, DnsProvider, ExternalAccount, IssuerSpec, LETSENCRYPT, LETSENCRYPT_STAGING, ParentGateway,
    PodTemplate, SecretKey, Selector, Solver, Toleration, Tsig, Vault, VaultLogin, Way, directory_url,
    is_letsencrypt_production, is_letsencrypt_staging, is_same_directory, issuer_object,
};
pub use names::{
    ACME_API, API, GROUP, IssuerKind, IssuerRef, NoIssuerKind, account_secret, certificate_ref, credentials_secret,
};
pub use proof::asks_hosts;
pub use release::{Released, release_challenges};
pub use renew::{Renewal, abandon, renew, retry, retry_issuer};
pub use status::{Backoff, Certificate, CertificateStatus, IssuerStatus, MadeFor, certificate};
pub use wait::{wait_certificate, wait_issuer};
pub use webhook::{WebhookTrouble, apply, put, webhook_trouble};
