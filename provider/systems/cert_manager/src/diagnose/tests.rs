#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use ffe_cluster_testing::FakeApi;
use serde_json::{Value, json};

use super::*;
use crate::testing::{api, bare, certificate, deployment, issuer};

mod around;
mod chains;
mod recorded;

/// An issuance that goes on: Certificate, issuer, approved CertificateRequest, Order, and one Challenge
/// that is not set up yet and says this.
pub(crate) fn chain(kind: &str, reason: &str) -> Vec<Value> {
    let owned = |api: &str, kind: &str, name: &str| {
        json!([{"apiVersion": api, "kind": kind, "name": name, "uid": format!("uid-{name}"), "controller": true,
            "blockOwnerDeletion": true}])
    };
    let mut certificate = certificate();
    certificate["metadata"]["uid"] = json!("uid-api");
    certificate["status"] = json!({"nextPrivateKeySecretName": "api-x", "conditions": [
        {"type": "Ready", "status": "False", "reason": "DoesNotExist", "observedGeneration": 1,
            "message": "Issuing certificate as Secret does not exist"},
        {"type": "Issuing", "status": "True", "reason": "DoesNotExist", "observedGeneration": 1,
            "message": "Issuing certificate as Secret does not exist", "lastTransitionTime": "2026-11-21T08:00:00Z"}]});
    let solver = match kind {
        "HTTP-01" => json!({"http01": {"ingress": {"ingressClassName": "traefik"}}}),
        "Cloudflare" => json!({"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "cf", "key": "token"}}}}),
        _ => {
            json!({"dns01": {"rfc2136": {"nameserver": "10.0.0.53:53", "tsigKeyName": "ffe", "tsigAlgorithm": "HMACSHA256",
            "tsigSecretSecretRef": {"name": "tsig", "key": "key"}}}})
        }
    };
    let challenge = if kind == "HTTP-01" { kind } else { "DNS-01" };
    let mut issuer = issuer();
    issuer["spec"]["acme"]["solvers"] = json!([solver]);
    vec![
        certificate,
        issuer,
        json!({"apiVersion": crate::API, "kind": "CertificateRequest", "metadata": {"name": "api-1", "namespace": "ffe",
                "uid": "uid-api-1", "ownerReferences": owned(crate::API, "Certificate", "api"),
                "annotations": {"cert-manager.io/certificate-name": "api", "cert-manager.io/certificate-revision": "1"}},
            "spec": {}, "status": {"conditions": [
                {"type": "Approved", "status": "True", "reason": "cert-manager.io", "message": "Certificate request has been approved by cert-manager.io"},
                {"type": "Ready", "status": "False", "reason": "Pending", "message": "Waiting on certificate issuance from order ffe/api-1-77: \"pending\""}]}}),
        json!({"apiVersion": crate::ACME_API, "kind": "Order", "metadata": {"name": "api-1-77", "namespace": "ffe",
                "uid": "uid-api-1-77", "ownerReferences": owned(crate::API, "CertificateRequest", "api-1")},
            "spec": {"dnsNames": ["api.test"]}, "status": {"state": "pending", "url": "https://acme.test/order/1"}}),
        json!({"apiVersion": crate::ACME_API, "kind": "Challenge", "metadata": {"name": "api-1-77-99", "namespace": "ffe",
                "uid": "uid-api-1-77-99", "ownerReferences": owned(crate::ACME_API, "Order", "api-1-77")},
            "spec": {"dnsName": "api.test", "type": challenge, "solver": solver},
            "status": {"state": "pending", "processing": true, "presented": false, "reason": reason}}),
    ]
}

/// The same with everything given up: the Challenge invalid, the Order too, the request and the
/// Certificate failed.
fn failed(kind: &str, challenge: &str, order: &str) -> Vec<Value> {
    let mut objects = chain(kind, challenge);
    let message = format!(
        "Failed to wait for order resource \"api-1-77\" to become ready: order is in \"errored\" state: {order}"
    );
    objects[0]["status"] = json!({"lastFailureTime": "2026-11-21T08:00:10Z", "failedIssuanceAttempts": 1, "conditions": [
        {"type": "Ready", "status": "False", "reason": "DoesNotExist", "observedGeneration": 1,
            "message": "Issuing certificate as Secret does not exist"},
        {"type": "Issuing", "status": "False", "reason": "Failed", "observedGeneration": 1,
            "lastTransitionTime": "2026-11-21T08:00:10Z",
            "message": format!("The certificate request has failed to complete and will be retried: {message}")}]});
    objects[2]["status"]["failureTime"] = json!("2026-11-21T08:00:10Z");
    objects[2]["status"]["conditions"][1]["reason"] = json!("Failed");
    objects[2]["status"]["conditions"][1]["message"] = json!(message);
    objects[3]["status"]["failureTime"] = json!("2026-11-21T08:00:10Z");
    objects[3]["status"]["reason"] = json!(order);
    objects[3]["status"]["state"] = json!(if order.is_empty() { "invalid" } else { "errored" });
    if challenge.is_empty() {
        objects.pop();
    } else {
        objects[4]["status"]["state"] = json!("invalid");
    }
    objects
}

fn with(api: FakeApi, objects: Vec<Value>) -> FakeApi {
    for object in objects {
        api.put(object);
    }
    api
}

fn assert_says(seen: &Diagnosis, cause: Cause, sentence: &str, remedy: &str) {
    assert_eq!(seen.cause, cause, "{seen}");
    assert_eq!(seen.sentence, sentence, "{seen}");
    assert!(seen.remedy.contains(remedy), "{}", seen.remedy);
}

async fn diagnosed(objects: Vec<Value>) -> Diagnosis {
    diagnose(&with(api(), objects).cluster(), "ffe", "api").await
}

fn event(kind: &str, name: &str, reason: &str, message: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{name}.{reason}"), "namespace": "ffe"},
        "involvedObject": {"kind": kind, "namespace": "ffe", "name": name, "uid": format!("uid-{name}")},
        "type": "Warning", "reason": reason, "message": message, "count": 3, "lastTimestamp": "2026-11-21T08:00:05Z"})
}

#[tokio::test]
async fn a_certificate_that_is_issued_has_nothing_wrong() {
    let mut object = certificate();
    object["status"] = json!({"revision": 1, "renewalTime": "2100-01-01T00:00:00Z", "conditions": [{"type": "Ready",
        "status": "True", "reason": "Ready", "observedGeneration": 1, "message": "Certificate is up to date and has not expired"}]});
    let seen = diagnosed(vec![object, issuer()]).await;
    assert_eq!((seen.cause, seen.is_final, seen.is_trouble()), (Cause::Ready, false, false));
}

#[tokio::test]
async fn one_that_gets_on_says_how_far_it_is() {
    let seen = diagnosed(chain("HTTP-01", "")).await;
    assert_eq!(seen.cause, Cause::InProgress);
    assert_eq!(seen.sentence, "challenge HTTP-01 for api.test: its answer is being set up");
    let mut fresh = certificate();
    fresh["metadata"]["creationTimestamp"] = json!(Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let seen = diagnosed(vec![fresh, issuer()]).await;
    assert_eq!((seen.cause, seen.sentence.as_str()), (Cause::InProgress, "cert-manager has not looked at it yet"));
}

#[tokio::test]
async fn the_text_shows_chain_events_and_remedy() {
    let mut objects =
        chain("HTTP-01", "Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'");
    objects.push(event("Challenge", "api-1-77-99", "PresentError", "Error presenting challenge: x"));
    objects.push(event("Pod", "somebody", "BackOff", "not of this chain"));
    let text = diagnosed(objects).await.to_string();
    let expected = "Certificate ffe/api: Port80WrongAnswer: port 80 of api.test answers, but not with the challenge: \
        wrong status code '404', expected '200'\n\n\
        The chain, and what was said of it:\n  \
        - Certificate ffe/api: not ready: Issuing certificate as Secret does not exist\n  \
        - Issuer ffe/acme: ready: The ACME account was registered with the ACME server\n  \
        - CertificateRequest ffe/api-1: Pending: Waiting on certificate issuance from order ffe/api-1-77: \"pending\"\n  \
        - Order ffe/api-1-77: pending\n  \
        - Challenge ffe/api-1-77-99: HTTP-01 for api.test, pending: Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'\n  \
        - event of Challenge api-1-77-99: PresentError: Error presenting challenge: x (3 times)\n\n\
        What to do: See that api.test leads to the controller of ingress class traefik";
    assert!(text.starts_with(expected), "{text}");
}

#[tokio::test]
async fn what_may_not_be_read_is_said_and_does_not_fail() {
    let api = with(api(), chain("HTTP-01", ""));
    api.fail("GET", "/orders", None, 403, "Forbidden", "orders.acme.cert-manager.io is forbidden");
    api.fail("GET", "/issuers/acme", None, 403, "Forbidden", "issuers.cert-manager.io is forbidden");
    let seen = diagnose(&api.cluster(), "ffe", "api").await;
    assert_eq!(seen.cause, Cause::InProgress, "{seen}");
    assert_eq!(seen.evidence.iter().filter(|line| line.starts_with("not looked at: ")).count(), 2, "{seen}");
}
