//! Expected and observed, compared. Pure.

mod redirect;
mod status;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use self::status::Wanted;
use crate::expected::Expected;
use crate::facts::{CertificateFacts, list};
use crate::header;
use crate::look::{Seen, Tls};
use crate::observe::Observed;
use crate::target::Target;
use crate::trust::{Distrust, words};

/// What stands in the place of a finding where nothing was seen.
const NOT_SEEN: &str = "not seen";

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// What was checked: `reachable`, `chain`, `names`, `issuer`, `certificate`, `remaining life`, `status`,
    /// `header <name>`, `redirect` or `check <path>`.
    pub name: String,
    /// Whether it is as expected.
    pub passed: bool,
    /// What was found, in words; no secret.
    pub detail: String,
    /// Where it did not pass: whether waiting may help.
    pub can_heal: bool,
    /// Where it did not pass: it is what somebody answers who is at work, and no sign of something that is still starting.
    /// A controller takes up what it is told within seconds, so what stays so for a while stays so for good.
    pub settled: bool,
}

impl CheckResult {
    fn new(name: impl Into<String>, finding: Result<String, String>) -> CheckResult {
        let passed = finding.is_ok();
        let detail = finding.unwrap_or_else(|wrong| wrong);
        CheckResult { name: name.into(), passed, detail, can_heal: !passed, settled: false }
    }

    fn healing(self, can_heal: bool) -> CheckResult {
        CheckResult { can_heal: !self.passed && can_heal, ..self }
    }

    fn settling(self, settled: bool) -> CheckResult {
        CheckResult { settled: !self.passed && settled, ..self }
    }

    /// It was not looked at all: why, and whether waiting may help.
    #[must_use]
    pub fn unreachable(why: impl Into<String>, can_heal: bool) -> CheckResult {
        CheckResult::new("reachable", Err(why.into())).healing(can_heal)
    }

    /// Whether it did not pass for the only reason that another check did not.
    #[must_use]
    pub fn follows(&self) -> bool {
        !self.passed && self.detail == NOT_SEEN
    }

    /// Whether all of these passed.
    #[must_use]
    pub fn all_passed(results: &[CheckResult]) -> bool {
        results.iter().all(|result| result.passed)
    }

    /// Whether waiting may help: each that did not pass can heal. False where all passed.
    #[must_use]
    pub fn worth_waiting(results: &[CheckResult]) -> bool {
        let mut failed = results.iter().filter(|result| !result.passed).peekable();
        failed.peek().is_some() && failed.all(|result| result.can_heal)
    }

    /// Whether what did not pass is settled, all of it: see [`CheckResult::settled`]. False where all passed.
    #[must_use]
    pub fn is_settled(results: &[CheckResult]) -> bool {
        let mut failed = results.iter().filter(|result| !result.passed && !result.follows()).peekable();
        failed.peek().is_some() && failed.all(|result| result.settled)
    }

    /// One line for each that did not pass and does not merely follow from another; empty where all passed.
    #[must_use]
    pub fn explain(results: &[CheckResult]) -> String {
        let failed = results.iter().filter(|result| !result.passed && !result.follows());
        failed.map(|result| format!("{}: {}", result.name, result.detail)).collect::<Vec<_>>().join("\n")
    }
}

/// Compares what was seen of a target with what is expected of it: one result for each thing that is expected, in the
/// order of [`CheckResult::name`], and `reachable` in front. `now` is the time at which the certificate's remaining
/// life is counted.
#[must_use]
pub fn check(expected: &Expected, target: &Target, observed: &Observed, now: Timestamp) -> Vec<CheckResult> {
    let seen = observed.https.as_ref().ok();
    let mut results = vec![match &observed.https {
        Ok(seen) => CheckResult::new("reachable", Ok(format!("{} took the connection", seen.peer))),
        Err(failure) => CheckResult::new("reachable", Err(failure.to_string())).healing(failure.can_heal()),
    }];
    results.extend(certificate(expected, seen.and_then(|seen| seen.tls.as_ref()), now));
    let wanted = expected.status.map(Wanted::Exactly).or(expected.answers.then_some(Wanted::Answer));
    if let Some(wanted) = wanted {
        results.push(answered("status", seen, |seen| status::compare(wanted, seen, target)));
    }
    results.extend(headers(expected, seen));
    if expected.redirect {
        results.push(redirect::check(target, observed.http.as_ref()));
    }
    for (index, extra) in expected.extra.iter().enumerate() {
        let name = format!("check {}", extra.path.split('?').next().unwrap_or_default());
        let wanted = extra.status.map_or(Wanted::Answer, Wanted::Exactly);
        results.push(match observed.extra.get(index) {
            Some(Ok(seen)) => answered(&name, Some(seen), |seen| status::compare(wanted, seen, target)),
            Some(Err(failure)) => CheckResult::new(name, Err(failure.to_string())).healing(failure.can_heal()),
            None => CheckResult::new(name, Err(NOT_SEEN.to_owned())),
        });
    }
    results
}

/// A check of an answer, or why there is none.
fn answered(name: &str, seen: Option<&Seen>, compare: impl FnOnce(&Seen) -> CheckResult) -> CheckResult {
    match seen.map(|seen| (seen, &seen.answer)) {
        Some((seen, Ok(_))) => CheckResult { name: name.to_owned(), ..compare(seen) },
        Some((_, Err(failure))) => CheckResult::new(name, Err(failure.to_string())).healing(failure.can_heal()),
        None => CheckResult::new(name, Err(NOT_SEEN.to_owned())),
    }
}

fn headers(expected: &Expected, seen: Option<&Seen>) -> Vec<CheckResult> {
    let named = |name: &str| format!("header {name}");
    match seen.and_then(|seen| seen.answer.as_ref().ok()) {
        Some(answer) => header::findings(&expected.headers, answer)
            .into_iter()
            .map(|(name, finding)| CheckResult::new(named(name), finding).settling(true))
            .collect(),
        None => header::wanted(&expected.headers)
            .into_iter()
            .map(|name| CheckResult::new(named(name), Err(NOT_SEEN.to_owned())))
            .collect(),
    }
}

fn certificate(expected: &Expected, tls: Option<&Tls>, now: Timestamp) -> Vec<CheckResult> {
    let leaf = tls.and_then(Tls::leaf);
    // What is served already will not be replaced by itself.
    let is_the_one = leaf.is_some_and(|leaf| {
        expected.fingerprint_sha256.as_deref().is_some_and(|wanted| same(wanted, &leaf.fingerprint_sha256))
    });
    let of = |name: &str, finding: &dyn Fn(&CertificateFacts) -> Result<String, String>| {
        CheckResult::new(name, leaf.map_or_else(|| Err(NOT_SEEN.to_owned()), finding)).settling(leaf.is_some())
    };
    let mut results = Vec::new();
    if expected.trusted {
        results.push(chain(tls, is_the_one));
    }
    if !expected.names.is_empty() {
        results.push(of("names", &|leaf| names(&expected.names, leaf)).healing(!is_the_one));
    }
    if let Some(issuer) = &expected.issuer {
        results.push(of("issuer", &|leaf| self::issuer(issuer, leaf)).healing(!is_the_one));
    }
    if expected.serial.is_some() || expected.fingerprint_sha256.is_some() {
        results.push(of("certificate", &|leaf| identity(expected, leaf)));
    }
    if let Some(least) = expected.min_remaining {
        let least = SignedDuration::try_from(least).unwrap_or(SignedDuration::MAX);
        results.push(of("remaining life", &|leaf| remaining(least, leaf, now)));
    }
    results
}

fn chain(tls: Option<&Tls>, is_the_one: bool) -> CheckResult {
    let Some(tls) = tls else { return CheckResult::new("chain", Err(NOT_SEEN.to_owned())) };
    if tls.trusted() {
        let issuer = tls.leaf().map(|leaf| leaf.issuer.as_str()).unwrap_or_default();
        return CheckResult::new("chain", Ok(format!("trusted, issued by \"{issuer}\"")));
    }
    let reasons = tls.distrust.iter().map(Distrust::to_string).collect::<Vec<_>>().join("; ");
    let waits = tls.distrust.iter().all(|reason| matches!(reason, Distrust::NotYetValid { .. }));
    CheckResult::new("chain", Err(format!("not trusted: {reasons}"))).healing(!is_the_one || waits).settling(!waits)
}

fn names(expected: &[String], leaf: &CertificateFacts) -> Result<String, String> {
    let missing: Vec<String> = expected.iter().filter(|name| !leaf.covers(name)).cloned().collect();
    if missing.is_empty() {
        Ok(format!("it is for {}", list(&leaf.sans)))
    } else {
        Err(format!("it is not for {}, but for {}", list(&missing), list(&leaf.sans)))
    }
}

fn issuer(expected: &str, leaf: &CertificateFacts) -> Result<String, String> {
    if leaf.issued_by(expected) {
        Ok(format!("issued by \"{}\"", leaf.issuer))
    } else {
        Err(format!("issued by \"{}\", expected \"{expected}\"", leaf.issuer))
    }
}

fn same(left: &str, right: &str) -> bool {
    let plain = |text: &str| text.replace([':', ' '], "").to_ascii_lowercase();
    plain(left) == plain(right)
}

fn identity(expected: &Expected, leaf: &CertificateFacts) -> Result<String, String> {
    let pairs = [
        ("serial number", expected.serial.as_deref(), &leaf.serial),
        ("SHA-256", expected.fingerprint_sha256.as_deref(), &leaf.fingerprint_sha256),
    ];
    for (what, wanted, found) in pairs {
        if let Some(wanted) = wanted.filter(|wanted| !same(wanted, found)) {
            return Err(format!(
                "another certificate is served, {}: its {what} is {found}, expected {wanted}",
                other(leaf)
            ));
        }
    }
    Ok(format!("the expected one, serial number {}", leaf.serial))
}

/// A certificate that somebody else serves, so that its place can be found.
fn other(leaf: &CertificateFacts) -> String {
    leaf.controller_default().map_or_else(
        || format!("for {}, issued by \"{}\"", list(&leaf.sans), leaf.issuer),
        |name| format!("{name} (the controller has none for this host, or does not read the Secret)"),
    )
}

fn remaining(least: SignedDuration, leaf: &CertificateFacts, now: Timestamp) -> Result<String, String> {
    let left = leaf.remaining(now);
    if left.is_negative() {
        Err(format!("it expired on {} ({} ago)", leaf.not_after, words(left.abs())))
    } else if left < least {
        Err(format!("it expires on {} (in {}), expected at least {}", leaf.not_after, words(left), words(least)))
    } else {
        Ok(format!("it expires on {}", leaf.not_after))
    }
}

#[cfg(test)]
mod tests;
