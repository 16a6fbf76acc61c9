//! A plan is a promise: what it shows is what apply does, or nothing is done.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "promise::changed_since_plan", when: When::Always, run: changed_since_plan },
    Case { name: "promise::changed_before_it_was_made", when: When::Full, run: changed_before_it_was_made },
    Case { name: "promise::what_is_looked_up_counts", when: When::Full, run: what_is_looked_up_counts },
    Case { name: "promise::generated_is_no_change", when: When::Always, run: generated_is_no_change },
    Case { name: "promise::values_by_path", when: When::Always, run: values_by_path },
];

const MIGRATION: &str = "migration = { engine = \"command\", image = \"ffe-backend:1.0.0\", upgrade_command = [\"python3\", \"-c\", \"print(1)\"], backup = \"never\" }";

fn release(stage: &Stage, chart: &Path, more: &str) -> String {
    format!(
        "resource \"ffe_release\" \"one\" {{\n  namespace = \"{}\"\n  name = \"one\"\n  chart = \"{}\"\n  timeout = \"1m\"\n{more}\n}}\n",
        stage.name,
        chart.display()
    )
}

fn text(value: &str) -> String {
    format!("set = [{{ name = \"text\", value = \"{value}\" }}]")
}

fn apply_saved(stage: &mut Stage) -> Result<crate::Output> {
    stage.terraform(&["apply", "-no-color", "-input=false", "saved.tfplan"])
}

/// Nothing of a plan that was refused is in the cluster: no migration, no revision beyond this one, the old content.
fn expect_untouched(stage: &Stage, revisions: usize, content: &str) -> Result<()> {
    let jobs = stage.kube.names(&stage.name, "jobs")?;
    ensure!(jobs.is_empty(), "{jobs:?}");
    let records = stage.kube.run(&["get", "secrets", "-n", &stage.name, "-l", "owner=helm", "-o", "name"])?.ok()?;
    ensure!(records.stdout.lines().count() == revisions, "{}", records.stdout);
    let map = stage.kube.get(&["configmap", "-n", &stage.name, "one"])?;
    let found = map.map_or(Json::Null, |map| map["data"]["text"].clone());
    ensure!(found == content || (content.is_empty() && found.is_null()), "{found}");
    Ok(())
}

/// The chart's files are edited, or somebody else upgrades the release, between a saved plan and its apply.
fn changed_since_plan(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&release(stage, &chart, &text("a")))?;
    stage.apply()?.ok()?;

    stage.configure(&release(stage, &chart, &format!("{}\n{MIGRATION}", text("b"))))?;
    stage.plan()?;
    let values = chart.join("values.yaml");
    std::fs::write(&values, "text: hello\nmore: 1\n")?;
    apply_saved(stage)?.failed_with(&[
        &format!("The release {}/one has changed since plan", stage.name),
        "the content of the chart",
        "Nothing was changed in the cluster",
    ])?;
    expect_untouched(stage, 1, "a")?;

    stage.plan()?;
    stage.helm(&["upgrade", "one", &chart.display().to_string(), "-n", &stage.name, "--set", "text=theirs"])?.ok()?;
    apply_saved(stage)?.failed_with(&[
        "has changed since plan",
        "the release itself: revision 1 was the newest, now it is revision 2 (deployed)",
    ])?;
    expect_untouched(stage, 2, "theirs")?;

    // Planned again it is applied, and what was planned is what happened.
    let plan = stage.plan()?;
    let changes = plan["resource_changes"][0]["change"]["after"]["changes"].clone();
    let line = changes.as_str().unwrap_or_default();
    ensure!(line.starts_with("change ConfigMap/one: /data/text (sha256:") && line.lines().count() == 1, "{changes:#}");
    apply_saved(stage)?.ok()?;
    let state = stage.expect_state("ffe_release.one")?;
    ensure!(state["changes"] == changes, "{state:#}");
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// Before the first apply there is nothing to note anything with: Terraform compares the two plans itself.
fn changed_before_it_was_made(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&release(stage, &chart, &format!("{}\n{MIGRATION}", text("a"))))?;
    stage.plan()?;
    let template = chart.join("templates/config.yaml");
    let edited = std::fs::read_to_string(&template)?.replace("text:", "more: x\n  text:");
    std::fs::write(&template, edited)?;
    apply_saved(stage)?.failed_with(&["inconsistent final plan", ".changes:"])?;
    expect_untouched(stage, 0, "")?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// A chart that looks something up in the cluster renders what is there at plan; when that changes, apply stops.
fn what_is_looked_up_counts(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    std::fs::write(
        chart.join("templates/looked-up.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-found\ndata:\n  found: {{ dig \"data\" \"key\" \"nothing\" (lookup \"v1\" \"ConfigMap\" .Release.Namespace \"source\") | quote }}\n",
    )?;
    let source = |value: &str, name: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: source, namespace: {name} }}\ndata: {{ key: \"{value}\" }}\n"
        )
    };
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.kube.apply(&source("1", &stage.name))?;
    stage.configure(&release(stage, &chart, &text("a")))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.kube.apply(&source("2", &stage.name))?;
    stage.configure(&release(stage, &chart, &text("b")))?;
    let plan = stage.plan()?;
    let changes = plan["resource_changes"][0]["change"]["after"]["changes"].clone();
    let second = changes.as_str().and_then(|text| text.lines().nth(1)).unwrap_or_default();
    ensure!(second.starts_with("change ConfigMap/one-found: /"), "{changes:#}");
    stage.kube.apply(&source("3", &stage.name))?;
    apply_saved(stage)?.failed_with(&["inconsistent final plan", ".changes:"])?;
    expect_untouched(stage, 1, "a")?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// Passwords, names and times that a chart makes up are named, are no reason for a plan and break no promise.
fn generated_is_no_change(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    std::fs::write(
        chart.join("templates/generated.yaml"),
        r#"apiVersion: v1
kind: Secret
metadata: { name: {{ .Release.Name }}-made-up }
stringData: { password: {{ randAlphaNum 24 | quote }}, user: ffe }
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-times
data: { at: {{ now | unixEpoch | quote }}, day: {{ now | date "2006-01-02" | quote }}, same: {{ .Values.text | quote }} }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }}-{{ randAlphaNum 8 | lower }} }
"#,
    )?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&release(stage, &chart, &text("a")))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let state = stage.expect_state("ffe_release.one")?;
    let unstable = [
        "ConfigMap/*",
        "ConfigMap/one-times /data/at",
        "ConfigMap/one-times /data/day",
        "Secret/one-made-up /stringData/password",
    ];
    ensure!(state["unstable_fields"] == unstable.join("\n"), "{:#}", state["unstable_fields"]);

    // Something beside the chart changes: no new revision, so no new password.
    let password = |stage: &Stage| -> Result<Json> {
        Ok(stage.kube.get(&["secret", "-n", &stage.name, "one-made-up"])?.context("no Secret")?["data"]["password"]
            .clone())
    };
    let first = password(stage)?;
    std::fs::write(chart.join("templates/named.yaml"), "")?;
    stage.apply()?.ok()?;
    let random_name = stage.expect_state("ffe_release.one")?["revision"].clone();
    ensure!(random_name == 2, "another name each time is a change each time: {random_name}");

    // Something of the chart changes: what will be made up anew is told from what changes.
    stage.configure(&release(stage, &chart, &text("b")))?;
    let plan = stage.plan()?;
    let changes = plan["resource_changes"][0]["change"]["after"]["changes"].clone();
    let shown: Vec<&str> = changes.as_str().unwrap_or_default().lines().collect();
    let begins = |text: &str| shown.iter().any(|line| line.starts_with(text));
    ensure!(
        begins("change ConfigMap/one-times: /data/same (")
            && begins("regenerate Secret/one-made-up: /stringData/password (")
            && begins("create ConfigMap/*"),
        "{shown:#?}"
    );
    apply_saved(stage)?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(password(stage)? != first, "the password was not made anew");
    stage.destroy()?.ok().map(|_| ())
}

/// What values change is shown by path; a write-only one is nowhere, nor what the chart makes of it.
fn values_by_path(stage: &mut Stage) -> Result<()> {
    const CANARY: &str = "wr1te-only-canary";
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    std::fs::write(
        chart.join("templates/secret.yaml"),
        r#"apiVersion: v1
kind: Secret
metadata: { name: {{ .Release.Name }}-secret }
data: { password: {{ .Values.password | b64enc | quote }}, plain: {{ .Values.db.password | b64enc | quote }} }
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-sum
  annotations: { checksum/secret: {{ .Values.password | sha256sum | quote }} }
data: { tag: {{ .Values.image.tag | quote }} }
"#,
    )?;
    let configuration = |stage: &Stage, tag: &str, plain: &str| {
        let values = format!(
            "values = [yamlencode({{ image = {{ tag = \"{tag}\" }}, db = {{ password = \"{plain}\" }} }})]\n  set_wo = [{{ name = \"password\", value = var.secret }}]"
        );
        format!("variable \"secret\" {{\n  ephemeral = true\n}}\n{}", release(stage, &chart, &values))
    };
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.set("TF_VAR_secret", CANARY);
    stage.configure(&configuration(stage, "1", "old-plain-password"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;

    stage.configure(&configuration(stage, "2", "new-plain-password"))?;
    stage.set("TF_VAR_secret", format!("{CANARY}-2"));
    let plan = stage.plan()?;
    let after = &plan["resource_changes"][0]["change"]["after"];
    ensure!(
        after["value_changes"]
            == "db.password: (sensitive value) -> (sensitive value)\nimage.tag: \"1\" -> \"2\"\npassword: (write-only value) -> \
                (write-only value)",
        "{:#}",
        after["value_changes"]
    );
    let changes = after["changes"].to_string();
    ensure!(changes.contains("/data/password") && changes.contains("checksum~1secret"), "{changes}");
    // An ephemeral value may be another one at apply: what depends on it is no part of the promise.
    stage.set("TF_VAR_secret", format!("{CANARY}-3"));
    apply_saved(stage)?.ok()?;
    let state = std::fs::read_to_string(stage.folder.join("terraform.tfstate"))?;
    let shown = stage.terraform(&["show", "-no-color", "saved.tfplan"])?.ok()?.text();
    // Plain, as a Secret holds it (all three begin alike), and as the chart's checksums.
    let mut forms = vec![CANARY.to_owned(), "d3IxdGUtb25seS1jYW5hcn".to_owned()];
    for value in [CANARY.to_owned(), format!("{CANARY}-2"), format!("{CANARY}-3")] {
        let sum = stage.shell(&format!("printf %s {value} | sha256sum"))?.ok()?.stdout;
        forms.push(sum.split_whitespace().next().context("no checksum")?.to_owned());
    }
    let map = stage.kube.get(&["configmap", "-n", &stage.name, "one-sum"])?.context("no ConfigMap")?;
    let deployed = &map["metadata"]["annotations"]["checksum/secret"];
    ensure!(forms.last().is_some_and(|sum| deployed == sum.as_str()), "another checksum than the chart's: {map:#}");
    for (what, text) in [("the plan", plan.to_string()), ("the plan's text", shown), ("the state", state)] {
        let found = forms.iter().find(|form| text.contains(form.as_str()));
        ensure!(found.is_none(), "the canary is in {what}, as {found:?}");
    }
    let secret = stage.kube.get(&["secret", "-n", &stage.name, "one-secret"])?.context("no Secret")?;
    ensure!(secret["data"]["password"] == "d3IxdGUtb25seS1jYW5hcnktMw==", "{secret:#}");
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}
