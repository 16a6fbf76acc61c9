//! What the testbed changes on the machine outside of its folder, and how that is undone.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{self, SYSTEM_PATH};
use crate::files;

/// The control group under which every pod and every container's shim lives.
pub(crate) const CGROUP: &str = "ffe-testbed";
/// The bridge of the pods.
pub(crate) const BRIDGE: &str = "ffe0";

/// A command of the system, found also where a user's PATH does not look.
pub(crate) fn system(program: &str) -> Command {
    let mut command = Command::new("env");
    command.arg(format!("PATH={SYSTEM_PATH}")).arg(program);
    command
}

/// The address of this machine that pods can reach: the one that it would use to speak to others.
pub(crate) fn node_ip() -> Result<Ipv4Addr> {
    // No packet is sent: connecting a datagram socket only chooses the way.
    let chosen = || -> std::io::Result<std::net::IpAddr> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("192.0.2.1:9")?;
        Ok(socket.local_addr()?.ip())
    };
    if let Ok(std::net::IpAddr::V4(address)) = chosen()
        && !address.is_loopback()
        && !address.is_unspecified()
    {
        return Ok(address);
    }
    let all = command::output(system("ip").args(["-4", "-o", "addr", "show", "scope", "global"]))?;
    match all.lines().filter(|line| !line.contains(BRIDGE)).find_map(first_address) {
        Some(address) => Ok(address),
        None => bail!("this machine has no IPv4 address but the loopback one: a node needs one"),
    }
}

/// The address in a line of `ip -o addr`.
fn first_address(line: &str) -> Option<Ipv4Addr> {
    let (_, rest) = line.split_once(" inet ")?;
    rest.split(['/', ' ']).next()?.parse().ok()
}

/// Whether anybody listens on this port of the loopback address.
pub(crate) fn is_taken(port: u16) -> bool {
    is_taken_at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Whether anybody listens on this address.
pub(crate) fn is_taken_at(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Kernel settings that pods need. What they were is written to `before`, once.
pub(crate) fn set_kernel(before: &Path) -> Result<()> {
    let mut old: BTreeMap<&str, String> = BTreeMap::new();
    let bridge = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    if !Path::new(bridge).exists() {
        // Built in, a module, or missing; the last shows when services do not answer.
        let _ = command::output(system("modprobe").arg("br_netfilter"));
    }
    for path in ["/proc/sys/net/ipv4/ip_forward", bridge] {
        let Ok(value) = std::fs::read_to_string(path) else { continue };
        if value.trim() != "1" {
            std::fs::write(path, "1").with_context(|| format!("writing {path}"))?;
            old.insert(path, value);
        }
    }
    if !before.exists() {
        files::write_atomically(before, &serde_json::to_vec(&old)?, 0o644)?;
    }
    // Mounts made for pods must be seen by the kubelet and the containers alike.
    command::output(system("mount").args(["--make-rshared", "/"]))?;
    command::output(system("ip").args(["link", "set", "lo", "up"]))?;
    Ok(())
}

/// Puts kernel settings back to what they were.
pub(crate) fn restore_kernel(before: &Path) {
    let Ok(text) = std::fs::read(before) else { return };
    let old: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap_or_default();
    for (path, value) in old {
        let _ = std::fs::write(path, value);
    }
}

/// The folders of our control group: one in each hierarchy of version 1, one in all for version 2.
fn cgroup_folders() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        return vec![root.join(CGROUP)];
    }
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    // Names like `cpu` may be links to `cpu,cpuacct`.
    entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| e.path().join(CGROUP)).collect()
}

/// Makes the control group that the kubelet is told to use, and one in it for the shims of containers.
pub(crate) fn create_cgroup() -> Result<()> {
    let folders = cgroup_folders();
    if folders.is_empty() {
        bail!("there are no control groups in /sys/fs/cgroup: containers need them");
    }
    for folder in folders {
        let shims = folder.join("shims");
        std::fs::create_dir_all(&shims).with_context(|| format!("control group {}", shims.display()))?;
        let Some(root) = folder.parent() else { continue };
        if root.join("cgroup.controllers").exists() {
            let controllers = std::fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
            let all: Vec<String> = controllers.split_whitespace().map(|name| format!("+{name}")).collect();
            for group in [root, &folder] {
                std::fs::write(group.join("cgroup.subtree_control"), all.join(" "))
                    .with_context(|| format!("handing controllers to {}", group.display()))?;
            }
        } else if root.ends_with("cpuset") {
            // A new group of this hierarchy has no processors and takes no process before it is given some.
            for name in ["cpuset.cpus", "cpuset.mems"] {
                let of_root = std::fs::read_to_string(root.join(name)).unwrap_or_default();
                for group in [&folder, &shims] {
                    std::fs::write(group.join(name), &of_root)
                        .with_context(|| format!("{}/{name}", group.display()))?;
                }
            }
        }
    }
    Ok(())
}

/// Kills what is left in our control group and removes it. Nothing but pods and their shims is ever in it.
pub(crate) fn remove_cgroup() -> Result<()> {
    let folders = cgroup_folders();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let pids: Vec<Pid> = folders.iter().flat_map(|folder| cgroup_pids(folder)).collect();
        for pid in &pids {
            let _ = kill_process(*pid, Signal::KILL);
        }
        if pids.is_empty() && folders.iter().all(|folder| remove_groups(folder)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("processes in the control group {CGROUP} do not end: {pids:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn cgroup_pids(folder: &Path) -> Vec<Pid> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_dir())
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cgroup.procs")).ok())
        .flat_map(|text| text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect::<Vec<_>>())
        .collect()
}

/// Removes a group and those in it; true when none is left.
fn remove_groups(folder: &Path) -> bool {
    for entry in walkdir::WalkDir::new(folder).contents_first(true).into_iter().flatten() {
        if entry.file_type().is_dir() {
            let _ = std::fs::remove_dir(entry.path());
        }
    }
    !folder.exists()
}

/// Unmounts everything below a folder, the innermost first.
pub(crate) fn unmount_below(folder: &Path) -> Result<()> {
    let mounts = std::fs::read_to_string("/proc/mounts").context("reading /proc/mounts")?;
    for mount in mounts_below(&mounts, folder) {
        command::output(system("umount").arg("-l").arg(&mount))?;
    }
    Ok(())
}

fn mounts_below(mounts: &str, folder: &Path) -> Vec<PathBuf> {
    let mut below: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .map(|escaped| PathBuf::from(unescape(escaped)))
        .filter(|path| path.starts_with(folder))
        .collect();
    below.sort();
    below.reverse();
    below
}

/// Blanks and the like stand in /proc/mounts as a backslash and three octal digits.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        match after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out + rest
}

/// Loads a file of nftables rules.
pub(crate) fn load_rules(path: &Path) -> Result<()> {
    command::output(system("nft").arg("-f").arg(path)).map(|_| ())
}

/// Removes the pods' bridge and the tables that kube-proxy and we made.
pub(crate) fn remove_network() {
    // Each may be missing already.
    let _ = command::output(system("ip").args(["link", "del", BRIDGE]));
    for table in [["ip", "ffe-testbed"], ["ip", "kube-proxy"], ["ip6", "kube-proxy"]] {
        let _ = command::output(system("nft").args(["delete", "table"]).args(table));
    }
}

/// Removes what the network plugins and the kubelet noted about our pods in folders that cannot be moved: results by
/// pod, and links to logs below `run`. What belongs to others stays.
pub(crate) fn remove_notes(run: &Path) {
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
    fn mounts_below_a_folder_come_innermost_first() {
        let mounts = "\
proc /proc proc rw 0 0
tmpfs /cache/testbed/run/kubelet/pods/1/volumes/a\\040b tmpfs rw 0 0
overlay /cache/testbed/run/x overlay rw 0 0
overlay /cache/testbed/run/x/y overlay rw 0 0
overlay /cache/testbed/runner overlay rw 0 0
";
        let below = mounts_below(mounts, Path::new("/cache/testbed/run"));
        let expected = ["run/x/y", "run/x", "run/kubelet/pods/1/volumes/a b"];
        assert_eq!(below, expected.map(|path| Path::new("/cache/testbed").join(path)));
    }

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

    #[test]
    fn a_port_is_taken_while_somebody_listens_on_it() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(is_taken(listener.local_addr().unwrap().port()));
        // A caller's own port is in use, so that nobody else gets it, and nobody listens there.
        let caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(!is_taken(caller.local_addr().unwrap().port()));
    }

    #[test]
    fn an_address_is_read_from_a_line_of_ip() {
        let line = "2: eth0    inet 172.16.0.2/30 brd 172.16.0.3 scope global eth0\\       valid_lft forever";
        assert_eq!(first_address(line).unwrap(), Ipv4Addr::new(172, 16, 0, 2));
        assert_eq!(first_address("1: lo inet6 ::1/128"), None);
    }
}
