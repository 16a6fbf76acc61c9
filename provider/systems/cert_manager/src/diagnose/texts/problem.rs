//! ACME problem documents (RFC 8555, 6.7), as cert-manager writes them into its texts.

use jiff::Timestamp;

use super::gist::{gist, tidy};
use super::{Speaker, reach};
use crate::diagnose::cause::Cause;

/// An ACME problem document as it stands within a text: `403 urn:ietf:params:acme:error:caa: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Of the HTTP answer; None where the text does not say it
    pub(crate) status: Option<u16>,
    /// `rateLimited`
    pub(crate) kind: String,
    /// The server's words
    pub(crate) detail: String,
}

impl Problem {
    /// The first one of a text.
    pub(crate) fn find(text: &str) -> Option<Self> {
        let (begins, at) = ["urn:ietf:params:acme:error:", "urn:acme:error:"]
            .iter()
            .filter_map(|urn| text.find(urn).map(|at| (at, at + urn.len())))
            .min()?;
        let status = text.get(..begins)?.trim_end().rsplit([' ', ':']).next().and_then(|word| word.parse().ok());
        let rest = text.get(at..)?;
        let kind: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        let rest = rest.get(kind.len()..)?.trim_start_matches([':', ' ']);
        let (detail, more) = rest.split_once("; subproblems:").map_or((rest, None), |(a, b)| (a, Some(b)));
        let mut detail = gist(detail);
        // where one of several names is refused, only the subproblem says which one and why
        if let Some(more) = more.and_then(|more| more.lines().map(str::trim).find(|line| !line.is_empty())) {
            detail = tidy(&format!("{detail}; {}", more.split_once(": ").map_or(more, |(_, said)| said)));
        }
        Some(Self { status, kind, detail })
    }

    pub(super) fn cause(&self, speaker: Speaker) -> Option<Cause> {
        let lower = self.detail.to_lowercase();
        Some(match self.kind.to_lowercase().as_str() {
            "ratelimited" => Cause::RateLimited { until: retry_after(&self.detail) },
            "caa" => Cause::Caa,
            "dns" if lower.contains("caa") => Cause::DnsFailing,
            "dns" if lower.contains("txt") => Cause::DnsNotPropagated,
            "dns" => reach(&lower).filter(|cause| *cause == Cause::DnsMissing).unwrap_or(Cause::DnsFailing),
            "connection" | "tls" => reach(&lower).unwrap_or(Cause::Port80Closed),
            "incorrectresponse" => Cause::Port80WrongAnswer,
            "invalidcontact" | "unsupportedcontact" => Cause::InvalidContact,
            "accountdoesnotexist" | "externalaccountrequired" | "useractionrequired" | "accountinuse" => Cause::Account,
            "rejectedidentifier" | "unsupportedidentifier" => Cause::NameRefused,
            "badcsr" | "badpublickey" | "badsignaturealgorithm" | "invalidprofile" => Cause::RequestRefused,
            "serverinternal" => Cause::AcmeUnreachable,
            "unauthorized" if lower.contains("caa") => Cause::Caa,
            "unauthorized" if lower.contains("txt record") => Cause::DnsNotPropagated,
            "unauthorized" => match reach(&lower) {
                Some(cause) => cause,
                None if speaker == Speaker::Challenge => Cause::ValidationFailed,
                None => Cause::Account,
            },
            _ => match speaker {
                Speaker::Issuer => Cause::Account,
                Speaker::Order | Speaker::Challenge => Cause::ValidationFailed,
            },
        })
    }
}

/// `retry after 2026-11-28 09:13:16 UTC`, as Boulder writes it now, and `…T09:13:16Z`, as it did before.
pub(crate) fn retry_after(text: &str) -> Option<Timestamp> {
    const MARK: &str = "retry after ";
    let at = text.to_ascii_lowercase().find(MARK)? + MARK.len();
    let time = text.get(at..at + 19)?;
    format!("{}Z", time.replacen(' ', "T", 1)).parse().ok()
}
