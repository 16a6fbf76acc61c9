//! What the provider adds to the language: functions and ephemeral values.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "language::merge_values", when: When::Always, run: merge_values },
    Case { name: "language::preset", when: When::Always, run: preset },
    Case { name: "language::unknown_elements", when: When::Always, run: unknown_elements },
    Case { name: "language::database_credentials", when: When::Always, run: database_credentials },
];

/// What Helm itself makes of values files.
fn merged_by_helm(stage: &Stage, files: &[&str]) -> Result<Json> {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: all }\ndata:\n  all: {{ toJson .Values | quote }}\n";
    let chart = charts::write(&stage.side("chart")?, "", &[("all.yaml", map)])?.display().to_string();
    let mut arguments = vec!["template".to_owned(), "one".to_owned(), chart];
    for (number, text) in files.iter().enumerate() {
        let path = stage.side("values")?.join(format!("{number}.yaml"));
        std::fs::write(&path, text)?;
        arguments.extend(["-f".to_owned(), path.display().to_string()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let rendered = stage.helm(&arguments)?.ok()?.stdout;
    let quoted = rendered.lines().find_map(|line| line.trim().strip_prefix("all: ")).context("no values")?;
    let text: String = serde_json::from_str(quoted)?;
    Ok(serde_json::from_str(&text)?)
}

/// As Helm merges values files: what it makes of the result is what it makes of the files.
fn merge_values(stage: &mut Stage) -> Result<()> {
    let files = [
        "image: {tag: '1', name: web}\nlist: [1, 2]\nswitch: on\ngone: {a: 1}\nkept: {a: 1, b: 2}\nplain: 1\n",
        "image: {tag: '2'}\nlist: [3]\ngone: null\nkept: {b: {c: 3}}\nplain: {d: 4}\n",
    ];
    stage.configure(&format!(
        "locals {{\n  merged = provider::ffe::merge_values({files:?})\n}}\n\noutput \"text\" {{\n  value = local.merged\n}}\n\n\
         output \"merged\" {{\n  value = yamldecode(local.merged)\n}}\n"
    ))?;
    stage.apply()?.ok()?;
    let output = stage.terraform(&["output", "-json", "merged"])?.ok()?;
    let merged: Json = serde_json::from_str(&output.stdout)?;
    ensure!(merged["image"] == json!({ "name": "web", "tag": "2" }) && merged["list"] == json!([3]), "{merged:#}");
    ensure!(merged["switch"] == true, "{merged:#}");
    let text: String = serde_json::from_str(&stage.terraform(&["output", "-json", "text"])?.ok()?.stdout)?;
    let (ours, helms) = (merged_by_helm(stage, &[&text])?, merged_by_helm(stage, &files)?);
    ensure!(ours == helms, "ours: {ours:#}\nHelm's: {helms:#}");
    stage.configure("output \"merged\" {\n  value = provider::ffe::merge_values([\"a: 1\", \"- b\"])\n}\n")?;
    stage
        .terraform(&["plan", "-no-color"])?
        .failed_with(&["documents[1]: expected a map of values, found a list"])
        .map(|_| ())
}

/// What a preset decides, as a configuration asks for it.
fn preset(stage: &mut Stage) -> Result<()> {
    stage.configure(
        "output \"memory\" {\n  value = provider::ffe::preset(\"staging\").memory_limit\n}\n\n\
         output \"acme\" {\n  value = provider::ffe::preset(\"dev\").acme_server == null\n}\n",
    )?;
    stage.apply()?.ok()?;
    let outputs: Json = serde_json::from_str(&stage.terraform(&["output", "-json"])?.ok()?.stdout)?;
    ensure!(outputs["memory"]["value"] == "1.5Gi" && outputs["acme"]["value"] == true, "{outputs:#}");
    stage.configure("output \"memory\" {\n  value = provider::ffe::preset(\"prod\").memory_limit\n}\n")?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["there is no preset \"prod\""]).map(|_| ())
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

/// An element of a list of objects that comes from a variable, which `terraform validate` does not know, or from another resource
/// of the same run, which the plan does not know.
fn unknown_elements(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&format!(
        r#"
variable "extra" {{
  type    = object({{ name = string, value = string }})
  default = {{ name = "text", value = "of the variable" }}
}}

resource "terraform_data" "late" {{
  input = {{ name = "text", value = "of another resource" }}
}}

resource "ffe_release" "one" {{
  namespace = "{namespace}"
  name      = "one"
  chart     = "{chart}"
  set       = [var.extra, terraform_data.late.output, {{ name = "more", value = "x" }}]
}}
"#,
        namespace = stage.name,
        chart = chart.display()
    ))?;
    stage.terraform(&["validate", "-no-color"])?.ok()?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let text = ["get", "configmap", "one", "-n", &stage.name, "-o", "jsonpath={.data.text}"];
    ensure!(stage.kube.run(&text)?.ok()?.stdout == "of another resource", "the later element does not win");
    stage.destroy()?.ok().map(|_| ())
}
