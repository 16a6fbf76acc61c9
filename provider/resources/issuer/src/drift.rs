//! What differs in the cluster from what was applied, as the state has it.

use ffe_session::Ignored;
pub(crate) use ffe_session::drift::{MISSING, counts, field, given_up};

use crate::model::{Drift, Issuer};

/// The field of an object whose mark is gone.
pub(crate) const MARK: &str = "/metadata/annotations/ffe.three-rivers.tech~1resource";
/// The field in which an object keeps the inputs.
pub(crate) const INPUTS: &str = "/metadata/annotations/ffe.three-rivers.tech~1inputs";
/// The field of an issuer that was applied and did not become ready.
const NOT_READY: &str = "(not ready)";

/// What others may change.
pub(crate) fn ignored(model: &Issuer) -> Ignored {
    model.drift.known().map(|settings| Ignored::of(&settings.ignore)).unwrap_or_default()
}

/// One difference.
pub(crate) fn drift(object: impl ToString, field: &str) -> Drift {
    Drift { object: object.to_string().into(), field: field.into() }
}

/// An apply that failed is not over: as long as no other one went through, a plan says so.
pub(crate) fn not_ready(object: impl ToString) -> Drift {
    drift(object, NOT_READY)
}

/// Whether it was noted by [`not_ready`].
pub(crate) fn is_not_ready(drift: &Drift) -> bool {
    drift.field.as_str() == Some(NOT_READY)
}
