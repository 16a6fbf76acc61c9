//! Somebody dies in the middle of a create; the next apply converges and destroys nothing.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use super::kill_points::{At, is_at};
use super::lifecycle::stack;
use crate::gate::{Gate, Look, Moment, Then};
use crate::{Case, Kube, Stage, When, charts, processes};

pub(super) const CASES: &[Case] = &[
    Case { name: "kills::provider_during_rollout", when: When::Always, run: provider_during_rollout },
    Case { name: "kills::provider_during_environment", when: When::Full, run: provider_during_environment },
    Case { name: "kills::terraform_during_migration", when: When::Always, run: terraform_during_migration },
    Case { name: "kills::helm_during_install", when: When::Always, run: helm_during_install },
    Case { name: "kills::second_apply_is_refused", when: When::Always, run: second_apply_is_refused },
    Case { name: "kills::helm_with_provider_during_install", when: When::Full, run: helm_with_provider_during_install },
];

const APPLY: &[&str] = &["apply", "-auto-approve", "-no-color", "-input=false"];
const LIMIT: Duration = Duration::from_secs(180);

/// The journal of a release, if there is one yet.
pub(super) fn journal(kube: &Kube, namespace: &str, release: &str) -> Result<Option<Json>> {
    let Some(secret) = kube.get(&["secret", "-n", namespace, &format!("ffe-journal.{release}")])? else {
        return Ok(None);
    };
    let template = "go-template={{.data.journal | base64decode}}";
    let name = format!("ffe-journal.{release}");
    let text = kube.run(&["get", "secret", "-n", namespace, &name, "-o", template])?.ok()?.stdout;
    let mut journal: Json = serde_json::from_str(&text).context("the journal's JSON")?;
    journal["annotations"] = secret["metadata"]["annotations"].clone();
    Ok(Some(journal))
}

/// The application, with the gate before the API server.
fn behind(stage: &Stage, gate: &Gate) -> Result<()> {
    let kubeconfig = gate.kubeconfig_in(&stage.side("gate")?)?;
    stage.configure_with(&format!(
        "provider \"ffe\" {{\n  kubernetes = {{ config_path = \"{}\" }}\n  helm = {{ binary = \"{}\" }}\n}}\n\n{}",
        kubeconfig.display(),
        stage.surroundings.helm4.display(),
        stack(stage, "1.0.0", "")
    ))
}

/// Applies until the gate has stopped a request; terraform, and the provider that makes it.
fn apply_until(
    stage: &mut Stage,
    gate: &Gate,
    test: impl Fn(&Look<'_>) -> bool + Send + 'static,
) -> Result<(Child, u32)> {
    gate.stop_at(Moment::After, test);
    let mut terraform = stage.start(APPLY)?;
    let met = gate.wait(LIMIT, || terraform.try_wait().is_ok_and(|ended| ended.is_none()));
    if let Err(error) = met {
        let _ended = terraform.kill();
        let _reaped = terraform.wait();
        return Err(error.context(stage.started_log()));
    }
    // Now and not earlier: at first terraform starts a provider for its schema alone, which ends by itself.
    let below = processes::descendants(terraform.id());
    let provider = below.iter().find(|process| process.arguments.contains("terraform-provider-ffe"));
    let provider = provider.context("no provider")?.pid;
    ensure!(processes::is_alive(provider), "the provider has ended although its request is held");
    Ok((terraform, provider))
}

fn nothing_is_destroyed(stage: &mut Stage) -> Result<()> {
    let actions = stage.planned_actions()?;
    ensure!(!actions.is_empty(), "nothing is left to do after the kill: it came too late");
    ensure!(actions.iter().all(|(_, action)| !action.contains("delete")), "{actions:?}");
    Ok(())
}

fn uid(kube: &Kube, arguments: &[&str]) -> Result<String> {
    let object = kube.get(arguments)?.with_context(|| format!("{arguments:?} is not there"))?;
    Ok(object["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
}

fn provider_during_rollout(stage: &mut Stage) -> Result<()> {
    stage.shorten_leases();
    let gate = Gate::open(&stage.kube)?;
    behind(stage, &gate)?;
    let namespace = stage.name.clone();
    let (mut terraform, provider) = apply_until(stage, &gate, |look| is_at(At::Begin("rollout"), look))?;
    processes::kill(provider)?;
    gate.let_go(Then::Drop);
    ensure!(!terraform.wait()?.success(), "terraform succeeded although its provider was killed");
    nothing_is_destroyed(stage)?;
    let before = uid(&stage.kube, &["deployment", "-n", &namespace, "ffe-backend"])?;
    let database = uid(&stage.kube, &["persistentvolumeclaims", "-n", &namespace, "ffe-dev-database"])?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(
        uid(&stage.kube, &["deployment", "-n", &namespace, "ffe-backend"])? == before,
        "the deployment was made anew"
    );
    ensure!(
        uid(&stage.kube, &["persistentvolumeclaims", "-n", &namespace, "ffe-dev-database"])? == database,
        "the database was made anew"
    );
    let journal = journal(&stage.kube, &namespace, "ffe-backend")?.unwrap_or_default();
    ensure!(journal["runs"].as_array().is_some_and(|runs| runs.len() == 1), "the run was not resumed: {journal:#}");
    stage.destroy()?.ok().map(|_| ())
}

fn provider_during_environment(stage: &mut Stage) -> Result<()> {
    stage.shorten_leases();
    stage.configure(&stack(stage, "1.0.0", ""))?;
    let namespace = stage.name.clone();
    let mut terraform = stage.start(APPLY)?;
    stage
        .kube
        .until("the database is being made", LIMIT, |kube| Ok(!kube.names(&namespace, "statefulsets")?.is_empty()))?;
    processes::kill(processes::wait_for(terraform.id(), "terraform-provider-ffe")?.pid)?;
    ensure!(!terraform.wait()?.success(), "terraform succeeded although its provider was killed");
    let before = uid(&stage.kube, &["namespace", &namespace])?;
    nothing_is_destroyed(stage)?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(uid(&stage.kube, &["namespace", &namespace])? == before, "the namespace was made anew");
    stage.destroy()?.ok().map(|_| ())
}

fn terraform_during_migration(stage: &mut Stage) -> Result<()> {
    stage.shorten_leases();
    let gate = Gate::open(&stage.kube)?;
    behind(stage, &gate)?;
    let namespace = stage.name.clone();
    // Its Job is made and runs; the provider waits for it from here on.
    let made = |look: &Look<'_>| is_at(At::Ask("migrate", "POST", "/jobs", "ffe-migrate-"), look);
    let (mut terraform, provider) = apply_until(stage, &gate, made)?;
    processes::kill(terraform.id())?;
    terraform.wait()?;
    gate.let_go(Then::Pass);
    stage.kube.until("the provider ends by itself", LIMIT, |_| Ok(!processes::is_alive(provider)))?;
    // A terraform that is killed leaves its state as it wrote it last: the environment may be in it or not.
    let database = uid(&stage.kube, &["statefulset", "-n", &namespace, "ffe-dev-database"])?;
    nothing_is_destroyed(stage)?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(
        uid(&stage.kube, &["statefulset", "-n", &namespace, "ffe-dev-database"])? == database,
        "the database was made anew"
    );
    let jobs = stage.kube.names(&namespace, "jobs")?;
    ensure!(jobs.is_empty(), "Jobs are left: {jobs:?}");
    stage.destroy()?.ok().map(|_| ())
}

/// A namespace, and a release whose install takes long enough to be killed in.
fn slow_install(stage: &Stage) -> Result<String> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    Ok(format!(
        r#"
resource "ffe_environment" "this" {{
  name      = "dev"
  preset    = "dev"
  namespace = "{}"
}}

resource "ffe_release" "web" {{
  namespace = ffe_environment.this.namespace
  name      = "web"
  chart     = "{}"
  set       = [{{ name = "hookSeconds", value = "15" }}]
  timeout   = "3m"
}}
"#,
        stage.name,
        chart.display()
    ))
}

fn helm_during_install(stage: &mut Stage) -> Result<()> {
    stage.shorten_leases();
    stage.configure(&slow_install(stage)?)?;
    let mut terraform = stage.start(APPLY)?;
    let helm = processes::wait_for(terraform.id(), " install ")?;
    let namespace = stage.name.clone();
    stage.kube.until("the hook runs", LIMIT, |kube| Ok(!kube.names(&namespace, "jobs")?.is_empty()))?;
    processes::kill(helm.pid)?;
    ensure!(!terraform.wait()?.success(), "terraform succeeded although helm was killed");
    nothing_is_destroyed(stage)?;
    let before = uid(&stage.kube, &["namespace", &namespace])?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(uid(&stage.kube, &["namespace", &namespace])? == before, "the namespace was made anew");
    stage.destroy()?.ok().map(|_| ())
}

fn helm_with_provider_during_install(stage: &mut Stage) -> Result<()> {
    stage.shorten_leases();
    stage.configure(&slow_install(stage)?)?;
    let mut terraform = stage.start(APPLY)?;
    let helm = processes::wait_for(terraform.id(), " install ")?;
    let provider = processes::wait_for(terraform.id(), "terraform-provider-ffe")?;
    let namespace = stage.name.clone();
    stage.kube.until("the hook runs", LIMIT, |kube| Ok(!kube.names(&namespace, "jobs")?.is_empty()))?;
    processes::kill(provider.pid)?;
    stage.kube.until("helm dies with the provider", Duration::from_secs(10), |_| Ok(!processes::is_alive(helm.pid)))?;
    ensure!(!terraform.wait()?.success(), "terraform succeeded although its provider was killed");
    ensure!(!stage.helm_records("pending-install")?.is_empty(), "Helm has no pending release to recover from");
    nothing_is_destroyed(stage)?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(stage.helm_records("pending-install")?.is_empty(), "the pending release is still there");
    stage.destroy()?.ok().map(|_| ())
}

/// A release whose migration goes on until it is told to end ([`end_migration`]).
fn long_migration(namespace: &str, name: &str, chart: &Path) -> String {
    format!(
        r#"
resource "ffe_release" "{name}" {{
  namespace = "{namespace}"
  name      = "{name}"
  chart     = "{chart}"
  timeout   = "3m"
  migration = {{
    engine          = "command"
    upgrade_command = ["python3", "-c", "import os, time\nwhile not os.path.exists('/tmp/end'): time.sleep(0.2)"]
    database_secret = "database"
    timeout         = "5m"
    backup          = "never"
  }}
}}
"#,
        chart = chart.display()
    )
}

fn end_migration(stage: &Stage, job: &str) -> Result<()> {
    // Its container may be on its way still.
    stage.kube.until("the migration can be told to end", LIMIT, |kube| {
        Ok(kube.run(&["exec", "-n", &stage.name, job, "--", "touch", "/tmp/end"])?.code == 0)
    })
}

/// A second apply while the first is at work is refused and says who that is, where and since when: on the same release, and
/// on another one with the same database. The first is not disturbed.
fn second_apply_is_refused(stage: &mut Stage) -> Result<()> {
    let (namespace, chart) = (stage.name.clone(), charts::web_server(&stage.side("chart")?)?);
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    stage.kube.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: database, namespace: {namespace} }}\nstringData: {{ DATABASE_URL: \"postgresql://db.example.invalid/db\" }}\n"
    ))?;
    let main = stage.folder.clone();
    // The same release from another working copy, and another release; ready to apply before the first one begins.
    let others = [("web", stage.side("again")?), ("other", stage.side("other")?)];
    for (name, folder) in &others {
        stage.folder.clone_from(folder);
        stage.configure(&long_migration(&namespace, name, &chart))?;
        stage.terraform(&["init", "-no-color", "-input=false"])?.ok()?;
    }
    stage.folder.clone_from(&main);
    stage.configure(&long_migration(&namespace, "web", &chart))?;
    let mut first = stage.start(APPLY)?;
    let mut job = String::new();
    stage.kube.until("the migration runs", LIMIT, |kube| {
        ensure!(first.try_wait()?.is_none(), "the first apply has ended:\n{}", stage.started_log());
        job = kube.names(&namespace, "jobs")?.pop().unwrap_or_default();
        Ok(!job.is_empty())
    })?;
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let on_host = format!(" on host {} (process ", host.trim());
    let what = format!(": terraform apply of ffe_release {namespace}/web. Nothing was changed");
    for ((_, folder), lease) in others.iter().zip(["ffe-release.web", "ffe-database.database"]) {
        let held = format!("Lease {namespace}/{lease} is held by run ");
        stage.folder.clone_from(folder);
        stage.apply()?.failed_with(&[
            &format!(
                "Somebody else is at work on the {}",
                if lease.starts_with("ffe-database") { "database" } else { "release" }
            ),
            &held,
            &on_host,
            ") since 20",
            &what,
            "Wait until that run has ended",
        ])?;
    }
    stage.folder.clone_from(&main);
    ensure!(stage.kube.names(&namespace, "jobs")? == [job.clone()], "a refused apply has migrated");
    ensure!(stage.helm_records("")?.is_empty(), "a refused apply has installed something");
    end_migration(stage, &job)?;
    ensure!(first.wait()?.success(), "the first apply failed:\n{}", stage.started_log());
    stage.expect_empty_plan()?;
    // What was refused has left nothing that is in the way.
    stage.folder.clone_from(&others[1].1);
    let text = std::fs::read_to_string(stage.folder.join("main.tf"))?;
    std::fs::write(
        stage.folder.join("main.tf"),
        text.replace("while not os.path.exists('/tmp/end'): time.sleep(0.2)", ""),
    )?;
    stage.apply()?.ok()?;
    stage.destroy()?.ok()?;
    stage.folder = main;
    stage.destroy()?.ok().map(|_| ())
}
