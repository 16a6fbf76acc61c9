//! The same on objects that were recorded on a real cluster; `fixtures/README.md` tells how.

use super::*;

async fn recorded(name: &str) -> Diagnosis {
    let path = format!("{}/src/diagnose/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let objects: Vec<Value> = serde_json::from_slice(&text).expect(&path);
    let text = |pointer: &str| objects[0].pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let (kind, namespace, named) = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
    let cluster = with(api(), objects).cluster();
    if kind == "Issuer" {
        diagnose_issuer(&cluster, &IssuerRef::issuer(&named), &namespace).await
    } else {
        diagnose(&cluster, &namespace, &named).await
    }
}

async fn says(name: &str, cause: Cause, over: bool, sentence: &str) -> Diagnosis {
    let seen = recorded(name).await;
    assert_eq!((seen.cause, seen.is_final, seen.sentence.as_str()), (cause, over, sentence), "{seen}");
    seen
}

#[tokio::test]
async fn a_certificate_that_is_issued() {
    let sentence = "nothing is wrong with it";
    says("issued", Cause::Ready, false, sentence).await;
}

#[tokio::test]
async fn a_challenge_that_is_being_set_up() {
    let sentence = "challenge DNS-01 for wait.cm-rec.ffe.test: its answer is being set up";
    says("dns_waiting", Cause::InProgress, false, sentence).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let sentence =
        "a.missing.ffe.test does not resolve: dial tcp: lookup a.missing.ffe.test on 10.96.0.10:53: no such host";
    says("dns_missing", Cause::DnsMissing, false, sentence).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_for_the_authority() {
    let sentence = "b.missing.ffe.test does not resolve: could not resolve URL \"http://b.missing.ffe.test:80/.well-known/acme-challenge/51Hhw3fK0xzQG6vOAl4cdfTv1f8fEs1_-HRe96Jjo44\"";
    says("dns_missing_for_the_authority", Cause::DnsMissing, true, sentence).await;
}

#[tokio::test]
async fn a_port_that_is_closed() {
    let sentence = "port 80 of a.closed.ffe.test cannot be reached: dial tcp 127.0.0.1:80: connect: connection refused";
    says("port_closed", Cause::Port80Closed, false, sentence).await;
}

#[tokio::test]
async fn a_port_that_is_closed_for_the_authority() {
    let sentence = "port 80 of b.closed.ffe.test cannot be reached: dial tcp 127.0.0.1:80: connect: connection refused";
    says("port_closed_for_the_authority", Cause::Port80Closed, true, sentence).await;
}

#[tokio::test]
async fn a_port_where_something_else_answers() {
    let sentence =
        "port 80 of w.cm-rec.ffe.test answers, but not with the challenge: wrong status code '404', expected '200'";
    says("wrong_answer", Cause::Port80WrongAnswer, false, sentence).await;
}

#[tokio::test]
async fn a_solver_of_a_class_that_is_not_there() {
    let sentence = "the solver of Issuer ffe-cm-rec/class-missing cannot work here: the cluster has no ingress class nobody (it has ffe-cm-rec-nobody, nginx, traefik)";
    says("class_missing", Cause::WrongSolver, false, sentence).await;
}

#[tokio::test]
async fn a_solver_pod_that_the_quota_keeps_away() {
    let sentence = "the pod that answers the challenge for q.cm-rec.ffe.test does not run: pods \"cm-acme-http-solver-sl4ht\" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=0, limited: pods=0";
    says("solver_quota", Cause::SolverPod, false, sentence).await;
}

#[tokio::test]
async fn a_wildcard_without_a_dns_solver() {
    let sentence = "no solver of Issuer ffe-cm-rec/http fits *.cm-rec.ffe.test: no configured challenge solvers can be used for this challenge";
    says("no_solver", Cause::NoSolver, true, sentence).await;
}

#[tokio::test]
async fn a_tsig_key_of_another_content() {
    let sentence = "the name server 192.0.2.2:53 refuses the update signed with key ffe-testbed (Secret ffe-cm-rec/tsig-other): DNS update failed: dns: bad authentication";
    says("wrong_tsig_secret", Cause::TokenRefused, false, sentence).await;
}

#[tokio::test]
async fn a_tsig_key_that_the_server_does_not_know() {
    let sentence = "the name server 192.0.2.2:53 refuses the update signed with key nobody (Secret ffe-cm-rec/tsig): DNS update failed: dns: bad authentication";
    says("wrong_tsig_key", Cause::TokenRefused, false, sentence).await;
}

#[tokio::test]
async fn a_zone_that_the_key_may_not_update() {
    let sentence = "the name server 192.0.2.2:53 has no zone for z.foreign.test that the solver may change: DNS update failed. Server replied: REFUSED";
    says("foreign_zone", Cause::WrongZone, false, sentence).await;
}

#[tokio::test]
async fn a_name_without_a_zone() {
    let sentence = "the name server 192.0.2.2:53 has no zone for z.nowhere.test that the solver may change: Could not find the SOA record in the DNS tree for the domain '_acme-challenge.z.nowhere.test.' using nameservers [192.0.2.2:53]";
    says("no_zone", Cause::WrongZone, false, sentence).await;
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached() {
    let sentence = "Cloudflare cannot be reached by cert-manager: dial tcp: lookup api.cloudflare.com on 10.96.0.10:53: no such host";
    says("cloudflare_away", Cause::DnsProviderAway, false, sentence).await;
}

#[tokio::test]
async fn a_caa_record_that_only_the_event_tells_of() {
    let sentence = "a CAA record forbids this authority to issue for caa.cm-rec.ffe.test: While processing CAA for caa.cm-rec.ffe.test: CAA record for ffe.test prevents issuance";
    says("caa", Cause::Caa, true, sentence).await;
}

#[tokio::test]
async fn a_name_that_the_authority_refuses() {
    let sentence = "the ACME server https://192.0.2.2:14000/dir does not issue for x.blocked.ffe.test: Order included an identifier for which issuance is forbidden by policy: \"x.blocked.ffe.test\"; [dns: x.blocked.ffe.test] x.blocked.ffe.test is a forbidden domain";
    says("name_refused", Cause::NameRefused, true, sentence).await;
}

#[tokio::test]
async fn an_issuer_that_does_not_exist() {
    let sentence = "Issuer ffe-cm-rec/nobody does not exist";
    says("no_issuer", Cause::IssuerMissing, false, sentence).await;
}

#[tokio::test]
async fn a_server_that_is_not_trusted() {
    let sentence = "cert-manager does not trust the certificate of the ACME server https://192.0.2.2:14000/dir: tls: failed to verify certificate: x509: certificate signed by unknown authority";
    says("untrusted", Cause::AcmeUntrusted, false, sentence).await;
}

#[tokio::test]
async fn two_certificates_for_one_secret() {
    let sentence = "the Secret issued-tls is written by another certificate too: Certificate ffe-cm-rec/issued";
    says("rival", Cause::SecretShared, false, sentence).await;
}

#[tokio::test]
async fn a_key_that_may_not_be_replaced() {
    let sentence = "the key in Secret key-kept-tls does not fit and may not be replaced: it differs in [spec.privateKey.algorithm]";
    says("key_kept", Cause::KeyKept, false, sentence).await;
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_the_controller() {
    let sentence = "cert-manager's webhook does not answer, so the API server takes no change of its objects: service \"nobody\" not found";
    says("webhook_away", Cause::WebhookAway, false, sentence).await;
}

#[tokio::test]
async fn an_issuer_that_is_ready() {
    let sentence = "nothing is wrong with it";
    says("issuer_ready", Cause::Ready, false, sentence).await;
}

#[tokio::test]
async fn an_authority_without_its_key_pair() {
    let sentence = "a Secret that Issuer ffe-cm-rec/ca-missing reads is missing: Secret ffe-cm-rec/root-missing with entry tls.crt";
    says("issuer_ca_missing", Cause::SecretMissing, false, sentence).await;
}

#[tokio::test]
async fn a_solver_without_its_credential() {
    let sentence =
        "a Secret that Issuer ffe-cm-rec/dns-no-secret reads is missing: Secret ffe-cm-rec/tsig-missing with entry key";
    says("issuer_secret_missing", Cause::SecretMissing, false, sentence).await;
}

#[tokio::test]
async fn an_address_that_the_server_refuses() {
    let sentence = "the ACME server https://192.0.2.2:14000/dir refuses the e-mail address of Issuer ffe-cm-rec/contact2: contact email \"not-an-address\" is invalid";
    says("issuer_contact", Cause::InvalidContact, true, sentence).await;
}

#[tokio::test]
async fn a_server_that_refuses_connections() {
    let sentence = "the ACME server https://192.0.2.2:14999/dir cannot be reached by cert-manager, or does not work: dial tcp 192.0.2.2:14999: connect: connection refused";
    says("issuer_unreachable", Cause::AcmeUnreachable, false, sentence).await;
}

#[tokio::test]
async fn a_server_that_does_not_resolve() {
    let sentence = "the ACME server https://acme.missing.ffe.test/dir cannot be reached by cert-manager, or does not work: dial tcp: lookup acme.missing.ffe.test on 10.96.0.10:53: no such host";
    says("issuer_no_such_host", Cause::AcmeUnreachable, false, sentence).await;
}

#[tokio::test]
async fn a_limit_and_when_it_ends() {
    let until = "2026-11-28T09:13:16Z".parse().ok();
    let sentence = "the ACME server https://192.0.2.2:24001/dir takes no order for l.cm-rec.ffe.test before 2026-11-28 09:13:16 UTC: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-28 09:13:16 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers";
    let seen = says("rate_limited", Cause::RateLimited { until }, true, sentence).await;
    assert_eq!(seen.retries_at.unwrap().to_string(), "2026-11-21T09:39:16Z");
    assert_eq!(seen.evidence.len(), 5, "the chain alone, no event that says the same again: {seen}");
}

#[tokio::test]
async fn a_controller_that_was_scaled_away() {
    let objects: Vec<Value> = serde_json::from_str(include_str!("../fixtures/controller_scaled_away.json")).unwrap();
    let api = with(api(), objects);
    let seen = diagnose(&with(api, vec![certificate(), issuer()]).cluster(), "ffe", "api").await;
    assert_eq!(
        seen.sentence,
        "cert-manager's controller is not at work, so nothing is issued: Deployment cert-manager/cert-manager: it is scaled to 0"
    );
}

#[tokio::test]
async fn an_authority_that_is_none() {
    let sentence = "the key pair of Issuer ffe-cm-rec/not-a-ca cannot sign: certificate is not a CA";
    says("issuer_not_a_ca", Cause::BadKeyPair, false, sentence).await;
}
