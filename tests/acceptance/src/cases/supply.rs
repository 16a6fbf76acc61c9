//! Charts that are signed, charts behind a password, and charts that bring kinds of their own.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value as Json, json};

use crate::{Case, Stage, When, charts, serve};

pub(super) const CASES: &[Case] = &[
    Case { name: "supply::signed_charts", when: When::Always, run: signed_charts },
    Case { name: "supply::private_registry", when: When::Always, run: private_registry },
    Case { name: "supply::crds_by_policy", when: When::Always, run: crds_by_policy },
];

fn release(stage: &Stage, body: &str) -> String {
    format!(
        "resource \"ffe_release\" \"one\" {{\n  namespace = \"{}\"\n  name = \"one\"\n  timeout = \"1m\"\n{body}\n}}\n",
        stage.name
    )
}

/// A provider block for one of the majors of Helm.
fn provider(stage: &Stage, helm: &Path, more: &str) -> String {
    format!(
        "provider \"ffe\" {{\n  kubernetes = {{ config_path = \"{}\" }}\n  helm = {{ binary = \"{}\"{more} }}\n}}\n",
        stage.surroundings.kubeconfig.display(),
        helm.display()
    )
}

fn packed(stage: &mut Stage, arguments: &[&str]) -> Result<PathBuf> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    let folder = stage.side("packed")?;
    let (chart, to) = (chart.display().to_string(), folder.display().to_string());
    let mut all = vec!["package", chart.as_str(), "-d", to.as_str()];
    all.extend_from_slice(arguments);
    stage.helm(&all)?.ok()?;
    Ok(folder.join("sample-0.1.0.tgz"))
}

/// Signed by a key that is trusted: deployed. Unsigned, or changed after it was signed: refused before anything is done.
fn signed_charts(stage: &mut Stage) -> Result<()> {
    let keys = stage.surroundings.root.join("tests/acceptance/fixtures/signing");
    let (public, secret) =
        (keys.join("pubring.gpg").display().to_string(), keys.join("secring.gpg").display().to_string());
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let archive = packed(stage, &["--sign", "--key", "charts@example.invalid", "--keyring", &secret])?;
    let verified =
        |chart: &str| format!("  chart = {chart}\n  provenance = {{ verify = true, keyring = \"{public}\" }}");
    let local = verified(&format!("\"{}\"", archive.display()));
    for helm in [stage.surroundings.helm4.clone(), stage.surroundings.helm3.clone()] {
        stage.configure_with(&format!("{}{}", provider(stage, &helm, ""), release(stage, &local)))?;
        stage.apply()?.ok()?;
        stage.expect_empty_plan()?;
    }
    let folder = archive.parent().context("no folder")?.to_owned();
    let url = serve(&folder)?;
    stage.helm(&["repo", "index", &folder.display().to_string(), "--url", &url])?.ok()?;
    stage.configure(&release(stage, &verified(&format!("\"sample\"\n  repository = \"{url}\""))))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;

    let genuine = std::fs::read(&archive)?;
    let edited = stage.side("edited")?;
    std::fs::copy(stage.side("chart")?.join("Chart.yaml"), edited.join("Chart.yaml"))?;
    stage.helm(&["package", &edited.display().to_string(), "-d", &folder.display().to_string()])?.ok()?;
    for helm in [stage.surroundings.helm4.clone(), stage.surroundings.helm3.clone()] {
        let block = provider(stage, &helm, "");
        stage.configure_with(&format!(
            "{block}{}",
            release(stage, &format!("{local}\n  set = [{{ name = \"text\", value = \"b\" }}]"))
        ))?;
        stage.terraform(&["plan", "-no-color"])?.failed_with(&["cannot be used", "sha256 sum does not match"])?;
    }
    std::fs::write(&archive, genuine)?;
    std::fs::remove_file(folder.join("sample-0.1.0.tgz.prov"))?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["cannot be used", "sample-0.1.0.tgz.prov"])?;
    let directory = verified(&format!("\"{}\"", stage.side("chart")?.display()));
    stage.configure(&release(stage, &directory))?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["provenance can be verified of packed charts only"])?;
    // A plan to destroy is a plan too: it wants a chart that can be used.
    let plain = format!("  chart = \"{}\"", stage.side("chart")?.display());
    stage.configure(&release(stage, &plain))?;
    stage.destroy()?.ok().map(|_| ())
}

/// The testbed's registry, behind a password, for one case.
struct Registry(Child);

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn registry(stage: &Stage, users: &str) -> Result<(Registry, String)> {
    let program = stage.surroundings.kubectl.with_file_name("registry");
    let file = stage.side("registry")?.join("users");
    std::fs::write(&file, users)?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut command = crate::program(&program);
    command.args(["-listen", &address.to_string(), "-users"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Registry(command.spawn().with_context(|| format!("starting {}", program.display()))?);
    let started = Instant::now();
    while TcpStream::connect(address).is_err() {
        ensure!(started.elapsed() < Duration::from_secs(20), "the registry does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok((running, address.to_string()))
}

/// Credentials of the release or of the provider, by tag and by digest, with both majors; nothing is kept in the user's home.
fn private_registry(stage: &mut Stage) -> Result<()> {
    const PASSWORD: &str = "r3gistry-c4nary";
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let archive = packed(stage, &[])?.display().to_string();
    let (_registry, address) = registry(stage, &format!("me:{PASSWORD}\n"))?;
    let folder = format!("oci://{address}/charts");
    let pushed =
        stage.helm(&["push", &archive, &folder, "--plain-http", "--username", "me", "--password", PASSWORD])?.ok()?;
    let text = pushed.text();
    let digest =
        text.lines().find_map(|line| line.trim().strip_prefix("Digest: ")).context("no digest")?.trim().to_owned();
    stage.set("TF_VAR_password", PASSWORD);
    let variable = "variable \"password\" {\n  ephemeral = true\n}\n";
    let own = "\n  repository_username = \"me\"\n  repository_password_wo = var.password";
    let known = format!(", registries = [{{ url = \"{address}\", username = \"me\", password = var.password }}]");
    for helm in [stage.surroundings.helm4.clone(), stage.surroundings.helm3.clone()] {
        for (more, chart) in [
            ("", format!("  chart = \"{folder}/sample\"\n  version = \"0.1.0\"{own}")),
            (known.as_str(), format!("  chart = \"{folder}/sample:0.1.0\"")),
            (known.as_str(), format!("  chart = \"{folder}/sample@{digest}\"")),
        ] {
            stage.configure_with(&format!("{variable}{}{}", provider(stage, &helm, more), release(stage, &chart)))?;
            stage.apply()?.ok()?;
            stage.expect_empty_plan()?;
        }
    }
    let state = std::fs::read_to_string(stage.folder.join("terraform.tfstate"))?;
    ensure!(!state.contains(PASSWORD), "the password is in the state");
    let home = stage.folder.parent().context("no home")?;
    for place in [".config", ".cache", ".docker", ".local"] {
        ensure!(!home.join(place).exists(), "something was written to {place} of the home");
    }

    let other = format!("{folder}/sample@sha256:{}", "0".repeat(64));
    let helm = stage.surroundings.helm4.clone();
    stage.configure_with(&format!(
        "{variable}{}{}",
        provider(stage, &helm, &known),
        release(stage, &format!("  chart = \"{other}\""))
    ))?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["cannot be used"])?;
    stage.set("TF_VAR_password", "wr0ng-c4nary");
    let chart = format!(
        "  chart = \"{folder}/sample\"\n  version = \"0.1.0\"{own}\n  set = [{{ name = \"text\", value = \"b\" }}]"
    );
    stage.configure_with(&format!("{variable}{}{}", provider(stage, &helm, ""), release(stage, &chart)))?;
    let refused = stage.terraform(&["plan", "-no-color"])?.failed_with(&["cannot be used", "401"])?;
    ensure!(!refused.text().contains("wr0ng-c4nary"), "the password is shown");
    stage.set("TF_VAR_password", PASSWORD);
    stage.destroy()?.ok().map(|_| ())
}

fn definition(group: &str, kind: &str, properties: &str) -> String {
    let plural = format!("{}s", kind.to_lowercase());
    format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{ name: {plural}.{group} }}\nspec:\n  group: {group}\n  scope: Namespaced\n  names: {{ kind: {kind}, plural: {plural}, singular: {} }}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {{ openAPIV3Schema: {{ type: object, properties: {{ spec: {{ type: object, properties: {{ {properties} }} }} }} }} }}\n",
        kind.to_lowercase()
    )
}

/// Created and left alone by default; brought up to date where it is asked for, with a warning; never deleted.
fn crds_by_policy(stage: &mut Stage) -> Result<()> {
    let group = format!("{}.example", stage.name);
    let name = format!("things.{group}");
    let result = crds(stage, &group, &name);
    stage.kube.run(&["delete", "crd", "--ignore-not-found", &name, &format!("others.{group}")])?.ok()?;
    result
}

fn crds(stage: &mut Stage, group: &str, name: &str) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    std::fs::create_dir_all(chart.join("crds"))?;
    let write = |text: String| std::fs::write(chart.join("crds/thing.yaml"), text);
    let body = |policy: &str| format!("  chart = \"{}\"\n  crds = \"{policy}\"", chart.display());
    let properties = |stage: &Stage| -> Result<Json> {
        let live = stage.kube.get(&["crd", name])?.context("no definition")?;
        Ok(live["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].clone())
    };
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    write(definition(group, "Thing", "a: { type: string }"))?;
    stage.configure(&release(stage, &body("create")))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;

    write(definition(group, "Thing", "a: { type: string }, b: { type: string }"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(properties(stage)? == json!({ "a": { "type": "string" } }), "it was replaced without being asked");

    stage.configure(&release(stage, &body("create_replace")))?;
    stage
        .terraform(&["plan", "-no-color", "-input=false"])?
        .ok()?
        .says(&[&format!("The custom resource definition {name} will be replaced"), "/spec/versions/0/schema"])?;
    let plan = stage.plan()?;
    let changes = &plan["resource_changes"][0]["change"]["after"]["changes"];
    let replaced = format!("replace CustomResourceDefinition/{name}: /");
    ensure!(changes.as_str().is_some_and(|text| text.starts_with(&replaced)), "{changes:#}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(properties(stage)?["b"] == json!({ "type": "string" }), "it was not replaced");

    // A later version of the chart brings another kind, and an object of it.
    std::fs::write(chart.join("crds/other.yaml"), definition(group, "Other", "a: { type: string }"))?;
    std::fs::write(
        chart.join("templates/other.yaml"),
        format!("apiVersion: {group}/v1\nkind: Other\nmetadata: {{ name: one }}\nspec: {{ a: x }}\n"),
    )?;
    stage.configure(&release(stage, &body("create")))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(
        stage.kube.get(&[&format!("others.{group}"), "-n", &stage.name, "one"])?.is_some(),
        "no object of the new kind"
    );
    stage.destroy()?.ok()?;
    ensure!(stage.kube.get(&["crd", name])?.is_some(), "the definition was deleted");
    Ok(())
}
