//! The database's migration: Jobs with the application's image that tell where the schema stands, migrate it, or undo that.
//!
//! `migrator` says what the Jobs are made of, `task` what they do, `command` what the engine `command` runs for it, `job` how they
//! look in the cluster, `placement` where they run and as whom, `carry_out` runs them, `answer` is how they tell what they found, `inspection` what
//! that is; `earlier` compares it with what the journal says of earlier runs.

mod answer;
pub(crate) mod carry_out;
mod command;
pub(crate) mod earlier;
pub(crate) mod inspection;
pub(crate) mod job;
pub(crate) mod migrator;
pub(crate) mod placement;
pub(crate) mod task;

pub(crate) use crate::journal::names;
