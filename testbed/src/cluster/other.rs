//! Another cluster: a second API server on the same etcd, under a prefix of its own. To its clients it is a cluster
//! like any other, with namespaces, and so an identity, of its own.

use std::time::Duration;

use anyhow::{Context, Result};

use super::services::{any_apiserver, flags};
use super::{OTHER_API_PORT, api};
use crate::bed::Bed;
use crate::command;
use crate::files;
use crate::node::Node;
use crate::paths::Paths;
use crate::pki;
use crate::process::{self, Process};

/// Its only process.
pub(crate) const NAME: &str = "other-apiserver";

/// The cluster, the user and the context in its kubeconfig.
const CONTEXT: &str = "ffe-testbed-other";
const LIMIT: Duration = Duration::from_secs(120);

/// Whether it runs and answers that it is ready.
pub(crate) fn is_up(paths: &Paths) -> bool {
    Process::new(paths, NAME).pid().is_some() && is_ready(paths)
}

/// Starts it when it does not run. The cluster whose etcd it uses runs already.
pub(crate) fn start(bed: &Bed<'_>) -> Result<()> {
    if is_up(bed.paths) {
        bed.say("the other cluster runs already");
        return Ok(());
    }
    let node = Node::first(bed.paths);
    let server = format!("https://{}", node.socket(OTHER_API_PORT));
    let kubeconfig = pki::administrator(bed.paths, CONTEXT, &server)?;
    files::write_atomically(&bed.paths.other_kubeconfig(), kubeconfig.as_bytes(), 0o600)?;
    let process = Process::new(bed.paths, NAME);
    if process.pid().is_none() {
        process.start_on(&node, &bed.paths.binary("kube-apiserver"), &arguments(bed.paths, &node))?;
    }
    let needs = [process, Process::new(bed.paths, "etcd")];
    api::wait(bed, "the other cluster's API is ready", &needs, LIMIT, is_ready)?;
    // The API server itself makes it, a moment later; its id is what a cluster is known by.
    api::wait(bed, "the other cluster has its own kube-system", &needs, LIMIT, |paths| uid(paths).is_ok())
}

/// Stops it. What it stored goes with etcd, when the cluster stops; a start before that finds it again.
pub(crate) fn stop(bed: &Bed<'_>) -> Result<()> {
    process::stop(&[Process::new(bed.paths, NAME)], Duration::from_secs(8))?;
    let kubeconfig = bed.paths.other_kubeconfig();
    files::remove_file(&kubeconfig).with_context(|| format!("removing {}", kubeconfig.display()))
}

fn is_ready(paths: &Paths) -> bool {
    api::says_ready(api::kubectl_with(paths, &paths.other_kubeconfig()))
}

/// The id of the namespace kube-system.
fn uid(paths: &Paths) -> Result<String> {
    let mut kubectl = api::kubectl_with(paths, &paths.other_kubeconfig());
    kubectl.args(["--request-timeout=2s", "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]);
    command::output(&mut kubectl)
}

/// As little as an API server can do: few clients use it, and none for long.
fn arguments(paths: &Paths, node: &Node) -> Vec<String> {
    let mut all = any_apiserver(paths, OTHER_API_PORT, node);
    all.extend(flags([
        ("etcd-prefix", "/other".to_owned()),
        ("bind-address", node.address().to_string()),
        ("authorization-mode", "RBAC".to_owned()),
        ("watch-cache", "false".to_owned()),
        ("endpoint-reconciler-type", "none".to_owned()),
        ("enable-priority-and-fairness", "false".to_owned()),
        ("max-requests-inflight", "50".to_owned()),
        ("max-mutating-requests-inflight", "25".to_owned()),
        // etcd does that by itself, for both.
        ("etcd-compaction-interval", "0".to_owned()),
        ("etcd-count-metric-poll-period", "0".to_owned()),
        ("etcd-db-metric-poll-interval", "0".to_owned()),
        ("event-ttl", "5m".to_owned()),
    ]));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::super::services;
    use super::*;

    fn by_name(arguments: &[String]) -> BTreeMap<&str, &str> {
        let all: BTreeMap<&str, &str> = arguments.iter().filter_map(|argument| argument.split_once('=')).collect();
        assert_eq!(all.len(), arguments.len(), "an argument stands there twice or has no value: {arguments:?}");
        all
    }

    #[test]
    fn it_shares_etcd_and_keys_with_the_first_and_nothing_that_is_stored_or_listened_on() {
        let paths = Paths::at(Path::new("/cache/testbed"), Path::new("/repo"));
        let node = Node::first(&paths);
        let first = services::command(&paths, "kube-apiserver", &node).1;
        let other = arguments(&paths, &node);
        let (first, other) = (by_name(&first), by_name(&other));
        for same in ["--etcd-servers", "--client-ca-file", "--tls-cert-file", "--service-account-key-file"] {
            assert!(first.contains_key(same) && first.get(same) == other.get(same), "{same}");
        }
        for different in ["--etcd-prefix", "--secure-port"] {
            assert!(other.contains_key(different) && first.get(different) != other.get(different), "{different}");
        }
        assert_eq!(other.get("--bind-address"), Some(&node.address().to_string().as_str()));
    }
}
