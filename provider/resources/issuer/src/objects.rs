//! The objects of an issuer as they should be.

use ffe_cert_manager::issuer_object;
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::mark::PREFIX;
use ffe_cluster::{ObjectRef, Originals};
use serde_json::Value as Json;
use tfplugin::{Attr, Field as _, Model as _};

use crate::model::Issuer;
use crate::spec::Spec;

/// What the object remembers beside its mark.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The inputs of the last apply that went through, which an import knows the issuer from.
    pub(crate) inputs: Option<String>,
    /// The Secret with the account's key that cert-manager has made for this issuer: there was none before.
    pub(crate) account_key: Option<String>,
}

fn inputs_annotation() -> String {
    format!("{PREFIX}/inputs")
}

fn account_annotation() -> String {
    format!("{PREFIX}/account-key")
}

impl Memory {
    /// What a live object remembers.
    pub(crate) fn of(meta: &ObjectMeta) -> Memory {
        let get = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key)).cloned();
        Memory { inputs: get(&inputs_annotation()), account_key: get(&account_annotation()) }
    }
}

/// The issuer, without its mark.
pub(crate) fn issuer(spec: &Spec, memory: &Memory) -> Json {
    let mut object = issuer_object(&spec.names.issuer(), spec.names.place(), &spec.what);
    for (key, value) in [(inputs_annotation(), &memory.inputs), (account_annotation(), &memory.account_key)] {
        if let Some(value) = value {
            object["metadata"]["annotations"][key] = Json::from(value.as_str());
        }
    }
    object
}

/// The Secret with what it reads.
pub(crate) fn credentials(spec: &Spec, home: &str) -> ObjectRef {
    secret(&spec.credentials_secret(), home)
}

/// A Secret there.
pub(crate) fn secret(name: &str, home: &str) -> ObjectRef {
    ObjectRef::of::<Secret>(Some(home), name)
}

/// Where it is kept what an issuer of somebody else's was before.
pub(crate) fn originals(spec: &Spec, home: &str) -> Originals {
    Originals::new(home, &spec.names.owner())
}

/// The inputs as they are kept. Certificates of authorities are long, and stand in the issuer itself.
pub(crate) fn inputs(config: &Issuer) -> String {
    let mut config = config.clone();
    if let Some(acme) = config.acme.known_mut() {
        acme.ca_bundle = Attr::Null;
    }
    if let Some(vault) = config.vault.known_mut() {
        vault.ca_bundle = Attr::Null;
    }
    ffe_session::inputs::to_text(&config.to_value(), &Issuer::schema())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::testing::{acme, issuer as config, settled};

    #[test]
    fn it_remembers_what_it_was_told() {
        let spec = Spec::of(&settled(acme(json!({})))).unwrap();
        let memory = Memory { inputs: Some("{}".to_owned()), account_key: Some("le-account".to_owned()) };
        let object = issuer(&spec, &memory);
        let meta: ObjectMeta = serde_json::from_value(object["metadata"].clone()).unwrap();
        assert_eq!(Memory::of(&meta), memory);
        let bare = issuer(&spec, &Memory::default());
        assert_eq!(bare["metadata"], json!({ "name": "le" }));
    }

    #[test]
    fn no_secret_and_no_authority_is_among_the_inputs() {
        let given = acme(
            json!({ "ca_bundle": "-----BEGIN", "solvers": [{ "dns01_cloudflare": { "api_token_wo": "s3cret" } }] }),
        );
        let text = inputs(&config(given));
        assert!(!text.contains("s3cret") && !text.contains("BEGIN"), "{text}");
        assert!(text.contains("letsencrypt-staging"), "{text}");
    }
}
