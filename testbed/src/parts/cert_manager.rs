//! cert-manager, as its own chart installs it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Component, Dns, Part};
use crate::bed::Bed;
use crate::cluster::{api, objects};
use crate::command;
use crate::files;
use crate::go::module::Module;
use crate::go::{Unit, Versions};
use crate::images::{self, cert_manager as image, node};
use crate::paths::Paths;
use crate::template::fill;

pub(super) struct CertManager;

const NAMESPACE: &str = "cert-manager";
const DEPLOYMENTS: &[&str] = &["cert-manager", "cert-manager-webhook", "cert-manager-cainjector"];
const VALUES: &str = include_str!("../../conf/tls/cert-manager.yaml");
/// On the namespace: which objects were applied.
const MARK: &str = "ffe-testbed/applied";
const GRAPH: &str = "kubernetes";
const MODULE_PATH: &str = "github.com/cert-manager/cert-manager";
const LIMIT: Duration = Duration::from_secs(120);

static UNIT: Unit = Unit {
    name: "cert-manager",
    graph: GRAPH,
    binaries: &[(image::BINARY, "./cert-manager")],
    version_of: MODULE_PATH,
    tags: "",
    variables: version,
    seconds: 50,
};

static UNITS: &[&Unit] = &[&UNIT];

static MODULE: Module = Module { graph: GRAPH, path: MODULE_PATH };

fn version(versions: &Versions<'_>) -> Vec<(String, String)> {
    vec![(format!("{MODULE_PATH}/pkg/util.AppVersion"), versions.main().to_owned())]
}

/// Whether its deployments have their pods and its webhook answers; nothing when `up` never got that far.
pub(crate) fn is_ready(paths: &Paths) -> Option<bool> {
    applied(paths).map(|_| deployments_are_available(paths) && webhook_answers(paths))
}

impl Component for CertManager {
    fn units(&self) -> &'static [&'static Unit] {
        UNITS
    }

    fn needs(&self) -> &'static [Part] {
        // Helm renders its chart.
        &[Part::Helm4, Part::Cluster, Part::Dns]
    }

    fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        objects::ensure_gateway_api(bed)?;
        UNIT.ensure(bed)
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        let version = UNIT.version(bed.paths)?;
        let images = images::cert_manager(bed, &version)?;
        node::import(bed, &images)?;
        // Its controller does not start without.
        objects::gateway_api(bed)?;
        let program = images.first().map_or("", |image| image.manifest.digest.as_str());
        let manifest = render(bed, &version, program)?;
        let text = std::fs::read(&manifest).with_context(|| format!("reading {}", manifest.display()))?;
        let digest = files::sha256(&text);
        if applied(bed.paths).is_some_and(|mark| mark == digest) && is_ready(bed.paths) == Some(true) {
            return Ok(());
        }
        bed.say(format!("starting cert-manager {version}"));
        let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {NAMESPACE} }}\n");
        let namespace_file = manifest.with_file_name("namespace.yaml");
        files::write_atomically(&namespace_file, namespace.as_bytes(), 0o644)?;
        // One after the other: objects in a namespace need it.
        objects::apply(bed.paths, &[namespace_file])?;
        objects::apply(bed.paths, &[manifest])?;
        api::wait(bed, "cert-manager's pods are ready", &[], LIMIT, deployments_are_available)?;
        api::wait(bed, "cert-manager's webhook answers", &[], LIMIT, webhook_answers)?;
        let mark = format!("{MARK}={digest}");
        command::output(api::kubectl(bed.paths).args(["annotate", "--overwrite", "namespace", NAMESPACE, &mark]))?;
        Ok(())
    }
}

/// The objects of the chart in the module, which knows neither its version nor our images.
fn render(bed: &Bed<'_>, version: &str, program: &str) -> Result<PathBuf> {
    let folder = bed.paths.run().join("cert-manager");
    std::fs::create_dir_all(&folder).with_context(|| format!("folder {}", folder.display()))?;
    let chart = MODULE.folder(bed)?.join("deploy/charts/cert-manager");
    let values = folder.join("values.yaml");
    files::write_atomically(&values, values_for(&Dns::of(bed.paths), version, program)?.as_bytes(), 0o644)?;
    let mut package = helm(bed.paths, &folder);
    package.arg("package").arg(&chart).args(["--version", version, "--app-version", version, "--destination"]);
    command::output(package.arg(&folder)).context("packing cert-manager's chart")?;
    let mut template = helm(bed.paths, &folder);
    template.args(["template", "cert-manager"]).arg(folder.join(format!("cert-manager-{version}.tgz")));
    template.args(["--namespace", NAMESPACE, "--values"]).arg(&values);
    let text = command::output(&mut template).context("rendering cert-manager's chart")?;
    let manifest = folder.join("manifest.yaml");
    files::write_atomically(&manifest, text.as_bytes(), 0o644)?;
    Ok(manifest)
}

fn values_for(dns: &Dns, version: &str, program: &str) -> Result<String> {
    let dns = dns.server.to_string();
    fill(VALUES, &[("REPOSITORY", image::REPOSITORY), ("TAG", version), ("PROGRAM", program), ("DNS", &dns)])
}

/// Helm without anything of the user's.
fn helm(paths: &Paths, folder: &Path) -> Command {
    let mut helm = Command::new(paths.binary("helm4"));
    helm.env_remove("KUBECONFIG");
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        helm.env(name, folder.join("helm"));
    }
    helm
}

fn applied(paths: &Paths) -> Option<String> {
    let path = format!("jsonpath={{.metadata.annotations.{}}}", MARK.replace('.', "\\."));
    let get = ["--request-timeout=5s", "get", "namespace", NAMESPACE, "-o", &path];
    command::output(api::kubectl(paths).args(get)).ok().filter(|mark| !mark.is_empty())
}

fn deployments_are_available(paths: &Paths) -> bool {
    let path = "jsonpath={range .items[*]}{.metadata.name} {.spec.replicas} {.status.availableReplicas} \
                {.metadata.generation} {.status.observedGeneration} {.status.updatedReplicas}{\"\\n\"}{end}";
    let get = ["--request-timeout=5s", "-n", NAMESPACE, "get", "deployments", "-o", path];
    command::output(api::kubectl(paths).args(get))
        .is_ok_and(|text| DEPLOYMENTS.iter().all(|name| text.lines().any(|line| is_available(line, name))))
}

/// `NAME WANTED AVAILABLE GENERATION OBSERVED UPDATED`; nothing stands where there are none.
fn is_available(line: &str, deployment: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    matches!(words.as_slice(), [name, "1", "1", generation, observed, "1"] if *name == deployment && generation == observed)
}

/// Whether a certificate would be taken: it goes by way of the webhook, whose own certificate the injector hands to
/// the API.
fn webhook_answers(paths: &Paths) -> bool {
    let file = paths.run().join("cert-manager/probe.yaml");
    let probe = "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata: { name: probe, namespace: cert-manager }\n\
                 spec: { selfSigned: {} }\n";
    files::write_atomically(&file, probe.as_bytes(), 0o644).is_ok()
        && command::output(
            api::kubectl(paths).args(["--request-timeout=5s", "create", "--dry-run=server", "-f"]).arg(&file),
        )
        .is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_image_is_ours_and_dns_01_is_checked_with_our_server() {
        let paths = Paths::at(Path::new("/cache/testbed"), Path::new("/repo"));
        let dns = Dns::of(&paths);
        let values = values_for(&dns, "v1.2.3", "sha256:aa").unwrap();
        assert_eq!(values.matches("repository: ffe-testbed.local/cert-manager-").count(), 4);
        assert_eq!(values.matches("program: \"sha256:aa\"").count(), 3);
        assert_eq!(values.matches("tag: \"v1.2.3\"").count(), 4);
        assert!(values.contains(&format!("dns01RecursiveNameservers: \"{}\"", dns.server)));
    }

    #[test]
    fn a_deployment_is_available_when_the_pod_of_its_newest_form_is() {
        assert!(is_available("cert-manager 1 1 2 2 1", "cert-manager"));
        assert!(!is_available("cert-manager-webhook 1 1 2 2 1", "cert-manager"));
        // Scaled down; not seen yet; no pod of the newest form; no pod at all.
        for line in ["cert-manager 0  2 2 ", "cert-manager 1 1 3 2 1", "cert-manager 1 1 3 3 ", "cert-manager 1  1 1 1"]
        {
            assert!(!is_available(line, "cert-manager"), "{line}");
        }
    }
}
