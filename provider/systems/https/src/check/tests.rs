#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::testing::{Certified, HOST, Page, Server, Wanted, days};
use crate::{Bearer, Direct, Expected, ExpectedHeaders, ExtraCheck, Failure, facts_of_pem, observe};

struct Site {
    root: Certified,
    leaf: Certified,
    https: Server,
    http: Server,
}

async fn site(leaf: Wanted, https: Page, http: Page) -> Site {
    let root = Wanted::ca("Root").self_signed();
    let leaf = leaf.signed_by(&root);
    Site { https: Server::https(&[&leaf], https).await, http: Server::http(http).await, root, leaf }
}

impl Site {
    async fn check(&self, expected: &Expected) -> Vec<CheckResult> {
        let https = self.https.target().roots(self.root.roots()).path("/health");
        let http = self.http.plain().path("/health");
        let observed = observe((&https, &Direct), Some((&http, &Direct)), expected).await;
        check(expected, &https, &observed, Timestamp::now())
    }
}

fn good() -> Page {
    Page::new(
        200,
        &[
            ("strict-transport-security", "max-age=31536000; includeSubDomains"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", "default-src 'self'"),
            ("x-content-type-options", "nosniff"),
        ],
    )
}

fn moved() -> Page {
    Page::new(308, &[("location", "https://ffe.example.com/health?secret=1")])
}

fn everything() -> Expected {
    Expected {
        trusted: true,
        names: vec![HOST.to_owned()],
        issuer: Some("Three Rivers".to_owned()),
        serial: Some("0A:BC:12".to_owned()),
        fingerprint_sha256: None,
        min_remaining: Some(Duration::from_secs(7 * 86_400)),
        status: Some(200),
        answers: false,
        redirect: true,
        headers: ExpectedHeaders {
            hsts_max_age: Some(31_536_000),
            hsts_subdomains: true,
            frame_options: Some("DENY".to_owned()),
            content_security_policy: Some("default-src 'self'".to_owned()),
            content_type_nosniff: true,
        },
        extra: vec![ExtraCheck { path: "/api?x=y".to_owned(), bearer: Bearer::new("s3cret").ok(), status: Some(200) }],
    }
}

fn result(results: &[CheckResult], name: &str) -> CheckResult {
    results.iter().find(|result| result.name == name).unwrap().clone()
}

#[tokio::test]
async fn all_is_well() {
    let site = site(Wanted::server(), good(), moved()).await;
    let results = site.check(&everything()).await;
    assert!(CheckResult::all_passed(&results), "{results:#?}");
    let names: Vec<_> = results.iter().map(|result| result.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "reachable",
            "chain",
            "names",
            "issuer",
            "certificate",
            "remaining life",
            "status",
            "header Strict-Transport-Security",
            "header X-Frame-Options",
            "header Content-Security-Policy",
            "header X-Content-Type-Options",
            "redirect",
            "check /api",
        ]
    );
    assert_eq!(result(&results, "redirect").detail, "308 to https://ffe.example.com/health");
    assert_eq!((CheckResult::explain(&results).as_str(), CheckResult::worth_waiting(&results)), ("", false));
    assert_eq!(site.https.requests()[1].headers()["authorization"], "Bearer s3cret");
    assert_eq!(serde_json::to_value(&results[0]).unwrap()["passed"], true);
}

#[tokio::test]
async fn nothing_is_well() {
    let leaf = Wanted { from: days(-90), until: days(-1), names: vec!["other.example.com"], ..Wanted::server() };
    let site = site(leaf, Page::new(503, &[]), Page::new(200, &[])).await;
    let expected = Expected { issuer: Some("Let's Encrypt".to_owned()), serial: Some("ff".to_owned()), ..everything() };
    let results = site.check(&expected).await;
    let failed: Vec<_> = results.iter().filter(|result| !result.passed).collect();
    assert_eq!(failed.len(), results.len() - 1, "{results:#?}");
    let detail = |name| result(&results, name).detail;
    assert!(detail("chain").contains("expired on ") && detail("chain").contains("; it is not for"), "{results:#?}");
    assert_eq!(detail("names"), "it is not for ffe.example.com, but for other.example.com");
    assert_eq!(detail("issuer"), "issued by \"O=Three Rivers, CN=Root\", expected \"Let's Encrypt\"");
    assert_eq!(
        detail("certificate"),
        "another certificate is served, for other.example.com, issued by \"O=Three Rivers, CN=Root\": its serial number is \
         0abc12, expected ff"
    );
    assert!(detail("remaining life").starts_with("it expired on "));
    assert_eq!(detail("status"), "answered 503, expected 200: the application has no pod that is ready");
    assert_eq!(detail("header X-Frame-Options"), "the header is missing");
    assert_eq!(detail("redirect"), "plain HTTP answered 200 and does not redirect to HTTPS");
    assert_eq!(detail("check /api"), Failure::Withheld.to_string());
    assert!(CheckResult::worth_waiting(&results), "another certificate may come yet");
    assert!(!CheckResult::explain(&results).contains("reachable"));
}

#[tokio::test]
async fn a_certificate_that_is_the_expected_one_does_not_become_trusted_by_waiting() {
    let site = site(Wanted::server(), good(), moved()).await;
    let other = Wanted::ca("Other").self_signed();
    let fingerprint = facts_of_pem(site.leaf.pem.as_bytes()).unwrap().remove(0).fingerprint_sha256;
    let target = site.https.target().roots(other.roots());
    for (fingerprint, can_heal) in [(Some(fingerprint), false), (Some("00".repeat(32)), true), (None, true)] {
        let expected = Expected { trusted: true, fingerprint_sha256: fingerprint, ..Expected::default() };
        let observed = observe((&target, &Direct), None, &expected).await;
        let results = check(&expected, &target, &observed, Timestamp::now());
        assert_eq!(result(&results, "chain").can_heal, can_heal, "{results:#?}");
        assert_eq!(CheckResult::worth_waiting(&results), can_heal);
    }
}

#[tokio::test]
async fn what_was_not_reached_is_said_once() {
    let target = Target::https(HOST).roots(Wanted::ca("Root").self_signed().roots());
    let way = crate::through("nowhere", || async { Err::<tokio::net::TcpStream, _>("closed") });
    let expected = everything();
    let observed = observe((&target, &way), Some((&target, &way)), &expected).await;
    let results = check(&expected, &target, &observed, Timestamp::now());
    assert_eq!(results.len(), 13);
    assert_eq!(CheckResult::explain(&results), "reachable: no connection to nowhere: closed");
    assert!(CheckResult::worth_waiting(&results) && results[1..].iter().all(CheckResult::follows), "{results:#?}");
}

#[tokio::test]
async fn the_remaining_life_is_compared_and_told() {
    let site = site(Wanted { until: days(5), ..Wanted::server() }, good(), moved()).await;
    let week = Expected { min_remaining: Some(Duration::from_secs(7 * 86_400)), ..Expected::default() };
    let results = site.check(&week).await;
    let detail = &results[1].detail;
    assert!(detail.starts_with("it expires on ") && detail.ends_with("expected at least 7 days"), "{detail}");
    assert!(!results[1].passed && results[1].can_heal);
}

#[tokio::test]
async fn a_redirect_is_permanent_to_https_and_to_the_same_host() {
    for (status, location, told) in [
        (301, "https://ffe.example.com/health", None),
        (308, "https://FFE.example.com:443/", None),
        (
            302,
            "https://ffe.example.com/",
            Some("plain HTTP answered 302 to https://ffe.example.com/: expected the permanent 301 or 308"),
        ),
        (301, "/health", Some("plain HTTP answered 301 to http://ffe.example.com/health: expected HTTPS")),
        (
            301,
            "https://www.example.com/",
            Some("plain HTTP answered 301 to https://www.example.com/: expected the same host, ffe.example.com"),
        ),
        (
            301,
            "https://ffe.example.com:8443/",
            Some("plain HTTP answered 301 to https://ffe.example.com:8443/: expected port 443"),
        ),
        (301, "https://", Some("plain HTTP answered 301 with a Location that is no URL")),
        (404, "", Some("plain HTTP answered 404 and does not redirect to HTTPS")),
    ] {
        let site = site(Wanted::server(), good(), Page::new(status, &[("location", location)])).await;
        let redirect = site.check(&Expected { redirect: true, ..Expected::default() }).await.remove(1);
        assert_eq!(redirect.passed, told.is_none(), "{redirect:?}");
        if let Some(told) = told {
            assert_eq!(redirect.detail, told);
        }
    }
    let site = site(Wanted::server(), good(), Page::new(301, &[])).await;
    let redirect = site.check(&Expected { redirect: true, ..Expected::default() }).await.remove(1);
    assert_eq!(redirect.detail, "plain HTTP answered 301 without a Location");
}

#[tokio::test]
async fn a_status_is_told_with_what_it_means() {
    for (status, meaning, can_heal) in [
        (401, "the token or the address of the client is not accepted", false),
        (403, "the token or the address of the client is not accepted", false),
        (404, "no route matches, Traefik knows no pod that is ready, or the application does not know the path", true),
        (502, "the ingress controller does not reach the application", true),
        (526, "Cloudflare does not trust the certificate of the origin", true),
    ] {
        let site = site(Wanted::server(), Page::new(status, &[]), moved()).await;
        let found = site.check(&Expected { status: Some(200), ..Expected::default() }).await.remove(1);
        assert_eq!(found.detail, format!("answered {status}, expected 200: {meaning}"));
        assert_eq!((found.passed, found.can_heal), (false, can_heal), "{status}");
    }
    let looping = Page::new(301, &[("location", "https://ffe.example.com/health")]);
    let site = site(Wanted::server(), looping, moved()).await;
    let found = site.check(&Expected { status: Some(200), ..Expected::default() }).await.remove(1);
    assert!(found.detail.contains("it redirects to itself") && found.detail.contains("SSL mode"), "{found:?}");
}

#[tokio::test]
async fn any_answer_of_the_application_may_be_enough() {
    let answers = Expected { answers: true, ..Expected::default() };
    for (status, passed) in [
        (200, true),
        (204, true),
        (302, true),
        (400, true),
        (401, true),
        (405, true),
        (404, false),
        (429, false),
        (503, false),
    ] {
        let site = site(Wanted::server(), Page::new(status, &[]), moved()).await;
        let found = site.check(&answers).await.remove(1);
        assert_eq!((found.name.as_str(), found.passed), ("status", passed), "{found:?}");
        assert!(passed || found.detail.contains("expected an answer of the application"), "{found:?}");
    }
    let site = site(Wanted::server(), Page::new(302, &[]), moved()).await;
    let exact = Expected { status: Some(200), ..answers };
    assert!(!site.check(&exact).await.remove(1).passed, "a status that is named is the one");
}

#[tokio::test]
async fn what_somebody_answers_is_settled_and_what_is_still_starting_is_not() {
    let expected = |status| Expected { fingerprint_sha256: None, serial: None, status: Some(status), ..everything() };
    for (page, settled) in [
        (good(), true),
        (Page::new(200, &[]), true),
        (Page::new(404, &[]), true),
        (Page::new(503, &[]), false),
        (Page::new(429, &[]), false),
    ] {
        let status = page.status;
        let site = site(Wanted::server(), page, moved()).await;
        let results = site.check(&expected(418)).await;
        assert!(
            !result(&results, "status").passed && CheckResult::is_settled(&results) == settled,
            "{status}: {results:#?}"
        );
    }
    let site = site(Wanted::server(), good(), moved()).await;
    let other = Expected { fingerprint_sha256: Some("00".repeat(32)), ..Expected::default() };
    let results = site.check(&other).await;
    assert!(
        CheckResult::worth_waiting(&results) && CheckResult::is_settled(&results),
        "a certificate of somebody else"
    );
    assert!(!CheckResult::is_settled(&site.check(&Expected::default()).await), "all is well");
    assert!(!CheckResult::is_settled(&[CheckResult::unreachable("closed", true)]));
}

#[tokio::test]
async fn a_controllers_default_certificate_is_called_so() {
    let leaf = Wanted { cn: "TRAEFIK DEFAULT CERT", names: vec!["a.b.traefik.default"], ..Wanted::server() };
    let site = site(leaf, good(), moved()).await;
    let expected = Expected { fingerprint_sha256: Some("00".repeat(32)), ..Expected::default() };
    let found = site.check(&expected).await.remove(1);
    assert!(
        found.detail.starts_with("another certificate is served, Traefik's default certificate (the controller"),
        "{found:?}"
    );
}
