//! From nothing to a node that takes pods.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::services::{self, FIRST, NAMES};
use super::{API_PORT, ETCD_PORTS, NODE_NAME, api, config, stop};
use crate::bed::Bed;
use crate::command;
use crate::host;
use crate::images::{self, node};
use crate::process::Process;

const LIMIT: Duration = Duration::from_secs(180);

/// Whether every process runs and both the API and the node are ready.
pub(crate) fn is_up(bed: &Bed<'_>) -> bool {
    NAMES.iter().all(|name| services::process(bed.paths, name).pid().is_some())
        && api::is_ready(bed.paths)
        && api::node_is_ready(bed.paths)
}

/// Starts what does not run. A cluster whose etcd is gone, or whose machine has another address now, begins anew.
pub(crate) fn start(bed: &Bed<'_>) -> Result<()> {
    let node_ip = host::node_ip()?;
    let recorded = std::fs::read_to_string(address_file(bed)).unwrap_or_default();
    let same = recorded == node_ip.to_string() && config::keys_are_current(bed.paths, node_ip);
    if same && is_up(bed) {
        bed.say("the cluster runs already");
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("only root can start the testbed: it makes network interfaces, mounts and control groups");
    }
    let anew = !same || services::process(bed.paths, "etcd").pid().is_none();
    if anew {
        stop::stop(bed)?;
        if stop::is_there_another() {
            bail!(
                "something else listens on port {} or {}: another testbed, or a rest of one. Stop it first, with the \
                 FFE_CACHE_DIR that it was started with",
                ETCD_PORTS.0,
                API_PORT
            );
        }
    }
    config::write(bed.paths, node_ip)?;
    crate::files::write_atomically(&address_file(bed), node_ip.to_string().as_bytes(), 0o644)?;
    host::set_kernel(&bed.paths.root().join("kernel-before.json"))?;
    host::create_cgroup()?;
    host::load_rules(&bed.paths.conf().join("nftables.conf"))?;
    for folder in ["volumes", "volume-plugins", "pod-logs"] {
        let path = bed.paths.run().join(folder);
        std::fs::create_dir_all(&path).with_context(|| format!("folder {}", path.display()))?;
    }

    bed.say(format!("starting the cluster on {node_ip}"));
    let run = |names: &[&str]| -> Result<()> {
        for name in names {
            let process = services::process(bed.paths, name);
            if process.pid().is_none() {
                let (program, arguments) = services::command(bed.paths, name, node_ip);
                process.start(&program, &arguments)?;
            }
        }
        Ok(())
    };
    let of = |names: &[&str]| -> Vec<Process> { names.iter().map(|name| services::process(bed.paths, name)).collect() };

    run(FIRST)?;
    api::wait(bed, "containerd is ready", &of(&["containerd"]), LIMIT, |paths| {
        command::output(node::ctr(paths).arg("version")).is_ok()
    })?;
    if anew {
        // Left by a life that did not end by `down`.
        stop::remove_containers(bed);
    }
    node::import(bed, &images::system(bed)?)?;
    api::wait(bed, "the API is ready", &of(FIRST), LIMIT, api::is_ready)?;
    run(NAMES)?;
    for manifest in config::MANIFESTS {
        let path = bed.paths.conf().join(manifest);
        command::output(api::kubectl(bed.paths).args(["apply", "-f"]).arg(path))?;
    }
    api::wait(bed, "the node is ready", &of(NAMES), LIMIT, api::node_is_ready)?;
    let rollout = ["-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=120s"];
    command::output(api::kubectl(bed.paths).args(rollout)).context("waiting for the cluster's DNS")?;
    bed.say(format!("DNS is ready; {NODE_NAME} takes pods"));
    Ok(())
}

fn address_file(bed: &Bed<'_>) -> std::path::PathBuf {
    bed.paths.run().join("address")
}
