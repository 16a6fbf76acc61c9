//! The Go compiler of this machine, apart from the settings of its user.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::paths::Paths;

/// Where its own installer and Debian put it, when it is not on PATH.
const USUAL_FOLDERS: &[&str] = &["/usr/local/go/bin", "/usr/lib/go/bin"];

/// A compiler that is new enough for one module.
#[derive(Debug)]
pub(super) struct Compiler {
    program: PathBuf,
    version: String,
}

impl Compiler {
    /// The first one on PATH, or in its usual folders.
    pub(super) fn find(go_mod: &str) -> Result<Self> {
        let needed = needed_version(go_mod).unwrap_or_default();
        let on_path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&on_path).chain(USUAL_FOLDERS.iter().map(PathBuf::from));
        let Some(program) = folders.map(|folder| folder.join("go")).find(|program| program.is_file()) else {
            bail!(
                "the testbed is built with Go {needed} or newer, and there is no `go` on PATH or in {}: install it",
                USUAL_FOLDERS.join(" or ")
            );
        };
        let mut version = Command::new(&program);
        // Outside of any module: one that asks for a newer compiler would have it downloaded.
        set_environment(&mut version).arg("version").current_dir("/");
        let version = command::output(&mut version).with_context(|| format!("asking {}", program.display()))?;
        if is_older(&version, needed) {
            bail!(
                "the testbed is built with Go {needed} or newer, and {} is `{}`: put a newer one first on PATH",
                program.display(),
                version.trim()
            );
        }
        Ok(Self { program, version })
    }

    /// What `go version` prints.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// `go` in a module of the testbed, with caches of the testbed's own. Of the user's settings only those hold that
    /// decide where modules come from.
    pub(super) fn command(&self, paths: &Paths, module: &Path) -> Command {
        let mut command = Command::new("nice");
        set_environment(command.args(["-n", "5"]).arg(&self.program).current_dir(module))
            .env("GOMODCACHE", paths.go_module_cache())
            .env("GOCACHE", paths.go_build_cache())
            // A fifth less processor time for twice the memory of a compiler, 500 MB for a large package.
            .env("GOGC", "400")
            // Nothing is put there; without HOME, Go complains when it has no such folder.
            .env("GOPATH", paths.root().join("gopath"));
        command
    }
}

/// The same for everybody. What is set here goes before the file that `go env -w` writes.
fn set_environment(command: &mut Command) -> &mut Command {
    command
        .env("GOFLAGS", "-buildvcs=false -trimpath -mod=readonly")
        .env("GOTOOLCHAIN", "local")
        .env("GO111MODULE", "on")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0")
        .env("GOOS", "linux")
        .env_remove("GOROOT")
        .env_remove("GOEXPERIMENT");
    match std::env::consts::ARCH {
        "x86_64" => command.env("GOARCH", "amd64"),
        "aarch64" => command.env("GOARCH", "arm64"),
        _ => command.env_remove("GOARCH"),
    }
}

/// The version in the line `go 1.26.0`.
fn needed_version(go_mod: &str) -> Option<&str> {
    go_mod.lines().find_map(|line| line.strip_prefix("go ")).map(str::trim)
}

/// Whether what `go version` prints is older than a version. What cannot be read is left for Go itself to judge.
fn is_older(printed: &str, needed: &str) -> bool {
    let numbers = |text: &str| -> Vec<u32> {
        text.split('.').map_while(|part| part.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()).collect()
    };
    let have = printed.split_whitespace().find_map(|word| word.strip_prefix("go1")).map(|rest| format!("1{rest}"));
    have.is_some_and(|have| numbers(&have) < numbers(needed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_older_compiler_is_told_from_one_that_will_do() {
        let needed = needed_version("module x\n\ngo 1.26.0\n\nrequire a v1.2.3\n").unwrap();
        assert_eq!(needed, "1.26.0");
        for old in ["go version go1.19.8 linux/amd64", "go version go1.25.10 linux/amd64", "go version go1.9 x"] {
            assert!(is_older(old, needed), "{old}");
        }
        for fine in ["go version go1.26.0 linux/amd64", "go version go1.26.8-custom linux/amd64", "go version go2 x"] {
            assert!(!is_older(fine, needed), "{fine}");
        }
        assert!(!is_older("go version devel +abc linux/amd64", needed));
        assert!(!is_older("go version go1.27rc1 linux/amd64", needed));
    }

    #[test]
    fn what_the_user_set_does_not_change_a_build() {
        let paths = Paths::at(Path::new("/cache/testbed"), Path::new("/repo"));
        let compiler = Compiler { program: "/usr/local/go/bin/go".into(), version: String::new() };
        let command = compiler.command(&paths, Path::new("/repo/testbed/go/x"));
        let set = |name: &str| command.get_envs().find(|(key, _)| *key == name).map(|(_, value)| value.is_some());
        for name in ["GOFLAGS", "GOTOOLCHAIN", "GOWORK", "GO111MODULE", "GOOS", "GOMODCACHE", "GOCACHE", "GOPATH"] {
            assert_eq!(set(name), Some(true), "{name}");
        }
        assert_eq!(set("GOROOT"), Some(false));
        // Where modules come from is the user's to say.
        assert_eq!(set("GOPROXY"), None);
    }
}
