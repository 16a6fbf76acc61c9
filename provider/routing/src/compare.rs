//! Drift: what is applied against what is there.

use ffe_cluster::{Cluster, ObjectRef};
use serde_json::Value;

use crate::error::Result;
use crate::gateway::listener_differences;
use crate::names::gateway_object;
use crate::route::Route;
use crate::{Resolved, objects};

/// One field that is not as it was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The object
    pub object: ObjectRef,
    /// JSON pointer to the field; empty when the object itself is missing
    pub path: String,
    /// What was applied
    pub expected: Value,
    /// What is there, None for nothing
    pub found: Option<Value>,
}

/// Everything that is not as this crate would apply it. Fields that are not ours do not count.
///
/// # Errors
/// Those of requests.
pub async fn drift(cluster: &Cluster, route: &Route, resolved: &Resolved) -> Result<Vec<Drift>> {
    let mut found = Vec::new();
    for wished in objects(route, resolved) {
        let object = ObjectRef::from_value(&wished)?;
        let live = match cluster.find_ref(&object).await {
            Ok(live) => live.and_then(|live| serde_json::to_value(live).ok()),
            // without the kind there is none of it
            Err(error) if error.kind() == ffe_cluster::Kind::NotServed => None,
            Err(error) => return Err(error.into()),
        };
        found.extend(compare(&object, "", &wished, live.as_ref()));
    }
    if let Resolved::Gateway(attachment) = resolved
        && !attachment.ours.is_empty()
    {
        let object = gateway_object(&attachment.gateway);
        match cluster.find_ref(&object).await?.map(serde_json::to_value) {
            Some(Ok(gateway)) => found.extend(listener_differences(route, attachment, &gateway)),
            _ => found.push(Drift { object, path: String::new(), expected: Value::Null, found: None }),
        }
    }
    Ok(found)
}

/// The fields of `wished` that `live` has not, or has otherwise. Lists count as wholes in their order, but for fields
/// that their elements have besides.
pub(crate) fn compare(object: &ObjectRef, path: &str, wished: &Value, live: Option<&Value>) -> Vec<Drift> {
    let mut found = Vec::new();
    walk(object, path, wished, live, &mut found);
    found
}

fn walk(object: &ObjectRef, path: &str, wished: &Value, live: Option<&Value>, found: &mut Vec<Drift>) {
    match (wished, live) {
        (Value::Object(wished), Some(Value::Object(live))) => {
            for (key, wished) in wished {
                let step = key.replace('~', "~0").replace('/', "~1");
                walk(object, &format!("{path}/{step}"), wished, live.get(key), found);
            }
        }
        (Value::Array(wished), Some(Value::Array(live))) if wished.len() == live.len() => {
            for (index, (wished, live)) in wished.iter().zip(live).enumerate() {
                walk(object, &format!("{path}/{index}"), wished, Some(live), found);
            }
        }
        (wished, Some(live)) if wished == live => {}
        // the core group is left out by some servers
        (Value::String(wished), None) if wished.is_empty() => {}
        (wished, live) => found.push(Drift {
            object: object.clone(),
            path: path.to_owned(),
            expected: wished.clone(),
            found: live.cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_was_applied_counts() {
        let object = ObjectRef::new("v1", "Thing", Some("a"), "b");
        let wished = json!({"spec": {"a": 1, "list": [{"x": 1}], "g": ""}, "metadata": {"annotations": {"k/x": "v"}}});
        let live = json!({"spec": {"a": 1, "list": [{"x": 1, "y": 2}], "b": 2},
            "metadata": {"uid": "u", "annotations": {"k/x": "v", "z": ""}}, "status": {}});
        assert_eq!(compare(&object, "", &wished, Some(&live)), []);

        let changed = json!({"spec": {"a": 2, "list": []}, "metadata": {"annotations": {}}});
        let found = compare(&object, "", &wished, Some(&changed));
        let paths: Vec<&str> = found.iter().map(|drift| drift.path.as_str()).collect();
        assert_eq!(paths, ["/spec/a", "/spec/list", "/metadata/annotations/k~1x"]);
        assert_eq!(found[0].found, Some(json!(2)));
        assert_eq!(compare(&object, "", &wished, None)[0].path, "");
    }
}
