//! From documents to objects.

use serde_json::Value;

use super::{HOOK, HOOK_DELETE_POLICY, HOOK_WEIGHT, Object, ObjectId};

/// The objects of one document: none for an empty one, several for a list.
pub(super) fn unpack(body: Value, source: Option<&str>) -> Result<Vec<Object>, String> {
    match body {
        Value::Null => Ok(Vec::new()),
        Value::Object(ref map) if map.is_empty() => Ok(Vec::new()),
        Value::Object(mut map) => {
            let text = |name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (kind, api_version) = (text("kind"), text("apiVersion"));
            if kind.is_empty() || api_version.is_empty() {
                return Err("rendered something without kind and apiVersion".into());
            }
            if kind.ends_with("List")
                && let Some(Value::Array(items)) = map.remove("items")
            {
                let items = items.into_iter().map(|item| unpack(item, source));
                return items.collect::<Result<Vec<_>, _>>().map(|lists| lists.into_iter().flatten().collect());
            }
            let metadata = |name: &str| Some(map.get("metadata")?.get(name)?.as_str()?.to_owned());
            // A hook may leave its name to the server.
            let Some(name) = metadata("name").or_else(|| metadata("generateName")).filter(|name| !name.is_empty())
            else {
                return Err(format!("rendered a {kind} without a name"));
            };
            let namespace = metadata("namespace").filter(|namespace| !namespace.is_empty());
            let id = ObjectId { kind, namespace, name, api_version };
            Ok(vec![Object { id, source: source.map(str::to_owned), body: Value::Object(map) }])
        }
        _ => Err("rendered something that is not an object".into()),
    }
}

/// Events, weight and delete policies of a hook; `None` for an ordinary object.
pub(super) fn hook(object: &Object) -> Option<(Vec<String>, i64, Vec<String>)> {
    let annotation = |name: &str| object.body.pointer("/metadata/annotations")?.get(name)?.as_str();
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty()).collect()
    };
    let events = list(annotation(HOOK)?);
    let weight = annotation(HOOK_WEIGHT).and_then(|text| text.parse().ok()).unwrap_or(0);
    Some((events, weight, annotation(HOOK_DELETE_POLICY).map(list).unwrap_or_default()))
}
