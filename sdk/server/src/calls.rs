//! Every call of the provider: run apart from its connection, cancellable, safe against panics.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use tfplugin_core::{Cancel, ClientCapabilities, Context};
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use crate::panics::Panicked;

/// The calls in flight. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Calls {
    tracker: TaskTracker,
    in_flight: Arc<Mutex<InFlight>>,
}

#[derive(Default)]
struct InFlight {
    next: u64,
    cancels: BTreeMap<u64, Cancel>,
}

impl Calls {
    /// Runs `work` as a task of its own and waits for its result.
    ///
    /// When the waiting ends early (the connection broke, the client gave up), the work is cancelled but
    /// never dropped half-way: it goes on to its next safe point.
    pub(crate) async fn run<T, F, W>(&self, span: Span, client: ClientCapabilities, work: F) -> Result<T, Panicked>
    where
        F: FnOnce(Context) -> W + Send + 'static,
        W: Future<Output = T> + Send,
        T: Send + 'static,
    {
        let entry = self.enter();
        let abandoned = CancelOnDrop(Some(entry.cancel.clone()));
        let context = Context { cancel: entry.cancel.clone(), client };
        let task = async move {
            let _entry = entry;
            AssertUnwindSafe(async move { work(context).await })
                .catch_unwind()
                .await
                .map_err(|payload| Panicked::caught(payload.as_ref()))
        };
        let result = self.tracker.spawn(task.instrument(span)).await;
        abandoned.disarm();
        result.unwrap_or_else(|_aborted| Err(Panicked::aborted()))
    }

    /// Asks everything in flight to stop at its next safe point. Later calls are not concerned.
    pub(crate) fn cancel_all(&self) {
        for cancel in self.lock().cancels.values() {
            cancel.cancel();
        }
    }

    /// Ends when nothing is in flight. To be called when no more calls come in.
    pub(crate) async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn enter(&self) -> Entry {
        let mut in_flight = self.lock();
        let number = in_flight.next;
        in_flight.next += 1;
        let cancel = Cancel::new();
        in_flight.cancels.insert(number, cancel.clone());
        Entry { calls: self.clone(), number, cancel }
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call's place among those in flight.
struct Entry {
    calls: Calls,
    number: u64,
    cancel: Cancel,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.calls.lock().cancels.remove(&self.number);
    }
}

/// Cancels when it is dropped armed.
struct CancelOnDrop(Option<Cancel>);

impl CancelOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancel) = &self.0 {
            cancel.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use tokio::sync::oneshot;

    use super::*;

    async fn run<T: Send + 'static, W: Future<Output = T> + Send>(
        calls: &Calls,
        work: impl FnOnce(Context) -> W + Send + 'static,
    ) -> Result<T, Panicked> {
        calls.run(Span::none(), ClientCapabilities::default(), work).await
    }

    #[tokio::test]
    async fn a_panic_is_told_and_the_next_call_works() {
        let calls = Calls::default();
        let panicked = run(&calls, |_| async { panic!("no {}", "luck") }).await.map(|(): ()| ()).unwrap_err();
        let text = panicked.diagnostics("ReadResource", "tiny_thing").to_string();
        assert!(text.contains("crashed in ReadResource of tiny_thing") && text.contains("no luck"), "{text}");
        assert_eq!(run(&calls, |_| async { 7 }).await.unwrap(), 7);
        assert!(calls.lock().cancels.is_empty());
    }

    #[tokio::test]
    async fn a_stop_reaches_what_is_in_flight_and_nothing_later() {
        let calls = Calls::default();
        let (started, waits) = oneshot::channel();
        let waiting = run(&calls, |context| async move {
            started.send(()).unwrap();
            context.cancel.cancelled().await;
            "cancelled"
        });
        let stopping = async {
            waits.await.unwrap();
            calls.cancel_all();
        };
        let (ended, ()) = tokio::join!(waiting, stopping);
        assert_eq!(ended.unwrap(), "cancelled");
        assert!(!run(&calls, |context| async move { context.cancel.is_cancelled() }).await.unwrap());
    }

    #[tokio::test]
    async fn an_abandoned_call_is_cancelled_and_runs_to_its_end() {
        let calls = Calls::default();
        let (started, waits) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let abandoned = run(&calls, |context| async move {
            started.send(()).unwrap();
            context.cancel.cancelled().await;
            tokio::task::yield_now().await;
            ended.send("reached its safe point").unwrap();
        });
        tokio::select! {
            _ = abandoned => unreachable!("it waits for a cancel"),
            _ = waits => {}
        }
        assert_eq!(end.await.unwrap(), "reached its safe point");
        calls.finished().await;
        assert!(calls.lock().cancels.is_empty());
    }
}
