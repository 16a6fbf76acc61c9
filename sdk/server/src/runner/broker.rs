//! Side connections between host and plugin. Terraform opens the stream and never uses it.

use tfplugin_proto::plugin::ConnInfo;
use tfplugin_proto::plugin::conn_info::Knock;
use tfplugin_proto::plugin::grpc_broker_server::GrpcBroker;
use tokio_util::sync::CancellationToken;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming};

/// Listens to what the host offers and takes none of it.
pub(crate) struct Broker {
    /// When to end the streams.
    pub(crate) stopping: CancellationToken,
}

#[tonic::async_trait]
impl GrpcBroker for Broker {
    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<BoxStream<ConnInfo>>, Status> {
        let state = (request.into_inner(), self.stopping.clone());
        let answers = futures::stream::unfold(state, |(mut offers, stopping)| async move {
            loop {
                let offer = tokio::select! {
                    () = stopping.cancelled() => return None,
                    offer = offers.message() => offer.ok()??,
                };
                if let Some(refusal) = refusal(&offer) {
                    return Some((Ok(refusal), (offers, stopping)));
                }
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

/// A knock waits for an answer; an address that is merely offered does not.
fn refusal(offer: &ConnInfo) -> Option<ConnInfo> {
    offer.knock.as_ref().filter(|knock| knock.knock)?;
    let knock = Knock { knock: true, ack: true, error: "this provider listens on no side connections".to_owned() };
    Some(ConnInfo { service_id: offer.service_id, knock: Some(knock), ..ConnInfo::default() })
}
