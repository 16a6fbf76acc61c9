//! One HTTP/1.1 request over a stream.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// An answer is not read further than this.
const BODY_LIMIT: usize = 1024 * 1024;

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// 200
    pub status: u16,
    /// Names in lower case, in order; values that are no text are left out
    pub headers: Vec<(String, String)>,
    /// At most 1 MiB
    pub body: Vec<u8>,
    /// The pod that answered
    pub pod: String,
}

impl HttpAnswer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// Never with its value
    #[error("the header {0:?} cannot be sent")]
    Header(String),
    #[error("the path {0:?} cannot be asked for")]
    Path(String),
    #[error("it did not answer in HTTP")]
    Http(#[source] hyper::Error),
    #[error("its answer is longer than 1 MiB")]
    TooLong,
    #[error("its answer broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub(super) async fn get<S>(
    stream: S,
    host: &str,
    path: &str,
    headers: &[(String, String)],
) -> Result<HttpAnswer, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut request = Request::builder()
        .method(Method::GET)
        .uri(&path)
        .header(USER_AGENT, concat!("terraform-provider-ffe/", env!("CARGO_PKG_VERSION")))
        .body(Empty::<Bytes>::new())
        .map_err(|_| HttpError::Path(path.clone()))?;
    for (name, value) in headers {
        let refused = || HttpError::Header(name.clone());
        let header: HeaderName = name.parse().map_err(|_| refused())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        request.headers_mut().insert(header, value);
    }
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(host).map_err(|_| HttpError::Header("host".to_owned()))?;
        request.headers_mut().insert(HOST, host);
    }

    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(HttpError::Http)?;
    let exchange = async {
        let answer = sender.send_request(request).await.map_err(HttpError::Http)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() { HttpError::TooLong } else { HttpError::Broken(error) }
        })?;
        Ok(HttpAnswer {
            status: parts.status.as_u16(),
            headers: parts
                .headers
                .iter()
                .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
                .collect(),
            body: body.to_bytes().to_vec(),
            pod: String::new(),
        })
    };
    // the connection is driven beside the exchange, and dropped with it
    tokio::pin!(exchange);
    tokio::pin!(connection);
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            // the server closed after its answer, which is still to be read out
            Ok(()) => exchange.await,
            Err(error) => Err(HttpError::Http(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A server that reads one request, answers with these bytes and closes.
    async fn ask(answer: &'static [u8], headers: &[(&str, &str)]) -> (Result<HttpAnswer, HttpError>, String) {
        let (client, mut server) = tokio::io::duplex(64 * 1024);
        let headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let serve = async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if server.read(&mut byte).await.unwrap() == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            server.write_all(answer).await.unwrap();
            drop(server);
            String::from_utf8(request).unwrap()
        };
        tokio::join!(get(client, "api.ffe", "health", &headers), serve)
    }

    #[tokio::test]
    async fn asks_and_reads_out() {
        let (answer, request) = ask(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            &[("Authorization", "Bearer t")],
        )
        .await;
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (503, b"{}".as_slice()));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(request.starts_with("GET /health HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer t\r\n"), "{request}");
        assert!(request.contains("host: api.ffe\r\n"), "{request}");
    }

    #[tokio::test]
    async fn an_answer_without_length_ends_with_the_connection() {
        let (answer, _) = ask(b"HTTP/1.0 200 OK\r\n\r\nhello", &[]).await;
        assert_eq!(answer.unwrap().body, b"hello");
    }

    #[tokio::test]
    async fn silence_and_garbage_are_errors() {
        let (answer, _) = ask(b"", &[]).await;
        assert!(matches!(answer, Err(HttpError::Http(_))), "{answer:?}");
        let (answer, _) = ask(b"SSH-2.0-OpenSSH\r\n", &[]).await;
        assert!(matches!(answer, Err(HttpError::Http(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_header_that_cannot_be_sent_is_named_without_its_value() {
        let (client, _server) = tokio::io::duplex(64);
        let error = get(client, "h", "/", &[("Authorization".to_owned(), "hunter2\n".to_owned())]).await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("Authorization") && !text.contains("hunter2"), "{text}");
    }
}
