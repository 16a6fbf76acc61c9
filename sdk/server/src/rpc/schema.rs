//! What there is: names, schemas, signatures, capabilities.

use std::collections::HashMap;
use std::sync::Arc;

use tfplugin_core::{Context, Diagnostics, Engine};
use tfplugin_proto::tfplugin6::*;

use crate::wire;

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        plan_destroy: true,
        get_provider_schema_optional: true,
        move_resource_state: true,
        generate_resource_config: false,
    }
}

/// The names alone.
pub(super) async fn metadata(
    engine: Arc<Engine>,
    _cx: Context,
    _request: get_metadata::Request,
) -> Result<get_metadata::Response, Diagnostics> {
    use get_metadata::{DataSourceMetadata, EphemeralMetadata, FunctionMetadata, ResourceMetadata};
    Ok(get_metadata::Response {
        server_capabilities: Some(capabilities()),
        resources: names(engine.resources(), |type_name| ResourceMetadata { type_name }),
        data_sources: names(engine.data_sources(), |type_name| DataSourceMetadata { type_name }),
        ephemeral_resources: names(engine.ephemeral_resources(), |type_name| EphemeralMetadata { type_name }),
        functions: names(engine.functions(), |name| FunctionMetadata { name }),
        ..Default::default()
    })
}

fn names<'a, K: ToString + 'a, V: 'a, M>(
    parts: impl IntoIterator<Item = (&'a K, &'a V)>,
    message: impl Fn(String) -> M,
) -> Vec<M> {
    parts.into_iter().map(|(name, _)| message(name.to_string())).collect()
}

/// Every schema. Built anew for each of the one or two times that a process is asked: keeping it would
/// cost memory for as long as the process lives.
pub(super) async fn provider(
    engine: Arc<Engine>,
    _cx: Context,
    _request: get_provider_schema::Request,
) -> Result<get_provider_schema::Response, Diagnostics> {
    let schemas = |parts: &mut dyn Iterator<Item = (&'static str, &tfplugin_core::Schema)>| {
        parts.map(|(name, schema)| (name.to_owned(), wire::schema(schema))).collect::<HashMap<_, _>>()
    };
    Ok(get_provider_schema::Response {
        provider: Some(wire::schema(engine.schema())),
        resource_schemas: schemas(&mut engine.resources().iter().map(|(name, one)| (*name, one.schema()))),
        data_source_schemas: schemas(&mut engine.data_sources().iter().map(|(name, one)| (*name, one.schema()))),
        ephemeral_resource_schemas: schemas(
            &mut engine.ephemeral_resources().iter().map(|(name, one)| (*name, one.schema())),
        ),
        functions: signatures(&engine),
        server_capabilities: Some(capabilities()),
        ..Default::default()
    })
}

/// No resource has an identity. Said with an empty answer: Terraform takes Unimplemented for the same,
/// but logs it as a fault of an old provider.
pub(super) async fn identities(
    _engine: Arc<Engine>,
    _cx: Context,
    _request: get_resource_identity_schemas::Request,
) -> Result<get_resource_identity_schemas::Response, Diagnostics> {
    Ok(get_resource_identity_schemas::Response::default())
}

/// The functions' signatures.
pub(super) async fn functions(
    engine: Arc<Engine>,
    _cx: Context,
    _request: get_functions::Request,
) -> Result<get_functions::Response, Diagnostics> {
    Ok(get_functions::Response { functions: signatures(&engine), diagnostics: Vec::new() })
}

fn signatures(engine: &Engine) -> HashMap<String, Function> {
    engine.functions().iter().map(|(name, one)| (name.clone(), wire::function(&one.signature()))).collect()
}
