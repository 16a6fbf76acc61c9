//! `ffe_release`: a Helm release with its database migration, its checks and its way back.
//!
//! Read it in this order: `model` (what users write), `validate`, `plan` (what apply will do), `resource` (how
//! Terraform drives it), `start` (whose release, what to resume), `pipeline` (phases and way back in one
//! visible list), `phases/` and `way_back/` (a file each), `journal` (what was done, in the cluster), `read`,
//! `import`, `delete`.
//!
//! Invariants: a release leaves state only when its absence is confirmed; nothing secret goes into the journal,
//! into state or into a message; a migration that is recorded as done is never run again.

mod changes;
mod crds;
mod data_source;
mod delete;
mod drift;
mod dry_run;
mod http;
mod import;
mod inputs;
mod journal;
mod local_chart;
mod merge_values;
mod migration;
pub mod model;
mod moves;
mod outputs;
mod ownership;
mod phases;
mod pipeline;
mod plan;
mod promise;
mod read;
mod remains;
mod render;
mod resource;
mod run;
mod scripts;
mod since;
mod stand_in;
mod start;
mod taken_over;
mod upgrade;
mod validate;
mod value_changes;
mod way_back;

pub use data_source::ReleaseDataSource;
pub use merge_values::MergeValuesFunction;
pub use model::Release;
pub use resource::ReleaseResource;
