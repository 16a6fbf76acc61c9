//! Causes that lie in the chain, one test for each, by chains put together here.

use super::*;

const FAILED_CHALLENGE: &str = "Error accepting authorization: acme: authorization error for api.test: ";

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
