//! Plans without changes of releases that have a history, against those of releases that have none: a refresh looks at
//! the newest record only, so the history must cost nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::median;
use super::stack::{Stack, namespace};
use crate::tell;

/// Medians of the plans in turns.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) with_history: Duration,
    pub(super) without: Duration,
}

/// Plans of `size` releases with `revisions` revisions each, and with one.
pub(super) fn measure(stack: &Stack<'_>, size: usize, revisions: usize, runs: usize) -> Result<Timed> {
    let young = stack.releases(&format!("{size}x1"), size, "hello")?;
    stack.apply(&young)?;
    let name = format!("{size}x{revisions}");
    let greeting = |revision: usize| format!("hello {revision}");
    let mut old = stack.releases(&name, size, &greeting(revisions))?;
    for revision in recorded(stack, &name, size)? + 1..=revisions {
        old = stack.releases(&name, size, &greeting(revision))?;
        stack.apply(&old)?;
    }
    let there = recorded(stack, &name, size)?;
    ensure!(there >= revisions, "the releases have {there} revisions and not {revisions}");
    let mut times = (Vec::new(), Vec::new());
    for run in 1..=runs {
        times.0.push(stack.plan(&old)?);
        times.1.push(stack.plan(&young)?);
        tell::note(format!("plan {run}: {:.2?} against {:.2?}", times.0[run - 1], times.1[run - 1]));
    }
    Ok(Timed { with_history: median(times.0), without: median(times.1) })
}

/// How many revisions each release has in the cluster.
fn recorded(stack: &Stack<'_>, name: &str, size: usize) -> Result<usize> {
    let records = stack.kubectl.output(&["get", "secrets", "-n", &namespace(name), "-l", "owner=helm", "-o", "name"]);
    Ok(records.context("Helm's records")?.lines().count() / size)
}
