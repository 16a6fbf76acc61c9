//! What differs in the cluster from what was applied.
//!
//! Only what an endpoint sets is compared, field by field (`ffe_cluster::drift`): defaults of the API server, what webhooks make
//! of it, and what other tools add, are none of its business. Nor is what others may change by the user's own word.

use ffe_session::Ignored;
pub(crate) use ffe_session::drift::{MISSING, counts, field, given_up};

use crate::model::{Drift, TlsEndpoint};

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

/// An apply that failed is not over: as long as no other one went through, a plan says so.
pub(crate) fn not_done(endpoint: &str, step: &str) -> Drift {
    drift(endpoint, &format!("{NOT_DONE}{step})"))
}

/// Whether it was noted by [`not_done`].
pub(crate) fn is_not_done(drift: &Drift) -> bool {
    drift.field.as_str().is_some_and(|field| field.starts_with(NOT_DONE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done_is_known_again() {
        assert!(is_not_done(&not_done("ffe/api", "verify")));
        assert!(!is_not_done(&drift("Ingress ffe/api", MISSING)));
    }
}
