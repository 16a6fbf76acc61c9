//! The images of the node: made here of Debian packages and our own binaries, imported without a registry.

pub(crate) mod application;
pub(crate) mod cert_manager;
pub(crate) mod node;
pub(crate) mod oci;
pub(crate) mod postgres;
pub(crate) mod rootfs;
pub(crate) mod system;

use std::collections::BTreeSet;

use anyhow::Result;

use crate::bed::Bed;
use oci::{Image, Store};

/// The full name by which the node knows an image that charts call by a short one.
pub(crate) fn short_name(name_and_tag: &str) -> String {
    format!("docker.io/library/{name_and_tag}")
}

/// Makes the images of the cluster's own parts; quick, and needs no Debian packages.
pub(crate) fn system(bed: &Bed<'_>) -> Result<Vec<Image>> {
    system::build(bed, &Store::open(&bed.paths.images())?)
}

/// Makes cert-manager's images; quick, once its binary is built. `version` is their tag.
pub(crate) fn cert_manager(bed: &Bed<'_>, version: &str) -> Result<Vec<Image>> {
    cert_manager::build(bed, &Store::open(&bed.paths.images())?, version)
}

/// Makes PostgreSQL's and the application's images, on one root file system.
pub(crate) fn examples(bed: &Bed<'_>) -> Result<Vec<Image>> {
    let store = Store::open(&bed.paths.images())?;
    let manifest = application::Manifest::read(&bed.paths.application())?;
    let rootfs = rootfs::build(bed, &store, &manifest.rootfs_packages)?;
    let mut images = vec![postgres::build(&store, &rootfs)?];
    images.extend(manifest.build(&store, &rootfs)?);
    let mut all = system(bed).unwrap_or_default();
    // Its layer stays, whichever version that is; there is none while it is not built.
    all.extend(cert_manager(bed, "any").unwrap_or_default());
    all.extend(images.iter().cloned());
    store.keep_only(&all, &BTreeSet::from([rootfs.digest.clone()]))?;
    Ok(images)
}
