//! The provider's side of the protocol, call by call, as the driver sees it.

use std::sync::Arc;
use std::time::SystemTime;

use tfplugin_core::{
    ApplyRequest, Context, Deferred, Diagnostics, Engine, FunctionError, MoveSource, PlanRequest, PlanResponse,
    Private, Renewed, StateResponse, Type, Value, async_trait, from_msgpack, to_msgpack,
};

use crate::fail;

/// A state and private state with messages.
pub(crate) type Found = (Value, Vec<u8>, Diagnostics);

/// What was opened: result, private bytes, when to renew it, messages.
pub(crate) type Open = (Value, Vec<u8>, Option<SystemTime>, Diagnostics);

/// An answer now, or the reason why there is none in this run.
pub(crate) enum Asked<T> {
    Now(T),
    Later(Deferred),
}

/// Every call that core makes. Names of types were checked before.
#[async_trait]
pub(crate) trait Peer: Send + Sync {
    async fn validate_provider(&self, cx: &Context, config: &Value) -> Diagnostics;
    async fn configure(&self, cx: &Context, config: &Value) -> Diagnostics;
    async fn validate(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics;
    async fn upgrade(&self, kind: &str, version: i64, state: &[u8]) -> Result<Value, Diagnostics>;
    async fn plan(&self, cx: &Context, kind: &str, request: PlanRequest) -> PlanResponse;
    async fn apply(&self, cx: &Context, kind: &str, request: ApplyRequest) -> StateResponse;
    async fn read(&self, cx: &Context, kind: &str, state: &Value, private: &[u8]) -> StateResponse;
    async fn import(&self, cx: &Context, kind: &str, id: &str) -> Result<Asked<Found>, Diagnostics>;
    async fn move_state(&self, cx: &Context, kind: &str, source: &MoveSource) -> Result<Found, Diagnostics>;
    async fn validate_data(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics;
    async fn read_data(
        &self,
        cx: &Context,
        kind: &str,
        config: &Value,
    ) -> Result<Asked<(Value, Diagnostics)>, Diagnostics>;
    async fn validate_ephemeral(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics;
    async fn open(&self, cx: &Context, kind: &str, config: &Value) -> Result<Asked<Open>, Diagnostics>;
    async fn renew(
        &self,
        cx: &Context,
        kind: &str,
        private: &[u8],
    ) -> Result<(Vec<u8>, Option<SystemTime>), Diagnostics>;
    async fn close(&self, cx: &Context, kind: &str, private: &[u8]) -> Diagnostics;
    async fn call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

/// An engine in this process. Every value goes through the codec of the wire on its way in and out.
pub(crate) struct InProcess(pub(crate) Arc<Engine>);

/// The value as it arrives on the other side.
fn sent(value: &Value, ty: &Type, what: &str) -> Value {
    let arrived = to_msgpack(value, ty).and_then(|bytes| from_msgpack(&bytes, ty));
    let arrived = arrived.unwrap_or_else(|error| {
        fail(format!("Provider produced invalid object: {what} is not of the schema: {error}"))
    });
    if from_msgpack(&to_msgpack(&arrived, ty).unwrap_or_default(), ty).as_ref() != Ok(&arrived) {
        fail(format!("the codec loses something: {what} does not survive MessagePack a second time"));
    }
    arrived
}

impl InProcess {
    fn resource(&self, kind: &str) -> &tfplugin_core::AnyResource {
        self.0.resource(kind).unwrap_or_else(|errors| fail(errors))
    }

    fn data_source(&self, kind: &str) -> &tfplugin_core::AnyDataSource {
        self.0.data_source(kind).unwrap_or_else(|errors| fail(errors))
    }

    fn ephemeral(&self, kind: &str) -> &tfplugin_core::AnyEphemeralResource {
        self.0.ephemeral_resource(kind).unwrap_or_else(|errors| fail(errors))
    }
}

#[async_trait]
impl Peer for InProcess {
    async fn validate_provider(&self, cx: &Context, config: &Value) -> Diagnostics {
        self.0.validate(cx, &sent(config, &self.0.schema().ty(), "the provider's configuration")).await
    }

    async fn configure(&self, cx: &Context, config: &Value) -> Diagnostics {
        self.0.configure(cx, &sent(config, &self.0.schema().ty(), "the provider's configuration")).await
    }

    async fn validate(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        let resource = self.resource(kind);
        resource.validate(cx, &sent(config, resource.ty(), "the configuration")).await
    }

    async fn upgrade(&self, kind: &str, version: i64, state: &[u8]) -> Result<Value, Diagnostics> {
        let resource = self.resource(kind);
        Ok(sent(&resource.upgrade(version, state)?, resource.ty(), "the upgraded state"))
    }

    async fn plan(&self, cx: &Context, kind: &str, request: PlanRequest) -> PlanResponse {
        let resource = self.resource(kind);
        let ty = resource.ty();
        let request = PlanRequest {
            prior: sent(&request.prior, ty, "the prior state"),
            proposed: sent(&request.proposed, ty, "the proposed state"),
            config: sent(&request.config, ty, "the configuration"),
            ..request
        };
        let response = resource.plan(cx, request).await;
        PlanResponse { planned: sent(&response.planned, ty, "the planned state"), ..response }
    }

    async fn apply(&self, cx: &Context, kind: &str, request: ApplyRequest) -> StateResponse {
        let resource = self.resource(kind);
        let ty = resource.ty();
        let request = ApplyRequest {
            prior: sent(&request.prior, ty, "the prior state"),
            planned: sent(&request.planned, ty, "the planned state"),
            config: sent(&request.config, ty, "the configuration"),
            ..request
        };
        let response = resource.apply(cx, request).await;
        StateResponse { state: sent(&response.state, ty, "the state after apply"), ..response }
    }

    async fn read(&self, cx: &Context, kind: &str, state: &Value, private: &[u8]) -> StateResponse {
        let resource = self.resource(kind);
        let ty = resource.ty();
        let response = resource.read(cx, &sent(state, ty, "the prior state"), private).await;
        StateResponse { state: sent(&response.state, ty, "the state after refresh"), ..response }
    }

    async fn import(&self, cx: &Context, kind: &str, id: &str) -> Result<Asked<Found>, Diagnostics> {
        let resource = self.resource(kind);
        if let Some(reason) = resource.defer_import(cx, id).await {
            return Ok(Asked::Later(reason));
        }
        let (state, private, diagnostics) = resource.import(cx, id).await?;
        Ok(Asked::Now((sent(&state, resource.ty(), "the imported state"), private.to_bytes(), diagnostics)))
    }

    async fn move_state(&self, cx: &Context, kind: &str, source: &MoveSource) -> Result<Found, Diagnostics> {
        let (state, private, diagnostics) = self.0.move_state(cx, kind, source).await?;
        Ok((sent(&state, self.resource(kind).ty(), "the moved state"), private.to_bytes(), diagnostics))
    }

    async fn validate_data(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        let source = self.data_source(kind);
        source.validate(cx, &sent(config, source.ty(), "the configuration")).await
    }

    async fn read_data(
        &self,
        cx: &Context,
        kind: &str,
        config: &Value,
    ) -> Result<Asked<(Value, Diagnostics)>, Diagnostics> {
        let source = self.data_source(kind);
        let config = sent(config, source.ty(), "the configuration");
        if let Some(reason) = source.defer(cx, &config).await {
            return Ok(Asked::Later(reason));
        }
        let (state, diagnostics) = source.read(cx, &config).await?;
        Ok(Asked::Now((sent(&state, source.ty(), "what was read"), diagnostics)))
    }

    async fn validate_ephemeral(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        let ephemeral = self.ephemeral(kind);
        ephemeral.validate(cx, &sent(config, ephemeral.ty(), "the configuration")).await
    }

    async fn open(&self, cx: &Context, kind: &str, config: &Value) -> Result<Asked<Open>, Diagnostics> {
        let ephemeral = self.ephemeral(kind);
        let config = sent(config, ephemeral.ty(), "the configuration");
        if let Some(reason) = ephemeral.defer(cx, &config).await {
            return Ok(Asked::Later(reason));
        }
        let (result, private, renew_at, diagnostics) = ephemeral.open(cx, &config).await?;
        Ok(Asked::Now((sent(&result, ephemeral.ty(), "what was opened"), private.to_bytes(), renew_at, diagnostics)))
    }

    async fn renew(
        &self,
        cx: &Context,
        kind: &str,
        private: &[u8],
    ) -> Result<(Vec<u8>, Option<SystemTime>), Diagnostics> {
        let Renewed { private, renew_at } = self.ephemeral(kind).renew(cx, Private::from_bytes(private)).await?;
        Ok((private.to_bytes(), renew_at))
    }

    async fn close(&self, cx: &Context, kind: &str, private: &[u8]) -> Diagnostics {
        self.ephemeral(kind).close(cx, Private::from_bytes(private)).await
    }

    async fn call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let function = self.0.functions().get(name).unwrap_or_else(|| fail(format!("no function is named {name}")));
        let signature = function.signature();
        let arguments = arguments
            .iter()
            .zip(signature.parameters.iter().chain(signature.variadic.iter().cycle()))
            .map(|(value, parameter)| sent(value, &parameter.ty, &format!("the argument {}", parameter.name)))
            .collect();
        let result = function.call(arguments)?;
        Ok(sent(&result, &signature.returns, "the result"))
    }
}
