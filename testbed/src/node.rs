//! The machine that the cluster runs on: a network and mounts of its own, which live as long as its first process does.
//!
//! Of the machine itself it takes one network interface, the outer end of a cable that leads to the node. Ports, rules,
//! bridges, mounts, kernel settings and the places where the kubelet and containerd keep notes are the node's own.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cluster::SERVICE_CIDR;
use crate::command::{self, SYSTEM_PATH};
use crate::files;
use crate::host;
use crate::paths::Paths;
use crate::process::{self, Process};

/// What its first process does.
const SCRIPT: &str = include_str!("../conf/node.sh");

/// Networks of testbeds: sixteen addresses each of a range that is set aside for tests of networks (RFC 2544).
const NETWORKS: u32 = u32::from_be_bytes([198, 19, 0, 0]);
const PREFIX: u8 = 28;

/// How long the kernel may take to lay out the node, or to clear it away.
const LIMIT: Duration = Duration::from_secs(20);

/// A node, running or not. All that it is called follows from the testbed's folder and the node's number, so that
/// testbeds in different folders do not meet.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    name: String,
    address: Ipv4Addr,
    host_address: Ipv4Addr,
    interface: String,
    cgroup: String,
    root: PathBuf,
    laid_out: PathBuf,
    first: Process,
}

impl Node {
    /// The node that has the control plane.
    pub(crate) fn first(paths: &Paths) -> Self {
        let name = FIRST;
        let hash = files::sha256(paths.root().as_os_str().as_encoded_bytes());
        let id: String = hash.chars().filter(char::is_ascii_hexdigit).take(8).collect();
        let place = u32::from_str_radix(&id, 16).unwrap_or_default() & 0xfff;
        let network = NETWORKS + (place << (32 - PREFIX));
        Self {
            name: name.to_owned(),
            host_address: Ipv4Addr::from(network + 1),
            address: Ipv4Addr::from(network + 2),
            interface: format!("ffe-{id}"),
            cgroup: format!("ffe-testbed-{id}"),
            root: paths.root().to_path_buf(),
            laid_out: paths.run().join(format!("{name}.laid-out")),
            first: Process::new(paths, name),
        }
    }

    /// What the cluster calls it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where everything on it is reached, from pods and from this machine.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// An address of it.
    pub(crate) fn socket(&self, port: u16) -> SocketAddr {
        SocketAddr::V4(SocketAddrV4::new(self.address, port))
    }

    /// Where the node and pods reach this machine.
    pub(crate) fn host_address(&self) -> Ipv4Addr {
        self.host_address
    }

    /// The name of the control group in which every pod and every container's shim lives.
    pub(crate) fn cgroup(&self) -> &str {
        &self.cgroup
    }

    /// Whether it runs and this machine has the cable to it.
    pub(crate) fn runs(&self) -> bool {
        self.pid().is_some() && self.has_interface()
    }

    /// The id of its first process, while that runs.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.first.pid().filter(|_| self.laid_out.exists())
    }

    /// The beginning of a command line that goes on with what is to run on the node, in its network and among its
    /// mounts. It replaces itself with that program, so that the process id stays.
    pub(crate) fn enter(&self) -> Result<Vec<String>> {
        let Some(pid) = self.pid() else { bail!("{} does not run", self.name) };
        Ok(["nsenter", &format!("--target={pid}"), "--net", "--mount", "--"].map(str::to_owned).into())
    }

    /// A command of the system, on the node.
    pub(crate) fn system(&self, program: &str) -> Result<Command> {
        let mut command = host::system("nsenter");
        command.args(self.enter()?.iter().skip(1)).arg("env").arg(format!("PATH={SYSTEM_PATH}")).arg(program);
        Ok(command)
    }

    /// Lays it out and connects it with this machine. To be called when nothing of it runs.
    pub(crate) fn create(&self) -> Result<()> {
        self.refuse_a_taken_network()?;
        if let Some(run) = self.laid_out.parent() {
            std::fs::create_dir_all(run).with_context(|| format!("folder {}", run.display()))?;
        }
        files::remove_file(&self.laid_out).with_context(|| format!("removing {}", self.laid_out.display()))?;
        let unshare = ["--net", "--mount", "--propagation=slave", "--", "sh", "-euc", SCRIPT, &self.name];
        let mut arguments: Vec<String> = unshare.map(str::to_owned).into();
        arguments.extend([&self.root, &self.laid_out].map(|path| path.display().to_string()));
        self.first.start(Path::new("unshare"), &arguments)?;
        let started = Instant::now();
        while self.pid().is_none() {
            self.first.check()?;
            if started.elapsed() > LIMIT {
                bail!("{} is not laid out after {} s; see {}", self.name, LIMIT.as_secs(), self.first.log().display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.connect()?;
        self.is_reached()
    }

    /// A cable from this machine to the node.
    fn connect(&self) -> Result<()> {
        let Some(pid) = self.pid() else { bail!("{} has ended", self.name) };
        let (outer, pid) = (self.interface.as_str(), pid.to_string());
        let [host, node] = [self.host_address, self.address].map(|address| format!("{address}/{PREFIX}"));
        ip(&["link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", &pid])?;
        ip(&["address", "add", &host, "dev", outer])?;
        ip(&["link", "set", outer, "up"])?;
        let inside: [&[&str]; 3] = [
            &["address", "add", &node, "dev", "eth0"],
            &["link", "set", "eth0", "up"],
            // The API server calls services too. kube-proxy gives their addresses away for those of pods, but only on
            // connections that have somewhere to go to begin with; there is no other way out of the node.
            &["route", "add", SERVICE_CIDR, "dev", "eth0"],
        ];
        for arguments in inside {
            command::output(self.system("ip")?.args(arguments))?;
        }
        Ok(())
    }

    /// Its addresses follow from a folder's name, so that somebody else may have them already.
    fn refuse_a_taken_network(&self) -> Result<()> {
        let network = format!("{}/{PREFIX}", Ipv4Addr::from(u32::from(self.host_address) - 1));
        let routes = ip(&["-4", "route", "show", "root", &network])?;
        match routes.lines().next() {
            None => Ok(()),
            Some(route) => bail!(
                "this machine has a route to {network} already ({}), where the node would be: set FFE_CACHE_DIR to \
                 another folder, from which other addresses follow",
                route.trim()
            ),
        }
    }

    fn has_interface(&self) -> bool {
        // Unlike /sys, it shows the network of the process that reads it, also where that is not the machine's own.
        let table = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
        table.lines().filter_map(|line| line.split_once(':')).any(|(name, _)| name.trim() == self.interface)
    }

    /// An error when this machine does not reach the node.
    fn is_reached(&self) -> Result<()> {
        // Nobody listens there: a node that is reached refuses at once.
        match TcpStream::connect_timeout(&self.socket(9), Duration::from_secs(5)) {
            Err(error) if error.kind() != ErrorKind::ConnectionRefused => bail!(
                "the node cannot be reached at {} ({error}): a firewall of this machine drops what goes out or comes back \
                 over the interface {interface}. Let it pass, for instance by `nft insert rule inet filter input iifname \
                 {interface} accept`, with the table and the chain that drop it",
                self.address,
                interface = self.interface
            ),
            _ => Ok(()),
        }
    }

    /// Ends its first process, when all others have ended, and waits until nothing of it is left.
    pub(crate) fn remove(&self) -> Result<()> {
        process::stop(std::slice::from_ref(&self.first), Duration::from_secs(1))?;
        let started = Instant::now();
        // The cable goes with the network that it leads to, a moment after the last process there.
        while self.has_interface() {
            if started.elapsed() > LIMIT {
                bail!(
                    "the interface {} does not go: a process that the testbed did not start, or knows nothing of any more, \
                     is still on its node. `lsns --type net` lists it: end it",
                    self.interface
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// The name of the node with the control plane, which is that of its first process too.
pub(crate) const FIRST: &str = "node1";

/// A list of hosts that no proxy is asked for, with this one; nothing when it is in it.
pub(crate) fn exempt(address: Ipv4Addr, list: &str) -> Option<String> {
    let address = address.to_string();
    let mut hosts: Vec<&str> = list.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
    if hosts.contains(&address.as_str()) || hosts.contains(&"*") {
        return None;
    }
    hosts.push(&address);
    Some(hosts.join(","))
}

fn ip(arguments: &[&str]) -> Result<String> {
    command::output(host::system("ip").args(arguments))
}

#[cfg(test)]
mod tests;
