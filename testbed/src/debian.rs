//! Programs that come from Debian's package manager.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::bed::Bed;
use crate::command::{self, SYSTEM_PATH, no_note};
use crate::files;
use crate::host;

/// A package, and a file or a program of it whose presence shows that it, or what somebody else has in its place, is
/// installed.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// A path, or the name of a program that may lie in any of the system's folders: another package may bring it.
    pub(crate) file: &'static str,
    /// The service that the package would start at the next boot.
    pub(crate) service: Option<&'static str>,
}

impl Package {
    fn is_there(&self, path: &str) -> bool {
        if self.file.contains('/') {
            return Path::new(self.file).exists();
        }
        std::env::split_paths(path).any(|folder| folder.join(self.file).is_file())
    }
}

/// One installation at a time: parts are made side by side.
static INSTALLING: Mutex<()> = Mutex::new(());

/// Installs those packages of which the file is missing. Services that they bring are neither started nor enabled.
pub(crate) fn ensure(bed: &Bed<'_>, packages: &[Package]) -> Result<()> {
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let missing: Vec<&Package> = packages.iter().filter(|package| !package.is_there(SYSTEM_PATH)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if !rustix::process::geteuid().is_root() {
        bail!("these Debian packages are missing and only root can install them: {}", names.join(", "));
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("these packages of Debian bookworm are missing and there is no apt-get here: {}", names.join(", "));
    }
    bed.say(format!("installing Debian packages: {}", names.join(", ")));
    // A machine that was just made may have no list of packages at all, or one whose files are gone from the mirror.
    let mut update = host::system("apt-get");
    update.args(["update", "-q"]);
    command::long(bed, "apt-get update", &mut update, &bed.paths.log("apt-update"), no_note)?;
    {
        let _nothing_starts = NoServices::guard(Path::new(POLICY))?;
        let mut install = host::system("apt-get");
        install
            // The machine's own updates may be under way. Nothing of the user's goes away for ours, and nothing asks.
            .args(["install", "-y", "-q", "--no-install-recommends", "--no-remove", "-o", "DPkg::Lock::Timeout=300"])
            .args(["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"])
            .args(&names)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command::long(bed, "apt-get install", &mut install, &bed.paths.log("apt-install"), no_note)?;
    }
    for service in missing.iter().filter_map(|package| package.service) {
        // Without systemd there is no such program and nothing to disable.
        let _ = command::output(host::system("systemctl").args(["disable", service]));
    }
    match missing.iter().find(|package| !package.is_there(SYSTEM_PATH)) {
        Some(package) => bail!("package {} is installed and {} is still missing", package.name, package.file),
        None => Ok(()),
    }
}

/// While it lives, packages that are installed start no services (Debian's policy-rc.d).
struct NoServices<'a> {
    ours: Option<&'a Path>,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";
const NOTHING_STARTS: &[u8] =
    b"#!/bin/sh\n# The testbed of terraform-provider-ffe: only while it installs packages.\nexit 101\n";

impl<'a> NoServices<'a> {
    fn guard(path: &'a Path) -> Result<Self> {
        // One that somebody else put there stays as it is; on container images it says the same. Ours may be left of
        // an installation that was killed.
        if path.exists() && !std::fs::read(path).is_ok_and(|text| text == NOTHING_STARTS) {
            return Ok(Self { ours: None });
        }
        files::write_atomically(path, NOTHING_STARTS, 0o755).context("keeping services from starting")?;
        Ok(Self { ours: Some(path) })
    }
}

impl Drop for NoServices<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.ours {
            let _ = files::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn services_are_kept_from_starting_while_packages_come_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        {
            let _guard = NoServices::guard(&path).unwrap();
            assert!(std::fs::read_to_string(&path).unwrap().contains("exit 101"));
        }
        assert!(!path.exists());
    }

    #[test]
    fn a_program_may_lie_in_any_of_the_systems_folders() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["sbin", "bin"].map(|name| folder.path().join(name));
        std::fs::create_dir_all(&other).unwrap();
        let path = std::env::join_paths([&one, &other]).unwrap().into_string().unwrap();
        let runc = Package { name: "runc", file: "runc", service: None };
        assert!(!runc.is_there(&path));
        std::fs::write(other.join("runc"), "").unwrap();
        assert!(runc.is_there(&path));
    }

    #[test]
    fn a_policy_left_of_a_killed_installation_goes_and_that_of_others_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        std::mem::forget(NoServices::guard(&path).unwrap());
        drop(NoServices::guard(&path).unwrap());
        assert!(!path.exists());
        std::fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        drop(NoServices::guard(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "#!/bin/sh\nexit 0\n");
    }
}
