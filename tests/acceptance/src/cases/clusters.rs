//! The cluster is another one, is away, or is not known yet: state is kept.

use anyhow::{Context as _, Result, ensure};

use crate::{Case, Proxy, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "clusters::another_cluster", when: When::Always, run: another_cluster },
    Case { name: "clusters::away_during_refresh", when: When::Always, run: away_during_refresh },
    Case { name: "clusters::configuration_unknown_at_plan", when: When::Always, run: unknown_at_plan },
    Case { name: "clusters::no_permission", when: When::Always, run: no_permission },
];

/// An environment and a small release, with the provider configured by `kubernetes`.
fn small(stage: &Stage, kubernetes: &str) -> Result<String> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    Ok(format!(
        r#"
provider "ffe" {{
  kubernetes = {kubernetes}
  helm       = {{ binary = "{}" }}
}}

resource "ffe_environment" "this" {{
  name      = "dev"
  preset    = "dev"
  namespace = "{}"
}}

resource "ffe_release" "one" {{
  namespace = ffe_environment.this.namespace
  name      = "one"
  chart     = "{}"
}}
"#,
        stage.surroundings.helm4.display(),
        stage.name,
        chart.display()
    ))
}

/// The first server that a kubeconfig names.
fn server_of(kubeconfig: &str) -> Result<&str> {
    kubeconfig
        .lines()
        .find_map(|line| line.trim().trim_start_matches("- ").strip_prefix("server:"))
        .map(str::trim)
        .context("no server in the kubeconfig")
}

/// The testbed's kubeconfig with another server.
fn kubeconfig_at(stage: &Stage, server: &str) -> Result<String> {
    let text = std::fs::read_to_string(&stage.surroundings.kubeconfig)?;
    let old = server_of(&text)?;
    let path = stage.side("kubeconfigs")?.join(server.replace([':', '/', '.'], "-"));
    std::fs::write(&path, text.replace(old, &format!("https://{server}")))?;
    Ok(path.display().to_string())
}

/// `host:port` of the testbed's API server.
pub(super) fn server(stage: &Stage) -> Result<String> {
    let view =
        stage.kube.run(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"])?.ok()?.stdout;
    view.trim().strip_prefix("https://").map(str::to_owned).with_context(|| format!("the API server is at {view}"))
}

fn both_in_state(stage: &mut Stage) -> Result<()> {
    ensure!(stage.state("ffe_environment.this")?.is_some(), "the environment has left the state");
    ensure!(stage.state("ffe_release.one")?.is_some(), "the release has left the state");
    Ok(())
}

fn another_cluster(stage: &mut Stage) -> Result<()> {
    let Some(other) = std::env::var_os("FFE_OTHER_KUBECONFIG") else {
        anyhow::bail!("FFE_OTHER_KUBECONFIG is not set")
    };
    let here = stage.surroundings.kubeconfig.display().to_string();
    let configuration = small(stage, &format!("{{ config_path = \"{here}\" }}"))?;
    stage.configure_with(&configuration)?;
    stage.apply()?.ok()?;
    let mine = server(stage)?;
    let theirs = std::fs::read_to_string(&other)?;
    let theirs = server_of(&theirs)?.trim_start_matches("https://").to_owned();
    ensure!(mine != theirs, "the other cluster is the same one");
    let configuration = small(stage, &format!("{{ config_path = \"{}\" }}", other.to_string_lossy()))?;
    stage.configure_with(&configuration)?;
    let both = ["another cluster", mine.as_str(), theirs.as_str()];
    for arguments in [
        &["plan", "-no-color", "-input=false"][..],
        &["apply", "-refresh-only", "-auto-approve", "-no-color"],
        &["destroy", "-auto-approve", "-no-color"],
    ] {
        stage.terraform(arguments)?.failed_with(&both)?;
        both_in_state(stage)?;
    }
    let configuration = small(stage, &format!("{{ config_path = \"{here}\" }}"))?;
    stage.configure_with(&configuration)?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn away_during_refresh(stage: &mut Stage) -> Result<()> {
    let proxy = Proxy::start(&server(stage)?)?;
    let path = kubeconfig_at(stage, &proxy.address().to_string())?;
    let configuration = small(stage, &format!("{{ config_path = \"{path}\" }}"))?;
    stage.configure_with(&configuration)?;
    stage.apply()?.ok()?;
    proxy.cut();
    stage.terraform(&["plan", "-no-color", "-input=false"])?.failed_with(&[&proxy.address().to_string()])?;
    stage.terraform(&["apply", "-refresh-only", "-auto-approve", "-no-color"])?.failed_with(&[])?;
    both_in_state(stage)?;
    proxy.mend();
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn unknown_at_plan(stage: &mut Stage) -> Result<()> {
    let here = stage.surroundings.kubeconfig.display().to_string();
    let made = format!("resource \"terraform_data\" \"cluster\" {{\n  input = \"{here}\"\n}}\n");
    let configuration = small(stage, "{ config_path = terraform_data.cluster.output }")?;
    stage.configure_with(&format!("{made}{configuration}"))?;
    let planned = stage.planned_actions()?;
    ensure!(planned.len() == 3 && planned.iter().all(|(_, action)| action == "create"), "{planned:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn no_permission(stage: &mut Stage) -> Result<()> {
    let namespace = stage.name.clone();
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    stage.kube.run(&["create", "serviceaccount", "-n", &namespace, "nobody"])?.ok()?;
    let token = stage.kube.run(&["create", "token", "-n", &namespace, "nobody"])?.ok()?.stdout.trim().to_owned();
    let host = server(stage)?;
    let view = stage
        .kube
        .run(&[
            "config",
            "view",
            "--raw",
            "--minify",
            "-o",
            "jsonpath={.clusters[0].cluster.certificate-authority-data}",
        ])?
        .ok()?;
    let certificate = format!("base64decode(\"{}\")", view.stdout.trim());
    stage.set("TF_VAR_token", token);
    let kubernetes =
        format!("{{ host = \"https://{host}\", token = var.token, cluster_ca_certificate = {certificate} }}");
    let variable = "variable \"token\" {\n  ephemeral = true\n}\n";
    let configuration = small(stage, &kubernetes)?
        .replace(&format!("namespace = \"{namespace}\""), &format!("namespace = \"{namespace}-new\""));
    stage.configure_with(&format!("{variable}{configuration}"))?;
    stage.apply()?.failed_with(&["orbidden", "nobody"])?;
    ensure!(stage.state("ffe_environment.this")?.is_none(), "a create that was forbidden is in state");

    // A release alone: found at plan already, and said what is missing.
    let environment = configuration.find("resource \"ffe_environment\"").context("no environment")?;
    let release = configuration.find("resource \"ffe_release\"").context("no release")?;
    let alone = format!("{}{}", &configuration[..environment], &configuration[release..])
        .replace("ffe_environment.this.namespace", &format!("\"{namespace}\""));
    stage.configure_with(&format!("{variable}{alone}"))?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["orbidden", "nobody", "secrets"])?;
    Ok(())
}
