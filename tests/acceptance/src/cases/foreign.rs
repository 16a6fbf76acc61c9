//! What exists already: refused, imported, adopted.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "foreign::release_imported_without_a_new_revision", when: When::Always, run: imported },
    Case { name: "foreign::imported_release_survives_a_failing_check", when: When::Full, run: survives },
    Case { name: "foreign::release_refused_and_adopted", when: When::Always, run: refused_and_adopted },
    Case { name: "foreign::namespace_refused_and_adopted", when: When::Always, run: namespace_refused_and_adopted },
    Case { name: "foreign::namespace_given_back_as_it_was", when: When::Always, run: given_back_as_it_was },
];

/// A release that helm itself has made, and the configuration for it.
fn installed(stage: &mut Stage, more: &str) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    let namespace = stage.name.clone();
    stage
        .helm(&[
            "install",
            "web",
            &chart.display().to_string(),
            "-n",
            &namespace,
            "--create-namespace",
            "--set",
            "text=theirs",
        ])?
        .ok()?;
    stage.configure(&format!(
        r#"
resource "ffe_release" "web" {{
  namespace = "{namespace}"
  name      = "web"
  chart     = "{}"
  set       = [{{ name = "text", value = "theirs" }}]
  {more}
}}
"#,
        chart.display()
    ))
}

fn revisions(stage: &Stage) -> Result<usize> {
    let history = stage.helm(&["history", "web", "-n", &stage.name, "-o", "json"])?.ok()?.stdout;
    Ok(serde_json::from_str::<serde_json::Value>(&history)?.as_array().map_or(0, Vec::len))
}

fn imported(stage: &mut Stage) -> Result<()> {
    installed(stage, "")?;
    let id = format!("{}/web", stage.name);
    stage.terraform(&["import", "-no-color", "ffe_release.web", &id])?.ok()?;
    let plan = stage.plan()?;
    let change = &plan["resource_changes"][0]["change"];
    ensure!(change["actions"] == serde_json::json!(["update"]), "{change:#}");
    ensure!(change["after"]["changes"].is_null(), "{change:#}");
    stage.apply()?.ok()?;
    ensure!(revisions(stage)? == 1, "taking it over made a new revision");
    stage.expect_empty_plan()?;
    stage.terraform(&["import", "-no-color", "ffe_release.other", "no-slash"])?.failed_with(&["ffe_release.other"])?;
    // What was there before is given back, which the plan says.
    let planned = stage.terraform(&["plan", "-destroy", "-no-color", "-input=false"])?.ok()?;
    planned.says(&["web is left running", &format!("helm uninstall web -n {}", stage.name)])?;
    stage.destroy()?.ok()?;
    ensure!(stage.helm_records("")?.len() == 1, "the release is gone");
    Ok(())
}

/// What somebody else has deployed is never taken away because a check of ours fails: not when nothing was deployed, and
/// not when our own upgrade fails.
fn survives(stage: &mut Stage) -> Result<()> {
    let failing =
        "verify = { path = \"/no-such-page\", timeout = \"3s\" }\n  remediation = { strategy = \"rollback\" }";
    installed(stage, failing)?;
    let id = format!("{}/web", stage.name);
    stage.terraform(&["import", "-no-color", "ffe_release.web", &id])?.ok()?;
    let deployment = |stage: &Stage| stage.kube.get(&["deployment", "-n", &stage.name, "web"]);
    let before = deployment(stage)?.unwrap_or_default();
    ensure!(before["metadata"]["uid"].is_string(), "{before:#}");
    stage.apply()?.failed_with(&["failed its checks", "/no-such-page answered 404"])?;
    ensure!(revisions(stage)? == 1, "a failing check made a new revision");

    // Now something is deployed, fails, and goes back to theirs.
    let main = stage.folder.join("main.tf");
    let text = std::fs::read_to_string(&main)?;
    std::fs::write(&main, text.replace("value = \"theirs\"", "value = \"ours\""))?;
    stage.apply()?.failed_with(&["failed its checks", "rolled back"])?;
    let after = deployment(stage)?.unwrap_or_default();
    ensure!(after["metadata"]["uid"] == before["metadata"]["uid"], "the release was uninstalled: {after:#}");
    ensure!(after["spec"]["template"]["metadata"]["annotations"]["text"] == "theirs", "{after:#}");
    ensure!(stage.state("ffe_release.web")?.is_some(), "it has left the state");

    std::fs::write(&main, text.replace(failing, ""))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn refused_and_adopted(stage: &mut Stage) -> Result<()> {
    installed(stage, "")?;
    let id = format!("{}/web", stage.name);
    let import = format!("terraform import ffe_release.<name> {id}");
    stage.apply()?.failed_with(&["exists already", &import, "adopt = true"])?;
    ensure!(revisions(stage)? == 1, "a refused release was touched");
    installed_again(stage, "adopt = true")?;
    stage.apply()?.ok()?;
    ensure!(revisions(stage)? == 1, "adopting made a new revision");
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?.says(&["was left running"])?;
    ensure!(revisions(stage)? == 1, "an adopted release was uninstalled");
    let left = stage.kube.names(&stage.name, "secrets")?;
    ensure!(left.iter().all(|name| !name.contains("ffe-")), "something of ours is left: {left:?}");
    Ok(())
}

fn installed_again(stage: &Stage, more: &str) -> Result<()> {
    let main = stage.folder.join("main.tf");
    let text = std::fs::read_to_string(&main)?;
    std::fs::write(main, text.replace("  name      = \"web\"\n", &format!("  name      = \"web\"\n  {more}\n")))?;
    Ok(())
}

/// A namespace with a level, a pod and a ConfigMap of somebody's: the level stays, the pod is named where it is not to stay, and
/// everything gets back the values that it had. A second state is refused.
fn given_back_as_it_was(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    stage.kube.apply(&format!(
        r#"
apiVersion: v1
kind: Namespace
metadata: {{ name: {namespace}, labels: {{ pod-security.kubernetes.io/enforce: baseline, team: theirs }} }}
---
apiVersion: v1
kind: ConfigMap
metadata: {{ name: ffe-dev-config, namespace: {namespace} }}
data: {{ LEVEL: old, THEIRS: x }}
"#
    ))?;
    let account = ["serviceaccount", "default", "-n", &namespace];
    stage.kube.until("the service account", Duration::from_secs(60), |kube| Ok(kube.get(&account)?.is_some()))?;
    stage.kube.run(&["run", "rooted", "-n", &namespace, "--image=nowhere.invalid/none:1"])?.ok()?;
    let seen = |stage: &Stage| -> Result<serde_json::Value> {
        let map = stage.kube.get(&["configmap", "ffe-dev-config", "-n", &namespace])?.unwrap_or_default();
        let found = stage.kube.get(&["namespace", &namespace, "--show-managed-fields"])?.unwrap_or_default();
        let managers = found["metadata"]["managedFields"].as_array().into_iter().flatten();
        let ours = managers.filter(|one| one["manager"].as_str().is_some_and(|name| name.contains("ffe"))).count();
        Ok(serde_json::json!([
            map["data"],
            map["metadata"]["labels"],
            found["metadata"]["labels"],
            found["metadata"]["annotations"],
            ours
        ]))
    };
    // What kubectl itself has written stays out of it.
    let before = seen(stage)?;
    let configuration = |more: &str| {
        format!(
            "resource \"ffe_environment\" \"this\" {{\n  name = \"dev\"\n  preset = \"production\"\n  namespace = \"{namespace}\"\n  \
             adopt = true\n  deletion_protection = false\n  labels = {{ team = \"ours\" }}\n  config = {{ LEVEL = \"new\" }}\n  {more}\n}}\n"
        )
    };
    stage.configure(&configuration("pod_security = \"restricted\""))?;
    stage
        .terraform(&["plan", "-no-color"])?
        .ok()?
        .says(&["do not meet the Pod Security level restricted", "rooted"])?;
    stage.configure(&configuration(""))?;
    stage.apply()?.ok()?;
    let taken = seen(stage)?;
    ensure!(taken[2]["pod-security.kubernetes.io/enforce"] == "baseline" && taken[2]["team"] == "ours", "{taken:#}");
    ensure!(taken[0] == serde_json::json!({ "LEVEL": "new", "THEIRS": "x" }), "{taken:#}");
    stage.expect_empty_plan()?;

    let state = stage.folder.join("terraform.tfstate");
    let kept = std::fs::read(&state)?;
    stage.forget_state()?;
    stage.apply()?.failed_with(&["exists already", "in another state", "terraform import ffe_environment.<name>"])?;
    std::fs::write(&state, kept)?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    let after = seen(stage)?;
    ensure!(after == before, "before: {before:#}\nafter: {after:#}");
    let left = stage.kube.names(&namespace, "secrets,resourcequotas,limitranges,roles,rolebindings")?;
    ensure!(left.is_empty(), "something of ours is left: {left:?}");
    Ok(())
}

fn namespace_refused_and_adopted(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    let configuration = |more: &str| {
        format!(
            "resource \"ffe_environment\" \"this\" {{\n  name = \"dev\"\n  preset = \"dev\"\n  namespace = \"{namespace}\"\n  {more}\n}}\n"
        )
    };
    stage.configure(&configuration(""))?;
    stage.apply()?.failed_with(&["exists already", "terraform import ffe_environment.<name>", "adopt = true"])?;
    stage.configure(&configuration("adopt = true"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    ensure!(stage.kube.get(&["namespace", &namespace])?.is_some(), "an adopted namespace was deleted");
    let left = stage.kube.names(&namespace, "resourcequotas,limitranges,roles,rolebindings")?;
    ensure!(left.is_empty(), "something of ours is left: {left:?}");
    Ok(())
}
