//! A notice as JSON, for any receiver.
//!
//! The form is stable: `version` is 1 as long as members are only added. Every member is always there; what is not
//! known is null, an empty list or an empty object.
//!
//! ```json
//! {
//!   "version": 1,
//!   "id": "0123456789ab:failed",
//!   "event": "failed",
//!   "environment": "production",
//!   "namespace": "ffe",
//!   "release": "ffe-backend",
//!   "run_id": "0123456789ab",
//!   "revision": { "from": 3, "to": 4 },
//!   "app_version": { "from": "1.4.0", "to": "1.5.0" },
//!   "schema": { "from": ["a1b2"], "to": ["c3d4"] },
//!   "phase": "migrate",
//!   "duration_seconds": 92.4,
//!   "cause": "Job ffe/ffe-migrate-1 failed\n…",
//!   "fields": { "commit": "9f8e7d6" }
//! }
//! ```
//!
//! `event` is `started`, `succeeded`, `failed` or `rolled_back`. A notice may come twice, when its first answer was
//! lost: `id` is the same then. `cause` has at most 8192 UTF-16 units.

use serde_json::{Value, json};

use crate::notice::Notice;
use crate::text::{clean, first_lines};

const CAUSE: usize = 8192;

/// The body of the request.
pub(crate) fn payload(notice: &Notice) -> Value {
    let cause = notice.cause.as_deref().map(clean).filter(|cause| !cause.is_empty());
    json!({
        "version": 1,
        "id": format!("{}:{}", notice.run_id, notice.event),
        "event": notice.event.name(),
        "environment": notice.environment,
        "namespace": notice.namespace,
        "release": notice.release,
        "run_id": notice.run_id,
        "revision": { "from": notice.revision_from, "to": notice.revision_to },
        "app_version": { "from": notice.app_version_from, "to": notice.app_version_to },
        "schema": { "from": notice.schema_from, "to": notice.schema_to },
        "phase": notice.phase,
        "duration_seconds": notice.duration.map(|duration| duration.as_secs_f64()),
        "cause": cause.map(|cause| first_lines(&cause, CAUSE, |_| None)),
        "fields": notice.fields,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::notice::Event;
    use crate::text::units;

    #[test]
    fn the_documented_form() {
        assert_eq!(
            payload(&Notice::example(Event::RolledBack)),
            json!({
                "version": 1,
                "id": "0123456789ab:rolled_back",
                "event": "rolled_back",
                "environment": "production",
                "namespace": "ffe",
                "release": "ffe-backend",
                "run_id": "0123456789ab",
                "revision": { "from": 3, "to": 4 },
                "app_version": { "from": "1.4.0", "to": "1.5.0" },
                "schema": { "from": ["a1b2"], "to": ["c3d4"] },
                "phase": "migrate",
                "duration_seconds": 92.4,
                "cause": "Job ffe/ffe-migrate-1 failed\ncolumn \"a\" <int> & more",
                "fields": { "author": "A_B <a@b.c>", "commit": "9f8e7d6" },
            })
        );
    }

    #[test]
    fn what_is_not_known_is_null_and_not_left_out() {
        let full = payload(&Notice::example(Event::Started));
        let bare = payload(&Notice::new(Event::Started, "ffe", "api", "r1"));
        let names = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&bare), names(&full));
        assert_eq!(bare["revision"], json!({ "from": null, "to": null }));
        assert_eq!(bare["cause"], Value::Null);
    }

    #[test]
    fn a_long_cause_is_trimmed() {
        let mut notice = Notice::example(Event::Failed);
        notice.cause = Some("\u{1b}[31mERROR\u{1b}[0m: no\n".repeat(5000));
        let body = payload(&notice);
        let cause = body["cause"].as_str().unwrap();
        assert!(units(cause) <= CAUSE && cause.starts_with("ERROR: no\nERROR") && cause.ends_with("more lines)"));
    }
}
