//! ACME servers that validate what they certify: one as servers on the internet are, one whose certificates end soon,
//! and a door to the first at which names are refused.

mod strict;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Component, Dns, Part, ZONE};
use crate::bed::Bed;
use crate::command;
use crate::files;
use crate::go::{Unit, no_variables};
use crate::node::Node;
use crate::paths::Paths;
use crate::pki;
use crate::process::{self, Process};
use crate::template::fill;

pub(super) struct Pebble;

const NAME: &str = "pebble";
const CONFIGURATION: &str = include_str!("../../conf/tls/pebble.json");

static UNIT: Unit = Unit {
    name: NAME,
    graph: NAME,
    binaries: &[(NAME, "github.com/letsencrypt/pebble/v2/cmd/pebble"), (strict::NAME, "./strict")],
    version_of: "github.com/letsencrypt/pebble/v2",
    tags: "",
    variables: no_variables,
    seconds: 5,
};

static UNITS: &[&Unit] = &[&UNIT];

/// A process of its own for each life of certificates: among several of one server, it chooses by chance for clients
/// that ask for none.
struct Server {
    process: &'static str,
    directory_port: u16,
    management_port: u16,
    /// How long its certificates are valid, in seconds.
    life: u32,
}

const USUAL: Server = Server { process: NAME, directory_port: 14000, management_port: 14001, life: 90 * 24 * 60 * 60 };
/// With cert-manager's shortest `renewBefore` of five minutes, they are renewed after one and then valid for five more.
const SHORT: Server = Server { process: "pebble-short", directory_port: 14010, management_port: 14011, life: 360 };

/// It pauses for seconds before it validates, refuses some requests and reuses some validations, all by chance, so
/// that clients are written for that. Tests want the same each time.
const VARIABLES: &[(&str, &str)] =
    &[("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0"), ("PEBBLE_AUTHZREUSE", "0")];

/// The certificate that both have, the authority of that, and the roots of what they issue.
pub(crate) fn folder(paths: &Paths) -> PathBuf {
    paths.root().join(NAME)
}

/// The URL that clients begin with.
pub(crate) fn directory(paths: &Paths) -> String {
    USUAL.directory(paths)
}

/// The same of the server whose certificates end after six minutes.
pub(crate) fn short_directory(paths: &Paths) -> String {
    SHORT.directory(paths)
}

/// The same of the door at which names are refused.
pub(crate) fn strict_directory(paths: &Paths) -> String {
    strict::directory(paths)
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
        let node = Node::first(bed.paths);
        let address = node.address().to_string();
        let folder = folder(bed.paths);
        let address_file = folder.join("address");
        if !std::fs::read_to_string(&address_file).is_ok_and(|made_for| made_for == address) {
            self.stop(bed)?;
            // Kept while the node has the same address, so that issuers that know the authority go on.
            let hosts = [address.clone(), "127.0.0.1".to_owned(), "localhost".to_owned()];
            pki::server(&folder, "ffe-testbed-acme-ca", "server", &hosts)?;
            files::write_atomically(&address_file, address.as_bytes(), 0o644)?;
        }
        let roots = folder.join("roots.pem");
        let mut all_run = true;
        for server in [&USUAL, &SHORT] {
            all_run &= server.start(bed, &folder, &node, &roots)?;
        }
        strict::start(bed, &folder, &node, &USUAL)?;
        if all_run && roots.exists() {
            return Ok(());
        }
        let mut pem = String::new();
        for server in [&USUAL, &SHORT] {
            pem.push_str(&server.root(bed.paths, &folder, &node)?);
        }
        files::write_atomically(&roots, pem.as_bytes(), 0o644)
    }

    fn stop(&self, bed: &Bed<'_>) -> Result<()> {
        let processes = self.processes().iter().map(|name| Process::new(bed.paths, name)).collect::<Vec<_>>();
        process::stop(&processes, Duration::from_secs(5))?;
        files::remove_folder(&folder(bed.paths))
    }

    fn processes(&self) -> &'static [&'static str] {
        &[USUAL.process, SHORT.process, strict::NAME]
    }
}

impl Server {
    fn directory(&self, paths: &Paths) -> String {
        format!("https://{}/dir", Node::first(paths).socket(self.directory_port))
    }

    /// Starts it unless it runs; says whether it did run. A start makes new roots, and those that were are removed.
    fn start(&self, bed: &Bed<'_>, folder: &Path, node: &Node, roots: &Path) -> Result<bool> {
        let process = Process::new(bed.paths, self.process);
        if process.pid().is_some() {
            return Ok(true);
        }
        let [address, management] = [self.directory_port, self.management_port].map(|port| node.socket(port));
        files::remove_file(roots).with_context(|| format!("removing {}", roots.display()))?;
        let configuration = folder.join(format!("{}.json", self.process));
        files::write_atomically(&configuration, self.configured(folder, node)?.as_bytes(), 0o644)?;
        let dns = Dns::of(bed.paths).server;
        let arguments = [format!("-config={}", configuration.display()), format!("-dnsserver={dns}")];
        process.start_on_with(node, &bed.paths.binary(NAME), &arguments, VARIABLES)?;
        process.wait_until_listening(address)?;
        process.wait_until_listening(management)?;
        bed.say(format!("{} listens on {address}: certificates for {} s", self.process, self.life));
        Ok(false)
    }

    fn configured(&self, folder: &Path, node: &Node) -> Result<String> {
        let address = |port| node.socket(port).to_string();
        fill(
            CONFIGURATION,
            &[
                ("FOLDER", &folder.display().to_string()),
                ("DIRECTORY", &address(self.directory_port)),
                ("MANAGEMENT", &address(self.management_port)),
                ("ZONE", ZONE),
                ("SECONDS", &self.life.to_string()),
            ],
        )
    }

    /// The root of what it issues, in PEM. Asked for by kubectl, the client of HTTPS that the testbed has.
    fn root(&self, paths: &Paths, folder: &Path, node: &Node) -> Result<String> {
        let server = format!("https://{}", node.socket(self.management_port));
        let mut kubectl = Command::new(paths.binary("kubectl"));
        command::without_proxies(&mut kubectl)
            .env_remove("KUBECONFIG")
            // Without a token it would ask for a user's name.
            .args(["--kubeconfig=/dev/null", "--token=nobody", "--request-timeout=10s", "--server", &server])
            .arg(format!("--certificate-authority={}", folder.join("ca.crt").display()))
            .args(["get", "--raw", "/roots/0"]);
        command::output(&mut kubectl).with_context(|| format!("asking {} for its root certificate", self.process))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_validate_on_the_ports_of_the_ingress_controller_and_leave_nothing_to_chance() {
        let mut addresses = Vec::new();
        let node = Node::first(&Paths::at(Path::new("/cache/testbed"), Path::new("/repo")));
        for server in [USUAL, SHORT] {
            let text = server.configured(Path::new("/cache/pebble"), &node).unwrap();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            let pebble = &json["pebble"];
            assert_eq!((pebble["httpPort"].as_u64(), pebble["tlsPort"].as_u64()), (Some(80), Some(443)));
            let profiles = pebble["profiles"].as_object().unwrap();
            assert_eq!(profiles.len(), 1);
            assert_eq!(profiles["default"]["validityPeriod"], server.life);
            addresses.extend([pebble["listenAddress"].clone(), pebble["managementListenAddress"].clone()]);
        }
        let mut different = addresses.clone();
        different.dedup();
        assert_eq!(different, addresses);
        // It would certify everything without a look.
        assert!(VARIABLES.iter().all(|(name, _)| *name != "PEBBLE_VA_ALWAYS_VALID"));
    }
}
