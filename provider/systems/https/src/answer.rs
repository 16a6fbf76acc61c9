//! Request and answer over an open connection.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, USER_AGENT};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use crate::connect::Stream;
use crate::failure::{Failure, cause};
use crate::target::Target;

/// What came back.
#[derive(Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// All headers.
    pub headers: HeaderMap,
    /// The beginning of the body, as far as [`Target::body_limit`] allows.
    pub body: Vec<u8>,
    /// Whether there was more of it.
    pub truncated: bool,
}

impl Answer {
    /// The first header of this name, when it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// All headers of this name that are text.
    #[must_use]
    pub fn headers_of(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// Without the values of headers and the body: they may hold secrets of the application.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("truncated", &self.truncated)
            .finish()
    }
}

fn request(target: &Target) -> Result<Request<Empty<Bytes>>, Failure> {
    let refused = || {
        Failure::setup(format!(
            "\"{}\" is no path of a URL on host \"{}\"; it begins with \"/\"",
            target.path, target.host
        ))
    };
    if !target.path.starts_with('/') {
        return Err(refused());
    }
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(&target.path)
        .header(HOST, target.authority())
        .header(USER_AGENT, concat!("terraform-provider-ffe/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close");
    if let Some(bearer) = &target.bearer {
        request = request.header(AUTHORIZATION, bearer.header());
    }
    request.body(Empty::new()).map_err(|_| refused())
}

/// Asks once. Redirects are answers as any other.
///
/// HTTP/1.1 alone: every server behind an ingress speaks it.
pub(crate) async fn ask(stream: Box<dyn Stream>, target: &Target, peer: &str) -> Result<Answer, Failure> {
    let request = request(target)?;
    let failed = |error: &hyper::Error| Failure::Http { peer: peer.to_owned(), reason: words(error) };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let (head, mut rest) = answer.into_parts();
        let mut body = Vec::new();
        let mut truncated = false;
        while let Some(frame) = rest.frame().await {
            // A body that breaks off does not take the status away.
            let Ok(frame) = frame else {
                truncated = true;
                break;
            };
            let Some(data) = frame.data_ref() else { continue };
            let room = target.body_limit.saturating_sub(body.len());
            body.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                truncated = true;
                break;
            }
        }
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body, truncated })
    };
    tokio::pin!(connection);
    tokio::pin!(exchange);
    tokio::select! {
        answer = &mut exchange => answer,
        // The connection may be over before its last bytes have been read.
        _ = &mut connection => exchange.await,
    }
}

fn words(error: &hyper::Error) -> String {
    if error.is_incomplete_message() {
        "the connection was closed before an answer".to_owned()
    } else if error.is_parse() {
        format!("what came is not HTTP ({})", cause(error))
    } else {
        cause(error)
    }
}
