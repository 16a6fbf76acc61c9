//! What the chart renders to, what of that a plan may promise, and what it changes.

pub(crate) mod changes;
pub(crate) mod crds;
pub(crate) mod local_chart;
pub(crate) mod migration_image;
pub(crate) mod placeholders;
pub(crate) mod promise;
pub(crate) mod render;
pub(crate) mod workloads;
