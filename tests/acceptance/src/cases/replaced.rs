//! Releases that are made anew in their own place, and releases that go although something of their configuration is gone already.

use anyhow::{Result, ensure};

use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "replaced::in_its_own_place", when: When::Always, run: in_its_own_place },
    Case { name: "replaced::destroyed_without_its_chart", when: When::Always, run: destroyed_without_its_chart },
];

fn in_its_own_place(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let namespace = stage.name.clone();
    let body = |address: &str, trigger: &str, lifecycle: &str| {
        format!(
            "resource \"terraform_data\" \"trigger\" {{\n  input = \"{trigger}\"\n}}\n\nresource \"ffe_release\" \"{address}\" {{\n  namespace = \"{namespace}\"\n  name = \"one\"\n  chart = \"{}\"\n  lifecycle {{\n    {lifecycle}\n  }}\n}}\n",
            chart.display()
        )
    };
    let triggered = "replace_triggered_by = [terraform_data.trigger]";
    stage.configure(&body("one", "a", triggered))?;
    stage.apply()?.ok()?;
    let uid = |stage: &Stage| {
        stage
            .kube
            .run(&["get", "configmap", "one", "-n", &namespace, "-o", "jsonpath={.metadata.uid}"])?
            .ok()
            .map(|it| it.stdout)
    };
    let mut before = uid(stage)?;

    let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
    let replace = [&apply[..], &["-replace=ffe_release.one"]].concat();
    // Terraform shows no warnings of a provider for a replacement that it was asked for.
    stage.terraform(&replace)?.ok()?.says(&["will be replaced, as requested"])?;
    let mut anew = |stage: &mut Stage, what: &str| -> Result<()> {
        let now = uid(stage)?;
        ensure!(now != before, "{what}: nothing was made anew");
        before = now;
        Ok(())
    };
    anew(stage, "-replace")?;
    stage.terraform(&["taint", "ffe_release.one"])?.ok()?;
    stage.apply()?.ok()?.says(&["is uninstalled, and installed anew", "It does not serve in between"])?;
    anew(stage, "a taint")?;
    stage.configure(&body("one", "b", triggered))?;
    stage.apply()?.ok()?;
    anew(stage, "replace_triggered_by")?;
    stage.expect_empty_plan()?;
    ensure!(stage.expect_state("ffe_release.one")?["revision"] == 1);

    // Two of a name cannot stand beside each other: nothing is changed, and it is said.
    stage.configure(&body("one", "b", "create_before_destroy = true"))?;
    stage.terraform(&replace)?.failed_with(&["take create_before_destroy = true out", "terraform state rm"])?;
    ensure!(anew(stage, "").is_err(), "the release was made anew though it was refused");
    // Terraform has put it aside; the way out is in both errors.
    stage.configure(&body("one", "b", ""))?;
    stage.apply()?.failed_with(&["deposed", "terraform state rm", "terraform import"])?;
    stage.terraform(&["state", "rm", "ffe_release.one"])?.ok()?;
    stage.terraform(&["import", "-no-color", "ffe_release.one", &format!("{namespace}/one")])?.ok()?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(anew(stage, "").is_err(), "the release was made anew though it was imported");

    // Another address is no other release.
    stage.configure(&body("two", "b", ""))?;
    stage.apply()?.failed_with(&["has got another address", "moved {"])?;
    let moved = "moved {\n  from = ffe_release.one\n  to   = ffe_release.two\n}\n";
    stage.configure(&format!("{}{moved}", body("two", "b", "")))?;
    stage.apply()?.ok()?.says(&["0 added, 0 changed, 0 destroyed"])?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

fn destroyed_without_its_chart(stage: &mut Stage) -> Result<()> {
    let folder = stage.side("chart")?;
    let chart = charts::one_config_map(&folder)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let namespace = stage.name.clone();
    let release = |name: &str| {
        format!(
            "resource \"ffe_release\" \"{name}\" {{\n  namespace = \"{namespace}\"\n  name = \"{name}\"\n  chart = \"{}\"\n}}\n\n",
            chart.display()
        )
    };
    stage.configure(&format!("{}{}", release("one"), release("two")))?;
    stage.apply()?.ok()?;
    // A plan that could not be carried out says so, and the apply refuses.
    let template = chart.join("templates/broken.yaml");
    std::fs::write(&template, "{{ fail \"not any more\" }}")?;
    stage
        .terraform(&["plan", "-no-color", "-input=false"])?
        .ok()?
        .says(&["not any more", "a destroy needs none of it"])?;
    stage.apply()?.failed_with(&["not any more"])?;
    std::fs::remove_dir_all(&chart)?;
    // One is taken out of the configuration, the other is destroyed with all that is left.
    stage.configure(&release("two"))?;
    stage.apply()?.ok()?;
    ensure!(stage.state("ffe_release.one")?.is_none());
    stage.destroy()?.ok()?;
    let left = stage.helm(&["list", "-q", "-n", &namespace])?.ok()?;
    ensure!(left.stdout.trim().is_empty(), "{}", left.stdout);
    Ok(())
}
