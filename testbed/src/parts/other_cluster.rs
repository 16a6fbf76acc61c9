//! Another cluster.

use anyhow::Result;

use super::{Component, Part};
use crate::bed::Bed;
use crate::cluster::other;

pub(super) struct OtherCluster;

impl Component for OtherCluster {
    fn needs(&self) -> &'static [Part] {
        &[Part::Cluster]
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        other::start(bed)
    }

    fn stop(&self, bed: &Bed<'_>) -> Result<()> {
        other::stop(bed)
    }

    fn processes(&self) -> &'static [&'static str] {
        &[other::NAME]
    }
}
