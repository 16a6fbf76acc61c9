//! What fails, fails with its cause, and leaves what it says it leaves.

use anyhow::{Context as _, Result, ensure};

use super::kills::journal;
use super::lifecycle::stack;
use crate::{Case, Stage, When};

pub(super) const CASES: &[Case] = &[
    Case { name: "failures::migration_and_readiness", when: When::Always, run: migration_and_readiness },
    Case { name: "failures::strict_application_goes_all_the_way_back", when: When::Always, run: strict },
    Case { name: "failures::revisions_that_cannot_be_undone", when: When::Always, run: one_way },
    Case { name: "failures::half_outside_of_a_transaction", when: When::Full, run: autocommit },
    Case { name: "failures::first_install", when: When::Full, run: first_install },
    Case { name: "failures::release_deleted_behind_our_back", when: When::Always, run: release_deleted },
];

const STRICT: &str = r#"
  remediation = { strategy = "rollback" }
"#;

/// What the deployment runs now.
pub(super) fn image(stage: &Stage) -> Result<String> {
    let deployment = stage.kube.get(&["deployment", "-n", &stage.name, "ffe-backend"])?.context("no deployment")?;
    Ok(deployment["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap_or_default().to_owned())
}

fn migration_and_readiness(stage: &mut Stage) -> Result<()> {
    stage.configure(&stack(stage, "1.1.0", STRICT))?;
    stage.apply()?.ok()?;
    let good = stage.expect_state("ffe_release.backend")?;

    // The migration fails: the deployment is not started.
    stage.configure(&stack(stage, "1.2.0-bad-migration", STRICT))?;
    stage.apply()?.failed_with(&[
        "The database migration failed",
        "The deployment was not started",
        "The last lines of its log",
        "State of release",
    ])?;
    ensure!(image(stage)?.ends_with(":1.1.0"), "a failed migration was deployed");
    let after = stage.expect_state("ffe_release.backend")?;
    ensure!(after["revision"] == good["revision"] && after["status"] == "deployed", "{after:#}");
    ensure!(after["set"] == good["set"], "the state holds inputs that were not applied");
    ensure!(after["last_run"].as_str().is_some_and(|run| run.starts_with("failed at ")), "{:#}", after["last_run"]);
    ensure!(stage.planned_actions()?.iter().any(|(_, action)| action == "update"), "the change is not planned again");
    ensure!(stage.kube.names(&stage.name, "jobs")?.is_empty(), "the migration's Job is left");

    // Readiness fails: it is rolled back, and the error says what the pod says.
    stage.configure(&stack(stage, "1.2.0-bad-ready", STRICT).replace("timeout = \"3m\"", "timeout = \"45s\""))?;
    stage.apply()?.failed_with(&[
        "did not become ready",
        &format!("Deployment {}/ffe-backend", stage.name),
        // the event, the container's own words, and the next step
        "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "Last lines of container",
        "What to do:",
        "It was rolled back to the last revision that passed its checks",
    ])?;
    ensure!(image(stage)?.ends_with(":1.1.0"), "it was not rolled back");
    let after = stage.expect_state("ffe_release.backend")?;
    ensure!(after["status"] == "deployed", "{after:#}");
    ensure!(after["last_run"].as_str().is_some_and(|run| run.starts_with("rolled_back at ")), "{after:#}");
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    ensure!(journal["runs"].as_array().is_some_and(|runs| runs.len() == 3), "{journal:#}");

    // And the good one again: nothing of the failures is in the way.
    stage.configure(&stack(stage, "1.1.0", STRICT))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// A revision that fails outside of a transaction leaves what it did: that is said, with its name, and nothing is deployed.
fn autocommit(stage: &mut Stage) -> Result<()> {
    stage.configure(&stack(stage, "1.1.0", STRICT))?;
    stage.apply()?.ok()?;
    stage.configure(&stack(stage, "1.2.0-bad-autocommit", STRICT))?;
    stage.apply()?.failed_with(&[
        "The database migration failed",
        "0006_instrument_venue runs statements outside of a transaction",
        "The deployment was not started",
    ])?;
    ensure!(image(stage)?.ends_with(":1.1.0"), "a failed migration was deployed");
    ensure!(stage.kube.names(&stage.name, "jobs")?.is_empty(), "the migration's Job is left");
    stage.destroy()?.ok().map(|_| ())
}

fn first_install(stage: &mut Stage) -> Result<()> {
    stage.configure(
        &stack(stage, "does-not-exist", "")
            .replace("timeout = \"3m\"", "timeout = \"60s\"")
            .replace("migration = {", "migration = {\n    image = \"ffe-backend:1.0.0\""),
    )?;
    stage.apply()?.failed_with(&["ffe-backend:does-not-exist", "It was the first install and has been uninstalled"])?;
    ensure!(stage.state("ffe_release.backend")?.is_none(), "a failed create is in state");
    ensure!(stage.helm_records("")?.is_empty(), "the failed release is still there");
    stage.configure(&stack(stage, "1.0.0", ""))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn release_deleted(stage: &mut Stage) -> Result<()> {
    let chart = crate::charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&format!(
        "resource \"ffe_release\" \"one\" {{\n  namespace = \"{}\"\n  name = \"one\"\n  chart = \"{}\"\n}}\n",
        stage.name,
        chart.display()
    ))?;
    stage.apply()?.ok()?;
    stage.helm(&["uninstall", "one", "-n", &stage.name])?.ok()?;
    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_release.one".to_owned(), "create".to_owned())], "{actions:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;

    // Changed by somebody else: planned to be put right, in place.
    stage.helm(&["upgrade", "one", &chart.display().to_string(), "-n", &stage.name, "--set", "text=theirs"])?.ok()?;
    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_release.one".to_owned(), "update".to_owned())], "{actions:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let map = stage.kube.get(&["configmap", "-n", &stage.name, "one"])?.context("no ConfigMap")?;
    ensure!(map["data"]["text"] == "hello", "{map:#}");

    // An edit of the chart's files shows.
    std::fs::write(chart.join("values.yaml"), "text: edited\n")?;
    let plan = stage.plan()?;
    let change = &plan["resource_changes"][0]["change"];
    ensure!(change["actions"][0] == "update", "{change:#}");
    let changes = change["after"]["changes"].as_str().unwrap_or_default();
    ensure!(changes.lines().count() == 1 && changes.starts_with("change ConfigMap/one: /data/text ("), "{change:#}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// The revision that the database itself says it is at.
pub(super) fn schema(stage: &Stage) -> Result<String> {
    stage.kube.psql(&stage.name, "ffe-dev-database-0", "ffe", "ffe", "select version_num from alembic_version")
}

/// Where the application insists that the database is exactly at its own revision, rolling the release back is not enough.
fn strict(stage: &mut Stage) -> Result<()> {
    let strict = |stage: &Stage, tag: &str| {
        stack(stage, tag, "").replace(
            "{ name = \"workers\", value = \"1\" },",
            "{ name = \"workers\", value = \"1\" },\n    { name = \"strictSchema\", value = \"true\" },",
        )
    };
    stage.configure(&strict(stage, "1.1.0"))?;
    stage.apply()?.ok()?;
    let before = schema(stage)?;

    // Never ready: back to the old release and the old schema, with the new image.
    stage.configure(&strict(stage, "1.2.0-bad-ready").replace("timeout = \"3m\"", "timeout = \"60s\""))?;
    stage.apply()?.failed_with(&[
        "did not become ready",
        "It was rolled back",
        &format!("schema is at {before}, as before"),
    ])?;
    ensure!(schema(stage)? == before, "the schema is at {}", schema(stage)?);
    ensure!(image(stage)?.ends_with(":1.1.0"), "it was not rolled back");
    let deployment = stage.kube.get(&["deployment", "-n", &stage.name, "ffe-backend"])?.context("no deployment")?;
    ensure!(deployment["status"]["readyReplicas"] == 1, "the old version is not ready: {:#}", deployment["status"]);

    // Half-way through the migration: the first revision is undone, the release never touched.
    stage.configure(&strict(stage, "1.2.0-bad-migration"))?;
    stage.apply()?.failed_with(&["The database migration failed", &format!("schema is at {before}, as before")])?;
    ensure!(schema(stage)? == before, "the schema is at {}", schema(stage)?);
    ensure!(stage.kube.names(&stage.name, "jobs")?.is_empty(), "a Job is left");

    // Ready, and then a check fails: the new pods are ready and must go before the schema does.
    let failing = strict(stage, "1.3.0-pass")
        .replace("\"/database\" = \"healthy\"", "\"/database\" = \"nonsense\"")
        .replace("timeout = \"1m\"", "timeout = \"5s\"");
    stage.configure(&failing)?;
    stage.apply()?.failed_with(&[
        "failed its checks",
        "Revision 0006_stop_loss cannot be undone",
        "has an empty downgrade()",
    ])?;
    ensure!(schema(stage)? == "0006_stop_loss", "a revision whose downgrade is empty was undone: {}", schema(stage)?);
    stage.destroy()?.ok().map(|_| ())
}

/// What cannot be undone stays, and is said before and after.
fn one_way(stage: &mut Stage) -> Result<()> {
    stage.configure(&stack(stage, "1.1.0", STRICT))?;
    stage.apply()?.ok()?;
    let failing = stack(stage, "1.3.0-irreversible", STRICT)
        .replace("\"/database\" = \"healthy\"", "\"/database\" = \"nonsense\"")
        .replace("timeout = \"1m\"", "timeout = \"5s\"");
    // Where the revision files are at hand, the plan says it already.
    let scripts = stage.surroundings.root.join("examples/ffe-backend/app/alembic/versions");
    let files = stage.side("versions")?;
    for revision in
        ["0001_accounts", "0002_decisions", "0003_positions", "0004_feedback", "0005_risk_limits", "0006_drop_prompts"]
    {
        let file = format!("{revision}.py");
        std::fs::copy(scripts.join(&file), files.join(&file))?;
    }
    let foreseen = failing.replace("migration = {", &format!("migration = {{\n    scripts = \"{}\"", files.display()));
    stage.configure(&foreseen)?;
    stage.terraform(&["plan", "-no-color", "-input=false"])?.ok()?.says(&[
        "Revision 0006_drop_prompts: drop-column",
        "Its values are lost, no downgrade brings them back",
        "Revision 0006_drop_prompts cannot be undone",
        "it has a downgrade() that raises",
        "only a backup brings it back",
    ])?;
    stage.configure(&failing)?;
    stage.apply()?.failed_with(&[
        "failed its checks",
        "The schema cannot be taken back",
        "Revision 0006_drop_prompts has a downgrade() that raises",
        "The database's schema stays at 0006_drop_prompts",
    ])?;
    ensure!(image(stage)?.ends_with(":1.1.0"), "it was not rolled back");
    ensure!(schema(stage)? == "0006_drop_prompts", "{}", schema(stage)?);
    // The old image does not know that revision: it is said before anything is done.
    stage.configure(&stack(stage, "1.1.0", "max_history = 5"))?;
    stage
        .apply()?
        .failed_with(&["is at a revision that the image ffe-backend:1.1.0 does not have", "0006_drop_prompts"])?;
    stage.destroy()?.ok().map(|_| ())
}
