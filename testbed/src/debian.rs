//! Programs that come from Debian's package manager.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::bed::Bed;
use crate::command::{self, no_note};
use crate::files;

/// A package, and a file of it whose presence shows that it is installed.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) file: &'static str,
    /// The service that the package would start at the next boot.
    pub(crate) service: Option<&'static str>,
}

/// Installs those packages of which the file is missing. Services that they bring are neither started nor enabled.
pub(crate) fn ensure(bed: &Bed<'_>, packages: &[Package]) -> Result<()> {
    let missing: Vec<&Package> = packages.iter().filter(|package| !Path::new(package.file).exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if !rustix::process::geteuid().is_root() {
        bail!("these Debian packages are missing and only root can install them: {}", names.join(", "));
    }
    bed.say(format!("installing Debian packages: {}", names.join(", ")));
    let log = bed.paths.log("apt");
    command::long(bed, "apt-get update", Command::new("apt-get").args(["update", "-q"]), &log, no_note)?;
    {
        let _nothing_starts = NoServices::guard()?;
        let mut install = Command::new("apt-get");
        install
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(&names)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command::long(bed, "apt-get install", &mut install, &log, no_note)?;
    }
    for service in missing.iter().filter_map(|package| package.service) {
        // Without systemd there is no such program and nothing to disable.
        let _ = command::output(Command::new("systemctl").args(["disable", service]));
    }
    match missing.iter().find(|package| !Path::new(package.file).exists()) {
        Some(package) => bail!("package {} is installed and {} is still missing", package.name, package.file),
        None => Ok(()),
    }
}

/// While it lives, packages that are installed start no services (Debian's policy-rc.d).
struct NoServices {
    ours: bool,
}

impl NoServices {
    const FILE: &str = "/usr/sbin/policy-rc.d";

    fn guard() -> Result<Self> {
        let path = Path::new(Self::FILE);
        // One that somebody else put there stays as it is; on container images it says the same.
        let ours = !path.exists();
        if ours {
            files::write_atomically(path, b"#!/bin/sh\nexit 101\n", 0o755).context("keeping services from starting")?;
        }
        Ok(Self { ours })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = files::remove_file(Path::new(Self::FILE));
        }
    }
}
