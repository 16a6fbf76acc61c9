//! The look at HTTPS in the end, at a server that answers with the certificate of the Secret.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffe_cluster::ObjectRef;
use ffe_cluster::testing::FakeApi;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value as Json, json};
use tfplugin_testing::Told;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::controllers::pair;
use crate::world::{ENDPOINT, NAMESPACE, World, endpoint};

const HEADERS: &str = "Strict-Transport-Security: max-age=31536000\r\nX-Frame-Options: DENY\r\n\
                       Content-Security-Policy: default-src 'self'\r\nX-Content-Type-Options: nosniff\r\n";

/// A server of HTTPS that has the certificate of the Secret, or another one of its own.
async fn serve(api: FakeApi, headers: &'static str, own: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve_at(listener, api, headers, own);
    address
}

fn serve_at(listener: TcpListener, api: FakeApi, headers: &'static str, own: bool) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let secret = api.get(&ObjectRef::new("v1", "Secret", Some(NAMESPACE), "api-tls"));
            let acceptor = acceptor(secret.filter(|_| !own).as_ref());
            tokio::spawn(answer(acceptor, stream, headers));
        }
    });
}

fn acceptor(secret: Option<&Json>) -> TlsAcceptor {
    let entry = |secret: &Json, key: &str| STANDARD.decode(secret["data"][key].as_str().unwrap()).unwrap();
    let (chain, key) = match secret {
        Some(secret) => (entry(secret, "tls.crt"), entry(secret, "tls.key")),
        None => {
            let pair = pair(&["api.example.com".to_owned()]);
            (pair.chain.into_bytes(), pair.key.into_bytes())
        }
    };
    let chain = CertificateDer::pem_slice_iter(&chain).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()))
}

async fn answer(acceptor: TlsAcceptor, stream: TcpStream, headers: &str) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut request = vec![0; 4096];
    let read = stream.read(&mut request).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&request[..read]).to_string();
    let refused = request.starts_with("GET /secret ") && !request.contains("Bearer t0ken-canary");
    let status = if refused { "401 Unauthorized" } else { "200 OK" };
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
    let results = state["verify_results"].as_array().unwrap();
    let found =
        results.iter().find(|one| one["check"] == check).unwrap_or_else(|| panic!("{check} is not in {results:?}"));
    found["outcome"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sees_is_in_the_state_and_the_token_is_not() {
    let world = World::with_dns();
    let address = serve(world.api.clone(), HEADERS, false).await;
    let mut tf = world.terraform().await.canary("t0ken-canary");
    let checks = json!({ "checks": [{ "path": "/secret", "bearer_wo": "t0ken-canary" }], "issuer": "Test Authority" });
    let done = tf.apply(ENDPOINT, "this", config(address, checks)).await;
    done.expect_ok();
    for check in ["chain", "names", "issuer", "certificate", "status", "header X-Frame-Options", "check /secret"] {
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
        (HEADERS, true, json!({}), "verify", ""),
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
