//! Plans without changes: of releases, and of as many `terraform_data`, which is the least that Terraform itself needs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::median;
use super::usage::{Usage, Watch};
use crate::kubectl::Kubectl;
use crate::terraform::Terraform;
use crate::workspace::Workspace;
use crate::{process, tell};

const CHART: [(&str, &str); 2] = [
    ("Chart.yaml", "apiVersion: v2\nname: tiny\nversion: 0.1.0\n"),
    (
        "templates/configmap.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  greeting: hello\n",
    ),
];

/// What was measured for one number of releases.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) releases: Duration,
    pub(super) floor: Duration,
    /// What the provider's processes used in one plan.
    pub(super) usage: Usage,
}

/// The folders with the configurations, and the releases that they describe.
#[derive(Debug)]
pub(super) struct Plans<'a> {
    workspace: &'a Workspace,
    terraform: &'a Terraform,
    folder: &'a Path,
    kubectl: Kubectl,
    /// The cluster that is there now.
    identity: String,
}

impl<'a> Plans<'a> {
    pub(super) fn new(workspace: &'a Workspace, terraform: &'a Terraform, folder: &'a Path) -> Result<Plans<'a>> {
        let kubectl = Kubectl::new(workspace.testbed.binary("kubectl"), &workspace.testbed.kubeconfig());
        let identity = kubectl.cluster_identity()?;
        for (name, text) in CHART {
            write(&folder.join("chart").join(name), text)?;
        }
        Ok(Plans { workspace, terraform, folder, kubectl, identity })
    }

    /// Makes what is missing and times the plans in turns, so that both see the same machine.
    pub(super) fn measure(&self, size: usize, runs: usize) -> Result<Timed> {
        let floor = self.floor(size)?;
        let releases = self.releases(size)?;
        let mut times = (Vec::new(), Vec::new());
        for run in 1..=runs {
            times.0.push(self.plan(&releases)?);
            times.1.push(self.plan(&floor)?);
            tell::note(format!("plan {run}: {:.2?} against {:.2?}", times.0[run - 1], times.1[run - 1]));
        }
        let watch = Watch::start(self.terraform.plugin())?;
        self.plan(&releases)?;
        let usage = watch.end();
        ensure!(usage.peak > 0, "the plugin was not seen while it planned");
        Ok(Timed { releases: median(times.0), floor: median(times.1), usage })
    }

    fn plan(&self, folder: &Path) -> Result<Duration> {
        let mut command = self.terraform.command(folder, &["plan", "-detailed-exitcode", "-no-color"]);
        let started = Instant::now();
        let output = command.output()?;
        let time = started.elapsed();
        ensure!(
            output.status.success(),
            "the plan in {} is not one without changes ({}):\n{}{}",
            folder.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(time)
    }

    fn floor(&self, size: usize) -> Result<PathBuf> {
        let folder = self.folder.join(format!("floor-{size}"));
        let text = format!(
            "resource \"terraform_data\" \"many\" {{\n  count = {size}\n  input = \"release-${{count.index}}\"\n}}\n"
        );
        write(&folder.join("main.tf"), &text)?;
        self.apply(&folder)?;
        Ok(folder)
    }

    fn releases(&self, size: usize) -> Result<PathBuf> {
        let folder = self.folder.join(format!("releases-{size}"));
        let namespace = format!("ffe-bench-{size}");
        let text = format!(
            r#"terraform {{
  required_providers {{
    ffe = {{ source = "three-rivers-tech/ffe" }}
  }}
}}

provider "ffe" {{
  kubernetes = {{ config_path = "{kubeconfig}" }}
  helm       = {{ binary = "{helm}" }}
}}

resource "ffe_release" "many" {{
  count     = {size}
  namespace = "{namespace}"
  name      = "release-${{count.index}}"
  chart     = "{chart}"
}}
"#,
            kubeconfig = self.workspace.testbed.kubeconfig().display(),
            helm = self.workspace.testbed.binary("helm4").display(),
            chart = self.folder.join("chart").display(),
        );
        write(&folder.join("main.tf"), &text)?;
        let recorded = folder.join("cluster");
        if std::fs::read_to_string(&recorded).unwrap_or_default() != self.identity {
            // The testbed was started anew: what the state describes is gone.
            for name in ["terraform.tfstate", "terraform.tfstate.backup"] {
                if folder.join(name).exists() {
                    std::fs::remove_file(folder.join(name))?;
                }
            }
            write(&recorded, &self.identity)?;
        }
        if self.kubectl.output(&["get", "namespace", &namespace]).is_err() {
            self.kubectl.output(&["create", "namespace", &namespace])?;
        }
        let started = Instant::now();
        self.apply(&folder)?;
        tell::note(format!("the releases are there ({})", tell::time(started.elapsed())));
        Ok(folder)
    }

    fn apply(&self, folder: &Path) -> Result<()> {
        self.terraform.init(folder)?;
        process::output(&mut self.terraform.command(folder, &["apply", "-auto-approve", "-no-color"])).map(drop)
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
