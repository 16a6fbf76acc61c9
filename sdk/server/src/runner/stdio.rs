//! Standard output and error as a gRPC stream. Nothing is ever printed, so nothing ever comes; but the
//! stream has to be there and stay open.

use tfplugin_proto::plugin::StdioData;
use tfplugin_proto::plugin::grpc_stdio_server::GrpcStdio;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};

/// Silent until the end.
pub(crate) struct Stdio {
    /// When to end the streams.
    pub(crate) stopping: CancellationToken,
}

#[tonic::async_trait]
impl GrpcStdio for Stdio {
    async fn stream_stdio(&self, _request: Request<()>) -> Result<Response<BoxStream<StdioData>>, Status> {
        Ok(Response::new(Box::pin(silence(self.stopping.clone()))))
    }
}

/// A stream that has no item and ends with `stopping`.
fn silence<T>(stopping: CancellationToken) -> impl Stream<Item = T> {
    futures::stream::unfold(stopping, |stopping| async move {
        stopping.cancelled().await;
        None
    })
}
