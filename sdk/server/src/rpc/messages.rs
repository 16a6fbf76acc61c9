//! What all requests, and all responses, have in common.

use tfplugin_core::{Diagnostics, FunctionError};
use tfplugin_proto::tfplugin6::*;

use crate::wire;

/// A request.
pub(super) trait Question: Send + 'static {
    /// What it is about: a type's or a function's name; empty when it is about the whole provider.
    fn subject(&self) -> &str {
        ""
    }

    /// What the client says it can take.
    fn client(&self) -> Option<&ClientCapabilities> {
        None
    }
}

/// A response.
pub(super) trait Answer: Send + 'static {
    /// The response that says nothing but what went wrong.
    fn failed(diagnostics: Diagnostics) -> Self;
}

macro_rules! questions {
    ($($module:ident $({ $($field:ident)? $(, $client:ident)? })?;)*) => {
        $(
            impl Question for $module::Request {
                $(
                    $(fn subject(&self) -> &str {
                        &self.$field
                    })?

                    $(fn client(&self) -> Option<&ClientCapabilities> {
                        self.$client.as_ref()
                    })?
                )?
            }
        )*
    };
}

questions! {
    get_metadata;
    get_provider_schema;
    get_resource_identity_schemas;
    get_functions;
    validate_provider_config;
    validate_resource_config { type_name, client_capabilities };
    validate_data_resource_config { type_name };
    validate_ephemeral_resource_config { type_name };
    configure_provider { , client_capabilities };
    upgrade_resource_state { type_name };
    read_resource { type_name, client_capabilities };
    plan_resource_change { type_name, client_capabilities };
    apply_resource_change { type_name };
    import_resource_state { type_name, client_capabilities };
    move_resource_state { target_type_name };
    read_data_source { type_name, client_capabilities };
    open_ephemeral_resource { type_name, client_capabilities };
    renew_ephemeral_resource { type_name };
    close_ephemeral_resource { type_name };
    call_function { name };
}

macro_rules! answers {
    ($($module:ident;)*) => {
        $(
            impl Answer for $module::Response {
                #[allow(clippy::needless_update, reason = "most responses have more fields, some have not")]
                fn failed(diagnostics: Diagnostics) -> Self {
                    Self { diagnostics: wire::diagnostics(diagnostics), ..Self::default() }
                }
            }
        )*
    };
}

answers! {
    get_metadata;
    get_provider_schema;
    get_resource_identity_schemas;
    get_functions;
    validate_provider_config;
    validate_resource_config;
    validate_data_resource_config;
    validate_ephemeral_resource_config;
    configure_provider;
    upgrade_resource_state;
    read_resource;
    plan_resource_change;
    apply_resource_change;
    import_resource_state;
    move_resource_state;
    read_data_source;
    open_ephemeral_resource;
    renew_ephemeral_resource;
    close_ephemeral_resource;
}

impl Answer for call_function::Response {
    fn failed(diagnostics: Diagnostics) -> Self {
        let error = FunctionError { text: diagnostics.to_string(), argument: None };
        Self { error: Some(wire::function_error(&error)), result: None }
    }
}
