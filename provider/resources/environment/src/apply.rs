//! Making an environment, or making it so again: the steps in their order, and what was done when one of them fails.
//!
//! Whoever writes holds the environment's lease. It lies in the namespace, so that a namespace that is not there is made first, by
//! a create that one of two writers wins; everything else, its own first apply too, comes under the lease.

pub(crate) mod database;
pub(crate) mod secrets;
pub(crate) mod server;

use std::time::{Duration, Instant};

use ffe_cluster::k8s_openapi::api::core::v1::Namespace;
use ffe_cluster::{Cancel, Cluster, Error, Kind as ErrorKind, Mark, MarkState, ObjectRef, Originals, Ownership};
use ffe_session::lock::{Lock, Locked};
use ffe_workloads::{WaitOptions, wait_deleted};
use serde_json::json;
use tfplugin::{Diagnostic, Diagnostics};

use crate::claim::{self, Terms};
use crate::kinds::{Desired, Found, Kind, find_all};
use crate::model::{DatabaseStatus, Environment};
use crate::names::{Names, TYPE_NAME};
use crate::objects::{self, INPUTS};
use crate::spec::Spec;

/// How often a namespace is looked at again that somebody else was faster to make.
const ATTEMPTS: usize = 5;

/// A part of the environment that is done or not done as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Namespace,
    Quota,
    Config,
    Secrets,
    Database,
}

/// One run over an environment.
pub(crate) struct Run<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) spec: &'a Spec,
    /// The configuration, for its write-only values.
    pub(crate) config: &'a Environment,
    /// The configuration as it is kept for an import.
    pub(crate) inputs: String,
    pub(crate) run_id: String,
    pub(crate) terms: Terms,
    /// Set when the user wants to stop, or the lease is lost.
    pub(crate) cancel: Cancel,
    pub(crate) deadline: Instant,
    /// Once it is held.
    pub(crate) lock: Option<Lock>,
}

/// What a run has done so far.
#[derive(Default)]
pub(crate) struct Done {
    /// Objects of ours that were made or changed.
    pub(crate) objects: Vec<ObjectRef>,
    /// Objects of somebody else's that were taken over.
    pub(crate) taken: Vec<ObjectRef>,
    /// Steps that are through.
    pub(crate) steps: Vec<Step>,
    pub(crate) secrets_revision: Option<String>,
    pub(crate) database_status: Option<DatabaseStatus>,
    /// The StatefulSet's revision that the server's version was asked of.
    pub(crate) database_revision: Option<String>,
    /// The workload that was applied and did not become ready.
    pub(crate) not_ready: Option<ObjectRef>,
    pub(crate) warnings: Diagnostics,
}

/// The object of a step, what is there, and the mark that it gets.
struct Claimed {
    found: Found,
    mark: Mark,
}

impl Run<'_> {
    /// Goes through the steps, with everybody else kept away.
    ///
    /// # Errors
    /// What went wrong; `done` says how far it came.
    pub(crate) async fn run(mut self, done: &mut Done) -> Result<(), Diagnostics> {
        self.wait_for_the_namespace_to_be_free().await?;
        let is_reserved = self.reserve().await?;
        let namespace = &self.spec.names.namespace;
        let what = format!("terraform apply of {TYPE_NAME} {}", self.spec.names.import_id());
        let lock = match lock(self.cluster, &self.spec.names, &self.run_id, &what, &self.cancel).await {
            Ok(lock) => lock,
            Err(NotLocked::Held(diagnostics)) => return Err(diagnostics),
            Err(NotLocked::Failed(diagnostics)) => {
                if is_reserved {
                    done.objects.push(ObjectRef::of::<Namespace>(None, namespace));
                }
                return Err(diagnostics);
            }
        };
        self.cancel = lock.cancel();
        self.lock = Some(lock);
        let ended = self.steps(is_reserved, done).await;
        let Some(lock) = self.lock.take() else { return ended };
        let ended = ended.map_err(|errors| lock.check().err().map_or(errors, Diagnostics::from));
        if done.objects.is_empty() && done.taken.is_empty() {
            // Refused: nothing of ours stays there.
            lock.remove().await;
        } else {
            done.warnings.extend(lock.let_go().await);
        }
        ended
    }

    async fn steps(&self, is_reserved: bool, done: &mut Done) -> Result<(), Diagnostics> {
        // What another run has done until it gave the lease back is seen only now.
        let mut claimed = self.claim_all().await.inspect_err(|refused| {
            let is_anothers = refused.iter().any(|one| one.path == Some(tfplugin::Path::attribute("namespace")));
            if is_reserved && !is_anothers {
                done.objects.push(ObjectRef::of::<Namespace>(None, &self.spec.names.namespace));
            }
        })?;
        self.same_server().await?;
        let namespace = claimed.remove(0);
        self.apply(&namespace, done).await?;
        done.steps.push(Step::Namespace);

        for claimed in &claimed {
            if matches!(claimed.found.desired.kind, Kind::ServiceAccount | Kind::Role | Kind::RoleBinding) {
                self.apply(claimed, done).await?;
            }
        }
        for claimed in &claimed {
            if matches!(claimed.found.desired.kind, Kind::ResourceQuota | Kind::LimitRange) {
                self.apply(claimed, done).await?;
            }
        }
        done.steps.push(Step::Quota);

        for claimed in claimed.iter_mut().filter(|claimed| claimed.found.desired.kind == Kind::ConfigMap) {
            claimed.found.desired = claimed.found.desired.clone().annotated(INPUTS, &self.inputs);
            self.apply(claimed, done).await?;
        }
        done.steps.push(Step::Config);

        self.apply_secrets(&claimed, done).await?;
        done.steps.push(Step::Secrets);

        self.apply_database(&claimed, done).await?;
        done.steps.push(Step::Database);

        if namespace.mark.state == MarkState::Creating {
            self.stop_here()?;
            let mark = Mark { state: MarkState::Complete, ..namespace.mark };
            let reference = &namespace.found.desired.reference;
            self.cluster
                .write_mark(reference, &mark)
                .await
                .map_err(failed("The environment could not be marked as complete"))?;
        }
        Ok(())
    }

    /// Makes the namespace where there is none, marked as one that is not done, and writes nothing more to it. Says whether it was
    /// made here.
    ///
    /// # Errors
    /// When it is somebody else's.
    async fn reserve(&self) -> Result<bool, Diagnostics> {
        let head = objects::namespace::namespace(self.spec);
        let mut tries = 0..ATTEMPTS;
        loop {
            let found = head.clone().find(self.cluster).await;
            let found = found.map_err(failed("The namespace could not be looked at"))?;
            let mark = claim::mark(&found, &self.spec.names, &self.run_id, &self.terms)?;
            if found.live.is_some() {
                return Ok(false);
            }
            self.stop_here()?;
            let mut object = head.object.clone();
            mark.write_value(&mut object);
            match self.cluster.reserve(&object).await {
                Ok(_) => return Ok(true),
                // Somebody was faster, or nothing is known of what came of it: what is there by now is looked at.
                Err(error)
                    if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Unavailable)
                        && tries.next().is_some() => {}
                Err(error) => return Err(failed(&format!("{} could not be applied", head.reference))(error)),
            }
        }
    }

    /// A namespace that is on its way out cannot be used, and its name not either until it is gone.
    async fn wait_for_the_namespace_to_be_free(&self) -> Result<(), Diagnostics> {
        let summary = "The namespace could not be looked at";
        let name = &self.spec.names.namespace;
        let found: Option<Namespace> = self.cluster.find(None, name).await.map_err(failed(summary))?;
        let Some(namespace) = found.filter(ffe_cluster::namespace::is_terminating) else { return Ok(()) };
        tracing::info!(namespace = name, "the namespace is being deleted; waiting until it is gone");
        let object = ObjectRef::of::<Namespace>(None, name);
        wait_deleted(self.cluster, &object, namespace.metadata.uid.as_deref(), &self.wait())
            .await
            .map_err(failed("The namespace of that name is being deleted and does not go away"))
    }

    /// A server that is there already goes on only as what it is.
    async fn same_server(&self) -> Result<(), Diagnostics> {
        let Some(bundled) = self.spec.database.bundled() else { return Ok(()) };
        let there = server::Server::find(self.cluster, &self.spec.names).await;
        let there = there.map_err(failed("The database could not be looked at"))?;
        there.and_then(|there| there.refusal(bundled)).map_or(Ok(()), |refused| Err(refused.into()))
    }

    /// Looks at everything before anything is written, so that a refusal changes nothing.
    async fn claim_all(&self) -> Result<Vec<Claimed>, Diagnostics> {
        let found = find_all(self.cluster, objects::all(self.spec))
            .await
            .map_err(failed("The cluster could not be looked at"))?;
        let mut refused = Diagnostics::new();
        let mut claimed = Vec::new();
        for found in found {
            match claim::mark(&found, &self.spec.names, &self.run_id, &self.terms) {
                Ok(mark) => claimed.push(Claimed { found, mark }),
                Err(diagnostic) => refused.push(diagnostic),
            }
        }
        let resumes = claimed.first().is_some_and(|first: &Claimed| {
            matches!(first.found.ownership(&self.spec.names.owner()), Ownership::OursUnfinished(_))
        });
        if self.terms.creating && !resumes {
            let parts = claimed.iter().skip(1);
            refused.extend(parts.filter_map(|part| claim::is_of_no_other_state(&part.found, &self.spec.names).err()));
        }
        // The namespace alone says it when it is not ours: what is in it is not news.
        if let Some(first) =
            refused.iter().next().filter(|first| first.path == Some(tfplugin::Path::attribute("namespace")))
        {
            return Err(first.clone().into());
        }
        refused.into_result()?;
        Ok(claimed)
    }

    async fn apply(&self, claimed: &Claimed, done: &mut Done) -> Result<(), Diagnostics> {
        self.apply_object(&claimed.found.desired, claimed, done).await
    }

    /// Writes an object in the place that was looked at.
    async fn apply_object(&self, desired: &Desired, place: &Claimed, done: &mut Done) -> Result<(), Diagnostics> {
        self.stop_here()?;
        let (reference, mark) = (&desired.reference, &place.mark);
        let uid = place.found.uid();
        let originals = Originals::new(&self.spec.names.namespace, &self.spec.names.owner());
        match desired.put(self.cluster, mark, uid.as_deref(), &originals).await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // Somebody was faster.
                let found = desired.clone().find(self.cluster).await;
                let found = found.map_err(failed(&format!("{reference} could not be looked at")))?;
                let whose = found.ownership(&self.spec.names.owner());
                return Err(claim::refuse(&found, &self.spec.names, &whose).into());
            }
            Err(error) => return Err(failed(&format!("{reference} could not be applied"))(error)),
        }
        tracing::debug!(object = %reference, "applied");
        let list = if mark.adopted { &mut done.taken } else { &mut done.objects };
        if !list.contains(reference) {
            list.push(reference.clone());
        }
        Ok(())
    }

    /// The safe point between two writes.
    fn stop_here(&self) -> Result<(), Diagnostics> {
        if let Some(lock) = &self.lock {
            lock.check()?;
        }
        let stopped = if self.cancel.is_cancelled() {
            stopped()
        } else if Instant::now() >= self.deadline {
            Diagnostic::error(
                "Timed out",
                "The operation took longer than the attribute timeout allows. What was done so far stays; the next apply \
                 goes on from there.",
            )
            .at(tfplugin::Path::attribute("timeout"))
        } else {
            return Ok(());
        };
        Err(stopped.into())
    }

    fn wait(&self) -> WaitOptions {
        let left = self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        WaitOptions::new(left, self.cancel.clone())
    }
}

/// Why the lease is not held.
pub(crate) enum NotLocked {
    /// Somebody else is at work.
    Held(Diagnostics),
    /// The cluster refused, or the user stopped it.
    Failed(Diagnostics),
}

/// Keeps others away from an environment whose namespace is there.
///
/// # Errors
/// When somebody else is at work on it, the cluster refuses, or the user stops it.
pub(crate) async fn lock(
    cluster: &Cluster,
    names: &Names,
    run_id: &str,
    what: &str,
    cancel: &Cancel,
) -> Result<Lock, NotLocked> {
    let lease = names.lease();
    let locked = Locked {
        namespace: &names.namespace,
        name: &lease,
        run_id,
        what,
        subject: "environment",
        named_by: "namespace",
    };
    Lock::take(cluster, &locked, cancel).await.map_err(|refused| match refused {
        None => NotLocked::Failed(stopped().into()),
        Some(refused) if refused.iter().any(|one| one.path.is_some()) => NotLocked::Held(refused),
        Some(refused) => NotLocked::Failed(refused),
    })
}

fn stopped() -> Diagnostic {
    Diagnostic::error(
        "Stopped",
        "Terraform was told to stop. What was done so far stays; the next apply goes on from there.",
    )
}

/// An error of the cluster under a summary.
pub(crate) fn failed(summary: &str) -> impl FnOnce(Error) -> Diagnostics + use<'_> {
    move |error| ffe_session::diagnostic(&error, summary).into()
}

/// What a create that failed leaves behind, and how to be rid of it.
pub(crate) fn remains(done: &Done, spec: &Spec) -> Option<String> {
    let (namespace, name) = (&spec.names.namespace, &spec.names.environment);
    let list = |objects: &[ObjectRef]| objects.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n");
    let mut parts = vec!["Nothing is in the state.".to_owned()];
    if !done.objects.is_empty() {
        parts[0].push_str(&format!(
            " These remain in the cluster, marked as an unfinished environment {name}:\n{}",
            list(&done.objects)
        ));
    }
    if !done.taken.is_empty() {
        parts.push(format!(
            "These were there before, and were taken over for it:\n{}\n\nWhat they were is kept. Once an apply has gone \
             through, a destroy gives them back.",
            list(&done.taken)
        ));
    }
    if parts.len() == 1 && done.objects.is_empty() {
        return None;
    }
    parts.push("The next apply finds them and goes on from there.".to_owned());
    if done.taken.is_empty() {
        parts.push(format!("To remove them instead:\n\n  kubectl delete namespace {namespace}"));
    }
    Some(parts.join("\n\n"))
}

/// The status of a workload, as far as it counts its ready instances.
pub(crate) fn ready_instances(stateful_set: Option<&serde_json::Value>) -> i64 {
    let status = stateful_set.map_or(json!(null), |object| object["status"].clone());
    status["readyReplicas"].as_i64().unwrap_or(0)
}
