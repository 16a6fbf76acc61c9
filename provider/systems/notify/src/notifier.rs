//! Telling all channels, each with its own retries.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::answer::{Verdict, judge};
use crate::channel::{Channel, Kind};
use crate::failure::{Failure, Problem};
use crate::message::Message;
use crate::notice::{Event, Notice};
use crate::{discord, slack, webhook};

/// A refusal is recognised by its beginning.
const ANSWER: usize = 16 * 1024;

/// How patiently a channel is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryOptions {
    /// Requests a channel and notice, at most; at least one is made.
    pub attempts: u32,
    /// The wait after the first failure. It doubles with each further one; a random part of up to the same length
    /// comes on top.
    pub first_delay: Duration,
    /// The longest such wait, before the random part.
    pub longest_delay: Duration,
    /// The limit for one request.
    pub request: Duration,
    /// The limit for all requests and waits together.
    pub total: Duration,
}

impl Default for RetryOptions {
    fn default() -> Self {
        Self {
            attempts: 5,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(8),
            request: Duration::from_secs(10),
            total: Duration::from_secs(30),
        }
    }
}

/// Tells channels what happened. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Notifier {
    channels: Arc<[Channel]>,
    options: RetryOptions,
    client: Arc<OnceLock<Result<Client, String>>>,
}

impl Notifier {
    /// Does nothing yet.
    #[must_use]
    pub fn new(channels: Vec<Channel>, options: RetryOptions) -> Self {
        Self { channels: channels.into(), options, client: Arc::default() }
    }

    /// Whether any channel wants to know of the event.
    #[must_use]
    pub fn wants(&self, event: Event) -> bool {
        self.channels.iter().any(|channel| channel.wants(event))
    }

    /// Tells every channel that wants to know, all at the same time; takes no longer than [`RetryOptions::total`].
    /// Needs a tokio runtime with time and IO.
    ///
    /// Connections that fail, 429 and statuses from 500 are retried, so a notice may come twice where only its answer
    /// was lost. Channels that could not be told are returned in their order.
    pub async fn send(&self, notice: &Notice, cancel: &CancellationToken) -> Vec<Failure> {
        let message = Message::new(notice);
        let tellings = self.channels.iter().filter(|channel| channel.wants(notice.event)).map(|channel| {
            let body = match channel.kind {
                Kind::Slack => slack::payload(&message),
                Kind::Discord => discord::payload(&message, notice.event),
                Kind::Webhook => webhook::payload(notice),
            };
            self.tell(channel, notice.event, body.to_string(), cancel)
        });
        futures::future::join_all(tellings).await.into_iter().flatten().collect()
    }

    async fn tell(&self, channel: &Channel, event: Event, body: String, cancel: &CancellationToken) -> Option<Failure> {
        let (kind, host) = (channel.kind, channel.url.host());
        let deadline = Instant::now() + self.options.total;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut delays = self.delays();
        let mut attempts = 0;
        let problem = loop {
            let request = self.request(channel, &body, self.options.request.min(left()));
            let Some(verdict) = cancel.run_until_cancelled(request).await else { break Problem::Cancelled };
            attempts += 1;
            let (problem, after) = match verdict {
                Verdict::Delivered => {
                    tracing::debug!(kind = kind.name(), host, event = event.name(), attempts, "notice delivered");
                    return None;
                }
                Verdict::Never(problem) => break problem,
                Verdict::Again { problem, after } => (problem, after),
            };
            let Some(wait) = next_wait(after, delays.next(), left()) else { break problem };
            tracing::debug!(kind = kind.name(), host, attempts, %problem, ?wait, "notice is tried again");
            if cancel.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                break Problem::Cancelled;
            }
        };
        let failure = Failure { kind, host, attempts, problem };
        tracing::warn!(event = event.name(), "{failure}");
        Some(failure)
    }

    fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        ExponentialBuilder::new()
            .with_min_delay(self.options.first_delay)
            .with_max_delay(self.options.longest_delay)
            .with_max_times(self.options.attempts.saturating_sub(1) as usize)
            .with_jitter()
            .build()
    }

    async fn request(&self, channel: &Channel, body: &str, limit: Duration) -> Verdict {
        let client = match self.client.get_or_init(client) {
            Ok(client) => client,
            Err(error) => return Verdict::Never(Problem::NoClient(error.clone())),
        };
        let request = client
            .post(channel.url.expose().clone())
            .header(CONTENT_TYPE, "application/json")
            .timeout(limit)
            .body(body.to_owned());
        match request.send().await {
            Ok(response) => answer(channel.kind, response).await,
            Err(error) => Verdict::Again { problem: problem(&error, channel), after: None },
        }
    }
}

/// How long to wait before the next attempt; `None` to give up: no attempt is left, or no time for it. What the other
/// end asks for is never undercut.
fn next_wait(asked: Option<Duration>, delay: Option<Duration>, left: Duration) -> Option<Duration> {
    let wait = delay?.max(asked.unwrap_or_default());
    (wait < left).then_some(wait)
}

fn client() -> Result<Client, String> {
    Client::builder()
        .user_agent(concat!("terraform-provider-ffe/", env!("CARGO_PKG_VERSION")))
        // The secret is in the URL: it goes where the user said and nowhere else.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // One request now and then; and HTTP/2 would write its headers, with the path, into trace logs.
        .http1_only()
        .build()
        .map_err(|error| cause(&error))
}

async fn answer(kind: Kind, mut response: Response) -> Verdict {
    let status = response.status();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    if !status.is_success() {
        // What cannot be read is not needed: the status alone decides.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= ANSWER {
                break;
            }
        }
    }
    judge(kind, status.as_u16(), retry_after.as_deref(), &body)
}

fn problem(error: &reqwest::Error, channel: &Channel) -> Problem {
    if error.is_timeout() {
        return Problem::TimedOut;
    }
    let text = cause(error);
    let url = channel.url.expose();
    let secrets = [Some(url.path()).filter(|path| path.len() > 1), url.query(), url.password()];
    if secrets.into_iter().flatten().any(|secret| !secret.is_empty() && text.contains(secret)) {
        return Problem::Unreachable("the connection failed".to_owned());
    }
    Problem::Unreachable(text)
}

/// The innermost cause: "connection refused" says more than "error sending request", and does not name the URL.
fn cause(error: &reqwest::Error) -> String {
    let mut source = error.source();
    let mut text = String::new();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    if text.is_empty() { "the request failed".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
