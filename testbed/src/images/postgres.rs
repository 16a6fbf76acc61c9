//! `ffe-postgres:15`: a true PostgreSQL 15 that keeps the contract of the official `postgres` image.

use std::collections::BTreeMap;

use anyhow::Result;

use super::oci::{Descriptor, Image, Layer, Nothing, Start, Store};

/// Name and tag, as manifests write it.
pub(crate) const NAME: &str = "ffe-postgres:15";

const ENTRYPOINT: &[u8] = include_bytes!("../../images/docker-entrypoint.sh");
/// The user and the group `postgres`, as in the official image.
const POSTGRES: u64 = 999;

pub(crate) fn build(store: &Store, rootfs: &Descriptor) -> Result<Image> {
    let mut layer = Layer::default();
    layer
        .file("/usr/local/bin/docker-entrypoint.sh", ENTRYPOINT.to_vec(), 0o755)
        .folder("/docker-entrypoint-initdb.d", 0o755, 0)
        .folder("/run/postgresql", 0o3777, POSTGRES)
        .folder("/var/lib/postgresql", 0o755, POSTGRES)
        .folder("/var/lib/postgresql/data", 0o1777, POSTGRES);
    let start = Start {
        user: POSTGRES.to_string(),
        env: vec![
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin".into(),
            "LANG=C.UTF-8".into(),
            "PG_MAJOR=15".into(),
            "PGDATA=/var/lib/postgresql/data".into(),
        ],
        entrypoint: vec!["docker-entrypoint.sh".into()],
        cmd: vec!["postgres".into()],
        exposed_ports: BTreeMap::from([("5432/tcp".to_owned(), Nothing {})]),
        // Fast shutdown: sessions are ended, nothing is lost.
        stop_signal: "SIGINT".into(),
        ..Start::default()
    };
    store.add_image(&super::short_name(NAME), &start, vec![rootfs.clone(), store.add_layer(&layer)?])
}
