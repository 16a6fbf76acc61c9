//! A real terraform that finds this checkout's provider where it would find a published one: by `terraform init`, in a
//! mirror of its own, without the network and without the user's own configuration.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use semver::Version;
use serde_json::Value as Json;

use crate::process;
use crate::workspace::VERSION;

/// Write-only attributes need it.
const OLDEST: Version = Version::new(1, 11, 0);

/// The provider's address.
const ADDRESS: &str = "registry.terraform.io/three-rivers-tech/ffe";

/// Terraform with a mirror that holds one build of the provider.
#[derive(Debug, Clone)]
pub(crate) struct Terraform {
    program: PathBuf,
    config: PathBuf,
    plugin: PathBuf,
}

/// Finds terraform (`FFE_TERRAFORM`, else in `PATH`) and says which version it is.
///
/// # Errors
/// When it is missing or too old, with what to do.
pub(crate) fn find() -> Result<(PathBuf, Version)> {
    let program = std::env::var_os("FFE_TERRAFORM").map_or_else(|| PathBuf::from("terraform"), PathBuf::from);
    let mut ask = Command::new(&program);
    let said = process::output(ask.args(["version", "-json"]).env("CHECKPOINT_DISABLE", "1")).with_context(|| {
        format!(
            "terraform is needed, {OLDEST} or newer: install it and see that it is in PATH, or set FFE_TERRAFORM to where \
             it lies (tried {})",
            program.display()
        )
    })?;
    let version = version_in(&said)?;
    ensure!(
        version >= OLDEST,
        "terraform {version} is too old: write-only attributes need {OLDEST}. Install a newer one, or set FFE_TERRAFORM to \
         where one lies"
    );
    Ok((program, version))
}

fn version_in(said: &str) -> Result<Version> {
    let said: Json = serde_json::from_str(said).context("what `terraform version -json` says")?;
    let version = said["terraform_version"].as_str().context("`terraform version -json` names no version")?;
    Version::parse(version).with_context(|| format!("terraform's version {version}"))
}

impl Terraform {
    /// Lays a mirror with this provider into `folder`, and beside it the configuration that points to it.
    ///
    /// # Errors
    /// When terraform is missing or too old, or the folder cannot be written.
    pub(crate) fn with_mirror(folder: &Path, provider: &Path) -> Result<Terraform> {
        let (program, _) = find()?;
        let mirror = folder.join("mirror");
        let place = mirror.join(format!("{ADDRESS}/{VERSION}/{}", platform()?));
        std::fs::create_dir_all(&place).with_context(|| format!("folder {}", place.display()))?;
        let plugin = place.join(format!("terraform-provider-ffe_v{VERSION}"));
        // A copy beside and a rename: a terraform that runs right now keeps the file that it started.
        let beside = place.join(".new");
        std::fs::copy(provider, &beside).with_context(|| format!("copying {}", provider.display()))?;
        std::fs::rename(&beside, &plugin).with_context(|| format!("writing {}", plugin.display()))?;
        let config = folder.join("terraform.rc");
        let text = format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = {}\n  }}\n}}\ndisable_checkpoint = true\n",
            quoted(&mirror)
        );
        std::fs::write(&config, text).with_context(|| format!("writing {}", config.display()))?;
        Ok(Terraform { program, config, plugin })
    }

    /// The provider in the mirror: the file that terraform starts.
    pub(crate) fn plugin(&self) -> &Path {
        &self.plugin
    }

    /// Terraform itself, as it was found.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The same, with terraform started by another program.
    pub(crate) fn started_by(self, program: PathBuf) -> Terraform {
        Terraform { program, ..self }
    }

    /// A command in a folder, not run yet.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, folder: &Path, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .current_dir(folder)
            .args(arguments)
            .env("TF_CLI_CONFIG_FILE", &self.config)
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1");
        command
    }

    /// `terraform init`, with the build of the provider that is in the mirror now.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn init(&self, folder: &Path) -> Result<()> {
        // The lock file holds the hash of a published build; this one may be a minute old.
        match std::fs::remove_file(folder.join(".terraform.lock.hcl")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing the lock file in {}", folder.display()));
            }
            _ => {}
        }
        process::output(&mut self.command(folder, &["init", "-no-color"])).map(drop)
    }
}

/// Terraform's name for this machine.
fn platform() -> Result<String> {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    match std::env::consts::ARCH {
        "x86_64" => Ok(format!("{os}_amd64")),
        "aarch64" => Ok(format!("{os}_arm64")),
        other => bail!("terraform has no name for the architecture {other}"),
    }
}

fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_version_is_read() {
        assert_eq!(version_in(r#"{"terraform_version":"1.11.4"}"#).unwrap(), Version::new(1, 11, 4));
        assert!(version_in("{}").is_err());
    }

    #[test]
    fn a_path_in_the_configuration_cannot_end_its_string() {
        assert_eq!(quoted(Path::new(r#"/a"b/${c}"#)), r#""/a\"b/$${c}""#);
    }
}
