//! The end of our life, as the runner announces it.

use tfplugin_proto::plugin::Empty;
use tfplugin_proto::plugin::grpc_controller_server::GrpcController;
use tonic::{Request, Response, Status};

use crate::lifecycle::{Lifecycle, StopReason};

/// Answers, then stops the server: the runner kills at once a plugin that does not answer, and after
/// two seconds one that does not go.
pub(crate) struct Controller {
    /// What is to be stopped.
    pub(crate) lifecycle: Lifecycle,
    /// Whether it listens: a provider under a debugger outlives many runs.
    pub(crate) heeds: bool,
}

#[tonic::async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _request: Request<Empty>) -> Result<Response<Empty>, Status> {
        if self.heeds {
            self.lifecycle.stop(StopReason::Shutdown);
        }
        Ok(Response::new(Empty {}))
    }
}
