//! How this process comes to its end.

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Why the server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The runner said so. It kills what is still there after two seconds.
    Shutdown,
    /// Somebody sent SIGTERM or SIGHUP (or, while debugging, SIGINT).
    Signal,
    /// The process that started us is gone, and with it everyone who would wait for an answer.
    ParentGone,
    /// Nobody connected.
    NobodyCame,
}

impl StopReason {
    /// How long calls in flight may take to reach their next safe point.
    pub(crate) fn grace(self) -> Duration {
        match self {
            StopReason::Shutdown | StopReason::NobodyCame => Duration::from_millis(1500),
            StopReason::Signal | StopReason::ParentGone => Duration::from_secs(10),
        }
    }
}

/// The one switch that ends the server. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Lifecycle {
    stopping: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
}

impl Lifecycle {
    /// Begins to stop. The first reason counts.
    pub(crate) fn stop(&self, reason: StopReason) {
        if self.reason.set(reason).is_ok() {
            tracing::debug!(?reason, "stopping");
        }
        self.stopping.cancel();
    }

    /// Ends when the server begins to stop.
    pub(crate) fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Waits for the beginning of the end.
    pub(crate) async fn stopped(&self) -> StopReason {
        self.stopping.cancelled().await;
        self.reason.get().copied().unwrap_or(StopReason::Shutdown)
    }

    /// Stops with `reason` once `event` has happened, unless it stops before.
    pub(crate) fn stop_after(&self, reason: StopReason, event: impl Future<Output = ()> + Send + 'static) {
        let lifecycle = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = lifecycle.stopping.cancelled() => {}
                () = event => lifecycle.stop(reason),
            }
        });
    }
}

/// Ends at the first signal that asks us to go. SIGINT is one only while debugging: in a terminal it
/// reaches the whole process group, and it is Terraform that decides what it means for us.
#[cfg(unix)]
pub(crate) fn asked_to_go(debugging: bool) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = hangup.recv() => return,
                _ = interrupt.recv() => {
                    if debugging {
                        return;
                    }
                    tracing::debug!("ignoring an interrupt: Terraform says when to stop");
                }
            }
        }
    })
}

/// Ends at Ctrl-C while debugging; Ctrl-C is ignored otherwise.
#[cfg(not(unix))]
pub(crate) fn asked_to_go(debugging: bool) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async move {
        loop {
            if tokio::signal::ctrl_c().await.is_err() {
                return std::future::pending().await;
            }
            if debugging {
                return;
            }
        }
    })
}

/// Ends when the process that started us is no longer our parent.
///
/// Looked for rather than signalled: a parent-death signal comes when the parent's *thread* ends, and
/// Terraform's runtime ends threads as it likes.
#[cfg(unix)]
pub(crate) fn orphaned() -> impl Future<Output = ()> + Send + 'static {
    let parent = rustix::process::getppid();
    async move {
        let mut pulse = tokio::time::interval(Duration::from_millis(500));
        while rustix::process::getppid() == parent {
            pulse.tick().await;
        }
    }
}

/// Never ends: without a parent there is no connection either, and the runner's job object ends us.
#[cfg(not(unix))]
pub(crate) fn orphaned() -> impl Future<Output = ()> + Send + 'static {
    std::future::pending()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts() {
        let lifecycle = Lifecycle::default();
        lifecycle.stop_after(StopReason::NobodyCame, async {});
        assert_eq!(lifecycle.stopped().await, StopReason::NobodyCame);
        lifecycle.stop(StopReason::Shutdown);
        assert_eq!(lifecycle.stopped().await, StopReason::NobodyCame);
    }

    #[test]
    fn after_a_shutdown_it_is_gone_before_the_runner_kills() {
        assert!(StopReason::Shutdown.grace() < Duration::from_secs(2));
    }
}
