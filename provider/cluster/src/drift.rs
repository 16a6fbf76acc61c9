//! What differs in a live object from what was applied.
//!
//! Only fields that were given count, compared one by one: defaults of the API server and what other tools add are
//! nobody's drift. Neither are equivalent forms (`100m` and `0.1`, a field that is empty and one that is absent), nor what a
//! controller has written, which `managedFields` tell. Pure: who asks brings both objects.
//!
//! Forms that only the API server knows to be equal are told apart by what it makes of the applied object
//! ([`crate::Cluster::try_out`]): where the live field is as that says, it has not drifted.

mod compare;
mod owners;
mod path;
mod scalar;

use serde_json::Value;

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

#[cfg(test)]
mod tests;
