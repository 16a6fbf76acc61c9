//! Waiting for a workload, and giving up when it cannot come up.

use std::collections::HashMap;

use ffe_cluster::{Cluster, Error, ObjectRef, Result};
use tokio::time::Instant;

use super::engine::{self, Look, Seen, Watched};
use super::{Progress, WaitOptions, progress};
use crate::diagnose::{Cause, Diagnosis, Evidence, LOG_LINES, Problem, Workload, diagnose, pod_selector, problems};

pub(super) async fn wait(cluster: &Cluster, workload: &ObjectRef, options: &WaitOptions) -> Result<()> {
    let what = format!("rollout of {workload}");
    let triggers = engine::triggers(cluster, &watched(cluster, workload).await).await?;
    let mut look = RolloutLook { cluster, workload, options, bearing: Bearing::default() };
    match engine::run(&what, workload, triggers, options, &mut look).await {
        Err(Error::Timeout { what, object, after, last, .. }) => {
            // what it lacked is worth knowing even now that the time is over
            let diagnosis = diagnose(cluster, workload).await;
            Err(Error::Timeout { what, object, after, last, explanation: Some(Box::new((&diagnosis).into())) })
        }
        other => other,
    }
}

/// The workload itself, and its pods once their selector is known.
pub(crate) async fn watched(cluster: &Cluster, workload: &ObjectRef) -> Vec<Watched> {
    let mut watched = vec![Watched::One(workload.clone())];
    if let Some(selector) = Workload::read(cluster, workload).await.ok().as_ref().and_then(pod_selector) {
        let pods = ObjectRef::new("v1", "Pod", workload.namespace.as_deref(), "");
        watched.push(Watched::Selected(pods, selector));
    }
    watched
}

struct RolloutLook<'a> {
    cluster: &'a Cluster,
    workload: &'a ObjectRef,
    options: &'a WaitOptions,
    bearing: Bearing,
}

impl Look for RolloutLook<'_> {
    type Output = ();

    async fn look(&mut self) -> Result<Seen<()>> {
        let Self { cluster, workload, options, bearing } = self;
        let seen = Workload::read(cluster, workload).await?;
        let state = match progress(&seen) {
            Progress::Ready => return Ok(Seen::Done(())),
            Progress::Failed(why) => Err(why),
            Progress::Waiting(state) => Ok(state),
        };
        let evidence = Evidence::collect_of(cluster, seen, 0).await;
        let found = problems(&evidence);
        let hopeless = bearing.hopeless(&found, options, Instant::now());
        match state {
            Ok(state) if hopeless.is_none() => Ok(Seen::Waiting(describe(&state, &found, workload))),
            _ => Err((&explain(cluster, evidence, hopeless.cloned()).await).into()),
        }
    }
}

/// The state with the worst trouble beside it.
pub(crate) fn describe(state: &str, found: &[Problem], workload: &ObjectRef) -> String {
    match found.first().filter(|problem| problem.cause != Cause::Missing) {
        Some(problem) => format!("{state}; {}", problem.sentence(workload)),
        None => state.to_owned(),
    }
}

/// The full diagnosis, with logs, led by the problem that ended the wait.
pub(crate) async fn explain(cluster: &Cluster, evidence: Evidence, hopeless: Option<Problem>) -> Diagnosis {
    let seen: Workload = evidence.workload.clone();
    let full = Evidence::collect_of(cluster, seen, LOG_LINES).await;
    // by the time that the logs are read the moment may have passed in which the trouble showed
    let gone =
        hopeless.as_ref().is_some_and(|problem| !problems(&full).iter().any(|other| other.cause == problem.cause));
    let judged = if gone { Evidence { logs: full.logs, ..evidence } } else { full };
    let mut diagnosis = Diagnosis::of(&judged);
    if let Some(problem) = hopeless
        && diagnosis.cause != problem.cause
    {
        let first = std::mem::replace(&mut diagnosis.message, problem.sentence(&diagnosis.object));
        diagnosis.details.retain(|detail| *detail != diagnosis.message);
        diagnosis.details.insert(0, first);
        diagnosis.cause = problem.cause;
        diagnosis.reason = problem.reason;
    }
    diagnosis
}

/// Remembers since when each trouble has lasted.
#[derive(Default)]
pub(crate) struct Bearing {
    since: HashMap<(Cause, ObjectRef, Option<String>), Instant>,
}

impl Bearing {
    /// The first problem that has been borne with for long enough.
    pub(crate) fn hopeless<'a>(
        &mut self,
        found: &'a [Problem],
        options: &WaitOptions,
        now: Instant,
    ) -> Option<&'a Problem> {
        let key = |problem: &Problem| (problem.cause, problem.object.clone(), problem.container.clone());
        self.since.retain(|known, _| found.iter().any(|problem| key(problem) == *known));
        for problem in found {
            self.since.entry(key(problem)).or_insert(now);
        }
        found.iter().find(|problem| {
            let lasted = self.since.get(&key(problem)).map_or(std::time::Duration::ZERO, |since| now - *since);
            options.fail_fast.grace(problem.patience).is_some_and(|grace| lasted >= grace)
        })
    }
}

#[cfg(test)]
mod tests;
