//! Whose is what stands where an object of the issuer goes: the rules are those of every resource, and one more. An issuer that
//! an endpoint has made for itself is handed over to an import.

use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{Mark, ObjectRef, Ownership};
use ffe_session::ownership::{Advice, Candidate, Refusal, claim};
use tfplugin::{Diagnostic, Path};

use crate::names::{Names, TYPE_NAME};

/// The resource that makes issuers of its own.
const ENDPOINT: &str = "ffe_tls_endpoint";

/// How a run treats what exists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// Those of every resource.
    pub(crate) usual: ffe_session::ownership::Terms,
    /// What an endpoint has made is taken from it: an import said so.
    pub(crate) hand_over: bool,
}

/// The mark that an object gets. The issuer's stands for the whole resource.
///
/// # Errors
/// When the object is not ours and may not be taken over.
pub(crate) fn mark(
    object: &ObjectRef,
    live: Option<&ObjectMeta>,
    names: &Names,
    run_id: &str,
    terms: &Terms,
) -> Result<Mark, Diagnostic> {
    let is_head = *object == names.object();
    let candidate = Candidate { object, live, is_head, may_be_controlled: false };
    match claim(&candidate, &names.owner(), run_id, &terms.usual) {
        Ok(mark) => Ok(mark),
        Err(Refusal::Whose(Ownership::OtherResource(mark))) if terms.hand_over && is_of_an_endpoint(&mark) => {
            Ok(Mark { adopted: mark.adopted, ..Mark::complete(names.owner(), run_id) })
        }
        Err(refusal) => Err(refused(object, names, &refusal)),
    }
}

/// Whether an endpoint has made it.
pub(crate) fn is_of_an_endpoint(mark: &Mark) -> bool {
    mark.owner.resource_type == ENDPOINT
}

/// The error for what is not ours.
pub(crate) fn refused(object: &ObjectRef, names: &Names, refusal: &Refusal) -> Diagnostic {
    let (is_head, id) = (*object == names.object(), names.import_id());
    if let (true, Refusal::Whose(Ownership::OtherResource(mark))) = (is_head, refusal)
        && is_of_an_endpoint(mark)
    {
        return Diagnostic::error(
            format!("{object} exists already"),
            format!(
                "It belongs to {} {}. Nothing was changed.\n\nTo have it here, import it:\n\n  terraform import {TYPE_NAME}.<name> \
                 {id}\n\nand let that endpoint refer to it (issuer = {TYPE_NAME}.<name>.issuer_ref) in the same apply: issuer and \
                 account are the same then, and no certificate is ordered anew. Otherwise give the issuer another name.",
                mark.owner.resource_type, mark.owner.id
            ),
        )
        .at(Path::attribute("name"));
    }
    // An import knows issuers; their Secret comes with them.
    let advice = Advice { resource_type: TYPE_NAME, import_id: is_head.then_some(id.as_str()), named_by: "name" };
    refusal.diagnostic(object, &advice).at(Path::attribute("name"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::k8s_openapi::api::core::v1::Secret;
    use ffe_cluster::{MarkState, Owner};

    use super::*;

    fn marked(kind: &str) -> ObjectMeta {
        let mut meta = ObjectMeta::default();
        Mark::complete(Owner::new(kind, "ffe/api"), "first").write(&mut meta);
        meta
    }

    fn terms(hand_over: bool) -> Terms {
        Terms { hand_over, ..Terms::default() }
    }

    #[test]
    fn what_an_endpoint_has_made_is_handed_over_to_an_import_and_to_nobody_else() {
        let names = Names::new(None, "le");
        let (issuer, of_endpoint) = (names.object(), marked(ENDPOINT));
        let secret = ObjectRef::of::<Secret>(Some("cert-manager"), "le-credentials");
        for object in [&issuer, &secret] {
            let mark = mark(object, Some(&of_endpoint), &names, "run", &terms(true)).unwrap();
            assert_eq!((mark.owner, mark.state, mark.adopted), (names.owner(), MarkState::Complete, false));
        }
        let refused = mark(&issuer, Some(&of_endpoint), &names, "run", &terms(false)).unwrap_err();
        for part in ["belongs to ffe_tls_endpoint ffe/api", "terraform import ffe_issuer.<name> le", "issuer_ref"] {
            assert!(refused.detail.contains(part), "{part}: {refused}");
        }
        assert!(mark(&issuer, Some(&marked(TYPE_NAME)), &names, "run", &terms(true)).is_err());
    }

    #[test]
    fn the_issuer_stands_for_the_resource_and_is_imported_by_its_id() {
        let names = Names::new(Some("ffe"), "le");
        let creating =
            Terms { usual: ffe_session::ownership::Terms { creating: true, ..Default::default() }, hand_over: false };
        let made = mark(&names.object(), None, &names, "run", &creating).unwrap();
        assert_eq!(made.state, MarkState::Creating);
        let secret = ObjectRef::of::<Secret>(Some("ffe"), "le-credentials");
        assert_eq!(mark(&secret, None, &names, "run", &creating).unwrap().state, MarkState::Complete);
        let theirs = ObjectMeta::default();
        let refused = mark(&names.object(), Some(&theirs), &names, "run", &creating).unwrap_err();
        assert!(refused.detail.contains("terraform import ffe_issuer.<name> ffe/le"), "{refused}");
        let refused = mark(&secret, Some(&theirs), &names, "run", &creating).unwrap_err();
        assert!(!refused.detail.contains("import") && refused.detail.contains("Set name"), "{refused}");
    }
}
