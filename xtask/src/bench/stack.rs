//! Configurations of many small releases, and of as many `terraform_data`, applied for measuring.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::kubectl::Kubectl;
use crate::terraform::Terraform;
use crate::workspace::Workspace;
use crate::{process, tell};

const CHART: [(&str, &str); 2] = [
    ("Chart.yaml", "apiVersion: v2\nname: tiny\nversion: 0.1.0\n"),
    (
        "templates/configmap.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\ndata:\n  greeting: {{ .Values.greeting | default \"hello\" }}\n",
    ),
];

/// Where the configurations lie, and what they are applied with.
#[derive(Debug)]
pub(super) struct Stack<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) terraform: &'a Terraform,
    pub(super) kubectl: Kubectl,
    folder: &'a Path,
    /// The cluster that is there now.
    identity: String,
}

impl<'a> Stack<'a> {
    pub(super) fn new(workspace: &'a Workspace, terraform: &'a Terraform, folder: &'a Path) -> Result<Stack<'a>> {
        let kubectl = Kubectl::new(workspace.testbed.binary("kubectl"), &workspace.testbed.kubeconfig());
        let identity = kubectl.cluster_identity()?;
        for (name, text) in CHART {
            write(&folder.join("chart").join(name), text)?;
        }
        Ok(Stack { workspace, terraform, kubectl, folder, identity })
    }

    /// The chart of one ConfigMap.
    pub(super) fn chart(&self) -> PathBuf {
        self.folder.join("chart")
    }

    /// Helm's binary.
    pub(super) fn helm(&self) -> PathBuf {
        self.workspace.testbed.binary("helm4")
    }

    /// A folder with as many `terraform_data`, applied.
    pub(super) fn floor(&self, size: usize) -> Result<PathBuf> {
        let folder = self.folder.join(format!("floor-{size}"));
        let text = format!(
            "resource \"terraform_data\" \"many\" {{\n  count = {size}\n  input = \"release-${{count.index}}\"\n}}\n"
        );
        write(&folder.join("main.tf"), &text)?;
        self.terraform.init(&folder)?;
        self.apply(&folder)?;
        Ok(folder)
    }

    /// A folder with the configuration of releases in the namespace `ffe-bench-NAME`, which exists, and not applied. A state of
    /// another cluster is forgotten.
    pub(super) fn releases(&self, name: &str, size: usize, greeting: &str) -> Result<PathBuf> {
        let folder = self.folder.join(format!("releases-{name}"));
        let namespace = namespace(name);
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
  set       = [{{ name = "greeting", value = "{greeting}" }}]
}}
"#,
            kubeconfig = self.workspace.testbed.kubeconfig().display(),
            helm = self.helm().display(),
            chart = self.chart().display(),
        );
        write(&folder.join("main.tf"), &text)?;
        let recorded = folder.join("cluster");
        if std::fs::read_to_string(&recorded).unwrap_or_default() != self.identity {
            // The testbed was started anew: what the state describes is gone.
            forget(&folder)?;
            write(&recorded, &self.identity)?;
        }
        if self.kubectl.output(&["get", "namespace", &namespace]).is_err() {
            self.kubectl.output(&["create", "namespace", &namespace])?;
        }
        self.terraform.init(&folder)?;
        Ok(folder)
    }

    /// The namespace is gone with all that was in it, and what terraform knew of it.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        self.kubectl.output(&["delete", "namespace", &namespace(name), "--ignore-not-found", "--wait"])?;
        forget(&self.folder.join(format!("releases-{name}")))
    }

    /// `terraform apply`, and how long it took.
    pub(super) fn apply(&self, folder: &Path) -> Result<Duration> {
        let started = Instant::now();
        process::output(&mut self.terraform.command(folder, &["apply", "-auto-approve", "-no-color"]))?;
        let time = started.elapsed();
        tell::note(format!("applied: {} ({})", folder.display(), tell::time(time)));
        Ok(time)
    }

    /// How long a plan takes that has nothing to do.
    pub(super) fn plan(&self, folder: &Path) -> Result<Duration> {
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
}

/// The namespace of a set of releases.
pub(super) fn namespace(name: &str) -> String {
    format!("ffe-bench-{name}")
}

fn forget(folder: &Path) -> Result<()> {
    for name in ["terraform.tfstate", "terraform.tfstate.backup"] {
        if folder.join(name).exists() {
            std::fs::remove_file(folder.join(name))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
