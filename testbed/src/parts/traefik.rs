//! An ingress controller.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Component, Part};
use crate::bed::Bed;
use crate::cluster::{api, objects};
use crate::command;
use crate::files;
use crate::go::module::Module;
use crate::go::{Unit, Versions};
use crate::node::Node;
use crate::process::{self, Process};

pub(super) struct Traefik;

const NAME: &str = "traefik";
const OBJECTS: &str = include_str!("../../conf/tls/traefik.yaml");
/// HTTP, HTTPS.
const PORTS: (u16, u16) = (80, 443);
/// Where it says whether it is well, on the node's loopback address.
const PING_PORT: u16 = 18080;

static UNIT: Unit = Unit {
    name: NAME,
    graph: NAME,
    binaries: &[(NAME, "github.com/traefik/traefik/v3/cmd/traefik")],
    version_of: "github.com/traefik/traefik/v3",
    tags: "",
    variables: version,
    seconds: 140,
};

static UNITS: &[&Unit] = &[&UNIT];

static MODULE: Module = Module { graph: NAME, path: "github.com/traefik/traefik/v3" };

fn version(versions: &Versions<'_>) -> Vec<(String, String)> {
    let version = versions.main().trim_start_matches('v').to_owned();
    vec![("github.com/traefik/traefik/v3/pkg/version.Version".to_owned(), version)]
}

/// Its listeners, its providers and the address that it publishes.
fn arguments(node_ip: Ipv4Addr) -> Vec<String> {
    [
        format!("--entrypoints.web.address={}", SocketAddrV4::new(node_ip, PORTS.0)),
        format!("--entrypoints.websecure.address={}", SocketAddrV4::new(node_ip, PORTS.1)),
        // As in its own chart: what comes in there is TLS, whatever an Ingress says.
        "--entrypoints.websecure.http.tls=true".to_owned(),
        format!("--entrypoints.traefik.address={}", SocketAddrV4::new(Ipv4Addr::LOCALHOST, PING_PORT)),
        "--ping=true".to_owned(),
        "--providers.kubernetescrd=true".to_owned(),
        "--providers.kubernetesingress=true".to_owned(),
        format!("--providers.kubernetesingress.ingressendpoint.ip={node_ip}"),
        "--providers.kubernetesingressnginx=true".to_owned(),
        format!("--providers.kubernetesingressnginx.publishstatusaddress={node_ip}"),
        "--providers.kubernetesgateway=true".to_owned(),
        format!("--providers.kubernetesgateway.statusaddress.ip={node_ip}"),
        "--global.checknewversion=false".to_owned(),
        "--global.sendanonymoususage=false".to_owned(),
        "--log.level=INFO".to_owned(),
        "--log.nocolor=true".to_owned(),
        "--accesslog=true".to_owned(),
    ]
    .into()
}

impl Component for Traefik {
    fn units(&self) -> &'static [&'static Unit] {
        UNITS
    }

    fn needs(&self) -> &'static [Part] {
        &[Part::Cluster]
    }

    fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        objects::ensure_gateway_api(bed)?;
        UNIT.ensure(bed)
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        let process = Process::new(bed.paths, NAME);
        let node = Node::first(bed.paths);
        let node_ip = node.address();
        if process.pid().is_some() && is_programmed(bed.paths, node_ip) {
            return Ok(());
        }
        objects::gateway_api(bed)?;
        let kinds =
            MODULE.folder(bed)?.join("docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml");
        let ours = bed.paths.run().join("traefik.yaml");
        files::write_atomically(&ours, OBJECTS.as_bytes(), 0o644)?;
        objects::apply(bed.paths, &[kinds, ours])?;

        process::stop(std::slice::from_ref(&process), Duration::from_secs(5))?;
        let kubeconfig = bed.paths.kubeconfig();
        let kubeconfig = kubeconfig.to_str().context("the cache folder's name is not text")?;
        let variables = [("KUBECONFIG", kubeconfig)];
        process.start_on_with(&node, &bed.paths.binary(NAME), &arguments(node_ip), &variables)?;
        process.wait_until_listening(node.socket(PORTS.1))?;
        let what = format!("the ingress controller listens on {node_ip}, ports {} and {}", PORTS.0, PORTS.1);
        api::wait(bed, &what, &[process], Duration::from_secs(60), |paths| is_programmed(paths, node_ip))
    }

    fn stop(&self, bed: &Bed<'_>) -> Result<()> {
        process::stop(&[Process::new(bed.paths, NAME)], Duration::from_secs(5))
    }

    fn processes(&self) -> &'static [&'static str] {
        &[NAME]
    }
}

/// Whether it took over the shared gateway, in this life of the cluster and at this address.
fn is_programmed(paths: &crate::paths::Paths, node_ip: Ipv4Addr) -> bool {
    let path = r#"jsonpath={.status.addresses[0].value} {.status.conditions[?(@.type=="Programmed")].status}"#;
    let get = ["--request-timeout=5s", "-n", "traefik", "get", "gateway", "shared", "-o", path];
    command::output(api::kubectl(paths).args(get)).is_ok_and(|text| text == format!("{node_ip} True"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_publishes_the_address_that_it_listens_on_and_nothing_else_is_reached() {
        let node_ip = Ipv4Addr::new(192, 0, 2, 1);
        let all = arguments(node_ip);
        let publishing = all.iter().filter(|argument| argument.ends_with("=192.0.2.1")).count();
        assert_eq!(publishing, 3, "{all:?}");
        for listener in all.iter().filter(|argument| argument.contains(".address=")) {
            assert!(listener.contains("=192.0.2.1:") || listener.contains("=127.0.0.1:"), "{listener}");
        }
    }

    #[test]
    fn both_ingress_classes_name_the_controllers_that_traefik_answers_for() {
        for controller in
            ["traefik.io/ingress-controller", "k8s.io/ingress-nginx", "controllerName: traefik.io/gateway-controller"]
        {
            assert!(OBJECTS.contains(controller), "{controller}");
        }
    }
}
