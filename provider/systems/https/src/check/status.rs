//! The status of an answer.

use url::Url;

use super::CheckResult;
use crate::look::Seen;
use crate::target::Target;

/// Which status is good.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// This one.
    Exactly(u16),
    /// Whatever shows that the application itself answers.
    Answer,
}

impl Wanted {
    fn is(self, status: u16) -> bool {
        match self {
            Wanted::Exactly(wanted) => status == wanted,
            Wanted::Answer => status < 500 && !matches!(status, 404 | 429),
        }
    }
}

/// Compares the status of an answer; the caller names the check.
pub(super) fn compare(wanted: Wanted, seen: &Seen, target: &Target) -> CheckResult {
    let Ok(answer) = &seen.answer else { return CheckResult::new("", Err(super::NOT_SEEN.to_owned())) };
    if wanted.is(answer.status) {
        return CheckResult::new("", Ok(answer.status.to_string()));
    }
    let expected = match wanted {
        Wanted::Exactly(status) => status.to_string(),
        Wanted::Answer => "an answer of the application (below 500, and not 404)".to_owned(),
    };
    let mut detail = format!("answered {}, expected {expected}", answer.status);
    if let Some(hint) = redirects_to_itself(seen, target).or_else(|| meaning(answer.status)) {
        detail.push_str(&format!(": {hint}"));
    }
    // Who is not let in now will not be later. Everything else may be an application that is still starting.
    let settled = answer.status < 500 && answer.status != 429;
    CheckResult::new("", Err(detail)).healing(!matches!(answer.status, 401 | 403)).settling(settled)
}

fn redirects_to_itself(seen: &Seen, target: &Target) -> Option<&'static str> {
    let answer = seen.answer.as_ref().ok().filter(|answer| (300..400).contains(&answer.status))?;
    let from = Url::parse(&seen.url).ok()?;
    let to = from.join(answer.header("location")?).ok()?;
    let loops = to.scheme() == target.scheme.name() && to.host() == from.host() && to.path() == from.path();
    loops.then_some(
        "it redirects to itself; a proxy in front speaks plain HTTP to it (at Cloudflare: set the zone's SSL mode to Full)",
    )
}

/// What a status says about the way to the application.
fn meaning(status: u16) -> Option<&'static str> {
    Some(match status {
        401 | 403 => "the token or the address of the client is not accepted",
        404 => "no route matches, Traefik knows no pod that is ready, or the application does not know the path",
        429 => "too many requests",
        502 | 504 => "the ingress controller does not reach the application",
        503 => "the application has no pod that is ready",
        521 => "Cloudflare's connection to the origin is refused",
        522 | 524 => "Cloudflare does not get an answer from the origin",
        523 => "Cloudflare finds no way to the origin",
        525 => "Cloudflare's TLS handshake with the origin fails",
        526 => "Cloudflare does not trust the certificate of the origin",
        530 => "Cloudflare cannot resolve the origin's name",
        _ => return None,
    })
}
