//! What of a machine somebody who starts a cluster on it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Settings of the kernel that clusters change.
const SETTINGS: &[&str] = &[
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
];

/// Ports that a cluster and the testbed's other parts use.
const PORTS: &[u16] = &[
    53, 80, 443, 6443, 10248, 10249, 10250, 10256, 10257, 10259, 14000, 15000, 16443, 16444, 17070, 18080, 23790, 23800,
];

/// Places where the kubelet, containerd and network plugins leave notes.
const PLACES: &[&str] = &[
    "/run/containerd",
    "/run/netns",
    "/var/lib/cni/results",
    "/var/lib/kubelet/device-plugins",
    "/var/log/containers",
    "/var/log/pods",
];

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) interfaces: BTreeSet<String>,
    control_groups: BTreeSet<String>,
    others: Others,
}

/// What stays as it is also while a testbed runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Others {
    settings: BTreeMap<&'static str, String>,
    mounts: BTreeSet<String>,
    propagation: BTreeSet<String>,
    rules: String,
    listened: BTreeSet<u16>,
    notes: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Seen {
    pub(crate) fn now() -> Self {
        Self {
            interfaces: interfaces(),
            control_groups: control_groups(),
            others: Others {
                settings: SETTINGS.iter().map(|name| (*name, read(&format!("/proc/sys/{name}")))).collect(),
                mounts: fields(4),
                // From the seventh field up to a dash: whom a mount tells of what is mounted below it.
                propagation: read("/proc/self/mountinfo").lines().map(propagation).collect(),
                rules: rules(),
                listened: listened(),
                notes: PLACES.iter().map(|place| (*place, names(Path::new(place)))).collect(),
            },
        }
    }

    pub(crate) fn others(&self) -> &Others {
        &self.others
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Of the network that this process is in, which /sys does not say.
fn interfaces() -> BTreeSet<String> {
    read("/proc/net/dev").lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// Of every mount of this process's, one field.
fn fields(which: usize) -> BTreeSet<String> {
    read("/proc/self/mountinfo").lines().filter_map(|line| line.split(' ').nth(which)).map(str::to_owned).collect()
}

fn propagation(line: &str) -> String {
    let mut words = line.split(' ');
    let place = words.nth(4).unwrap_or_default();
    let tags: Vec<&str> = words.skip(1).take_while(|word| *word != "-").collect();
    format!("{place} {}", tags.join(" "))
}

/// Without what has been counted since.
fn rules() -> String {
    let nft = Command::new("/usr/sbin/nft").args(["--stateless", "list", "ruleset"]).output().unwrap();
    assert!(nft.status.success(), "{}", String::from_utf8_lossy(&nft.stderr));
    String::from_utf8(nft.stdout).unwrap()
}

/// Those of [`PORTS`] on which somebody listens, at any address.
fn listened() -> BTreeSet<u16> {
    let listens = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, state, ..] = words.as_slice() else { return None };
        // 0A is a TCP socket that listens, 07 a UDP socket that has no peer.
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        (["0A", "07"].contains(state) && PORTS.contains(&port)).then_some(port)
    };
    ["tcp", "tcp6", "udp", "udp6"]
        .iter()
        .flat_map(|table| read(&format!("/proc/net/{table}")).lines().filter_map(listens).collect::<Vec<_>>())
        .collect()
}

/// The testbeds' own, in every hierarchy.
fn control_groups() -> BTreeSet<String> {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = names(root).into_iter().map(|name| root.join(name)).chain([root.to_path_buf()]);
    hierarchies
        .flat_map(|hierarchy| names(&hierarchy).into_iter().map(move |name| hierarchy.join(name).display().to_string()))
        .filter(|path| path.contains("ffe-testbed"))
        .collect()
}
