//! The data source `ffe_release`: what it tells of a release that failed and of one that is not ours.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[Case { name: "data::release", when: When::Always, run: release }];

fn release(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let namespace = stage.name.clone();
    let looked_up = |name: &str| {
        format!("data \"ffe_release\" \"{name}\" {{\n  namespace = \"{namespace}\"\n  name = \"{name}\"\n}}\n")
    };
    let body = |text: &str, more: &str| {
        format!(
            "resource \"ffe_release\" \"one\" {{\n  namespace = \"{namespace}\"\n  name = \"one\"\n  chart = \"{}\"\n  set = [{{ name = \"text\", value = \"{text}\" }}]\n{more}\n}}\n",
            chart.display()
        )
    };
    stage.configure(&body("a", ""))?;
    stage.apply()?.ok()?;
    let failing = "  verify = { url = \"http://127.0.0.1:1\", timeout = \"1s\" }";
    stage.configure(&body("b", failing))?;
    stage.apply()?.failed_with(&["failed its checks", "rolled back"])?;

    stage
        .helm(&["install", "theirs", &chart.display().to_string(), "-n", &namespace, "--description", "by hand"])?
        .ok()?;
    stage.configure(&format!("{}{}{}", body("a", ""), looked_up("one"), looked_up("theirs")))?;
    stage.apply()?.ok()?;
    let one = stage.expect_state("data.ffe_release.one")?;
    ensure!(one["revision"] == 3 && one["status"] == "deployed" && one["chart_version"] == "0.1.0", "{one:#}");
    let history: Vec<_> = one["history"].as_array().into_iter().flatten().map(|one| one["status"].clone()).collect();
    ensure!(history == [json!("superseded"), json!("superseded"), json!("deployed")], "{one:#}");
    let description = one["history"][0]["description"].as_str().unwrap_or_default();
    let first = one["journal"][0]["id"].as_str().unwrap_or_default();
    ensure!(!first.is_empty() && description.contains(first), "the history does not name its run: {one:#}");
    let outcomes: Vec<_> = one["journal"].as_array().into_iter().flatten().map(|run| run["outcome"].clone()).collect();
    ensure!(outcomes == [json!("succeeded"), json!("rolled_back")], "{one:#}");
    ensure!(one["journal"][1]["revision_before"] == 1 && one["journal"][1]["revision_after"] == 3, "{one:#}");
    let theirs = stage.expect_state("data.ffe_release.theirs")?;
    ensure!(theirs["history"][0]["description"] == "by hand" && theirs["journal"] == json!([]), "{theirs:#}");

    stage.configure(&format!("{}{}", body("a", ""), looked_up("absent")))?;
    stage.apply()?.failed_with(&[&format!("There is no release {namespace}/absent"), "helm list -A"])?;
    stage.configure(&body("a", ""))?;
    stage.helm(&["uninstall", "theirs", "-n", &namespace])?.ok()?;
    stage.destroy()?.ok().map(|_| ())
}
