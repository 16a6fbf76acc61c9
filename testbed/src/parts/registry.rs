//! An OCI registry for charts.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Component, Part};
use crate::bed::Bed;
use crate::files;
use crate::go::{Unit, no_variables};
use crate::node::Node;
use crate::paths::Paths;
use crate::process::{self, Process};

pub(super) struct Registry;

const PORT: u16 = 15000;
const NAME: &str = "registry";

static UNIT: Unit = Unit {
    name: NAME,
    graph: NAME,
    binaries: &[(NAME, ".")],
    version_of: "github.com/google/go-containerregistry",
    tags: "",
    variables: no_variables,
    seconds: 5,
};

static UNITS: &[&Unit] = &[&UNIT];

/// Where it listens, in plain HTTP and open to everybody.
pub(crate) fn address(paths: &Paths) -> SocketAddr {
    Node::first(paths).socket(PORT)
}

impl Component for Registry {
    fn units(&self) -> &'static [&'static Unit] {
        UNITS
    }

    fn needs(&self) -> &'static [Part] {
        // It runs on the node.
        &[Part::Cluster]
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        let process = Process::new(bed.paths, NAME);
        if process.pid().is_some() {
            return Ok(());
        }
        let root = bed.paths.root().join("registry");
        std::fs::create_dir_all(&root).with_context(|| format!("folder {}", root.display()))?;
        // Also on the node's loopback address, where containerd takes plain HTTP.
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        let arguments = [format!("-listen={everywhere}"), format!("-root={}", root.display())];
        let node = Node::first(bed.paths);
        process.start_on(&node, &bed.paths.binary(NAME), &arguments)?;
        process.wait_until_listening(address(bed.paths))?;
        bed.say(format!("the chart registry listens on {}", address(bed.paths)));
        Ok(())
    }

    fn stop(&self, bed: &Bed<'_>) -> Result<()> {
        process::stop(&[Process::new(bed.paths, NAME)], Duration::from_secs(5))?;
        files::remove_folder(&bed.paths.root().join("registry"))
    }

    fn processes(&self) -> &'static [&'static str] {
        &[NAME]
    }
}
