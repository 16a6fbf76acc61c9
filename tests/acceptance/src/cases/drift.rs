//! What others change in the cluster: told, left, or put right, with both majors of Helm.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use super::kills::journal;
use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "drift::told_and_put_right", when: When::Always, run: told_and_put_right },
    Case { name: "drift::told_and_put_right_with_helm3", when: When::Always, run: with_helm3 },
    Case { name: "drift::what_is_nobodys_drift", when: When::Always, run: nobodys },
    Case { name: "drift::the_database_is_none_of_it", when: When::Full, run: database },
];

const TITLE: &str = "is not in the cluster as it was applied";

/// A web server with amounts written in other ways than the API server keeps them, its settings and its password.
fn chart(stage: &Stage) -> Result<PathBuf> {
    let web = r#"apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }}, labels: { app: {{ .Release.Name }} } }
spec:
  replicas: 1
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: ffe-backend:1.0.0
        command: [python3, -m, http.server, "8000"]
        env: [{ name: LEVEL, value: info }, { name: EMPTY, value: "" }]
        resources: { requests: { cpu: 0.01, memory: 32768Ki }, limits: { cpu: "0.5", memory: "134217728" } }
        securityContext: {}
        readinessProbe: { httpGet: { path: /, port: 8000 }, periodSeconds: 1 }
"#;
    let rest = r#"apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }} }
data: { text: {{ .Values.text | quote }} }
---
apiVersion: v1
kind: Secret
metadata: { name: {{ .Release.Name }} }
stringData: { password: {{ .Values.password | quote }} }
---
apiVersion: v1
kind: Service
metadata: { name: {{ .Release.Name }} }
spec: { selector: { app: {{ .Release.Name }} }, ports: [{ name: http, port: 8000 }] }
"#;
    charts::write(
        &stage.side("chart")?,
        "text: hello\npassword: first-password\n",
        &[("web.yaml", web), ("rest.yaml", rest)],
    )
}

fn release(stage: &Stage, chart: &std::path::Path, more: &str) -> String {
    format!(
        "resource \"ffe_release\" \"one\" {{\n  namespace = \"{}\"\n  name = \"one\"\n  chart = \"{}\"\n  timeout = \"2m\"\n{more}\n}}\n",
        stage.name,
        chart.display()
    )
}

/// What kubectl does to an object of the case.
fn kubectl(stage: &Stage, arguments: &[&str]) -> Result<()> {
    let mut all = arguments.to_vec();
    all.extend(["-n", stage.name.as_str()]);
    stage.kube.run(&all)?.ok().map(|_| ())
}

fn told_and_put_right(stage: &mut Stage) -> Result<()> {
    let helm = stage.surroundings.helm4.clone();
    story(stage, &helm)
}

fn with_helm3(stage: &mut Stage) -> Result<()> {
    let helm = stage.surroundings.helm3.clone();
    story(stage, &helm)
}

/// Scales, edits and deletes behind Terraform's back.
fn drifts(stage: &Stage) -> Result<()> {
    kubectl(stage, &["scale", "deployment", "one", "--replicas=2"])?;
    kubectl(stage, &["set", "image", "deployment/one", "web=ffe-backend:1.1.0"])?;
    kubectl(stage, &["patch", "configmap", "one", "--type=merge", "-p", r#"{"data":{"text":"theirs"}}"#])?;
    kubectl(
        stage,
        &["patch", "secret", "one", "--type=merge", "-p", r#"{"stringData":{"password":"canary-of-theirs"}}"#],
    )?;
    kubectl(stage, &["delete", "service", "one"])
}

const TOLD: [&str; 6] = [
    TITLE,
    "Deployment/one /spec/replicas: was 1, is 2",
    "Deployment/one /spec/template/spec/containers/0/image: was ffe-backend:1.0.0, is ffe-backend:1.1.0",
    "ConfigMap/one /data/text: was hello, is theirs",
    "Secret/one /data/password: was (hidden), is (hidden)",
    "Service/one: deleted",
];

fn story(stage: &mut Stage, helm: &std::path::Path) -> Result<()> {
    let chart = chart(stage)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let provider = format!(
        "provider \"ffe\" {{\n  kubernetes = {{ config_path = \"{}\" }}\n  helm = {{ binary = \"{}\" }}\n}}\n",
        stage.surroundings.kubeconfig.display(),
        helm.display()
    );
    let configure =
        |stage: &Stage, more: &str| stage.configure_with(&format!("{provider}{}", release(stage, &chart, more)));
    configure(stage, "")?;
    stage.apply()?.ok()?;
    quiet(stage)?;

    // Told, each with its field, and nothing planned.
    drifts(stage)?;
    let plan = ["plan", "-detailed-exitcode", "-no-color", "-input=false"];
    let told = stage.terraform(&plan)?;
    ensure!(
        told.code == 0,
        "drift is planned though it is only to be told (exit code {}):\n{}",
        told.code,
        told.text()
    );
    let told = told.says(&TOLD)?;
    ensure!(!told.text().contains("canary-of-theirs"), "a secret is shown:\n{}", told.text());

    // What others may change is left out.
    let ignore = "drift = { ignore = [{ kind = \"Deployment\", name = \"one\", paths = [\"/spec/replicas\", \"/spec/template\"] }, { kind = \"Service\" }] }";
    configure(stage, ignore)?;
    stage.apply()?.ok()?;
    let told = stage.terraform(&plan)?.ok()?.says(&[TITLE, "ConfigMap/one /data/text"])?.flat();
    ensure!(!told.contains("/spec/replicas") && !told.contains("Service/one"), "what is ignored is told: {told}");
    ensure!(!stage.kube.names(&stage.name, "services")?.contains(&"service/one".to_owned()), "a warning has corrected");

    // Put right: planned with what changes, and done by one deployment.
    configure(stage, "drift = { mode = \"correct\" }")?;
    let before = stage.expect_state("ffe_release.one")?;
    stage.apply()?.ok()?;
    quiet(stage)?;
    as_applied(stage)?;
    drifts(stage)?;
    let planned = stage.plan()?;
    let change = &planned["resource_changes"][0]["change"];
    ensure!(change["actions"] == json!(["update"]) && change["after"]["drifted"] == json!([]), "{change:#}");
    ensure!(
        change["before"]["drifted"].as_array().is_some_and(|drifted| drifted.len() == 5),
        "{:#}",
        change["before"]["drifted"]
    );
    let changes = change["after"]["changes"].as_str().unwrap_or_default();
    for wanted in ["change ConfigMap/one: /", "change Deployment/one: /", "change Secret/one: /", "create Service/one"]
    {
        ensure!(changes.lines().any(|line| line.starts_with(wanted)), "{wanted} is not in {changes}");
    }
    stage.apply()?.ok()?;
    as_applied(stage)?;
    quiet(stage)?;
    let after = stage.expect_state("ffe_release.one")?;
    ensure!(after["revision"].as_i64() == before["revision"].as_i64().map(|revision| revision + 2), "{after:#}");
    ensure!(after["drifted"] == json!([]) && after["manifest_digest"] == before["manifest_digest"], "{after:#}");

    // Not looked at.
    configure(stage, "drift = { mode = \"off\" }")?;
    stage.apply()?.ok()?;
    kubectl(stage, &["delete", "configmap", "one"])?;
    quiet(stage)?;
    ensure!(stage.expect_state("ffe_release.one")?["drifted"].is_null());
    stage.destroy()?.ok().map(|_| ())
}

fn quiet(stage: &mut Stage) -> Result<()> {
    let output = stage.terraform(&["plan", "-detailed-exitcode", "-no-color", "-input=false"])?;
    ensure!(output.code == 0 && !output.text().contains("Warning"), "exit code {}:\n{}", output.code, output.text());
    Ok(())
}

/// Everything is as the chart has it.
fn as_applied(stage: &Stage) -> Result<()> {
    let deployment = stage.kube.get(&["deployment", "-n", &stage.name, "one"])?.context("no deployment")?;
    ensure!(deployment["spec"]["replicas"] == 1, "{:#}", deployment["spec"]);
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    ensure!(container["image"] == "ffe-backend:1.0.0", "{container:#}");
    let map = stage.kube.get(&["configmap", "-n", &stage.name, "one"])?.context("no ConfigMap")?;
    ensure!(map["data"]["text"] == "hello", "{map:#}");
    let secret = stage.kube.get(&["secret", "-n", &stage.name, "one"])?.context("no Secret")?;
    ensure!(secret["data"]["password"] == "Zmlyc3QtcGFzc3dvcmQ=", "the Secret is not as it was applied");
    stage.kube.get(&["service", "-n", &stage.name, "one"])?.context("no Service").map(|_| ())
}

/// Statuses, restarts, what others add, and what an autoscaler decides.
fn nobodys(stage: &mut Stage) -> Result<()> {
    let chart = chart(stage)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&release(stage, &chart, "drift = { mode = \"correct\" }"))?;
    stage.apply()?.ok()?;
    quiet(stage)?;
    kubectl(stage, &["rollout", "restart", "deployment/one"])?;
    kubectl(stage, &["rollout", "status", "deployment/one", "--timeout=180s"])?;
    kubectl(stage, &["annotate", "configmap", "one", "seen-by=somebody"])?;
    kubectl(stage, &["patch", "configmap", "one", "--type=merge", "-p", r#"{"data":{"more":"theirs"}}"#])?;
    kubectl(
        stage,
        &["set", "resources", "deployment/one", "--limits=cpu=500m,memory=128Mi", "--requests=cpu=10m,memory=32Mi"],
    )?;
    quiet(stage)?;
    // An autoscaler that is no part of the release scales to its minimum by itself.
    kubectl(stage, &["autoscale", "deployment", "one", "--min=2", "--max=3", "--cpu-percent=80"])?;
    let namespace = stage.name.clone();
    stage.kube.until("the autoscaler has scaled", Duration::from_secs(90), |kube| {
        let deployment = kube.get(&["deployment", "-n", &namespace, "one"])?.unwrap_or_default();
        Ok(deployment["spec"]["replicas"] == 2)
    })?;
    quiet(stage)?;
    // A deployment of ours in between is nobody's drift either.
    stage.configure(&release(
        stage,
        &chart,
        "drift = { mode = \"correct\" }\nset = [{ name = \"text\", value = \"other\" }]",
    ))?;
    stage.apply()?.ok()?;
    stage.kube.until("the autoscaler has scaled again", Duration::from_secs(90), |kube| {
        let deployment = kube.get(&["deployment", "-n", &namespace, "one"])?.unwrap_or_default();
        Ok(deployment["spec"]["replicas"] == 2)
    })?;
    quiet(stage)?;
    stage.destroy()?.ok().map(|_| ())
}

/// To put drift right takes no backup and runs no migration, with the real application.
fn database(stage: &mut Stage) -> Result<()> {
    stage.configure(&super::lifecycle::stack(stage, "1.1.0", "drift = { mode = \"correct\" }"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let schema = super::failures::schema(stage)?;
    kubectl(stage, &["scale", "deployment", "ffe-backend", "--replicas=0"])?;
    ensure!(stage.planned_actions()? == [("ffe_release.backend".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(super::failures::schema(stage)? == schema);
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let last = journal["runs"].as_array().and_then(|runs| runs.last()).cloned().unwrap_or_default();
    let outcome = |phase: &str| -> Json {
        let pages = last["phases"].as_array().into_iter().flatten();
        pages.filter(|page| page["name"] == phase).map(|page| page["outcome"].clone()).next().unwrap_or_default()
    };
    for (phase, expected) in
        [("backup", "skipped"), ("migrate", "skipped"), ("rollout", "succeeded"), ("verify", "succeeded")]
    {
        ensure!(outcome(phase) == expected, "{phase}: {last:#}");
    }
    ensure!(stage.kube.names(&stage.name, "jobs")?.is_empty(), "a Job was made");
    stage.destroy()?.ok().map(|_| ())
}
