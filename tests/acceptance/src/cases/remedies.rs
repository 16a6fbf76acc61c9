//! What `remediation` and `on_failure` say happens: left as it is, taken away, tried again; the schema kept.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use super::failures::{image, schema};
use super::kills::journal;
use super::lifecycle::stack;
use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "remedies::left_as_it_is", when: When::Full, run: left_as_it_is },
    Case { name: "remedies::uninstalled", when: When::Full, run: uninstalled },
    Case { name: "remedies::database_password", when: When::Full, run: database_password },
    Case { name: "remedies::tried_again_without_the_migration", when: When::Always, run: tried_again },
];

/// A release whose check fails or passes.
fn checked(stage: &Stage, tag: &str, good: bool, more: &str) -> String {
    let text = stack(stage, tag, more);
    if good {
        return text;
    }
    text.replace("\"/database\" = \"healthy\"", "\"/database\" = \"nonsense\"")
        .replace("timeout = \"1m\"", "timeout = \"3s\"")
}

/// With `none` what was asked for stays, though it failed; an update saves it, and the next plan deploys again.
fn left_as_it_is(stage: &mut Stage) -> Result<()> {
    let none = "remediation = { strategy = \"none\" }";
    let kept = |text: String| text.replace("migration = {", "migration = {\n    on_failure = \"keep\"");
    stage.configure(&kept(checked(stage, "1.0.0", true, none)))?;
    stage.apply()?.ok()?;
    stage.configure(&kept(checked(stage, "1.1.0", false, none)))?;
    stage.apply()?.failed_with(&["failed its checks", "It was left as it is", "migration.on_failure is keep"])?;
    ensure!(image(stage)?.ends_with(":1.1.0") && schema(stage)? == "0004_feedback", "it was taken back");
    let state = stage.expect_state("ffe_release.backend")?;
    ensure!(state["status"] == "failed" && state["revision"] == 2, "{state:#}");
    ensure!(state["schema_revision"] == json!(["0004_feedback"]), "{state:#}");
    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_release.backend".to_owned(), "update".to_owned())], "{actions:?}");

    // The same again, with a check that can pass: nothing is migrated anew.
    stage.configure(&kept(checked(stage, "1.1.0", true, none)))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// With `uninstall` a release that fails is taken away, also when an older revision was good; the next apply installs it.
fn uninstalled(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let release = |path: &str, text: &str| {
        format!(
            "resource \"ffe_release\" \"web\" {{\n  namespace = \"{}\"\n  name = \"web\"\n  chart = \"{}\"\n  \
             set = [{{ name = \"text\", value = \"{text}\" }}]\n  verify = {{ path = \"{path}\", timeout = \"3s\" }}\n  \
             remediation = {{ strategy = \"uninstall\" }}\n}}\n",
            stage.name,
            chart.display()
        )
    };
    let (good, bad) = (release("/main.py", "one"), release("/no-such-page", "two"));
    stage.configure(&good)?;
    stage.apply()?.ok()?;
    stage.configure(&bad)?;
    stage.apply()?.failed_with(&["failed its checks", "has been uninstalled"])?;
    ensure!(stage.helm_records("")?.is_empty(), "the release is still there");
    stage.configure(&good)?;
    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_release.web".to_owned(), "create".to_owned())], "{actions:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// Retries begin with the deployment: the migration is run once, and the schema goes back once in the end.
fn tried_again(stage: &mut Stage) -> Result<()> {
    stage.configure(&checked(stage, "1.0.0", true, ""))?;
    stage.apply()?.ok()?;
    let moves = "create table moves (id serial, version text); create function note_move() returns trigger language plpgsql \
         as $$ begin insert into moves (version) values (new.version_num); return new; end $$; \
         create trigger note_move after update on alembic_version for each row execute function note_move()";
    let psql = |stage: &Stage, query: &str| stage.kube.psql(&stage.name, "ffe-dev-database-0", "ffe", "ffe", query);
    psql(stage, moves)?;
    stage.configure(&checked(stage, "1.1.0", false, "remediation = { retries = 2 }"))?;
    stage.apply()?.failed_with(&[
        "failed its checks",
        "It was rolled back",
        "schema is at 0003_positions, as before",
    ])?;
    let moved = psql(stage, "select string_agg(version, ' ' order by id) from moves")?;
    ensure!(moved == "0004_feedback 0003_positions", "the schema moved: {moved}");
    // Three deployments that failed, and the rollback.
    let history = stage.helm(&["history", "ffe-backend", "-n", &stage.name, "-o", "json"])?.ok()?.stdout;
    let revisions = serde_json::from_str::<serde_json::Value>(&history)?.as_array().map_or(0, Vec::len);
    ensure!(revisions == 5, "{revisions} revisions: {history}");
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let jobs = stage.kube.names(&stage.name, "jobs")?;
    ensure!(jobs.is_empty() && journal["runs"].as_array().is_some_and(|runs| runs.len() == 2), "{jobs:?} {journal:#}");
    stage.destroy()?.ok().map(|_| ())
}

/// Both Secrets with a database's password are lost: the commands in the error put that right.
fn database_password(stage: &mut Stage) -> Result<()> {
    let environment = |stage: &Stage, more: &str| {
        format!(
            "resource \"ffe_environment\" \"this\" {{\n  name = \"dev\"\n  preset = \"dev\"\n  namespace = \"{}\"\n  \
             database = {{ mode = \"bundled\", version = \"15\", storage = {{ size = \"256Mi\" }} }}\n{more}\n}}\n",
            stage.name
        )
    };
    let psql = |stage: &Stage, query: &str| stage.kube.psql(&stage.name, "ffe-dev-database-0", "ffe", "ffe", query);
    // What is printed is run as it is, each line by itself.
    let obey = |stage: &Stage, told: &str| -> Result<()> {
        let commands: Vec<String> = told
            .lines()
            .map(|line| line.trim_start_matches(['│', ' ']).trim_end())
            .filter(|line| line.starts_with("kubectl ") || line.starts_with("printf "))
            .map(str::to_owned)
            .collect();
        ensure!(!commands.is_empty(), "there is no command in:\n{told}");
        for command in commands {
            stage.shell(&command)?.ok()?;
        }
        Ok(())
    };
    stage.configure(&environment(stage, ""))?;
    stage.apply()?.ok()?;
    psql(stage, "create table kept as select 7 as number")?;

    psql(stage, "alter user ffe password 'another'")?;
    stage.configure(&environment(stage, "labels = { look = \"1\" }"))?;
    for secret in ["ffe-dev-database", "ffe-dev-database-password"] {
        stage.kube.run(&["delete", "secret", "-n", &stage.name, secret])?.ok()?;
    }
    let refused = stage.apply()?.failed_with(&["The database's password is lost"])?;
    obey(stage, &refused.text())?;
    stage.configure(&environment(stage, "labels = { look = \"1\" }\n  adopt = true"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    // By another address than the pod's own loopback, where PostgreSQL's images let everybody in.
    let log_in = format!(
        "kubectl get secret ffe-dev-database -n {0} -o go-template='{{{{.data.PGPASSWORD | base64decode}}}}' | kubectl exec -i -n {0} \
         ffe-dev-database-0 -- sh -c 'PGPASSWORD=$(cat) psql -At -h $(hostname -i) -U ffe -d ffe -c \"select number from kept\"'",
        stage.name
    );
    let kept = stage.shell(&log_in)?.ok()?.stdout;
    ensure!(kept.trim() == "7", "{kept}");
    stage.destroy()?.ok().map(|_| ())
}
