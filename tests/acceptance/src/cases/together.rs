//! What is made in one run without anything being there before, and what Helm alone has taken away.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "together::namespace_and_release", when: When::Always, run: namespace_and_release },
    Case { name: "together::uninstalled_with_its_history", when: When::Always, run: uninstalled_with_its_history },
];

/// A chart that asks the cluster what it can do, as most public ones, with a chart in it that is called `crds` and has templates
/// below a folder of that name.
fn chart(stage: &Stage) -> Result<PathBuf> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    let asks = "{{- if .Capabilities.APIVersions.Has \"apps/v1/Deployment\" }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \
                {{ .Release.Name }}-asks\ndata:\n  found: {{ dig \"metadata\" \"name\" \"nothing\" (lookup \"v1\" \"Namespace\" \"\" \
                .Release.Namespace) | quote }}\n{{- end }}\n";
    std::fs::write(chart.join("templates/asks.yaml"), asks)?;
    let inner = chart.join("charts/crds");
    std::fs::create_dir_all(inner.join("templates/crds"))?;
    std::fs::write(inner.join("Chart.yaml"), "apiVersion: v2\nname: crds\nversion: 0.1.0\n")?;
    std::fs::write(
        inner.join("templates/crds/inner.yaml"),
        "{{- if true }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-inner\n{{- end }}\n",
    )?;
    Ok(chart)
}

fn release(namespace: &str, chart: &Path) -> String {
    format!(
        "resource \"ffe_release\" \"one\" {{\n  namespace = {namespace}\n  name = \"one\"\n  chart = \"{}\"\n  timeout = \"1m\"\n}}\n",
        chart.display()
    )
}

/// The first apply makes the namespace, and what the chart sees of the cluster is another thing at apply than it was at plan.
fn namespace_and_release(stage: &mut Stage) -> Result<()> {
    let chart = chart(stage)?;
    let environment = format!(
        "resource \"ffe_environment\" \"this\" {{\n  name = \"together\"\n  namespace = \"{}\"\n  preset = \"dev\"\n}}\n",
        stage.name
    );
    stage.configure(&format!("{environment}{}", release("ffe_environment.this.namespace", &chart)))?;
    stage.apply()?.ok()?;
    let found = stage.kube.get(&["configmap", "-n", &stage.name, "one-asks"])?;
    ensure!(found.as_ref().is_some_and(|map| map["data"]["found"] == stage.name.as_str()), "{found:?}");
    let state = stage.expect_state("ffe_release.one")?;
    let made = state["changes"].as_str().map_or(0, |text| text.lines().count());
    ensure!(made == 3, "{:#}", state["changes"]);
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// `helm uninstall --keep-history` leaves a record that nothing can be upgraded from: the next apply installs it again.
fn uninstalled_with_its_history(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    stage.configure(&release(&format!("\"{}\"", stage.name), &chart))?;
    stage.apply()?.ok()?;
    stage.helm(&["uninstall", "one", "-n", &stage.name, "--keep-history"])?.ok()?;
    let plan = stage.plan()?;
    ensure!(plan["resource_changes"][0]["change"]["actions"] == serde_json::json!(["update"]), "{plan:#}");
    stage.apply()?.ok()?;
    ensure!(stage.kube.get(&["configmap", "-n", &stage.name, "one"])?.is_some(), "it is not there again");
    let state = stage.expect_state("ffe_release.one")?;
    ensure!(state["status"] == "deployed" && state["revision"] == 2, "{state:#}");
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}
