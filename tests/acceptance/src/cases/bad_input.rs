//! Bad input: a clear error at its attribute, and nothing happens.

use anyhow::{Result, ensure};

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "bad_input::found_by_validate", when: When::Always, run: found_by_validate },
    Case { name: "bad_input::found_by_plan", when: When::Always, run: found_by_plan },
    Case { name: "bad_input::provider_configuration", when: When::Always, run: provider_configuration },
];

fn found_by_validate(stage: &mut Stage) -> Result<()> {
    let environment = |body: &str| format!("resource \"ffe_environment\" \"this\" {{\n  name = \"dev\"\n{body}\n}}\n");
    let release = |body: &str| {
        format!(
            "resource \"ffe_release\" \"one\" {{\n  namespace = \"x\"\n  name = \"one\"\n  chart = \"./chart\"\n{body}\n}}\n"
        )
    };
    for (configuration, sentences) in [
        (
            environment("preset = \"prod\""),
            &["Invalid value for preset", "\"dev\", \"staging\", \"production\"", "\"prod\" is none of them"][..],
        ),
        (
            environment("quota = { cpu = \"lots\" }"),
            &["Invalid value for quota.cpu", "a Kubernetes quantity such as", "lots"],
        ),
        (
            environment("database = { mode = \"bundled\", storage = { size = \"20 GB\" } }"),
            &["database.storage.size", "quantity"],
        ),
        (environment("database = { mode = \"external\" }"), &["url_wo"]),
        (environment("timeout = \"10\""), &["Invalid value for timeout", "a duration such as"]),
        (environment("namespace = \"Not_A_Label\""), &["Invalid value for namespace"]),
        (release("timeout = \"soon\""), &["Invalid value for timeout", "a duration such as"]),
        (release("values = [\"a: [\"]"), &["values[0]"]),
        (release("set = [{ name = \"a[\", value = \"1\" }]"), &["set[0]"]),
        (release("max_history = 1"), &["Invalid value for max_history", "0 (all) or at least 2"]),
        (release("migration = { engine = \"flyway\" }"), &["migration.engine", "\"alembic\", \"command\""]),
        (release("migration = { engine = \"command\" }"), &["migration.upgrade_command"]),
        (
            release("verify = { json = { database = \"healthy\" } }"),
            &["\"database\" is no JSON pointer", "\"/database\""],
        ),
        (release("verify = { url = \"example.com\" }"), &["Invalid value for verify.url"]),
    ] {
        stage.configure(&configuration)?;
        stage.terraform(&["validate", "-no-color"])?.failed_with(sentences)?;
    }
    Ok(())
}

fn found_by_plan(stage: &mut Stage) -> Result<()> {
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let namespace = stage.name.clone();
    let release = |chart: &str, more: &str| {
        format!(
            "resource \"ffe_release\" \"one\" {{\n  namespace = \"{namespace}\"\n  name = \"one\"\n  chart = \"{chart}\"\n{more}\n}}\n"
        )
    };
    stage.configure(&release("./no-such-chart", ""))?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&[
        "The chart ./no-such-chart cannot be used",
        "chart = \"./no-such-chart\"",
        "no chart at",
    ])?;

    let chart = charts::one_config_map(&stage.side("chart")?)?;
    let path = chart.display().to_string();
    std::fs::write(chart.join("templates/bad.yaml"), "{{ required \"image.tag must be set\" .Values.tag }}\n")?;
    // Terraform shows the line of the attribute that a message is about.
    let at_chart = format!("chart = \"{path}\"");
    stage.configure(&release(&path, ""))?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["does not render", "image.tag must be set", &at_chart])?;
    std::fs::remove_file(chart.join("templates/bad.yaml"))?;

    std::fs::write(
        chart.join("values.schema.json"),
        "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}}}",
    )?;
    stage.configure(&release(&path, "set = [{ name = \"text\", value = \"5\" }]"))?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["does not render", "text", &at_chart])?;

    // A namespace that does not exist is found at apply: it may be made in the same run.
    stage.configure(&release(&path, "").replace(&format!("\"{namespace}\""), "\"no-such-namespace\""))?;
    stage.apply()?.failed_with(&[
        "The namespace no-such-namespace does not exist",
        "namespace = \"no-such-namespace\"",
        "ffe_environment",
    ])?;
    ensure!(stage.state("ffe_release.one")?.is_none(), "a create that failed is in state");
    Ok(())
}

fn provider_configuration(stage: &mut Stage) -> Result<()> {
    let environment = "resource \"ffe_environment\" \"this\" {\n  name = \"dev\"\n}\n";
    let provider = |kubernetes: &str| format!("provider \"ffe\" {{\n  kubernetes = {kubernetes}\n}}\n{environment}");
    let broken = stage.side("broken")?.join("kubeconfig");
    std::fs::write(&broken, "clusters: [\n")?;
    let broken = broken.display().to_string();
    let here = stage.surroundings.kubeconfig.display().to_string();
    for (configuration, sentences) in [
        (environment.to_owned(), &["KUBECONFIG", "KUBE_CONFIG_PATH", ".kube/config"][..]),
        (provider(&format!("{{ config_path = \"{broken}\" }}")), &["kubernetes.config_path", &broken]),
        (provider("{ config_path = \"/no/such/file\" }"), &["/no/such/file"]),
        (provider(&format!("{{ config_path = \"{here}\", config_context = \"nowhere\" }}")), &["nowhere"]),
    ] {
        stage.configure_with(&configuration)?;
        let output = stage.terraform(&["plan", "-no-color"])?.failed_with(sentences)?;
        ensure!(!output.text().contains("localhost:80"), "fell back to localhost:\n{}", output.text());
    }
    stage.configure_with(environment)?;
    stage.set("KUBECONFIG", here);
    stage.terraform(&["plan", "-no-color"])?.ok()?;
    Ok(())
}
