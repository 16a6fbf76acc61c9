//! Calls of functions.

use std::sync::Arc;

use tfplugin_core::{Context, Diagnostics, Engine, FunctionError, Signature, Value};
use tfplugin_proto::tfplugin6::DynamicValue;
use tfplugin_proto::tfplugin6::call_function::{Request, Response};

use crate::wire::{decode, encode, function_error};

/// Calls one. Whatever goes wrong is a function's error, not a diagnostic: the protocol has no other.
///
/// A function computes and is not async: on a thread of its own, so that the workers go on to hear Terraform meanwhile.
pub(super) async fn call(engine: Arc<Engine>, _cx: Context, request: Request) -> Result<Response, Diagnostics> {
    let called = tokio::task::spawn_blocking(move || result(&engine, &request)).await;
    let result = called.unwrap_or_else(|error| match error.try_into_panic() {
        // Where panics of all calls are told.
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(ended) => Err(FunctionError { text: ended.to_string(), argument: None }),
    });
    Ok(match result {
        Ok(result) => Response { result: Some(result), error: None },
        Err(error) => Response { result: None, error: Some(function_error(&error)) },
    })
}

fn result(engine: &Engine, request: &Request) -> Result<DynamicValue, FunctionError> {
    let general = |text: String| FunctionError { text, argument: None };
    let function = engine
        .functions()
        .get(&request.name)
        .ok_or_else(|| general(format!("this version of the provider has no function {}", request.name)))?;
    let signature = function.signature();
    let arguments = arguments(&signature, &request.arguments)?;
    let result = function.call(arguments)?;
    encode(&result, &signature.returns).map_err(|diagnostics| general(diagnostics.to_string()))
}

fn arguments(signature: &Signature, given: &[DynamicValue]) -> Result<Vec<Value>, FunctionError> {
    let fixed = signature.parameters.len();
    if given.len() < fixed || (given.len() > fixed && signature.variadic.is_none()) {
        let text = format!("{} takes {fixed} arguments, not {}", signature.name, given.len());
        return Err(FunctionError { text, argument: None });
    }
    let parameters = signature.parameters.iter().chain(signature.variadic.iter().cycle());
    let read = |(position, (argument, parameter)): (usize, (&DynamicValue, &tfplugin_core::Parameter))| {
        decode(Some(argument), &parameter.ty)
            .map_err(|error| FunctionError::argument(i64::try_from(position).unwrap_or_default(), error.to_string()))
    };
    given.iter().zip(parameters).enumerate().map(read).collect()
}
