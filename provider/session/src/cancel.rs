//! Terraform's wish to stop, as the token that the cluster and Helm crates take.

use ffe_cluster::Cancel;
use tfplugin::Context;
use tokio::task::JoinHandle;

/// A token that follows the context's cancellation for as long as this lives.
pub struct CancelGuard {
    token: Cancel,
    bridge: JoinHandle<()>,
}

impl CancelGuard {
    /// The token, which follows only while the guard lives.
    pub fn token(&self) -> Cancel {
        self.token.clone()
    }
}

impl Drop for CancelGuard {
    fn drop(&mut self) {
        self.bridge.abort();
    }
}

/// Follows the context's cancellation. Needs a tokio runtime.
pub fn cancellation(cx: &Context) -> CancelGuard {
    let token = Cancel::new();
    if cx.cancel.is_cancelled() {
        token.cancel();
    }
    let (cancel, follower) = (cx.cancel.clone(), token.clone());
    let bridge = tokio::spawn(async move {
        cancel.cancelled().await;
        follower.cancel();
    });
    CancelGuard { token, bridge }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_token_follows_the_context_while_the_guard_lives() {
        let cx = Context::default();
        let guard = cancellation(&cx);
        let token = guard.token();
        assert!(!token.is_cancelled());
        cx.cancel.cancel();
        token.cancelled().await;
        assert!(cancellation(&cx).token().is_cancelled(), "a context that is cancelled already cancels at once");
    }

    #[tokio::test]
    async fn a_dropped_guard_follows_no_more() {
        let cx = Context::default();
        let guard = cancellation(&cx);
        let token = guard.token();
        drop(guard);
        cx.cancel.cancel();
        tokio::task::yield_now().await;
        assert!(!token.is_cancelled());
    }
}
