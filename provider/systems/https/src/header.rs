//! Security headers: expected and found.

use crate::answer::Answer;
use crate::expected::ExpectedHeaders;

/// The names of the headers that there are checks for, as they are written.
pub(crate) const HSTS: &str = "Strict-Transport-Security";
pub(crate) const FRAME: &str = "X-Frame-Options";
pub(crate) const POLICY: &str = "Content-Security-Policy";
pub(crate) const SNIFF: &str = "X-Content-Type-Options";

/// A header, and what is found of it; `Err` says what is wrong.
pub(crate) type Finding = (&'static str, Result<String, String>);

/// The headers that something is expected of.
pub(crate) fn wanted(expected: &ExpectedHeaders) -> Vec<&'static str> {
    let all = [
        (HSTS, expected.hsts_max_age.is_some() || expected.hsts_subdomains),
        (FRAME, expected.frame_options.is_some()),
        (POLICY, expected.content_security_policy.is_some()),
        (SNIFF, expected.content_type_nosniff),
    ];
    all.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect()
}

/// Compares the headers of an answer with what is expected.
pub(crate) fn findings(expected: &ExpectedHeaders, answer: &Answer) -> Vec<Finding> {
    wanted(expected)
        .into_iter()
        .map(|name| {
            let values = answer.headers_of(name);
            let finding = match (name, values.as_slice()) {
                (_, []) => Err("the header is missing".to_owned()),
                // RFC 6797: of several, the first counts.
                (HSTS, [first, ..]) => hsts(expected, first),
                (FRAME, all) => every(all, expected.frame_options.as_deref().unwrap_or_default()),
                // All policies are enforced together: another one besides takes nothing away.
                (POLICY, all) => any(all, expected.content_security_policy.as_deref().unwrap_or_default()),
                (_, all) => every(all, "nosniff"),
            };
            (name, finding)
        })
        .collect()
}

fn hsts(expected: &ExpectedHeaders, value: &str) -> Result<String, String> {
    let mut max_age = None;
    let mut subdomains = false;
    for directive in value.split(';').map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "max-age" => max_age = value.trim().trim_matches('"').parse::<u64>().ok(),
            "includesubdomains" => subdomains = true,
            _ => {}
        }
    }
    let Some(max_age) = max_age else { return Err(format!("it is \"{value}\", without a max-age that can be read")) };
    if let Some(least) = expected.hsts_max_age.filter(|least| max_age < *least) {
        return Err(format!("its max-age is {max_age} seconds, expected at least {least}"));
    }
    if expected.hsts_subdomains && !subdomains {
        return Err(format!("it is \"{value}\", without includeSubDomains"));
    }
    Ok(value.to_owned())
}

fn normal(value: &str) -> String {
    let parts = value.split(';').map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

fn shown(values: &[&str]) -> String {
    values.iter().map(|value| format!("\"{value}\"")).collect::<Vec<_>>().join(" and ")
}

/// Browsers do as they like with values that contradict each other.
fn every(values: &[&str], expected: &str) -> Result<String, String> {
    if values.iter().all(|value| value.trim().eq_ignore_ascii_case(expected.trim())) {
        Ok(expected.to_owned())
    } else {
        Err(format!("it is {}, expected \"{expected}\"", shown(values)))
    }
}

fn any(values: &[&str], expected: &str) -> Result<String, String> {
    if values.iter().any(|value| normal(value) == normal(expected)) {
        Ok(shown(values))
    } else {
        Err(format!("it is {}, expected \"{expected}\"", shown(values)))
    }
}

#[cfg(test)]
mod tests;
