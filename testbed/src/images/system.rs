//! Images of the cluster's own parts: each is one static binary.

use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};

use super::oci::{Descriptor, Image, Layer, Start, Store};
use crate::bed::Bed;
use crate::stamp::{Inputs, Stamp};

/// Holds a pod's namespaces open.
pub(crate) const PAUSE: &str = "ffe-testbed.local/pause:1";
/// Answers names in the cluster.
pub(crate) const COREDNS: &str = "ffe-testbed.local/coredns:1";

pub(crate) fn build(bed: &Bed<'_>, store: &Store) -> Result<Vec<Image>> {
    [(PAUSE, "pause"), (COREDNS, "coredns")]
        .into_iter()
        .map(|(name, binary)| {
            let program = format!("/{binary}");
            let start = Start {
                user: "65532".into(),
                env: vec!["PATH=/".into()],
                entrypoint: vec![program],
                ..Start::default()
            };
            store.add_image(name, &start, vec![layer(bed, store, binary)?])
        })
        .collect()
}

/// The layer of one binary. Not made again, nor read, while the binary is the same file.
pub(super) fn layer(bed: &Bed<'_>, store: &Store, binary: &str) -> Result<Descriptor> {
    let path = bed.paths.binary(binary);
    let data = std::fs::metadata(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut inputs = Inputs::default();
    for number in [data.ino(), data.size(), data.mtime().cast_unsigned(), data.mtime_nsec().cast_unsigned()] {
        inputs.add(binary, &number.to_le_bytes());
    }
    let stamp = Stamp::new(bed.paths.images().join(format!("{binary}.stamp")), inputs);
    if let Some(layer) = stamp.note().and_then(|digest| store.layer(&digest)) {
        return Ok(layer);
    }
    let contents = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    let mut layer = Layer::default();
    layer.file(format!("/{binary}"), contents, 0o755).folder("/tmp", 0o1777, 0);
    let layer = store.add_layer(&layer)?;
    stamp.write(&layer.digest)?;
    Ok(layer)
}
