//! Where a chart may come from, with both majors of Helm.

use anyhow::{Context as _, Result, ensure};

use crate::{Case, Proxy, Stage, When, charts, serve};

pub(super) const CASES: &[Case] = &[
    Case { name: "sources::helm3", when: When::Always, run: helm3 },
    Case { name: "sources::archive_repository_and_oci", when: When::Always, run: archive_repository_and_oci },
];

fn release(stage: &Stage, body: &str) -> String {
    format!("resource \"ffe_release\" \"one\" {{\n  namespace = \"{}\"\n  name = \"one\"\n{body}\n}}\n", stage.name)
}

fn helm3(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let provider = format!(
        "provider \"ffe\" {{\n  kubernetes = {{ config_path = \"{}\" }}\n  helm = {{ binary = \"{}\" }}\n}}\n",
        stage.surroundings.kubeconfig.display(),
        stage.surroundings.helm3.display()
    );
    let body = |text: &str| {
        format!(
            "chart = \"{}\"\nset = [{{ name = \"text\", value = \"{text}\" }}]\nverify = {{ path = \"/main.py\", timeout = \"30s\" }}",
            chart.display()
        )
    };
    stage.configure_with(&format!("{provider}{}", release(stage, &body("a"))))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.configure_with(&format!("{provider}{}", release(stage, &body("b"))))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(stage.expect_state("ffe_release.one")?["revision"] == 2);
    // The other major takes it over as it is.
    stage.configure(&release(stage, &body("b")))?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn archive_repository_and_oci(stage: &mut Stage) -> Result<()> {
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    let packed = stage.side("packed")?;
    let to = packed.display().to_string();
    stage.helm(&["package", &chart.display().to_string(), "-d", &to])?.ok()?;
    let archive = packed.join("sample-0.1.0.tgz");

    stage.configure(&release(stage, &format!("chart = \"{}\"", archive.display())))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;

    let url = serve(&packed)?;
    stage.helm(&["repo", "index", &to, "--url", &url])?.ok()?;
    stage.configure(&release(stage, &format!("chart = \"sample\"\nrepository = \"{url}\"\nversion = \"0.1.0\"")))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.configure(&release(stage, &format!("chart = \"absent\"\nrepository = \"{url}\"")))?;
    stage.terraform(&["plan", "-no-color"])?.failed_with(&["The chart absent cannot be used"])?;

    // It speaks plain HTTP, which is taken on the loopback address alone.
    let registry = Proxy::start(&std::env::var("FFE_REGISTRY").context("FFE_REGISTRY is not set")?)?.address();
    let folder = format!("oci://{registry}/{}", stage.name);
    stage.helm(&["push", &archive.display().to_string(), &folder, "--plain-http"])?.ok()?;
    stage.configure(&release(stage, &format!("chart = \"{folder}/sample\"\nversion = \"0.1.0\"")))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}
