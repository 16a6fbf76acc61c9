#![allow(clippy::unwrap_used)]
use ffe_cluster::{Cancel, Kind};
use ffe_cluster_testing::FakeApi;
use ffe_workloads::FailFast;
use serde_json::{Value, json};

use super::*;
use crate::diagnose::{Cause, chain};
use crate::testing::{api, certificate, issuer};

fn options(seconds: u64) -> WaitOptions {
    WaitOptions::new(Duration::from_secs(seconds), Cancel::new())
}

fn put(api: &FakeApi, objects: Vec<Value>) {
    for object in objects {
        api.put(object);
    }
}

fn secret() -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api-tls", "namespace": "ffe"}})
}

fn issued(revision: i64) -> Value {
    json!({"revision": revision, "notAfter": "2100-01-01T00:00:00Z", "conditions": [{"type": "Ready", "status": "True",
        "reason": "Ready", "observedGeneration": 1, "message": "Certificate is up to date and has not expired"}]})
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_the_certificate_is_issued() {
    let api = api();
    put(&api, chain("HTTP-01", ""));
    api.put(secret());
    let later = api.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(20)).await;
        later.edit(&certificate_ref("ffe", "api"), |object| object["status"] = issued(1));
    });
    let found = wait_certificate(&api.cluster(), "ffe", "api", None, &options(600)).await.unwrap();
    assert_eq!(found.status.revision, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_awaited_by_its_revision() {
    let api = api();
    let mut object = certificate();
    object["status"] = issued(1);
    put(&api, vec![object, issuer(), secret()]);
    wait_certificate(&api.cluster(), "ffe", "api", Some(0), &options(30)).await.unwrap();
    let error = wait_certificate(&api.cluster(), "ffe", "api", Some(1), &options(30)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_is_over_ends_it_at_once() {
    let api = api();
    let mut objects = chain(
        "HTTP-01",
        "Error accepting authorization: acme: authorization error for api.test: 403 urn:ietf:params:acme:error:caa: CAA record for test prevents issuance",
    );
    objects[4]["status"]["state"] = json!("invalid");
    put(&api, objects);
    let error = wait_certificate(&api.cluster(), "ffe", "api", None, &options(600)).await.unwrap_err();
    let Error::Failed(diagnosis) = &error else { return assert_eq!(error.to_string(), "a failure") };
    assert_eq!(diagnosis.cause, Cause::Caa);
    assert!(diagnosis.is_final);
}

#[tokio::test(start_paused = true)]
async fn what_may_heal_is_borne_with_for_a_while() {
    let api = api();
    put(&api, chain("DNS-01", "DNS update failed: dns: bad authentication"));
    let error = wait_certificate(&api.cluster(), "ffe", "api", None, &options(600)).await.unwrap_err();
    let Error::Failed(diagnosis) = &error else { return assert_eq!(error.to_string(), "a failure") };
    assert_eq!(diagnosis.cause, Cause::TokenRefused);
    assert!(!diagnosis.is_final);

    // it heals
    let api = api_with_slow_port();
    api.put(secret());
    let later = api.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(60)).await;
        later.edit(&certificate_ref("ffe", "api"), |object| object["status"] = issued(1));
    });
    wait_certificate(&api.cluster(), "ffe", "api", None, &options(600)).await.unwrap();
}

fn api_with_slow_port() -> FakeApi {
    let api = api();
    put(&api, chain("HTTP-01", "Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'"));
    api
}

#[tokio::test(start_paused = true)]
async fn without_failing_fast_only_the_timeout_ends_it_and_says_why() {
    let api = api_with_slow_port();
    let options = WaitOptions { fail_fast: FailFast::never(), ..options(300) };
    let error = wait_certificate(&api.cluster(), "ffe", "api", None, &options).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("Certificate ffe/api to be issued was not reached within 5m: port 80 of api.test answers"),
        "{text}"
    );
    assert_eq!(error.diagnosis().unwrap().cause, Cause::Port80WrongAnswer);
}

#[tokio::test(start_paused = true)]
async fn a_request_to_stop_ends_it() {
    let api = api_with_slow_port();
    let options = options(600);
    let cancel = options.cancel.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    });
    let error = wait_certificate(&api.cluster(), "ffe", "api", None, &options).await.unwrap_err();
    assert_eq!(error.cluster().unwrap().kind(), Kind::Cancelled);
    assert!(api.get(&certificate_ref("ffe", "api")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_status_of_the_spec_before_is_not_taken_for_the_end() {
    let api = api();
    let mut object = certificate();
    object["status"] = issued(1);
    put(&api, vec![object, issuer()]);
    api.edit(&certificate_ref("ffe", "api"), |object| object["spec"]["dnsNames"] = json!(["api.test", "www.test"]));
    let error = wait_certificate(&api.cluster(), "ffe", "api", None, &options(20)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_issuer_is_awaited_and_explained() {
    let api = api();
    let acme = IssuerRef::issuer("acme");
    api.put(issuer());
    wait_issuer(&api.cluster(), &acme, "ffe", &options(60)).await.unwrap();

    api.edit(&acme.object("ffe"), |object| {
        object["status"]["conditions"][0] = json!({"type": "Ready", "status": "False", "observedGeneration": 1,
            "reason": "ErrRegisterACMEAccount", "message": "Failed to register ACME account: 400 urn:ietf:params:acme:error:invalidContact: contact email has forbidden domain \"example.com\""});
    });
    let error = wait_issuer(&api.cluster(), &acme, "ffe", &options(600)).await.unwrap_err();
    assert!(matches!(error, Error::Failed(_)), "{error}");
    assert_eq!(error.diagnosis().unwrap().cause, Cause::InvalidContact);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_recovers_from_an_old_refusal_is_not_given_up() {
    let api = api();
    let acme = IssuerRef::issuer("acme");
    let mut refused = issuer();
    refused["status"]["conditions"][0] = json!({"type": "Ready", "status": "False", "observedGeneration": 1,
        "reason": "ErrRegisterACMEAccount", "message": "Failed to register ACME account: 429 urn:ietf:params:acme:error:rateLimited: x"});
    api.put(refused);
    let later = api.clone();
    let object = acme.object("ffe");
    tokio::spawn(async move {
        sleep(Duration::from_secs(5)).await;
        later.edit(&object, |object| object["status"] = issuer()["status"].clone());
    });
    wait_issuer(&api.cluster(), &acme, "ffe", &options(600)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn without_cert_manager_it_does_not_wait() {
    let error = wait_certificate(&FakeApi::new().cluster(), "ffe", "api", None, &options(600)).await.unwrap_err();
    match error {
        Error::NotInstalled { .. } => {}
        Error::Failed(diagnosis) => assert_eq!(diagnosis.cause, Cause::NotInstalled),
        other => assert_eq!(other.to_string(), "not installed"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_without_its_secret_is_about_to_change() {
    let api = api();
    let mut object = certificate();
    object["status"] = issued(1);
    put(&api, vec![object, issuer()]);
    let later = api.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(10)).await;
        later.edit(&certificate_ref("ffe", "api"), |object| object["status"] = issued(2));
        later.put(secret());
    });
    let found = wait_certificate(&api.cluster(), "ffe", "api", None, &options(600)).await.unwrap();
    assert_eq!(found.status.revision, Some(2));
}
