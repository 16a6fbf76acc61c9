//! The provider's configuration, once per process.

use std::sync::Arc;

use tfplugin_core::{Context, Diagnostics, Engine};
use tfplugin_proto::tfplugin6::configure_provider::{Request, Response};

use crate::wire::{decode, diagnostics};

/// Hands the configuration to the provider.
pub(super) async fn provider(engine: Arc<Engine>, cx: Context, request: Request) -> Result<Response, Diagnostics> {
    tracing::debug!(terraform_version = request.terraform_version, "configuring");
    let config = decode(request.config.as_ref(), &engine.schema().ty())?;
    let found = engine.configure(&cx, &config).await;
    Ok(Response { diagnostics: diagnostics(found) })
}
