//! The program's own commands, by somebody who looks on while terraform works: `watch`, `status`; and `check`, against what terraform
//! makes of the same configuration.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value as Json;

use crate::command::{program, run};
use crate::{Case, Stage, When, charts};

pub(super) const CASES: &[Case] = &[
    Case { name: "commands::watch", when: When::Always, run: watch },
    Case { name: "commands::check", when: When::Always, run: check },
];

/// `terraform-provider-ffe` with these arguments, on the testbed.
fn ffe(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = program(&stage.surroundings.provider);
    command.current_dir(&stage.folder).args(arguments).env("KUBECONFIG", &stage.surroundings.kubeconfig);
    command
}

fn watch(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    let namespace = stage.name.clone();
    let release = format!("{namespace}/web");
    stage.kube.run(&["create", "namespace", &namespace])?.ok()?;
    let body = |image: &str, seconds: u32| {
        format!(
            "resource \"ffe_release\" \"web\" {{\n  namespace = \"{namespace}\"\n  name = \"web\"\n  chart = \"{}\"\n  values = [yamlencode({{ image = \"{image}\", hookSeconds = {seconds} }})]\n  timeout = \"3m\"\n}}\n",
            chart.display()
        )
    };
    let nobody = run(&mut ffe(stage, &["status", &release]))?;
    ensure!(nobody.code == 2 && nobody.stderr.contains("no release web"), "{}", nobody.text());

    stage.configure(&body("ffe-backend:1.0.0", 10))?;
    let apply = ["apply", "-auto-approve", "-no-color", "-input=false"];
    let mut terraform = stage.start(&apply)?;
    // Begun before the run is: it waits for it, and ends with it.
    let seen = run(&mut ffe(stage, &["watch", &release, "--json", "--interval", "1"]))?;
    ensure!(terraform.wait()?.success(), "{}", stage.started_log());
    ensure!(seen.code == 0, "{}", seen.text());
    let lines: Vec<Json> = seen.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let outcomes: Vec<&str> = lines.iter().filter_map(|line| line[0]["run"]["outcome"].as_str()).collect();
    ensure!(outcomes.contains(&"running") && outcomes.last() == Some(&"succeeded"), "{outcomes:?}");
    let deploying =
        |line: &&Json| line[0]["run"]["phases"].as_array().into_iter().flatten().any(|it| it["name"] == "deploy");
    ensure!(lines.iter().any(|line| deploying(&line)), "{}", seen.stdout);

    let after = run(&mut ffe(stage, &["status", &namespace]))?;
    ensure!(after.code == 0, "{}", after.text());
    for part in [&format!("{release}\n"), "revision 1 deployed", "run ", "succeeded at ", "Deployment web  ready"] {
        ensure!(after.stdout.contains(part), "{part:?} is not in\n{}", after.stdout);
    }

    // One that fails, looked at on its way.
    stage.configure(&body("nowhere.invalid/web:2", 0))?;
    let mut terraform = stage.start(&apply)?;
    let seen = run(&mut ffe(stage, &["watch", &release, "--interval", "1"]))?;
    ensure!(!terraform.wait()?.success(), "{}", stage.started_log());
    ensure!(seen.code == 1, "{}", seen.text());
    for part in ["rollout    running for ", "rolled_back at ", "nowhere.invalid/web:2", "What to do:"] {
        ensure!(seen.stdout.contains(part), "{part:?} is not in\n{}", seen.stdout);
    }
    stage.configure(&body("ffe-backend:1.0.0", 10))?;
    stage.destroy()?.ok().map(|_| ())
}

/// What terraform calls valid and drops, `check` finds; where an object comes out empty the plan warns.
fn check(stage: &mut Stage) -> Result<()> {
    let chart = charts::one_config_map(&stage.side("chart")?)?;
    stage.kube.run(&["create", "namespace", &stage.name])?.ok()?;
    let body = format!(
        "resource \"ffe_release\" \"one\" {{\n  namespace = \"{}\"\n  name = \"one\"\n  chart = \"{}\"\n  drift = {{ ignored = [\"x\"] }}\n  remediation = {{ retries = 1, on_failure = \"keep\" }}\n}}\n",
        stage.name,
        chart.display()
    );
    stage.configure(&body)?;
    stage.terraform(&["validate", "-no-color"])?.ok()?.says(&["drift is empty", "There are:"])?;
    let found = run(&mut ffe(stage, &["check"]))?;
    ensure!(found.code == 1, "{}", found.text());
    for part in [
        "drift has no attribute \"ignored\"",
        "Did you mean drift.ignore?",
        "remediation has no attribute \"on_failure\"",
    ] {
        ensure!(found.stdout.contains(part), "{part:?} is not in\n{}", found.stdout);
    }
    stage.configure(&body.replace("ignored = [\"x\"]", "mode = \"warn\"").replace(", on_failure = \"keep\"", ""))?;
    let found = run(&mut ffe(stage, &["check"]))?;
    ensure!(found.code == 0, "{}", found.text());
    let valid = stage.terraform(&["validate", "-no-color"])?.ok()?;
    ensure!(!valid.flat().contains("is empty"), "{}", valid.text());
    Ok(())
}
