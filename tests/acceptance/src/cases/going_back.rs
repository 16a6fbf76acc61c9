//! A release that had passed goes back to an older version, and the schema with it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use super::failures::{image, schema};
use super::kills::journal;
use super::lifecycle::stack;
use crate::{Case, Stage, When};

pub(super) const CASES: &[Case] = &[
    Case { name: "going_back::older_version_with_its_schema", when: When::Always, run: older_version },
    Case { name: "going_back::version_that_ran_comes_back", when: When::Full, run: version_that_ran },
];

const DATABASE: &str = "ffe-dev-database-0";
const LIMIT: Duration = Duration::from_secs(120);

/// An application that insists on its own schema, with a backup before the schema moves.
fn strict(stage: &Stage, tag: &str, allowed: bool) -> String {
    let migration = format!(
        "migration = {{\n    backup = \"always\"\n    backup_to = {{ storage = {{ size = \"256Mi\" }} }}\n    allow_downgrade = {allowed}"
    );
    stack(stage, tag, "").replace("migration = {", &migration).replace(
        "{ name = \"workers\", value = \"1\" },",
        "{ name = \"workers\", value = \"1\" },\n    { name = \"strictSchema\", value = \"true\" },",
    )
}

fn psql(stage: &Stage, query: &str) -> Result<String> {
    stage.kube.psql(&stage.name, DATABASE, "ffe", "ffe", query)
}

/// Seven rows in what the revision of 1.1.0 has added.
fn filled(stage: &Stage) -> Result<()> {
    psql(
        stage,
        "insert into decisions (account_id, instrument_id, action, confidence) select 1, 1, 'BUY', n from generate_series(1, 7) n; \
         insert into feedback (decision_id, realised_pnl, score) select id, 1, 1 from decisions",
    )
    .map(drop)
}

fn ready(stage: &Stage) -> Result<bool> {
    let deployment = stage.kube.get(&["deployment", "-n", &stage.name, "ffe-backend"])?.context("no deployment")?;
    Ok(deployment["status"]["readyReplicas"] == 1)
}

/// A pod that asks the service without a pause, and writes down what it was answered.
fn clients(stage: &Stage) -> Result<()> {
    let script = "import time, urllib.request\nwhile True:\n    try:\n        \
                  urllib.request.urlopen('http://ffe-backend:8000/health', timeout=2).read()\n        print('answered', flush=True)\n    \
                  except Exception as error:\n        print('failed', error, flush=True)\n    time.sleep(0.05)";
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "clients", "namespace": stage.name },
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "clients", "image": "ffe-backend:1.0.0", "command": ["python3", "-c", script],
                "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
                "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "cpu": "200m", "memory": "64Mi" } },
            }],
        },
    });
    stage.kube.apply(&pod.to_string())
}

/// What they were answered so far, in order.
fn answers(stage: &Stage) -> Result<Vec<bool>> {
    let log = stage.kube.run(&["logs", "-n", &stage.name, "clients"])?.ok()?.stdout;
    Ok(log.lines().map(|line| line.starts_with("answered")).collect())
}

fn older_version(stage: &mut Stage) -> Result<()> {
    stage.configure(&strict(stage, "1.0.0", false))?;
    stage.apply()?.ok()?;
    stage.configure(&strict(stage, "1.1.0", false))?;
    stage.apply()?.ok()?;
    filled(stage)?;

    // Not without the setting.
    stage.configure(&strict(stage, "1.0.0", false))?;
    stage.apply()?.failed_with(&[
        "is at a revision that the image ffe-backend:1.0.0 does not have",
        "migration.allow_downgrade = true",
    ])?;
    ensure!(schema(stage)? == "0004_feedback" && image(stage)?.ends_with(":1.1.0"), "something was changed");

    // The plan says what goes.
    stage.configure(&strict(stage, "1.0.0", true))?;
    let plan = stage.plan()?;
    let after =
        &plan["resource_changes"].as_array().context("no changes")?.iter().find(|one| one["type"] == "ffe_release");
    let undone = &after.context("no release in the plan")?["change"]["after"]["undone_revisions"];
    let expected = "0004_feedback: drops the column provider of decisions, the table feedback";
    ensure!(*undone == json!([expected]), "{undone:#}");
    stage.terraform(&["plan", "-no-color", "-input=false"])?.ok()?.says(&[
        "The schema goes back to an older version's",
        "From 0004_feedback to 0003_positions",
        "requests fail until the older version is ready",
    ])?;

    clients(stage)?;
    stage.kube.until("clients to be answered", LIMIT, |_| {
        Ok(answers(stage).is_ok_and(|answers| answers.iter().filter(|answered| **answered).count() > 20))
    })?;
    stage.apply()?.ok()?.says(&["the column provider of decisions (7 rows)", "the table feedback (7 rows)"])?;
    ensure!(schema(stage)? == "0003_positions", "the schema is at {}", schema(stage)?);
    ensure!(image(stage)?.ends_with(":1.0.0") && ready(stage)?, "the older version is not ready");
    let state = stage.expect_state("ffe_release.backend")?;
    ensure!(state["undone_revisions"] == json!([expected]), "{state:#}");
    ensure!(state["backup"].as_str().is_some_and(|at| at.starts_with("pvc/ffe-backend-backups/")), "{state:#}");
    ensure!(psql(stage, "select count(*) from decisions")? == "7", "what both versions have is gone");
    ensure!(stage.kube.names(&stage.name, "jobs")?.is_empty(), "a Job is left");
    stage.expect_empty_plan()?;

    // Requests fail in between, as is said, and not before and not afterwards.
    let until_now = answers(stage)?.len();
    stage.kube.until("clients to be answered again", LIMIT, |_| Ok(answers(stage)?.len() > until_now + 20))?;
    let answers = answers(stage)?;
    let failed = answers.iter().filter(|answered| !**answered).count();
    let first = answers.iter().position(|answered| !answered).unwrap_or(answers.len());
    ensure!(first > 20 && answers[until_now..].iter().all(|answered| *answered), "{failed} of {}", answers.len());
    tell(stage, failed, answers.len())?;

    // And forward again; the dump of before the way back is the one to restore what was dropped from.
    let written = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let last = written["runs"].as_array().and_then(|runs| runs.last()).cloned().unwrap_or_default();
    ensure!(counted(&last) == [7, 7] && last["restore"].is_string(), "{last:#}");
    stage.configure(&strict(stage, "1.1.0", true))?;
    stage.apply()?.ok()?;
    ensure!(psql(stage, "select count(*) from feedback")? == "0", "it was not dropped");
    stage.shell(last["restore"].as_str().unwrap_or_default())?.ok()?;
    ensure!(psql(stage, "select count(*) from feedback")? == "7", "the dump does not have what was dropped");
    stage.destroy()?.ok().map(|_| ())
}

/// How many rows the run has counted.
fn counted(run: &Json) -> Vec<i64> {
    let rows = run["back"]["rows"].as_array().cloned().unwrap_or_default();
    rows.iter().filter_map(|one| one["rows"].as_i64()).collect()
}

/// Leaves a note for whoever keeps what the case has made.
fn tell(stage: &Stage, failed: usize, all: usize) -> Result<()> {
    let path = stage.folder.join("clients.txt");
    std::fs::write(path, format!("{failed} of {all} requests failed while the release went back\n")).map_err(Into::into)
}

/// The older version does not pass: the one that ran comes back with its schema. And a revision that cannot be undone is refused.
fn version_that_ran(stage: &mut Stage) -> Result<()> {
    stage.configure(&strict(stage, "1.0.0", true))?;
    stage.apply()?.ok()?;
    stage.configure(&strict(stage, "1.1.0", true))?;
    stage.apply()?.ok()?;
    filled(stage)?;
    let failing = strict(stage, "1.0.0", true)
        .replace("\"/database\" = \"healthy\"", "\"/database\" = \"nonsense\"")
        .replace("timeout = \"1m\"", "timeout = \"5s\"");
    stage.configure(&failing)?;
    stage.apply()?.failed_with(&[
        "failed its checks",
        "It was rolled back to the last revision that passed its checks",
        "The database's schema is at 0004_feedback, as before",
        "What was dropped is there again, and empty",
        "kubectl",
    ])?;
    ensure!(schema(stage)? == "0004_feedback" && image(stage)?.ends_with(":1.1.0"), "{}", schema(stage)?);
    ensure!(ready(stage)?, "the version that ran is not ready");
    ensure!(stage.kube.names(&stage.name, "jobs")?.is_empty(), "a Job is left");
    let written = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let last = written["runs"].as_array().and_then(|runs| runs.last()).cloned().unwrap_or_default();
    stage.shell(last["restore"].as_str().unwrap_or_default())?.ok()?;
    ensure!(psql(stage, "select count(*) from feedback")? == "7", "the dump does not have what was dropped");

    // What cannot be undone is refused by the plan, and nothing is changed.
    stage.configure(&strict(stage, "1.3.0-pass", true))?;
    stage.apply()?.ok()?;
    stage.configure(&strict(stage, "1.1.0", true))?;
    stage
        .terraform(&["plan", "-no-color", "-input=false"])?
        .failed_with(&["Revision 0006_stop_loss cannot be undone", "an empty downgrade()"])?;
    // terraform destroy plans what is configured first, and would be refused by the same.
    stage.configure(&strict(stage, "1.3.0-pass", true))?;
    stage.destroy()?.ok().map(|_| ())
}
