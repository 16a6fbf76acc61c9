//! What can go wrong, in words, and what to do then.

use std::time::Duration;

/// Why Cloudflare refuses, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The token is wrong, or may not do this (10000, 9109, 6003 and their kin).
    Authentication,
    /// There is such a record already (81053, 81054, 81057, 81058).
    Duplicate,
    /// There is no such zone (7003).
    UnknownZone,
    /// There is no such record (81044).
    UnknownRecord,
    /// What was sent is not valid (1004 and the codes from 9000 on).
    Validation,
    /// Anything else.
    Other,
}

/// Why there is no result. The token is in no text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The token cannot stand in a header.
    #[error("the Cloudflare API token is empty, or has other characters in it than the visible ones of ASCII")]
    Token,
    /// The base URL is none.
    #[error("the base URL of Cloudflare's API cannot be used: {reason}")]
    BaseUrl {
        /// Why not.
        reason: &'static str,
    },
    /// What every provider refuses: wishes that cannot be, and records of somebody else.
    #[error(transparent)]
    Dns(#[from] ffe_dns::Error),
    /// The token sees no such zone.
    #[error("{}", no_zone(wanted, *of_host))]
    NoZone {
        /// The zone's name, or the host's.
        wanted: String,
        /// Whether it is a host's.
        of_host: bool,
    },
    /// Cloudflare refuses.
    #[error("Cloudflare refused to {operation}: {message}")]
    Api {
        /// What was to be done.
        operation: String,
        /// Why, in kind.
        reason: Reason,
        /// The most telling of its codes.
        code: Option<u32>,
        /// The status of the answer.
        status: u16,
        /// Cloudflare's own words, with their codes.
        message: String,
    },
    /// Too many requests, for longer than we wait.
    #[error("Cloudflare does not {operation} now: too many requests{}", after(*wait))]
    RateLimited {
        /// What was to be done.
        operation: String,
        /// How long it wants to be left alone.
        wait: Option<Duration>,
    },
    /// Cloudflare has trouble.
    #[error("Cloudflare failed to {operation}: status {status}")]
    Trouble {
        /// What was to be done.
        operation: String,
        /// The status of the answer.
        status: u16,
    },
    /// There is no answer.
    #[error("no answer from {host} to the request to {operation}: {cause}")]
    Unreachable {
        /// What was to be done.
        operation: String,
        /// Who was asked.
        host: String,
        /// Why there is none.
        cause: String,
    },
    /// The answer is not one of Cloudflare's.
    #[error(
        "{host} gave an answer to the request to {operation} that is not one of Cloudflare's API (status {status})"
    )]
    Unreadable {
        /// What was to be done.
        operation: String,
        /// Who was asked.
        host: String,
        /// The status of the answer.
        status: u16,
    },
    /// The caller wanted no more.
    #[error("cancelled before the end of the request to {operation}")]
    Cancelled {
        /// What was to be done.
        operation: String,
    },
}

fn no_zone(wanted: &str, of_host: bool) -> String {
    if of_host {
        format!("no zone that the Cloudflare token sees holds the host \"{wanted}\"")
    } else {
        format!("the Cloudflare token sees no zone \"{wanted}\"")
    }
}

fn after(wait: Option<Duration>) -> String {
    wait.map(|wait| format!("; it asks to wait {} seconds", wait.as_secs())).unwrap_or_default()
}

impl Error {
    /// Whether the same may go well later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Error::RateLimited { .. } | Error::Trouble { .. } | Error::Unreachable { .. })
    }

    /// Why Cloudflare refused, where it did.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Error::Api { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// Cloudflare's code, where it gave one.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        match self {
            Error::Api { code, .. } => *code,
            _ => None,
        }
    }

    /// What to do, as a sentence; none where the text says it.
    #[must_use]
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Error::Token => {
                "Set cloudflare.api_token in the provider's configuration or the environment variable CLOUDFLARE_API_TOKEN to \
                 the token alone, without \"Bearer\" and without quotes."
            }
            Error::BaseUrl { .. } => {
                "Leave cloudflare.base_url and CLOUDFLARE_BASE_URL out to use Cloudflare's own API, or set it to an https URL \
                 such as https://api.cloudflare.com/client/v4."
            }
            Error::NoZone { .. } => {
                "Check dns.zone, and that the token has the permission Zone / Zone / Read for that zone (Cloudflare \
                 dashboard, My Profile, API Tokens)."
            }
            Error::Api { reason, .. } => return remedy_of(*reason).map(str::to_owned),
            Error::RateLimited { .. } => {
                "Cloudflare allows 1200 requests in five minutes per user, over all tokens and the dashboard. Apply again \
                 later, or with a lower -parallelism."
            }
            Error::Trouble { .. } => "Apply again; https://www.cloudflarestatus.com tells of outages.",
            Error::Unreachable { .. } => {
                "Check that this machine reaches Cloudflare's API (proxy, firewall, cloudflare.base_url) and apply again: what \
                 was done meanwhile is found by its mark."
            }
            Error::Unreadable { .. } => "Check cloudflare.base_url, and whether a proxy answers in Cloudflare's place.",
            Error::Dns(error) => return error.remedy(),
            Error::Cancelled { .. } => return None,
        };
        Some(text.to_owned())
    }
}

fn remedy_of(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Authentication => Some(
            "Check the token in cloudflare.api_token or CLOUDFLARE_API_TOKEN: it must be valid, not expired, usable from \
             this address, and have the permissions Zone / Zone / Read and Zone / DNS / Edit for the zone (Cloudflare \
             dashboard, My Profile, API Tokens).",
        ),
        Reason::Duplicate => Some(
            "Somebody else made a record of this host at the same time, or one that excludes it (a CNAME stands alone). Look \
             at the zone's records; apply again, or set dns.adopt = true.",
        ),
        Reason::UnknownZone => Some(
            "The zone was removed from the account, or the token does not see it any more. Check dns.zone and the token.",
        ),
        Reason::UnknownRecord => Some("The record was deleted meanwhile. Apply again: it is made anew."),
        Reason::Validation => Some("Check dns.target, dns.ttl and dns.proxied against what the message says."),
        Reason::Other => None,
    }
}
