//! Where things are: the checkout, the cache outside of it, the binaries that cargo makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use ffe_testbed::Testbed;
use serde_json::Value as Json;

use crate::{process, tell};

/// The cargo profile of the demo's provider, and the folder of what it makes.
pub(crate) const DEMO: &str = "demo";

/// This checkout and what belongs to it.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// The folder of everything that is made once: the testbed's, the demo's, the benchmark's.
    pub(crate) cache: PathBuf,
    /// The testbed.
    pub(crate) testbed: Testbed,
}

impl Workspace {
    /// Finds it.
    ///
    /// # Errors
    /// When there is no place for a cache.
    pub(crate) fn locate() -> Result<Workspace> {
        // Cargo says it to what it runs. Checkouts that share a target folder may share this program too, so what was so when it
        // was compiled says less.
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent().context("xtask lies in the checkout")?.to_path_buf();
        let testbed = Testbed::locate()?;
        let cache = testbed.folder().parent().context("the testbed's folder lies in the cache")?.to_path_buf();
        Ok(Workspace { root, cache, testbed })
    }

    /// A cargo command in the checkout, not run yet. What it builds is what Cargo.lock says: a stale one fails and is not
    /// mended in silence.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).args(locked(arguments));
        command
    }

    /// Builds the provider optimised, but without what makes the published one small and slow to compile, and says where it
    /// lies. `FFE_PROVIDER` names one that was built already.
    ///
    /// # Errors
    /// When it does not compile.
    pub(crate) fn build_for_demo(&self) -> Result<PathBuf> {
        if let Some(built) = given_provider()? {
            return Ok(built);
        }
        process::run(&mut self.cargo(&["build", "--profile", DEMO, "--package", "terraform-provider-ffe"]))?;
        self.built(DEMO, "terraform-provider-ffe")
    }

    /// Builds every test and the provider beside them, with the compiler's settings and the features that the tests
    /// have: nothing of it is compiled for the provider alone. `FFE_PROVIDER` names one that was built already.
    ///
    /// # Errors
    /// When something does not compile.
    pub(crate) fn build_tests(&self) -> Result<PathBuf> {
        let built = self.build_beside("terraform-provider-ffe", &["--tests"])?;
        Ok(given_provider()?.unwrap_or(built))
    }

    /// Builds the acceptance cases and the provider beside them, as [`Self::build_tests`] does. `FFE_PROVIDER` names one
    /// that was built already.
    ///
    /// # Errors
    /// When something does not compile.
    pub(crate) fn build_cases(&self) -> Result<PathBuf> {
        match given_provider()? {
            Some(built) => Ok(built),
            None => self.build_beside("terraform-provider-ffe", &["--test", "acceptance"]),
        }
    }

    /// Builds a program of the workspace beside tests, and so with their features, and says where it lies.
    ///
    /// # Errors
    /// When something does not compile.
    pub(crate) fn build_beside(&self, program: &str, tests: &[&str]) -> Result<PathBuf> {
        process::run(self.cargo(&["build", "--workspace", "--bin", program]).args(tests))?;
        self.built("debug", program)
    }

    /// A program in a folder of cargo's target directory.
    fn built(&self, folder: &str, program: &str) -> Result<PathBuf> {
        let binary = self.target()?.join(folder).join(program);
        if !binary.is_file() {
            bail!("cargo built {program}, but there is no {}", binary.display());
        }
        Ok(binary)
    }

    /// Where cargo puts what it makes.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        let metadata = process::output(&mut self.cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
        let metadata: Json = serde_json::from_str(&metadata).context("cargo's metadata")?;
        let target = metadata["target_directory"].as_str().context("cargo's metadata name no target directory")?;
        Ok(PathBuf::from(target))
    }

    /// The example's chart.
    pub(crate) fn chart(&self) -> PathBuf {
        self.root.join("examples/ffe-backend/chart")
    }
}

/// The arguments with `--locked`, but for the one command that builds nothing.
fn locked<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    match arguments {
        ["fmt", ..] | [] => arguments.to_vec(),
        [command, rest @ ..] => [&[*command, "--locked"], rest].concat(),
    }
}

/// The provider that `FFE_PROVIDER` names.
pub(crate) fn given_provider() -> Result<Option<PathBuf>> {
    let Some(built) = std::env::var_os("FFE_PROVIDER").map(PathBuf::from) else { return Ok(None) };
    tell::note(format!("not built: FFE_PROVIDER is {}", built.display()));
    built.canonicalize().with_context(|| format!("FFE_PROVIDER is {}", built.display())).map(Some)
}

/// Where a program lies, looked for in `PATH`.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_build_is_locked() {
        let words = |line: &str| locked(&line.split(' ').collect::<Vec<_>>()).join(" ");
        assert_eq!(words("build --release"), "build --locked --release");
        assert_eq!(words("run --quiet -- --check"), "run --locked --quiet -- --check");
        assert_eq!(words("fmt --all"), "fmt --all");
    }
}
