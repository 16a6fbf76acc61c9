//! The look at HTTPS in the end, at a server that answers with the certificate of the Secret.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffe_cluster::ObjectRef;
use ffe_cluster_testing::FakeApi;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value as Json, json};
use tfplugin_testing::Told;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::controllers::{Pair, pair};
use crate::world::{ENDPOINT, NAMESPACE, World, endpoint};

/// What an endpoint sets where nothing is said.
pub(crate) const HEADERS: &str = "Strict-Transport-Security: max-age=31536000\r\nX-Content-Type-Options: nosniff\r\n";

/// A server of HTTPS that has the certificate of the Secret, or another one of its own.
async fn serve(api: FakeApi, headers: &'static str, own: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve_at(listener, api, headers, own);
    address
}

fn serve_at(listener: TcpListener, api: FakeApi, headers: &'static str, own: bool) {
    let own = own.then(|| pair(&["api.example.com".to_owned()]));
    serve_with(listener, api, own, move |_| headers);
}

/// The same, whose headers depend on what is there.
pub(crate) async fn serve_by(api: FakeApi, headers: impl Fn(&FakeApi) -> &'static str + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve_with(listener, api, None, headers);
    address
}

fn serve_with(
    listener: TcpListener,
    api: FakeApi,
    own: Option<Pair>,
    headers: impl Fn(&FakeApi) -> &'static str + Send + 'static,
) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (chain, key) = match &own {
                Some(own) => (own.chain.clone().into_bytes(), own.key.clone().into_bytes()),
                None => match api.get(&secret()) {
                    Some(secret) => (entry(&secret, "tls.crt"), entry(&secret, "tls.key")),
                    // As a controller that has no certificate yet.
                    None => continue,
                },
            };
            tokio::spawn(answer(acceptor(&chain, &key), stream, headers(&api)));
        }
    });
}

fn secret() -> ObjectRef {
    ObjectRef::new("v1", "Secret", Some(NAMESPACE), "api-tls")
}

fn entry(secret: &Json, key: &str) -> Vec<u8> {
    STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap()
}

fn acceptor(chain: &[u8], key: &[u8]) -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(chain).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()))
}

async fn answer(acceptor: TlsAcceptor, stream: TcpStream, headers: &str) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut request = vec![0; 4096];
    let read = stream.read(&mut request).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..read]).to_string();
    let status = match request.split(' ').nth(1).unwrap_or_default() {
        "/secret" if !request.contains("Bearer t0ken-canary") => "401 Unauthorized",
        "/v1" => "405 Method Not Allowed",
        "/missing" => "404 Not Found",
        "/broken" => "503 Service Unavailable",
        _ => "200 OK",
    };
    let text = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 2\r\nConnection: close\r\n\r\nok");
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn config(address: SocketAddr, verify: Json) -> Json {
    let mut whole = json!({ "resolve_to": address.to_string(), "redirect": false, "timeout": "20s" });
    whole.as_object_mut().unwrap().extend(verify.as_object().unwrap().clone());
    endpoint(json!({ "verify": whole }))
}

fn outcome(state: &Json, check: &str) -> String {
    result(state, check)["outcome"].as_str().unwrap().to_owned()
}

fn result<'a>(state: &'a Json, check: &str) -> &'a Json {
    let results = state["verify_results"].as_array().unwrap();
    results.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("{check} is not in {results:?}"))
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sees_is_in_the_state_and_the_token_is_not() {
    let world = World::with_dns();
    let address = serve(world.api.clone(), HEADERS, false).await;
    let mut tf = world.terraform().await.canary("t0ken-canary");
    let checks = json!({ "checks": [{ "path": "/secret", "bearer_wo": "t0ken-canary" }], "issuer": "Test Authority" });
    let done = tf.apply(ENDPOINT, "this", config(address, checks)).await;
    done.expect_ok();
    for check in ["chain", "names", "issuer", "certificate", "status", "header X-Content-Type-Options", "check /secret"]
    {
        assert_eq!(outcome(&done.state, check), "passed", "{check}");
    }
    assert_eq!(outcome(&done.state, "resolved"), "skipped");
}

#[tokio::test(start_paused = true)]
async fn the_time_that_it_takes_to_be_seen_does_not_count_against_the_time_for_the_certificate() {
    let world = World::with_dns();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let (api, orders) = (world.api.clone(), world.controllers.counter());
    tokio::spawn(async move {
        while orders.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // Longer than `timeout`.
        tokio::time::sleep(Duration::from_secs(90)).await;
        serve_at(TcpListener::bind(address).await.unwrap(), api, HEADERS, false);
    });
    let mut tf = world.terraform().await;
    let mut config = config(address, json!({ "timeout": "10m" }));
    config["timeout"] = json!("1m");
    config["alert"] = json!({});
    tf.apply(ENDPOINT, "this", config).await.expect_ok();
    assert_eq!(world.names("PrometheusRule"), ["api-certificate"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_as_expected_fails_at_its_attribute() {
    for (headers, own, verify, path, said) in [
        ("", false, json!({}), "security", "header"),
        (HEADERS, true, json!({}), "verify", "another certificate is served, for api.example.com"),
        (HEADERS, false, json!({ "status": 418 }), "verify.path", "418"),
        (HEADERS, false, json!({ "issuer": "Somebody Else" }), "verify.issuer", "Somebody Else"),
        (HEADERS, false, json!({ "checks": [{ "path": "/secret" }] }), "verify.checks", "401"),
    ] {
        let world = World::with_dns();
        let address = serve(world.api.clone(), headers, own).await;
        let mut tf = world.terraform().await;
        let failed = tf.apply(ENDPOINT, "this", config(address, verify.clone())).await;
        let text = failed.diagnostics().to_string();
        assert!(
            failed.state.is_null() && text.contains("https://api.example.com is not as expected"),
            "{verify}: {text}"
        );
        assert!(text.contains(said), "{verify}: {text}");
        let first = failed.diagnostics().iter().find(|one| one.is_error()).unwrap().path.clone().unwrap_or_default();
        assert!(first.to_string().starts_with(path), "{verify}: {first}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_that_answers_is_said_with_what_was_tried() {
    let world = World::with_dns();
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", config(address, json!({}))).await.expect_error("hosts", "connection refused");
    let inside = endpoint(json!({ "verify": { "from": "inside", "timeout": "20s" } }));
    tf.apply(ENDPOINT, "this", inside).await.expect_error("hosts", "verify.controller");
}

#[tokio::test(start_paused = true)]
async fn a_wildcard_is_looked_at_by_a_name_below_it() {
    let world = World::with_dns();
    let address = serve(world.api.clone(), HEADERS, false).await;
    let wild = |verify: Json| {
        let mut wild = config(address, verify);
        wild["hosts"] = json!(["*.example.com"]);
        wild
    };
    let mut tf = world.terraform().await.canary("t0ken-canary");
    let checks = json!({ "checks": [{ "path": "/secret", "bearer_wo": "t0ken-canary" }] });
    let done = tf.apply(ENDPOINT, "this", wild(checks)).await;
    done.expect_ok();
    for check in ["names", "certificate", "status", "check /secret"] {
        let found = result(&done.state, check);
        assert_eq!((&found["host"], &found["outcome"]), (&json!("*.example.com"), &json!("passed")), "{found}");
        assert!(found["detail"].as_str().unwrap().contains("(as ffe-verify-"), "{found}");
    }

    // Nobody behind it, or nobody who knows the name: that is said, and what to do about the name.
    let failed = tf.apply(ENDPOINT, "this", wild(json!({ "path": "/broken" }))).await;
    failed.expect_error("verify.path", "answered 503").expect_error("verify.path", "verify.wildcard_label");
    let named = tf.apply(ENDPOINT, "this", wild(json!({ "wildcard_label": "demo" }))).await;
    named.expect_ok();
    assert!(
        result(&named.state, "status")["detail"].as_str().unwrap().contains("(as demo.example.com)"),
        "{}",
        named.state
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_host_is_looked_at_where_the_endpoint_serves_it() {
    let world = World::with_dns();
    let address = serve(world.api.clone(), HEADERS, false).await;
    let mut tf = world.terraform().await;
    let mut part = config(address, json!({}));
    part["path"] = json!("/v1");
    let done = tf.apply(ENDPOINT, "this", part.clone()).await;
    done.expect_ok();
    assert_eq!(
        (outcome(&done.state, "status"), &result(&done.state, "status")["detail"]),
        ("passed".to_owned(), &json!("405"))
    );
    assert_eq!((&done.state["verify"]["path"], &done.state["verify"]["status"]), (&json!("/v1"), &json!(null)));
    tf.assert_empty_plan(ENDPOINT, "this", part.clone()).await;
    // The status is the one that is named.
    part["verify"]["status"] = json!(200);
    tf.apply(ENDPOINT, "this", part.clone()).await.expect_error("verify.path", "answered 405, expected 200");
    part["verify"]["path"] = json!("/health");
    tf.apply(ENDPOINT, "this", part).await.expect_error("verify.path", "is not below it");
}

#[tokio::test(start_paused = true)]
async fn what_nothing_will_change_any_more_is_not_waited_for() {
    let world = World::with_dns();
    let address = serve(world.api.clone(), HEADERS, false).await;
    let mut tf = world.terraform().await;
    let began = tokio::time::Instant::now();
    let missing = json!({ "path": "/missing", "timeout": "1h" });
    let failed = tf.apply(ENDPOINT, "this", config(address, missing)).await;
    failed.expect_error("verify.path", "The same for 2m").expect_error("verify.path", "no route matches");
    assert!(began.elapsed() < Duration::from_secs(600), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_renewed_while_it_is_looked_at_is_the_one_to_expect() {
    let world = World::with_dns();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let renewed = pair(&["api.example.com".to_owned()]);
    let (chain, key) = (renewed.chain.clone().into_bytes(), renewed.key.clone().into_bytes());
    let api = world.api.clone();
    tokio::spawn(async move {
        // The controller has read the new Secret before we did.
        while let Ok((stream, _)) = listener.accept().await {
            answer(acceptor(&chain, &key), stream, HEADERS).await;
            if let Some(live) = api.get(&secret()).filter(|live| entry(live, "tls.crt") != chain) {
                drop(live);
                api.edit(&secret(), |secret| {
                    secret["data"]["tls.crt"] = json!(STANDARD.encode(&renewed.chain));
                    secret["data"]["tls.key"] = json!(STANDARD.encode(&renewed.key));
                    secret["data"]["ca.crt"] = json!(STANDARD.encode(&renewed.authority));
                });
            }
        }
    });
    let mut tf = world.terraform().await;
    let done = tf.apply(ENDPOINT, "this", config(address, json!({}))).await;
    done.expect_ok();
    assert_eq!(outcome(&done.state, "certificate"), "passed");
}

#[tokio::test(start_paused = true)]
async fn every_address_of_the_load_balancer_is_looked_at() {
    for other_is_ours in [true, false] {
        let world = World::with_dns();
        let first = serve(world.api.clone(), HEADERS, false).await;
        let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let second = listener.local_addr().unwrap();
        serve_at(listener, world.api.clone(), HEADERS, !other_is_ours);
        world.controllers.give_addresses(false);
        let api = world.api.clone();
        tokio::spawn(async move {
            let ingress = ObjectRef::new("networking.k8s.io/v1", "Ingress", Some(NAMESPACE), "api");
            while api.get(&ingress).is_none() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            // With a port, which a real status has not: nobody here may listen on 443.
            let addresses = [first, second].map(|address| json!({ "hostname": address.to_string() }));
            api.edit(&ingress, |ingress| ingress["status"] = json!({ "loadBalancer": { "ingress": addresses } }));
        });
        let mut tf = world.terraform().await;
        // A name that nobody resolves: it is looked at where the controller says that it is reached.
        let mut config = endpoint(json!({ "verify": { "redirect": false, "timeout": "20s" } }));
        config["hosts"] = json!(["api.ffe.invalid"]);
        let done = tf.apply(ENDPOINT, "this", config).await;
        if other_is_ours {
            done.expect_ok();
            let detail = result(&done.state, "certificate")["detail"].as_str().unwrap();
            assert!(detail.ends_with("(at 127.0.0.1, at 127.0.0.2)"), "{detail}");
        } else {
            done.expect_error("verify.ca_bundle", "another certificate is served")
                .expect_error("verify.ca_bundle", "(at 127.0.0.2)");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_staging_certificate_of_an_issuer_that_is_referred_to_does_not_pass() {
    let world = World::with_dns();
    world.issuer("le", json!({ "acme": { "server": ffe_cert_manager::LETSENCRYPT, "privateKeySecretRef": { "name": "le" }, "solvers": [] } }));
    world.controllers.sign_as("(STAGING) Ersatz Edamame E1");
    let address = serve(world.api.clone(), HEADERS, false).await;
    let mut tf = world.terraform().await;
    let mut config = config(address, json!({}));
    config["issuer"] = json!({ "name": "le" });
    let failed = tf.apply(ENDPOINT, "this", config.clone()).await;
    failed
        .expect_error("verify.ca_bundle", "not trusted")
        .expect_error("verify.ca_bundle", "was not issued by what Issuer ffe/le asks now");

    // An issuer that asks the staging server is judged like one's own, and said.
    world.issuer("le", json!({ "acme": { "server": ffe_cert_manager::LETSENCRYPT_STAGING, "privateKeySecretRef": { "name": "le" }, "solvers": [] } }));
    let done = tf.apply(ENDPOINT, "this", config).await;
    done.expect_ok().expect_warning("issuer.name", "No browser trusts the certificates of Issuer ffe/le");
    assert_eq!(outcome(&done.state, "chain"), "skipped");
}
