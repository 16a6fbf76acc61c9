//! What is looked up and not managed.

use std::sync::Arc;

use tfplugin_core::{Context, Diagnostics, Engine, Value};
use tfplugin_proto::tfplugin6::read_data_source::{Request, Response};

use super::resource::deferred;
use crate::wire::{decode, diagnostics, encode};

/// Looks it up.
pub(super) async fn read(engine: Arc<Engine>, cx: Context, request: Request) -> Result<Response, Diagnostics> {
    let source = engine.data_source(&request.type_name)?;
    let config = decode(request.config.as_ref(), source.ty())?;
    if let reason @ Some(_) = source.defer(&cx, &config).await {
        let state = Some(encode(&Value::Unknown, source.ty())?);
        return Ok(Response { state, diagnostics: Vec::new(), deferred: deferred(reason) });
    }
    let (state, warnings) = source.read(&cx, &config).await?;
    Ok(Response { state: Some(encode(&state, source.ty())?), diagnostics: diagnostics(warnings), deferred: None })
}
