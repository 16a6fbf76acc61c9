//! Inputs as written, kept in the cluster so that an import knows them.
//!
//! Only what the configuration said is kept, as JSON without nulls; write-only attributes never.

use serde_json::Value as Json;
use tfplugin::{Schema, Unexpected, Value, from_json, plan, to_json};

/// The text to keep. Attributes that the schema calls sensitive are left out too: the place where this is kept may be
/// readable by more people than the state.
pub fn to_text(config: &Value, schema: &Schema) -> String {
    let mut config = plan::without_write_only(schema, config);
    if let Value::Map(entries) = &mut config {
        for attribute in schema.attributes.iter().filter(|attribute| attribute.sensitive) {
            entries.insert(attribute.name.clone(), Value::Null);
        }
    }
    to_json(&config, &schema.ty()).map(|json| without_nulls(json).to_string()).unwrap_or_default()
}

/// What was kept, as a value of the schema; `None` when the text is not such a value.
pub fn from_text(text: &str, schema: &Schema) -> Option<Value> {
    from_json(text.as_bytes(), &schema.ty(), Unexpected::Ignore).ok().filter(|value| value.as_map().is_some())
}

fn without_nulls(json: Json) -> Json {
    match json {
        Json::Object(entries) => Json::Object(
            entries
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name, without_nulls(value)))
                .collect(),
        ),
        Json::Array(elements) => Json::Array(elements.into_iter().map(without_nulls).collect()),
        plain => plain,
    }
}
