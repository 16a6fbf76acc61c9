//! The loop under every wait: look, sleep until something changes, look again.

use std::future::Future;
use std::time::Duration;

use ffe_cluster::{Cluster, Error, ObjectRef, Result};
use futures::stream::{self, BoxStream, StreamExt};
use kube::runtime::watcher::{self, DefaultBackoff};
use kube::runtime::{WatchStreamExt, watcher as watch};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::WaitOptions;

/// Changes come in bursts: one look for all of them.
const SETTLE: Duration = Duration::from_millis(300);
/// Looks without any change: events are not watched, and a watch may be refused.
const TICK: Duration = Duration::from_secs(3);

/// What one look found.
pub(crate) enum Seen<T> {
    /// What was waited for
    Done(T),
    /// The present state, for people
    Waiting(String),
}

/// One way of looking.
pub(crate) trait Look: Send {
    /// What the wait ends with
    type Output: Send;

    /// Looks at the cluster. A transient error is waited out, any other ends the wait.
    fn look(&mut self) -> impl Future<Output = Result<Seen<Self::Output>>> + Send;
}

/// What to watch for changes.
pub(crate) enum Watched {
    /// One object
    One(ObjectRef),
    /// All of a kind and namespace that a label selector matches
    Selected(ObjectRef, String),
}

/// A stream that yields whenever something changes; only metadata is watched. A watch that fails is
/// taken up again after a pause; what is wrong shows when the waiter looks.
pub(crate) async fn triggers(cluster: &Cluster, watched: &[Watched]) -> Result<BoxStream<'static, ()>> {
    let mut streams = Vec::new();
    for what in watched {
        let (object, config) = match what {
            Watched::One(object) => {
                (object, watcher::Config::default().fields(&format!("metadata.name={}", object.name)))
            }
            Watched::Selected(object, selector) => (object, watcher::Config::default().labels(selector)),
        };
        let api = match cluster.metadata_api(object).await {
            Ok(api) => api,
            // looked at every tick anyway
            Err(error) if error.is_transient() => continue,
            Err(error) => return Err(error),
        };
        streams.push(watch(api, config).backoff(DefaultBackoff::default()).map(drop).boxed());
    }
    if streams.is_empty() {
        return Ok(stream::pending().boxed());
    }
    Ok(stream::select_all(streams).boxed())
}

/// Looks until it is done, the time is over, or a stop is asked for.
pub(crate) async fn run<L: Look>(
    what: &str,
    object: &ObjectRef,
    mut triggers: BoxStream<'static, ()>,
    options: &WaitOptions,
    look: &mut L,
) -> Result<L::Output> {
    let started = Instant::now();
    let deadline = started + options.timeout;
    let mut last = String::from("nothing was seen of it yet");
    let mut logged: Option<(Instant, String)> = None;
    loop {
        let seen = tokio::select! {
            biased;
            () = options.cancel.cancelled() => return Err(Error::Cancelled { what: what.to_owned() }),
            seen = timeout_at(deadline, look.look()) => seen,
        };
        match seen {
            // an object that is ready at the last moment is ready
            Ok(Ok(Seen::Done(output))) => {
                tracing::debug!(target: "ffe::wait", "{what}: reached after {} s", started.elapsed().as_secs());
                return Ok(output);
            }
            Ok(Ok(Seen::Waiting(state))) => last = state,
            Ok(Err(error)) if error.is_transient() => last = format!("waiting for the API server: {error}"),
            Ok(Err(error)) => return Err(error),
            Err(_) => {}
        }
        let due = logged.as_ref().is_none_or(|(at, text)| *text != last || at.elapsed() >= options.progress_every);
        if due {
            tracing::info!(target: "ffe::wait", "{what}: {last} ({} s)", started.elapsed().as_secs());
            logged = Some((Instant::now(), last.clone()));
        }
        if Instant::now() >= deadline {
            return Err(Error::Timeout {
                what: what.to_owned(),
                object: Some(Box::new(object.clone())),
                after: options.timeout,
                last,
                explanation: None,
            });
        }
        tokio::select! {
            () = options.cancel.cancelled() => return Err(Error::Cancelled { what: what.to_owned() }),
            () = sleep_until(deadline.min(Instant::now() + TICK)) => {}
            _ = triggers.next() => {
                // what else happens within a moment is part of the same change
                let settled = sleep(SETTLE);
                tokio::pin!(settled);
                loop {
                    tokio::select! {
                        () = &mut settled => break,
                        Some(()) = triggers.next() => {}
                    }
                }
            }
        }
    }
}
