//! Refusing what is not ours.

use ffe_cluster::{ObjectRef, Ownership};
use tfplugin::Diagnostic;

/// The error for an object that exists and is not this resource's: says whose it is, how to import it and how to adopt it.
///
/// `import_id` is what `terraform import` takes for this resource.
pub fn refuse_foreign(object: &ObjectRef, ownership: &Ownership, resource_type: &str, import_id: &str) -> Diagnostic {
    let whose = match ownership {
        Ownership::OtherResource(mark) => format!("It belongs to {} {}.", mark.owner.resource_type, mark.owner.id),
        Ownership::Foreign { manager: Some(manager) } => format!("It is managed by {manager}."),
        Ownership::OursComplete(_) => {
            "It was made by an earlier configuration of the same resource, which is in another state.".to_owned()
        }
        _ => "It was not made by this provider.".to_owned(),
    };
    Diagnostic::error(
        format!("{object} exists already"),
        format!(
            "{whose} Nothing was changed.\n\n\
             To manage it here, import it:\n\n  terraform import {resource_type}.<name> {import_id}\n\n\
             or set adopt = true, which takes it over on create and gives it back on destroy."
        ),
    )
}
