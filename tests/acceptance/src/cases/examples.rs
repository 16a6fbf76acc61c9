//! The examples, as users copy them.

use anyhow::{Context as _, Result, ensure};

use crate::{Case, Stage, When};

pub(super) const CASES: &[Case] = &[Case { name: "examples::single_node", when: When::Always, run: single_node }];

fn single_node(stage: &mut Stage) -> Result<()> {
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
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let outputs = stage.terraform(&["output", "-json"])?.ok()?;
    let outputs: serde_json::Value = serde_json::from_str(&outputs.stdout)?;
    ensure!(outputs["revision"]["value"] == 1, "{outputs:#}");
    stage.destroy()?.ok().map(|_| ())
}
