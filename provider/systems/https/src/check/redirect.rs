//! The redirect from plain HTTP.

use url::Url;

use super::{CheckResult, NOT_SEEN};
use crate::failure::Failure;
use crate::look::Seen;
use crate::target::Target;

/// 301 or 308 to HTTPS on the same host.
pub(super) fn check(https: &Target, http: Option<&Result<Seen, Failure>>) -> CheckResult {
    match http {
        None => CheckResult::new("redirect", Err(NOT_SEEN.to_owned())),
        Some(Err(failure)) => {
            CheckResult::new("redirect", Err(format!("plain HTTP: {failure}"))).healing(failure.can_heal())
        }
        Some(Ok(seen)) => CheckResult::new("redirect", compare(https, seen)).settling(seen.answer.is_ok()),
    }
}

fn compare(https: &Target, seen: &Seen) -> Result<String, String> {
    let answer = seen.answer.as_ref().map_err(ToString::to_string)?;
    let status = answer.status;
    if !(300..400).contains(&status) {
        return Err(format!("plain HTTP answered {status} and does not redirect to HTTPS"));
    }
    let location =
        answer.header("location").ok_or_else(|| format!("plain HTTP answered {status} without a Location"))?;
    let to = Url::parse(&seen.url).and_then(|from| from.join(location));
    let Ok(mut to) = to else { return Err(format!("plain HTTP answered {status} with a Location that is no URL")) };
    // A query may carry what is nobody's business.
    to.set_query(None);
    let wrong = |why: &str| Err(format!("plain HTTP answered {status} to {to}: {why}"));
    let host = https.host.trim_start_matches('[').trim_end_matches(']');
    let bare = to.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    if to.scheme() != "https" {
        return wrong("expected HTTPS");
    }
    if !bare.eq_ignore_ascii_case(host) {
        return wrong(&format!("expected the same host, {host}"));
    }
    if ![443, https.port].contains(&to.port_or_known_default().unwrap_or(443)) {
        return wrong(&format!("expected port {}", https.port));
    }
    if !matches!(status, 301 | 308) {
        return wrong("expected the permanent 301 or 308");
    }
    Ok(format!("{status} to {to}"))
}
