//! How the testbed is.

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::cluster::{api, other, services};
use crate::node::Node;
use crate::parts::{self, Part, all_units};
use crate::paths::Paths;
use crate::process::Process;

/// A process of the testbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStatus {
    /// For instance `kube-apiserver`.
    pub name: String,
    /// Its id while it runs.
    pub pid: Option<i32>,
}

/// How the testbed is at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Every process that the testbed knows of.
    pub processes: Vec<ProcessStatus>,
    /// The API answers that it is ready.
    pub api_ready: bool,
    /// The node takes pods.
    pub node_ready: bool,
    /// cert-manager has its pods and its webhook answers; nothing when it was not asked for.
    pub cert_manager_ready: Option<bool>,
    /// The node's address, for pods and for this machine.
    pub node_ip: Ipv4Addr,
    /// Pinned versions of what is built from source, by name, and whether it is built.
    pub versions: Vec<(String, String, bool)>,
    /// The kubeconfig of the cluster.
    pub kubeconfig: PathBuf,
    /// The kubeconfig of the other cluster, while that answers.
    pub other_kubeconfig: Option<PathBuf>,
}

impl Status {
    pub(crate) fn read(paths: &Paths) -> Self {
        let processes: Vec<ProcessStatus> = Part::ALL
            .iter()
            .flat_map(|part| part.component().processes())
            .map(|name| ProcessStatus { name: (*name).to_owned(), pid: Process::new(paths, name).pid() })
            .collect();
        let api_process = services::process(paths, "kube-apiserver").pid();
        let api_ready = api_process.is_some() && api::is_ready(paths);
        let versions = all_units()
            .iter()
            .flat_map(|unit| {
                let version = unit.version(paths).unwrap_or_else(|_| "unknown".to_owned());
                unit.binaries
                    .iter()
                    .map(move |(name, _)| ((*name).to_owned(), version.clone(), paths.binary(name).exists()))
            })
            .collect();
        Self {
            processes,
            api_ready,
            cert_manager_ready: if api_ready { parts::cert_manager_is_ready(paths) } else { None },
            node_ready: api_ready && api::node_is_ready(paths),
            node_ip: Node::first(paths).address(),
            versions,
            kubeconfig: paths.kubeconfig(),
            other_kubeconfig: other::is_up(paths).then(|| paths.other_kubeconfig()),
        }
    }

    /// Whether the cluster is as `up` leaves it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let runs = |name: &&str| self.processes.iter().any(|process| process.name == **name && process.pid.is_some());
        self.api_ready && self.node_ready && services::NAMES.iter().all(runs)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for process in &self.processes {
            match process.pid {
                Some(pid) => writeln!(f, "{:<24} running (process {pid})", process.name)?,
                None => writeln!(f, "{:<24} stopped", process.name)?,
            }
        }
        let yes = |ready: bool| if ready { "ready" } else { "not ready" };
        writeln!(f, "{:<24} {}", "API", yes(self.api_ready))?;
        writeln!(f, "{:<24} {}", "node", yes(self.node_ready))?;
        if let Some(ready) = self.cert_manager_ready {
            writeln!(f, "{:<24} {}", "cert-manager", yes(ready))?;
        }
        writeln!(f, "{:<24} {}", "node address", self.node_ip)?;
        for (name, version, built) in &self.versions {
            writeln!(f, "{name:<24} {version}{}", if *built { "" } else { " (not built)" })?;
        }
        write!(f, "{:<24} {}", "kubeconfig", self.kubeconfig.display())?;
        match &self.other_kubeconfig {
            Some(path) => write!(f, "\n{:<24} {}", "other kubeconfig", path.display()),
            None => Ok(()),
        }
    }
}
