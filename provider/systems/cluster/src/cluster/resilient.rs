//! Timeouts and retries around every request.
//!
//! Ordinary requests are read to the end here, so that a connection that breaks within an answer is
//! retried too. Streams (watch, log follow, port-forward) are handed through.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use kube::client::{Body, DynBody};
use rand::RngExt;
use tokio::time::Instant;
use tower::{BoxError, Service, ServiceExt};

/// How long a request may take, and how long it is tried.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Until a connection stands
    pub connect: Duration,
    /// Until an ordinary request is answered, and again until its answer has been read
    pub answer: Duration,
    /// A server that cannot be connected to is given up after this long
    pub unreachable: Duration,
    /// After that, for this long, other requests try once only: hundreds of resources that are
    /// refreshed one after another must not each wait anew
    pub remembered: Duration,
    /// Until an exec plugin has printed credentials
    pub credentials: Duration,
    /// Attempts at a request that was answered with 429 or 5xx, or whose connection broke
    pub attempts: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            unreachable: Duration::from_secs(8),
            remembered: Duration::from_secs(10),
            credentials: Duration::from_secs(60),
            attempts: 5,
        }
    }
}

/// The failures of ours that a client may see.
#[derive(Debug, thiserror::Error)]
enum TransportError {
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    #[error("the connection broke while the answer was read: {0}")]
    Broken(#[source] BoxError),
}

/// The service around kube's.
#[derive(Clone)]
pub(super) struct Resilient<S> {
    inner: S,
    timeouts: Timeouts,
    /// When the server was last found to be unreachable; shared by all clones
    away: Arc<Mutex<Option<Instant>>>,
}

impl<S> Resilient<S> {
    pub(super) fn new(inner: S, timeouts: Timeouts) -> Self {
        Self { inner, timeouts, away: Arc::default() }
    }
}

type Answer = Response<Box<DynBody>>;

impl<S> Service<Request<Body>> for Resilient<S>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // readiness is asked of each attempt's own clone
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { service.run(request).await })
    }
}

impl<S> Resilient<S>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    async fn run(self, mut request: Request<Body>) -> Result<Answer, BoxError> {
        let manner = Manner::of(&request);
        let started = Instant::now();
        let mut attempt = 0;
        loop {
            let spare = copy(&request);
            let result = try_once(self.inner.clone(), request, manner, self.timeouts.answer).await;
            let outcome = Outcome::of(&result);
            if outcome != Outcome::Unreachable {
                *self.away.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            let tried = Tried { attempt, elapsed: started.elapsed(), known_away: self.known_away() };
            let (Some(spare), Some(pause)) = (spare, pause(manner, &outcome, tried, &self.timeouts)) else {
                if outcome == Outcome::Unreachable {
                    *self.away.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
                return result;
            };
            tracing::debug!(?outcome, attempt, pause_ms = pause.as_millis(), "the request is tried again");
            tokio::time::sleep(pause).await;
            request = spare;
            attempt += 1;
        }
    }

    fn known_away(&self) -> bool {
        self.away
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some_and(|since| since.elapsed() < self.timeouts.remembered)
    }
}

async fn try_once<S>(service: S, request: Request<Body>, manner: Manner, limit: Duration) -> Result<Answer, BoxError>
where
    S: Service<Request<Body>, Response = Answer, Error = BoxError>,
{
    let no_answer = |_| BoxError::from(TransportError::NoAnswer(limit));
    let answering = service.oneshot(request);
    let answer = if manner.quiet {
        answering.await?
    } else {
        tokio::time::timeout(limit, answering).await.map_err(no_answer)??
    };
    if manner.stream {
        return Ok(answer);
    }
    let (parts, body) = answer.into_parts();
    let body = tokio::time::timeout(limit, body.collect())
        .await
        .map_err(no_answer)?
        .map_err(|error| BoxError::from(TransportError::Broken(error)))?
        .to_bytes();
    Ok(Response::from_parts(parts, whole(body)))
}

fn whole(bytes: Bytes) -> Box<DynBody> {
    Box::new(Full::new(bytes).map_err(|never| match never {}))
}

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Manner {
    /// Repeating it after it may have been carried out does no harm
    idempotent: bool,
    reads: bool,
    /// Answered bit by bit
    stream: bool,
    /// Perhaps not even begun to be answered for long: the log of a container that says nothing
    quiet: bool,
}

impl Manner {
    fn of(request: &Request<Body>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let asks = |flag: &str| query.split('&').any(|pair| pair == flag);
        let stream = asks("watch=true") || asks("follow=true") || request.headers().contains_key(header::UPGRADE);
        let applies = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"));
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        Self {
            // PUT is left out: it is our compare-and-swap, and a repeated one would report a lost
            // race that we won
            idempotent: reads || *request.method() == Method::DELETE || applies,
            reads,
            stream,
            quiet: asks("follow=true"),
        }
    }
}

/// What came of one attempt.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Answered, with anything that is to be handed on
    Answered,
    /// 429 or 5xx, and how long the server asks to wait
    Refused(StatusCode, Option<Duration>),
    /// No connection: the request was not sent
    Unreachable,
    /// Sent, and no answer or half of one came back
    Lost,
    /// Neither can be helped by trying again (TLS, credentials)
    Hopeless,
}

impl Outcome {
    fn of(result: &Result<Answer, BoxError>) -> Self {
        match result {
            Ok(answer) => {
                let status = answer.status();
                if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
                    let asked = answer.headers().get(header::RETRY_AFTER);
                    let seconds = asked.and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
                    return Self::Refused(status, seconds.map(Duration::from_secs));
                }
                Self::Answered
            }
            Err(error) => Self::of_error(error.as_ref()),
        }
    }

    fn of_error(error: &(dyn std::error::Error + Send + Sync + 'static)) -> Self {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        let mut outcome = Self::Hopeless;
        while let Some(cause) = next {
            if cause.is::<TransportError>() || cause.is::<hyper::Error>() {
                return Self::Lost;
            }
            if let Some(client) = cause.downcast_ref::<hyper_util::client::legacy::Error>() {
                outcome = if client.is_connect() { Self::Unreachable } else { Self::Lost };
            }
            // a certificate that is not trusted shows as a failure to connect
            if cause.to_string().contains("certificate") {
                return Self::Hopeless;
            }
            next = cause.source();
        }
        outcome
    }
}

/// How long it has been tried.
#[derive(Debug, Clone, Copy)]
struct Tried {
    attempt: u32,
    elapsed: Duration,
    known_away: bool,
}

/// The rule: how long to pause before the next attempt, or None to hand the result on.
fn pause(manner: Manner, outcome: &Outcome, tried: Tried, timeouts: &Timeouts) -> Option<Duration> {
    let backoff = backoff(tried.attempt);
    match outcome {
        Outcome::Answered | Outcome::Hopeless => None,
        Outcome::Unreachable => {
            (!tried.known_away && tried.elapsed + backoff < timeouts.unreachable).then_some(backoff)
        }
        Outcome::Lost => {
            let again = manner.idempotent
                && tried.attempt + 1 < timeouts.attempts
                && tried.elapsed + backoff < timeouts.answer + timeouts.connect;
            again.then_some(backoff)
        }
        Outcome::Refused(status, asked) => {
            let safe = match *status {
                // not begun with
                StatusCode::TOO_MANY_REQUESTS => true,
                // a webhook that fails, or a bug: it may pass for a read
                StatusCode::INTERNAL_SERVER_ERROR => manner.reads && tried.attempt < 2,
                _ => manner.idempotent,
            };
            let pause = asked.unwrap_or(backoff).max(backoff).min(Duration::from_secs(10));
            (safe && tried.attempt + 1 < timeouts.attempts).then_some(pause)
        }
    }
}

/// 200 ms, doubled up to 2 s, spread by a fifth.
fn backoff(attempt: u32) -> Duration {
    let base = Duration::from_millis(200).saturating_mul(2_u32.saturating_pow(attempt)).min(Duration::from_secs(2));
    base.mul_f64(rand::rng().random_range(0.8..1.2))
}

fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let body = request.body().try_clone()?;
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy)
}

#[cfg(test)]
mod tests;
