#![allow(clippy::unwrap_used)]

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;

fn answer(headers: &[(&str, &str)]) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    Answer { status: 200, headers: map, body: vec![], truncated: false }
}

fn all() -> ExpectedHeaders {
    ExpectedHeaders {
        hsts_max_age: Some(31_536_000),
        hsts_subdomains: true,
        frame_options: Some("DENY".to_owned()),
        content_security_policy: Some("default-src 'self'; img-src *".to_owned()),
        content_type_nosniff: true,
    }
}

fn finding(expected: &ExpectedHeaders, headers: &[(&str, &str)]) -> Result<String, String> {
    let mut found = findings(expected, &answer(headers));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0).1
}

#[test]
fn all_headers_as_they_should_be() {
    let found = findings(
        &all(),
        &answer(&[
            ("strict-transport-security", "Max-Age=\"63072000\" ; IncludeSubDomains; preload"),
            ("x-frame-options", "deny"),
            ("content-security-policy", "default-src  'self' ;img-src *;"),
            ("x-content-type-options", "nosniff"),
        ]),
    );
    assert!(found.iter().all(|(_, finding)| finding.is_ok()), "{found:?}");
    assert_eq!(found.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [HSTS, FRAME, POLICY, SNIFF]);
}

#[test]
fn what_is_missing_is_missing_and_what_is_not_expected_is_not_looked_at() {
    let found = findings(&all(), &answer(&[]));
    assert!(found.iter().all(|(_, finding)| *finding == Err("the header is missing".to_owned())), "{found:?}");
    assert!(findings(&ExpectedHeaders::default(), &answer(&[])).is_empty());
}

#[test]
fn a_short_or_unreadable_hsts_is_told() {
    let expected = ExpectedHeaders { hsts_max_age: Some(31_536_000), hsts_subdomains: true, ..Default::default() };
    for (value, told) in [
        ("max-age=300; includeSubDomains", "its max-age is 300 seconds, expected at least 31536000"),
        ("max-age=31536000", "it is \"max-age=31536000\", without includeSubDomains"),
        ("includeSubDomains", "it is \"includeSubDomains\", without a max-age that can be read"),
        ("max-age=-1", "it is \"max-age=-1\", without a max-age that can be read"),
    ] {
        assert_eq!(finding(&expected, &[("strict-transport-security", value)]), Err(told.to_owned()));
    }
    // The first of several counts.
    let twice = [("strict-transport-security", "max-age=0"), ("strict-transport-security", "max-age=63072000")];
    let expected = ExpectedHeaders { hsts_max_age: Some(1), ..Default::default() };
    assert_eq!(finding(&expected, &twice), Err("its max-age is 0 seconds, expected at least 1".to_owned()));
}

#[test]
fn other_values_are_told_with_the_expected_one() {
    let frame = ExpectedHeaders { frame_options: Some("DENY".to_owned()), ..Default::default() };
    let told = finding(&frame, &[("x-frame-options", "DENY"), ("x-frame-options", "SAMEORIGIN")]);
    assert_eq!(told, Err("it is \"DENY\" and \"SAMEORIGIN\", expected \"DENY\"".to_owned()));
    let sniff = ExpectedHeaders { content_type_nosniff: true, ..Default::default() };
    assert!(finding(&sniff, &[("x-content-type-options", "sniff")]).is_err());
    let policy =
        ExpectedHeaders { content_security_policy: Some("default-src 'self'".to_owned()), ..Default::default() };
    assert!(finding(&policy, &[("content-security-policy", "default-src *")]).is_err());
    // The application may have one of its own besides.
    let both = [("content-security-policy", "default-src *"), ("content-security-policy", "default-src 'self'")];
    assert!(finding(&policy, &both).is_ok());
}
