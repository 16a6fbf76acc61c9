//! What a run does: `pipeline` is the list of its phases and of its way back, `delete` the end of a release.

pub(crate) mod delete;
mod migration;
mod phases;
pub(crate) mod pipeline;
pub(crate) mod run;
pub(crate) mod start;
mod taken_over;
mod way_back;
mod workloads;
