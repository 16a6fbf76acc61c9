//! Why something could not be seen.

use std::fmt;
use std::net::IpAddr;

/// How far a look has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking for the addresses of the name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The handshake of TLS.
    Handshake,
    /// Request and answer.
    Answer,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Resolve => "no answer from the name servers",
            Stage::Connect => "nobody took the connection (a firewall that drops packets, or a wrong address?)",
            Stage::Handshake => "the connection is open, but the TLS handshake was not answered",
            Stage::Answer => "the connection is open, but the request was not answered",
        })
    }
}

/// Why something could not be seen. Its text is a sentence; there is no secret in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The name has no address.
    #[error("the name \"{host}\" cannot be resolved: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// No address took the connection.
    #[error("no connection to {peer}: {reason}")]
    Connect {
        /// Where to.
        peer: String,
        /// Why not; each address where there are several.
        reason: String,
    },
    /// This machine has no way there, as to an IPv6 address where it has none of its own.
    #[error("this machine has no way to {peer}")]
    NoWay {
        /// Where to.
        peer: String,
    },
    /// The time was over.
    #[error("{peer}: timed out: {stage}")]
    TimedOut {
        /// Where to.
        peer: String,
        /// How far it had come.
        stage: Stage,
    },
    /// The handshake failed.
    #[error("{peer}: the TLS handshake failed: {reason}")]
    Tls {
        /// With whom.
        peer: String,
        /// Why.
        reason: String,
    },
    /// There is no answer that can be read.
    #[error("{peer}: no HTTP answer: {reason}")]
    Http {
        /// From whom.
        peer: String,
        /// Why.
        reason: String,
    },
    /// The request was not made: its token would have gone over a connection that is not trusted.
    #[error("the request was not made: its token is not sent over a connection whose certificate is not trusted")]
    Withheld,
    /// What was asked for cannot be done at all.
    #[error("{reason}")]
    Setup {
        /// Why.
        reason: String,
    },
}

impl Failure {
    pub(crate) fn setup(reason: impl Into<String>) -> Failure {
        Failure::Setup { reason: reason.into() }
    }

    /// Whether waiting may help: names spread, controllers load, pods start. What was asked for wrongly stays wrong.
    #[must_use]
    pub fn can_heal(&self) -> bool {
        !matches!(self, Failure::Setup { .. })
    }
}

/// Addresses for a sentence.
pub(crate) fn join(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// The innermost cause of an error, which says the most.
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
