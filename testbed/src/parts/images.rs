//! Images of the examples.

use anyhow::Result;

use super::Component;
use crate::bed::Bed;
use crate::cluster::services;
use crate::debian::{self, Package};
use crate::images::{self, node};

pub(super) struct Images;

const PACKAGES: &[Package] = &[Package { name: "mmdebstrap", file: "/usr/bin/mmdebstrap", service: None }];

impl Component for Images {
    fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        debian::ensure(bed, PACKAGES)?;
        images::examples(bed).map(|_| ())
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        if services::process(bed.paths, "containerd").pid().is_none() {
            bed.say("no node runs: its images are imported when it does");
            return Ok(());
        }
        node::import(bed, &images::examples(bed)?)
    }
}
