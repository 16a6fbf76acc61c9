//! Nobody else is at work: the run takes the leases on the release and on its database, then opens its page in the journal.
//!
//! A run looks at nothing before it holds its leases: so one that has waited for another sees what that one has done.

use ffe_cluster::Digests;
use tfplugin::{Model, Path};

use crate::apply::leases::{Leases, database_lease, release_lease};
use crate::apply::prepare::Prepared;
use crate::apply::recover::{begin_attempt, refuse_others_at_work};
use crate::apply::run::{Run, now};
use crate::apply::save::save;
use crate::apply::stop::Stop;
use crate::journal::claim::{Claim, find_claim, is_installed};
use crate::journal::ownership::{self, Known, Whose};
use crate::journal::{Journal, Outcome, Phase, PhaseRecord, RunRecord, remains};
use crate::settings::model::Release;

/// Takes the leases, then goes on with the run that died if it wanted the same, or opens a new page.
///
/// # Errors
/// When somebody else holds a lease (the error says who, where and since when), or the release is not ours. Then the leases are
/// given back.
pub(crate) async fn begin_run(prepared: Prepared) -> Result<Run, Stop> {
    let mut leases = take_leases(&prepared).await?;
    let journal = match open_journal(&prepared, &leases).await {
        Ok(journal) => journal,
        Err(stop) => {
            log(leases.give_back().await);
            return Err(stop);
        }
    };
    let mut run = Run::new(prepared, leases, journal);
    if let Err(stop) = begin_attempt(&mut run).await {
        log(run.give_leases_back().await);
        return Err(stop);
    }
    let before = run.before.as_ref().map(|key| key.revision);
    run.note(|record| record.revision_before = record.revision_before.or(before));
    Ok(run)
}

fn log(warnings: tfplugin::Diagnostics) {
    if !warnings.is_empty() {
        tracing::warn!(%warnings, "leases were not given back");
    }
}

async fn take_leases(prepared: &Prepared) -> Result<Leases, Stop> {
    let inputs = &prepared.inputs;
    let database = inputs.config.migration.known().and_then(|migration| migration.database_secret.as_str());
    let names: Vec<String> = std::iter::once(release_lease(&inputs.name)).chain(database.map(database_lease)).collect();
    let what = format!("terraform apply of ffe_release {}/{}", inputs.namespace, inputs.name);
    let cancel = prepared.guard.token();
    Leases::take(&prepared.cluster, &inputs.namespace, &names, &prepared.id, &what, &cancel).await
}

/// The journal with the page of this run open, written.
async fn open_journal(prepared: &Prepared, leases: &Leases) -> Result<Journal, Stop> {
    let (namespace, name) = (prepared.inputs.namespace.as_str(), prepared.inputs.name.as_str());
    let journal = if prepared.managed.is_some() {
        Some(managed_journal(prepared).await?)
    } else {
        let config = &prepared.inputs.config;
        match find_claim(&prepared.cluster, &prepared.kit, config, namespace, name).await.map_err(Stop::Failed)? {
            Claim::Ours(journal) => journal.map(|one| if one.is_complete() { one.anew() } else { one }),
            Claim::Adopt(journal) => Some(journal),
            Claim::Finished(refusal) | Claim::Refused(refusal) => return Err(Stop::failed(refusal)),
        }
    };
    refuse_others_at_work(&prepared.kit, &prepared.inputs, journal.as_ref()).await?;
    let journal = journal.unwrap_or_else(|| Journal::new(namespace, name, &prepared.id));
    let digests = prepared.cluster.digests(namespace, &journal.mark).await;
    let digests = digests.map_err(|error| Stop::cluster(&error, "The key of the journal's digests cannot be read"))?;
    let mut journal = open_page(prepared, journal, &digests);
    save(&mut journal, &prepared.cluster, leases).await?;
    Ok(journal)
}

/// The journal of a release that is in the state. Where it is lost, what the state knows of the release goes into a new one.
async fn managed_journal(prepared: &Prepared) -> Result<Journal, Stop> {
    let (namespace, name) = (prepared.inputs.namespace.as_str(), prepared.inputs.name.as_str());
    let (cluster, records) = (&prepared.cluster, &prepared.kit.records);
    let journal = Journal::find(cluster, namespace, name).await;
    let journal = journal.map_err(|error| Stop::cluster(&error, "The journal cannot be read"))?;
    let seen = prepared.managed.as_ref();
    let known = seen.map_or_else(|| Known::by(journal.as_ref()), |seen| seen.known(journal.as_ref()));
    let whose = ownership::whose(records, namespace, name, known).await;
    match whose.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))? {
        Whose::Foreign(foreign) if is_installed(&foreign.key) => {
            return Err(Stop::failed(ownership::replaced(namespace, name).at(Path::attribute("name"))));
        }
        Whose::Ours(owned) if is_installed(owned.newest()) => {}
        // Terraform has seen it a moment ago; what the refresh would have said is said here.
        _ => {
            let lost = remains::refusal(cluster, records, namespace, name, false).await;
            if let Some(lost) = lost.map_err(Stop::Failed)? {
                return Err(Stop::failed(lost.at(Path::attribute("name"))));
            }
        }
    }
    Ok(journal.unwrap_or_else(|| {
        let mut journal = Journal::new(namespace, name, &prepared.id);
        journal.content.first_deployed = seen.and_then(|seen| seen.first_deployed);
        if seen.is_some_and(|seen| seen.adopted) { journal.adopted() } else { journal }
    }))
}

/// The page of this run in the journal: that of a run that was interrupted while doing the same, or a new one.
fn open_page(prepared: &Prepared, mut journal: Journal, digests: &Digests) -> Journal {
    let Prepared { id, inputs, chart, .. } = prepared;
    let schema = Release::schema();
    let digest = inputs.digest(digests, &chart.digest, &schema);
    let same = |page: &RunRecord| inputs.have(&page.inputs_digest, digests, &chart.digest, &schema);
    if journal.unfinished().is_some_and(same) {
        tracing::info!(run = %journal.mark.run_id, "going on with the run that was interrupted");
        if let Some(page) = journal.current() {
            page.outcome = Outcome::Running;
            page.finished = None;
            page.inputs_digest = digest;
        }
        return journal;
    }
    if let Some(dead) = journal.content.runs.last_mut().filter(|page| page.outcome == Outcome::Running) {
        dead.outcome = Outcome::Interrupted;
        dead.finished.get_or_insert_with(now);
    }
    journal.mark.run_id.clone_from(id);
    let locked =
        PhaseRecord { name: Phase::Lock.name().to_owned(), outcome: Outcome::Succeeded, started: now(), seconds: 0.0 };
    journal.content.runs.push(RunRecord {
        id: id.clone(),
        inputs_digest: digest,
        started: now(),
        phases: vec![locked],
        ..RunRecord::default()
    });
    journal
}
