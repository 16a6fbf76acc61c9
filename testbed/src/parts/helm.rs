//! Both majors of Helm.

use super::Component;
use crate::go::{Unit, Versions};

pub(super) struct Helm(&'static [&'static Unit]);

pub(super) static HELM3: Helm = Helm(&[&UNIT3]);
pub(super) static HELM4: Helm = Helm(&[&UNIT4]);

static UNIT3: Unit = Unit {
    name: "helm3",
    graph: "kubernetes",
    binaries: &[("helm3", "helm.sh/helm/v3/cmd/helm")],
    version_of: "helm.sh/helm/v3",
    tags: "",
    variables: |versions| {
        let mut all = version("helm.sh/helm/v3", versions);
        // What charts are rendered for when no cluster is asked; Helm 4 reads it from the build itself.
        let client = versions.of("k8s.io/client-go").unwrap_or_default();
        if let Some((minor, _)) = client.trim_start_matches("v0.").split_once('.') {
            for package in ["pkg/chartutil", "pkg/lint/rules"] {
                all.push((format!("helm.sh/helm/v3/{package}.k8sVersionMajor"), "1".to_owned()));
                all.push((format!("helm.sh/helm/v3/{package}.k8sVersionMinor"), minor.to_owned()));
            }
        }
        all
    },
    seconds: 10,
};

static UNIT4: Unit = Unit {
    name: "helm4",
    graph: "kubernetes",
    binaries: &[("helm4", "helm.sh/helm/v4/cmd/helm")],
    version_of: "helm.sh/helm/v4",
    tags: "",
    variables: |versions| version("helm.sh/helm/v4", versions),
    seconds: 230,
};

fn version(module: &str, versions: &Versions<'_>) -> Vec<(String, String)> {
    vec![
        (format!("{module}/internal/version.version"), versions.main().to_owned()),
        (format!("{module}/internal/version.gitTreeState"), "clean".to_owned()),
    ]
}

impl Component for Helm {
    fn units(&self) -> &'static [&'static Unit] {
        self.0
    }
}
