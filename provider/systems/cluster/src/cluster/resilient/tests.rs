#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::convert::Infallible;

use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::net::TcpListener;

use super::*;

/// What a scripted server does with one request.
#[derive(Clone)]
enum Step {
    Answer(u16, &'static str),
    RetryAfter(u16, u64),
    /// Accepted, never answered
    Silence,
    /// Answered, and the body breaks off
    Half,
    /// An answer whose body goes on for ever
    Stream,
}

#[derive(Clone)]
struct Scripted {
    steps: Arc<Mutex<VecDeque<Step>>>,
    calls: Arc<Mutex<Vec<Instant>>>,
}

impl Scripted {
    fn new(steps: &[Step]) -> Self {
        Self { steps: Arc::new(Mutex::new(steps.to_vec().into())), calls: Arc::default() }
    }

    fn calls(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    async fn call(self) -> Result<Answer, BoxError> {
        self.calls.lock().unwrap().push(Instant::now());
        let step = self.steps.lock().unwrap().pop_front().unwrap_or(Step::Answer(200, "last"));
        let mut answer = match step {
            Step::Answer(status, text) => {
                let mut answer = Response::new(whole(Bytes::from(text)));
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                answer
            }
            Step::RetryAfter(status, seconds) => {
                let mut answer = Response::new(whole(Bytes::new()));
                *answer.status_mut() = StatusCode::from_u16(status).unwrap();
                answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                answer
            }
            Step::Silence => std::future::pending().await,
            Step::Half => {
                let frames: Vec<Result<Frame<Bytes>, BoxError>> =
                    vec![Ok(Frame::data(Bytes::from("ha"))), Err("connection reset by peer".into())];
                Response::new(Box::new(StreamBody::new(futures::stream::iter(frames))) as Box<DynBody>)
            }
            Step::Stream => {
                let forever = futures::stream::pending::<Result<Frame<Bytes>, BoxError>>();
                Response::new(Box::new(StreamBody::new(forever)) as Box<DynBody>)
            }
        };
        answer.extensions_mut().clear();
        Ok(answer)
    }
}

async fn send(scripted: &Scripted, request: Request<Body>) -> Result<Answer, BoxError> {
    let scripted = scripted.clone();
    let service = tower::service_fn(move |_: Request<Body>| scripted.clone().call());
    Resilient::new(service, Timeouts::default()).oneshot(request).await
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::from(b"{}".to_vec())).unwrap()
}

fn apply(path: &str) -> Request<Body> {
    let mut request = request("PATCH", path);
    request.headers_mut().insert(header::CONTENT_TYPE, "application/apply-patch+yaml".parse().unwrap());
    request
}

async fn status(scripted: &Scripted, request: Request<Body>) -> u16 {
    send(scripted, request).await.unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn reads_are_tried_again_and_other_answers_are_handed_on() {
    let server =
        Scripted::new(&[Step::Answer(500, ""), Step::Answer(503, ""), Step::Answer(429, ""), Step::Answer(200, "ok")]);
    assert_eq!(status(&server, request("GET", "/a")).await, 200);
    assert_eq!(server.calls(), 4);
    for code in [200, 401, 403, 404, 409, 422] {
        let server = Scripted::new(&[Step::Answer(code, "")]);
        assert_eq!(status(&server, request("GET", "/a")).await, code);
        assert_eq!(server.calls(), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn trying_again_has_an_end() {
    let server = Scripted::new(&vec![Step::Answer(503, ""); 100]);
    assert_eq!(status(&server, request("GET", "/a")).await, 503);
    assert_eq!(server.calls(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_not_done_twice() {
    for (method, again) in [("POST", false), ("PUT", false), ("PATCH", false), ("DELETE", true), ("GET", true)] {
        for step in [Step::Answer(503, ""), Step::Half, Step::Silence] {
            let server = Scripted::new(&[step]);
            let _ = send(&server, request(method, "/a")).await;
            assert_eq!(server.calls() > 1, again, "{method}");
        }
        // 429 is answered before anything is done
        let server = Scripted::new(&[Step::Answer(429, "")]);
        assert_eq!(status(&server, request(method, "/a")).await, 200, "{method}");
    }
    let server = Scripted::new(&[Step::Half, Step::Answer(504, "")]);
    assert_eq!(status(&server, apply("/a")).await, 200, "an apply is the same twice");
    let server = Scripted::new(&[Step::Answer(500, "")]);
    assert_eq!(status(&server, apply("/a")).await, 500);
}

#[tokio::test(start_paused = true)]
async fn the_server_says_how_long_to_wait() {
    let server = Scripted::new(&[Step::RetryAfter(429, 7), Step::Answer(200, "")]);
    assert_eq!(status(&server, request("GET", "/a")).await, 200);
    let calls = server.calls.lock().unwrap().clone();
    assert!(calls[1] - calls[0] >= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn silence_has_an_end() {
    let server = Scripted::new(&[Step::Silence, Step::Silence, Step::Silence]);
    let error = send(&server, request("GET", "/a")).await.err().unwrap();
    assert!(error.to_string().contains("no answer within 30s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn answers_are_read_whole_and_streams_are_not() {
    let server = Scripted::new(&[Step::Half, Step::Answer(200, "whole")]);
    let body = send(&server, request("GET", "/a")).await.unwrap().into_body();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "whole");
    for path in ["/pods?watch=true&x=y", "/pods/a/log?follow=true&"] {
        let server = Scripted::new(&[Step::Stream]);
        assert_eq!(status(&server, request("GET", path)).await, 200);
    }
}

/// A port that nothing listens on.
async fn dead_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}

fn cluster_at(port: u16, timeouts: Timeouts) -> crate::Cluster {
    let settings = crate::KubernetesSettings { host: Some(format!("http://127.0.0.1:{port}")), ..Default::default() };
    let nothing = crate::Environment::for_tests(Vec::<(String, String)>::new(), None);
    crate::Cluster::new(settings.resolve(&nothing).unwrap(), timeouts)
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_never_not_found() {
    let timeouts = Timeouts { unreachable: Duration::from_millis(300), ..Timeouts::default() };
    let cluster = cluster_at(dead_port().await, timeouts);
    let error = cluster.find::<k8s_openapi::api::core::v1::Secret>(Some("a"), "b").await.unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Unavailable, "{error}");
    let text = error.to_string();
    assert!(text.contains("Secret a/b") && text.contains("http://127.0.0.1"), "{text}");
    assert!(text.contains("refused"), "{text}");
}

/// Answers every request on a real socket with its user agent and authorization.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let answer = hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
                    let get = |name: header::HeaderName| {
                        request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
                    };
                    let uid = format!("{}|{}", get(header::USER_AGENT), get(header::AUTHORIZATION));
                    let body = serde_json::json!({"apiVersion": "v1", "kind": "Namespace",
                        "metadata": {"name": "kube-system", "uid": uid}});
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body.to_string()))))
                });
                let io = hyper_util::rt::TokioIo::new(stream);
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn requests_carry_our_name_and_the_credentials_of_an_exec_plugin() {
    let port = echo().await;
    let credential =
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"from-plugin"}}"#;
    let settings = crate::KubernetesSettings {
        host: Some(format!("http://127.0.0.1:{port}")),
        exec: Some(crate::ExecSettings {
            api_version: "client.authentication.k8s.io/v1".into(),
            command: "sh".into(),
            args: vec!["-c".into(), format!("echo '{credential}'")],
            env: Default::default(),
        }),
        ..Default::default()
    };
    let nothing = crate::Environment::for_tests(Vec::<(String, String)>::new(), None);
    let cluster = crate::Cluster::connect(&settings, &nothing).unwrap();
    let identity = cluster.identity().await.unwrap();
    assert!(identity.starts_with("terraform-provider-ffe/"), "{identity}");
    assert!(identity.ends_with("|Bearer from-plugin"), "{identity}");
}

#[tokio::test]
async fn an_exec_plugin_that_fails_is_named_with_its_complaint_and_without_its_output() {
    let settings = crate::KubernetesSettings {
        host: Some("http://127.0.0.1:1".into()),
        exec: Some(crate::ExecSettings {
            api_version: "client.authentication.k8s.io/v1".into(),
            command: "sh".into(),
            args: vec!["-c".into(), "echo hunter2; echo session expired >&2; exit 3".into()],
            env: [("SECRET".to_owned(), "hunter2".to_owned())].into(),
        }),
        ..Default::default()
    };
    let nothing = crate::Environment::for_tests(Vec::<(String, String)>::new(), None);
    let cluster = crate::Cluster::connect(&settings, &nothing).unwrap();
    let error = cluster.identity().await.unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Credentials);
    let text = format!("{error} {error:?}");
    assert!(text.contains("credential command sh failed") && text.contains("session expired"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_server_known_to_be_away_is_asked_once() {
    let manner = Manner::of(&request("GET", "/a"));
    let tried =
        |known_away: bool, elapsed: u64| Tried { attempt: 0, elapsed: Duration::from_secs(elapsed), known_away };
    let timeouts = Timeouts::default();
    assert!(pause(manner, &Outcome::Unreachable, tried(false, 0), &timeouts).is_some());
    assert!(pause(manner, &Outcome::Unreachable, tried(true, 0), &timeouts).is_none());
    assert!(pause(manner, &Outcome::Unreachable, tried(false, 8), &timeouts).is_none());
    // nothing was sent: even a create may be tried again
    let post = Manner::of(&request("POST", "/a"));
    assert!(pause(post, &Outcome::Unreachable, tried(false, 0), &timeouts).is_some());
}

#[tokio::test]
async fn an_exec_plugin_that_hangs_is_given_up() {
    let settings = crate::KubernetesSettings {
        host: Some("http://127.0.0.1:1".into()),
        exec: Some(crate::ExecSettings {
            api_version: "client.authentication.k8s.io/v1".into(),
            command: "sleep".into(),
            args: vec!["2".into()],
            env: Default::default(),
        }),
        ..Default::default()
    };
    let nothing = crate::Environment::for_tests(Vec::<(String, String)>::new(), None);
    let timeouts = Timeouts { credentials: Duration::from_millis(50), ..Timeouts::default() };
    let cluster = crate::Cluster::new(settings.resolve(&nothing).unwrap(), timeouts);
    let error = cluster.identity().await.unwrap_err();
    assert_eq!(error.kind(), crate::Kind::Credentials);
    assert!(error.to_string().contains("credential command sleep did not end within 50ms"), "{error}");
}
