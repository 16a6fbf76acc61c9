//! Images of the cluster's own parts: each is one static binary.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::oci::{Image, Layer, Start, Store};
use crate::bed::Bed;

/// Holds a pod's namespaces open.
pub(crate) const PAUSE: &str = "ffe-testbed.local/pause:1";
/// Answers names in the cluster.
pub(crate) const COREDNS: &str = "ffe-testbed.local/coredns:1";

pub(crate) fn build(bed: &Bed<'_>, store: &Store) -> Result<Vec<Image>> {
    [(PAUSE, "pause"), (COREDNS, "coredns")]
        .into_iter()
        .map(|(name, binary)| {
            let path = bed.paths.binary(binary);
            let contents = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            let program = format!("/{binary}");
            let mut layer = Layer::default();
            layer.file(&program, contents, 0o755).folder("/tmp", 0o1777, 0);
            let start = Start {
                user: "65532".into(),
                env: vec!["PATH=/".into()],
                entrypoint: vec![program],
                exposed_ports: BTreeMap::new(),
                ..Start::default()
            };
            store.add_image(name, &start, vec![store.add_layer(&layer)?])
        })
        .collect()
}
