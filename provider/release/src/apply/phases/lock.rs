//! Nobody else is at work: leases on the release and on its database, then the journal's page for this run.
//!
//! Everything that a run looks at is looked at under the lease, so that a run that waited for another sees what that one
//! has done.

use ffe_cluster::{Cancel, Holder, LeaseError, LeaseOptions};
use ffe_session::diagnostic;
use tfplugin::{Diagnostic, Model, Path};

use crate::apply::run::{Run, Stop, now};
use crate::apply::start::{recover_pending, refuse_others};
use crate::journal::Phase;
use crate::journal::claim::{Claim, is_installed, look};
use crate::journal::ownership::{self, Whose};
use crate::journal::remains;
use crate::journal::{Journal, Outcome, PhaseRecord, RunRecord};
use crate::settings::model::Release;

/// What the names of databases' leases begin with.
const DATABASE: &str = "ffe-database.";

/// Takes the leases, then goes on with the run that died if it wanted the same, or opens a new page.
///
/// # Errors
/// When somebody else holds a lease (it is said who, where and since when), or the release is not ours.
pub(crate) async fn go(run: &mut Run) -> Result<Outcome, Stop> {
    take_leases(run).await?;
    let (namespace, name) = (run.inputs.namespace.clone(), run.inputs.name.clone());
    let journal = if run.was_managed {
        Some(managed(run).await?)
    } else {
        match look(&run.cluster, &run.kit, &run.inputs.config, &namespace, &name).await.map_err(Stop::Failed)? {
            Claim::Ours(journal) => journal.map(|one| if one.is_complete() { one.anew() } else { one }),
            Claim::Adopt(journal) => Some(journal),
            Claim::Refused(refusal) => return Err(Stop::failed(refusal)),
        }
    };
    refuse_others(run, journal.as_ref()).await?;
    open_page(run, journal);
    run.save().await?;
    recover_pending(run).await?;
    let history = run.kit.records.history_now(&namespace, &name).await;
    let history = history.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))?;
    run.before = history.into_iter().next_back().filter(is_installed);
    let before = run.before.as_ref().map(|key| key.revision);
    run.note(|record| record.revision_before = record.revision_before.or(before));
    Ok(Outcome::Succeeded)
}

/// The journal of a release that is in the state. Where it is lost, what the state knows of it goes into a new one.
async fn managed(run: &Run) -> Result<Journal, Stop> {
    let (namespace, name) = (run.inputs.namespace.as_str(), run.inputs.name.as_str());
    let journal = Journal::find(&run.cluster, namespace, name).await;
    let journal = journal.map_err(|error| Stop::cluster(&error, "The journal cannot be read"))?;
    let seen = &run.seen;
    let whose = ownership::look(&run.kit.records, namespace, name, seen.known(journal.as_ref())).await;
    match whose.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))? {
        Whose::Foreign(foreign) if is_installed(&foreign.key) => {
            return Err(Stop::failed(ownership::replaced(namespace, name).at(Path::attribute("name"))));
        }
        Whose::Ours(owned) if is_installed(owned.newest()) => {}
        // Terraform has seen it a moment ago; what the refresh would have told is told here.
        _ => {
            let lost = remains::refusal(&run.cluster, &run.kit.records, namespace, name, false).await;
            if let Some(lost) = lost.map_err(Stop::Failed)? {
                return Err(Stop::failed(lost.at(Path::attribute("name"))));
            }
        }
    }
    Ok(journal.unwrap_or_else(|| {
        let mut journal = Journal::new(namespace, name, &run.id);
        journal.content.first_deployed = seen.first_deployed;
        if seen.adopted { journal.adopted() } else { journal }
    }))
}

/// The page of this run in the journal: that of a run that was interrupted while doing the same, or a new one.
fn open_page(run: &mut Run, journal: Option<Journal>) {
    let digest = run.inputs.digest(run.chart.as_ref().map_or("", |chart| &chart.digest), &Release::schema());
    let mut journal = journal.unwrap_or_else(|| Journal::new(&run.inputs.namespace, &run.inputs.name, &run.id));
    let resumed = journal.unfinished().is_some_and(|page| page.inputs_digest == digest);
    if resumed {
        tracing::info!(run = %journal.mark.run_id, "going on with the run that was interrupted");
        if let Some(page) = journal.current() {
            page.outcome = Outcome::Running;
            page.finished = None;
        }
    } else {
        if let Some(dead) = journal.content.runs.last_mut().filter(|page| page.outcome == Outcome::Running) {
            dead.outcome = Outcome::Interrupted;
            dead.finished.get_or_insert_with(now);
        }
        journal.mark.run_id.clone_from(&run.id);
        let locked = PhaseRecord {
            name: Phase::Lock.name().to_owned(),
            outcome: Outcome::Succeeded,
            started: now(),
            seconds: 0.0,
        };
        journal.content.runs.push(RunRecord {
            id: run.id.clone(),
            inputs_digest: digest,
            started: now(),
            phases: vec![locked],
            ..RunRecord::default()
        });
    }
    journal.content.transitions = run.leases.first().map_or(0, ffe_cluster::HeldLease::transitions);
    run.journal = journal;
}

async fn take_leases(run: &mut Run) -> Result<(), Stop> {
    let options = LeaseOptions::from_environment()
        .map_err(|error| Stop::failed(diagnostic(&error, "The lease's duration is unusable")))?;
    let what = format!("terraform apply of ffe_release {}/{}", run.inputs.namespace, run.inputs.name);
    let database = run.inputs.config.migration.known().and_then(|migration| migration.database_secret.as_str());
    let names =
        std::iter::once(release_lease(&run.inputs.name)).chain(database.map(|secret| format!("{DATABASE}{secret}")));
    let mut leases = Vec::new();
    for name in names {
        let holder = Holder::this_process(run.id.clone(), what.clone());
        let lease = run.cluster.acquire_lease(&run.inputs.namespace, &name, holder, &options, &run.cancel).await;
        match lease {
            Ok(lease) => leases.push(lease),
            Err(error) => {
                // Whoever comes next need not wait until these have expired.
                for held in leases {
                    if let Err(error) = ffe_cluster::HeldLease::release(held).await {
                        tracing::warn!(%error, "a lease was not given back");
                    }
                }
                return Err(refused(&error));
            }
        }
    }
    run.hold(leases);
    Ok(())
}

/// The name of a release's lease.
pub(crate) fn release_lease(release: &str) -> String {
    format!("ffe-release.{release}")
}

/// The error for a lease that somebody else holds.
pub(crate) fn refused(error: &LeaseError) -> Stop {
    match error {
        LeaseError::Cancelled { .. } => Stop::Cancelled,
        LeaseError::Cluster(error) => Stop::cluster(error, "The lease could not be acquired"),
        LeaseError::Held { lease, .. } => {
            // Another release may use the same database.
            let what = if lease.name.starts_with(DATABASE) { "database" } else { "release" };
            let advice = error.advice().map(|advice| format!("\n\n{advice}")).unwrap_or_default();
            Stop::failed(
                Diagnostic::error(
                    format!("Somebody else is at work on the {what}"),
                    format!("{error}. Nothing was changed.{advice}"),
                )
                .at(Path::attribute("name")),
            )
        }
    }
}

/// A token that fires when the user wants to stop, or when a lease is lost.
pub(crate) fn either(user: &Cancel, lost: Vec<Cancel>) -> (Cancel, tokio::task::JoinHandle<()>) {
    let (both, user) = (Cancel::new(), user.clone());
    let follower = both.clone();
    let bridge = tokio::spawn(async move {
        let lost = futures::future::select_all(lost.iter().map(|lost| Box::pin(lost.cancelled())));
        tokio::select! {
            () = user.cancelled() => {}
            _ = lost => tracing::error!("the lease is lost: stopping before anybody else may begin"),
        }
        follower.cancel();
    });
    (both, bridge)
}
