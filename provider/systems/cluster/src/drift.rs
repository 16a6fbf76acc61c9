//! What differs in a live object from what was applied.
//!
//! Only fields that were given count, compared one by one: defaults of the API server and what other tools add are
//! nobody's drift. Neither are equivalent forms (`100m` and `0.1`, a field that is empty and one that is absent), nor what a
//! controller has written, which `managedFields` tell. [`differences`] is pure: who asks brings both objects.
//!
//! Forms that only the API server knows to be equal are told apart by what it makes of the applied object
//! ([`crate::Cluster::try_out`]): where the live field is as that says, it has not drifted.

mod compare;
mod owners;
mod path;
mod scalar;

use serde_json::Value;

use crate::{Cluster, Error};
pub use path::Step;

/// A field that is not as it was applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Where, step by step; none for the whole object.
    pub steps: Vec<Step>,
    /// What was applied.
    pub was: Value,
    /// What is there; `None` when nothing is.
    pub is: Option<Value>,
}

impl Difference {
    /// Where, as a JSON pointer (RFC 6901). Positions in lists are those of what was applied.
    pub fn pointer(&self) -> String {
        path::pointer(&self.steps)
    }
}

/// The fields at which `live` is not as `applied` says, in the order of their pointers; both whole objects, `live` with its `managedFields`.
///
/// `resolved`, where it is given, is what the API server makes of `applied`.
pub fn differences(applied: &Value, live: &Value, resolved: Option<&Value>) -> Vec<Difference> {
    let mut found = compare::objects(applied, live, resolved);
    let managed = &live["metadata"]["managedFields"];
    found.retain(|difference| !owners::is_controllers(managed, &difference.steps));
    found.sort_by_key(Difference::pointer);
    found
}

/// What was found of an object.
#[derive(Debug, Default)]
pub struct Drift {
    /// The fields that are not as they were applied.
    pub differences: Vec<Difference>,
    /// Why the API server could not be asked what it makes of the object, so that it was compared as it is written.
    pub unresolved: Option<Error>,
}

impl Cluster {
    /// The same as [`differences`], of those that count. The API server is asked what it makes of `applied`, with its defaults
    /// and its webhooks, where something differs.
    pub async fn drift(&self, applied: &Value, live: &Value, counts: impl Fn(&Difference) -> bool) -> Drift {
        let counted = |resolved: Option<&Value>| -> Vec<Difference> {
            differences(applied, live, resolved).into_iter().filter(&counts).collect()
        };
        let plain = counted(None);
        if plain.is_empty() {
            return Drift::default();
        }
        match self.try_out(applied).await {
            Ok(resolved) => {
                let resolved = serde_json::to_value(resolved).unwrap_or_default();
                Drift { differences: counted(Some(&resolved)), unresolved: None }
            }
            Err(error) => Drift { differences: plain, unresolved: Some(error) },
        }
    }
}

#[cfg(test)]
mod tests;
