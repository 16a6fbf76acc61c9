//! The same calls through the real service: its adapters, its messages, its tasks. No socket is in between.

mod messages;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;

use futures::future::{Either, select};
use tfplugin_core::{
    AnyDataSource, AnyEphemeralResource, AnyResource, ApplyRequest, Context, Diagnostics, Engine, Function,
    FunctionError, MoveSource, PlanRequest, PlanResponse, Provider, StateResponse, Type, Value, async_trait,
};
use tfplugin_proto::MAX_MESSAGE_BYTES;
use tfplugin_proto::tfplugin6::provider_client::ProviderClient;
use tfplugin_proto::tfplugin6::provider_server::ProviderServer;
use tfplugin_proto::tfplugin6::*;
use tfplugin_server::ProviderService;
use tonic::{Response, Status};

use crate::fail;
use crate::peer::{Asked, Found, Open, Peer};
use messages::{Told, capabilities, decode, deferred, encode, function_error, path};

/// A provider that an engine and a service have in common: the one for the schema, the other for the calls.
pub(crate) struct Shared<P>(pub(crate) Arc<P>);

#[async_trait]
impl<P: Provider> Provider for Shared<P> {
    type Config = P::Config;

    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn resources(&self) -> Vec<AnyResource> {
        self.0.resources()
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        self.0.data_sources()
    }

    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        self.0.ephemeral_resources()
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        self.0.functions()
    }

    async fn validate(&self, cx: &Context, config: &P::Config) -> Diagnostics {
        self.0.validate(cx, config).await
    }

    async fn configure(&self, cx: &Context, config: P::Config) -> Diagnostics {
        self.0.configure(cx, config).await
    }
}

type Client = ProviderClient<ProviderServer<ProviderService>>;

/// The provider behind its service.
pub(crate) struct Grpc {
    client: Client,
    engine: Arc<Engine>,
}

impl Grpc {
    /// `engine` is of the same provider.
    pub(crate) fn new<P: Provider>(provider: P, engine: Arc<Engine>) -> Grpc {
        let client = ProviderClient::new(tfplugin_server::service(provider))
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Grpc { client, engine }
    }

    /// Waits for an answer. A cancel in the meantime is what Terraform makes of an interrupt: StopProvider.
    async fn ask<A>(&self, cx: &Context, call: impl Future<Output = Result<Response<A>, Status>>) -> A {
        let answer = match select(pin!(call), pin!(cx.cancel.cancelled())).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), call)) => {
                let _ = self.client.clone().stop_provider(stop_provider::Request {}).await;
                call.await
            }
        };
        answer.unwrap_or_else(|status| fail(format!("the service failed instead of answering: {status}"))).into_inner()
    }

    fn resource(&self, kind: &str) -> &Type {
        self.engine.resource(kind).unwrap_or_else(|errors| fail(errors)).ty()
    }

    fn data_source(&self, kind: &str) -> &Type {
        self.engine.data_source(kind).unwrap_or_else(|errors| fail(errors)).ty()
    }

    fn ephemeral(&self, kind: &str) -> &Type {
        self.engine.ephemeral_resource(kind).unwrap_or_else(|errors| fail(errors)).ty()
    }
}

#[async_trait]
impl Peer for Grpc {
    async fn validate_provider(&self, cx: &Context, config: &Value) -> Diagnostics {
        let request = validate_provider_config::Request { config: encode(config, &self.engine.schema().ty()) };
        self.ask(cx, self.client.clone().validate_provider_config(request)).await.diagnostics.told()
    }

    async fn configure(&self, cx: &Context, config: &Value) -> Diagnostics {
        let request = configure_provider::Request {
            terraform_version: "1.11.0".into(),
            config: encode(config, &self.engine.schema().ty()),
            client_capabilities: capabilities(cx),
        };
        self.ask(cx, self.client.clone().configure_provider(request)).await.diagnostics.told()
    }

    async fn validate(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        let request = validate_resource_config::Request {
            type_name: kind.into(),
            config: encode(config, self.resource(kind)),
            client_capabilities: capabilities(cx),
        };
        self.ask(cx, self.client.clone().validate_resource_config(request)).await.diagnostics.told()
    }

    async fn upgrade(&self, kind: &str, version: i64, state: &[u8]) -> Result<Value, Diagnostics> {
        let raw_state = Some(RawState { json: state.to_vec(), ..RawState::default() });
        let request = upgrade_resource_state::Request { type_name: kind.into(), version, raw_state };
        let answer = self.ask(&Context::default(), self.client.clone().upgrade_resource_state(request)).await;
        answer.diagnostics.told().into_result()?;
        Ok(decode(answer.upgraded_state, self.resource(kind)))
    }

    async fn plan(&self, cx: &Context, kind: &str, request: PlanRequest) -> PlanResponse {
        let ty = self.resource(kind);
        let request = plan_resource_change::Request {
            type_name: kind.into(),
            prior_state: encode(&request.prior, ty),
            proposed_new_state: encode(&request.proposed, ty),
            config: encode(&request.config, ty),
            prior_private: request.prior_private,
            client_capabilities: capabilities(cx),
            ..plan_resource_change::Request::default()
        };
        let answer = self.ask(cx, self.client.clone().plan_resource_change(request)).await;
        PlanResponse {
            planned: decode(answer.planned_state, ty),
            requires_replace: answer.requires_replace.into_iter().map(path).collect(),
            planned_private: answer.planned_private,
            deferred: deferred(answer.deferred),
            diagnostics: answer.diagnostics.told(),
        }
    }

    async fn apply(&self, cx: &Context, kind: &str, request: ApplyRequest) -> StateResponse {
        let ty = self.resource(kind);
        let request = apply_resource_change::Request {
            type_name: kind.into(),
            prior_state: encode(&request.prior, ty),
            planned_state: encode(&request.planned, ty),
            config: encode(&request.config, ty),
            planned_private: request.planned_private,
            ..apply_resource_change::Request::default()
        };
        let answer = self.ask(cx, self.client.clone().apply_resource_change(request)).await;
        StateResponse {
            state: decode(answer.new_state, ty),
            private: answer.private,
            deferred: None,
            diagnostics: answer.diagnostics.told(),
        }
    }

    async fn read(&self, cx: &Context, kind: &str, state: &Value, private: &[u8]) -> StateResponse {
        let ty = self.resource(kind);
        let request = read_resource::Request {
            type_name: kind.into(),
            current_state: encode(state, ty),
            private: private.to_vec(),
            client_capabilities: capabilities(cx),
            ..read_resource::Request::default()
        };
        let answer = self.ask(cx, self.client.clone().read_resource(request)).await;
        StateResponse {
            state: decode(answer.new_state, ty),
            private: answer.private,
            deferred: deferred(answer.deferred),
            diagnostics: answer.diagnostics.told(),
        }
    }

    async fn import(&self, cx: &Context, kind: &str, id: &str) -> Result<Asked<Found>, Diagnostics> {
        let request = import_resource_state::Request {
            type_name: kind.into(),
            id: id.into(),
            client_capabilities: capabilities(cx),
            identity: None,
        };
        let answer = self.ask(cx, self.client.clone().import_resource_state(request)).await;
        let told = answer.diagnostics.told().into_result()?;
        let [imported] = answer.imported_resources.as_slice() else {
            fail(format!("{kind}: one object should be imported, not {}", answer.imported_resources.len()))
        };
        if imported.type_name != kind {
            fail(format!("{kind}: what was imported is said to be a {}", imported.type_name));
        }
        let state = decode(imported.state.clone(), self.resource(kind));
        Ok(match deferred(answer.deferred) {
            Some(reason) => Asked::Later(reason),
            None => Asked::Now((state, imported.private.clone(), told)),
        })
    }

    async fn move_state(&self, cx: &Context, kind: &str, source: &MoveSource) -> Result<Found, Diagnostics> {
        let json = source.state.to_string().into_bytes();
        let request = move_resource_state::Request {
            source_provider_address: source.provider_address.clone(),
            source_type_name: source.type_name.clone(),
            source_schema_version: source.schema_version,
            source_state: Some(RawState { json, ..RawState::default() }),
            target_type_name: kind.into(),
            ..move_resource_state::Request::default()
        };
        let answer = self.ask(cx, self.client.clone().move_resource_state(request)).await;
        let told = answer.diagnostics.told().into_result()?;
        Ok((decode(answer.target_state, self.resource(kind)), answer.target_private, told))
    }

    async fn validate_data(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        let config = encode(config, self.data_source(kind));
        let request = validate_data_resource_config::Request { type_name: kind.into(), config };
        self.ask(cx, self.client.clone().validate_data_resource_config(request)).await.diagnostics.told()
    }

    async fn read_data(
        &self,
        cx: &Context,
        kind: &str,
        config: &Value,
    ) -> Result<Asked<(Value, Diagnostics)>, Diagnostics> {
        let ty = self.data_source(kind);
        let request = read_data_source::Request {
            type_name: kind.into(),
            config: encode(config, ty),
            client_capabilities: capabilities(cx),
            provider_meta: None,
        };
        let answer = self.ask(cx, self.client.clone().read_data_source(request)).await;
        let told = answer.diagnostics.told().into_result()?;
        let state = decode(answer.state, ty);
        Ok(deferred(answer.deferred).map_or(Asked::Now((state, told)), Asked::Later))
    }

    async fn validate_ephemeral(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        let config = encode(config, self.ephemeral(kind));
        let request = validate_ephemeral_resource_config::Request { type_name: kind.into(), config };
        self.ask(cx, self.client.clone().validate_ephemeral_resource_config(request)).await.diagnostics.told()
    }

    async fn open(&self, cx: &Context, kind: &str, config: &Value) -> Result<Asked<Open>, Diagnostics> {
        let ty = self.ephemeral(kind);
        let request = open_ephemeral_resource::Request {
            type_name: kind.into(),
            config: encode(config, ty),
            client_capabilities: capabilities(cx),
        };
        let answer = self.ask(cx, self.client.clone().open_ephemeral_resource(request)).await;
        let told = answer.diagnostics.told().into_result()?;
        let renew_at = answer.renew_at.and_then(|at| SystemTime::try_from(at).ok());
        let opened = (decode(answer.result, ty), answer.private.unwrap_or_default(), renew_at, told);
        Ok(deferred(answer.deferred).map_or(Asked::Now(opened), Asked::Later))
    }

    async fn renew(
        &self,
        cx: &Context,
        kind: &str,
        private: &[u8],
    ) -> Result<(Vec<u8>, Option<SystemTime>), Diagnostics> {
        let request = renew_ephemeral_resource::Request { type_name: kind.into(), private: Some(private.to_vec()) };
        let answer = self.ask(cx, self.client.clone().renew_ephemeral_resource(request)).await;
        answer.diagnostics.told().into_result()?;
        let renew_at = answer.renew_at.and_then(|at| SystemTime::try_from(at).ok());
        Ok((answer.private.unwrap_or_default(), renew_at))
    }

    async fn close(&self, cx: &Context, kind: &str, private: &[u8]) -> Diagnostics {
        let request = close_ephemeral_resource::Request { type_name: kind.into(), private: Some(private.to_vec()) };
        self.ask(cx, self.client.clone().close_ephemeral_resource(request)).await.diagnostics.told()
    }

    async fn call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let Some(function) = self.engine.functions().get(name) else { fail(format!("no function is named {name}")) };
        let signature = function.signature();
        let parameters = signature.parameters.iter().chain(signature.variadic.iter().cycle());
        let arguments = arguments.iter().zip(parameters).filter_map(|(value, one)| encode(value, &one.ty)).collect();
        let request = call_function::Request { name: name.into(), arguments };
        let answer = self.ask(&Context::default(), self.client.clone().call_function(request)).await;
        match answer.error {
            Some(error) => Err(function_error(error)),
            None => Ok(decode(answer.result, &signature.returns)),
        }
    }
}
