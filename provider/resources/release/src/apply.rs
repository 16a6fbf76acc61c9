//! What a run does. `pipeline` is the list of its phases and of its way back; `delete` is the end of a release.
//!
//! Each file knows only those below it: `pipeline` and `delete`; `phases`; `going_back`; `way_back`; `migration`, `deployment` and `jobs`;
//! `recover`, `uninstall`, `taken_over`; `run`; `prepare`, `save`; `leases`, `stop`.

pub(crate) mod delete;
mod deployment;
mod going_back;
mod jobs;
mod leases;
mod made_for;
mod migration;
mod phases;
pub(crate) mod pipeline;
pub(crate) mod prepare;
mod recover;
pub(crate) mod run;
mod save;
mod stop;
mod taken_over;
mod uninstall;
mod way_back;
