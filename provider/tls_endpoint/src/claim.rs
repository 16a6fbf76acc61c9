//! Whose is what stands where an object of ours goes, and what follows from that.

use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{Mark, MarkState, ObjectRef, Ownership};
use tfplugin::{Diagnostic, Path};

use crate::desired::{Found, Part};
use crate::names::{Names, TYPE_NAME};

/// What Helm writes on the objects of a release, and what it reads before it deletes one.
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// How a run treats what exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The endpoint is not in the state: one that is complete belongs to another state.
    pub(crate) creating: bool,
    /// What belongs to nobody is taken over.
    pub(crate) adopt: bool,
    /// Objects that the state stands for. One without a mark lost it, or was made anew by somebody: it is taken
    /// over all the same, and stays when the endpoint goes.
    pub(crate) known: Vec<ObjectRef>,
}

/// The mark that the object gets.
///
/// What is ours keeps its mark, so that an apply that changes nothing writes nothing. The record's mark says
/// `creating` until a create is done: it stands for the whole endpoint.
///
/// # Errors
/// When the object is not ours and may not be taken over.
pub(crate) fn mark(found: &Found, names: &Names, run_id: &str, terms: &Terms) -> Result<Mark, Diagnostic> {
    let head = found.desired.part == Part::Record;
    let state = if head && terms.creating { MarkState::Creating } else { MarkState::Complete };
    let fresh = Mark { state, ..Mark::complete(names.owner(), run_id) };
    let ownership = found.ownership(&names.owner());
    match ownership {
        Ownership::Foreign { .. } if release_of(found.meta()).is_some() => Err(refuse(found, names, &ownership)),
        Ownership::Absent => Ok(fresh),
        Ownership::OursUnfinished(mark) => Ok(Mark { state, ..mark }),
        Ownership::OursComplete(mark) if !(head && terms.creating && !terms.adopt) => Ok(Mark { state, ..mark }),
        Ownership::Foreign { .. } if terms.adopt || terms.known.contains(&found.desired.reference) => {
            Ok(fresh.adopted())
        }
        _ => Err(refuse(found, names, &ownership)),
    }
}

/// The Helm release that an object is part of, unless Helm is told to leave it where it is. Helm deletes what a release
/// has no more, whoever has taken it over since.
pub(crate) fn release_of(meta: Option<&ObjectMeta>) -> Option<String> {
    let annotations = meta?.annotations.as_ref()?;
    if annotations.get(RESOURCE_POLICY).is_some_and(|policy| policy.trim() == "keep") {
        return None;
    }
    let (name, namespace) = (annotations.get(RELEASE_NAME)?, annotations.get(RELEASE_NAMESPACE));
    Some(namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}")))
}

/// The error for an object that a Helm release would delete.
pub(crate) fn refuse_of_release(object: &ObjectRef, release: &str) -> Diagnostic {
    Diagnostic::error(
        format!("{object} is part of the Helm release {release}"),
        format!(
            "Helm deletes it when the release has it no more, or is uninstalled, also after the endpoint has taken it over. \
             Nothing was changed.\n\n\
             To take it over, have the chart put the annotation {RESOURCE_POLICY}: keep on it (many charts have a value for \
             its annotations), upgrade the release, and apply again: Helm leaves it where it is from then on.\n\n\
             To have one of the endpoint's own, give the endpoint another name. With adopt = true it may serve beside the \
             release's; when it does, switch that one off in the values of the chart."
        ),
    )
}

/// The error for what is not ours.
pub(crate) fn refuse(found: &Found, names: &Names, ownership: &Ownership) -> Diagnostic {
    let object = &found.desired.reference;
    if let (Ownership::Foreign { .. }, Some(release)) = (ownership, release_of(found.meta())) {
        return refuse_of_release(object, &release).at(path_of(found.desired.part));
    }
    if let (Part::Issuer, Ownership::OtherResource(mark)) = (found.desired.part, ownership) {
        return Diagnostic::error(
            format!("{object} exists already"),
            format!(
                "It belongs to {} {}. Nothing was changed.\n\nTo use it, refer to it: keep issuer.name and issuer.kind, and \
                 remove acme, ca and self_signed. To have an issuer of this endpoint's own, give it another issuer.name.",
                mark.owner.resource_type, mark.owner.id
            ),
        )
        .at(Path::attribute("issuer").child("name"));
    }
    ffe_session::refuse_foreign(object, ownership, TYPE_NAME, &names.import_id()).at(path_of(found.desired.part))
}

/// The attribute that names an object.
fn path_of(part: Part) -> Path {
    match part {
        Part::Record | Part::Route | Part::Alert => Path::attribute("name"),
        Part::Certificate => Path::attribute("secret_name"),
        Part::Issuer | Part::Credentials => Path::attribute("issuer").child("name"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::Owner;
    use serde_json::json;

    use super::*;
    use crate::desired::Desired;

    const CREATE: &Terms = &Terms { creating: true, adopt: false, known: Vec::new() };
    const ADOPT: &Terms = &Terms { creating: true, adopt: true, known: Vec::new() };
    const UPDATE: &Terms = &Terms { creating: false, adopt: false, known: Vec::new() };

    fn names() -> Names {
        Names::new("ffe", "api")
    }

    fn found(part: Part, mark: Option<&Mark>) -> Found {
        let object =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "x", "namespace": "ffe" } });
        let desired = Desired::new(part, object).unwrap();
        let mut live = desired.object.clone();
        if let Some(mark) = mark {
            mark.write_value(&mut live);
        }
        Found { desired, live: Some(serde_json::from_value(live).unwrap()) }
    }

    #[test]
    fn the_record_says_that_a_create_is_not_done_and_the_rest_does_not() {
        for (part, expected) in [(Part::Record, MarkState::Creating), (Part::Route, MarkState::Complete)] {
            let absent = Found { live: None, ..found(part, None) };
            let mark = mark(&absent, &names(), "run", CREATE).unwrap();
            assert_eq!((mark.state, mark.adopted), (expected, false));
        }
    }

    #[test]
    fn an_own_unfinished_create_is_resumed_and_a_finished_one_refused() {
        let creating = Mark::creating(names().owner(), "first");
        let resumed = mark(&found(Part::Record, Some(&creating)), &names(), "second", CREATE).unwrap();
        assert_eq!((resumed.run_id.as_str(), resumed.state), ("first", MarkState::Creating));
        let complete = Mark::complete(names().owner(), "first");
        let refused = mark(&found(Part::Record, Some(&complete)), &names(), "second", CREATE).unwrap_err();
        assert!(refused.detail.contains("terraform import ffe_tls_endpoint.<name> ffe/api"), "{refused}");
        assert!(mark(&found(Part::Record, Some(&complete)), &names(), "second", ADOPT).is_ok());
        assert!(mark(&found(Part::Record, Some(&complete)), &names(), "second", UPDATE).is_ok());
    }

    #[test]
    fn what_belongs_to_nobody_is_taken_over_only_when_told_or_known() {
        let refused = mark(&found(Part::Route, None), &names(), "run", CREATE).unwrap_err();
        assert_eq!(refused.path, Some(Path::attribute("name")));
        assert!(refused.detail.contains("adopt = true"), "{refused}");
        assert!(mark(&found(Part::Route, None), &names(), "run", ADOPT).unwrap().adopted);
        let known = Terms { known: vec![found(Part::Route, None).desired.reference], ..UPDATE.clone() };
        assert!(mark(&found(Part::Route, None), &names(), "run", &known).unwrap().adopted);
        assert!(mark(&found(Part::Route, None), &names(), "run", UPDATE).is_err());
    }

    #[test]
    fn what_helm_would_delete_is_not_taken_over_whatever_is_told() {
        let of_helm = |policy: Option<&str>| {
            let mut found = found(Part::Route, None);
            let annotations = found.live.as_mut().unwrap().metadata.annotations.get_or_insert_default();
            annotations.insert(RELEASE_NAME.to_owned(), "web".to_owned());
            annotations.insert(RELEASE_NAMESPACE.to_owned(), "ffe".to_owned());
            annotations.extend(policy.map(|policy| (RESOURCE_POLICY.to_owned(), policy.to_owned())));
            found
        };
        let known = Terms { known: vec![of_helm(None).desired.reference], ..UPDATE.clone() };
        for terms in [CREATE, ADOPT, &known] {
            let refused = mark(&of_helm(None), &names(), "run", terms).unwrap_err();
            assert!(refused.summary.ends_with("is part of the Helm release ffe/web"), "{refused}");
            assert!(refused.detail.contains("helm.sh/resource-policy: keep"), "{refused}");
        }
        assert!(mark(&of_helm(Some("keep")), &names(), "run", ADOPT).unwrap().adopted);
    }

    #[test]
    fn what_belongs_to_another_endpoint_is_never_taken_and_an_issuer_may_be_referred_to() {
        let other = Mark::complete(Owner::new(TYPE_NAME, "ffe/other"), "run");
        for part in [Part::Record, Part::Route, Part::Credentials, Part::Issuer, Part::Certificate, Part::Alert] {
            assert!(mark(&found(part, Some(&other)), &names(), "run", ADOPT).is_err());
        }
        let refused = mark(&found(Part::Issuer, Some(&other)), &names(), "run", ADOPT).unwrap_err();
        assert!(refused.detail.contains("refer to it"), "{refused}");
    }
}
