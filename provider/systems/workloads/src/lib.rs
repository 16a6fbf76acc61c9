//! Watching what runs in a cluster, and explaining it.
//!
//! [`wait_for`], [`wait_rollout`] and [`wait_deleted`] wait for objects, [`diagnose()`] says why a workload does not come
//! up, [`run_job`] runs a Job to its end, [`tail_log`] reads logs, and [`forward`] and [`http_get`] reach into pods. Objects
//! are read and written by `ffe-cluster`.

mod diagnose;
mod job;
mod logs;
mod portforward;
mod wait;

pub use diagnose::{Cause, Diagnosis, Evidence, LOG_LINES, Patience, Problem, Workload, diagnose, problems};
pub use job::{JobOptions, JobOutcome, await_job, delete_job, every_key_of, one_shot_job, run_job};
pub use logs::{tail_log, tidy as tidy_log_line, whole_log};
pub use portforward::{Forwarded, HttpAnswer, ServicePort, forward, http_get};
pub use wait::{
    FailFast, Progress, WaitOptions, delete_and_wait, progress, wait_all, wait_deleted, wait_for, wait_for_ref,
    wait_rollout,
};
