//! Models from JSON, for unit tests: `"?"` stands for what is not known yet.
#![allow(clippy::unwrap_used)]

use rcgen::{CertificateParams, CertifiedIssuer, DnType, KeyPair};
use serde_json::{Value as Json, json};

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
    tfplugin_testing::config(&json)
}

/// The same with the defaults, and what the configuration settles: as it is planned and kept.
pub(crate) fn settled(json: Json) -> TlsEndpoint {
    let config = endpoint(json);
    let mut planned = tfplugin_testing::proposed(&config);
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
