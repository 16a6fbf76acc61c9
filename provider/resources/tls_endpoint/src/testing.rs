//! Models from JSON, for unit tests: `"?"` stands for what is not known yet.
#![allow(clippy::unwrap_used)]

use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use serde_json::{Value as Json, json};
use tfplugin::{Field as _, Model, Path, Unexpected, Value, from_json};

use crate::model::TlsEndpoint;

/// A configuration in which what is not said is as little as possible.
pub(crate) fn minimal(more: Json) -> Json {
    let mut config = json!({
        "namespace": "ffe", "name": "api", "hosts": ["api.example.com"],
        "backend": { "service": "backend", "port": "8000" }, "issuer": { "name": "internal" },
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// The model of a configuration, as it is written: without defaults.
pub(crate) fn endpoint(json: Json) -> TlsEndpoint {
    let schema = TlsEndpoint::schema();
    let known = from_json(known(&json).to_string().as_bytes(), &schema.ty(), Unexpected::Refuse).unwrap();
    TlsEndpoint::from_value(&unknowns(known, &json), &Path::root()).unwrap()
}

/// The same with the defaults, and what the configuration settles: as it is planned and kept.
pub(crate) fn settled(json: Json) -> TlsEndpoint {
    let config = endpoint(json);
    let schema = TlsEndpoint::schema();
    let planned = tfplugin::plan::propose(&schema, &config.to_value(), &config.to_value());
    let mut planned = TlsEndpoint::from_value(&planned, &Path::root()).unwrap();
    crate::settle::settle(&config, &mut planned);
    planned
}

/// A certificate for `api.example.com` by an authority of this name, or, where it is `own`, of that name by itself; PEM.
pub(crate) fn certified(issuer: &str, own: bool) -> String {
    let mut params = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, issuer);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    if own {
        return authority.pem();
    }
    let mut leaf = CertificateParams::new(vec!["api.example.com".to_owned()]).unwrap();
    leaf.distinguished_name.push(DnType::CommonName, "leaf");
    leaf.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap().pem()
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
