//! Plans without changes: of releases, and of as many `terraform_data`, which is the least that Terraform itself needs.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::median;
use super::stack::Stack;
use super::usage::{Usage, Watch};
use crate::tell;

/// What was measured for one number of releases.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) releases: Duration,
    pub(super) floor: Duration,
    /// What the provider's processes used in one plan.
    pub(super) usage: Usage,
}

/// Makes what is missing and times the plans in turns, so that both see the same machine.
pub(super) fn measure(stack: &Stack<'_>, size: usize, runs: usize) -> Result<Timed> {
    let floor = stack.floor(size)?;
    let releases = stack.releases(&size.to_string(), size, "hello")?;
    stack.apply(&releases)?;
    let mut times = (Vec::new(), Vec::new());
    for run in 1..=runs {
        times.0.push(stack.plan(&releases)?);
        times.1.push(stack.plan(&floor)?);
        tell::note(format!("plan {run}: {:.2?} against {:.2?}", times.0[run - 1], times.1[run - 1]));
    }
    let watch = Watch::start(stack.terraform.plugin())?;
    stack.plan(&releases)?;
    let usage = watch.end();
    ensure!(usage.peak > 0, "the plugin was not seen while it planned");
    Ok(Timed { releases: median(times.0), floor: median(times.1), usage })
}
