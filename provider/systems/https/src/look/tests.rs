#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::testing::{Certified, HOST, Page, Server, Wanted, days};
use crate::{Bearer, Roots, through};

/// A listener that does this with every connection.
async fn listen<F>(with: impl Fn(TcpStream) -> F + Send + 'static) -> std::net::SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(with(stream));
        }
    });
    address
}

fn chain() -> (Certified, Certified) {
    let root = Wanted::ca("Root").self_signed();
    let leaf = Wanted::server().signed_by(&root);
    (root, leaf)
}

#[tokio::test]
async fn a_trusted_endpoint_is_seen_with_all_that_there_is() {
    let (root, leaf) = chain();
    let server = Server::https(&[&leaf], Page::new(200, &[("x-one", "1"), ("x-one", "2")])).await;
    let target = server.target().roots(root.roots()).path("/health?a=1").bearer(Bearer::new("s3cret").unwrap());
    let seen = look(&target).await.unwrap();
    assert_eq!((seen.url.as_str(), seen.peer.address), ("https://ffe.example.com/health?a=1", Some(server.address)));
    assert_eq!(seen.peer.to_string(), format!("ffe.example.com ({})", server.address));
    let tls = seen.tls.as_ref().unwrap();
    assert!(tls.trusted(), "{tls:?}");
    assert_eq!(tls.version.as_deref(), Some("TLSv1.3"));
    assert_eq!(tls.chain, crate::facts_of_pem(leaf.pem.as_bytes()).unwrap());
    let answer = seen.answer.as_ref().unwrap();
    assert_eq!((answer.status, &*answer.text(), answer.truncated), (200, "hello", false));
    assert_eq!((answer.header("X-One"), answer.headers_of("x-one")), (Some("1"), vec!["1", "2"]));
    let request = &server.requests()[0];
    assert_eq!((request.uri().to_string().as_str(), request.method().as_str()), ("/health?a=1", "GET"));
    assert_eq!(request.headers()["host"], HOST);
    assert_eq!(request.headers()["authorization"], "Bearer s3cret");
    assert!(!format!("{seen:?}").contains("s3cret") && !format!("{seen:?}").contains("hello"));
}

#[tokio::test]
async fn an_untrusted_endpoint_is_seen_too_with_the_reason() {
    let (root, _) = chain();
    let expired = Wanted { from: days(-90), until: days(-1), ..Wanted::server() }.signed_by(&root);
    let server = Server::https(&[&expired], Page::new(404, &[])).await;
    let seen = look(&server.target().roots(root.roots())).await.unwrap();
    let tls = seen.tls.unwrap();
    assert!(matches!(tls.distrust.as_slice(), [Distrust::Expired { .. }]), "{:?}", tls.distrust);
    assert_eq!(tls.leaf().unwrap().serial, "0abc12");
    assert_eq!(seen.answer.unwrap().status, 404);
}

#[tokio::test]
async fn a_token_is_never_sent_where_nothing_is_trusted() {
    let (_, leaf) = chain();
    let other = Wanted::ca("Other").self_signed();
    let server = Server::https(&[&leaf], Page::new(200, &[])).await;
    let bearer = Bearer::new("s3cret").unwrap();
    let seen = look(&server.target().roots(other.roots()).bearer(bearer.clone())).await.unwrap();
    assert_eq!(seen.answer.unwrap_err(), Failure::Withheld);
    assert!(matches!(seen.tls.unwrap().distrust.as_slice(), [Distrust::UnknownIssuer { .. }]));
    let plain = Server::http(Page::new(200, &[])).await;
    assert_eq!(look(&plain.plain().bearer(bearer)).await.unwrap_err(), Failure::Withheld);
    assert!(server.requests().is_empty() && plain.requests().is_empty());
}

#[tokio::test]
async fn redirects_are_answers_and_bodies_are_limited() {
    let page = Page { body: vec![b'x'; 300_000], ..Page::new(301, &[("location", "https://ffe.example.com/")]) };
    let server = Server::http(page).await;
    let target = Target { body_limit: 1000, ..server.plain() };
    let seen = look(&target).await.unwrap();
    let answer = seen.answer.unwrap();
    assert_eq!((answer.status, answer.header("location")), (301, Some("https://ffe.example.com/")));
    assert_eq!((answer.body.len(), answer.truncated, seen.tls), (1000, true, None));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_same_look_goes_over_any_other_connection() {
    let (root, leaf) = chain();
    let server = Server::https(&[&leaf], Page::new(200, &[])).await;
    let address = server.address;
    let way = through("a port-forward to pod web-0", move || TcpStream::connect(address));
    let target = Target::https(HOST).roots(root.roots());
    let seen = look_through(&target, &way).await.unwrap();
    assert!(seen.tls.unwrap().trusted());
    assert_eq!((seen.peer.name.as_str(), seen.peer.address), ("a port-forward to pod web-0", None));
    let broken = through("a port-forward to pod web-0", || async { Err::<TcpStream, _>("no pod is ready") });
    let failure = look_through(&target, &broken).await.unwrap_err();
    assert_eq!(failure.to_string(), "no connection to a port-forward to pod web-0: no pod is ready");
    assert!(failure.can_heal());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_as_such() {
    let failure = look(&Target::https("ffe.invalid").timeout(Duration::from_secs(60))).await.unwrap_err();
    assert!(matches!(&failure, Failure::Resolve { host, .. } if host == "ffe.invalid"), "{failure:?}");
    assert!(failure.to_string().starts_with("the name \"ffe.invalid\" cannot be resolved: ") && failure.can_heal());
    assert!(!failure.to_string().contains("failed to lookup"), "{failure}");
}

#[tokio::test]
async fn an_address_resolves_to_itself() {
    let found = crate::resolve("[::1]", Duration::from_secs(60)).await.unwrap();
    assert_eq!(found, [std::net::IpAddr::from(std::net::Ipv6Addr::LOCALHOST)]);
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = look(&Target::https(HOST).roots(chain().0.roots()).resolve_to(address)).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        format!("no connection to ffe.example.com ({address}): connection refused (nothing listens on that port)")
    );
    assert!(failure.can_heal());
}

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    // Where the machine's own name has an IPv6 address too, nobody listens there.
    let server = Server::http(Page::new(200, &[])).await;
    let seen = look(&Target::http("localhost").port(server.address.port())).await.unwrap();
    assert_eq!((seen.peer.address, seen.answer.unwrap().status), (Some(server.address), 200));
    assert_eq!(server.requests()[0].headers()["host"], format!("localhost:{}", server.address.port()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let text = look(&Target::http("localhost").port(port)).await.unwrap_err().to_string();
    assert!(text.contains("localhost") && text.contains("127.0.0.1") && text.contains("connection refused"), "{text}");
}

#[tokio::test]
async fn how_far_it_came_is_told_when_the_time_is_over() {
    let silent = listen(|stream| async move {
        let _stream = stream;
        std::future::pending().await
    })
    .await;
    let quick = Duration::from_millis(50);
    let roots = chain().0.roots();
    let https = Target::https(HOST).roots(roots).resolve_to(silent).timeout(quick);
    let failure = look(&https).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { stage: Stage::Handshake, .. }), "{failure:?}");
    assert!(failure.to_string().contains("the TLS handshake was not answered") && failure.can_heal());
    let failure = look(&Target::http(HOST).resolve_to(silent).timeout(quick)).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { stage: Stage::Answer, .. }), "{failure:?}");
    let never = through("nowhere", std::future::pending::<Result<TcpStream, String>>);
    let failure = look_through(&https, &never).await.unwrap_err();
    assert!(matches!(failure, Failure::TimedOut { stage: Stage::Connect, .. }), "{failure:?}");
}

#[tokio::test]
async fn what_is_neither_tls_nor_http_is_told() {
    let words = listen(|mut stream| async move {
        let _ = stream.read(&mut [0; 16]).await;
        let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n\r\n").await;
    })
    .await;
    let closing = listen(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.shutdown().await;
    })
    .await;
    let (root, _) = chain();
    let https = |address| Target::https(HOST).roots(root.roots()).resolve_to(address);
    let text = look(&https(words)).await.unwrap_err().to_string();
    assert!(text.contains("the TLS handshake failed: what came is not TLS; is this a port for plain HTTP?"), "{text}");
    let text = look(&https(closing)).await.unwrap_err().to_string();
    assert!(text.contains("the connection was closed within the handshake"), "{text}");
    let http = |address| Target::http(HOST).resolve_to(address);
    let text = look(&http(words)).await.unwrap_err().to_string();
    assert!(text.contains("no HTTP answer: what came is not HTTP"), "{text}");
    let text = look(&http(closing)).await.unwrap_err().to_string();
    assert!(text.contains("no HTTP answer: the connection was closed before an answer"), "{text}");
}

#[tokio::test]
async fn a_certificate_is_seen_even_where_the_connection_breaks_off_behind_it() {
    let (root, leaf) = chain();
    let server = Server::https(&[&leaf], Page::new(200, &[])).await;
    let backend = server.address;
    // Lets the server's side through and cuts the connection at the client's second flight.
    let cutting = listen(move |mut client| async move {
        let mut upstream = TcpStream::connect(backend).await.unwrap();
        let mut bytes = vec![0; 65536];
        let hello = client.read(&mut bytes).await.unwrap();
        upstream.write_all(&bytes[..hello]).await.unwrap();
        let (mut from, mut to) = client.split();
        let (mut answer, _keep) = upstream.split();
        let mut second = [0; 16];
        tokio::select! {
            _ = tokio::io::copy(&mut answer, &mut to) => {}
            _ = from.read(&mut second) => {}
        }
    })
    .await;
    let seen = look(&Target::https(HOST).roots(root.roots()).resolve_to(cutting)).await.unwrap();
    assert_eq!(seen.tls.unwrap().leaf().unwrap().serial, "0abc12");
    assert!(matches!(seen.answer, Err(Failure::Http { .. } | Failure::Tls { .. })), "{:?}", seen.answer);
}

#[tokio::test]
async fn what_is_asked_for_wrongly_stays_wrong() {
    let (root, leaf) = chain();
    let server = Server::https(&[&leaf], Page::new(200, &[])).await;
    let failure = look(&Target { host: "no host".to_owned(), ..server.target() }).await.unwrap_err();
    assert_eq!(failure.to_string(), "\"no host\" is neither a host name nor an address");
    assert!(!failure.can_heal());
    for path in ["health", "/a b", ""] {
        let seen = look(&server.target().roots(root.roots()).path(path)).await.unwrap();
        let failure = seen.answer.unwrap_err();
        assert!(failure.to_string().starts_with(&format!("\"{path}\" is no path")) && !failure.can_heal(), "{failure}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_bundle_counts_besides_the_systems_own_roots() {
    let (root, leaf) = chain();
    let server = Server::https(&[&leaf], Page::new(200, &[])).await;
    let Roots::Bundle(bundle) = root.roots() else { panic!("no bundle") };
    let seen = look(&server.target().roots(Roots::Both(bundle.clone()))).await.unwrap();
    assert!(seen.tls.unwrap().trusted());
    assert_eq!(format!("{bundle:?}"), "[\"O=Three Rivers, CN=Root\"]");
}

#[test]
fn looks_can_be_awaited_on_any_thread() {
    fn sent<T: Send>(_: T) {}
    let target = Target::https(HOST);
    sent(look(&target));
    sent(crate::observe((&target, &Direct), None, &crate::Expected::default()));
}

#[tokio::test]
async fn an_address_that_this_machine_has_no_way_to_is_told_apart_from_one_that_refuses() {
    // Addresses for documentation, of a family that a machine may lack; where it has a way, nobody answers there.
    let target = Target::http(HOST)
        .resolve_to(std::net::IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]))
        .timeout(Duration::from_millis(200));
    let failure = look(&target).await.unwrap_err();
    assert!(
        matches!(failure, Failure::NoWay { .. } | Failure::TimedOut { .. } | Failure::Connect { .. }),
        "{failure:?}"
    );
    let error = |number| std::io::Error::from_raw_os_error(number);
    // Linux: ENETUNREACH, EADDRNOTAVAIL; ECONNREFUSED, EHOSTUNREACH.
    for (number, without_way) in [(101, true), (99, true), (111, false), (113, false)] {
        assert_eq!(crate::connect::is_without_way(&error(number)), without_way, "{number}");
    }
}
