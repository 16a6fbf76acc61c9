//! Why a channel was not told.

use std::time::Duration;

use crate::channel::Kind;

/// A channel that was not told, in words that give nothing away: of its URL there is the host alone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{} at {host} was not told: {problem}{}", name(*kind), tries(*attempts))]
pub struct Failure {
    /// What it speaks.
    pub kind: Kind,
    /// The host of its URL.
    pub host: String,
    /// How often it was tried.
    pub attempts: u32,
    /// What went wrong the last time.
    pub problem: Problem,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Problem {
    /// No request can be made from here at all; says why.
    #[error("no HTTP client could be made ({0})")]
    NoClient(String),
    /// No connection, or one that broke; says why.
    #[error("it cannot be reached ({0})")]
    Unreachable(String),
    /// No answer in time.
    #[error("it did not answer in time")]
    TimedOut,
    /// Too many requests.
    #[error("it takes no more requests for now (429{})", asked(*after))]
    RateLimited {
        /// How long it asked to wait.
        after: Option<Duration>,
    },
    /// The other end is in trouble.
    #[error("it answered {status}")]
    ServerError {
        /// The HTTP status, 500 or more.
        status: u16,
    },
    /// The other end does not want this, and would not want it again.
    #[error("it answered {status}{}", reason.map_or_else(String::new, |reason| format!(" ({reason})")))]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The reason, where it is one that Slack or Discord is known to give.
        reason: Option<&'static str>,
    },
    /// The caller wished to stop.
    #[error("the run was cancelled before it could be")]
    Cancelled,
}

impl Failure {
    /// What to do about it, where something can be done.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match (&self.problem, self.kind) {
            (Problem::Rejected { status: 300..=399, .. }, _) => {
                Some("Redirects are not followed. Set url to the address that is redirected to.")
            }
            (Problem::Rejected { status: 401 | 403 | 404 | 410, .. }, Kind::Slack | Kind::Discord) => {
                Some("The webhook was removed, or its URL is not complete. Make a new one and set url to it.")
            }
            (Problem::Rejected { status: 401 | 403 | 404 | 410, .. }, Kind::Webhook) => {
                Some("Check url: the receiver does not know it, or wants credentials that are not in it.")
            }
            (Problem::Rejected { .. }, Kind::Webhook) => {
                Some("The receiver must answer a JSON POST with a status of 200 to 299.")
            }
            (Problem::Unreachable(_) | Problem::TimedOut, _) => {
                Some("Check that the host can be reached from where Terraform runs (name, network, proxy).")
            }
            _ => None,
        }
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Slack => "Slack",
        Kind::Discord => "Discord",
        Kind::Webhook => "The webhook",
    }
}

fn tries(attempts: u32) -> String {
    if attempts > 1 { format!(" (tried {attempts} times)") } else { String::new() }
}

fn asked(after: Option<Duration>) -> String {
    after.map_or_else(String::new, |after| format!(", it asks to wait {} s", after.as_secs_f64().ceil()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_read_well() {
        let failure = |kind, attempts, problem| Failure { kind, host: "h.example".into(), attempts, problem };
        let gone = failure(Kind::Slack, 1, Problem::Rejected { status: 404, reason: Some("no_service") });
        assert_eq!(gone.to_string(), "Slack at h.example was not told: it answered 404 (no_service)");
        assert!(gone.advice().is_some_and(|advice| advice.contains("Make a new one")));
        let limited =
            failure(Kind::Discord, 5, Problem::RateLimited { after: Some(Duration::from_millis(64_500)) }).to_string();
        assert_eq!(
            limited,
            "Discord at h.example was not told: it takes no more requests for now (429, it asks to wait 65 s) (tried 5 times)"
        );
        let away = failure(Kind::Webhook, 2, Problem::Unreachable("connection refused".into()));
        assert_eq!(
            away.to_string(),
            "The webhook at h.example was not told: it cannot be reached (connection refused) (tried 2 times)"
        );
    }
}
