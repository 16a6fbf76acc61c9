//! Whose is what stands where an object of ours goes, and what follows from that.

use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{Mark, MarkState, ObjectRef, Owner, Ownership, ownership, was_applied};

use super::refusal::{Refusal, controller_of, release_of};

/// How a run treats what exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The resource is not in the state: one that is complete belongs to another state.
    pub creating: bool,
    /// What belongs to nobody is taken over.
    pub adopt: bool,
    /// Objects that the state stands for. One that lost its mark is taken back, and stays when the resource goes; one that
    /// somebody made anew since is theirs.
    pub known: Vec<ObjectRef>,
}

/// A place for an object of ours, and what is there.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The object.
    pub object: &'a ObjectRef,
    /// What is there.
    pub live: Option<&'a ObjectMeta>,
    /// It stands for the whole resource, and says `creating` until a create is done.
    pub is_head: bool,
    /// A controller may have made it, and lets it be changed.
    pub may_be_controlled: bool,
}

/// The mark that the object gets.
///
/// What is ours keeps its mark, so that an apply that changes nothing writes nothing.
///
/// # Errors
/// Why it is not ours, and may not be taken over.
pub fn claim(candidate: &Candidate<'_>, owner: &Owner, run_id: &str, terms: &Terms) -> Result<Mark, Refusal> {
    let Candidate { object, live, is_head, may_be_controlled } = *candidate;
    let state = if is_head && terms.creating { MarkState::Creating } else { MarkState::Complete };
    let fresh = Mark { state, ..Mark::complete(owner.clone(), run_id) };
    match ownership(live, owner) {
        Ownership::Absent => Ok(fresh),
        Ownership::OursUnfinished(mark) => Ok(Mark { state, ..mark }),
        Ownership::OursComplete(mark) if !(is_head && terms.creating) => Ok(Mark { state, ..mark }),
        theirs @ Ownership::Foreign { .. } => {
            if let Some(release) = live.and_then(release_of) {
                return Err(Refusal::OfRelease(release));
            }
            if let Some(controller) = live.and_then(controller_of).filter(|_| !may_be_controlled) {
                return Err(Refusal::Controlled(controller));
            }
            let is_known = terms.known.contains(object);
            if terms.adopt || (is_known && live.is_some_and(was_applied)) {
                return Ok(fresh.adopted());
            }
            Err(if is_known { Refusal::Remade(theirs) } else { Refusal::Whose(theirs) })
        }
        theirs => Err(Refusal::Whose(theirs)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};

    use super::*;

    fn owner() -> Owner {
        Owner::new("ffe_environment", "ffe/shop")
    }

    fn object() -> ObjectRef {
        ObjectRef::new("v1", "ConfigMap", Some("ffe"), "a")
    }

    fn meta(json: Json) -> ObjectMeta {
        serde_json::from_value(json).unwrap()
    }

    fn marked(mark: &Mark) -> ObjectMeta {
        let mut meta = ObjectMeta::default();
        mark.write(&mut meta);
        meta
    }

    fn create() -> Terms {
        Terms { creating: true, ..Terms::default() }
    }

    fn adopting() -> Terms {
        Terms { adopt: true, ..create() }
    }

    fn knowing() -> Terms {
        Terms { known: vec![object()], ..Terms::default() }
    }

    fn of(live: Option<&ObjectMeta>, is_head: bool, terms: &Terms) -> Result<Mark, Refusal> {
        let object = object();
        let candidate = Candidate { object: &object, live, is_head, may_be_controlled: false };
        claim(&candidate, &owner(), "second", terms)
    }

    #[test]
    fn what_is_absent_is_made_and_the_head_says_that_it_is_not_done() {
        for (is_head, expected) in [(true, MarkState::Creating), (false, MarkState::Complete)] {
            let mark = of(None, is_head, &create()).unwrap();
            assert_eq!((mark.state, mark.adopted), (expected, false));
        }
    }

    #[test]
    fn an_unfinished_create_is_resumed_and_what_is_complete_is_in_another_state_whatever_is_told() {
        let resumed = of(Some(&marked(&Mark::creating(owner(), "first"))), true, &create()).unwrap();
        assert_eq!((resumed.run_id.as_str(), resumed.state), ("first", MarkState::Creating));
        let complete = marked(&Mark::complete(owner(), "first"));
        for terms in [create(), adopting()] {
            assert!(matches!(of(Some(&complete), true, &terms), Err(Refusal::Whose(Ownership::OursComplete(_)))));
        }
        assert!(of(Some(&complete), true, &Terms::default()).is_ok());
    }

    #[test]
    fn what_belongs_to_nobody_is_taken_over_only_when_told() {
        let bare = ObjectMeta::default();
        assert!(matches!(of(Some(&bare), false, &create()), Err(Refusal::Whose(Ownership::Foreign { .. }))));
        assert!(of(Some(&bare), false, &adopting()).unwrap().adopted);
        assert!(of(Some(&bare), false, &Terms { adopt: true, ..Terms::default() }).unwrap().adopted);
    }

    #[test]
    fn what_the_state_stands_for_is_taken_back_only_where_it_is_the_very_object() {
        let entry = |manager: &str, operation: &str| {
            meta(json!({ "managedFields": [{ "manager": manager, "operation": operation }] }))
        };
        let applied = entry("terraform-provider-ffe", "Apply");
        assert!(of(Some(&applied), false, &knowing()).unwrap().adopted);
        assert!(matches!(of(Some(&applied), false, &Terms::default()), Err(Refusal::Whose(_))));
        for remade in [ObjectMeta::default(), entry("kubectl", "Apply"), entry("terraform-provider-ffe", "Update")] {
            assert!(matches!(of(Some(&remade), false, &knowing()), Err(Refusal::Remade(_))), "{remade:?}");
        }
    }

    #[test]
    fn what_helm_or_a_controller_would_take_away_is_not_taken_over_whatever_is_told() {
        let of_helm = json!({ "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "ffe" });
        let controlled =
            json!([{ "apiVersion": "example.com/v1", "kind": "Thing", "name": "x", "uid": "u", "controller": true }]);
        for terms in [create(), adopting(), knowing()] {
            let refused = of(Some(&meta(json!({ "annotations": of_helm }))), false, &terms);
            assert!(matches!(refused, Err(Refusal::OfRelease(ref release)) if release == "ffe/web"), "{refused:?}");
            let refused = of(Some(&meta(json!({ "ownerReferences": controlled }))), false, &terms);
            assert!(matches!(refused, Err(Refusal::Controlled(ref who)) if who == "Thing x"), "{refused:?}");
        }
        let mut kept = of_helm;
        kept["helm.sh/resource-policy"] = json!("keep");
        assert!(of(Some(&meta(json!({ "annotations": kept }))), false, &adopting()).unwrap().adopted);
        let (object, live) = (object(), meta(json!({ "ownerReferences": controlled })));
        let candidate = Candidate { object: &object, live: Some(&live), is_head: false, may_be_controlled: true };
        assert!(claim(&candidate, &owner(), "run", &adopting()).unwrap().adopted);
    }

    #[test]
    fn what_belongs_to_another_resource_is_never_taken() {
        let other = marked(&Mark::complete(Owner::new("ffe_environment", "ffe/other"), "run"));
        for terms in [create(), adopting(), knowing()] {
            assert!(matches!(of(Some(&other), false, &terms), Err(Refusal::Whose(Ownership::OtherResource(_)))));
        }
    }
}
