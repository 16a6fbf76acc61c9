//! Ctrl-C: what is under way comes to a safe point, and the next apply goes on from there.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::kills::journal;
use crate::{Case, Stage, When, charts, processes};

pub(super) const CASES: &[Case] =
    &[Case { name: "interrupts::during_an_install", when: When::Always, run: during_an_install }];

/// How long the install takes when nobody stops it.
const HOOK_SECONDS: u64 = 60;

fn during_an_install(stage: &mut Stage) -> Result<()> {
    let chart = charts::web_server(&stage.side("chart")?)?;
    let namespace = stage.name.clone();
    stage.configure(&format!(
        r#"
resource "ffe_environment" "this" {{
  name      = "dev"
  preset    = "dev"
  namespace = "{namespace}"
}}

resource "ffe_release" "web" {{
  namespace = ffe_environment.this.namespace
  name      = "web"
  chart     = "{}"
  set       = [{{ name = "hookSeconds", value = "{HOOK_SECONDS}" }}]
  timeout   = "3m"
}}
"#,
        chart.display()
    ))?;
    let mut terraform = stage.start(&["apply", "-auto-approve", "-no-color", "-input=false"])?;
    let limit = Duration::from_secs(120);
    stage.kube.until("the hook runs", limit, |kube| Ok(!kube.names(&namespace, "jobs")?.is_empty()))?;
    processes::interrupt(terraform.id())?;
    let interrupted = Instant::now();
    ensure!(!terraform.wait()?.success(), "terraform succeeded although it was interrupted");
    let took = interrupted.elapsed();
    let said = stage.started_log();
    ensure!(took < Duration::from_secs(HOOK_SECONDS / 2), "it went on for {} s:\n{said}", took.as_secs());
    // Terraform kills a provider that does not answer: then nothing of this would be there.
    let flat = said.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    for sentence in ["The release web was interrupted", "in the phase deploy", "the next apply goes on from there"] {
        ensure!(flat.contains(sentence), "does not say {sentence:?}:\n{said}");
    }
    let journal = journal(&stage.kube, &namespace, "web")?.context("no journal")?;
    ensure!(journal["runs"][0]["outcome"] == "interrupted", "{journal:#}");
    ensure!(stage.state("ffe_release.web")?.is_none(), "an interrupted create is in state");

    let actions = stage.planned_actions()?;
    ensure!(actions == [("ffe_release.web".to_owned(), "create".to_owned())], "{actions:?}");
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}
