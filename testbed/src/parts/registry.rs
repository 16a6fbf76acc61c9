//! An OCI registry for charts.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Component;
use crate::bed::Bed;
use crate::files;
use crate::go::{Unit, no_variables};
use crate::host;
use crate::process::{self, Process};

pub(super) struct Registry;

/// Where the registry of the testbed listens, in plain HTTP and open to everybody on this machine. A test that wants
/// one with a password starts the binary `registry` itself, with `-users`.
pub const REGISTRY_ADDRESS: &str = "127.0.0.1:15000";

const NAME: &str = "registry";

static UNIT: Unit = Unit {
    name: NAME,
    graph: NAME,
    binaries: &[(NAME, ".")],
    version_of: "github.com/google/go-containerregistry",
    variables: no_variables,
    seconds: 0,
};

static UNITS: &[&Unit] = &[&UNIT];

impl Component for Registry {
    fn units(&self) -> &'static [&'static Unit] {
        UNITS
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        let process = Process::new(bed.paths, NAME);
        if process.pid().is_some() {
            return Ok(());
        }
        let address: SocketAddr = REGISTRY_ADDRESS.parse().context("the registry's address")?;
        if host::is_taken(address.port()) {
            bail!("something else listens on {REGISTRY_ADDRESS}, where the chart registry would: stop it first");
        }
        let root = bed.paths.root().join("registry");
        std::fs::create_dir_all(&root).with_context(|| format!("folder {}", root.display()))?;
        let arguments = [format!("-listen={REGISTRY_ADDRESS}"), format!("-root={}", root.display())];
        process.start(&bed.paths.binary(NAME), &arguments)?;
        let started = Instant::now();
        while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
            process.check()?;
            if started.elapsed() > Duration::from_secs(20) {
                bail!("the registry does not listen on {REGISTRY_ADDRESS}; see {}", process.log().display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bed.say(format!("the chart registry listens on {REGISTRY_ADDRESS}"));
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
