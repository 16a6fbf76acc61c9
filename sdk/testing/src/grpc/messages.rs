//! Between the messages of the protocol and the values of the driver.

use tfplugin_core::{
    Context, Deferred, Diagnostic, Diagnostics, FunctionError, Path, Severity, Step, Type, Value, from_msgpack,
    to_msgpack,
};
use tfplugin_proto::tfplugin6;
use tfplugin_proto::tfplugin6::DynamicValue;
use tfplugin_proto::tfplugin6::attribute_path::step::Selector;

use crate::fail;

pub(super) fn encode(value: &Value, ty: &Type) -> Option<DynamicValue> {
    let msgpack =
        to_msgpack(value, ty).unwrap_or_else(|error| fail(format!("a value to send is not of its type: {error}")));
    Some(DynamicValue { msgpack, json: Vec::new() })
}

/// No value at all is null: an answer that only says what went wrong.
pub(super) fn decode(value: Option<DynamicValue>, ty: &Type) -> Value {
    let Some(value) = value else { return Value::Null };
    from_msgpack(&value.msgpack, ty)
        .unwrap_or_else(|error| fail(format!("Provider produced invalid object: it is not of the schema: {error}")))
}

pub(super) fn capabilities(cx: &Context) -> Option<tfplugin6::ClientCapabilities> {
    Some(tfplugin6::ClientCapabilities {
        deferral_allowed: cx.client.deferral_allowed,
        write_only_attributes_allowed: cx.client.write_only_attributes_allowed,
        ..tfplugin6::ClientCapabilities::default()
    })
}

pub(super) fn deferred(deferred: Option<tfplugin6::Deferred>) -> Option<Deferred> {
    use tfplugin6::deferred::Reason;
    deferred.map(|deferred| match deferred.reason() {
        Reason::ResourceConfigUnknown => Deferred::ResourceConfigUnknown,
        Reason::ProviderConfigUnknown => Deferred::ProviderConfigUnknown,
        Reason::AbsentPrereq => Deferred::AbsentPrerequisite,
        Reason::Unknown => fail("a deferral must say its reason"),
    })
}

pub(super) fn path(path: tfplugin6::AttributePath) -> Path {
    path.steps.into_iter().fold(Path::root(), |path, step| match step.selector {
        Some(Selector::AttributeName(name)) => path.with(Step::Attribute(name)),
        Some(Selector::ElementKeyString(key)) => path.with(Step::Key(key)),
        Some(Selector::ElementKeyInt(index)) => path.with(Step::Index(index)),
        None => fail("a step of a path must say where to"),
    })
}

pub(super) fn function_error(error: tfplugin6::FunctionError) -> FunctionError {
    FunctionError { text: error.text, argument: error.function_argument }
}

/// Messages as they come over the wire.
pub(super) trait Told {
    fn told(self) -> Diagnostics;
}

impl Told for Vec<tfplugin6::Diagnostic> {
    fn told(self) -> Diagnostics {
        let one = |message: tfplugin6::Diagnostic| {
            use tfplugin6::diagnostic::Severity as Wire;
            let severity = match message.severity() {
                Wire::Error => Severity::Error,
                Wire::Warning => Severity::Warning,
                Wire::Invalid => fail(format!("a message must be an error or a warning: {}", message.summary)),
            };
            let path = message.attribute.map(path);
            Diagnostic { severity, summary: message.summary, detail: message.detail, path }
        };
        self.into_iter().map(one).collect()
    }
}
