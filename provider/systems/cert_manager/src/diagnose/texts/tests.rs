#![allow(clippy::unwrap_used, clippy::panic)]
use super::problem::retry_after;
use super::*;

fn cause(speaker: Speaker, text: &str) -> Cause {
    recognise(speaker, text).unwrap_or_else(|| panic!("not recognised: {text}")).cause
}

fn challenges(expected: Cause, texts: &[&str]) {
    for text in texts {
        assert_eq!(cause(Speaker::Challenge, text), expected, "{text}");
    }
}

#[test]
fn limits_name_the_time_from_which_it_works_again() {
    let until = |text: &str| match cause(Speaker::Order, text) {
        Cause::RateLimited { until } => until.map(|until| until.to_string()),
        other => panic!("{other}: {text}"),
    };
    assert_eq!(
        until(
            "Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-28 09:13:16 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers"
        )
        .as_deref(),
        Some("2026-11-28T09:13:16Z")
    );
    assert_eq!(
        until(
            "The certificate request has failed to complete and will be retried: Failed to wait for order resource \"api-1-1\" to become ready: order is in \"errored\" state: Failed to create Order: 429 urn:ietf:params:acme:error:rateLimited: Error creating new order :: too many certificates (5) already issued for this exact set of domains in the last 168 hours: api.test, retry after 2023-10-12T18:54:27Z: see https://letsencrypt.org/docs/duplicate-certificate-limit/"
        )
        .as_deref(),
        Some("2023-10-12T18:54:27Z")
    );
    assert_eq!(
        until("429 urn:acme:error:rateLimited: Error creating new authz :: Too many failed authorizations recently."),
        None
    );
}

#[test]
fn dns_that_is_missing() {
    challenges(
        Cause::DnsMissing,
        &[
            "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://api.test/.well-known/acme-challenge/t': Get \"http://api.test/.well-known/acme-challenge/t\": dial tcp: lookup api.test on 10.43.0.10:53: no such host",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:dns: DNS problem: NXDOMAIN looking up A for api.test - check that a DNS record exists for this domain; DNS problem: NXDOMAIN looking up AAAA for api.test - check that a DNS record exists for this domain",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:dns: no valid A records found for api.test; no valid AAAA records found for api.test",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:connection: Get \"http://api.test/.well-known/acme-challenge/t\": dial tcp: lookup api.test on 10.0.0.9:53: no such host",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:connection: Get \"http://api.test:80/.well-known/acme-challenge/t\": could not resolve URL \"http://api.test:80/.well-known/acme-challenge/t\"",
        ],
    );
}

#[test]
fn txt_records_that_are_not_seen() {
    challenges(
        Cause::DnsNotPropagated,
        &[
            "Waiting for DNS-01 challenge propagation: DNS record for \"api.test\" not yet propagated",
            "Error accepting authorization: acme: authorization error for api.test: 403 urn:ietf:params:acme:error:unauthorized: Incorrect TXT record \"x\" found at _acme-challenge.api.test",
            "Error accepting authorization: acme: authorization error for api.test: 403 urn:ietf:params:acme:error:unauthorized: No TXT record found at _acme-challenge.api.test",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:dns: DNS problem: NXDOMAIN looking up TXT for _acme-challenge.api.test - check that a DNS record exists for this domain",
        ],
    );
}

#[test]
fn name_servers_that_fail() {
    challenges(
        Cause::DnsFailing,
        &[
            "Waiting for DNS-01 challenge propagation: NS ns1.test.:53 returned REFUSED for _acme-challenge.api.test.",
            "Waiting for DNS-01 challenge propagation: Could not determine the zone for \"_acme-challenge.api.test.\": When querying the SOA record for the domain '_acme-challenge.api.test.' using nameservers [10.43.0.10:53], rcode was expected to be 'NOERROR' or 'NXDOMAIN', but got 'SERVFAIL'",
            "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://api.test/': Get \"http://api.test/\": dial tcp: lookup api.test on 10.43.0.10:53: read udp 10.42.0.9:1->10.43.0.10:53: i/o timeout",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:dns: DNS problem: SERVFAIL looking up A for api.test - the domain's nameservers may be malfunctioning",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:dns: During secondary validation: DNS problem: query timed out looking up CAA for api.test",
        ],
    );
}

#[test]
fn port_80_that_is_closed() {
    challenges(
        Cause::Port80Closed,
        &[
            "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://api.test/.well-known/acme-challenge/t': Get \"http://api.test/.well-known/acme-challenge/t\": dial tcp 203.0.113.7:80: connect: connection refused",
            "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://api.test/.well-known/acme-challenge/t': Get \"http://api.test/.well-known/acme-challenge/t\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:connection: 203.0.113.7: Fetching http://api.test/.well-known/acme-challenge/t: Timeout during connect (likely firewall problem)",
            "Error accepting authorization: acme: authorization error for api.test: 400 urn:ietf:params:acme:error:connection: 203.0.113.7: Fetching http://api.test/.well-known/acme-challenge/t: Connection refused",
        ],
    );
}

#[test]
fn port_80_where_something_else_answers() {
    challenges(
        Cause::Port80WrongAnswer,
        &[
            "Waiting for HTTP-01 challenge propagation: wrong status code '404', expected '200'",
            "Waiting for HTTP-01 challenge propagation: did not get expected response \"t.thumb\" when querying endpoint",
            "Error accepting authorization: acme: authorization error for api.test: 403 urn:ietf:params:acme:error:unauthorized: 203.0.113.7: Invalid response from http://api.test/.well-known/acme-challenge/t: 404",
            "Error accepting authorization: acme: authorization error for api.test: 403 urn:ietf:params:acme:error:unauthorized: Non-200 status code from HTTP: http://api.test:80/.well-known/acme-challenge/t returned 404",
        ],
    );
}

#[test]
fn tokens_that_are_refused() {
    challenges(
        Cause::TokenRefused,
        &[
            "while attempting to find Zones for domain _acme-challenge.api.test.\nwhile querying the Cloudflare API for GET \"/zones?name=test\" \n\t Error: 10000: Authentication error",
            "while attempting to find Zones for domain _acme-challenge.api.test.\nwhile querying the Cloudflare API for GET \"/zones?name=test\" \n\t Error: 9109: Invalid access token",
            "while querying the Cloudflare API for GET \"/zones?name=test\" \n\t Error: 6003: Invalid request headers<- 6111: Invalid format for Authorization header",
            "error instantiating cloudflare challenge solver: the Cloudflare API token is invalid (does the API token contain a newline?)",
            "DNS update failed: dns: bad authentication",
            "DNS update failed: dns: bad signature",
            "error decoding the provided TSIG secret: illegal base64 data at input byte 4",
        ],
    );
}

#[test]
fn zones_that_are_not_there() {
    challenges(
        Cause::WrongZone,
        &[
            "Found no Zones for domain _acme-challenge.api.test. (neither in the sub-domain nor in the SLD) please make sure your domain-entries in the config are correct and the API key is correctly setup with Zone.read rights.",
            "Could not find the SOA record in the DNS tree for the domain '_acme-challenge.api.test.' using nameservers [10.43.0.10:53]",
            "Could not find the start of authority for _acme-challenge.api.test.",
            "DNS update failed. Server replied: NOTZONE",
            "DNS update failed. Server replied: NOTAUTH",
            "DNS update failed. Server replied: REFUSED",
            "while querying the Cloudflare API for POST \"/zones/1/dns_records\" \n\t Error: 7003: Could not route to /zones/1/dns_records, perhaps your object identifier is invalid?",
        ],
    );
}

#[test]
fn providers_that_are_away() {
    challenges(
        Cause::DnsProviderAway,
        &[
            "while querying the Cloudflare API for GET \"/zones?name=test\": Get \"https://api.cloudflare.com/client/v4/zones?name=test\": dial tcp: lookup api.cloudflare.com: no such host",
            "DNS update failed: read udp 10.42.0.9:41000->10.0.0.53:53: i/o timeout",
            "DNS update failed: dial udp 10.0.0.53:53: connect: connection refused",
        ],
    );
}

#[test]
fn solvers_that_do_not_fit() {
    let text = "Failed to determine a valid solver configuration for the set of domains on the Order: no configured challenge solvers can be used for this challenge";
    assert_eq!(cause(Speaker::Order, text), Cause::NoSolver);
    challenges(Cause::WrongSolver, &["couldn't Present challenge ffe/api-1: gateway api is not enabled"]);
    challenges(
        Cause::SolverPod,
        &[
            "pods \"cm-acme-http-solver-x\" is forbidden: exceeded quota: ffe, requested: pods=1, used: pods=20, limited: pods=20",
        ],
    );
}

#[test]
fn secrets_that_are_missing() {
    challenges(
        Cause::SecretMissing,
        &[
            "error getting cloudflare secret: secret \"cf\" not found",
            "specified key \"token\" not found in secret ffe/cf",
            "secret \"tsig\" not found",
            "secrets \"tsig\" not found",
            "data entry with key \"key\" not found in secret",
        ],
    );
    assert_eq!(
        cause(Speaker::Issuer, "failed to get secret \"tsig\": secrets \"tsig\" not found"),
        Cause::SecretMissing
    );
    assert_eq!(
        cause(Speaker::Issuer, "Error getting keypair for CA issuer: secrets \"root\" not found"),
        Cause::SecretMissing
    );
    assert_eq!(
        cause(Speaker::Issuer, "Error getting keypair for CA issuer: certificate is not a CA"),
        Cause::BadKeyPair
    );
}

#[test]
fn authorities_that_refuse() {
    challenges(
        Cause::Caa,
        &[
            "Error accepting authorization: acme: authorization error for api.test: 403 urn:ietf:params:acme:error:caa: CAA record for test prevents issuance",
            "Error accepting authorization: acme: authorization error for api.test: 403 urn:ietf:params:acme:error:unauthorized: During secondary validation: While processing CAA for api.test: CAA record for api.test prevents issuance",
        ],
    );
    let refused = recognise(
        Speaker::Order,
        "Failed to create Order: 400 urn:ietf:params:acme:error:rejectedIdentifier: Error creating new order :: Cannot issue for \"api.local\": Domain name does not end with a valid public suffix (TLD); subproblems:\n\turn:ietf:params:acme:error:rejectedIdentifier: [dns: api.local] Error creating new order :: Domain name does not end with a valid public suffix (TLD)",
    )
    .unwrap();
    assert_eq!(refused.cause, Cause::NameRefused);
    assert!(
        refused.detail.ends_with(
            "; [dns: api.local] Error creating new order :: Domain name does not end with a valid public suffix (TLD)"
        ),
        "{}",
        refused.detail
    );
    assert_eq!(
        cause(
            Speaker::Order,
            "Failed to finalize Order: 400 urn:ietf:params:acme:error:badCSR: Error finalizing order :: invalid public key in CSR: unknown key type ed25519.PublicKey"
        ),
        Cause::RequestRefused
    );
}

#[test]
fn accounts_and_servers() {
    let issuers = [
        (
            "Failed to register ACME account: 400 urn:ietf:params:acme:error:invalidContact: Error validating contact(s) :: contact email has forbidden domain \"example.com\"",
            Cause::InvalidContact,
        ),
        (
            "Failed to register ACME account: 401 urn:ietf:params:acme:error:externalAccountRequired: No external account binding",
            Cause::Account,
        ),
        (
            "Failed to register ACME account: 403 urn:ietf:params:acme:error:unauthorized: An account with the provided public key exists but is deactivated",
            Cause::Account,
        ),
        (
            "Failed to register ACME account: Get \"https://pebble.test:14000/dir\": dial tcp: lookup pebble.test on 10.43.0.10:53: no such host",
            Cause::AcmeUnreachable,
        ),
        (
            "Failed to register ACME account: Get \"https://pebble.test:14000/dir\": dial tcp 10.43.1.1:14000: connect: connection refused",
            Cause::AcmeUnreachable,
        ),
        (
            "Failed to register ACME account: the ACME server returned an HTTP 404 response which is not an RFC 8555 problem document; the response body has been omitted and can be found in the cert-manager logs",
            Cause::AcmeUnreachable,
        ),
        (
            "Failed to register ACME account: Get \"https://pebble.test:14000/dir\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            Cause::AcmeUntrusted,
        ),
        (
            "Failed to register ACME account: 429 urn:ietf:params:acme:error:rateLimited: too many new registrations (10) from this IP address in the last 3h0m0s, retry after 2026-11-21 10:00:00 UTC",
            Cause::RateLimited { until: "2026-11-21T10:00:00Z".parse().ok() },
        ),
    ];
    for (text, expected) in issuers {
        assert_eq!(cause(Speaker::Issuer, text), expected, "{text}");
    }
    challenges(
        Cause::AcmeUnreachable,
        &[
            "Error accepting challenge: Post \"https://pebble.test:14000/chalZ/1\": dial tcp 10.43.1.1:14000: connect: connection refused",
        ],
    );
}

#[test]
fn a_check_that_failed_for_a_reason_of_its_own_is_a_failed_check() {
    challenges(
        Cause::ValidationFailed,
        &[
            "Error accepting authorization: acme: authorization error for api.test: 403 urn:ietf:params:acme:error:unauthorized: the authorization was deactivated meanwhile",
            "acme: authorization error for api.test: 400 urn:ietf:params:acme:error:malformed: unexpected answer",
        ],
    );
}

#[test]
fn a_text_that_says_nothing_is_not_recognised() {
    assert_eq!(recognise(Speaker::Challenge, ""), None);
    assert_eq!(recognise(Speaker::Challenge, "Successfully authorized domain"), None);
    assert_eq!(recognise(Speaker::Order, "Waiting on certificate issuance from order ffe/api-1-1: \"pending\""), None);
}

#[test]
fn hostile_texts_do_no_harm() {
    for text in [
        "retry after ",
        "retry after 2026-11-2\u{e9}",
        "urn:acme:error:",
        "urn:ietf:params:acme:error:rateLimited",
        "ÄÖÜ retry after ÄÖÜ ÄÖÜ ÄÖÜ ÄÖÜ",
    ] {
        let _ = recognise(Speaker::Order, text);
        assert_eq!(retry_after(text), None, "{text}");
    }
    assert!(tidy(&"ä".repeat(2000)).chars().count() < 510);
}

#[test]
fn only_the_part_that_matters_is_said() {
    let detail = |text: &str| recognise(Speaker::Challenge, text).unwrap().detail;
    assert_eq!(
        detail(
            "Waiting for HTTP-01 challenge propagation: failed to perform self check GET request 'http://api.test/t': Get \"http://api.test/t\": dial tcp 127.0.0.1:80: connect: connection refused"
        ),
        "dial tcp 127.0.0.1:80: connect: connection refused"
    );
    assert_eq!(
        detail(
            "while attempting to find Zones for domain _acme-challenge.api.test.\nwhile querying the Cloudflare API for GET \"/zones?name=test\" \n\t Error: 9109: Invalid access token"
        ),
        "9109: Invalid access token"
    );
    assert_eq!(
        detail(
            "while querying the Cloudflare API for GET \"/zones?name=test\": Get \"https://api.cloudflare.com/client/v4/zones?name=test\": dial tcp: lookup api.cloudflare.com on 10.96.0.10:53: no such host"
        ),
        "dial tcp: lookup api.cloudflare.com on 10.96.0.10:53: no such host"
    );
    assert_eq!(gist("Get \"unfinished"), "Get \"unfinished");
}
