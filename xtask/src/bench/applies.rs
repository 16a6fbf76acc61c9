//! The first apply of many small releases, against Helm's own command line: as many at a time as Terraform runs, and one
//! after the other, as a script would.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::stack::{Stack, namespace};
use crate::{process, tell};

/// Terraform's own default of `-parallelism`.
const AT_A_TIME: usize = 10;

#[derive(Debug)]
pub(super) struct Timed {
    pub(super) terraform: Duration,
    /// Helm's command line, ten at a time.
    pub(super) helm_parallel: Duration,
    /// Helm's command line, one after the other.
    pub(super) helm: Duration,
}

/// Each in a namespace of its own, made anew and removed afterwards.
pub(super) fn measure(stack: &Stack<'_>, size: usize) -> Result<Timed> {
    let name = |way: &str| format!("apply-{size}-{way}");
    let ways = ["terraform", "parallel", "helm"].map(name);
    for way in &ways {
        stack.remove(way)?;
        stack.kubectl.output(&["create", "namespace", &namespace(way)])?;
    }
    let folder = stack.releases(&ways[0], size, "hello")?;
    let timed = Timed {
        terraform: stack.apply(&folder)?,
        helm_parallel: install(stack, &namespace(&ways[1]), size, AT_A_TIME)?,
        helm: install(stack, &namespace(&ways[2]), size, 1)?,
    };
    ways.iter().try_for_each(|way| stack.remove(way))?;
    Ok(timed)
}

/// `helm upgrade --install` of each release.
fn install(stack: &Stack<'_>, namespace: &str, size: usize, at_a_time: usize) -> Result<Duration> {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= size {
                    return Ok(());
                }
                let (helm, kubeconfig) = (stack.helm(), stack.workspace.testbed.kubeconfig());
                process::output(&mut command(&helm, &kubeconfig, namespace, index, &stack.chart()))?;
            }
        };
        let workers: Vec<_> = (0..at_a_time).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker has died"))?)
    })?;
    let time = started.elapsed();
    tell::note(format!("helm, {at_a_time} at a time: {}", tell::time(time)));
    Ok(time)
}

fn command(helm: &Path, kubeconfig: &Path, namespace: &str, index: usize, chart: &Path) -> Command {
    let mut command = Command::new(helm);
    command.env("KUBECONFIG", kubeconfig).args(["upgrade", "--install", &format!("release-{index}")]).arg(chart);
    command.args(["--namespace", namespace, "--set", "greeting=hello", "--wait"]);
    command
}
