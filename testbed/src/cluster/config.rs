//! Configuration files of the components, from the templates in `testbed/conf`.

use anyhow::{Context, Result, bail};

use super::{API_PORT, API_SERVICE_IP, DNS_IP, POD_CIDR};
use crate::files;
use crate::images::system;
use crate::node::Node;
use crate::parts;
use crate::paths::Paths;
use crate::pki::{self, Endpoints};

const TEMPLATES: &[(&str, &str)] = &[
    ("containerd.toml", include_str!("../../conf/containerd.toml")),
    ("cni/10-ffe-testbed.conflist", include_str!("../../conf/cni.json")),
    ("kubelet.yaml", include_str!("../../conf/kubelet.yaml")),
    ("kube-proxy.yaml", include_str!("../../conf/kube-proxy.yaml")),
    ("nftables.conf", include_str!("../../conf/nftables.conf")),
    ("coredns.yaml", include_str!("../../conf/coredns.yaml")),
    ("storage.yaml", include_str!("../../conf/storage.yaml")),
];

/// A socket's path has at most 107 bytes, and the kubelet's lie deep in our folder.
const LONGEST_ROOT: usize = 68;

/// What the cluster itself runs, applied when it has started.
pub(crate) const MANIFESTS: &[&str] = &["coredns.yaml", "storage.yaml"];

/// Writes the configuration, and keys when there are none for this address.
pub(crate) fn write(paths: &Paths, node: &Node) -> Result<()> {
    for (name, template) in TEMPLATES {
        let text = fill(template, paths, node).with_context(|| format!("template {name}"))?;
        files::write_atomically(&paths.conf().join(name), text.as_bytes(), 0o644)?;
    }
    // Nobody is asked beyond the cluster: CoreDNS answers every other name with "does not exist".
    files::write_atomically(&paths.run().join("resolv.conf"), b"nameserver 127.0.0.1\n", 0o644)?;
    if keys_are_current(paths, node) { Ok(()) } else { with_endpoints(node, |all| pki::create(paths, all)) }
}

/// Whether there are keys for a node with this address.
pub(crate) fn keys_are_current(paths: &Paths, node: &Node) -> bool {
    with_endpoints(node, |all| pki::is_current(paths, all))
}

fn with_endpoints<T>(node: &Node, with: impl FnOnce(&Endpoints<'_>) -> T) -> T {
    // What clients on the node and on this machine use.
    let server = format!("https://{}", node.socket(API_PORT));
    with(&Endpoints { node_ip: node.address(), service_ip: API_SERVICE_IP, node_name: node.name(), server: &server })
}

fn fill(template: &str, paths: &Paths, node: &Node) -> Result<String> {
    let root = paths.root().to_str().context("the cache folder's name is not text")?;
    if root.contains(['"', '\'', ' ', '\\', '#']) {
        bail!("the cache folder {root} has a blank or a quote in its name; set FFE_CACHE_DIR to one without");
    }
    if root.len() > LONGEST_ROOT {
        bail!("the cache folder {root} has too long a name for sockets in it; set FFE_CACHE_DIR to a shorter one");
    }
    let (dns, node_ip) = (DNS_IP.to_string(), node.address().to_string());
    let values = [
        ("@TESTBED@", root),
        ("@PAUSE_IMAGE@", system::PAUSE),
        ("@COREDNS_IMAGE@", system::COREDNS),
        ("@CGROUP@", node.cgroup()),
        ("@POD_CIDR@", POD_CIDR),
        ("@DNS_IP@", dns.as_str()),
        ("@NODE_IP@", node_ip.as_str()),
        ("@ZONE@", parts::ZONE),
        ("@FOREIGN_ZONE@", parts::FOREIGN_ZONE),
        ("@NODE_NAME@", node.name()),
    ];
    Ok(values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    #[test]
    fn every_placeholder_has_a_value() {
        let paths = Paths::at(Path::new("/cache/testbed"), Path::new("/repo"));
        for (name, template) in TEMPLATES {
            let text = fill(template, &paths, &Node::first(&paths)).unwrap();
            let left =
                text.split('@').skip(1).step_by(2).find(|word| word.chars().all(|c| c.is_uppercase() || c == '_'));
            assert_eq!(left, None, "{name}");
        }
    }

    #[test]
    fn a_folder_that_cannot_stand_in_a_configuration_is_refused() {
        let paths = Paths::at(Path::new("/a cache"), Path::new("/repo"));
        assert!(fill("", &paths, &Node::first(&paths)).unwrap_err().to_string().contains("FFE_CACHE_DIR"));
        let long = format!("/{}", "x".repeat(LONGEST_ROOT));
        let paths = Paths::at(Path::new(&long), Path::new("/repo"));
        assert!(fill("", &paths, &Node::first(&paths)).unwrap_err().to_string().contains("too long"));
    }
}
