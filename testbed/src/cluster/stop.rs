//! Back to nothing: no process, mount, interface, namespace or control group is left.

use std::time::Duration;

use anyhow::Result;

use super::{other, services};
use crate::bed::Bed;
use crate::cgroup::Cgroup;
use crate::command;
use crate::earlier;
use crate::files;
use crate::host;
use crate::images::node::ctr;
use crate::node::Node;
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
    // Whatever else was started there cannot live without the node.
    process::stop(&Process::recorded(bed.paths), Duration::from_secs(5))?;
    let node = Node::first(bed.paths);
    // What containerd did not remove; nothing but pods and their shims is ever there.
    Cgroup::of(&node).remove()?;
    earlier::clear(bed)?;
    // Mounts, rules and pods' interfaces are the node's, and go with it.
    node.remove()?;
    host::unmount_below(&bed.paths.run())?;
    host::unmount_below(&bed.paths.containerd())?;
    files::remove_folder(&bed.paths.run())
}

/// Ends and removes every container of ours, so that containerd begins with none. What it cannot remove is killed by
/// way of the control group afterwards, so that failures here are not the end.
pub(crate) fn remove_containers(bed: &Bed<'_>) {
    for (list, remove) in [(["tasks", "ls"], ["tasks", "rm"]), (["containers", "ls"], ["containers", "rm"])] {
        let Ok(ids) = command::output(ctr(bed.paths).args(list).arg("-q")) else { return };
        let ids: Vec<&str> = ids.lines().collect();
        if ids.is_empty() {
            continue;
        }
        let mut command = ctr(bed.paths);
        command.args(remove);
        if list == ["tasks", "ls"] {
            command.arg("--force");
        }
        let _ = command::output(command.args(&ids));
    }
}
