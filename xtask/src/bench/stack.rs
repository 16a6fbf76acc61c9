//! Configurations of many small releases, and of as many `terraform_data`, applied and planned for measuring.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::helm_provider::HelmProvider;
use super::side::{Side, Words, configuration};
use super::usage::{self, Cost};
use crate::kubectl::Kubectl;
use crate::terraform::Terraform;
use crate::workspace::Workspace;
use crate::{process, tell};

/// A ConfigMap, a Service, and a Deployment without replicas.
const CHART: [(&str, &str); 2] = [
    ("Chart.yaml", "apiVersion: v2\nname: small\nversion: 0.1.0\n"),
    ("templates/all.yaml", include_str!("chart.yaml")),
];

/// How many releases share a namespace, where there are more than a hundred.
const IN_A_NAMESPACE: usize = 50;

/// The variable that names the folder for the accounts. Without it nothing is accounted.
const ACCOUNTS: &str = "FFE_BENCH_ACCOUNTS";

/// Where the configurations lie, and what they are applied with.
#[derive(Debug)]
pub(super) struct Stack<'a> {
    workspace: &'a Workspace,
    terraform: Terraform,
    pub(super) kubectl: Kubectl,
    pub(super) helm_provider: Option<HelmProvider>,
    folder: &'a Path,
    /// The cluster that is there now.
    identity: String,
}

/// Many releases, or as many `terraform_data`: a configuration and its state.
#[derive(Debug)]
pub(super) struct Many {
    pub(super) side: Side,
    pub(super) size: usize,
    pub(super) namespaces: Vec<String>,
    /// Whether Helm has recorded releases of these names before.
    pub(super) takes_over: bool,
    folder: PathBuf,
}

impl<'a> Stack<'a> {
    /// With what the kernel counts for terraform and each provider written down.
    pub(super) fn new(
        workspace: &'a Workspace,
        terraform: Terraform,
        provider: &Path,
        folder: &'a Path,
    ) -> Result<Stack<'a>> {
        let kubectl = Kubectl::new(workspace.testbed.binary("kubectl"), &workspace.testbed.kubeconfig());
        let identity = kubectl.cluster_identity()?;
        for (name, text) in CHART {
            write(&folder.join("chart").join(name), text)?;
        }
        let programs = folder.join("programs");
        let ours = programs.join("terraform-provider-ffe");
        replace(&ours, |beside| std::fs::copy(provider, beside).map(drop))?;
        accounted(terraform.plugin(), usage::PROVIDER, &ours)?;
        let helm_provider = HelmProvider::find()?;
        if let Some(helm_provider) = &helm_provider {
            accounted(&helm_provider.place(terraform.plugin())?, usage::PROVIDER, &helm_provider.program)?;
        }
        let wrapped = programs.join("terraform");
        accounted(&wrapped, usage::TERRAFORM, &absolute(terraform.program())?)?;
        Ok(Stack { workspace, terraform: terraform.started_by(wrapped), kubectl, helm_provider, folder, identity })
    }

    /// All that are measured in one run, in turns.
    pub(super) fn sides(&self) -> Vec<Side> {
        let helm_provider = self.helm_provider.as_ref().map(|_| Side::HelmProvider);
        [Side::Floor, Side::Ours].into_iter().chain(helm_provider).collect()
    }

    /// Helm's binary.
    pub(super) fn helm(&self) -> PathBuf {
        self.workspace.testbed.binary("helm4")
    }

    /// The testbed's kubeconfig.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.workspace.testbed.kubeconfig()
    }

    /// The chart of all releases.
    pub(super) fn chart(&self) -> PathBuf {
        self.folder.join("chart")
    }

    /// A command that leaves the user's own Helm alone.
    pub(super) fn alone(&self, command: &mut Command) {
        for (name, folder) in [("CACHE", "cache"), ("CONFIG", "config"), ("DATA", "data")] {
            command.env(format!("HELM_{name}_HOME"), self.folder.join("helm").join(folder));
        }
    }

    /// A configuration by its name. Makes nothing.
    pub(super) fn many(&self, name: &str, side: Side, size: usize) -> Many {
        let id = format!("{name}-{}-{size}", side.id());
        let namespaces = match (side, if size <= 100 { 1 } else { size.div_ceil(IN_A_NAMESPACE) }) {
            (Side::Floor, _) => Vec::new(),
            (_, 1) => vec![format!("ffe-bench-{id}")],
            (_, several) => (0..several).map(|index| format!("ffe-bench-{id}-{index}")).collect(),
        };
        Many { side, size, namespaces, takes_over: false, folder: self.folder.join(&id) }
    }

    /// Writes the configuration, makes its namespaces, initialises it. A state of another cluster is forgotten.
    pub(super) fn write(&self, many: &Many, greeting: &str) -> Result<()> {
        let words = Words {
            kubeconfig: &self.kubeconfig(),
            helm: &self.helm(),
            chart: &self.chart(),
            size: many.size,
            namespaces: &many.namespaces,
            greeting,
            takes_over: many.takes_over,
        };
        write(&many.folder.join("main.tf"), &configuration(many.side, &words))?;
        let recorded = many.folder.join("cluster");
        if many.side != Side::Floor && std::fs::read_to_string(&recorded).unwrap_or_default() != self.identity {
            // The testbed was started anew: what the state describes is gone.
            many.forget()?;
            write(&recorded, &self.identity)?;
        }
        for namespace in &many.namespaces {
            if self.kubectl.output(&["get", "namespace", namespace]).is_err() {
                self.kubectl.output(&["create", "namespace", namespace])?;
            }
        }
        self.terraform.init(&many.folder)
    }

    /// The namespaces are gone with all that was in them, and what terraform knew of it.
    pub(super) fn remove(&self, many: &Many) -> Result<()> {
        if !many.namespaces.is_empty() {
            let mut words = vec!["delete", "namespace", "--ignore-not-found", "--wait"];
            words.extend(many.namespaces.iter().map(String::as_str));
            self.kubectl.output(&words)?;
        }
        many.forget()
    }

    /// `terraform apply`.
    pub(super) fn apply(&self, many: &Many) -> Result<Cost> {
        self.measured(many, &["apply", "-auto-approve", "-no-color"])
            .with_context(|| format!("applying {}; --fresh makes everything anew", many.folder.display()))
    }

    /// A plan that has nothing to do.
    pub(super) fn plan(&self, many: &Many) -> Result<Cost> {
        // The status is another one when there is something to do.
        self.measured(many, &["plan", "-detailed-exitcode", "-no-color"])
            .with_context(|| format!("the plan in {} is not one without changes", many.folder.display()))
    }

    fn measured(&self, many: &Many, arguments: &[&str]) -> Result<Cost> {
        let accounts = tempfile::tempdir_in(self.folder).context("a folder for the accounts")?;
        let mut command = self.terraform.command(&many.folder, arguments);
        command.env(ACCOUNTS, accounts.path());
        self.alone(&mut command);
        process::output(&mut command)?;
        let cost = Cost::read(accounts.path())?;
        ensure!(many.side == Side::Floor || cost.provider_peak > 0, "what the provider used was not counted");
        let what = arguments.first().copied().unwrap_or_default();
        tell::note(format!(
            "{what} of {} {}: {}, {} on a processor",
            many.size,
            many.side.name(),
            tell::time(cost.wall),
            tell::time(cost.processor())
        ));
        Ok(cost)
    }
}

impl Many {
    fn forget(&self) -> Result<()> {
        for name in ["terraform.tfstate", "terraform.tfstate.backup"] {
            match std::fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {name} in {}", self.folder.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Puts a script in the place of a program, which starts it with an account where one is asked for.
fn accounted(place: &Path, name: &str, program: &Path) -> Result<()> {
    let xtask = std::env::current_exe().context("where this program lies")?;
    let (xtask, program) = (quoted(&xtask), quoted(program));
    let text = format!(
        "#!/bin/sh\n[ -n \"${ACCOUNTS}\" ] || exec {program} \"$@\"\nexec {xtask} account --into \"${ACCOUNTS}\" --name {name} -- \
         {program} \"$@\"\n"
    );
    replace(place, |beside| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(beside, text)?;
        std::fs::set_permissions(beside, std::fs::Permissions::from_mode(0o755))
    })
}

/// Makes a file beside and renames it: whoever runs the old one right now keeps it.
fn replace(place: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let beside = place.with_extension("new");
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    make(&beside).and_then(|()| std::fs::rename(&beside, place)).with_context(|| format!("writing {}", place.display()))
}

/// A word for the shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

/// Where a program lies that may be named as in a shell.
fn absolute(program: &Path) -> Result<PathBuf> {
    if program.components().count() == 1 {
        let name = program.to_string_lossy();
        return crate::workspace::in_path(&name).with_context(|| format!("{name} is not in PATH"));
    }
    program.canonicalize().with_context(|| format!("there is no {}", program.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_program_keeps_its_words_behind_the_script() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("it's a program");
        accounted(&script, "x", Path::new("/bin/echo")).unwrap();
        let said = process::output(Command::new(&script).args(["a b", "$HOME"]).env_remove(ACCOUNTS)).unwrap();
        assert_eq!(said, "a b $HOME\n");
    }
}
