//! The Kubernetes cluster.

use anyhow::Result;

use super::Component;
use crate::bed::Bed;
use crate::cluster::{services, start, stop};
use crate::debian::{self, Package};
use crate::go::{Unit, Versions, no_variables};

pub(super) struct Cluster;

/// One program under five names: linked once, and it does what the name says. kubectl is started often, and stays small.
static KUBERNETES: Unit = Unit {
    name: "kubernetes",
    graph: "kubernetes",
    binaries: &[
        ("kube-apiserver", "./node"),
        ("kube-controller-manager", "./node"),
        ("kube-scheduler", "./node"),
        ("kubelet", "./node"),
        ("kube-proxy", "./node"),
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    ],
    version_of: "k8s.io/kubernetes",
    tags: "",
    variables: kubernetes_version,
    seconds: 480,
};

/// Its own graph would compile client-go once more.
static COREDNS: Unit = Unit {
    name: "coredns",
    graph: "kubernetes",
    binaries: &[("coredns", "./coredns")],
    version_of: "github.com/coredns/coredns",
    tags: "",
    variables: no_variables,
    seconds: 40,
};

static OWN: Unit = Unit {
    name: "own",
    graph: "kubernetes",
    binaries: &[("pause", "./pause"), ("volumes", "./volumes")],
    version_of: "k8s.io/client-go",
    tags: "",
    variables: no_variables,
    seconds: 5,
};

/// A build from the module registry knows its version only when told: clients and charts decide by it.
fn kubernetes_version(versions: &Versions<'_>) -> Vec<(String, String)> {
    let mut numbers = versions.main().trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    [
        ("gitVersion", versions.main()),
        ("gitMajor", major),
        ("gitMinor", minor),
        ("gitTreeState", "clean"),
        ("gitCommit", "0000000000000000000000000000000000000000"),
        ("buildDate", "1970-01-01T00:00:00Z"),
    ]
    .map(|(name, value)| (format!("k8s.io/component-base/version.{name}"), value.to_owned()))
    .into()
}

static UNITS: &[&Unit] = &[&KUBERNETES, &COREDNS, &OWN];

const PACKAGES: &[Package] = &[
    Package { name: "etcd-server", file: "/usr/bin/etcd", service: Some("etcd") },
    Package { name: "containerd", file: "/usr/bin/containerd", service: Some("containerd") },
    Package { name: "runc", file: "runc", service: None },
    Package { name: "containernetworking-plugins", file: "/usr/lib/cni/ptp", service: None },
    Package { name: "nftables", file: "/usr/sbin/nft", service: Some("nftables") },
    Package { name: "iproute2", file: "/usr/bin/ip", service: None },
    Package { name: "mount", file: "/usr/bin/mount", service: None },
];

impl Component for Cluster {
    fn units(&self) -> &'static [&'static Unit] {
        UNITS
    }

    fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        debian::ensure(bed, PACKAGES)?;
        self.units().iter().try_for_each(|unit| unit.ensure(bed))
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        start::start(bed)
    }

    fn stop(&self, bed: &Bed<'_>) -> Result<()> {
        stop::stop(bed)
    }

    fn processes(&self) -> &'static [&'static str] {
        services::ALL
    }
}
