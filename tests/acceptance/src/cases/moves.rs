//! A `helm_release` of the provider hashicorp/helm becomes an `ffe_release`, and the release does not notice.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use ffe_surroundings::terraform;
use serde_json::{Value as Json, json};

use crate::{Case, Stage, When, charts, program, run};

pub(super) const CASES: &[Case] = &[
    Case { name: "moves::from_version_2", when: When::Always, run: |stage| moved(stage, 1) },
    Case { name: "moves::from_version_3", when: When::Full, run: |stage| moved(stage, 2) },
    Case { name: "moves::to_another_cluster_is_refused", when: When::Full, run: to_another_cluster },
];

const OFF: &[&str] = &[
    "atomic",
    "cleanup_on_fail",
    "create_namespace",
    "dependency_update",
    "disable_crd_hooks",
    "disable_openapi_validation",
    "disable_webhooks",
    "force_update",
    "lint",
    "pass_credentials",
    "recreate_pods",
    "replace",
    "reset_values",
    "reuse_values",
    "skip_crds",
    "verify",
    "wait_for_jobs",
];
const UNSET: &[&str] = &[
    "description",
    "devel",
    "keyring",
    "manifest",
    "repository",
    "repository_ca_file",
    "repository_cert_file",
    "repository_key_file",
    "repository_password",
    "repository_username",
    "upgrade_install",
    "values",
];

/// The state file that the other provider leaves: `schema` 1 is that of its version 2, 2 that of its version 3.
fn state_file(stage: &Stage, chart: &Path, schema: u64, first_deployed: i64) -> Json {
    let metadata = json!({
        "name": "one", "namespace": stage.name, "revision": 1, "chart": "sample", "version": "0.1.0", "app_version": "1",
        "values": "{\"text\":\"moved\"}", "first_deployed": first_deployed, "last_deployed": first_deployed, "notes": "",
    });
    let set = json!([{ "name": "text", "value": "moved", "type": if schema == 1 { json!("") } else { Json::Null } }]);
    let empty = |empty: Json| if schema == 1 { empty } else { Json::Null };
    let mut attributes = json!({
        "chart": chart, "id": "one", "max_history": 0, "name": "one", "namespace": stage.name,
        "postrender": empty(json!([])), "render_subchart_notes": true, "set": set, "set_list": empty(json!([])),
        "set_sensitive": empty(json!([])), "status": "deployed", "timeout": 300, "version": "0.1.0", "wait": true,
        "metadata": if schema == 1 { json!([metadata]) } else { metadata },
    });
    for name in OFF {
        attributes[*name] = json!(false);
    }
    for name in UNSET {
        attributes[*name] = Json::Null;
    }
    if schema == 2 {
        for name in ["set_wo", "set_wo_revision", "timeouts", "resources", "take_ownership"] {
            attributes[name] = Json::Null;
        }
    }
    json!({
        "version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "2f1a6a0c-7a52-4a2b-9d3e-0f6c5b1d9e77", "outputs": {},
        "resources": [{
            "mode": "managed", "type": "helm_release", "name": "one",
            "provider": "provider[\"registry.terraform.io/hashicorp/helm\"]",
            "instances": [{ "schema_version": schema, "attributes": attributes, "sensitive_attributes": [] }],
        }],
        "check_results": null,
    })
}

fn configuration(stage: &Stage, chart: &Path) -> String {
    format!(
        r#"
moved {{
  from = helm_release.one
  to   = ffe_release.one
}}

resource "ffe_release" "one" {{
  namespace   = "{}"
  name        = "one"
  chart       = "{}"
  timeout     = "5m"
  max_history = 0
  set         = [{{ name = "text", value = "moved" }}]
}}
"#,
        stage.name,
        chart.display()
    )
}

/// Installs the release as the other provider would have, and writes its state file.
fn installed(stage: &mut Stage, schema: u64, skew: i64) -> Result<std::path::PathBuf> {
    with_the_other_provider(stage)?;
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.helm(&["install", "one", &chart.display().to_string(), "-n", &stage.name, "--set", "text=moved"])?.ok()?;
    let list = stage.helm(&["get", "metadata", "one", "-n", &stage.name, "-o", "json"])?.ok()?;
    let deployed: Json = serde_json::from_str(&list.stdout)?;
    let at = deployed["deployedAt"].as_str().context("no deployedAt")?;
    let seconds = run(program("date").args(["-d", at, "+%s"]))?.ok()?.stdout;
    let state = state_file(stage, &chart, schema, seconds.trim().parse::<i64>()? + skew);
    std::fs::write(stage.folder.join("terraform.tfstate"), serde_json::to_vec_pretty(&state)?)?;
    Ok(chart)
}

/// Terraform asks the provider that a state names for its schemas, whatever becomes of the state. The one that is named here cannot
/// be had, so ours stands in its place; it has no `helm_release`, and is not asked about one.
fn with_the_other_provider(stage: &mut Stage) -> Result<()> {
    let address = "registry.terraform.io/hashicorp/helm";
    let mirror = stage.side("mirror")?;
    terraform::lay(&mirror, address, "2.17.0", &stage.surroundings.provider)?;
    let rc = mirror.join("terraform.rc");
    std::fs::write(&rc, terraform::configuration(&[(&mirror, Some(address)), (&stage.surroundings.mirror, None)]))?;
    stage.set("TF_CLI_CONFIG_FILE", rc.display().to_string());
    Ok(())
}

fn moved(stage: &mut Stage, schema: u64) -> Result<()> {
    let chart = installed(stage, schema, 0)?;
    let before = stage.kube.get(&["configmap", "-n", &stage.name, "one"])?.context("no ConfigMap")?;
    stage.configure(&configuration(stage, &chart))?;
    let plan = stage.plan()?;
    let change = &plan["resource_changes"][0];
    ensure!(change["previous_address"] == "helm_release.one", "{change:#}");
    ensure!(change["change"]["actions"] == json!(["update"]), "{change:#}");
    ensure!(change["change"]["after"]["changes"].is_null(), "{change:#}");
    ensure!(change["change"]["after"]["value_changes"].is_null(), "{change:#}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let after = stage.kube.get(&["configmap", "-n", &stage.name, "one"])?.context("no ConfigMap")?;
    ensure!(before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"], "the release was touched");
    ensure!(stage.expect_state("ffe_release.one")?["revision"] == 1);
    // It is ours like any other from now on.
    stage.destroy()?.ok()?;
    ensure!(stage.kube.get(&["configmap", "-n", &stage.name, "one"])?.is_none());
    Ok(())
}

/// A release of the same name that was installed at another time is not the one in the state.
fn to_another_cluster(stage: &mut Stage) -> Result<()> {
    let chart = installed(stage, 1, -1000)?;
    stage.configure(&configuration(stage, &chart))?;
    stage
        .terraform(&["plan", "-no-color", "-input=false"])?
        .failed_with(&["is another one than was moved from helm_release", "it was installed at"])?;
    stage.helm(&["uninstall", "one", "-n", &stage.name])?.ok()?;
    stage.terraform(&["plan", "-no-color", "-input=false"])?.failed_with(&[
        "that was moved from helm_release is not there",
        "Configure the provider ffe for the cluster",
    ])?;
    Ok(())
}
