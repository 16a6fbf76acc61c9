//! What surrounds a release: a backup before the migration, notices about it.

use anyhow::{Context as _, Result, ensure};
use ffe_notify::standin::{Fault, Standin};
use serde_json::{Value as Json, json};

use super::kills::journal;
use super::lifecycle::stack;
use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "pipeline::backup_before_migration", when: When::Always, run: backup_before_migration },
    Case { name: "pipeline::notices", when: When::Always, run: notices },
];

/// The stack with a backup before each migration.
fn backed_up(stage: &Stage, tag: &str, more: &str) -> String {
    let backup = format!(
        "migration = {{\n    backup = \"always\"\n    backup_to = {{ storage = {{ size = \"256Mi\" }}{more} }}"
    );
    stack(stage, tag, NOTIFY).replace("migration = {", &backup)
}

const NOTIFY: &str = "notify = { fields = { author = \"Ada Lovelace\" } }";

fn backup_before_migration(stage: &mut Stage) -> Result<()> {
    let (slack, webhook) = (Standin::slack()?, Standin::webhook()?);
    let told = |stage: &Stage, body: &str| {
        stage.configure_with(&format!(
            r#"
provider "ffe" {{
  kubernetes    = {{ config_path = "{}" }}
  helm          = {{ binary = "{}" }}
  notifications = [{{ kind = "slack", url = "{}" }}, {{ kind = "webhook", url = "{}" }}]
}}
{body}"#,
            stage.surroundings.kubeconfig.display(),
            stage.surroundings.helm4.display(),
            slack.url(),
            webhook.url(),
        ))
    };
    told(stage, &backed_up(stage, "1.0.0", ""))?;
    stage.apply()?.ok()?;

    // A backup that fails: nothing has changed.
    told(stage, &backed_up(stage, "1.1.0", ", image = \"ffe-postgres:does-not-exist\""))?;
    stage.apply()?.failed_with(&[
        "The backup before the migration failed",
        "Nothing was changed",
        "ffe-postgres:does-not-exist",
    ])?;
    ensure!(super::failures::schema(stage)? == "0003_positions", "{}", super::failures::schema(stage)?);

    expect_notices(&webhook, &["started", "succeeded", "started", "failed"])?;

    told(stage, &backed_up(stage, "1.1.0", ""))?;
    stage.apply()?.ok()?;
    migration_is_told(&slack, &webhook)?;
    let location = stage.expect_state("ffe_release.backend")?["backup"].clone();
    let written = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let backup = &written["runs"].as_array().and_then(|runs| runs.last()).context("no run in the journal")?["backup"];
    ensure!(backup["location"] == location, "{location}: {backup:#}");
    ensure!(location.as_str().is_some_and(|at| at.starts_with("pvc/ffe-backend-backups/")), "{location:#}");
    ensure!(backup["size_bytes"].as_i64().is_some_and(|size| size > 1000), "{backup:#}");

    // Nothing to migrate: no backup.
    told(stage, &backed_up(stage, "1.1.0", "").replace("timeout = \"1m\"", "timeout = \"50s\""))?;
    stage.apply()?.ok()?;
    ensure!(stage.expect_state("ffe_release.backend")?["backup"].is_null(), "a backup without a migration");

    // A migration that cannot be undone, and a check that fails: the restore command of the message brings the data back.
    let content = super::backups::filled(stage)?;
    let before = webhook.accepted().len();
    let failing = backed_up(stage, "1.3.0-irreversible", "")
        .replace("\"/database\" = \"healthy\"", "\"/database\" = \"nonsense\"")
        .replace("timeout = \"1m\"", "timeout = \"5s\"");
    told(stage, &failing)?;
    stage.apply()?.failed_with(&[
        "The schema cannot be taken back",
        "A backup was taken before the migration",
        "kubectl",
    ])?;
    let last = webhook.accepted().split_off(before);
    ensure!(events(&last) == ["started", "rolled_back"], "{last:#?}");
    ensure!(last[1]["environment"] == "dev" && last[1]["phase"] == "verify", "{:#}", last[1]);
    ensure!(last[1]["schema"] == json!({ "from": ["0004_feedback"], "to": ["0006_drop_prompts"] }), "{:#}", last[1]);
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let runs = journal["runs"].as_array().cloned().unwrap_or_default();
    let restore = runs.last().and_then(|run| run["restore"].as_str()).context("no restore command")?.to_owned();
    ensure!(super::failures::schema(stage)? == "0006_drop_prompts");
    stage.shell(&restore)?.ok()?;
    ensure!(
        super::failures::schema(stage)? == "0004_feedback",
        "the restore did not bring the schema back: {}",
        super::failures::schema(stage)?
    );
    super::backups::is_as(stage, &content)?;
    stage.destroy()?.ok().map(|_| ())
}

fn events(notices: &[Json]) -> Vec<&str> {
    notices.iter().map(|notice| notice["event"].as_str().unwrap_or_default()).collect()
}

fn expect_notices(webhook: &Standin, expected: &[&str]) -> Result<()> {
    let told = webhook.accepted();
    ensure!(events(&told) == expected, "{told:#?}");
    Ok(())
}

/// A migration that went well: what was and what is, how long it took, and who it was.
fn migration_is_told(slack: &Standin, webhook: &Standin) -> Result<()> {
    expect_notices(webhook, &["started", "succeeded", "started", "failed", "started", "succeeded"])?;
    let all = webhook.accepted();
    for notice in &all {
        ensure!(notice["environment"] == "dev" && notice["fields"]["author"] == "Ada Lovelace", "{notice:#}");
        let seconds = notice["duration_seconds"].as_f64();
        ensure!(seconds.is_some_and(|seconds| seconds > 0.0) == (notice["event"] != "started"), "{notice:#}");
    }
    let last = &all[all.len() - 1];
    ensure!(last["revision"] == json!({ "from": 1, "to": 2 }), "{last:#}");
    ensure!(last["schema"] == json!({ "from": ["0003_positions"], "to": ["0004_feedback"] }), "{last:#}");
    let last = slack.accepted().pop().context("Slack was told nothing")?.to_string();
    for text in ["(dev)", "1 → 2", "0003_positions → 0004_feedback", "*Duration*", "*author*", "Ada Lovelace"] {
        ensure!(last.contains(text), "Slack was not told {text:?}: {last}");
    }
    Ok(())
}

fn notices(stage: &mut Stage) -> Result<()> {
    let (slack, discord, webhook) = (Standin::slack()?, Standin::discord()?, Standin::webhook()?);
    let chart = charts::web_server(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let configuration = |stage: &Stage, path: &str| {
        format!(
            r#"
provider "ffe" {{
  kubernetes = {{ config_path = "{kubeconfig}" }}
  helm       = {{ binary = "{helm}" }}
  notifications = [
    {{ kind = "slack", url = "{slack}", on = ["succeeded", "failed", "rolled_back"] }},
    {{ kind = "discord", url = "{discord}" }},
    {{ kind = "webhook", url = "{webhook}" }},
  ]
}}

resource "ffe_release" "web" {{
  namespace = "{namespace}"
  name      = "web"
  chart     = "{chart}"
  verify    = {{ path = "{path}", timeout = "5s" }}
  notify    = {{ fields = {{ commit = "1a2b3c" }} }}
}}
"#,
            kubeconfig = stage.surroundings.kubeconfig.display(),
            helm = stage.surroundings.helm4.display(),
            slack = slack.url(),
            discord = discord.url(),
            webhook = webhook.url(),
            namespace = stage.name,
            chart = chart.display(),
        )
    };
    // Told again where the first attempt is turned away.
    slack.fail(1, Fault::Status(503));
    let text = configuration(stage, "/main.py");
    stage.configure_with(&text)?;
    let output = stage.apply()?.ok()?;
    ensure!(!output.text().contains("did not arrive"), "{}", output.text());
    ensure!(
        slack.accepted().len() == 1 && discord.accepted().len() == 2 && webhook.accepted().len() == 2,
        "not everybody was told"
    );
    let last = webhook.accepted().pop().unwrap_or_default();
    ensure!(
        last["event"] == "succeeded" && last["release"] == "web" && last["fields"]["commit"] == "1a2b3c",
        "{last:#}"
    );

    // A failure is told with its cause; a channel that is away is a warning and fails nothing more.
    discord.fail(50, Fault::Status(404));
    let text = configuration(stage, "/no-such-file")
        .replace("verify    = {", "set = [{ name = \"text\", value = \"new\" }]\n  verify    = {");
    stage.configure_with(&text)?;
    let output = stage.apply()?.failed_with(&["failed its checks", "A notice did not arrive"])?;
    for standin in [&slack, &discord, &webhook] {
        ensure!(!output.text().contains(standin.secret()), "the URL of a channel is shown");
    }
    let last = webhook.accepted().pop().unwrap_or_default();
    ensure!(last["event"] == "rolled_back" && last.to_string().contains("404"), "{last:#}");
    stage.destroy()?.ok().map(|_| ())
}
