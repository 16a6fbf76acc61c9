//! What the journal says.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use super::At;
use crate::gate::Look;

/// The newest run.
pub(super) fn last(journal: &Json) -> &Json {
    journal["runs"].as_array().and_then(|runs| runs.last()).unwrap_or(&Json::Null)
}

/// How far the newest run has come.
pub(super) fn phase(journal: &Json) -> &str {
    let run = last(journal);
    let page = run["phases"].as_array().and_then(|pages| pages.last());
    match (run["outcome"].as_str(), run["unwinding"] == true) {
        // Nothing has been written by this run.
        (None, _) => "lock",
        (Some("running"), true) => "way back",
        (Some("running"), false) => page.and_then(|page| page["name"].as_str()).unwrap_or_default(),
        _ => "notify",
    }
}

/// Whether this is the request that marks a point.
pub(in crate::cases) fn is_at(at: At, look: &Look<'_>) -> bool {
    let request = look.request;
    let asks = |method: &str, path: &str, body: &str| {
        request.method == method && request.path.contains(path) && (body.is_empty() || request.says(body))
    };
    match at {
        At::Begin(name) => {
            look.journal.is_some_and(|journal| phase(journal) == name && last(journal)["outcome"] == "running")
        }
        At::Note(field) => look.journal.is_some_and(|journal| {
            let value = &last(journal)[field];
            !value.is_null() && *value != false
        }),
        At::Close(outcome) => look.journal.is_some_and(|journal| last(journal)["outcome"] == outcome),
        At::Ask(when, method, path, body) => {
            !request.is_helms() && phase(look.written) == when && asks(method, path, body)
        }
        At::Helm(method, path, body) => {
            request.is_helms() && !request.path.contains("dryRun") && asks(method, path, body)
        }
    }
}

/// The journal of a release that is well: its last run is complete, and no run is under way or has a Job.
pub(super) fn expect_complete(journal: &Json, outcome: &str) -> Result<()> {
    let runs = journal["runs"].as_array().context("no runs")?;
    for run in runs {
        ensure!(run["outcome"] != "running" && run["finished"].is_string(), "a run is still open: {journal:#}");
        ensure!(run["jobs"] == serde_json::json!([]), "a Job is on the list of a run: {journal:#}");
    }
    let run = last(journal);
    ensure!(run["outcome"] == outcome, "the last run has not {outcome}: {journal:#}");
    if outcome != "succeeded" {
        return Ok(());
    }
    ensure!(run["verified"] == true, "the last run is not verified: {journal:#}");
    let pages: Vec<&str> =
        run["phases"].as_array().into_iter().flatten().filter_map(|page| page["name"].as_str()).collect();
    let mut all = ["lock", "preflight", "backup", "migrate", "deploy", "rollout", "verify", "record"];
    if run["back"].is_object() {
        // The older version is deployed before the schema goes back.
        all.swap(3, 4);
    }
    ensure!(pages == all, "the phases of the last run are {pages:?}");
    let bad = run["phases"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|page| page["outcome"] != "succeeded" && page["outcome"] != "skipped");
    ensure!(bad.is_none(), "a phase of the last run has not succeeded: {bad:?}");
    Ok(())
}
