//! From nothing to nothing: an environment and a release on it.

use anyhow::{Result, ensure};

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "lifecycle::from_apply_to_destroy", when: When::Always, run: from_apply_to_destroy },
    Case {
        name: "lifecycle::command_migration_and_url_checks",
        when: When::Always,
        run: command_migration_and_url_checks,
    },
];

/// An environment with a bundled database and the sample application on it.
pub(super) fn stack(stage: &Stage, tag: &str, more: &str) -> String {
    format!(
        r#"
variable "api_key" {{
  type      = string
  default   = "key-of-the-tests"
  ephemeral = true
}}

resource "ffe_environment" "this" {{
  name       = "dev"
  preset     = "dev"
  namespace  = "{namespace}"
  config     = {{ LOG_LEVEL = "info" }}
  secrets_wo = {{ API_KEY = var.api_key }}
  database   = {{ mode = "bundled", version = "15", storage = {{ size = "256Mi" }} }}
}}

resource "ffe_release" "backend" {{
  namespace = ffe_environment.this.namespace
  name      = "ffe-backend"
  chart     = "{chart}"
  values    = [ffe_environment.this.values]
  set = [
    {{ name = "image.tag", value = "{tag}", type = "string" }},
    {{ name = "config_revision", value = ffe_environment.this.config_revision, type = "string" }},
    {{ name = "secrets_revision", value = ffe_environment.this.secrets_revision, type = "string" }},
    {{ name = "workers", value = "1" }},
  ]
  timeout = "3m"
  migration = {{
    engine          = "alembic"
    database_secret = ffe_environment.this.database_secret
    timeout         = "2m"
  }}
  verify = {{
    json    = {{ "/database" = "healthy" }}
    smoke   = [{{ path = "/api/v1/bot/status", bearer_wo = var.api_key }}]
    timeout = "1m"
  }}
  {more}
}}
"#,
        namespace = stage.name,
        chart = stage.chart().display(),
    )
}

fn from_apply_to_destroy(stage: &mut Stage) -> Result<()> {
    stage.configure(&stack(stage, "1.0.0", ""))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let first = stage.expect_state("ffe_release.backend")?;
    ensure!(first["revision"] == 1 && first["status"] == "deployed", "{first:#}");
    ensure!(first["schema_revision"].as_array().is_some_and(|heads| heads.len() == 1), "{first:#}");

    // With the revision files at hand, the plan says which of them it will run.
    let scripts = stage.side("versions")?;
    for revision in ["0001_accounts", "0002_decisions", "0003_positions", "0004_feedback"] {
        let file = format!("{revision}.py");
        let from = stage.surroundings.root.join("examples/ffe-backend/app/alembic/versions").join(&file);
        std::fs::copy(from, scripts.join(&file))?;
    }
    let with_scripts = format!("migration = {{\n    scripts = \"{}\"", scripts.display());
    let upgraded = stack(stage, "1.1.0", "").replace("migration = {", &with_scripts);
    stage.configure(&upgraded)?;
    let plan = stage.plan()?.to_string();
    ensure!(
        plan.contains(r#""pending_revisions":["0004_feedback"]"#),
        "the plan does not list the pending revision: {plan}"
    );
    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_release.backend".to_owned(), "update".to_owned())], "{actions:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let second = stage.expect_state("ffe_release.backend")?;
    ensure!(second["revision"] == 2, "{second:#}");
    ensure!(second["schema_revision"] != first["schema_revision"], "the schema did not move: {second:#}");

    stage.forget_state()?;
    let namespace = stage.name.clone();
    stage.terraform(&["import", "-no-color", "ffe_environment.this", &namespace])?.ok()?;
    stage.terraform(&["import", "-no-color", "ffe_release.backend", &format!("{namespace}/ffe-backend")])?.ok()?;
    stage.expect_empty_plan()?;

    stage.destroy()?.ok()?;
    ensure!(stage.kube.get(&["namespace", &namespace])?.is_none(), "the namespace is still there");
    Ok(())
}

fn command_migration_and_url_checks(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    let site = stage.side("site")?;
    std::fs::write(site.join("health.json"), "{\"parts\": [{\"name\": \"queue\", \"depth\": 3}]}")?;
    let url = crate::serve(&site)?;
    let namespace = stage.name.clone();
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    let printing = |depth: &str, code: &str, timeout: &str, more: &str| {
        format!(
            r#"
resource "ffe_release" "web" {{
  namespace = "{namespace}"
  name      = "web"
  chart     = "{chart}"
  migration = {{
    engine          = "command"
    env             = {{ MARK = "from-env" }}
    working_dir     = "/tmp"
    resources       = {{ limits = {{ memory = "128Mi" }} }}
    upgrade_command = ["python3", "-c", "import os, sys; print('migrating', os.getcwd()); sys.exit({code})"]
    current_command = ["python3", "-c", "import os, sys; print('a warning', file=sys.stderr); {more}print(os.environ['MARK'])"]
  }}
  verify = {{
    url     = "{url}"
    path    = "/health.json"
    json    = {{ "/parts/0/depth" = "{depth}" }}
    timeout = "{timeout}"
  }}
}}
"#,
            chart = chart.display()
        )
    };
    let release = |depth: &str, code: &str, timeout: &str| printing(depth, code, timeout, "");

    // What stands on standard output beside a revision is no revision, and is found before anything has happened.
    stage.configure(&printing("3", "0", "20s", "print('INFO ready'); "))?;
    stage.apply()?.failed_with(&["printed \"INFO ready\"", "one revision a line"])?;
    ensure!(stage.kube.names(&namespace, "jobs")?.is_empty(), "a Job is left");
    stage.configure(&release("3", "0", "20s"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let state = stage.expect_state("ffe_release.web")?;
    ensure!(state["schema_revision"] == serde_json::json!(["from-env"]), "{state:#}");

    // Another check alone: it is made, and no new revision.
    stage.configure(&release("4", "0", "3s"))?;
    stage.apply()?.failed_with(&["failed its checks", "has 3 at /parts/0/depth instead of \"4\"", &url])?;
    stage.configure(&release("3", "0", "30s"))?;
    stage.apply()?.ok()?;
    let state = stage.expect_state("ffe_release.web")?;
    ensure!(state["status"] == "deployed" && state["changes"].is_null(), "{state:#}");

    stage.configure(&release("3", "7", "20s"))?;
    stage.apply()?.failed_with(&["The database migration failed", "exit code 7", "migrating /tmp"])?;
    stage.destroy()?.ok().map(|_| ())
}
