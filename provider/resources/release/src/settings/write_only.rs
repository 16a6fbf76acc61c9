//! The write-only values, as a keyed digest in the cluster is made of them.

use std::collections::BTreeMap;

use crate::settings::model::Release;

/// The attribute whose digest is kept.
pub(crate) const SET_WO: &str = "set_wo";

/// The write-only values as the cluster's digest of them has it.
pub(crate) fn write_only(config: &Release) -> BTreeMap<String, Vec<u8>> {
    let set = config.set_wo.known().into_iter().flatten();
    set.filter_map(|item| {
        let kind = item.kind.as_str().unwrap_or("auto");
        Some((format!("{kind}:{}", item.name.as_str()?), item.value.as_str()?.as_bytes().to_vec()))
    })
    .collect()
}
