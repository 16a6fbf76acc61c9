//! Running a Job to its end: attach to the one that exists, or make it; follow its log; judge it. `pod` is how our own Jobs are made.

mod pod;

use std::sync::Arc;
use std::time::Duration;

use ffe_cluster::{Cancel, Cluster, DeleteOptions, Deleted, Error, Kind, ObjectRef, Result};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::diagnose::{Cause, Diagnosis, Evidence, LOG_LINES, Workload, diagnose, problems};
use crate::logs::{follow_log, last_lines};
use crate::wait::{Bearing, Look, Progress, Seen, WaitOptions, describe, explain, progress, run, triggers, watched};

pub use pod::{every_key_of, one_shot_job};

/// Before a log that broke off is followed again.
const PAUSE: Duration = Duration::from_secs(2);

/// How to run a Job.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// Timeout, cancel and patience. Neither timeout nor cancel stops the Job itself.
    pub wait: WaitOptions,
    /// Lines of its log that are kept, from the end
    pub log_lines: usize,
    /// Hand each line to `tracing` (target `ffe::job`) as it comes
    pub stream: bool,
}

impl JobOptions {
    /// Keeps 200 lines and streams them.
    pub fn new(wait: WaitOptions) -> Self {
        Self { wait, log_lines: 200, stream: true }
    }
}

/// What came of a Job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOutcome {
    /// The Job's UID
    pub uid: String,
    /// It existed already when we came
    pub attached: bool,
    /// It is complete, or all its own containers have ended well
    pub succeeded: bool,
    /// It has ended; false when it still exists: given up because its pod cannot come up, or kept by a container that somebody
    /// else has added to its pod
    pub finished: bool,
    /// Of the container that decided it
    pub exit_code: Option<i32>,
    /// What that container wrote to its termination message, as it is: to be read. What is shown of it goes through the redactor.
    pub termination_message: Option<String>,
    /// The end of the log of that container, as it is too
    pub log: Vec<String>,
    /// Why it failed
    pub diagnosis: Option<Diagnosis>,
}

/// Runs a Job to its end. Its name is the caller's: when a Job of that name exists, it is
/// attached to and nothing is made. A Job that fails is an outcome, not an error.
///
/// # Errors
/// [`Error::Timeout`] and [`Error::Cancelled`], both of which leave the Job running, and those
/// of requests.
pub async fn run_job(cluster: &Cluster, job: &Job, options: &JobOptions) -> Result<JobOutcome> {
    let object = ObjectRef::to(job);
    let (made, attached) = match cluster.find::<Job>(object.namespace.as_deref(), &object.name).await? {
        Some(found) => (found, true),
        None => match cluster.create(job).await {
            Ok(made) => (made, false),
            // made meanwhile, or by a request of ours whose answer was lost
            Err(error) if error.kind() == Kind::AlreadyExists => {
                (cluster.get(object.namespace.as_deref(), &object.name).await?, true)
            }
            Err(error) => return Err(error),
        },
    };
    await_job(cluster, &made, attached, options).await
}

/// Waits for a Job that exists.
///
/// # Errors
/// As [`run_job`].
pub async fn await_job(cluster: &Cluster, job: &Job, attached: bool, options: &JobOptions) -> Result<JobOutcome> {
    let object = ObjectRef::to(job);
    let what = format!("end of {object}");
    let triggers = triggers(cluster, &watched(cluster, &object).await).await?;
    let mut look = JobLook {
        cluster,
        object: &object,
        options,
        bearing: Bearing::default(),
        own: own_containers(job),
        following: Vec::new(),
        seen: false,
    };
    let ended = match run(&what, &object, triggers, &options.wait, &mut look).await {
        Ok(ended) => ended,
        Err(Error::Timeout { what, object: named, after, last, .. }) => {
            let diagnosis = diagnose(cluster, &object).await;
            return Err(Error::Timeout {
                what,
                object: named,
                after,
                last,
                explanation: Some(Box::new((&diagnosis).into())),
            });
        }
        Err(other) => return Err(other),
    };
    look.finish().await;
    let evidence = &ended.evidence;
    let decided = deciding(&evidence.pods);
    let log = match &decided {
        Some(decided) => last_lines(
            cluster,
            object.namespace.as_deref().unwrap_or_default(),
            &decided.pod,
            Some(&decided.container),
            options.log_lines,
            false,
        )
        .await
        .unwrap_or_else(|error| vec![format!("(the log could not be read: {error})")]),
        None => Vec::new(),
    };
    Ok(JobOutcome {
        uid: job.metadata.uid.clone().unwrap_or_default(),
        attached,
        succeeded: ended.succeeded,
        finished: ended.finished,
        exit_code: decided.as_ref().map(|decided| decided.state.exit_code),
        termination_message: decided.as_ref().and_then(|decided| decided.state.message.clone()),
        log,
        diagnosis: ended.diagnosis,
    })
}

/// Deletes a Job and, behind it, its pods.
///
/// # Errors
/// Those of a delete; one that is gone is no error.
pub async fn delete_job(cluster: &Cluster, namespace: &str, name: &str) -> Result<Deleted> {
    cluster.delete(&ObjectRef::of::<Job>(Some(namespace), name), &DeleteOptions::default()).await
}

struct Ended {
    evidence: Evidence,
    succeeded: bool,
    finished: bool,
    diagnosis: Option<Diagnosis>,
}

struct JobLook<'a> {
    cluster: &'a Cluster,
    object: &'a ObjectRef,
    options: &'a JobOptions,
    bearing: Bearing,
    /// The containers that the Job itself has: others have been added to its pod, a mesh's sidecar for example.
    own: Vec<String>,
    following: Vec<(String, Follower)>,
    seen: bool,
}

impl Look for JobLook<'_> {
    type Output = Ended;

    async fn look(&mut self) -> Result<Seen<Ended>> {
        let wait = &self.options.wait;
        let seen = Workload::read(self.cluster, self.object).await?;
        if let Workload::Unseen(..) = seen {
            // it was there when the wait began
            return if self.seen { Err(self.vanished()) } else { Ok(Seen::Waiting("it is not there yet".to_owned())) };
        }
        self.seen = true;
        let state = progress(&seen);
        let evidence = Evidence::collect_of(self.cluster, seen, 0).await;
        self.follow(&evidence.pods);
        match state {
            Progress::Ready => Ok(Seen::Done(Ended { evidence, succeeded: true, finished: true, diagnosis: None })),
            Progress::Failed(_) => self.failed(&evidence, true).await,
            Progress::Waiting(state) => {
                // the Job does not end with a container that somebody else has added; its own work has
                match kept_by_others(&evidence.pods, &self.own) {
                    Some(true) => {
                        let ended = Ended { evidence, succeeded: true, finished: false, diagnosis: None };
                        return Ok(Seen::Done(ended));
                    }
                    Some(false) => return self.failed(&evidence, false).await,
                    None => {}
                }
                // a pod that has ended with an error is the Job controller's to judge: it may be
                // allowed another one
                let found: Vec<_> = problems(&evidence)
                    .into_iter()
                    .filter(|problem| !matches!(problem.cause, Cause::JobFailed | Cause::OutOfMemory))
                    .collect();
                let Some(hopeless) = self.bearing.hopeless(&found, wait, Instant::now()).cloned() else {
                    return Ok(Seen::Waiting(describe(&state, &found, self.object)));
                };
                let diagnosis = Some(explain(self.cluster, evidence.clone(), Some(hopeless)).await);
                Ok(Seen::Done(Ended { evidence, succeeded: false, finished: false, diagnosis }))
            }
        }
    }
}

impl JobLook<'_> {
    async fn failed(&self, evidence: &Evidence, finished: bool) -> Result<Seen<Ended>> {
        let workload = evidence.workload.clone();
        let full = Evidence::collect_of(self.cluster, workload, LOG_LINES).await;
        let diagnosis = Some(Diagnosis::of(&full));
        Ok(Seen::Done(Ended { evidence: full, succeeded: false, finished, diagnosis }))
    }

    fn vanished(&self) -> Error {
        Error::Malformed {
            what: self.object.to_string(),
            message: "it was deleted while it was waited for; whether its work was done is not known".to_owned(),
        }
    }

    /// Follows the log of each pod's first container once it has started.
    fn follow(&mut self, pods: &[Pod]) {
        if !self.options.stream {
            return;
        }
        for pod in pods {
            let (Some(name), Some(namespace)) = (&pod.metadata.name, &pod.metadata.namespace) else { continue };
            let Some(container) = first_container(pod) else { continue };
            let started =
                pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()).is_some_and(|all| {
                    all.iter()
                        .filter(|status| status.name == container)
                        .filter_map(|status| status.state.as_ref())
                        .any(|state| state.running.is_some() || state.terminated.is_some())
                });
            if !started || self.following.iter().any(|(known, _)| known == name) {
                continue;
            }
            let follower = Follower::start(
                self.cluster.clone(),
                Arc::from(namespace.as_str()),
                Arc::from(name.as_str()),
                container,
                self.options,
                self.object.name.clone(),
            );
            self.following.push((name.clone(), follower));
        }
    }

    /// Lets the followers read what has been logged already.
    async fn finish(self) {
        for (_, follower) in self.following {
            let mut task = follower;
            let patience = Duration::from_secs(2);
            let _ = tokio::time::timeout(patience, &mut task.task).await;
        }
    }
}

/// A task that follows one log; it ends with the wait that started it.
struct Follower {
    task: JoinHandle<()>,
    cancel: Cancel,
}

impl Follower {
    fn start(
        cluster: Cluster,
        namespace: Arc<str>,
        pod: Arc<str>,
        container: String,
        options: &JobOptions,
        job: String,
    ) -> Self {
        let cancel = options.wait.cancel.child_token();
        let stop = cancel.clone();
        let task = tokio::spawn(async move {
            let mut told = 0;
            // a connection that breaks is taken up again, behind what has been told
            while !stop.is_cancelled() {
                let mut line_number = 0;
                let each = |line: &str| {
                    line_number += 1;
                    if line_number > told {
                        tracing::info!(target: "ffe::job", job = %job, "{line}");
                        told = line_number;
                    }
                };
                let Err(error) = follow_log(&cluster, &namespace, &pod, &container, &stop, each).await else {
                    return;
                };
                tracing::debug!(target: "ffe::job", job = %job, "the log cannot be followed: {error}");
                if !error.is_transient() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { task, cancel }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// The container whose end decides a Job.
struct Decided<'a> {
    pod: String,
    container: String,
    state: &'a ContainerStateTerminated,
}

/// Of the newest pod: the first container that ended with an error, or else the first that ended.
fn deciding(pods: &[Pod]) -> Option<Decided<'_>> {
    let newest = pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))?;
    let status = newest.status.as_ref()?;
    let ended: Vec<(&str, &ContainerStateTerminated, bool)> = status
        .init_container_statuses
        .iter()
        .flatten()
        .map(|container| (container, true))
        .chain(status.container_statuses.iter().flatten().map(|container| (container, false)))
        .filter_map(|(container, init)| {
            let state = container.state.as_ref()?.terminated.as_ref()?;
            Some((container.name.as_str(), state, init))
        })
        .collect();
    let failed = ended.iter().find(|(_, state, _)| state.exit_code != 0);
    let main = ended.iter().find(|(_, _, init)| !init);
    let (container, state, _) = failed.or(main)?;
    Some(Decided { pod: newest.metadata.name.clone()?, container: (*container).to_owned(), state })
}

fn own_containers(job: &Job) -> Vec<String> {
    let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let all = pod.into_iter().flat_map(|pod| pod.init_containers.iter().flatten().chain(&pod.containers));
    all.map(|container| container.name.clone()).collect()
}

/// Whether the Job's own containers have ended well, where all have ended and the newest pod goes on for others only.
fn kept_by_others(pods: &[Pod], own: &[String]) -> Option<bool> {
    let newest = pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0))?;
    let status = newest.status.as_ref()?;
    let state = |name: &str| {
        let all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
        all.into_iter().find(|container| container.name == name)?.state.as_ref()?.terminated.as_ref()
    };
    let ended: Vec<&ContainerStateTerminated> = own.iter().filter_map(|name| state(name)).collect();
    let others = newest.spec.as_ref()?.containers.iter().filter(|container| !own.contains(&container.name));
    let goes_on = others.into_iter().any(|container| state(&container.name).is_none());
    (goes_on && !own.is_empty() && ended.len() == own.len()).then(|| ended.iter().all(|one| one.exit_code == 0))
}

fn first_container(pod: &Pod) -> Option<String> {
    pod.spec.as_ref()?.containers.first().map(|container| container.name.clone())
}

#[cfg(test)]
mod tests;
