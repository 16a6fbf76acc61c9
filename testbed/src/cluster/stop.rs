//! Back to nothing: no process, mount, interface, table or control group is left.

use std::time::Duration;

use anyhow::Result;

use super::{API_PORT, ETCD_PORTS, other, services};
use crate::bed::Bed;
use crate::command;
use crate::files;
use crate::host;
use crate::images::node;
use crate::process::{self, Process};

/// Stops the cluster, whatever of it runs, and removes everything of its life. Binaries and images stay. Nothing of
/// another testbed, in another cache folder, is touched.
pub(crate) fn stop(bed: &Bed<'_>) -> Result<()> {
    let of = |names: &[&str]| -> Vec<Process> { names.iter().map(|name| services::process(bed.paths, name)).collect() };
    // First those that would start something again.
    let movers = of(&["kubelet", "kube-proxy", "kube-controller-manager", "kube-scheduler", "volumes"]);
    process::stop(&movers, Duration::from_secs(5))?;
    // It cannot live without this etcd.
    other::stop(bed)?;
    if services::process(bed.paths, "containerd").pid().is_some() {
        remove_containers(bed);
    }
    process::stop(&of(&["containerd", "kube-apiserver"]), Duration::from_secs(8))?;
    process::stop(&of(&["etcd"]), Duration::from_secs(5))?;
    // Names on the machine are the same for every testbed. Ours has ended: who listens here now has them.
    let of_another = is_there_another();
    if !of_another {
        host::remove_cgroup()?;
    }
    host::unmount_below(&bed.paths.run())?;
    host::unmount_below(&bed.paths.containerd())?;
    if of_another {
        bed.say("another testbed runs on this machine: its network, control group and kernel settings stay");
    } else {
        host::remove_network();
        host::remove_notes(&bed.paths.run());
        let before = bed.paths.root().join("kernel-before.json");
        host::restore_kernel(&before);
        let _ = files::remove_file(&before);
    }
    files::remove_folder(&bed.paths.run())
}

/// Whether somebody else listens where the cluster does. To be asked when ours does not run.
pub(crate) fn is_there_another() -> bool {
    [ETCD_PORTS.0, API_PORT].into_iter().any(host::is_taken)
}

/// Ends and removes every container of ours, so that containerd begins with none. What it cannot remove is killed by
/// way of the control group afterwards, so that failures here are not the end.
pub(crate) fn remove_containers(bed: &Bed<'_>) {
    for (list, remove) in [(["tasks", "ls"], ["tasks", "rm"]), (["containers", "ls"], ["containers", "rm"])] {
        let Ok(ids) = command::output(node::ctr(bed.paths).args(list).arg("-q")) else { return };
        let ids: Vec<&str> = ids.lines().collect();
        if ids.is_empty() {
            continue;
        }
        let mut command = node::ctr(bed.paths);
        command.args(remove);
        if list == ["tasks", "ls"] {
            command.arg("--force");
        }
        let _ = command::output(command.args(&ids));
    }
}
