//! cert-manager's images: one program, started under four names.

use anyhow::Result;

use super::oci::{Image, Start, Store};
use super::system;
use crate::bed::Bed;

/// What the images are called before the name of the program.
pub(crate) const REPOSITORY: &str = "ffe-testbed.local/cert-manager";
/// The binary.
pub(crate) const BINARY: &str = "cert-manager";
/// What it can be.
const PROGRAMS: &[&str] = &["controller", "webhook", "cainjector", "acmesolver"];

/// Makes them; `tag` is cert-manager's version.
pub(crate) fn build(bed: &Bed<'_>, store: &Store, tag: &str) -> Result<Vec<Image>> {
    let layer = system::layer(bed, store, BINARY)?;
    PROGRAMS
        .iter()
        .map(|program| {
            let start = Start {
                user: "1000".into(),
                env: vec!["PATH=/".into()],
                entrypoint: vec![format!("/{BINARY}"), (*program).to_owned()],
                ..Start::default()
            };
            store.add_image(&format!("{REPOSITORY}-{program}:{tag}"), &start, vec![layer.clone()])
        })
        .collect()
}
