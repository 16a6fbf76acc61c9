//! What the journal says of earlier runs, compared with where the database stands now.

use tfplugin::{Diagnostic, Path};

use crate::apply::migration::names;
use crate::apply::run::Run;
use crate::journal::{Outcome, RunRecord};

/// The warning that something else has moved the schema since the last run that saw it.
pub(crate) fn moved_by_others(run: &Run, current: &[String]) -> Option<Diagnostic> {
    let earlier = run.journal.content.runs.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    let last = earlier.iter().rev().find(|one| one.schema_before.is_some() || one.schema_after.is_some())?;
    // Where a run did not see the end of its own migration, it may have been that run.
    let left = last.schema_after.as_deref().filter(|left| *left != current)?;
    // This run may have migrated already, before it was interrupted.
    let migrated = run.record().has_begun(crate::journal::Phase::Migrate);
    (!migrated).then(|| {
        Diagnostic::warning(
            "The schema is not where the last run left it",
            format!(
                "The run {} left it at {}; now it is at {}. Something else has moved it, or the connection leads to another \
                 database or schema.",
                last.id,
                names(left),
                names(current)
            ),
        )
        .at(Path::attribute("migration"))
    })
}

/// Refuses an image that the journal knows to be older than what the database stands at. The engine `command` cannot tell by
/// itself: the tool would run, and fail or do harm.
///
/// # Errors
/// With the steps that lead there.
pub(crate) fn refuse_older_image(run: &Run, image: &str, current: &[String]) -> Result<(), Diagnostic> {
    let earlier = run.journal.content.runs.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    let Some((own, newer)) = older(earlier, image, current) else { return Ok(()) };
    let (own_at, newer_image) = (names(own), newer.image.as_deref().unwrap_or("the newer image"));
    Err(Diagnostic::error(
        format!("The database is ahead of the image {image}"),
        format!(
            "This image ran with the schema at {own_at}; the run {} has since moved it to {} with {newer_image}. Nothing was \
             changed.\n\nWhat to do: Take the schema back to {own_at} first, with {newer_image}, which knows the way; then \
             apply this image. Or deploy an image that knows {}.",
            newer.id,
            names(current),
            names(current)
        ),
    )
    .at(Path::attribute("migration")))
}

/// The run that did not succeed and has left the schema ahead of what an image ran with.
pub(crate) fn left_behind_by<'r>(earlier: &'r [RunRecord], image: &str, current: &[String]) -> Option<&'r RunRecord> {
    older(earlier, image, current).map(|(_, newer)| newer).filter(|newer| newer.outcome != Outcome::Succeeded)
}

/// The schema that an image ran with last, and the run that has moved it from there to where it is now.
fn older<'r>(earlier: &'r [RunRecord], image: &str, current: &[String]) -> Option<(&'r [String], &'r RunRecord)> {
    let good = |run: &RunRecord| run.outcome == Outcome::Succeeded && run.image.as_deref() == Some(image);
    let at = earlier.iter().rposition(good)?;
    let own = earlier[at].schema_after.as_deref().filter(|own| *own != current)?;
    let moved = |run: &&RunRecord| {
        run.schema_after.as_deref() == Some(current)
            && run.schema_before.as_deref() != Some(current)
            && run.image.as_deref() != Some(image)
    };
    Some((own, earlier[at + 1..].iter().rev().find(moved)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(image: &str, outcome: Outcome, before: &str, after: &str) -> RunRecord {
        RunRecord {
            image: Some(image.to_owned()),
            outcome,
            schema_before: Some(vec![before.to_owned()]),
            schema_after: Some(vec![after.to_owned()]),
            ..RunRecord::default()
        }
    }

    fn is_older(runs: &[RunRecord], image: &str, current: &str) -> bool {
        older(runs, image, &[current.to_owned()]).is_some()
    }

    #[test]
    fn an_image_is_older_when_a_later_run_has_moved_the_schema_on_from_it() {
        use Outcome::{Failed, RolledBack, Succeeded};
        let first = run("app:1", Succeeded, "a", "a");
        let second = run("app:2", Succeeded, "a", "b");
        assert!(is_older(&[first.clone(), second.clone()], "app:1", "b"));
        assert!(!is_older(&[first.clone(), second.clone()], "app:2", "b"));
        assert!(!is_older(&[first.clone(), second.clone()], "app:3", "b"), "never seen");
        assert!(!is_older(&[first.clone(), second.clone()], "app:1", "a"), "taken back by hand");
        assert!(!is_older(&[first.clone(), second.clone()], "app:1", "c"), "moved by somebody else");
        assert!(!is_older(&[first.clone(), run("app:2", RolledBack, "a", "a")], "app:1", "a"));
        assert!(is_older(&[first.clone(), run("app:2", Failed, "a", "b")], "app:1", "b"), "left ahead");
        let latest = [run("app:latest", Succeeded, "a", "a"), run("app:latest", Succeeded, "a", "b")];
        assert!(!is_older(&latest, "app:latest", "b"), "a tag that moves");
    }
}
