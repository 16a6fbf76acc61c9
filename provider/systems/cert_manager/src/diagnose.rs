//! Why an issuance does not get on, in words, as `cmctl status certificate` would have a reader find out.
//!
//! [`Evidence`] is what was fetched; judging it is pure, so that it is tested on recorded objects.
//! [`diagnose`] and [`diagnose_issuer`] do both.

mod cause;
mod events;
mod evidence;
mod judge;
mod solver;
mod texts;
mod words;

use std::fmt;

use ffe_cluster::{Cluster, ObjectRef};
use jiff::Timestamp;

pub use cause::Cause;
pub(crate) use cause::Patience;
use evidence::Evidence;
pub(crate) use evidence::revision;
pub(crate) use texts::tidy;

use crate::names::IssuerRef;
use crate::status::CertificateStatus;
use judge::Finding;

/// What is wrong, and what to do; its Display is the text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The Certificate or issuer
    pub object: ObjectRef,
    /// For decisions
    pub cause: Cause,
    /// One sentence, without a full stop
    pub sentence: String,
    /// One or two sentences
    pub remedy: String,
    /// The chain, from the Certificate to its Challenges, then events, then what could not be looked at
    pub evidence: Vec<String>,
    /// cert-manager has given up, until `retries_at` or for good: waiting does not help
    pub is_final: bool,
    /// When cert-manager tries again by itself; [`crate::retry`] does so at once
    pub retries_at: Option<Timestamp>,
}

impl Diagnosis {
    /// Something is wrong: neither ready nor simply under way.
    pub fn is_trouble(&self) -> bool {
        !matches!(self.cause, Cause::Ready | Cause::InProgress)
    }

    /// About a part of cert-manager itself, without having looked at a chain.
    pub(crate) fn system(object: ObjectRef, cause: Cause, detail: &str) -> Self {
        let (sentence, remedy) = words::system(cause, detail);
        Self { object, cause, sentence, remedy, evidence: Vec::new(), is_final: false, retries_at: None }
    }

    /// The trouble and its remedy in one line, for a warning.
    pub fn line(&self) -> String {
        format!("{}. {}", self.sentence, self.remedy)
    }
}

/// Judges what was fetched about a Certificate.
fn judge_certificate(evidence: &Evidence) -> Diagnosis {
    with_evidence(evidence, judge::certificate(evidence))
}

/// Judges what was fetched about an issuer.
fn judge_issuer(evidence: &Evidence) -> Diagnosis {
    with_evidence(evidence, judge::issuer(evidence))
}

fn with_evidence(evidence: &Evidence, finding: Finding) -> Diagnosis {
    let status = evidence.certificate.as_ref().map(CertificateStatus::of);
    let retries_at = status.and_then(|status| status.retries_at(&evidence.installation.backoff));
    let mut lines = judge::lines(evidence);
    let said = events::lines(&evidence.events, &lines);
    lines.extend(said);
    lines.extend(evidence.missing.iter().map(|what| format!("not looked at: {what}")));
    Diagnosis {
        object: evidence.object.clone(),
        cause: finding.cause,
        sentence: finding.sentence,
        remedy: finding.remedy,
        evidence: lines,
        is_final: finding.over,
        retries_at: retries_at.filter(|_| finding.over),
    }
}

/// Fetches everything about a Certificate and judges it. Never fails: what could not be read is said in
/// the evidence.
pub async fn diagnose(cluster: &Cluster, namespace: &str, name: &str) -> Diagnosis {
    judge_certificate(&evidence::of_certificate(cluster, namespace, name).await)
}

/// An issuance that does not get on by itself even if its cause is mended: its challenge could not be set
/// up, or is one of DNS-01 by a solver that the issuer does not have any more.
pub(crate) async fn is_stuck(cluster: &Cluster, namespace: &str, name: &str) -> bool {
    let evidence = evidence::of_certificate(cluster, namespace, name).await;
    let cause = judge::certificate(&evidence).cause;
    let set_up = !matches!(
        cause,
        Cause::TokenRefused
            | Cause::WrongZone
            | Cause::DnsProviderAway
            | Cause::SecretMissing
            | Cause::NoSolver
            | Cause::WrongSolver
    );
    !set_up || solver::is_superseded(&evidence)
}

/// The same about an issuer; `namespace` is that of the certificates, for an Issuer its own.
pub async fn diagnose_issuer(cluster: &Cluster, issuer: &IssuerRef, namespace: &str) -> Diagnosis {
    judge_issuer(&evidence::of_issuer(cluster, issuer, namespace).await)
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.object, self.cause, self.sentence)?;
        if !self.evidence.is_empty() {
            f.write_str("\n\nThe chain, and what was said of it:")?;
            for line in &self.evidence {
                write!(f, "\n  - {line}")?;
            }
        }
        if let Some(at) = self.retries_at {
            write!(f, "\n\ncert-manager tries again by itself at {}.", judge::utc(at))?;
        }
        write!(f, "\n\nWhat to do: {}", self.remedy)
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::chain;
