//! The processes of the cluster and their arguments.

use std::path::PathBuf;

use super::{API_PORT, ETCD_PORTS, SERVICE_CIDR};
use crate::node::{self, Node};
use crate::paths::Paths;
use crate::process::Process;

/// All of them, in the order in which they start; the first is the node itself.
pub(crate) const ALL: &[&str] = &[
    node::FIRST,
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "volumes",
];

/// Those that run on the node.
pub(crate) const NAMES: &[&str] = match ALL {
    [_, on_it @ ..] => on_it,
    [] => &[],
};

/// Those without which there is no API and no place for images.
pub(crate) const FIRST: &[&str] = &["etcd", "containerd", "kube-apiserver"];

/// A process of the cluster by its name.
pub(crate) fn process(paths: &Paths, name: &str) -> Process {
    Process::new(paths, name)
}

/// The program and the arguments of a process of the cluster.
pub(crate) fn command(paths: &Paths, name: &str, node: &Node) -> (PathBuf, Vec<String>) {
    let program = match name {
        "etcd" => PathBuf::from("/usr/bin/etcd"),
        "containerd" => PathBuf::from("/usr/bin/containerd"),
        _ => paths.binary(name),
    };
    let arguments = match name {
        "etcd" => etcd(paths),
        "containerd" => vec!["--config".into(), paths.conf().join("containerd.toml").display().to_string()],
        "kube-apiserver" => apiserver(paths, node),
        "kube-controller-manager" => controller_manager(paths),
        "kube-scheduler" => scheduler(paths),
        "kubelet" => kubelet(paths, node),
        "kube-proxy" => vec![format!("--config={}", paths.conf().join("kube-proxy.yaml").display())],
        "volumes" => vec![
            format!("--kubeconfig={}", paths.pki().join("volumes.kubeconfig").display()),
            format!("--root={}", paths.run().join("volumes").display()),
        ],
        _ => Vec::new(),
    };
    (program, arguments)
}

fn etcd(paths: &Paths) -> Vec<String> {
    let client = format!("http://127.0.0.1:{}", ETCD_PORTS.0);
    let peer = format!("http://127.0.0.1:{}", ETCD_PORTS.1);
    let pairs = [
        ("name", "ffe-testbed".to_owned()),
        ("data-dir", paths.run().join("etcd").display().to_string()),
        ("listen-client-urls", client.clone()),
        ("advertise-client-urls", client),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer.clone()),
        ("initial-cluster", format!("ffe-testbed={peer}")),
        ("log-level", "warn".to_owned()),
        // Nothing here outlives the machine: waiting for the disk would only make tests slow.
        ("unsafe-no-fsync", "true".to_owned()),
        ("quota-backend-bytes", (4_u64 << 30).to_string()),
        ("auto-compaction-mode", "periodic".to_owned()),
        ("auto-compaction-retention", "5m".to_owned()),
    ];
    flags(pairs)
}

fn apiserver(paths: &Paths, node: &Node) -> Vec<String> {
    let pki = |file: &str| paths.pki().join(file).display().to_string();
    let mut all = any_apiserver(paths, API_PORT, node);
    all.extend(flags([
        ("bind-address", "0.0.0.0".to_owned()),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("enable-admission-plugins", "NodeRestriction".to_owned()),
        ("kubelet-certificate-authority", pki("ca.crt")),
        ("kubelet-client-certificate", pki("apiserver-kubelet.crt")),
        ("kubelet-client-key", pki("apiserver-kubelet.key")),
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
        ("requestheader-client-ca-file", pki("ca.crt")),
        ("requestheader-allowed-names", "front-proxy-client".to_owned()),
        ("requestheader-extra-headers-prefix", "X-Remote-Extra-".to_owned()),
        ("requestheader-group-headers", "X-Remote-Group".to_owned()),
        ("requestheader-username-headers", "X-Remote-User".to_owned()),
        ("proxy-client-cert-file", pki("front-proxy.crt")),
        ("proxy-client-key-file", pki("front-proxy.key")),
        ("endpoint-reconciler-type", "lease".to_owned()),
        // Many releases are tested at once, each with clients of its own.
        ("max-requests-inflight", "800".to_owned()),
        ("max-mutating-requests-inflight", "400".to_owned()),
    ]));
    all
}

/// What every API server on the testbed's etcd and with its keys is told.
pub(super) fn any_apiserver(paths: &Paths, port: u16, node: &Node) -> Vec<String> {
    let pki = |file: &str| paths.pki().join(file).display().to_string();
    flags([
        ("etcd-servers", format!("http://127.0.0.1:{}", ETCD_PORTS.0)),
        ("secure-port", port.to_string()),
        ("advertise-address", node.address().to_string()),
        ("service-cluster-ip-range", SERVICE_CIDR.to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("client-ca-file", pki("ca.crt")),
        ("tls-cert-file", pki("apiserver.crt")),
        ("tls-private-key-file", pki("apiserver.key")),
        ("service-account-issuer", "https://kubernetes.default.svc.cluster.local".to_owned()),
        ("service-account-key-file", pki("sa.pub")),
        ("service-account-signing-key-file", pki("sa.key")),
        ("shutdown-delay-duration", "0s".to_owned()),
        ("profiling", "false".to_owned()),
    ])
}

fn controller_manager(paths: &Paths) -> Vec<String> {
    let pki = |file: &str| paths.pki().join(file).display().to_string();
    let mut all = controller(paths, "controller-manager");
    all.extend(flags([
        ("use-service-account-credentials", "true".to_owned()),
        ("service-account-private-key-file", pki("sa.key")),
        ("root-ca-file", pki("ca.crt")),
        ("cluster-signing-cert-file", pki("ca.crt")),
        ("cluster-signing-key-file", pki("ca.key")),
        ("cluster-cidr", super::POD_CIDR.to_owned()),
        ("allocate-node-cidrs", "false".to_owned()),
        ("concurrent-namespace-syncs", "20".to_owned()),
        // A busy machine, or a test that holds the API up, is no reason to give the node up.
        ("node-monitor-grace-period", "180s".to_owned()),
    ]));
    all
}

fn scheduler(paths: &Paths) -> Vec<String> {
    controller(paths, "scheduler")
}

/// What the controller manager and the scheduler have in common.
fn controller(paths: &Paths, name: &str) -> Vec<String> {
    let kubeconfig = paths.pki().join(format!("{name}.kubeconfig")).display().to_string();
    flags([
        ("kubeconfig", kubeconfig.clone()),
        ("authentication-kubeconfig", kubeconfig.clone()),
        ("authorization-kubeconfig", kubeconfig),
        ("bind-address", "127.0.0.1".to_owned()),
        ("leader-elect", "false".to_owned()),
        // The only one of its kind, and tests wait for it.
        ("kube-api-qps", "200".to_owned()),
        ("kube-api-burst", "400".to_owned()),
    ])
}

fn kubelet(paths: &Paths, node: &Node) -> Vec<String> {
    flags([
        ("config", paths.conf().join("kubelet.yaml").display().to_string()),
        ("kubeconfig", paths.pki().join("kubelet.kubeconfig").display().to_string()),
        ("root-dir", paths.run().join("kubelet").display().to_string()),
        ("cert-dir", paths.run().join("kubelet-pki").display().to_string()),
        ("hostname-override", node.name().to_owned()),
        ("node-ip", node.address().to_string()),
    ])
}

pub(super) fn flags<const N: usize>(pairs: [(&str, String); N]) -> Vec<String> {
    pairs.into_iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_process_has_a_program_and_arguments_and_no_secret_in_them() {
        let paths = Paths::at(Path::new("/cache/testbed"), Path::new("/repo"));
        for name in NAMES {
            let (program, arguments) = command(&paths, name, &Node::first(&paths));
            assert!(program.ends_with(name), "{name}");
            assert!(!arguments.is_empty(), "{name}");
            assert!(arguments.iter().all(|argument| !argument.contains("BEGIN")), "{name}");
        }
        assert!(FIRST.iter().all(|name| NAMES.contains(name)));
    }
}
