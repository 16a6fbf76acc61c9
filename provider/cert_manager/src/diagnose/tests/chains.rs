//! One test for each cause, by chains put together here.

use super::*;

const FAILED_CHALLENGE: &str = "Error accepting authorization: acme: authorization error for api.test: ";

fn assert_says(seen: &Diagnosis, cause: Cause, sentence: &str, remedy: &str) {
    assert_eq!(seen.cause, cause, "{seen}");
    assert_eq!(seen.sentence, sentence, "{seen}");
    assert!(seen.remedy.contains(remedy), "{}", seen.remedy);
}

#[tokio::test]
async fn rate_limited() {
    let limit = "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-28 09:13:16 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers";
    let mut objects = failed("HTTP-01", "", limit);
    objects[1]["spec"]["acme"]["server"] = json!(crate::LETSENCRYPT);
    let seen = diagnosed(objects).await;
    assert_says(
        &seen,
        Cause::RateLimited { until: "2026-11-28T09:13:16Z".parse().ok() },
        "the ACME server https://acme-v02.api.letsencrypt.org/directory takes no order for api.test before 2026-11-28 09:13:16 UTC: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-28 09:13:16 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers",
        "Wait until 2026-11-28 09:13:16 UTC, then begin a new attempt; each one before only fails again. Keep the certificate and its Secret. Let's Encrypt's staging server has far larger limits",
    );
    assert!(seen.is_final);
    assert_eq!(seen.retries_at.unwrap().to_string(), "2026-11-21T09:00:10Z");
    assert!(seen.to_string().contains("cert-manager tries again by itself at 2026-11-21 09:00:10 UTC."), "{seen}");
}

#[tokio::test]
async fn rate_limited_without_a_time() {
    let seen = diagnosed(failed(
        "HTTP-01",
        "",
        "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: slow down",
    ))
    .await;
    assert_says(
        &seen,
        Cause::RateLimited { until: None },
        "the ACME server https://acme.test/dir takes no order for api.test for now, and does not say until when: slow down",
        "Wait at least an hour",
    );
}

#[tokio::test]
async fn an_account_that_was_paused() {
    let paused = "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: Your account is temporarily prevented from requesting certificates for api.test and possibly others. Please visit: https://portal.letsencrypt.org/sfe/v1/unpause?jwt=x";
    let seen = diagnosed(failed("HTTP-01", "", paused)).await;
    assert!(seen.sentence.contains("has paused this account for api.test"), "{seen}");
    assert!(seen.remedy.contains("open the link"), "{seen}");
}

#[tokio::test]
async fn dns_missing() {
    let reason = "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://api.test/.well-known/acme-challenge/t': Get \"http://api.test/.well-known/acme-challenge/t\": dial tcp: lookup api.test on 10.43.0.10:53: no such host";
    let seen = diagnosed(chain("HTTP-01", reason)).await;
    assert_says(
        &seen,
        Cause::DnsMissing,
        "api.test does not resolve: dial tcp: lookup api.test on 10.43.0.10:53: no such host",
        "Make an A, AAAA or CNAME record for api.test",
    );
    assert!(!seen.is_final);
}

#[tokio::test]
async fn dns_missing_as_the_authority_sees_it() {
    let reason = "400 urn:ietf:params:acme:error:dns: DNS problem: NXDOMAIN looking up A for api.test - check that a DNS record exists for this domain";
    let seen = diagnosed(failed("HTTP-01", &format!("{FAILED_CHALLENGE}{reason}"), "")).await;
    assert_says(
        &seen,
        Cause::DnsMissing,
        "api.test does not resolve: DNS problem: NXDOMAIN looking up A for api.test - check that a DNS record exists for this domain",
        "Make an A, AAAA or CNAME record",
    );
    assert!(seen.is_final);
}

#[tokio::test]
async fn dns_not_propagated() {
    let seen = diagnosed(chain(
        "DNS-01",
        "Waiting for DNS-01 challenge propagation: DNS record for \"api.test\" not yet propagated",
    ))
    .await;
    assert_says(
        &seen,
        Cause::DnsNotPropagated,
        "the TXT record _acme-challenge.api.test is not seen on all name servers of its zone: DNS record for \"api.test\" not yet propagated",
        "Wait, name servers may take minutes",
    );
}

#[tokio::test]
async fn port_80_closed() {
    let reason = "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://api.test/.well-known/acme-challenge/t': Get \"http://api.test/.well-known/acme-challenge/t\": dial tcp 203.0.113.7:80: connect: connection refused";
    let seen = diagnosed(chain("HTTP-01", reason)).await;
    assert_says(
        &seen,
        Cause::Port80Closed,
        "port 80 of api.test cannot be reached: dial tcp 203.0.113.7:80: connect: connection refused",
        "See that api.test leads to the controller of ingress class traefik and that port 80 is open all the way",
    );
}

#[tokio::test]
async fn port_80_answered_by_something_else() {
    let reason = "403 urn:ietf:params:acme:error:unauthorized: 203.0.113.7: Invalid response from http://api.test/.well-known/acme-challenge/t: 404";
    let seen = diagnosed(failed("HTTP-01", &format!("{FAILED_CHALLENGE}{reason}"), "")).await;
    assert_says(
        &seen,
        Cause::Port80WrongAnswer,
        "port 80 of api.test answers, but not with the challenge: 203.0.113.7: Invalid response from http://api.test/.well-known/acme-challenge/t: 404",
        "NetworkPolicy",
    );
    assert!(seen.is_final);
}

#[tokio::test]
async fn token_refused_by_cloudflare() {
    let reason = "while attempting to find Zones for domain _acme-challenge.api.test.\nwhile querying the Cloudflare API for GET \"/zones?name=test\" \n\t Error: 9109: Invalid access token";
    let seen = diagnosed(chain("Cloudflare", reason)).await;
    assert_says(
        &seen,
        Cause::TokenRefused,
        "Cloudflare refuses the token in Secret ffe/cf: 9109: Invalid access token",
        "Put an API token into Secret ffe/cf that is valid and has Zone:Read and DNS:Edit for the zone of api.test",
    );
}

#[tokio::test]
async fn token_refused_by_a_name_server() {
    let seen = diagnosed(chain("DNS-01", "DNS update failed: dns: bad authentication")).await;
    assert_says(
        &seen,
        Cause::TokenRefused,
        "the name server 10.0.0.53:53 refuses the update signed with key ffe (Secret ffe/tsig): DNS update failed: dns: bad authentication",
        "Compare the key's name, algorithm and content",
    );
}

#[tokio::test]
async fn wrong_zone() {
    let reason = "Found no Zones for domain _acme-challenge.api.test. (neither in the sub-domain nor in the SLD) please make sure your domain-entries in the config are correct and the API key is correctly setup with Zone.read rights.";
    let seen = diagnosed(chain("Cloudflare", reason)).await;
    assert_says(
        &seen,
        Cause::WrongZone,
        &format!("Cloudflare has no zone for api.test that the solver may change: {}", reason.trim_end_matches('.')),
        "the credential may read and change just that zone",
    );
    let seen = diagnosed(chain("DNS-01", "DNS update failed. Server replied: NOTZONE")).await;
    assert_eq!(
        seen.sentence,
        "the name server 10.0.0.53:53 has no zone for api.test that the solver may change: DNS update failed. Server replied: NOTZONE"
    );
}

#[tokio::test]
async fn no_solver_fits() {
    let mut objects = chain("HTTP-01", "");
    objects.pop();
    objects.push(event("Order", "api-1-77", "Solver", "Failed to determine a valid solver configuration for the set of domains on the Order: no configured challenge solvers can be used for this challenge"));
    let seen = diagnosed(objects).await;
    assert_says(
        &seen,
        Cause::NoSolver,
        "no solver of Issuer ffe/acme fits api.test: no configured challenge solvers can be used for this challenge",
        "names with * need DNS-01",
    );
    assert!(seen.is_final);
}

#[tokio::test]
async fn a_solver_of_a_class_that_is_not_there() {
    let mut objects =
        chain("HTTP-01", "Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'");
    objects[4]["spec"]["solver"]["http01"]["ingress"]["ingressClassName"] = json!("nginx");
    let seen = diagnosed(objects).await;
    assert_says(
        &seen,
        Cause::WrongSolver,
        "the solver of Issuer ffe/acme cannot work here: the cluster has no ingress class nginx (it has traefik)",
        "Name an ingress class that exists",
    );
}

#[tokio::test]
async fn a_solver_by_gateway_without_the_gateway_api() {
    let seen =
        diagnosed(chain("HTTP-01", "couldn't Present challenge ffe/api-1-77-99: gateway api is not enabled")).await;
    assert_eq!(seen.cause, Cause::WrongSolver, "{seen}");
    assert!(seen.remedy.contains("start cert-manager with the Gateway API enabled"), "{seen}");
}

#[tokio::test]
async fn a_solver_pod_that_does_not_run() {
    let mut objects =
        chain("HTTP-01", "Waiting for HTTP-01 challenge propagation: wrong status code '503', expected '200'");
    objects.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cm-acme-http-solver-x", "namespace": "ffe",
            "labels": {"acme.cert-manager.io/http01-solver": "true"},
            "ownerReferences": [{"apiVersion": crate::ACME_API, "kind": "Challenge", "name": "api-1-77-99", "uid": "uid-api-1-77-99"}]},
        "spec": {"containers": []},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "acmesolver", "ready": false, "restartCount": 0,
            "image": "x", "imageID": "", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}]}}));
    let seen = diagnosed(objects).await;
    assert_says(
        &seen,
        Cause::SolverPod,
        "the pod that answers the challenge for api.test does not run: cm-acme-http-solver-x: ImagePullBackOff: Back-off pulling image",
        "Mend what keeps the pod from running",
    );
}

#[tokio::test]
async fn caa() {
    let reason =
        "403 urn:ietf:params:acme:error:caa: While processing CAA for api.test: CAA record for test prevents issuance";
    let mut objects = failed("HTTP-01", &format!("{FAILED_CHALLENGE}{reason}"), "");
    objects[1]["spec"]["acme"]["server"] = json!(crate::LETSENCRYPT);
    let seen = diagnosed(objects).await;
    assert_says(
        &seen,
        Cause::Caa,
        "a CAA record forbids this authority to issue for api.test: While processing CAA for api.test: CAA record for test prevents issuance",
        "Add a CAA record that allows it (`0 issue \"letsencrypt.org\"`)",
    );
    assert!(seen.is_final);
}

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
