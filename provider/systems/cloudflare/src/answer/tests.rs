#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};

use super::*;

fn judged(status: u16, body: &Value) -> Result<Answer<Value>, Error> {
    let asked = Asked { operation: "create the record of ffe.example.com", host: "api.example.com" };
    judge(asked, status, None, body.to_string().as_bytes(), str::to_owned)
}

fn refused(status: u16, code: u32, message: &str) -> Error {
    judged(status, &json!({ "success": false, "errors": [{ "code": code, "message": message }], "result": null }))
        .unwrap_err()
}

#[test]
fn every_code_has_its_reason_text_and_remedy() {
    for (status, code, message, reason, remedy) in [
        (403, 10_000, "Authentication error", Reason::Authentication, "Zone / DNS / Edit"),
        (403, 9109, "Invalid access token", Reason::Authentication, "CLOUDFLARE_API_TOKEN"),
        (400, 6003, "Invalid request headers", Reason::Authentication, "CLOUDFLARE_API_TOKEN"),
        (401, 1000, "Invalid API Token", Reason::Authentication, "CLOUDFLARE_API_TOKEN"),
        (
            400,
            81_053,
            "An A, AAAA, or CNAME record with that host already exists.",
            Reason::Duplicate,
            "a CNAME stands alone",
        ),
        (400, 81_054, "A CNAME record with that host already exists.", Reason::Duplicate, "a CNAME stands alone"),
        (400, 81_057, "The record already exists.", Reason::Duplicate, "dns.adopt = true"),
        (400, 81_058, "An identical record already exists.", Reason::Duplicate, "dns.adopt = true"),
        (
            404,
            7003,
            "Could not route to /zones/abc, perhaps your object identifier is invalid?",
            Reason::UnknownZone,
            "dns.zone",
        ),
        (404, 81_044, "Record does not exist.", Reason::UnknownRecord, "made anew"),
        (400, 1004, "DNS Validation Error", Reason::Validation, "dns.target"),
        (400, 9005, "Content for A record must be a valid IPv4 address.", Reason::Validation, "dns.target"),
    ] {
        let error = refused(status, code, message);
        assert_eq!((error.reason(), error.code()), (Some(reason), Some(code)));
        let words = message.trim_end_matches('.');
        assert_eq!(
            error.to_string(),
            format!("Cloudflare refused to create the record of ffe.example.com: {words} (code {code})")
        );
        assert!(error.remedy().unwrap().contains(remedy), "{code}: {:?}", error.remedy());
        assert!(!error.is_transient(), "{code}");
    }
    let other = refused(400, 123_456, "Something new.");
    assert_eq!((other.reason(), other.code(), other.remedy()), (Some(Reason::Other), Some(123_456), None));
    assert!(other.to_string().ends_with("Something new (code 123456)"));
}

#[test]
fn the_cause_within_a_chain_is_told() {
    let error = judged(
        400,
        &json!({ "success": false, "errors": [{ "code": 1004, "message": "DNS Validation Error",
            "error_chain": [{ "code": 9021, "message": "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for automatic." }] }] }),
    )
    .unwrap_err();
    assert_eq!((error.reason(), error.code()), (Some(Reason::Validation), Some(1004)));
    assert!(error.to_string().contains(
        "DNS Validation Error (code 1004): Invalid TTL. Must be between 60 and 86400 seconds, or 1 for automatic (code 9021)"
    ));
}

#[test]
fn too_many_requests_say_how_long_to_wait() {
    let asked = Asked { operation: "list the records of a.example.com", host: "h" };
    let limited = |header: Option<&str>| judge::<Value>(asked, 429, header, b"{}", str::to_owned).unwrap_err();
    let error = limited(Some(" 120 "));
    assert_eq!(
        error.to_string(),
        "Cloudflare does not list the records of a.example.com now: too many requests; it asks to wait 120 seconds"
    );
    assert!(error.is_transient() && error.remedy().unwrap().contains("1200 requests in five minutes"));
    for (header, wait) in [
        (None, None),
        (Some("soon"), None),
        (Some("-1"), None),
        (Some("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO)),
    ] {
        assert_eq!(limited(header), Error::RateLimited { operation: asked.operation.to_owned(), wait });
    }
}

#[test]
fn trouble_passes_whatever_comes_with_it() {
    for status in [500, 502, 503, 504, 520, 522, 524] {
        let asked = Asked { operation: "find the zone", host: "h" };
        let error = judge::<Value>(asked, status, None, b"<html>", str::to_owned).unwrap_err();
        assert_eq!(error.to_string(), format!("Cloudflare failed to find the zone: status {status}"));
        assert!(error.is_transient() && error.remedy().unwrap().contains("cloudflarestatus"));
    }
}

#[test]
fn answers_that_are_not_cloudflares_are_told_as_such() {
    for (status, body) in [(200, json!({ "hello": 1 })), (302, json!("")), (404, json!([])), (200, json!(null))] {
        let error = judged(status, &body).unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
        assert!(error.to_string().starts_with("api.example.com gave an answer"), "{error}");
        assert!(error.remedy().unwrap().contains("cloudflare.base_url") && !error.is_transient());
    }
    let error = judged(403, &json!("blocked")).unwrap_err();
    assert_eq!((error.reason(), error.code()), (Some(Reason::Authentication), None));
    assert!(error.to_string().ends_with(": status 403"));
}

#[test]
fn a_result_comes_with_its_page() {
    let body = json!({ "success": true, "errors": [], "messages": [], "result": [1],
        "result_info": { "page": 2, "per_page": 1, "count": 1, "total_count": 3, "total_pages": 3 } });
    let answer = judged(200, &body).unwrap();
    assert_eq!((answer.result, answer.paging), (json!([1]), Some(Paging { page: 2, total_pages: Some(3) })));
}

#[test]
fn cloudflares_words_are_cleaned_and_cut() {
    let body = json!({ "errors": [{ "code": 1, "message": format!("s3cret\n\u{1b}[31m {}", "x".repeat(1000)) }] });
    let asked = Asked { operation: "try", host: "h" };
    let clean = |text: &str| text.replace("s3cret", "(redacted)");
    let error = judge::<Value>(asked, 400, None, body.to_string().as_bytes(), clean).unwrap_err().to_string();
    assert!(error.contains("(redacted) [31m xxx") && error.ends_with('…') && error.len() < 500, "{error}");
}
