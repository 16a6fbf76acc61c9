//! A release that is in, and a journal that nobody may write.

use anyhow::{Context as _, Result, ensure};

use super::kills::journal;
use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] =
    &[Case { name: "record::not_written_and_not_taken_back", when: When::Full, run: not_written_and_not_taken_back }];

/// A pod that is watched for a while, and a policy that forbids the journal's updates as soon as it is there.
const TEMPLATE: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }} }
spec:
  selector: { matchLabels: { app: {{ .Release.Name }} } }
  template:
    metadata: { labels: { app: {{ .Release.Name }} } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: ffe-backend:1.0.0
        command: [python3, -m, http.server, "8000"]
        readinessProbe: { httpGet: { path: /, port: 8000 }, initialDelaySeconds: 10, periodSeconds: 1 }
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: { name: {{ .Release.Namespace }}-journal }
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - { apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [secrets], resourceNames: [ffe-journal.one] }
  validations: [{ expression: "false", message: nobody writes the journal now }]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: { name: {{ .Release.Namespace }}-journal }
spec:
  policyName: {{ .Release.Namespace }}-journal
  validationActions: [Deny]
  matchResources: { namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: {{ .Release.Namespace }} } } }
"#;

fn not_written_and_not_taken_back(stage: &mut Stage) -> Result<()> {
    let chart = charts::write(&stage.side("chart")?, "text: hello\n", &[("all.yaml", TEMPLATE)])?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&format!(
        "resource \"ffe_release\" \"one\" {{\n  namespace = \"{}\"\n  name = \"one\"\n  chart = \"{}\"\n  timeout = \"2m\"\n  drift = {{ mode = \"off\" }}\n}}\n",
        stage.name,
        chart.display()
    ))?;
    let done = told(stage)?;
    // The policy is not part of what is checked: it goes before anything else can fail on it.
    let policy = format!("validatingadmissionpolicybinding/{}-journal", stage.name);
    stage.kube.run(&["delete", &policy])?.ok()?;
    done?;
    let state = stage.expect_state("ffe_release.one")?;
    ensure!(state["status"] == "deployed" && state["revision"] == 1, "{state:#}");
    ensure!(stage.helm_records("deployed")?.len() == 1, "it was taken back: {:?}", stage.helm_records("")?);
    let run = last_run(stage)?;
    ensure!(run["outcome"] == "running", "{run:#}");

    // The next apply writes it down, and makes no new revision.
    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_release.one".to_owned(), "update".to_owned())], "{actions:?}");
    stage.apply()?.ok()?;
    let recorded = last_run(stage)?;
    ensure!(recorded["id"] == run["id"] && recorded["outcome"] == "succeeded", "{recorded:#}");
    ensure!(stage.expect_state("ffe_release.one")?["revision"] == 1, "it was deployed again");
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn told(stage: &mut Stage) -> Result<Result<()>> {
    let output = stage.apply()?;
    Ok(output
        .ok()
        .and_then(|output| {
            output.says(&[
                "was deployed, but the journal could not be updated",
                "nothing was undone",
                "nobody writes the journal now",
            ])
        })
        .map(|_| ()))
}

fn last_run(stage: &Stage) -> Result<serde_json::Value> {
    let journal = journal(&stage.kube, &stage.name, "one")?.context("no journal")?;
    journal["runs"].as_array().and_then(|runs| runs.last()).cloned().context("no run in the journal")
}
