//! Finishes the way back of an earlier run that died on it or gave it up, where the image that is wanted now does not know the
//! schema that the earlier run has left.
//!
//! Somebody whose deployment died half-way may well take the change back and apply what was there before. That image
//! does not know the revisions that the database is at by then; the image of the run that died does, and the journal has its
//! name.

use ffe_helm::manifest::Manifest;
use ffe_helm::records::Status;
use tfplugin::Diagnostic;

use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::migrator::Migrator;
use crate::apply::migration::task::is_alembic;
use crate::apply::migration::{earlier, names};
use crate::apply::recover::begin_attempt;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::open_way::OpenWay;
use crate::apply::way_back::pods_gone::{self, Version};
use crate::apply::way_back::{release_back, schema_back};
use crate::journal::{Outcome, RunRecord};

/// What an earlier run has left ahead.
#[derive(Clone, Debug, PartialEq)]
struct Left {
    run: String,
    image: String,
    base: Vec<String>,
    revision_before: Option<u32>,
}

/// Takes back what the newest earlier run that brought the database to where it is has done: release, pods and schema. `false`:
/// nothing has to be taken back, or it cannot be undone. `migrator` and `new` are of what is wanted now.
///
/// # Errors
/// When the way back fails.
pub(crate) async fn take_back(
    run: &mut Run,
    migrator: &Migrator,
    new: &Manifest,
    found: &Inspection,
) -> Result<bool, Stop> {
    let settings = &migrator.settings;
    if settings.on_failure.as_str() == Some("keep") {
        return Ok(false);
    }
    let earlier = run.journal.content.runs.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    let left = if is_alembic(settings) {
        left_ahead(earlier, &found.unknown)
    } else {
        earlier::left_behind_by(earlier, &migrator.image, &found.current).and_then(left)
    };
    let (Some(left), Some(first)) = (left, run.journal.base_of_failures().cloned()) else { return Ok(false) };
    // The image that has moved the schema is asked before anything is touched.
    let mover = migrator.with_image(&left.image);
    let stands = Box::pin(mover.look_from(run, Some(&left.base))).await?;
    let record = RunRecord { schema_before: Some(left.base.clone()), ..first };
    let Ok(way) = OpenWay::find(settings, &record, &stands) else { return Ok(false) };
    tracing::warn!(run = %left.run, to = ?left.base, "an earlier run has left the schema ahead: taking it back");
    let Some(good) = Box::pin(release(run, new, &left)).await? else { return Ok(false) };
    let namespace = run.inputs.namespace.as_str();
    let kept = good.map(|manifest| pods_gone::images(&manifest, namespace)).unwrap_or_default();
    pods_gone::end_pods(run, &Version::new([left.image.clone()].into(), &kept)).await.map_err(Stop::Failed)?;
    Box::pin(schema_back::downgrade(run, &mover, &way)).await?;
    run.journal.settle_schema_of_earlier(&left.base);
    run.save().await?;
    run.warnings.push(Diagnostic::warning(
        "What an earlier run had left was taken back",
        format!(
            "The run {} was interrupted or failed, and the database was ahead of the image that is wanted now. The schema \
             is back at {}.",
            left.run,
            names(&left.base)
        ),
    ));
    Ok(true)
}

/// The newest run after the last good one that has these revisions among those it was to run.
fn left_ahead(earlier: &[RunRecord], unknown: &[String]) -> Option<Left> {
    let since = earlier.iter().rev().take_while(|run| run.outcome != Outcome::Succeeded);
    let ran = |run: &&RunRecord| unknown.iter().all(|one| run.pending.iter().any(|pending| pending.revision == *one));
    left(since.into_iter().find(ran).filter(|_| !unknown.is_empty())?)
}

fn left(run: &RunRecord) -> Option<Left> {
    Some(Left {
        run: run.id.clone(),
        image: run.image.clone()?,
        base: run.schema_before.clone().filter(|base| !base.is_empty())?,
        revision_before: run.revision_before,
    })
}

/// Rolls the release back to the last good revision, unless that is what is deployed; what that revision has deployed. The outer
/// `None`: Helm has no revision to go back to.
async fn release(run: &mut Run, new: &Manifest, left: &Left) -> Result<Option<Option<Manifest>>, Stop> {
    let unreadable = |error: ffe_helm::Error| Stop::helm(&error, "The release's records cannot be read");
    let history = run.kit.records.history_now(&run.inputs.namespace, &run.inputs.name).await.map_err(unreadable)?;
    let Some(newest) = history.last().cloned() else { return Ok(Some(None)) };
    let current = run.manifest_of(&newest).await?;
    if Some(newest.revision) == left.revision_before && newest.status == Status::Deployed {
        return Ok(Some(Some(current)));
    }
    let Some(verified) = run.journal.last_verified() else { return Ok(None) };
    let Some(key) = history.iter().find(|key| key.revision == verified) else { return Ok(None) };
    let good = run.manifest_of(key).await?;
    // Of one that failed it is not known how far it came.
    if good != current || newest.status != Status::Deployed {
        release_back::roll_back(run, verified, new).await.map_err(Stop::Failed)?;
        begin_attempt(run).await?;
    }
    Ok(Some(Some(good)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::journal::Pending;

    fn run(id: &str, outcome: Outcome, before: &str, pending: &[&str]) -> RunRecord {
        let pending = pending.iter().map(|name| Pending { revision: (*name).to_owned(), ..Pending::default() });
        RunRecord {
            id: id.to_owned(),
            outcome,
            schema_before: Some(vec![before.to_owned()]),
            pending: pending.collect(),
            image: Some(format!("app:{id}")),
            ..RunRecord::default()
        }
    }

    fn left(runs: &[RunRecord], unknown: &[&str]) -> Option<(String, Vec<String>)> {
        let unknown: Vec<String> = unknown.iter().map(|one| (*one).to_owned()).collect();
        left_ahead(runs, &unknown).map(|left| (left.image, left.base))
    }

    #[test]
    fn the_run_that_brought_the_database_there_is_found() {
        let good = run("a", Outcome::Succeeded, "1", &["2"]);
        let dead = run("b", Outcome::Interrupted, "2", &["3", "4"]);
        let other = run("c", Outcome::Failed, "2", &[]);
        let expected = Some(("app:b".to_owned(), vec!["2".to_owned()]));
        assert_eq!(left(&[good.clone(), dead.clone()], &["4"]), expected);
        assert_eq!(left(&[good.clone(), dead.clone(), other], &["3"]), expected);
        assert_eq!(left(&[good.clone(), dead.clone()], &["9"]), None, "somebody else's");
        assert_eq!(left(&[good.clone(), dead.clone()], &[]), None, "nothing is ahead");
        assert_eq!(left(&[dead, good.clone()], &["4"]), None, "not behind a release that was good");
        assert_eq!(left(std::slice::from_ref(&good), &["2"]), None);
    }
}
