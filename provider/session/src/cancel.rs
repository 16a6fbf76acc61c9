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
