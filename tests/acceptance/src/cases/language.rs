//! What the provider adds to the language: functions and ephemeral values.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "language::merge_values", when: When::Always, run: merge_values },
    Case { name: "language::database_credentials", when: When::Always, run: database_credentials },
];

/// As Helm merges values files: the result rendered by Helm itself from both is the same.
fn merge_values(stage: &mut Stage) -> Result<()> {
    stage.configure(
        r#"
output "merged" {
  value = yamldecode(provider::ffe::merge_values(["image: {tag: '1', name: web}\nlist: [1, 2]\nswitch: on", "image: {tag: '2'}\nlist: [3]"]))
}
"#,
    )?;
    stage.apply()?.ok()?;
    let output = stage.terraform(&["output", "-json", "merged"])?.ok()?;
    let merged: serde_json::Value = serde_json::from_str(&output.stdout)?;
    ensure!(merged == json!({ "image": { "name": "web", "tag": "2" }, "list": [3], "switch": true }), "{merged:#}");
    stage.configure("output \"merged\" {\n  value = provider::ffe::merge_values([\"a: 1\", \"- b\"])\n}\n")?;
    stage
        .terraform(&["plan", "-no-color"])?
        .failed_with(&["documents[1]: expected a map of values, found a list"])
        .map(|_| ())
}

/// The credentials of an environment's database go into a write-only value, and are in no state and no plan.
fn database_credentials(stage: &mut Stage) -> Result<()> {
    const CANARY: &str = "ephemeral-c4nary";
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    let body = format!(
        r#"
variable "password" {{
  ephemeral = true
}}

resource "ffe_environment" "this" {{
  name      = "dev"
  preset    = "dev"
  namespace = "{namespace}"
  database  = {{ mode = "external", url_wo = "postgresql://app:${{var.password}}@db.example.invalid:6432/shop?sslmode=require" }}
}}

ephemeral "ffe_database_credentials" "this" {{
  namespace = ffe_environment.this.namespace
  secret    = ffe_environment.this.database_secret
  after     = ffe_environment.this.secrets_revision
}}

resource "ffe_release" "one" {{
  namespace = ffe_environment.this.namespace
  name      = "one"
  chart     = "{chart}"
  set_wo = [{{
    name = "text"
    value = join(" ", [
      ephemeral.ffe_database_credentials.this.host, ephemeral.ffe_database_credentials.this.port,
      ephemeral.ffe_database_credentials.this.username, ephemeral.ffe_database_credentials.this.password,
      ephemeral.ffe_database_credentials.this.database, ephemeral.ffe_database_credentials.this.sslmode,
    ])
    type = "string"
  }}]
}}
"#,
        namespace = stage.name,
        chart = chart.display()
    );
    stage.set("TF_VAR_password", CANARY);
    stage.configure(&body)?;
    stage.apply()?.ok()?;
    let map = stage.kube.get(&["configmap", "-n", &stage.name, "one"])?.context("no ConfigMap")?;
    ensure!(map["data"]["text"] == format!("db.example.invalid 6432 app {CANARY} shop require"), "{map:#}");
    stage.expect_empty_plan()?;
    let plan = stage.plan()?.to_string();
    let state = std::fs::read_to_string(stage.folder.join("terraform.tfstate"))?;
    ensure!(!plan.contains(CANARY) && !state.contains(CANARY), "the password is in the plan or in the state");

    stage.configure(&body.replace("= ffe_environment.this.database_secret", "= \"absent\""))?;
    stage.terraform(&["plan", "-no-color", "-input=false"])?.failed_with(&["absent does not exist"])?;
    stage.configure(&body)?;
    stage.destroy()?.ok().map(|_| ())
}
