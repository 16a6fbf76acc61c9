//! Inputs as written, kept in the cluster so that an import knows them.
//!
//! Only what the configuration said is kept, as JSON without nulls; write-only attributes never.

use serde_json::Value as Json;
use tfplugin::{Schema, Unexpected, Value, from_json, plan};

/// What the configuration said, as JSON without nulls and without write-only attributes: an attribute that a later version brings and
/// that is not set changes nothing.
pub fn to_json(config: &Value, schema: &Schema) -> Json {
    let config = plan::without_write_only(schema, config);
    tfplugin::to_json(&config, &schema.ty()).map(without_nulls).unwrap_or_default()
}

/// The text to keep. Attributes that the schema calls sensitive are left out too: the place where this is kept may be
/// readable by more people than the state.
pub fn to_text(config: &Value, schema: &Schema) -> String {
    let mut config = config.clone();
    if let Value::Map(entries) = &mut config {
        for attribute in schema.attributes.iter().filter(|attribute| attribute.sensitive) {
            entries.insert(attribute.name.clone(), Value::Null);
        }
    }
    match to_json(&config, schema) {
        Json::Null => String::new(),
        json => json.to_string(),
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tfplugin::{Attr, Field as _, Model, Path};

    use super::*;

    /// A thing.
    #[derive(Model, Clone, Debug)]
    struct Thing {
        /// Name.
        #[attr(required)]
        name: Attr<String>,
        /// Nobody else's business.
        #[attr(optional, sensitive)]
        token: Attr<String>,
        /// Never stored.
        #[attr(optional, write_only, sensitive)]
        secret_wo: Attr<String>,
        /// Parts.
        #[attr(optional)]
        parts: Attr<Vec<Part>>,
    }

    /// A part.
    #[derive(Model, Clone, Debug)]
    struct Part {
        /// Label.
        #[attr(required)]
        label: Attr<String>,
        /// Never stored.
        #[attr(optional, write_only, sensitive)]
        key_wo: Attr<String>,
        /// Size.
        #[attr(optional)]
        size: Attr<i64>,
    }

    #[test]
    fn what_was_written_comes_back_and_no_secret_is_kept() {
        let part = Part { label: Attr::from("a"), key_wo: Attr::from("s3cret-1"), size: Attr::Null };
        let thing = Thing {
            name: Attr::from("one"),
            token: Attr::from("s3cret-2"),
            secret_wo: Attr::from("s3cret-3"),
            parts: Attr::Known(vec![part]),
        };
        let text = to_text(&thing.to_value(), &Thing::schema());
        assert_eq!(text, r#"{"name":"one","parts":[{"label":"a"}]}"#);
        let back = Thing::from_value(&from_text(&text, &Thing::schema()).unwrap(), &Path::root()).unwrap();
        assert_eq!(back.parts.known().unwrap()[0].label, Attr::from("a"));
        assert!(back.token.is_null() && back.secret_wo.is_null());
    }

    #[test]
    fn what_a_newer_or_broken_journal_says_is_no_reason_to_fail() {
        let schema = Thing::schema();
        assert!(from_text(r#"{"name":"one","later":true}"#, &schema).is_some());
        assert!(from_text("", &schema).is_none());
        assert!(from_text("[1]", &schema).is_none());
        assert!(from_text("null", &schema).is_none());
    }
}
