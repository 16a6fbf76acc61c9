//! What the journal says of earlier runs, compared with where the database stands now.

use tfplugin::{Diagnostic, Path};

use crate::apply::migration::names;
use crate::apply::run::Run;
use crate::journal::{Outcome, RunRecord, older};

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

/// The schema that an image ran with last and the run that has moved it on, where the journal knows the image to be older than what
/// the database stands at. The engine `command` cannot tell by itself: the tool would run, and fail or do harm.
pub(crate) fn older_image<'r>(run: &'r Run, image: &str, current: &[String]) -> Option<(&'r [String], &'r RunRecord)> {
    let earlier = run.journal.content.runs.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    older(earlier, image, current)
}

/// The image that has moved the schema last, where it is another one, and the journal knows both.
pub(crate) fn newer_image(run: &Run, image: &str) -> Option<String> {
    let earlier = run.journal.content.runs.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    let has_run = earlier.iter().any(|one| one.image.as_deref() == Some(image));
    let last = earlier.iter().rev().find(|one| one.schema_after.is_some()).filter(|_| has_run)?;
    last.image.clone().filter(|newer| newer != image)
}

/// The error for such an image.
pub(crate) fn ahead(image: &str, current: &[String], (own, newer): (&[String], &RunRecord)) -> Diagnostic {
    let (own_at, newer_image) = (names(own), newer.image.as_deref().unwrap_or("the newer image"));
    Diagnostic::error(
        format!("The database is ahead of the image {image}"),
        format!(
            "This image ran with the schema at {own_at}; the run {} has since moved it to {} with {newer_image}. Nothing was \
             changed.\n\nWhat to do: To go back to {own_at}, set migration.allow_downgrade = true; migration.downgrade_command is \
             then run with {newer_image}, and what it drops is lost. Or deploy an image that knows {}.",
            newer.id,
            names(current),
            names(current)
        ),
    )
    .at(Path::attribute("migration"))
}

/// The run that did not succeed and has left the schema ahead of what an image ran with.
pub(crate) fn left_behind_by<'r>(earlier: &'r [RunRecord], image: &str, current: &[String]) -> Option<&'r RunRecord> {
    older(earlier, image, current).map(|(_, newer)| newer).filter(|newer| newer.outcome != Outcome::Succeeded)
}
