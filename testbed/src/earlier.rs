//! What a version of this program left that ran the cluster on the machine itself and not on a node of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bed::Bed;
use crate::cgroup::Cgroup;
use crate::command;
use crate::files;
use crate::host;

/// Which only that version wrote: kernel settings as they were before it changed them.
const MARK: &str = "kernel-before.json";
/// Its names were the same in every folder.
const CGROUP: &str = "ffe-testbed";
const BRIDGE: &str = "ffe0";
const TABLES: [[&str; 2]; 3] = [["ip", "ffe-testbed"], ["ip", "kube-proxy"], ["ip6", "kube-proxy"]];
/// Where its etcd and its API listened.
const PORTS: [u16; 2] = [23790, 16443];

/// Removes it, when it was started in this folder and has been stopped. The kernel settings stay, since others may have
/// come to need them; the next start of the machine takes them back.
pub(crate) fn clear(bed: &Bed<'_>) -> Result<()> {
    let mark = bed.paths.root().join(MARK);
    if !mark.exists() {
        return Ok(());
    }
    let taken = |port: &u16| host::is_taken_at(SocketAddr::from((Ipv4Addr::LOCALHOST, *port)));
    if PORTS.iter().any(taken) {
        bed.say("a testbed of an earlier version runs in another folder: what the two share on this machine stays");
    } else {
        Cgroup::named(CGROUP).remove()?;
        // Each may be missing already.
        let _ = command::output(host::system("ip").args(["link", "del", BRIDGE]));
        for table in TABLES {
            let _ = command::output(host::system("nft").args(["delete", "table"]).args(table));
        }
        remove_notes(&bed.paths.run());
    }
    files::remove_file(&mark).with_context(|| format!("removing {}", mark.display()))
}

/// Removes what the network plugins and the kubelet noted about our pods in folders that cannot be moved: results by
/// pod, and links to logs below `run`. What belongs to others stays.
fn remove_notes(run: &Path) {
    remove_plugin_results(Path::new("/var/lib/cni/results"));
    for link in entries(Path::new("/var/log/containers")) {
        if std::fs::read_link(&link).is_ok_and(|target| target.starts_with(run)) {
            let _ = std::fs::remove_file(&link);
        }
    }
}

fn remove_plugin_results(folder: &Path) {
    let names: Vec<String> =
        entries(folder).iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    // NETWORK-SANDBOX-INTERFACE; the loopback's network has the same name for everybody, the sandbox is ours.
    let sandboxes = names.iter().filter_map(|name| name.strip_prefix("ffe-testbed-")?.strip_suffix("-eth0"));
    for sandbox in sandboxes {
        for name in names.iter().filter(|name| name.contains(sandbox)) {
            let _ = std::fs::remove_file(folder.join(name));
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn results_of_other_networks_stay() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ffe-testbed-aa-eth0", "cni-loopback-aa-lo", "cni-loopback-bb-lo", "other-cc-eth0"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        remove_plugin_results(folder.path());
        let mut left: Vec<_> = entries(folder.path()).iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        left.sort();
        assert_eq!(left, ["cni-loopback-bb-lo", "other-cc-eth0"]);
    }
}
