//! What exists already: import by identifier, takeover from another type.

use std::sync::Arc;

use tfplugin_core::{Context, Diagnostics, Engine, MoveSource, Value};
use tfplugin_proto::tfplugin6::import_resource_state::ImportedResource;
use tfplugin_proto::tfplugin6::*;

use super::resource::deferred;
use crate::wire::{diagnostics, encode};

/// Finds an existing object. Terraform reads it right after.
pub(super) async fn import(
    engine: Arc<Engine>,
    cx: Context,
    request: import_resource_state::Request,
) -> Result<import_resource_state::Response, Diagnostics> {
    let resource = engine.resource(&request.type_name)?;
    if let reason @ Some(_) = resource.defer_import(&cx, &request.id).await {
        // Terraform wants one object all the same, and plans with what is unknown of it.
        let state = Some(encode(&Value::Unknown, resource.ty())?);
        let imported = ImportedResource { state, type_name: request.type_name, ..Default::default() };
        return Ok(import_resource_state::Response {
            imported_resources: vec![imported],
            diagnostics: Vec::new(),
            deferred: deferred(reason),
        });
    }
    let (state, private, warnings) = resource.import(&cx, &request.id).await?;
    let imported = ImportedResource {
        state: Some(encode(&state, resource.ty())?),
        private: private.to_bytes(),
        type_name: request.type_name,
        identity: None,
    };
    Ok(import_resource_state::Response {
        imported_resources: vec![imported],
        diagnostics: diagnostics(warnings),
        deferred: None,
    })
}

/// Takes over the state of another type, as a `moved` block asks.
pub(super) async fn take_over(
    engine: Arc<Engine>,
    cx: Context,
    request: move_resource_state::Request,
) -> Result<move_resource_state::Response, Diagnostics> {
    let resource = engine.resource(&request.target_type_name)?;
    let raw = request.source_state.unwrap_or_default();
    let state = serde_json::from_slice(&raw.json).map_err(|error| {
        Diagnostics::error(
            format!("The state of this {} cannot be read", request.source_type_name),
            format!("It should be JSON, as Terraform 0.12 and later write it: {error}."),
        )
    })?;
    let source = MoveSource {
        provider_address: request.source_provider_address,
        type_name: request.source_type_name,
        schema_version: request.source_schema_version,
        state,
    };
    let (state, private, warnings) = engine.move_state(&cx, &request.target_type_name, &source).await?;
    Ok(move_resource_state::Response {
        target_state: Some(encode(&state, resource.ty())?),
        target_private: private.to_bytes(),
        diagnostics: diagnostics(warnings),
        target_identity: None,
    })
}
