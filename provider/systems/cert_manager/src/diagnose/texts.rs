//! The texts of cert-manager, of ACME servers and of DNS providers, recognised.
//!
//! cert-manager's texts are those of 1.21 (pkg/issuer/acme, pkg/controller/acmeorders,
//! pkg/controller/acmechallenges), the limits' texts those of Boulder's ratelimits. They change from
//! version to version, so only the words that carry the meaning are looked for.

mod gist;
mod problem;

use super::cause::Cause;
use gist::gist;
pub(crate) use gist::tidy;
pub(crate) use problem::Problem;

/// Whose text it is: a name that does not resolve is our host's in one, the ACME server's in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// An issuer's Ready condition
    Issuer,
    /// An Order's reason, a CertificateRequest's or Certificate's condition
    Order,
    /// A Challenge's reason
    Challenge,
}

/// What a text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recognised {
    pub(crate) cause: Cause,
    /// The part of it that people need
    pub(crate) detail: String,
}

/// Recognises a text; None for one that says nothing that is known.
pub(crate) fn recognise(speaker: Speaker, text: &str) -> Option<Recognised> {
    if let Some(problem) = Problem::find(text) {
        let cause = problem.cause(speaker)?;
        return Some(Recognised { cause, detail: problem.detail });
    }
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    let cause = if let Some((_, why)) = text.split_once("failed to call webhook: ") {
        return Some(Recognised { cause: Cause::WebhookAway, detail: gist(why) });
    } else if speaker == Speaker::Challenge && !lower.starts_with("error accepting") {
        challenge(&lower)?
    } else if says(&["no configured challenge solvers can be used"]) {
        Cause::NoSolver
    } else if says(&SECRETS) {
        Cause::SecretMissing
    } else if says(&["certificate is not a ca", "error getting keypair"]) {
        if lower.contains("not found") { Cause::SecretMissing } else { Cause::BadKeyPair }
    } else if says(&["x509:", "failed to verify certificate"]) {
        Cause::AcmeUntrusted
    } else if says(&NETWORK) || says(&["no such host", "not an rfc 8555 problem document"]) {
        Cause::AcmeUnreachable
    } else if says(&["acme account", "account private key", "acme private key"]) {
        Cause::Account
    } else {
        return None;
    };
    Some(Recognised { cause, detail: gist(text) })
}

/// A connection that does not come about.
const NETWORK: [&str; 8] = [
    "connection refused",
    "i/o timeout",
    "no route to host",
    "network is unreachable",
    "deadline exceeded",
    "connection reset",
    "timeout exceeded",
    "tls handshake timeout",
];

const SECRETS: [&str; 7] = [
    "error getting cloudflare secret",
    "not found in secret",
    "failed to load secret",
    "failed to get secret",
    "does not have key",
    "secret name not specified",
    "external account binding key",
];

/// Cloudflare's codes for a token that is malformed, unknown, expired, or not allowed to do this.
const CLOUDFLARE_AUTH: [&str; 8] = [
    "error: 10000:",
    "error: 10001:",
    "error: 9109:",
    "error: 9106:",
    "error: 9103:",
    "error: 6003:",
    "error: 6111:",
    "error: 1000:",
];

fn challenge(lower: &str) -> Option<Cause> {
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    let network = says(&NETWORK);
    if says(&[
        "gateway api is not enabled",
        "must specify parentrefs",
        "no ingress nor gateway",
        "no ingress config provided",
        "no dns01 challenge solver configuration",
        "no solver provider configured",
    ]) {
        return Some(Cause::WrongSolver);
    }
    if says(&SECRETS) || (says(&["secret \"", "secrets \""]) && lower.contains("\" not found")) {
        return Some(Cause::SecretMissing);
    }
    if lower.contains("cloudflare") {
        return cloudflare(lower, network);
    }
    if lower.contains("dns update failed") || lower.contains("tsig secret") {
        return Some(dynamic_update(lower, network));
    }
    if says(&["exceeded quota", "violates podsecurity", "denied the request"])
        || lower.contains("pods") && lower.contains("forbidden")
    {
        return Some(Cause::SolverPod);
    }
    if says(&["found no zones"]) {
        return Some(Cause::WrongZone);
    }
    if says(&[
        "could not determine the zone",
        "could not find the soa",
        "start of authority",
        "authoritative nameservers",
    ]) {
        return Some(if network || lower.contains("rcode") { Cause::DnsFailing } else { Cause::WrongZone });
    }
    if says(&["when querying the soa record"]) || lower.contains(" returned ") && lower.contains("ns ") {
        return Some(Cause::DnsFailing);
    }
    if says(&["not yet propagated"]) {
        return Some(Cause::DnsNotPropagated);
    }
    reach(lower)
}

fn cloudflare(lower: &str, network: bool) -> Option<Cause> {
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    if says(&CLOUDFLARE_AUTH) || says(&["no cloudflare credential", "api token is invalid", "api key is invalid"]) {
        Some(Cause::TokenRefused)
    } else if says(&["found no zones", "error: 7003:", "error: 1001:"]) {
        Some(Cause::WrongZone)
    } else if network || says(&["no such host", "invalid character"]) {
        // a proxy's web page instead of JSON is an API that was not reached
        Some(Cause::DnsProviderAway)
    } else if says(&["while querying", "find zones"]) {
        Some(Cause::Unknown)
    } else {
        None
    }
}

/// RFC 2136. A wrong key, or a wrong content of it, shows in the signature of the answer, which cannot be
/// verified then; so an answer that says REFUSED or NOTAUTH is about the zone: this key may not update
/// it, or the server is not its primary.
fn dynamic_update(lower: &str, network: bool) -> Cause {
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    if says(&["replied: refused", "replied: notauth", "notzone", "nxdomain"]) {
        Cause::WrongZone
    } else if says(&["servfail", "notimp", "formerr"]) {
        Cause::DnsFailing
    } else if network || says(&["no such host"]) {
        Cause::DnsProviderAway
    } else {
        Cause::TokenRefused
    }
}

/// What cert-manager's own look at `http://host/.well-known/acme-challenge/` found, or the authority's.
fn reach(lower: &str) -> Option<Cause> {
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    if says(&["no such host", "nxdomain", "no valid a records", "no valid ip addresses", "could not resolve url"]) {
        Some(Cause::DnsMissing)
    } else if says(&["server misbehaving", "servfail"]) || lower.contains("lookup ") && lower.contains("i/o timeout") {
        Some(Cause::DnsFailing)
    } else if says(&[
        "wrong status code",
        "did not get expected response",
        "failed to read response body",
        "non-200 status code",
        "invalid response from",
        "key authorization file",
        "malformed http response",
        "too many redirects",
        "stopped after 10 redirects",
    ]) {
        Some(Cause::Port80WrongAnswer)
    } else if says(&NETWORK)
        || says(&["self check get request", "timeout during", "timeout after", "error getting validation data"])
    {
        Some(Cause::Port80Closed)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
