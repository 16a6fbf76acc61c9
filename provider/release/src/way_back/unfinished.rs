//! The way back of an earlier run, finished: it died on it, or was given up, and what is wanted now cannot stand on what
//! it has left.
//!
//! Somebody whose deployment died half-way may well take the change back and apply what was there before. That image
//! does not know the revisions that the database is at by then; the image of the run that died does, and it is in the
//! journal.

use ffe_helm::records::{Release as HelmRelease, Status};
use tfplugin::Diagnostic;

use crate::journal::{Outcome, RunRecord};
use crate::migration::inspect::Pending;
use crate::model::Migration;
use crate::run::{Run, Stop};
use crate::way_back::{pods_gone, release_back, schema_back};

/// What an earlier run has left ahead.
#[derive(Clone, Debug, PartialEq)]
struct Left {
    run: String,
    image: String,
    target: String,
    revision_before: Option<u32>,
}

/// Takes back what the newest earlier run that brought the database to these revisions has done: release, pods and
/// schema. `false`: none did, or it cannot be undone.
///
/// # Errors
/// When the way back fails.
pub(crate) async fn go(run: &mut Run, settings: &Migration, unknown: &[String]) -> Result<bool, Stop> {
    let earlier = run.journal.content.runs.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    let Some(left) = left_ahead(earlier, unknown).filter(|_| settings.on_failure.as_str() != Some("keep")) else {
        return Ok(false);
    };
    tracing::warn!(run = %left.run, to = %left.target, "an earlier run has left the schema ahead: taking it back");
    let Some(stands) = release(run, &left).await? else { return Ok(false) };
    let namespace = run.inputs.namespace.as_str();
    let kept = stands.and_then(|release| release.parsed_manifest().ok());
    let kept = kept.map(|manifest| pods_gone::images(&manifest, namespace)).unwrap_or_default();
    if !kept.contains(&left.image) {
        pods_gone::clear(run, &[left.image.clone()].into()).await.map_err(Stop::Failed)?;
    }
    schema_back::downgrade(run, settings, &left.image, &left.target).await?;
    for record in run.journal.content.runs.iter_mut().filter(|record| record.id == left.run) {
        record.schema_after.clone_from(&record.schema_before);
    }
    run.save().await?;
    run.warnings.push(Diagnostic::warning(
        "What an earlier run had left was taken back",
        format!(
            "The run {} was interrupted or failed, and the database was ahead of the image that is wanted now. The schema \
             is back at {}.",
            left.run, left.target
        ),
    ));
    Ok(true)
}

/// The newest run after the last good one that has these revisions among those it ran, if its way back is open.
fn left_ahead(earlier: &[RunRecord], unknown: &[String]) -> Option<Left> {
    let since = earlier.iter().rev().take_while(|run| run.outcome != Outcome::Succeeded);
    let ran = |run: &&RunRecord| unknown.iter().all(|one| run.pending.iter().any(|pending| pending.revision == *one));
    let run = since.into_iter().find(ran)?;
    let [target] = run.schema_before.as_deref()? else { return None };
    let reached = run.pending.iter().rposition(|one| unknown.contains(&one.revision))?;
    if run.pending[..=reached].iter().any(|one: &Pending| one.obstacle().is_some()) {
        return None;
    }
    Some(Left {
        run: run.id.clone(),
        image: run.image.clone()?,
        target: target.clone(),
        revision_before: run.revision_before,
    })
}

/// The release as the last good one was, unless it is so already: its record, `None` where there is nothing to go
/// back to.
async fn release(run: &mut Run, left: &Left) -> Result<Option<Option<HelmRelease>>, Stop> {
    let unreadable = |error: ffe_helm::Error| Stop::helm(&error, "The release's records cannot be read");
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await.map_err(unreadable)?;
    let Some(newest) = history.last().cloned() else { return Ok(Some(None)) };
    let current = run.kit.records.open(&newest).await.map_err(unreadable)?;
    if Some(newest.revision) == left.revision_before && newest.status == Status::Deployed {
        return Ok(Some(current));
    }
    let Some(verified) = run.journal.last_verified() else { return Ok(None) };
    let Some(key) = history.iter().find(|key| key.revision == verified) else { return Ok(None) };
    let good = run.kit.records.open(key).await.map_err(unreadable)?;
    let same = good.as_ref().zip(current.as_ref()).is_some_and(|(good, current)| good.manifest == current.manifest);
    // Of one that failed it is not known how far it came.
    if !same || newest.status != Status::Deployed {
        release_back::rollback(run, verified).await.map_err(Stop::Failed)?;
        run.look_again().await?;
    }
    Ok(Some(good))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_alembic::Undo;

    use super::*;

    fn run(id: &str, outcome: Outcome, before: &str, pending: &[(&str, Undo)]) -> RunRecord {
        let pending = pending.iter().map(|(name, undo)| Pending {
            revision: (*name).to_owned(),
            undo: *undo,
            ..Pending::default()
        });
        RunRecord {
            id: id.to_owned(),
            outcome,
            schema_before: Some(vec![before.to_owned()]),
            pending: pending.collect(),
            image: Some(format!("app:{id}")),
            ..RunRecord::default()
        }
    }

    fn left(runs: &[RunRecord], unknown: &str) -> Option<(String, String)> {
        left_ahead(runs, &[unknown.to_owned()]).map(|left| (left.image, left.target))
    }

    #[test]
    fn the_run_that_brought_the_database_there_is_found() {
        use Undo::{Pass, Possible};
        let good = run("a", Outcome::Succeeded, "1", &[("2", Possible)]);
        let dead = run("b", Outcome::Interrupted, "2", &[("3", Possible), ("4", Possible)]);
        let other = run("c", Outcome::Failed, "2", &[]);
        let expected = Some(("app:b".to_owned(), "2".to_owned()));
        assert_eq!(left(&[good.clone(), dead.clone()], "4"), expected);
        assert_eq!(left(&[good.clone(), dead.clone(), other], "3"), expected);
        assert_eq!(left(&[good.clone(), dead.clone()], "9"), None, "somebody else's");
        assert_eq!(left(&[dead, good.clone()], "4"), None, "not behind a release that was good");
        assert_eq!(left(std::slice::from_ref(&good), "2"), None);
        let one_way = run("d", Outcome::Interrupted, "2", &[("3", Pass), ("4", Possible)]);
        assert_eq!(left(&[good, one_way], "4"), None, "it cannot be undone");
    }
}
