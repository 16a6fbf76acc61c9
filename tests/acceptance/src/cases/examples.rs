//! The examples, as users copy them.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use crate::tls::{expect_headers, expect_served};
use crate::{Case, Stage, When, turn};

pub(super) const CASES: &[Case] = &[
    Case { name: "examples::single_node_https", when: When::Always, run: single_node },
    Case { name: "examples::many_services_one_issuer", when: When::Always, run: super::tls::twenty },
];

fn single_node(stage: &mut Stage) -> Result<()> {
    turn::share(stage)?;
    let example = stage.surroundings.root.join("examples/terraform/single-node");
    for entry in std::fs::read_dir(&example)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "tf") {
            std::fs::copy(&path, stage.folder.join(path.file_name().context("no name")?))?;
        }
    }
    stage.terraform(&["fmt", "-check", "-diff"])?.ok()?;
    stage.set("TF_VAR_kubeconfig", stage.surroundings.kubeconfig.display().to_string());
    stage.set("TF_VAR_helm_binary", stage.surroundings.helm4.display().to_string());
    stage.set("TF_VAR_chart", stage.chart().display().to_string());
    stage.set("TF_VAR_namespace", stage.name.clone());
    stage.set("TF_VAR_api_key", "key-of-the-example");
    let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let read = |name: &str| anyhow::Ok(std::fs::read_to_string(variable(name)?)?);
    let host = format!("{}.{}", stage.name, variable("FFE_DNS_ZONE")?.trim_end_matches('.'));
    let acme = json!({ "server": variable("FFE_ACME_DIRECTORY")?, "ca_bundle": read("FFE_ACME_CA")? });
    stage.set("TF_VAR_host", host.clone());
    stage.set("TF_VAR_ingress_class", "traefik");
    stage.set("TF_VAR_acme", acme.to_string());
    stage.set("TF_VAR_resolve_to", variable("FFE_NODE_IP")?);
    stage.set("TF_VAR_trusted_roots", read("FFE_ACME_ROOTS")?);
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let outputs = stage.terraform(&["output", "-json"])?.ok()?;
    let outputs: Json = serde_json::from_str(&outputs.stdout)?;
    ensure!(outputs["revision"]["value"] == 1, "{outputs:#}");
    ensure!(outputs["url"]["value"] == format!("https://{host}"), "{outputs:#}");
    let checks = outputs["checks"]["value"].as_object().context("no checks")?;
    for check in ["chain", "names", "status", "redirect"] {
        let seen = checks.get(&format!("{host} {check}")).and_then(Json::as_str).unwrap_or_default();
        ensure!(seen.starts_with("passed"), "{check}: {checks:#?}");
    }
    // As a client sees it, without the provider's eyes: the real application behind the real controller.
    expect_headers(&expect_served(stage, &host)?)?;
    looked_at(stage)?;
    stage.destroy()?.ok().map(|_| ())
}

/// What was applied is looked at by the example's module for that.
fn looked_at(stage: &mut Stage) -> Result<()> {
    let module = stage.side("look")?;
    std::fs::copy(stage.surroundings.root.join("examples/terraform/look/main.tf"), module.join("main.tf"))?;
    std::fs::write(
        stage.folder.join("look.tf"),
        "module \"look\" {\n  source          = \"../look\"\n  namespace       = ffe_environment.this.namespace\n  \
         database_secret = ffe_environment.this.database_secret\n}\n\noutput \"look\" {\n  value = module.look\n}\n",
    )?;
    stage.terraform(&["init", "-no-color", "-input=false"])?.ok()?;
    stage.apply()?.ok()?;
    let outputs: Json = serde_json::from_str(&stage.terraform(&["output", "-json"])?.ok()?.stdout)?;
    let look = &outputs["look"]["value"];
    ensure!(look["certificate_ready"] == true, "{look:#}");
    ensure!(look["release"].as_str().is_some_and(|release| release.ends_with("revision 1: deployed")), "{look:#}");
    stage.expect_empty_plan()
}
