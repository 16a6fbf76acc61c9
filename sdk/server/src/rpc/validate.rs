//! Checks of configurations, which may have unknowns.

use std::sync::Arc;

use tfplugin_core::{Context, Diagnostics, Engine};
use tfplugin_proto::tfplugin6::*;

use crate::wire::{decode, diagnostics};

/// The provider's own configuration.
pub(super) async fn provider(
    engine: Arc<Engine>,
    cx: Context,
    request: validate_provider_config::Request,
) -> Result<validate_provider_config::Response, Diagnostics> {
    let config = decode(request.config.as_ref(), &engine.schema().ty())?;
    let found = engine.validate(&cx, &config).await;
    Ok(validate_provider_config::Response { diagnostics: diagnostics(found) })
}

/// A resource's configuration.
pub(super) async fn resource(
    engine: Arc<Engine>,
    cx: Context,
    request: validate_resource_config::Request,
) -> Result<validate_resource_config::Response, Diagnostics> {
    let resource = engine.resource(&request.type_name)?;
    let config = decode(request.config.as_ref(), resource.ty())?;
    let found = resource.validate(&cx, &config).await;
    Ok(validate_resource_config::Response { diagnostics: diagnostics(found) })
}

/// A data source's configuration.
pub(super) async fn data_source(
    engine: Arc<Engine>,
    cx: Context,
    request: validate_data_resource_config::Request,
) -> Result<validate_data_resource_config::Response, Diagnostics> {
    let source = engine.data_source(&request.type_name)?;
    let config = decode(request.config.as_ref(), source.ty())?;
    let found = source.validate(&cx, &config).await;
    Ok(validate_data_resource_config::Response { diagnostics: diagnostics(found) })
}

/// An ephemeral resource's configuration.
pub(super) async fn ephemeral(
    engine: Arc<Engine>,
    cx: Context,
    request: validate_ephemeral_resource_config::Request,
) -> Result<validate_ephemeral_resource_config::Response, Diagnostics> {
    let ephemeral = engine.ephemeral_resource(&request.type_name)?;
    let config = decode(request.config.as_ref(), ephemeral.ty())?;
    let found = ephemeral.validate(&cx, &config).await;
    Ok(validate_ephemeral_resource_config::Response { diagnostics: diagnostics(found) })
}
