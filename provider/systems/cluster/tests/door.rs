//! A child process that reaches the API server by way of us.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use ffe_cluster::{Cancel, Door, Guard};
use ffe_cluster_testing::{FakeApi, SERVER};
use futures::FutureExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The address that the child is told.
fn url(door: &Door) -> String {
    let kubeconfig: Value = serde_json::from_str(&door.kubeconfig_document()).unwrap();
    kubeconfig["clusters"][0]["cluster"]["server"].as_str().unwrap().to_owned()
}

/// What a child sends, and what it is answered.
async fn said(url: &str, method: &str, path: &str, body: &str) -> String {
    let (address, key) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} /{key}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn open() -> Guard {
    Arc::new(|_| async {}.boxed())
}

const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const SECRET: &str = r#"{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}"#;

#[tokio::test]
async fn what_is_asked_is_answered_by_the_api_server() {
    let api = FakeApi::new();
    let door = api.cluster().open_door(open()).await.unwrap();
    let made = said(&url(&door), "POST", SECRETS, SECRET).await;
    assert!(made.starts_with("HTTP/1.1 200"), "{made}");
    let found = said(&url(&door), "GET", &format!("{SECRETS}/a?x=1"), "").await;
    assert!(found.starts_with("HTTP/1.1 200") && found.contains("\"name\":\"a\""), "{found}");
    assert!(api.seen().iter().any(|seen| seen.query == "x=1"));
    let missing = said(&url(&door), "GET", &format!("{SECRETS}/b"), "").await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
}

#[tokio::test]
async fn who_does_not_know_the_way_is_turned_away() {
    let api = FakeApi::new();
    let door = api.cluster().open_door(open()).await.unwrap();
    let url = url(&door);
    let (address, key) = url.rsplit_once('/').unwrap();
    for wrong in [format!("{address}/x"), format!("{address}/{key}x"), address.to_owned() + "/"] {
        let answer = said(&wrong, "GET", &format!("{SECRETS}/a"), "").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{wrong}: {answer}");
    }
    assert_eq!(api.seen(), Vec::new());
}

#[tokio::test]
async fn a_write_waits_for_the_guard_and_a_read_does_not() {
    let api = FakeApi::new();
    let (go, asked) = (Cancel::new(), Arc::new(Mutex::new(Vec::new())));
    let guard: Guard = {
        let (go, asked) = (go.clone(), Arc::clone(&asked));
        Arc::new(move |write| {
            asked.lock().unwrap().push((write.method.to_string(), write.path, write.body.len()));
            go.clone().cancelled_owned().boxed()
        })
    };
    let door = api.cluster().open_door(guard).await.unwrap();
    let address = url(&door);
    let writing = tokio::spawn(async move { said(&address, "POST", SECRETS, SECRET).await });
    while asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let read = said(&url(&door), "GET", "/version", "").await;
    assert!(read.starts_with("HTTP/1.1 200"), "{read}");
    assert_eq!((api.count("POST", "/secrets"), writing.is_finished()), (0, false));
    assert_eq!(*asked.lock().unwrap(), [("POST".to_owned(), SECRETS.to_owned(), SECRET.len())]);
    go.cancel();
    assert!(writing.await.unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(api.count("POST", "/secrets"), 1);
}

#[tokio::test]
async fn a_door_that_is_shut_lets_nothing_through_that_waits() {
    let api = FakeApi::new();
    let (reached, mut arrived) = tokio::sync::mpsc::unbounded_channel();
    let guard: Guard = Arc::new(move |_| {
        reached.send(()).unwrap();
        std::future::pending().boxed()
    });
    let door = api.cluster().open_door(guard).await.unwrap();
    let address = url(&door);
    let writing = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address[7..].split_once('/').unwrap().0).await.unwrap();
        let key = address.rsplit_once('/').unwrap().1;
        let head = format!("DELETE /{key}{SECRETS}/a HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        answer
    });
    arrived.recv().await.unwrap();
    drop(door);
    assert_eq!(writing.await.unwrap(), Vec::<u8>::new());
    assert_eq!(api.count("DELETE", "/secrets"), 0);
}

#[tokio::test]
async fn the_childs_texts_name_the_server() {
    let door = FakeApi::new().cluster().open_door(open()).await.unwrap();
    let text = format!("Get \"{}/version\": EOF", url(&door));
    assert_eq!(door.unmask(&text), format!("Get \"{SERVER}/version\": EOF"));
}
