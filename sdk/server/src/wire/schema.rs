//! Schemas and function signatures on the wire.

use tfplugin_core::{Attribute, Mode, Nesting, Parameter, Schema, Shape, Signature};
use tfplugin_proto::tfplugin6;
use tfplugin_proto::tfplugin6::StringKind;
use tfplugin_proto::tfplugin6::schema::object::NestingMode;

/// A schema.
pub(crate) fn schema(schema: &Schema) -> tfplugin6::Schema {
    let block = tfplugin6::schema::Block {
        version: schema.version,
        attributes: schema.attributes.iter().map(attribute).collect(),
        description: schema.description.clone(),
        description_kind: StringKind::Markdown.into(),
        deprecated: schema.deprecated.is_some(),
        deprecation_message: schema.deprecated.clone().unwrap_or_default(),
        ..Default::default()
    };
    tfplugin6::Schema { version: schema.version, block: Some(block) }
}

fn attribute(attribute: &Attribute) -> tfplugin6::schema::Attribute {
    let (ty, nested_type) = match &attribute.shape {
        Shape::Plain(ty) => (ty.to_json_bytes(), None),
        Shape::Nested(nesting, attributes) => (Vec::new(), Some(nested(*nesting, attributes))),
    };
    tfplugin6::schema::Attribute {
        name: attribute.name.clone(),
        r#type: ty,
        nested_type,
        description: attribute.description.clone(),
        description_kind: StringKind::Markdown.into(),
        required: attribute.mode == Mode::Required,
        optional: matches!(attribute.mode, Mode::Optional | Mode::OptionalComputed),
        computed: attribute.mode.is_computed(),
        sensitive: attribute.sensitive,
        write_only: attribute.write_only,
        deprecated: attribute.deprecated.is_some(),
        deprecation_message: attribute.deprecated.clone().unwrap_or_default(),
    }
}

fn nested(nesting: Nesting, attributes: &[Attribute]) -> tfplugin6::schema::Object {
    let nesting = match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
    };
    tfplugin6::schema::Object {
        attributes: attributes.iter().map(attribute).collect(),
        nesting: nesting.into(),
        ..Default::default()
    }
}

/// A function's signature.
pub(crate) fn function(signature: &Signature) -> tfplugin6::Function {
    tfplugin6::Function {
        parameters: signature.parameters.iter().map(parameter).collect(),
        variadic_parameter: signature.variadic.as_ref().map(parameter),
        r#return: Some(tfplugin6::function::Return { r#type: signature.returns.to_json_bytes() }),
        summary: signature.summary.clone(),
        description: signature.description.clone(),
        description_kind: StringKind::Markdown.into(),
        deprecation_message: signature.deprecated.clone().unwrap_or_default(),
    }
}

fn parameter(parameter: &Parameter) -> tfplugin6::function::Parameter {
    tfplugin6::function::Parameter {
        name: parameter.name.clone(),
        r#type: parameter.ty.to_json_bytes(),
        allow_null_value: parameter.allow_null,
        allow_unknown_values: parameter.allow_unknown,
        description: parameter.description.clone(),
        description_kind: StringKind::Markdown.into(),
    }
}

#[cfg(test)]
mod tests {
    use tfplugin_core::Type;

    use super::*;

    #[test]
    fn an_attribute_keeps_mode_flags_and_shape() {
        let inner = Attribute::new("name", Shape::Plain(Type::String), Mode::Required);
        let mut outer = Attribute::new("hosts", Shape::Nested(Nesting::Map, vec![inner]), Mode::OptionalComputed);
        outer.sensitive = true;
        outer.deprecated = Some("use something else".to_owned());
        let wire = schema(&Schema { version: 3, attributes: vec![outer], ..Schema::default() });
        assert_eq!(wire.version, 3);
        let block = wire.block.unwrap_or_default();
        let hosts = &block.attributes[0];
        assert!(hosts.optional && hosts.computed && !hosts.required && hosts.sensitive && hosts.deprecated);
        assert!(hosts.r#type.is_empty());
        let object = hosts.nested_type.clone().unwrap_or_default();
        assert_eq!(object.nesting(), NestingMode::Map);
        assert_eq!(object.attributes[0].r#type, br#""string""#);
        assert!(object.attributes[0].required && !object.attributes[0].optional);
    }
}
