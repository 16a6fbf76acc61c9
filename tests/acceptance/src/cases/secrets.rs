//! A canary in every place where a secret may be given: it is nowhere else.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::kills::journal;
use crate::{Case, Stage, When, charts, processes};

pub(super) const CASES: &[Case] = &[Case { name: "secrets::canary_is_nowhere", when: When::Always, run: canary }];

const CANARY: &str = "c4nary-8d1f-never-shown";

fn configuration(stage: &Stage, chart: &Path, extra: &str) -> String {
    format!(
        r#"
variable "secret" {{
  ephemeral = true
}}

resource "ffe_environment" "this" {{
  name       = "dev"
  preset     = "dev"
  namespace  = "{namespace}"
  secrets_wo = {{ API_KEY = var.secret }}
  database   = {{ mode = "external", url_wo = "postgresql://user:${{var.secret}}@db.example.invalid:5432/app" }}
}}

resource "ffe_release" "web" {{
  namespace = ffe_environment.this.namespace
  name      = "web"
  chart     = "{chart}"
  set_wo    = [{{ name = "text", value = var.secret }}]
  set       = [{{ name = "hookSeconds", value = "3" }}]
  timeout   = "2m"
  repository_password_wo = var.secret
  verify = {{
    path    = "/main.py"
    smoke   = [{{ path = "/{extra}", bearer_wo = var.secret }}]
    timeout = "20s"
  }}
}}
"#,
        namespace = stage.name,
        chart = chart.display(),
    )
}

/// What is wrong with a text: the canary in it, plain or in base64.
fn check(what: &str, text: &str) -> Result<()> {
    // "c4nary-8d1f-never-shown" in base64, at any of the three offsets, without the ends that depend on the neighbours.
    for form in
        [CANARY, "NG5hcnktOGQxZi1uZXZlci1zaG93b", "YzRuYXJ5LThkMWYtbmV2ZXItc2hvd2", "M0bmFyeS04ZDFmLW5ldmVyLXNob3du"]
    {
        if let Some(at) = text.find(form) {
            let around: String = text[text.floor_char_boundary(at.saturating_sub(300))..].chars().take(500).collect();
            anyhow::bail!("the canary is in {what}:\n…{around}…");
        }
    }
    Ok(())
}

fn canary(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    std::fs::write(chart.join("templates/NOTES.txt"), "The text is {{ .Values.text }}.\n")?;
    let trace = stage.side("logs")?.join("trace.log");
    stage.set("TF_LOG", "TRACE");
    stage.set("TF_LOG_PATH", trace.display().to_string());
    stage.set("TF_VAR_secret", CANARY);
    stage.configure(&configuration(stage, &chart, ""))?;

    // While it is applied, every process below terraform is looked at all the time.
    let mut terraform = stage.start(&["apply", "-auto-approve", "-no-color", "-input=false"])?;
    let mut seen = 0;
    while terraform.try_wait()?.is_none() {
        for process in processes::descendants(terraform.id()) {
            seen += 1;
            check("the arguments of a process", &process.arguments)?;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    ensure!(terraform.wait()?.success(), "the apply failed:\n{}", stage.started_log());
    ensure!(seen > 10, "no processes were seen");
    check("the output of apply", &stage.started_log())?;
    // It arrived where it belongs.
    let secret =
        stage.kube.run(&["get", "secrets", "-n", &stage.name, "-o", "jsonpath={.items[*].data.API_KEY}"])?.ok()?.stdout;
    ensure!(!secret.trim().is_empty(), "the secret is not in the cluster");
    let web = stage.kube.get(&["deployment", "-n", &stage.name, "web"])?.context("no deployment")?;
    ensure!(web["spec"]["template"]["metadata"]["annotations"]["text"] == CANARY, "set_wo did not arrive");

    // What we keep beside the release is for everybody who may read it.
    let journal = journal(&stage.kube, &stage.name, "web")?.context("no journal")?;
    check("the journal", &journal.to_string())?;

    // An unchanged canary plans nothing; another one is seen without being shown.
    stage.expect_empty_plan()?;
    let plan = stage.plan()?;
    check("the plan", &plan.to_string())?;
    stage.set("TF_VAR_secret", format!("{CANARY}-2"));
    let planned = stage.planned_actions()?;
    ensure!(
        planned.len() == 2 && planned.iter().all(|(_, action)| action == "update"),
        "a changed write-only value is not seen: {planned:?}"
    );
    let output = stage.apply()?.ok()?;
    check("the output of apply", &output.text())?;
    stage.expect_empty_plan()?;

    // A failing smoke check and a chart that fails with the secret in its text.
    stage.configure(&configuration(stage, &chart, "no-such-file"))?;
    let output = stage.apply()?.failed_with(&["failed its checks", "404"])?;
    check("the error of a failed check", &output.text())?;
    std::fs::write(chart.join("templates/bad.yaml"), "{{ fail (printf \"bad text %s\" .Values.text) }}\n")?;
    let output = stage.apply()?.failed_with(&["does not render", "bad text"])?;
    check("the error of a chart", &output.text())?;
    std::fs::remove_file(chart.join("templates/bad.yaml"))?;
    stage.configure(&configuration(stage, &chart, ""))?;
    stage.destroy()?.ok()?;

    for entry in std::fs::read_dir(&stage.folder)? {
        let path = entry?.path();
        if path.is_file() && path.extension().is_none_or(|extension| extension != "tf") {
            check(&path.display().to_string(), &String::from_utf8_lossy(&std::fs::read(&path)?))?;
        }
    }
    let log = std::fs::read_to_string(&trace)?;
    ensure!(log.contains("phase verify"), "the provider's own log is not in the trace");
    check("the trace log", &log)
}
