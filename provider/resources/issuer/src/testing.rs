//! Models from JSON, for unit tests: `"?"` stands for what is not known yet.
#![allow(clippy::unwrap_used)]

use serde_json::{Value as Json, json};

use crate::model::Issuer;

/// The configuration of a ClusterIssuer by ACME: what is given of `acme`, the rest as short as it can be.
pub(crate) fn acme(more: Json) -> Json {
    let mut acme = json!({ "server": "letsencrypt-staging", "solvers": [{ "http01": {} }] });
    acme.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "name": "le", "acme": acme })
}

/// The model of a configuration, as it is written: without defaults.
pub(crate) fn issuer(json: Json) -> Issuer {
    tfplugin_testing::config(&json)
}

/// The same with the defaults, and what the configuration settles: as it is planned and kept.
pub(crate) fn settled(json: Json) -> Issuer {
    let config = issuer(json);
    let mut planned = tfplugin_testing::proposed(&config);
    crate::settle::settle(&config, &mut planned);
    planned
}
