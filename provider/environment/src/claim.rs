//! Whose is what stands where an object of ours goes, and what follows from that.

use ffe_cluster::{Mark, MarkState, ObjectRef, Ownership};
use tfplugin::{Diagnostic, Path};

use crate::kinds::{Found, Kind};
use crate::names::{Names, TYPE_NAME};

/// How a run treats what exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The environment is not in the state: one that is complete belongs to another state.
    pub(crate) creating: bool,
    /// What belongs to nobody is taken over.
    pub(crate) adopt: bool,
    /// Objects that the state stands for. One without a mark lost it, or was made anew by somebody: it is taken
    /// over all the same, and stays when the environment goes.
    pub(crate) known: Vec<ObjectRef>,
}

/// The mark that the object gets.
///
/// What is ours keeps its mark, so that an apply that changes nothing writes nothing. The namespace's mark says
/// `creating` until a create is done: it stands for the whole environment.
///
/// # Errors
/// When the object is not ours and may not be taken over.
pub(crate) fn mark(found: &Found, names: &Names, run_id: &str, terms: &Terms) -> Result<Mark, Diagnostic> {
    let head = found.desired.kind == Kind::Namespace;
    let state = if head && terms.creating { MarkState::Creating } else { MarkState::Complete };
    let fresh = Mark { state, ..Mark::complete(names.owner(), run_id) };
    let ownership = found.ownership(&names.owner());
    match ownership {
        Ownership::Absent => Ok(fresh),
        Ownership::OursUnfinished(mark) => Ok(Mark { state, ..mark }),
        Ownership::OursComplete(mark) if !(head && terms.creating && !terms.adopt) => Ok(Mark { state, ..mark }),
        Ownership::Foreign { .. } if terms.adopt || terms.known.contains(&found.desired.reference) => {
            Ok(fresh.adopted())
        }
        _ => Err(refuse(found, names, &ownership)),
    }
}

/// The error for what is not ours.
pub(crate) fn refuse(found: &Found, names: &Names, ownership: &Ownership) -> Diagnostic {
    let path = if found.desired.kind == Kind::Namespace { "namespace" } else { "name" };
    ffe_session::refuse_foreign(&found.desired.reference, ownership, TYPE_NAME, &names.import_id())
        .at(Path::attribute(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::Owner;

    use super::*;
    use crate::kinds::Desired;
    use crate::objects::{self, tests::spec};

    const CREATE: &Terms = &Terms { creating: true, adopt: false, known: Vec::new() };
    const ADOPT: &Terms = &Terms { creating: true, adopt: true, known: Vec::new() };
    const UPDATE: &Terms = &Terms { creating: false, adopt: false, known: Vec::new() };

    fn found(desired: &Desired, mark: Option<&Mark>) -> Found {
        let mut live = desired.object.clone();
        if let Some(mark) = mark {
            mark.write_value(&mut live);
        }
        Found { desired: desired.clone(), live: Some(live) }
    }

    #[test]
    fn what_is_absent_is_made_and_the_namespace_says_that_it_is_not_done() {
        let all = objects::all(&spec());
        for (desired, expected) in [(&all[0], MarkState::Creating), (&all[1], MarkState::Complete)] {
            let found = Found { desired: desired.clone(), live: None };
            let mark = mark(&found, &spec().names, "run", CREATE).unwrap();
            assert_eq!((mark.state, mark.adopted), (expected, false));
        }
    }

    #[test]
    fn an_own_unfinished_create_is_resumed_and_a_finished_one_refused() {
        let (names, namespace) = (spec().names, objects::all(&spec()).remove(0));
        let creating = Mark::creating(names.owner(), "first");
        let resumed = mark(&found(&namespace, Some(&creating)), &names, "second", CREATE).unwrap();
        assert_eq!((resumed.run_id.as_str(), resumed.state), ("first", MarkState::Creating));
        let complete = Mark::complete(names.owner(), "first");
        let refused = mark(&found(&namespace, Some(&complete)), &names, "second", CREATE).unwrap_err();
        assert!(refused.detail.contains("terraform import ffe_environment.<name> ffe/shop"), "{refused}");
        assert!(mark(&found(&namespace, Some(&complete)), &names, "second", ADOPT).is_ok());
        assert!(mark(&found(&namespace, Some(&complete)), &names, "second", UPDATE).is_ok());
    }

    #[test]
    fn what_belongs_to_nobody_is_taken_over_only_when_told() {
        let (names, namespace) = (spec().names, objects::all(&spec()).remove(0));
        let refused = mark(&found(&namespace, None), &names, "run", CREATE).unwrap_err();
        assert_eq!(refused.path, Some(Path::attribute("namespace")));
        assert!(refused.detail.contains("adopt = true"), "{refused}");
        assert!(mark(&found(&namespace, None), &names, "run", ADOPT).unwrap().adopted);
    }

    #[test]
    fn what_the_state_stands_for_is_taken_back_when_its_mark_is_gone() {
        let (names, namespace) = (spec().names, objects::all(&spec()).remove(0));
        assert!(mark(&found(&namespace, None), &names, "run", UPDATE).is_err());
        let known = Terms { known: vec![namespace.reference.clone()], ..UPDATE.clone() };
        assert!(mark(&found(&namespace, None), &names, "run", &known).unwrap().adopted);
    }

    #[test]
    fn what_belongs_to_another_resource_is_never_taken() {
        let (names, all) = (spec().names, objects::all(&spec()));
        let other = Mark::complete(Owner::new(TYPE_NAME, "ffe/other"), "run");
        for desired in &all {
            assert!(mark(&found(desired, Some(&other)), &names, "run", ADOPT).is_err(), "{}", desired.reference);
        }
    }
}
