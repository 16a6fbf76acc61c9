//! From nothing to a node that takes pods.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::services::{self, FIRST, NAMES};
use super::{api, config, stop};
use crate::bed::Bed;
use crate::cgroup::Cgroup;
use crate::command;
use crate::images::{self, node as images_on};
use crate::node::Node;
use crate::process::Process;

const LIMIT: Duration = Duration::from_secs(180);

/// Whether every process runs and both the API and the node are ready.
pub(crate) fn is_up(bed: &Bed<'_>) -> bool {
    NAMES.iter().all(|name| services::process(bed.paths, name).pid().is_some())
        && api::is_ready(bed.paths)
        && api::node_is_ready(bed.paths)
}

/// Starts what does not run. A cluster whose node or etcd is gone, or whose folder is another now, begins anew.
pub(crate) fn start(bed: &Bed<'_>) -> Result<()> {
    let node = Node::first(bed.paths);
    let recorded = std::fs::read_to_string(address_file(bed)).unwrap_or_default();
    let same = recorded == node.address().to_string() && config::keys_are_current(bed.paths, &node);
    if same && is_up(bed) {
        bed.say("the cluster runs already");
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("only root can start the testbed: it makes namespaces, mounts and control groups");
    }
    let anew = !same || !node.runs() || services::process(bed.paths, "etcd").pid().is_none();
    if anew {
        stop::stop(bed)?;
        node.create()?;
    }
    config::write(bed.paths, &node)?;
    crate::files::write_atomically(&address_file(bed), node.address().to_string().as_bytes(), 0o644)?;
    Cgroup::of(&node).create()?;
    command::output(node.system("nft")?.arg("-f").arg(bed.paths.conf().join("nftables.conf")))?;
    for folder in ["volumes", "volume-plugins", "pod-logs"] {
        let path = bed.paths.run().join(folder);
        std::fs::create_dir_all(&path).with_context(|| format!("folder {}", path.display()))?;
    }

    bed.say(format!("starting the cluster on {}", node.address()));
    let run = |names: &[&str]| -> Result<()> {
        for name in names {
            let process = services::process(bed.paths, name);
            if process.pid().is_none() {
                let (program, arguments) = services::command(bed.paths, name, &node);
                process.start_on(&node, &program, &arguments)?;
            }
        }
        Ok(())
    };
    let of = |names: &[&str]| -> Vec<Process> { names.iter().map(|name| services::process(bed.paths, name)).collect() };

    run(FIRST)?;
    api::wait(bed, "containerd is ready", &of(&["containerd"]), LIMIT, |paths| {
        command::output(images_on::ctr(paths).arg("version")).is_ok()
    })?;
    if anew {
        // Left by a life that did not end by `down`.
        stop::remove_containers(bed);
    }
    images_on::import(bed, &images::system(bed)?)?;
    api::wait(bed, "the API is ready", &of(FIRST), LIMIT, api::is_ready)?;
    run(NAMES)?;
    for manifest in config::MANIFESTS {
        let path = bed.paths.conf().join(manifest);
        command::output(api::kubectl(bed.paths).args(["apply", "-f"]).arg(path))?;
    }
    api::wait(bed, "the node is ready", &of(NAMES), LIMIT, api::node_is_ready)?;
    let rollout = ["-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s"];
    command::output(api::kubectl(bed.paths).args(rollout)).context("waiting for the cluster's DNS")?;
    bed.say(format!("DNS is ready; {} takes pods", node.name()));
    Ok(())
}

fn address_file(bed: &Bed<'_>) -> std::path::PathBuf {
    bed.paths.run().join("address")
}
