//! Whose is what stands where an object of the environment goes: the rules are those of every resource.

use ffe_cluster::{Mark, Ownership};
use ffe_session::ownership::{Advice, Candidate, Refusal, claim};
use tfplugin::{Diagnostic, Path};

pub(crate) use ffe_session::ownership::Terms;

use crate::kinds::{Found, Kind};
use crate::names::{Names, TYPE_NAME};

/// The mark that the object gets. The namespace's stands for the whole environment.
///
/// # Errors
/// When the object is not ours and may not be taken over.
pub(crate) fn mark(found: &Found, names: &Names, run_id: &str, terms: &Terms) -> Result<Mark, Diagnostic> {
    let meta = found.meta();
    let candidate = Candidate {
        object: &found.desired.reference,
        live: meta.as_ref(),
        is_head: found.desired.kind == Kind::Namespace,
        may_be_controlled: false,
    };
    claim(&candidate, &names.owner(), run_id, terms).map_err(|refusal| refused(found, names, &refusal))
}

/// Refuses parts of an environment that is complete when its namespace says nothing of it: it is in another state.
///
/// # Errors
/// Where this is such a part.
pub(crate) fn is_of_no_other_state(found: &Found, names: &Names) -> Result<(), Diagnostic> {
    match found.ownership(&names.owner()) {
        whose @ Ownership::OursComplete(_) => Err(refuse(found, names, &whose)),
        _ => Ok(()),
    }
}

/// The error for what is not ours.
pub(crate) fn refuse(found: &Found, names: &Names, ownership: &Ownership) -> Diagnostic {
    refused(found, names, &Refusal::Whose(ownership.clone()))
}

fn refused(found: &Found, names: &Names, refusal: &Refusal) -> Diagnostic {
    let path = if found.desired.kind == Kind::Namespace { "namespace" } else { "name" };
    let id = names.import_id();
    let ours = matches!(refusal, Refusal::Whose(Ownership::OursComplete(_)));
    // An import knows namespaces, and environments; what stands in a namespace is taken over with it.
    let import_id = (ours || found.desired.kind == Kind::Namespace).then_some(id.as_str());
    let advice = Advice { resource_type: TYPE_NAME, import_id, named_by: path };
    refusal.diagnostic(&found.desired.reference, &advice).at(Path::attribute(path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::MarkState;

    use super::*;
    use crate::objects::{self, tests::spec};

    #[test]
    fn the_namespace_stands_for_the_environment_and_is_imported_by_its_id() {
        let (names, all) = (spec().names, objects::all(&spec()));
        let create = Terms { creating: true, ..Terms::default() };
        for (desired, expected) in [(&all[0], MarkState::Creating), (&all[1], MarkState::Complete)] {
            let found = Found { desired: desired.clone(), live: None };
            assert_eq!(mark(&found, &names, "run", &create).unwrap().state, expected);
        }
        let theirs = |index: usize| Found { desired: all[index].clone(), live: Some(all[index].object.clone()) };
        let refused = mark(&theirs(0), &names, "run", &create).unwrap_err();
        assert_eq!(refused.path, Some(Path::attribute("namespace")));
        assert!(refused.detail.contains("terraform import ffe_environment.<name> ffe/shop"), "{refused}");
        let refused = mark(&theirs(1), &names, "run", &create).unwrap_err();
        assert_eq!(refused.path, Some(Path::attribute("name")));
        assert!(!refused.detail.contains("terraform import") && refused.detail.contains("adopt = true"), "{refused}");
    }
}
