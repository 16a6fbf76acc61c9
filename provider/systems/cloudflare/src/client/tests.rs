#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::standin::{Fault, StandIn, TOKEN};
use crate::{Reason, Zone};

fn quick() -> RetryOptions {
    RetryOptions {
        retries: 3,
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(4),
        ..RetryOptions::default()
    }
}

fn cloudflare(standin: &StandIn, token: &str) -> Cloudflare {
    Cloudflare::new(token, Some(&standin.base_url())).unwrap().with_retries(quick())
}

async fn zone(standin: &StandIn) -> Result<Zone, Error> {
    cloudflare(standin, TOKEN).zone_of("ffe.example.com", Some("example.com"), &CancellationToken::new()).await
}

#[test]
fn a_token_that_cannot_be_one_is_refused_without_repeating_it() {
    for wrong in ["", " \n", "s3cret with spaces", "s3crét", "s3cret\nx: y"] {
        let error = Cloudflare::new(wrong, None).unwrap_err();
        let told = format!("{error} {}", error.remedy().unwrap());
        assert!(!told.contains("s3cr") && told.contains("CLOUDFLARE_API_TOKEN"), "{told}");
    }
    assert_eq!(Cloudflare::new(" token\n", None).unwrap().base_url(), BASE_URL);
}

#[test]
fn a_base_url_is_https_or_this_machine() {
    for (url, told) in [
        ("https://proxy.example.com/cloudflare/", Ok("https://proxy.example.com/cloudflare")),
        ("http://127.0.0.1:8080/client/v4", Ok("http://127.0.0.1:8080/client/v4")),
        ("http://localhost:8080", Ok("http://localhost:8080")),
        ("http://[::1]:8080", Ok("http://[::1]:8080")),
        ("http://proxy.example.com", Err("its scheme is http")),
        ("http://localhost.example.com", Err("its scheme is http")),
        ("ftp://example.com", Err("its scheme is not https")),
        ("api.example.com", Err("it cannot be read as a URL")),
        ("https://user:s3cret@example.com", Err("it has a user, a query or a fragment")),
        ("https://example.com?token=s3cret", Err("it has a user, a query or a fragment")),
    ] {
        match (Cloudflare::new("t", Some(url)), told) {
            (Ok(client), Ok(expected)) => assert_eq!(client.base_url(), expected),
            (Err(error), Err(reason)) => {
                assert!(error.to_string().contains(reason) && !error.to_string().contains("s3cret"), "{error}");
                assert!(error.remedy().unwrap().contains(BASE_URL));
            }
            (result, _) => unreachable!("{url}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn the_token_goes_with_every_request_and_a_path_is_kept_in_its_place() {
    let standin = StandIn::start().unwrap();
    standin.seed_zone("example.com");
    zone(&standin).await.unwrap();
    let request = &standin.received()[0];
    assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(request.path, "/zones?page=1&per_page=50");
    let client = cloudflare(&standin, TOKEN);
    let call = Call { operation: "", method: Method::GET, path: &["zones", "../x?y"], query: &[], body: None };
    assert!(client.url(&call).as_str().ends_with("/client/v4/zones/..%2Fx%3Fy"), "{}", client.url(&call));
}

#[tokio::test]
async fn what_passes_is_asked_again() {
    for fault in [
        Fault::RateLimited(Duration::ZERO),
        Fault::Status(500),
        Fault::Status(503),
        Fault::StatusAfter(502),
        Fault::Disconnect,
        Fault::DisconnectAfter,
    ] {
        let standin = StandIn::start().unwrap();
        standin.seed_zone("example.com");
        standin.fail(3, fault.clone());
        assert!(zone(&standin).await.is_ok(), "{fault:?}");
        assert_eq!(standin.count("GET"), 4, "{fault:?}");
    }
}

#[tokio::test]
async fn failures_are_counted() {
    let standin = StandIn::start().unwrap();
    standin.fail(10, Fault::Status(502));
    let error = zone(&standin).await.unwrap_err();
    assert_eq!(error, Error::Trouble { operation: "list the zones".to_owned(), status: 502 });
    assert_eq!(standin.count("GET"), 4);
}

#[tokio::test]
async fn what_cloudflare_asks_for_is_waited_and_no_longer_than_there_is_time() {
    let standin = StandIn::start().unwrap();
    standin.seed_zone("example.com");
    standin.fail(1, Fault::RateLimited(Duration::from_secs(3600)));
    let error = zone(&standin).await.unwrap_err();
    assert!(
        matches!(error, Error::RateLimited { wait: Some(wait), .. } if wait == Duration::from_secs(3600)),
        "{error:?}"
    );
    assert!(error.to_string().ends_with("it asks to wait 3600 seconds"), "{error}");
    assert_eq!(standin.count("GET"), 1);
    standin.fail(1, Fault::RateLimited(Duration::from_millis(1)));
    assert!(zone(&standin).await.is_ok());
}

#[tokio::test]
async fn refusals_are_final_and_say_which_permission_is_missing() {
    let standin = StandIn::start().unwrap();
    let client = cloudflare(&standin, "another-token");
    let error = client.zone_of("a.example.com", None, &CancellationToken::new()).await.unwrap_err();
    assert_eq!((error.reason(), error.code()), (Some(Reason::Authentication), Some(9109)));
    assert_eq!(error.to_string(), "Cloudflare refused to list the zones: Invalid access token (code 9109)");
    assert!(error.remedy().unwrap().contains("Zone / DNS / Edit"));
    assert_eq!(standin.count("GET"), 1);
    standin.fail(1, Fault::Redirect("http://127.0.0.1:1/".to_owned()));
    let error = zone(&standin).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { status: 302, .. }), "redirects are not followed: {error:?}");
}

#[tokio::test]
async fn one_who_never_answers_is_given_up_and_a_slow_one_is_waited_for() {
    let standin = StandIn::start().unwrap();
    standin.seed_zone("example.com");
    standin.fail(1, Fault::Slow(Duration::from_millis(50)));
    assert!(zone(&standin).await.is_ok());
    standin.fail(9, Fault::Hang);
    let options = RetryOptions { retries: 1, request: Duration::from_millis(50), ..quick() };
    let client = cloudflare(&standin, TOKEN).with_retries(options);
    let error = client.zone_of("a.example.com", None, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, Error::Unreachable { cause, .. } if cause == "timed out"), "{error:?}");
    assert!(error.is_transient() && error.remedy().unwrap().contains("found by its mark"));
}

#[tokio::test]
async fn nobody_there_is_told_with_the_cause() {
    let standin = StandIn::start().unwrap();
    let client = cloudflare(&standin, TOKEN);
    drop(standin);
    let error = client.zone_of("a.example.com", None, &CancellationToken::new()).await.unwrap_err().to_string();
    assert!(
        error.starts_with("no answer from 127.0.0.1:") && error.to_lowercase().contains("connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn cancelling_ends_requests_and_waits() {
    let standin = StandIn::start().unwrap();
    let options = RetryOptions { first_delay: Duration::from_secs(600), total: Duration::from_secs(6000), ..quick() };
    let client = cloudflare(&standin, TOKEN).with_retries(options);
    for fault in [Fault::Hang, Fault::Status(500)] {
        standin.fail(1, fault);
        let before = standin.count("GET");
        let cancel = CancellationToken::new();
        let (result, ()) = tokio::join!(client.zone_of("a.example.com", None, &cancel), async {
            while standin.count("GET") == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            cancel.cancel();
        });
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), "cancelled before the end of the request to list the zones");
        assert!(!error.is_transient() && error.remedy().is_none());
    }
}

#[test]
fn calls_can_be_awaited_on_any_thread() {
    fn sent<T: Send>(_: T) {}
    let client = Cloudflare::new("t", None).unwrap();
    sent(client.zone_of("a.example.com", None, &CancellationToken::new()));
}
