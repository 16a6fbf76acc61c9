//! The Secrets. Their content is given from outside: a specification has none.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::kinds::{Desired, Kind};
use crate::objects::metadata;
use crate::spec::Spec;

/// Key of the password in the Secret of [`password`].
pub(crate) const PASSWORD: &str = "password";

/// Annotation of the connection's Secret: the image that the server runs.
pub(crate) const DATABASE_IMAGE: &str = "ffe.three-rivers.tech/database-image";

/// The application's secrets.
pub(crate) fn app(spec: &Spec, content: Option<&BTreeMap<String, String>>) -> Desired {
    secret(spec, "application", &spec.names.app_secret(), content, json!({}))
}

/// How the application reaches the database.
pub(crate) fn connection(spec: &Spec, content: Option<&BTreeMap<String, String>>) -> Desired {
    let mut desired = secret(spec, "database", &spec.names.database(), content, json!({}));
    if let Some(bundled) = spec.database.bundled() {
        // Whoever dumps the database needs programs that are not older than its server.
        desired.object["metadata"]["annotations"] = json!({ DATABASE_IMAGE: bundled.image });
    }
    desired
}

/// The bundled database's password, which the server was initialised with. Immutable, so that nobody changes it where
/// that would change nothing in the database; the Secret for the application is derived from it.
pub(crate) fn password(spec: &Spec, password: Option<&str>) -> Desired {
    let content = password.map(|password| BTreeMap::from([(PASSWORD.to_owned(), password.to_owned())]));
    secret(spec, "database", &spec.names.password(), content.as_ref(), json!({ "immutable": true }))
}

fn secret(
    spec: &Spec,
    component: &str,
    name: &str,
    content: Option<&BTreeMap<String, String>>,
    mut body: Json,
) -> Desired {
    body["metadata"] = metadata(spec, component);
    body["type"] = json!("Opaque");
    if let Some(content) = content {
        let data: BTreeMap<&String, String> =
            content.iter().map(|(key, value)| (key, STANDARD.encode(value))).collect();
        body["data"] = json!(data);
    }
    Desired::new(Kind::Secret, Some(&spec.names.namespace), name, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::secret_value;
    use crate::objects::tests::spec;

    #[test]
    fn content_is_there_only_when_given() {
        assert!(app(&spec(), None).object.get("data").is_none());
        let content = BTreeMap::from([("API_KEY".to_owned(), "ключ".to_owned())]);
        let object = app(&spec(), Some(&content)).object;
        assert_eq!(secret_value(&object, "API_KEY").as_deref(), Some("ключ"));
        assert_eq!(secret_value(&object, "OTHER"), None);
    }
}
