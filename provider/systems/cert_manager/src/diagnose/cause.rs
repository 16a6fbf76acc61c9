//! The causes that are told apart.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// Why an issuance does not get on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Nothing is wrong: it is issued, the issuer is ready
    Ready,
    /// Nothing is wrong yet
    InProgress,
    /// The ACME server takes no order for now
    RateLimited {
        /// When it does again; None when it does not say
        until: Option<Timestamp>,
    },
    /// The name does not resolve
    DnsMissing,
    /// The TXT record of a DNS-01 challenge is not seen everywhere
    DnsNotPropagated,
    /// The zone's name servers, or the resolver, answer with errors
    DnsFailing,
    /// Nothing answers on port 80
    Port80Closed,
    /// Something else answers on port 80
    Port80WrongAnswer,
    /// The DNS provider refuses the token or the TSIG key
    TokenRefused,
    /// The DNS provider, or the name server, has no zone for the name
    WrongZone,
    /// The DNS provider's API, or the name server, cannot be reached
    DnsProviderAway,
    /// No solver of the issuer fits the name
    NoSolver,
    /// The solver names something that is not there: an ingress class, the Gateway API
    WrongSolver,
    /// The pod that answers the challenge does not run
    SolverPod,
    /// A CAA record forbids this authority
    Caa,
    /// The issuer does not exist
    IssuerMissing,
    /// The issuer is not ready, for a reason that is not told apart
    IssuerNotReady,
    /// A Secret that the issuer reads is missing, or lacks its entry
    SecretMissing,
    /// The key pair of an internal authority cannot be used
    BadKeyPair,
    /// The ACME server refuses the account's e-mail address
    InvalidContact,
    /// The ACME account is refused for another reason
    Account,
    /// The ACME server cannot be reached
    AcmeUnreachable,
    /// The ACME server's own certificate is not trusted
    AcmeUntrusted,
    /// The authority does not issue for this name
    NameRefused,
    /// The authority does not like the request: key, size, format
    RequestRefused,
    /// A check of the authority failed for a reason that is not told apart
    ValidationFailed,
    /// An approver denied the request
    Denied,
    /// Nobody has approved the request
    NotApproved,
    /// Another Certificate writes the same Secret
    SecretShared,
    /// The key must be changed and may not be
    KeyKept,
    /// cert-manager's webhook does not answer the API server
    WebhookAway,
    /// cert-manager's controller is not at work
    ControllerAway,
    /// cert-manager's kinds are not served
    NotInstalled,
    /// There is no such Certificate
    CertificateMissing,
    /// It failed, and the text is all that is known
    Unknown,
}

/// How long trouble is borne with before a wait ends: what it takes to heal by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// What must be mended by somebody: as long as cert-manager takes to notice what was just made
    Config,
    /// Name servers that are starting
    Zone,
    /// Ingress controllers and load balancers that take up a new route
    Reach,
    /// Resolvers that remember that there was no record
    Dns,
    /// Deployments that are rolled
    System,
    /// Until the timeout
    Forever,
}

impl Patience {
    pub(crate) fn lasts(self) -> Option<Duration> {
        let seconds = match self {
            Self::Config => 15,
            Self::Zone => 30,
            Self::Reach => 90,
            Self::Dns => 120,
            Self::System => 60,
            Self::Forever => return None,
        };
        Some(Duration::from_secs(seconds))
    }
}

impl Cause {
    /// One word, stable: `RateLimited`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::InProgress => "InProgress",
            Self::RateLimited { .. } => "RateLimited",
            Self::DnsMissing => "DnsMissing",
            Self::DnsNotPropagated => "DnsNotPropagated",
            Self::DnsFailing => "DnsFailing",
            Self::Port80Closed => "Port80Closed",
            Self::Port80WrongAnswer => "Port80WrongAnswer",
            Self::TokenRefused => "TokenRefused",
            Self::WrongZone => "WrongZone",
            Self::DnsProviderAway => "DnsProviderAway",
            Self::NoSolver => "NoSolver",
            Self::WrongSolver => "WrongSolver",
            Self::SolverPod => "SolverPod",
            Self::Caa => "Caa",
            Self::IssuerMissing => "IssuerMissing",
            Self::IssuerNotReady => "IssuerNotReady",
            Self::SecretMissing => "SecretMissing",
            Self::BadKeyPair => "BadKeyPair",
            Self::InvalidContact => "InvalidContact",
            Self::Account => "Account",
            Self::AcmeUnreachable => "AcmeUnreachable",
            Self::AcmeUntrusted => "AcmeUntrusted",
            Self::NameRefused => "NameRefused",
            Self::RequestRefused => "RequestRefused",
            Self::ValidationFailed => "ValidationFailed",
            Self::Denied => "Denied",
            Self::NotApproved => "NotApproved",
            Self::SecretShared => "SecretShared",
            Self::KeyKept => "KeyKept",
            Self::WebhookAway => "WebhookAway",
            Self::ControllerAway => "ControllerAway",
            Self::NotInstalled => "NotInstalled",
            Self::CertificateMissing => "CertificateMissing",
            Self::Unknown => "Unknown",
        }
    }

    pub(crate) fn patience(self) -> Patience {
        match self {
            Self::WrongZone => Patience::Zone,
            Self::Port80Closed
            | Self::Port80WrongAnswer
            | Self::SolverPod
            | Self::AcmeUnreachable
            | Self::DnsProviderAway => Patience::Reach,
            Self::DnsMissing | Self::DnsFailing => Patience::Dns,
            Self::WebhookAway | Self::ControllerAway | Self::IssuerNotReady | Self::NotApproved => Patience::System,
            Self::Ready | Self::InProgress | Self::DnsNotPropagated | Self::ValidationFailed | Self::Unknown => {
                Patience::Forever
            }
            _ => Patience::Config,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
