//! An ACME server that validates what it certifies.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Component, Dns, Part, ZONE};
use crate::bed::Bed;
use crate::command;
use crate::files;
use crate::go::{Unit, no_variables};
use crate::host;
use crate::paths::Paths;
use crate::pki;
use crate::process::{self, Process};
use crate::template::fill;

pub(super) struct Pebble;

const NAME: &str = "pebble";
const DIRECTORY_PORT: u16 = 14000;
const MANAGEMENT_PORT: u16 = 14001;
const CONFIGURATION: &str = include_str!("../../conf/tls/pebble.json");

static UNIT: Unit = Unit {
    name: NAME,
    graph: NAME,
    binaries: &[(NAME, "github.com/letsencrypt/pebble/v2/cmd/pebble")],
    version_of: "github.com/letsencrypt/pebble/v2",
    variables: no_variables,
};

static UNITS: &[&Unit] = &[&UNIT];

/// It pauses for seconds before it validates, refuses some requests and reuses some validations, all by chance, so
/// that clients are written for that. Tests want the same each time.
const VARIABLES: &[(&str, &str)] =
    &[("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0"), ("PEBBLE_AUTHZREUSE", "0")];

/// Its certificate, the authority of that, and the roots of what it issues.
pub(crate) fn folder(paths: &Paths) -> PathBuf {
    paths.root().join(NAME)
}

/// The URL that clients begin with.
pub(crate) fn directory() -> Result<String> {
    Ok(format!("https://{}:{DIRECTORY_PORT}/dir", host::node_ip()?))
}

impl Component for Pebble {
    fn units(&self) -> &'static [&'static Unit] {
        UNITS
    }

    fn needs(&self) -> &'static [Part] {
        // kubectl comes with the cluster.
        &[Part::Cluster, Part::Dns]
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        let process = Process::new(bed.paths, NAME);
        let node_ip = host::node_ip()?;
        let folder = folder(bed.paths);
        let (address_file, roots) = (folder.join("address"), folder.join("roots.pem"));
        let same = std::fs::read_to_string(&address_file).is_ok_and(|address| address == node_ip.to_string());
        let runs = same && process.pid().is_some();
        if runs && roots.exists() {
            return Ok(());
        }
        if !same {
            self.stop(bed)?;
            // Kept while this machine has the same address, so that issuers that know the authority go on.
            let hosts = [node_ip.to_string(), "127.0.0.1".to_owned(), "localhost".to_owned()];
            pki::server(&folder, "ffe-testbed-acme-ca", "server", &hosts)?;
            files::write_atomically(&address_file, node_ip.to_string().as_bytes(), 0o644)?;
        }
        let address = SocketAddr::V4(SocketAddrV4::new(node_ip, DIRECTORY_PORT));
        if !runs {
            if host::is_taken_at(address) {
                bail!("something else listens on {address}, where the ACME server would: stop it first");
            }
            // Those of the last start.
            files::remove_file(&roots).with_context(|| format!("removing {}", roots.display()))?;
            let configuration = folder.join("pebble.json");
            files::write_atomically(&configuration, configured(&folder, node_ip)?.as_bytes(), 0o644)?;
            let dns = Dns::of(bed.paths)?.server;
            let arguments = [format!("-config={}", configuration.display()), format!("-dnsserver={dns}")];
            process.start_with(&bed.paths.binary(NAME), &arguments, VARIABLES)?;
        }
        let management = SocketAddrV4::new(node_ip, MANAGEMENT_PORT);
        for address in [address, SocketAddr::V4(management)] {
            process.wait_until_listening(address)?;
        }
        let root = fetch(bed.paths, &folder, &format!("https://{management}"), "/roots/0")?;
        files::write_atomically(&roots, root.as_bytes(), 0o644)?;
        bed.say(format!("the ACME server listens on {address}"));
        Ok(())
    }

    fn stop(&self, bed: &Bed<'_>) -> Result<()> {
        process::stop(&[Process::new(bed.paths, NAME)], Duration::from_secs(5))?;
        files::remove_folder(&folder(bed.paths))
    }

    fn processes(&self) -> &'static [&'static str] {
        &[NAME]
    }
}

fn configured(folder: &Path, node_ip: Ipv4Addr) -> Result<String> {
    let address = |port| SocketAddrV4::new(node_ip, port).to_string();
    fill(
        CONFIGURATION,
        &[
            ("FOLDER", &folder.display().to_string()),
            ("DIRECTORY", &address(DIRECTORY_PORT)),
            ("MANAGEMENT", &address(MANAGEMENT_PORT)),
            ("ZONE", ZONE),
        ],
    )
}

/// Asks for a path by kubectl, the client of HTTPS that the testbed has.
fn fetch(paths: &Paths, folder: &Path, server: &str, path: &str) -> Result<String> {
    let mut kubectl = Command::new(paths.binary("kubectl"));
    kubectl
        .env_remove("KUBECONFIG")
        // Without a token it would ask for a user's name.
        .args(["--kubeconfig=/dev/null", "--token=nobody", "--request-timeout=10s", "--server", server])
        .arg(format!("--certificate-authority={}", folder.join("ca.crt").display()))
        .args(["get", "--raw", path]);
    command::output(&mut kubectl).context("asking the ACME server for its root certificate")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_validates_on_the_ports_of_the_ingress_controller_and_issues_short_lived_certificates() {
        let text = configured(Path::new("/cache/pebble"), Ipv4Addr::new(192, 0, 2, 1)).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pebble = &json["pebble"];
        assert_eq!(pebble["listenAddress"], "192.0.2.1:14000");
        assert_eq!((pebble["httpPort"].as_u64(), pebble["tlsPort"].as_u64()), (Some(80), Some(443)));
        let lives: Vec<u64> =
            pebble["profiles"].as_object().unwrap().values().map(|p| p["validityPeriod"].as_u64().unwrap()).collect();
        assert!(lives.contains(&60) && lives.contains(&7_776_000), "{lives:?}");
        // It would certify everything without a look.
        assert!(VARIABLES.iter().all(|(name, _)| *name != "PEBBLE_VA_ALWAYS_VALID"));
    }
}
