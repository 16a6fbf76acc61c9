//! How a state of an older schema becomes one of today's.

use serde_json::{Map, Value as Json, json};
use tfplugin::Diagnostics;

/// Of version 0: what a run did was lists and objects, and is text now.
///
/// # Errors
/// None: what is not as expected there is left out, and the next apply writes it.
pub(crate) fn to_1(mut state: Json) -> Result<Json, Diagnostics> {
    let Some(release) = state.as_object_mut() else { return Ok(state) };
    let changes =
        joined_lines(release, "changes", |one| Some(format!("{} {}", text(one, "action")?, text(one, "object")?)));
    let values = joined_lines(release, "value_changes", |one| {
        let side = |name| text(one, name).unwrap_or("(not set)");
        Some(format!("{}: {} -> {}", text(one, "path")?, side("before"), side("after")))
    });
    let unstable = joined_lines(release, "unstable_fields", |one| {
        let object = text(one, "object")?;
        Some(text(one, "field").map_or_else(|| object.to_owned(), |field| format!("{object} {field}")))
    });
    let last = release.get("last_run").cloned().unwrap_or_default();
    let run = text(&last, "outcome").zip(text(&last, "finished")).zip(text(&last, "id"));
    let run = run.map(|((outcome, finished), id)| format!("{outcome} at {finished}, run {id}"));
    let backup = last.get("backup").and_then(|backup| text(backup, "location")).map(str::to_owned);
    release.extend([
        ("changes".to_owned(), json!(changes)),
        ("value_changes".to_owned(), json!(values)),
        ("unstable_fields".to_owned(), json!(unstable)),
        ("last_run".to_owned(), json!(run)),
        ("backup".to_owned(), json!(backup)),
    ]);
    Ok(state)
}

/// A line for each element of a list; none for none.
fn joined_lines(release: &Map<String, Json>, name: &str, line: impl Fn(&Json) -> Option<String>) -> Option<String> {
    let lines: Vec<String> = release.get(name)?.as_array()?.iter().filter_map(line).collect();
    Some(lines.join("\n")).filter(|lines| !lines.is_empty())
}

fn text<'a>(object: &'a Json, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Json::as_str)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_the_last_run_did_becomes_text() {
        let old = json!({
            "name": "one", "revision": 3,
            "changes": [
                { "action": "change", "object": "ConfigMap/one", "fields": ["/data/a"], "digest": "sha256:0123456789abcdef" },
                { "action": "create", "object": "Job/*", "fields": null, "digest": null },
            ],
            "value_changes": [{ "path": "text", "before": null, "after": "\"b\"" }],
            "unstable_fields": [{ "object": "Job/*", "field": null }, { "object": "Secret/s", "field": "/data/p" }],
            "last_run": {
                "id": "ab12", "outcome": "succeeded", "started": "2026-01-02T03:04:05Z", "finished": "2026-01-02T03:05:05Z",
                "phases": [{ "name": "lock", "outcome": "succeeded", "seconds": 0.1 }],
                "backup": { "name": "one-1", "location": "pvc/one-backups/one-1", "size_bytes": 7, "sha256": "00" },
            },
        });
        let new = to_1(old).unwrap();
        assert_eq!((&new["name"], &new["revision"]), (&json!("one"), &json!(3)));
        assert_eq!(new["changes"], "change ConfigMap/one\ncreate Job/*");
        assert_eq!(new["value_changes"], "text: (not set) -> \"b\"");
        assert_eq!(new["unstable_fields"], "Job/*\nSecret/s /data/p");
        assert_eq!(new["last_run"], "succeeded at 2026-01-02T03:05:05Z, run ab12");
        assert_eq!(new["backup"], "pvc/one-backups/one-1");
    }

    #[test]
    fn nothing_is_nothing() {
        for old in [json!({ "changes": [], "last_run": null }), json!({}), json!({ "changes": "as it is now" })] {
            let new = to_1(old).unwrap();
            for name in ["changes", "value_changes", "unstable_fields", "last_run", "backup"] {
                assert_eq!(new[name], Json::Null, "{name}");
            }
        }
        assert_eq!(to_1(Json::Null).unwrap(), Json::Null);
    }
}
