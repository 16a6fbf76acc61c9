//! Causes that lie with the issuer, with cert-manager itself, or with the request.

use super::*;

#[tokio::test]
async fn issuer_missing() {
    let mut objects = chain("HTTP-01", "");
    objects.truncate(3);
    objects.remove(1);
    objects[1]["status"]["conditions"][1]["message"] =
        json!("Referenced \"Issuer\" not found: issuer.cert-manager.io \"acme\" not found");
    let seen = diagnosed(objects).await;
    assert_says(&seen, Cause::IssuerMissing, "Issuer ffe/acme does not exist", "refer to one that exists");
}

#[tokio::test]
async fn issuer_not_ready() {
    let mut objects = chain("HTTP-01", "");
    objects.truncate(3);
    objects[1]["status"]["conditions"][0] = json!({"type": "Ready", "status": "False", "reason": "Odd", "observedGeneration": 1,
        "message": "something that nobody knows"});
    let seen = diagnosed(objects).await;
    assert_says(
        &seen,
        Cause::IssuerNotReady,
        "Issuer ffe/acme is not ready: something that nobody knows",
        "Mend what the status of Issuer ffe/acme names",
    );
}

fn issuer_that_says(reason: &str, message: &str) -> Value {
    let mut object = issuer();
    object["status"]["conditions"][0] =
        json!({"type": "Ready", "status": "False", "reason": reason, "observedGeneration": 1, "message": message});
    object
}

async fn issuer_diagnosed(reason: &str, message: &str) -> Diagnosis {
    let api = with(api(), vec![issuer_that_says(reason, message)]);
    diagnose_issuer(&api.cluster(), &IssuerRef::issuer("acme"), "ffe").await
}

#[tokio::test]
async fn an_address_that_the_acme_server_refuses() {
    let message = "Failed to register ACME account: 400 urn:ietf:params:acme:error:invalidContact: Error validating contact(s) :: contact email has forbidden domain \"example.com\"";
    let seen = issuer_diagnosed("ErrRegisterACMEAccount", message).await;
    assert_says(
        &seen,
        Cause::InvalidContact,
        "the ACME server https://acme.test/dir refuses the e-mail address of Issuer ffe/acme: Error validating contact(s) :: contact email has forbidden domain \"example.com\"",
        "reserved domains such as example.com are refused",
    );
    assert!(seen.is_final);
}

#[tokio::test]
async fn accounts_that_are_too_many() {
    let message = "Failed to register ACME account: 429 urn:ietf:params:acme:error:rateLimited: too many new registrations (10) from this IP address in the last 3h0m0s, retry after 2026-11-28 09:13:16 UTC: see https://letsencrypt.org/docs/rate-limits/#new-registrations-per-ip-address";
    let seen = issuer_diagnosed("ErrRegisterACMEAccount", message).await;
    assert!(matches!(seen.cause, Cause::RateLimited { until: Some(_) }), "{seen}");
    assert!(seen.sentence.contains("registers no account before 2026-11-28 09:13:16 UTC"), "{seen}");
    assert!(seen.remedy.contains("share one issuer"), "{seen}");
}

#[tokio::test]
async fn a_binding_whose_key_is_missing() {
    let mut lacking = issuer_that_says("ErrRegisterACMEAccount", "failed to load external account binding key");
    lacking["spec"]["acme"]["externalAccountBinding"] =
        json!({"keyID": "k", "keySecretRef": {"name": "acme-credentials", "key": "eab-key"}});
    let api = with(api(), vec![lacking]);
    let seen = diagnose_issuer(&api.cluster(), &IssuerRef::issuer("acme"), "ffe").await;
    assert_eq!(seen.cause, Cause::SecretMissing, "{seen}");
    assert!(seen.to_string().contains("acme-credentials"), "{seen}");
}

#[tokio::test]
async fn an_account_that_is_refused() {
    let message = "Failed to register ACME account: 403 urn:ietf:params:acme:error:unauthorized: An account with the provided public key exists but is deactivated";
    let seen = issuer_diagnosed("ErrRegisterACMEAccount", message).await;
    assert_eq!(
        seen.sentence,
        "the ACME server https://acme.test/dir refuses the account of Issuer ffe/acme: An account with the provided public key exists but is deactivated"
    );
    assert!(seen.is_final);
}

#[tokio::test]
async fn an_acme_server_that_is_not_trusted() {
    let message = "Failed to register ACME account: Get \"https://acme.test/dir\": tls: failed to verify certificate: x509: certificate signed by unknown authority";
    let seen = issuer_diagnosed("ErrRegisterACMEAccount", message).await;
    assert_says(
        &seen,
        Cause::AcmeUntrusted,
        "cert-manager does not trust the certificate of the ACME server https://acme.test/dir: tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "caBundle",
    );
    assert!(!seen.is_final);
}

#[tokio::test]
async fn a_secret_that_the_issuer_lacks() {
    let mut lacking = issuer_that_says("InvalidSolver", "failed to get secret \"cf\": secrets \"cf\" not found");
    lacking["kind"] = json!("ClusterIssuer");
    lacking["metadata"] = json!({"name": "acme"});
    lacking["spec"]["acme"]["solvers"] =
        json!([{"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "cf", "key": "token"}}}}]);
    let api = with(api(), vec![lacking]);
    let seen = diagnose_issuer(&api.cluster(), &IssuerRef::cluster_issuer("acme"), "ffe").await;
    assert_says(
        &seen,
        Cause::SecretMissing,
        "a Secret that ClusterIssuer acme reads is missing: Secret cert-manager/cf with entry token",
        "cluster resource namespace",
    );
}

#[tokio::test]
async fn webhook_away() {
    let api = with(api(), chain("HTTP-01", ""));
    api.put(deployment("webhook", 1, 0, &[]));
    let seen = diagnose(&api.cluster(), "ffe", "api").await;
    assert_says(
        &seen,
        Cause::WebhookAway,
        "cert-manager's webhook does not answer, so the API server takes no change of its objects: Deployment cert-manager/cert-manager-webhook: 0 of 1 pods are available: Deployment does not have minimum availability.",
        "pods of the webhook",
    );
}

#[tokio::test]
async fn controller_away() {
    let api = with(api(), vec![certificate(), issuer()]);
    api.put(deployment("controller", 0, 0, &[]));
    let seen = diagnose(&api.cluster(), "ffe", "api").await;
    assert_says(
        &seen,
        Cause::ControllerAway,
        "cert-manager's controller is not at work, so nothing is issued: Deployment cert-manager/cert-manager: it is scaled to 0",
        "scale it up",
    );
}

#[tokio::test]
async fn a_controller_that_cannot_be_seen_and_does_nothing() {
    let api = with(bare(), vec![certificate(), issuer()]);
    let seen = diagnose(&api.cluster(), "ffe", "api").await;
    assert_says(
        &seen,
        Cause::ControllerAway,
        "cert-manager's controller is not at work, so nothing is issued: nobody has looked at it since it was made at 2026-01-01 00:00:00 UTC",
        "controller",
    );
}

#[tokio::test]
async fn a_renewal_that_does_not_begin() {
    let mut object = certificate();
    object["status"] = json!({"revision": 1, "renewalTime": "2026-01-01T00:00:00Z", "conditions": [{"type": "Ready",
        "status": "True", "reason": "Ready", "observedGeneration": 1, "message": "Certificate is up to date and has not expired"}]});
    let seen = diagnosed(vec![object, issuer()]).await;
    assert_eq!(seen.cause, Cause::ControllerAway);
    assert!(seen.sentence.ends_with("its renewal was due at 2026-01-01 00:00:00 UTC and has not begun"), "{seen}");
}

#[tokio::test]
async fn a_renewal_that_failed_while_the_certificate_is_still_good() {
    let limit =
        "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: x, retry after 2026-11-28 09:13:16 UTC";
    let mut objects = failed("HTTP-01", "", limit);
    objects[0]["status"]["conditions"][0]["status"] = json!("True");
    let seen = diagnosed(objects).await;
    assert!(matches!(seen.cause, Cause::RateLimited { until: Some(_) }), "{seen}");
}

#[tokio::test]
async fn not_installed() {
    let seen = diagnose(&FakeApi::new().cluster(), "ffe", "api").await;
    assert_eq!(seen.cause, Cause::NotInstalled);
    assert!(
        seen.sentence.starts_with(
            "cert-manager is not installed: the API server does not serve Certificate of cert-manager.io/v1"
        )
    );
    assert!(seen.is_final);
}

#[tokio::test]
async fn no_such_certificate() {
    let seen = diagnosed(vec![]).await;
    assert_says(&seen, Cause::CertificateMissing, "there is no Certificate ffe/api", "Make it again");
}

#[tokio::test]
async fn two_certificates_for_one_secret() {
    let mut mine = certificate();
    mine["status"] = json!({"conditions": [{"type": "Ready", "status": "False", "reason": "IncorrectCertificate", "observedGeneration": 1,
        "message": "Secret was issued for \"web\"."}]});
    let mut other = certificate();
    other["metadata"]["name"] = json!("web");
    let seen = diagnosed(vec![mine, other, issuer()]).await;
    assert_says(
        &seen,
        Cause::SecretShared,
        "the Secret api-tls is written by another certificate too: Certificate ffe/web",
        "a Secret of its own",
    );
}

#[tokio::test]
async fn a_request_that_is_denied_or_not_approved() {
    let mut objects = chain("HTTP-01", "");
    objects.truncate(3);
    objects[2]["status"] = json!({"failureTime": "2026-11-21T08:00:10Z", "conditions": [
        {"type": "Denied", "status": "True", "reason": "policy", "message": "no wildcards"},
        {"type": "Ready", "status": "False", "reason": "Denied", "message": "The CertificateRequest was denied by an approval controller"}]});
    let seen = diagnosed(objects.clone()).await;
    assert_says(&seen, Cause::Denied, "an approver denied the request: no wildcards", "approval policy");
    assert!(seen.is_final);
    objects[2]["status"] = json!({});
    let seen = diagnosed(objects).await;
    assert_says(&seen, Cause::NotApproved, "nobody has approved CertificateRequest ffe/api-1", "approval policy");
}

#[tokio::test]
async fn a_name_that_the_authority_does_not_issue_for() {
    let order = "Failed to create Order: 400 urn:ietf:params:acme:error:rejectedIdentifier: Error creating new order :: Cannot issue for \"api.test\": Domain name does not end with a valid public suffix (TLD)";
    let seen = diagnosed(failed("HTTP-01", "", order)).await;
    assert_says(
        &seen,
        Cause::NameRefused,
        "the ACME server https://acme.test/dir does not issue for api.test: Error creating new order :: Cannot issue for \"api.test\": Domain name does not end with a valid public suffix (TLD)",
        "internal authority",
    );
}

#[tokio::test]
async fn a_failure_that_nobody_knows_shows_its_text() {
    let seen = diagnosed(failed("HTTP-01", "", "Failed to create Order: the stars are not right")).await;
    assert_says(&seen, Cause::Unknown, "Failed to create Order: the stars are not right", "begin a new attempt");
    assert!(seen.is_final);
}

#[tokio::test]
async fn a_failure_before_the_present_attempt_is_history() {
    let mut objects = failed("HTTP-01", "", "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: x");
    objects[0]["status"]["conditions"][1] = json!({"type": "Issuing", "status": "True", "reason": "ManuallyTriggered",
        "observedGeneration": 1, "lastTransitionTime": "2026-11-21T08:00:11Z", "message": "Certificate re-issuance manually triggered"});
    let seen = diagnosed(objects).await;
    assert_eq!(seen.cause, Cause::InProgress, "{seen}");
    assert_eq!(seen.sentence, "its private key and its request are being made");
}
