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

#[cfg(test)]
mod tests {
    use ffe_cluster::{Mark, Owner};

    use super::*;

    #[test]
    fn it_says_whose_it_is_and_both_ways_on() {
        let object = ObjectRef::new("v1", "Namespace", None, "ffe");
        let mark = |kind: &str| Mark::complete(Owner::new(kind, "other"), "run-1");
        for (ownership, whose) in [
            (Ownership::OtherResource(mark("ffe_release")), "It belongs to ffe_release other."),
            (Ownership::Foreign { manager: Some("flux".to_owned()) }, "It is managed by flux."),
            (Ownership::Foreign { manager: None }, "It was not made by this provider."),
            (Ownership::OursComplete(mark("ffe_environment")), "in another state"),
        ] {
            let refused = refuse_foreign(&object, &ownership, "ffe_environment", "ffe");
            assert!(refused.is_error() && refused.summary.ends_with("exists already"), "{refused}");
            for part in [whose, "Nothing was changed.", "terraform import ffe_environment.<name> ffe", "adopt = true"] {
                assert!(refused.detail.contains(part), "{part} is not in: {refused}");
            }
        }
    }
}
