//! Models from JSON, for unit tests: `"?"` stands for what is not known yet.
#![allow(clippy::unwrap_used)]

use serde_json::{Value as Json, json};
use tfplugin::{Field as _, Model, Path, Unexpected, Value, from_json};

use crate::model::Issuer;

/// The configuration of a ClusterIssuer by ACME: what is given of `acme`, the rest as short as it can be.
pub(crate) fn acme(more: Json) -> Json {
    let mut acme = json!({ "server": "letsencrypt-staging", "solvers": [{ "http01": {} }] });
    acme.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "name": "le", "acme": acme })
}

/// The model of a configuration, as it is written: without defaults.
pub(crate) fn issuer(json: Json) -> Issuer {
    let schema = Issuer::schema();
    let known = from_json(known(&json).to_string().as_bytes(), &schema.ty(), Unexpected::Refuse).unwrap();
    Issuer::from_value(&unknowns(known, &json), &Path::root()).unwrap()
}

/// The same with the defaults, and what the configuration settles: as it is planned and kept.
pub(crate) fn settled(json: Json) -> Issuer {
    let config = issuer(json);
    let schema = Issuer::schema();
    let planned = tfplugin::plan::propose(&schema, &config.to_value(), &config.to_value());
    let mut planned = Issuer::from_value(&planned, &Path::root()).unwrap();
    crate::settle::settle(&config, &mut planned);
    planned
}

fn known(json: &Json) -> Json {
    match json {
        Json::String(text) if text == "?" => Json::Null,
        Json::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), known(value))).collect(),
        Json::Array(elements) => elements.iter().map(known).collect(),
        plain => plain.clone(),
    }
}

fn unknowns(value: Value, json: &Json) -> Value {
    match (value, json) {
        (_, Json::String(text)) if text == "?" => Value::Unknown,
        (Value::Map(entries), Json::Object(json)) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let value = unknowns(value, json.get(&key).unwrap_or(&Json::Null));
                    (key, value)
                })
                .collect(),
        ),
        (Value::List(elements), Json::Array(json)) => {
            Value::List(elements.into_iter().zip(json).map(|(value, json)| unknowns(value, json)).collect())
        }
        (value, _) => value,
    }
}
