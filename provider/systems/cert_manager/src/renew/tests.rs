#![allow(clippy::unwrap_used)]
use ffe_cluster_testing::FakeApi;

use super::*;
use crate::Cause;
use crate::testing::{api, certificate, issuer};

fn failed() -> Value {
    let mut object = certificate();
    object["status"] = json!({
        "lastFailureTime": "2026-11-21T08:00:00Z", "failedIssuanceAttempts": 2,
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "DoesNotExist", "observedGeneration": 1,
                "message": "Issuing certificate as Secret does not exist", "lastTransitionTime": "2026-11-21T07:00:00Z"},
            {"type": "Issuing", "status": "False", "reason": "Failed", "observedGeneration": 1,
                "message": "The certificate request has failed to complete and will be retried: x",
                "lastTransitionTime": "2026-11-21T08:00:00Z"}]});
    object
}

fn conditions(api: &FakeApi) -> Vec<Condition> {
    let object = api.get(&certificate_ref("ffe", "api")).unwrap();
    serde_json::from_value(object["status"]["conditions"].clone()).unwrap()
}

#[tokio::test]
async fn a_renewal_is_the_condition_issuing_as_cmctl_writes_it() {
    let api = api();
    api.put(failed());
    assert_eq!(renew(&api.cluster(), "ffe", "api").await.unwrap(), Renewal::Started);
    let conditions = conditions(&api);
    assert_eq!(conditions.len(), 2, "the other conditions stay");
    let issuing = condition(&conditions, "Issuing").unwrap();
    assert!(issuing.holds());
    assert_eq!(issuing.reason, "ManuallyTriggered");
    assert_eq!(issuing.observed_generation, Some(1));
    assert!(issuing.last_transition_time.unwrap() > "2026-11-21T08:00:00Z".parse().unwrap());
    assert_eq!(api.count("PATCH", "/certificates/api/status"), 1);
    // once more changes nothing
    assert_eq!(renew(&api.cluster(), "ffe", "api").await.unwrap(), Renewal::Running);
    assert_eq!(api.count("PATCH", "/certificates/api/status"), 1);
}

#[tokio::test]
async fn a_failure_of_this_very_second_is_older_than_the_renewal() {
    let api = api();
    let mut object = failed();
    object["status"]["lastFailureTime"] = json!("2100-01-01T00:00:00Z");
    api.put(object);
    renew(&api.cluster(), "ffe", "api").await.unwrap();
    let issuing = conditions(&api).into_iter().find(|condition| condition.kind == "Issuing").unwrap();
    assert_eq!(issuing.last_transition_time.unwrap().to_string(), "2100-01-01T00:00:01Z");
}

#[tokio::test]
async fn a_lost_race_is_run_again() {
    let api = api();
    api.put(failed());
    api.fail("PATCH", "/certificates/api/status", Some(2), 409, "Conflict", "the object has been modified");
    assert_eq!(renew(&api.cluster(), "ffe", "api").await.unwrap(), Renewal::Started);
    assert_eq!(api.count("PATCH", "/certificates/api/status"), 3);
}

#[tokio::test]
async fn only_what_failed_is_retried() {
    let api = api();
    api.put(issuer());
    api.put(certificate());
    assert_eq!(retry(&api.cluster(), "ffe", "api").await.unwrap(), Renewal::Unneeded);
    api.put(failed());
    assert_eq!(retry(&api.cluster(), "ffe", "api").await.unwrap(), Renewal::Started);
    // it goes on now, and nothing complains
    assert_eq!(retry(&api.cluster(), "ffe", "api").await.unwrap(), Renewal::Running);
    assert_eq!(api.count("DELETE", ""), 0);
}

#[tokio::test]
async fn an_issuance_that_cannot_be_set_up_gets_a_new_request() {
    let api = api();
    for object in crate::diagnose::chain("DNS-01", "DNS update failed: dns: bad signature") {
        api.put(object);
    }
    assert_eq!(retry(&api.cluster(), "ffe", "api").await.unwrap(), Renewal::Restarted);
    assert!(api.get(&ObjectRef::new(API, "CertificateRequest", Some("ffe"), "api-1")).is_none());
}

#[tokio::test]
async fn one_that_is_only_slow_is_left_alone() {
    let api = api();
    let slow = "Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'";
    for object in crate::diagnose::chain("HTTP-01", slow) {
        api.put(object);
    }
    assert_eq!(retry(&api.cluster(), "ffe", "api").await.unwrap(), Renewal::Running);
    assert!(api.get(&ObjectRef::new(API, "CertificateRequest", Some("ffe"), "api-1")).is_some());
}

#[tokio::test]
async fn one_by_a_dns_solver_that_the_issuer_has_no_more_gets_a_new_request() {
    let mut objects = crate::diagnose::chain("DNS-01", "");
    let request = ObjectRef::new(API, "CertificateRequest", Some("ffe"), "api-1");
    let tried = |objects: Vec<Value>| async move {
        let api = api();
        objects.into_iter().for_each(|object| api.put(object));
        (retry(&api.cluster(), "ffe", "api").await.unwrap(), api)
    };
    assert_eq!(tried(objects.clone()).await.0, Renewal::Running);
    // one of several is enough
    let mut several = objects.clone();
    several[1]["spec"]["acme"]["solvers"].as_array_mut().unwrap().insert(0, json!({"http01": {"ingress": {}}}));
    assert_eq!(tried(several).await.0, Renewal::Running);
    objects[1]["spec"]["acme"]["solvers"] = json!([{"http01": {"ingress": {"ingressClassName": "traefik"}}}]);
    let (renewal, api) = tried(objects).await;
    assert_eq!(renewal, Renewal::Restarted);
    assert!(api.get(&request).is_none());
}

#[tokio::test]
async fn an_issuer_that_was_refused_is_nudged_and_a_ready_one_is_not() {
    let api = api();
    let acme = IssuerRef::issuer("acme");
    assert!(!retry_issuer(&api.cluster(), &acme, "ffe").await.unwrap());
    api.put(issuer());
    assert!(!retry_issuer(&api.cluster(), &acme, "ffe").await.unwrap());
    let mut refused = issuer();
    refused["status"]["conditions"][0]["status"] = json!("False");
    api.put(refused);
    assert!(retry_issuer(&api.cluster(), &acme, "ffe").await.unwrap());
    let annotations = &api.get(&acme.object("ffe")).unwrap()["metadata"]["annotations"];
    assert!(annotations["ffe.three-rivers.tech/retried-at"].is_string(), "{annotations}");
}

#[tokio::test]
async fn without_the_certificate_the_error_says_so() {
    let error = renew(&api().cluster(), "ffe", "api").await.unwrap_err();
    assert_eq!(error.cluster().unwrap().kind(), Kind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_is_away_is_named() {
    let api = api();
    api.put(failed());
    let message = "Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": failed to call webhook: Post \"https://x.svc:443/validate\": no endpoints available for service \"cert-manager-webhook\"";
    api.fail("PATCH", "/certificates/api/status", None, 500, "InternalError", message);
    let error = renew(&api.cluster(), "ffe", "api").await.unwrap_err();
    assert_eq!(error.diagnosis().unwrap().cause, Cause::WebhookAway);
}
