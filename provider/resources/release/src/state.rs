//! What Terraform keeps of a release: the computed attributes, and the private state.

pub(crate) mod moves;
pub(crate) mod outputs;
pub(crate) mod replaced;
pub(crate) mod seen;
pub(crate) mod stale_plan;
pub(crate) mod upgrade;
