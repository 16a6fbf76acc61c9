//! What is said where something is not ours.

use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{ObjectRef, Ownership};
use tfplugin::Diagnostic;

/// What Helm writes on the objects of a release, and what it reads before it deletes one.
const RELEASE_NAME: &str = "meta.helm.sh/release-name";
const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// Why an object is not ours, and is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// By its mark, or the lack of one.
    Whose(Ownership),
    /// Ours was deleted, and somebody has made another one of that name.
    Remade(Ownership),
    /// A Helm release would delete it.
    OfRelease(String),
    /// A controller makes it, and would undo what we write.
    Controlled(String),
}

/// What helps.
#[derive(Clone, Copy, Debug)]
pub struct Advice<'a> {
    /// Of the resource.
    pub resource_type: &'a str,
    /// What `terraform import` takes to bring the object here; none where an import does not know such objects.
    pub import_id: Option<&'a str>,
    /// The attribute that names the object.
    pub named_by: &'a str,
}

impl Refusal {
    /// The error: whose the object is, and what helps.
    pub fn diagnostic(&self, object: &ObjectRef, advice: &Advice<'_>) -> Diagnostic {
        let import = |id: &str| format!("terraform import {}.<name> {id}", advice.resource_type);
        let Advice { import_id, named_by, .. } = *advice;
        match self {
            Refusal::OfRelease(release) => of_release(object, release, named_by),
            Refusal::Controlled(by) => Diagnostic::error(
                format!("{object} is made by {by}"),
                format!(
                    "That controls it (metadata.ownerReferences): its controller undoes what others write, and the object goes \
                     when it does. Nothing was changed.\n\nSet {named_by} so that another name comes of it, or have {by} removed \
                     first."
                ),
            ),
            Refusal::Whose(Ownership::OtherResource(mark)) => {
                let mut detail = format!(
                    "It belongs to {} {}. Nothing was changed.\n\nSet {named_by} so that another name comes of it.",
                    mark.owner.resource_type, mark.owner.id
                );
                if mark.owner.resource_type == advice.resource_type {
                    detail.push_str(&format!(
                        " If that one is in no state any more, import it as what it is, under its own name, and destroy it \
                         or go on with it:\n\n  {}",
                        import(&mark.owner.id)
                    ));
                }
                Diagnostic::error(format!("{object} exists already"), detail)
            }
            Refusal::Whose(Ownership::OursComplete(_)) => {
                let how = match import_id {
                    Some(id) => format!(
                        "To manage it here, remove it from that state (terraform state rm), if there still is one, and import \
                         it:\n\n  {}\n\nadopt = true does not take it over: two states would delete it from under each other.",
                        import(id)
                    ),
                    None => format!("Set {named_by} so that another name comes of it."),
                };
                Diagnostic::error(
                    format!("{object} exists already"),
                    format!(
                        "It was made by an earlier configuration of the same resource, which is in another state. Nothing was \
                         changed.\n\n{how}"
                    ),
                )
            }
            Refusal::Remade(ownership) => Diagnostic::error(
                format!("{object} is not the one that was made here"),
                format!(
                    "That one was deleted, and somebody has made another one of the name since. {} Nothing was changed.\n\n\
                     Delete it, and the next apply makes it anew; or set adopt = true, which takes theirs over and gives it \
                     back on destroy.",
                    whose(ownership)
                ),
            ),
            Refusal::Whose(ownership) => {
                let import = import_id
                    .map(|id| format!("To manage it here, import it:\n\n  {}\n\nor set", import(id)))
                    .unwrap_or_else(|| format!("Set {named_by} so that another name comes of it, or set"));
                Diagnostic::error(
                    format!("{object} exists already"),
                    format!(
                        "{} Nothing was changed.\n\n{import} adopt = true, which takes it over on create and gives it back on \
                         destroy.",
                        whose(ownership)
                    ),
                )
            }
        }
    }
}

/// The same for what is no object of the cluster's: by whose it is.
pub fn refuse_foreign(object: &ObjectRef, ownership: &Ownership, resource_type: &str, import_id: &str) -> Diagnostic {
    let advice = Advice { resource_type, import_id: Some(import_id), named_by: "name" };
    Refusal::Whose(ownership.clone()).diagnostic(object, &advice)
}

fn whose(ownership: &Ownership) -> String {
    match ownership {
        Ownership::Foreign { manager: Some(manager) } => format!("It is managed by {manager}."),
        _ => "It was not made by this provider.".to_owned(),
    }
}

fn of_release(object: &ObjectRef, release: &str, named_by: &str) -> Diagnostic {
    Diagnostic::error(
        format!("{object} is part of the Helm release {release}"),
        format!(
            "Helm deletes it when the release has it no more, or is uninstalled, also after it was taken over here. Nothing was \
             changed.\n\n\
             To take it over, have the chart put the annotation {RESOURCE_POLICY}: keep on it (many charts have a value for \
             its annotations), upgrade the release, and apply again: Helm leaves it where it is from then on.\n\n\
             To have one of your own beside it, set {named_by} so that another name comes of it. When that one serves, switch \
             the release's off in the values of the chart."
        ),
    )
}

/// The Helm release that an object is part of, unless Helm is told to leave it where it is. Helm deletes what a release
/// has no more, whoever has taken it over since.
pub fn release_of(meta: &ObjectMeta) -> Option<String> {
    let annotations = meta.annotations.as_ref()?;
    if annotations.get(RESOURCE_POLICY).is_some_and(|policy| policy.trim() == "keep") {
        return None;
    }
    let (name, namespace) = (annotations.get(RELEASE_NAME)?, annotations.get(RELEASE_NAMESPACE));
    Some(namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}/{name}")))
}

/// The object whose controller has made this one.
pub(super) fn controller_of(meta: &ObjectMeta) -> Option<String> {
    let mut owners = meta.owner_references.iter().flatten();
    owners.find(|owner| owner.controller == Some(true)).map(|owner| format!("{} {}", owner.kind, owner.name))
}

#[cfg(test)]
mod tests {
    use ffe_cluster::{Mark, Owner};

    use super::*;

    fn said(refusal: &Refusal, import_id: Option<&str>) -> Diagnostic {
        let object = ObjectRef::new("v1", "Namespace", None, "ffe");
        let advice = Advice { resource_type: "ffe_environment", import_id, named_by: "name" };
        let said = refusal.diagnostic(&object, &advice);
        assert!(said.is_error() && said.detail.contains("Nothing was"), "{said}");
        said
    }

    #[test]
    fn it_says_whose_it_is_and_only_what_helps() {
        let mark = |kind: &str| Mark::complete(Owner::new(kind, "ffe/other"), "run-1");
        let foreign = |manager: Option<&str>| Ownership::Foreign { manager: manager.map(str::to_owned) };
        let (import, adopt) = ("terraform import ffe_environment.<name> ffe", "or set adopt = true");
        for (refusal, id, has, has_not) in [
            (Refusal::Whose(foreign(Some("flux"))), Some("ffe"), vec!["managed by flux", import, adopt], vec![]),
            (Refusal::Whose(foreign(None)), None, vec!["not made by this provider", adopt], vec!["import"]),
            (Refusal::Remade(foreign(None)), Some("ffe"), vec!["made another one", "Delete it", adopt], vec!["import"]),
            (
                Refusal::Whose(Ownership::OursComplete(mark("ffe_environment"))),
                Some("ffe"),
                vec!["in another state", import],
                vec![adopt],
            ),
            (
                Refusal::Whose(Ownership::OtherResource(mark("ffe_environment"))),
                Some("ffe"),
                vec!["belongs to ffe_environment ffe/other", "import ffe_environment.<name> ffe/other", "Set name"],
                vec!["adopt"],
            ),
            (
                Refusal::Whose(Ownership::OtherResource(mark("ffe_release"))),
                Some("ffe"),
                vec!["belongs to ffe_release ffe/other", "Set name"],
                vec!["adopt", "import"],
            ),
            (Refusal::OfRelease("ffe/web".to_owned()), None, vec!["resource-policy: keep"], vec!["adopt = true"]),
            (Refusal::Controlled("Thing x".to_owned()), None, vec!["ownerReferences"], vec!["adopt"]),
        ] {
            let said = said(&refusal, id);
            for part in has {
                assert!(said.detail.contains(part), "{part} is not in: {said}");
            }
            for part in has_not {
                assert!(!said.detail.contains(part), "{part} is in: {said}");
            }
        }
    }
}
