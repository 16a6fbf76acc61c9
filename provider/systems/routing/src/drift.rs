//! Drift: what is applied against what is there.

use ffe_cluster::drift::differences;
use ffe_cluster::{Cluster, Kind, ObjectRef};
use serde_json::{Value, json};

use crate::error::Result;
use crate::gateway::{Attachment, listeners};
use crate::names::gateway_object;
use crate::route::Route;
use crate::{Resolved, objects};

/// One field that is not as it was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The object
    pub object: ObjectRef,
    /// JSON pointer to the field; listeners of a Gateway go by their names. Empty when the object itself is missing.
    pub path: String,
    /// What was applied
    pub expected: Value,
    /// What is there, None for nothing
    pub found: Option<Value>,
}

/// Everything that is not as this crate would apply it, of what counts: an object and a JSON pointer, an empty one for the whole
/// object. Fields that are not ours do not count, nor do those that a webhook has rewritten.
///
/// # Errors
/// Those of requests.
pub async fn drift(
    cluster: &Cluster,
    route: &Route,
    resolved: &Resolved,
    counts: impl Fn(&ObjectRef, &str) -> bool,
) -> Result<Vec<Drift>> {
    let mut found = Vec::new();
    for wished in objects(route, resolved) {
        let object = ObjectRef::from_value(&wished)?;
        if !counts(&object, "") {
            continue;
        }
        let Some(live) = live(cluster, &object).await? else {
            found.push(Drift { object, path: String::new(), expected: wished, found: None });
            continue;
        };
        let drift = cluster.drift(&wished, &live, |difference| counts(&object, &difference.pointer())).await;
        found.extend(drift.differences.into_iter().map(|difference| Drift {
            object: object.clone(),
            path: difference.pointer(),
            expected: difference.was,
            found: difference.is,
        }));
    }
    if let Resolved::Gateway(attachment) = resolved {
        let gateway = live(cluster, &gateway_object(&attachment.gateway)).await?;
        let listeners = of_listeners(route, attachment, &gateway.unwrap_or_default());
        found.extend(listeners.into_iter().filter(|drift| counts(&drift.object, &drift.path)));
    }
    Ok(found)
}

async fn live(cluster: &Cluster, object: &ObjectRef) -> Result<Option<Value>> {
    match cluster.find_ref(object).await {
        Ok(found) => Ok(found.and_then(|found| serde_json::to_value(found).ok())),
        // without the kind there is none of it
        Err(error) if error.kind() == Kind::NotServed => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Where our listeners are not as they were applied. A list of a custom resource has no names to go by, so that each
/// is compared by itself.
fn of_listeners(route: &Route, attachment: &Attachment, gateway: &Value) -> Vec<Drift> {
    let object = gateway_object(&attachment.gateway);
    let wished = listeners(route, attachment).unwrap_or_default();
    let list =
        |object: &Value| object.pointer("/spec/listeners").and_then(Value::as_array).cloned().unwrap_or_default();
    let there = list(gateway);
    let mut drift = Vec::new();
    for listener in list(&wished) {
        let name = listener["name"].as_str().unwrap_or_default();
        let place = format!("/spec/listeners/{name}");
        match there.iter().find(|live| live["name"] == name) {
            None => drift.push(Drift { object: object.clone(), path: place, expected: listener, found: None }),
            Some(live) => {
                let whole =
                    |listener: &Value| json!({"apiVersion": object.api_version, "kind": object.kind, "spec": listener});
                let found = differences(&whole(&listener), &whole(live), None);
                drift.extend(found.into_iter().map(|difference| Drift {
                    object: object.clone(),
                    path: format!("{place}{}", difference.pointer().trim_start_matches("/spec")),
                    expected: difference.was,
                    found: difference.is,
                }));
            }
        }
    }
    drift
}

#[cfg(test)]
mod tests;
