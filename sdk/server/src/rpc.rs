//! The provider service: one small adapter for each call, from the wire to the engine and back.
//!
//! What the engine does not know (lists, actions, state stores, identities, generated configuration)
//! answers Unimplemented, as the generated defaults do.

mod adopt;
mod configure;
mod data_source;
mod ephemeral;
mod function;
mod messages;
mod resource;
mod schema;
mod validate;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tfplugin_core::{ClientCapabilities, Context, Diagnostics, Engine};
use tfplugin_proto::tfplugin6::provider_server::Provider;
use tfplugin_proto::tfplugin6::*;
use tonic::{Request, Response, Status};

use crate::calls::Calls;
use messages::{Answer, Question};

/// A provider on the wire. Get it from [`service`](crate::service).
pub struct ProviderService {
    engine: Arc<Engine>,
    calls: Calls,
    requests: AtomicU64,
}

impl ProviderService {
    pub(crate) fn new(engine: Engine, calls: Calls) -> ProviderService {
        ProviderService { engine: Arc::new(engine), calls, requests: AtomicU64::new(1) }
    }

    /// Lets `adapter` answer, in a task of its own, with the fields that every log line of it carries.
    /// Errors and panics become diagnostics of the answer.
    async fn answer<Q, A, W>(
        &self,
        rpc: &'static str,
        request: Request<Q>,
        adapter: impl FnOnce(Arc<Engine>, Context, Q) -> W + Send + 'static,
    ) -> Result<Response<A>, Status>
    where
        Q: Question,
        A: Answer,
        W: Future<Output = Result<A, Diagnostics>> + Send,
    {
        let request = request.into_inner();
        let subject = request.subject().to_owned();
        let client = capabilities(request.client());
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let about = (!subject.is_empty()).then_some(subject.as_str());
        let span = tracing::error_span!("call", tf_rpc = rpc, tf_req_id = number, tf_subject = about);
        let engine = Arc::clone(&self.engine);
        let outcome = self
            .calls
            .run(span, client, move |context| async move {
                tracing::trace!("received");
                let outcome = adapter(engine, context, request).await;
                tracing::trace!("answered");
                outcome
            })
            .await;
        Ok(Response::new(match outcome {
            Ok(Ok(answer)) => answer,
            Ok(Err(diagnostics)) => A::failed(diagnostics),
            Err(panicked) => A::failed(panicked.diagnostics(rpc, &subject)),
        }))
    }
}

fn capabilities(client: Option<&tfplugin_proto::tfplugin6::ClientCapabilities>) -> ClientCapabilities {
    let client = client.copied().unwrap_or_default();
    ClientCapabilities {
        deferral_allowed: client.deferral_allowed,
        write_only_attributes_allowed: client.write_only_attributes_allowed,
    }
}

/// Methods of the service that only hand on to an adapter.
macro_rules! adapters {
    ($($method:ident => $rpc:literal, $module:ident, $adapter:path;)*) => {
        #[tonic::async_trait]
        impl Provider for ProviderService {
            $(
                async fn $method(
                    &self,
                    request: Request<$module::Request>,
                ) -> Result<Response<$module::Response>, Status> {
                    self.answer($rpc, request, $adapter).await
                }
            )*

            /// Not a call to wait behind others for: it ends the others.
            async fn stop_provider(
                &self,
                _request: Request<stop_provider::Request>,
            ) -> Result<Response<stop_provider::Response>, Status> {
                tracing::info!("stopping at the user's wish");
                self.calls.cancel_all();
                Ok(Response::new(stop_provider::Response::default()))
            }
        }
    };
}

adapters! {
    get_metadata => "GetMetadata", get_metadata, schema::metadata;
    get_provider_schema => "GetProviderSchema", get_provider_schema, schema::provider;
    get_resource_identity_schemas => "GetResourceIdentitySchemas", get_resource_identity_schemas, schema::identities;
    get_functions => "GetFunctions", get_functions, schema::functions;

    validate_provider_config => "ValidateProviderConfig", validate_provider_config, validate::provider;
    validate_resource_config => "ValidateResourceConfig", validate_resource_config, validate::resource;
    validate_data_resource_config => "ValidateDataResourceConfig", validate_data_resource_config, validate::data_source;
    validate_ephemeral_resource_config =>
        "ValidateEphemeralResourceConfig", validate_ephemeral_resource_config, validate::ephemeral;
    configure_provider => "ConfigureProvider", configure_provider, configure::provider;

    upgrade_resource_state => "UpgradeResourceState", upgrade_resource_state, resource::upgrade;
    read_resource => "ReadResource", read_resource, resource::read;
    plan_resource_change => "PlanResourceChange", plan_resource_change, resource::plan;
    apply_resource_change => "ApplyResourceChange", apply_resource_change, resource::apply;
    import_resource_state => "ImportResourceState", import_resource_state, adopt::import;
    move_resource_state => "MoveResourceState", move_resource_state, adopt::take_over;

    read_data_source => "ReadDataSource", read_data_source, data_source::read;
    open_ephemeral_resource => "OpenEphemeralResource", open_ephemeral_resource, ephemeral::open;
    renew_ephemeral_resource => "RenewEphemeralResource", renew_ephemeral_resource, ephemeral::renew;
    close_ephemeral_resource => "CloseEphemeralResource", close_ephemeral_resource, ephemeral::close;
    call_function => "CallFunction", call_function, function::call;
}
