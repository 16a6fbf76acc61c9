//! A real terraform that finds this checkout's provider where it would find a published one: by `terraform init`, in a
//! mirror of its own, without the network and without the user's own configuration.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use semver::Version;
use serde_json::Value as Json;

use crate::environment;

/// The provider's version, which is that of the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The provider's address.
pub const ADDRESS: &str = "registry.terraform.io/three-rivers-tech/ffe";

/// Write-only attributes need it.
const OLDEST: Version = Version::new(1, 11, 0);

/// Terraform with a mirror that holds one build of the provider.
#[derive(Debug, Clone)]
pub struct Terraform {
    program: PathBuf,
    home: PathBuf,
    mirror: PathBuf,
    plugin: PathBuf,
}

/// Finds terraform (`FFE_TERRAFORM`, else in `PATH`) and says which version it is.
///
/// # Errors
/// When it is missing or too old, with what to do.
pub fn find() -> Result<(PathBuf, Version)> {
    let program = std::env::var_os("FFE_TERRAFORM").map_or_else(|| PathBuf::from("terraform"), PathBuf::from);
    let mut ask = Command::new(&program);
    // One that is found by a version manager may need the user's own environment for that.
    ask.args(["version", "-json"])
        .env("CHECKPOINT_DISABLE", "1")
        .env_remove("TF_CLI_ARGS")
        .env_remove("TF_CLI_ARGS_version");
    let said = output(&mut ask).with_context(|| {
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
    pub fn with_mirror(folder: &Path, provider: &Path) -> Result<Terraform> {
        let (program, _) = find()?;
        let mirror = folder.join("mirror");
        let plugin = lay(&mirror, ADDRESS, VERSION, provider)?;
        let terraform = Terraform { program, home: folder.to_path_buf(), mirror, plugin };
        let config = terraform.config();
        std::fs::write(&config, configuration(&[(&terraform.mirror, None)]))
            .with_context(|| format!("writing {}", config.display()))?;
        Ok(terraform)
    }

    /// Terraform's program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The same, with terraform started by another program.
    pub fn started_by(self, program: PathBuf) -> Terraform {
        Terraform { program, ..self }
    }

    /// The mirror.
    pub fn mirror(&self) -> &Path {
        &self.mirror
    }

    /// The provider in the mirror: the file that terraform starts.
    pub fn plugin(&self) -> &Path {
        &self.plugin
    }

    fn config(&self) -> PathBuf {
        self.home.join("terraform.rc")
    }

    /// A command in a folder, not run yet. Nothing of the user's environment reaches it ([`environment::clean`]).
    pub fn command<S: AsRef<OsStr>>(&self, folder: &Path, arguments: &[S]) -> Command {
        let mut command = environment::clean(&self.program);
        command.env("HOME", &self.home);
        self.prepare(command, folder, arguments)
    }

    /// The same for somebody who watches: with their own environment ([`environment::watched`]).
    pub fn watched<S: AsRef<OsStr>>(&self, folder: &Path, arguments: &[S], own_cluster: bool) -> Command {
        self.prepare(environment::watched(&self.program, own_cluster), folder, arguments)
    }

    fn prepare<S: AsRef<OsStr>>(&self, mut command: Command, folder: &Path, arguments: &[S]) -> Command {
        command
            .current_dir(folder)
            .args(arguments)
            .env("TF_CLI_CONFIG_FILE", self.config())
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1");
        command
    }

    /// `terraform init`, with the build of the provider that is in the mirror now.
    ///
    /// # Errors
    /// When it fails.
    pub fn init(&self, folder: &Path) -> Result<()> {
        // The lock file holds the hash of a published build; this one may be a minute old.
        match std::fs::remove_file(folder.join(".terraform.lock.hcl")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing the lock file in {}", folder.display()));
            }
            _ => {}
        }
        output(&mut self.command(folder, &["init", "-no-color"])).map(drop)
    }
}

/// Puts a build of a provider where a mirror has its published one; where it lies then.
///
/// # Errors
/// When it cannot be copied, or terraform has no name for this machine.
pub fn lay(mirror: &Path, address: &str, version: &str, provider: &Path) -> Result<PathBuf> {
    let place = mirror.join(format!("{address}/{version}/{}", platform()?));
    std::fs::create_dir_all(&place).with_context(|| format!("folder {}", place.display()))?;
    let name = address.rsplit('/').next().unwrap_or(address);
    let plugin = place.join(format!("terraform-provider-{name}_v{version}"));
    // A copy beside and a rename: a terraform that runs right now keeps the file that it started.
    let beside = place.join(".new");
    std::fs::copy(provider, &beside).with_context(|| format!("copying {}", provider.display()))?;
    std::fs::rename(&beside, &plugin).with_context(|| format!("writing {}", plugin.display()))?;
    Ok(plugin)
}

/// A configuration by which terraform takes its providers from mirrors and asks nobody else. A mirror with an address is for
/// that provider alone, and the others are not asked for it.
pub fn configuration(mirrors: &[(&Path, Option<&str>)]) -> String {
    let mut text = "provider_installation {\n".to_owned();
    for (mirror, only) in mirrors {
        text.push_str(&format!("  filesystem_mirror {{\n    path = {}\n", quoted(mirror)));
        let others = mirrors.iter().filter_map(|(_, only)| *only).map(|address| format!("\"{address}\""));
        let (word, list) = match only {
            Some(address) => ("include", format!("\"{address}\"")),
            None => ("exclude", others.collect::<Vec<_>>().join(", ")),
        };
        if !list.is_empty() {
            text.push_str(&format!("    {word} = [{list}]\n"));
        }
        text.push_str("  }\n");
    }
    text.push_str("}\ndisable_checkpoint = true\n");
    text
}

/// Runs a program to its end and returns what it wrote to standard output.
fn output(command: &mut Command) -> Result<String> {
    let words = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {words}"))?;
    if !output.status.success() {
        bail!("{words} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Terraform's name for this machine.
///
/// # Errors
/// For an architecture that it has no name for.
pub fn platform() -> Result<String> {
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
    fn a_build_lies_where_terraform_looks_on_this_machine() {
        let kept = tempfile::tempdir().unwrap();
        let built = kept.path().join("built");
        std::fs::write(&built, "program").unwrap();
        let mirror = kept.path().join("mirror");
        let laid = lay(&mirror, "registry.terraform.io/hashicorp/helm", "2.17.0", &built).unwrap();
        let expected = format!(
            "registry.terraform.io/hashicorp/helm/2.17.0/{}/terraform-provider-helm_v2.17.0",
            platform().unwrap()
        );
        assert_eq!(laid, mirror.join(expected));
        assert_eq!(std::fs::read_to_string(laid).unwrap(), "program");
    }

    #[test]
    fn a_mirror_of_one_provider_is_for_that_one() {
        let text = configuration(&[(Path::new("/theirs"), Some("a/b/c")), (Path::new("/ours"), None)]);
        let expected = r#"provider_installation {
  filesystem_mirror {
    path = "/theirs"
    include = ["a/b/c"]
  }
  filesystem_mirror {
    path = "/ours"
    exclude = ["a/b/c"]
  }
}
disable_checkpoint = true
"#;
        assert_eq!(text, expected);
        assert!(!configuration(&[(Path::new("/ours"), None)]).contains("clude"));
    }

    #[test]
    fn a_path_in_the_configuration_cannot_end_its_string() {
        assert_eq!(quoted(Path::new(r#"/a"b/${c}"#)), r#""/a\"b/$${c}""#);
    }
}
