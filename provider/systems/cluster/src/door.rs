//! A door to the API server for one child process.
//!
//! The child speaks plain HTTP to the loopback address and knows neither credentials nor certificates: the door adds them. It asks
//! a guard before anything is written, who may let it wait as long as he likes. Whoever does not know the door's path is turned
//! away. Requests go on as they are, the child's own name for itself included; nothing is repeated.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tower::BoxError;

use crate::cluster::Cluster;
use crate::error::{Error, Result, request_error};
use crate::object::ObjectRef;

/// After a connection could not be accepted.
const BREATH: Duration = Duration::from_millis(50);
/// What concerns one connection only, and who asks: the door itself does.
const NOT_HANDED_ON: [http::HeaderName; 6] = [
    header::HOST,
    header::CONNECTION,
    header::AUTHORIZATION,
    header::TRANSFER_ENCODING,
    header::CONTENT_LENGTH,
    header::ACCEPT_ENCODING,
];

/// A request that would write.
#[derive(Debug, Clone)]
pub struct Write {
    /// `POST`, `PUT`, `PATCH` or `DELETE`
    pub method: Method,
    /// `/api/v1/namespaces/ffe/secrets`
    pub path: String,
    /// What is sent
    pub body: Bytes,
}

/// Asked before each write; the request waits for it.
pub type Guard = Arc<dyn Fn(Write) -> BoxFuture<'static, ()> + Send + Sync>;

/// The door. It is shut when this is dropped, in the middle of a request too.
pub struct Door {
    url: String,
    namespace: String,
    server: String,
    serving: JoinHandle<()>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Cluster {
    /// Opens a door.
    ///
    /// # Errors
    /// Those of [`Cluster::client`], or when nothing can be listened on.
    pub async fn open_door(&self, guard: Guard) -> Result<Door> {
        let client = self.bare_client().await?;
        let unopened = |error: std::io::Error| Error::Malformed {
            what: "the door to the API server".to_owned(),
            message: format!("it cannot be opened: {error}"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(unopened)?;
        let address: SocketAddr = listener.local_addr().map_err(unopened)?;
        let key = hex::encode(rand::rng().random::<[u8; 24]>());
        let passage = Passage { client, guard, path: format!("/{key}"), server: self.server().to_owned() };
        Ok(Door {
            url: format!("http://{address}/{key}"),
            namespace: self.default_namespace().to_owned(),
            server: self.server().to_owned(),
            serving: tokio::spawn(serve(listener, Arc::new(passage))),
        })
    }
}

impl Door {
    /// A kubeconfig that leads through the door. Whoever has it may do what we may: hand it over by pipe or memory file only.
    pub fn kubeconfig_document(&self) -> String {
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "ffe", "cluster": { "server": self.url } }],
            "users": [{ "name": "ffe", "user": {} }],
            "contexts": [{ "name": "ffe", "context": { "cluster": "ffe", "user": "ffe", "namespace": self.namespace } }],
            "current-context": "ffe",
        })
        .to_string()
    }

    /// A text of the child, with the API server's own address for the door's.
    pub fn unmask(&self, text: &str) -> String {
        text.replace(&self.url, self.server.trim_end_matches('/'))
    }
}

async fn serve(listener: TcpListener, passage: Arc<Passage>) {
    let mut talks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(talks.spawn(talk(stream, Arc::clone(&passage)))),
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    tokio::time::sleep(BREATH).await;
                }
            },
            Some(_) = talks.join_next(), if !talks.is_empty() => {}
        }
    }
}

async fn talk(stream: TcpStream, passage: Arc<Passage>) {
    // Small requests, one after the other.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| {
        let passage = Arc::clone(&passage);
        async move { Ok::<_, Infallible>(passage.answer(request).await) }
    });
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection through the door has ended");
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

struct Passage {
    client: Client,
    guard: Guard,
    /// The key, as a path.
    path: String,
    server: String,
}

impl Passage {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (mut parts, body) = request.into_parts();
        let whole = parts.uri.path_and_query().map(http::uri::PathAndQuery::as_str).unwrap_or_default();
        let within = whole.strip_prefix(self.path.as_str()).filter(|rest| rest.starts_with('/'));
        let Some(uri) = within.and_then(|rest| rest.parse::<http::Uri>().ok()) else {
            return refusal(StatusCode::FORBIDDEN, "Forbidden", "this way is for another process");
        };
        if parts.headers.contains_key(header::UPGRADE) {
            return refusal(StatusCode::NOT_IMPLEMENTED, "NotImplemented", "no other protocol is spoken here");
        }
        let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
            return refusal(StatusCode::BAD_REQUEST, "BadRequest", "the request broke off");
        };
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            let path = uri.path().to_owned();
            (self.guard)(Write { method: parts.method.clone(), path, body: body.clone() }).await;
        }
        parts.uri = uri;
        parts.version = Version::HTTP_11;
        for name in NOT_HANDED_ON {
            parts.headers.remove(name);
        }
        // It would be packed for us, to be unpacked here.
        parts.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        match self.client.send(Request::from_parts(parts, Body::from(body))).await {
            Ok(answer) => {
                let (mut parts, body) = answer.into_parts();
                parts.version = Version::HTTP_11;
                parts.headers.remove(header::CONNECTION);
                parts.headers.remove(header::TRANSFER_ENCODING);
                Response::from_parts(parts, body.map_err(BoxError::from).boxed_unsync())
            }
            Err(error) => {
                let server = ObjectRef::new("v1", "the API server", None, "");
                let error = request_error("reach", &server, &self.server, error);
                refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", &error.to_string())
            }
        }
    }
}

fn refusal(code: StatusCode, reason: &str, message: &str) -> Answer {
    let status: Value = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": message, "code": code.as_u16() });
    let body = Full::new(Bytes::from(status.to_string())).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = code;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
