//! `ffe_release`: a Helm release with its database migration, its checks and its way back.
//!
//! Rooms, from the top down; each knows only what stands below it:
//!
//! - `resource`: how Terraform drives it;
//! - four stories: `plan` (what an apply will do), `apply` (what a run does: `pipeline` has the phases and the way back in one visible
//!   list, `phases/` and `way_back/` a file each), `read` (what a look finds), and outside of Terraform `status` (what goes on now);
//! - `drift` (what others have changed in the cluster) and `state` (what Terraform keeps of a release);
//! - `journal` (what was done, in the cluster, and whose the release is) and `rendering` (what the chart renders to, and what of
//!   it a plan may promise);
//! - `settings`: what users write.
//!
//! Invariants: a release leaves state only when its absence is confirmed; nothing secret goes into the journal,
//! into state or into a message; a migration that is recorded as done is never run again.

mod apply;
mod drift;
mod journal;
mod merge_values;
mod plan;
mod read;
mod rendering;
mod resource;
mod settings;
mod state;
pub mod status;

pub use merge_values::MergeValuesFunction;
pub use read::data_source::ReleaseDataSource;
pub use resource::ReleaseResource;
pub use settings::model::{self, Release};
