//! What exists for one run only.

use std::sync::Arc;
use std::time::SystemTime;

use prost_types::Timestamp;
use tfplugin_core::{Context, Diagnostics, Engine, Private, Value};
use tfplugin_proto::tfplugin6::*;

use super::resource::deferred;
use crate::wire::{decode, diagnostics, encode};

/// Opens it.
pub(super) async fn open(
    engine: Arc<Engine>,
    cx: Context,
    request: open_ephemeral_resource::Request,
) -> Result<open_ephemeral_resource::Response, Diagnostics> {
    let ephemeral = engine.ephemeral_resource(&request.type_name)?;
    let config = decode(request.config.as_ref(), ephemeral.ty())?;
    if let reason @ Some(_) = ephemeral.defer(&cx, &config).await {
        let result = Some(encode(&Value::Unknown, ephemeral.ty())?);
        return Ok(open_ephemeral_resource::Response { result, deferred: deferred(reason), ..Default::default() });
    }
    let (result, private, renew_at, warnings) = ephemeral.open(&cx, &config).await?;
    Ok(open_ephemeral_resource::Response {
        result: Some(encode(&result, ephemeral.ty())?),
        private: bytes(&private),
        renew_at: renew_at.map(timestamp),
        diagnostics: diagnostics(warnings),
        deferred: None,
    })
}

/// Makes it last longer.
pub(super) async fn renew(
    engine: Arc<Engine>,
    cx: Context,
    request: renew_ephemeral_resource::Request,
) -> Result<renew_ephemeral_resource::Response, Diagnostics> {
    let ephemeral = engine.ephemeral_resource(&request.type_name)?;
    let renewed = ephemeral.renew(&cx, private(request.private)).await?;
    Ok(renew_ephemeral_resource::Response {
        private: bytes(&renewed.private),
        renew_at: renewed.renew_at.map(timestamp),
        diagnostics: Vec::new(),
    })
}

/// Ends it.
pub(super) async fn close(
    engine: Arc<Engine>,
    cx: Context,
    request: close_ephemeral_resource::Request,
) -> Result<close_ephemeral_resource::Response, Diagnostics> {
    let ephemeral = engine.ephemeral_resource(&request.type_name)?;
    let found = ephemeral.close(&cx, private(request.private)).await;
    Ok(close_ephemeral_resource::Response { diagnostics: diagnostics(found) })
}

fn private(bytes: Option<Vec<u8>>) -> Private {
    Private::from_bytes(&bytes.unwrap_or_default())
}

fn bytes(private: &Private) -> Option<Vec<u8>> {
    Some(private.to_bytes()).filter(|bytes| !bytes.is_empty())
}

fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::from(at)
}
