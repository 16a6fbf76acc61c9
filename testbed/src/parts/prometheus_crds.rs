//! Kinds of the Prometheus operator, without the operator.

use anyhow::Result;

use super::{Component, Part};
use crate::bed::Bed;
use crate::cluster::objects;
use crate::go::module::Module;

pub(super) struct PrometheusCrds;

static OPERATOR: Module = Module { graph: "crds", path: "github.com/prometheus-operator/prometheus-operator" };

const KINDS: &[&str] = &["prometheusrules", "podmonitors", "servicemonitors"];

impl Component for PrometheusCrds {
    fn needs(&self) -> &'static [Part] {
        &[Part::Cluster]
    }

    fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        OPERATOR.folder(bed).map(|_| ())
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        let names: Vec<String> = KINDS.iter().map(|kind| format!("{kind}.monitoring.coreos.com")).collect();
        if objects::are_there(bed.paths, "customresourcedefinition", &names) {
            return Ok(());
        }
        let folder = OPERATOR.folder(bed)?.join("example/prometheus-operator-crd");
        let files: Vec<_> =
            KINDS.iter().map(|kind| folder.join(format!("monitoring.coreos.com_{kind}.yaml"))).collect();
        objects::apply(bed.paths, &files)?;
        bed.say(format!("the kinds of Prometheus operator {} are there", OPERATOR.version(bed)?));
        Ok(())
    }
}
