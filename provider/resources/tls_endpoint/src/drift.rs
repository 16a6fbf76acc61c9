//! What differs in the cluster from what was applied.
//!
//! Only what an endpoint sets is compared, field by field (`ffe_cluster::drift`): defaults of the API server, what webhooks make
//! of it, and what other tools add, are none of its business. Nor is what others may change by the user's own word.

use ffe_cluster::ObjectRef;
use ffe_session::Ignored;
use ffe_session::drift::{below, given_up_in_spec};
use serde_json::Value as Json;

use crate::model::{Drift, TlsEndpoint};

/// The field of an object that is gone.
pub(crate) const MISSING: &str = "(missing)";
/// The field of an object whose mark is gone.
pub(crate) const MARK: &str = "/metadata/annotations/ffe.three-rivers.tech~1resource";
/// The field of a Certificate whose issuer has become another one since.
pub(crate) const FORMER_ISSUER: &str = "(issued by what its issuer was before)";
/// The field that says that an apply did not get through a step; the step's name follows.
const NOT_DONE: &str = "(not done: ";

/// One difference.
pub(crate) fn drift(object: impl ToString, field: &str) -> Drift {
    Drift { object: object.to_string().into(), field: field.into() }
}

/// What others may change.
pub(crate) fn ignored(model: &TlsEndpoint) -> Ignored {
    model.drift.known().map(|settings| Ignored::of(&settings.ignore)).unwrap_or_default()
}

/// Whether a difference counts: a JSON pointer, an empty one for the whole object.
pub(crate) fn counts(ignored: &Ignored, object: &ObjectRef, pointer: &str) -> bool {
    !ignored.object(&object.kind, &object.name) && !ignored.field(&object.kind, &object.name, pointer)
}

/// An apply that failed is not over: as long as no other one went through, a plan says so.
pub(crate) fn not_done(endpoint: &str, step: &str) -> Drift {
    drift(endpoint, &format!("{NOT_DONE}{step})"))
}

/// Whether it was noted by [`not_done`].
pub(crate) fn is_not_done(drift: &Drift) -> bool {
    drift.field.as_str().is_some_and(|field| field.starts_with(NOT_DONE))
}

/// The fields of `spec` that we have set once and set no more: the next apply takes them away. As JSON pointers.
pub(crate) fn given_up(desired: &Json, live: &Json) -> Vec<String> {
    given_up_in_spec(desired, live).iter().map(|name| format!("/spec/{name}")).collect()
}

/// A JSON pointer in the same notation.
pub(crate) fn field(pointer: &str) -> String {
    if pointer.is_empty() {
        return MISSING.to_owned();
    }
    pointer.split('/').skip(1).fold(String::new(), |at, step| {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.bytes().all(|byte| byte.is_ascii_digit()) && !at.is_empty() {
            format!("{at}[{step}]")
        } else {
            below(&at, &step)
        }
    })
}

#[cfg(test)]
mod tests {
    use ffe_cluster::FIELD_MANAGER;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_set_once_and_is_no_more_differs_too() {
        let desired = json!({ "spec": { "secretName": "x" } });
        let fields = |manager: &str| {
            json!({ "manager": manager, "operation": "Apply",
                "fieldsV1": { "f:spec": { "f:secretName": {}, "f:renewBefore": {} }, "f:metadata": {} } })
        };
        let live = |manager: &str| json!({ "metadata": { "managedFields": [fields(manager)] }, "spec": { "renewBefore": "720h" } });
        assert_eq!(given_up(&desired, &live(FIELD_MANAGER)), ["/spec/renewBefore"]);
        assert_eq!(given_up(&desired, &live("somebody")), Vec::<String>::new());
        assert_eq!(given_up(&desired, &json!({})), Vec::<String>::new());
    }

    #[test]
    fn pointers_read_like_fields() {
        assert_eq!(field(""), MISSING);
        assert_eq!(field("/spec/rules/0/host"), "spec.rules[0].host");
        assert_eq!(field("/metadata/annotations/a.b~1c"), "metadata.annotations[\"a.b/c\"]");
    }

    #[test]
    fn what_was_not_done_is_known_again() {
        assert!(is_not_done(&not_done("ffe/api", "verify")));
        assert!(!is_not_done(&drift("Ingress ffe/api", MISSING)));
    }
}
