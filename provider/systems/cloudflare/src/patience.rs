//! How patiently Cloudflare is asked.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// How patiently Cloudflare is asked. All requests of one call share it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryOptions {
    /// How many failures that may pass are borne.
    pub retries: u32,
    /// The wait after the first failure. It doubles with each further one; a random part of up to the same length
    /// comes on top.
    pub first_delay: Duration,
    /// The longest such wait, before the random part. What Cloudflare asks for is waited even if it is longer.
    pub longest_delay: Duration,
    /// The limit for one request.
    pub request: Duration,
    /// The limit for all requests and waits together.
    pub total: Duration,
}

impl Default for RetryOptions {
    /// Who asks too much is not answered for five minutes: that is waited once.
    fn default() -> Self {
        Self {
            retries: 6,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(15),
            request: Duration::from_secs(30),
            total: Duration::from_secs(400),
        }
    }
}

/// What is left of the patience for one call.
pub(crate) struct Patience {
    deadline: Instant,
    request: Duration,
    delays: ExponentialBackoff,
}

impl Patience {
    pub(crate) fn new(options: &RetryOptions) -> Patience {
        let delays = ExponentialBuilder::new()
            .with_min_delay(options.first_delay)
            .with_max_delay(options.longest_delay)
            .with_max_times(options.retries as usize)
            .with_jitter()
            .build();
        Patience { deadline: Instant::now() + options.total, request: options.request, delays }
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The limit for the next request.
    pub(crate) fn request(&self) -> Duration {
        self.request.min(self.left())
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The error itself when it will not pass, or no attempt or no time is left; [`Error::Cancelled`].
    pub(crate) async fn pause(
        &mut self,
        error: Error,
        operation: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        if !error.is_transient() {
            return Err(error);
        }
        let asked = match &error {
            Error::RateLimited { wait, .. } => *wait,
            _ => None,
        };
        let Some(wait) = next_wait(asked, self.delays.next(), self.left()) else { return Err(error) };
        if wait > Duration::from_secs(20) {
            tracing::warn!(%error, ?wait, "Cloudflare is asked again");
        } else {
            tracing::debug!(%error, ?wait, "Cloudflare is asked again");
        }
        match cancel.run_until_cancelled(tokio::time::sleep(wait)).await {
            Some(()) => Ok(()),
            None => Err(Error::Cancelled { operation: operation.to_owned() }),
        }
    }
}

/// How long to wait before the next attempt; `None` to give up. What Cloudflare asks for is never undercut, and a wait
/// that cannot end in time is not begun.
fn next_wait(asked: Option<Duration>, delay: Option<Duration>, left: Duration) -> Option<Duration> {
    let wait = delay?.max(asked.unwrap_or_default());
    (wait < left).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_neither_endless_nor_too_short() {
        let seconds = Duration::from_secs;
        assert_eq!(next_wait(None, Some(seconds(2)), seconds(30)), Some(seconds(2)));
        assert_eq!(next_wait(Some(seconds(5)), Some(seconds(2)), seconds(30)), Some(seconds(5)));
        assert_eq!(next_wait(Some(seconds(1)), Some(seconds(2)), seconds(30)), Some(seconds(2)));
        assert_eq!(next_wait(Some(seconds(30)), Some(seconds(2)), seconds(30)), None);
        assert_eq!(next_wait(None, None, seconds(30)), None);
    }

    #[test]
    fn the_longest_block_of_cloudflare_is_waited_once() {
        let options = RetryOptions::default();
        assert!(next_wait(Some(Duration::from_secs(300)), Some(options.first_delay), options.total).is_some());
        let delays: Vec<Duration> = Patience::new(&options).delays.collect();
        assert_eq!(delays.len(), 6);
        assert!(delays.iter().all(|delay| *delay <= options.longest_delay * 2), "{delays:?}");
    }
}
