//! Somebody dies in the middle of a create; the next apply converges and destroys nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use super::lifecycle::stack;
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

/// Whether the release's run is in that phase now.
fn is_in_phase(kube: &Kube, namespace: &str, release: &str, phase: &str) -> Result<bool> {
    let journal = journal(kube, namespace, release)?.unwrap_or_default();
    let last = journal["runs"].as_array().and_then(|runs| runs.last()).cloned().unwrap_or_default();
    let page = last["phases"].as_array().and_then(|phases| phases.last()).cloned().unwrap_or_default();
    Ok(page["name"] == phase && page["outcome"] == "running")
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
    stage.configure(&stack(stage, "1.0.0", ""))?;
    let namespace = stage.name.clone();
    let mut terraform = stage.start(APPLY)?;
    stage
        .kube
        .until("the rollout is waited for", LIMIT, |kube| is_in_phase(kube, &namespace, "ffe-backend", "rollout"))?;
    processes::kill(processes::wait_for(terraform.id(), "terraform-provider-ffe")?.pid)?;
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
    stage.configure(&stack(stage, "1.0.0", ""))?;
    let namespace = stage.name.clone();
    let mut terraform = stage.start(APPLY)?;
    let provider = processes::wait_for(terraform.id(), "terraform-provider-ffe")?;
    stage.kube.until("the migration runs", LIMIT, |kube| is_in_phase(kube, &namespace, "ffe-backend", "migrate"))?;
    processes::kill(terraform.id())?;
    terraform.wait()?;
    stage
        .kube
        .until("the provider ends by itself", Duration::from_secs(30), |_| Ok(!processes::is_alive(provider.pid)))?;
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

/// A second apply while the first is at work is refused and says who that is; the first is not disturbed.
fn second_apply_is_refused(stage: &mut Stage) -> Result<()> {
    stage.configure(&slow_install(stage)?.replace("value = \"15\"", "value = \"8\""))?;
    let mut first = stage.start(APPLY)?;
    processes::wait_for(first.id(), " install ")?;
    // The same release from another working copy.
    let second = stage.side("second")?;
    std::fs::copy(stage.folder.join("main.tf"), second.join("main.tf"))?;
    let text = std::fs::read_to_string(second.join("main.tf"))?;
    let release = text.find("resource \"ffe_release\"").context("no release")?;
    let head = &text[..text.find("resource \"ffe_environment\"").context("no environment")?];
    let body = text[release..].replace("ffe_environment.this.namespace", &format!("\"{}\"", stage.name));
    std::fs::write(second.join("main.tf"), format!("{head}{body}"))?;
    let main = std::mem::replace(&mut stage.folder, second);
    let refused = stage.apply();
    stage.folder = main;
    refused?.failed_with(&[
        "Somebody else is at work on the release",
        "terraform apply of ffe_release",
        "Nothing was changed",
    ])?;
    ensure!(first.wait()?.success(), "the first apply failed:\n{}", stage.started_log());
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}
