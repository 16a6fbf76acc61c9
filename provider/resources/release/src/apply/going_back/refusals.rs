//! Why a release cannot go back, and what to do instead.

use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::names;
use crate::apply::stop::Stop;

fn at() -> Path {
    Path::attribute("migration").child("allow_downgrade")
}

/// The database is ahead of the image, and going back is not allowed.
pub(crate) fn not_allowed(image: &str, found: &Inspection) -> Stop {
    let error = Diagnostic::error(
        format!("The database is at a revision that the image {image} does not have"),
        format!(
            "It is at {}; the image's newest is {}. A newer version of the application has migrated it, or another branch. \
             Nothing was changed.\n\nWhat to do: Deploy an image that has this revision. Or, to go back to this image, set \
             migration.allow_downgrade = true: what the newer revisions have added is then dropped, with its rows.",
            found.unknown.join(", "),
            found.heads.join(", ")
        ),
    );
    Stop::failed(error.at(Path::attribute("migration")))
}

/// The target says nothing to go back to.
pub(super) fn no_aim(target: &str, image: &str) -> Stop {
    let error = Diagnostic::error(
        "Where the schema is to go back to is not known",
        format!(
            "migration.target is \"{target}\", which names no revision of the image {image} wherever the database stands. Nothing was \
             changed.\n\nWhat to do: Leave migration.target out, or set it to head, heads or a revision."
        ),
    );
    Stop::failed(error.at(Path::attribute("migration").child("target")))
}

/// The image that is wanted has the name of the one that runs.
pub(super) fn same_image(image: &str, current: &[String]) -> Stop {
    let error = Diagnostic::error(
        "No image is known that can take the schema back",
        format!(
            "The database is at {}, which the image {image} does not have; and the version that runs has an image of the same \
             name, so the one that has migrated the database cannot be told from it. Nothing was changed.\n\nWhat to do: Deploy the \
             newer version once more, under a tag of its own or by its digest; then go back.",
            names(current)
        ),
    );
    Stop::failed(error.at(at()))
}

/// None of the images that were asked has the revisions.
pub(super) fn nobody_knows(unknown: &[String], asked: &[String]) -> Stop {
    let error = Diagnostic::error(
        "No image is known that can take the schema back",
        format!(
            "The database is at {}, which none of the images has that this release has run: {}. Another release or somebody else has \
             migrated it. Nothing was changed.\n\nWhat to do: Take the schema back with what has migrated it, and apply again; or \
             deploy an image that has this revision.",
            unknown.join(", "),
            asked.join(", ")
        ),
    );
    Stop::failed(error.at(at()))
}

/// The image that knows the revisions could not be asked.
pub(super) fn not_asked(stop: Stop, image: &str) -> Stop {
    let Stop::Failed(errors) = stop else { return stop };
    let advice = format!(
        "Nothing was changed.\n\nWhat to do: To go back, the image {image} is needed, which has run before: only it knows how its \
         revisions are undone. See that it can be pulled and started, and apply again."
    );
    let told = errors.into_iter().map(|error| Diagnostic { detail: format!("{}\n\n{advice}", error.detail), ..error });
    Stop::Failed(told.collect::<Diagnostics>())
}

/// The way is closed.
pub(super) fn closed(to: &[String], why: &str, current: &[String], restore: Option<&str>) -> Stop {
    let backup = match restore {
        Some(command) => {
            format!(" The dump that was taken before the newer version was deployed is restored by:\n\n{command}")
        }
        None => String::new(),
    };
    let error = Diagnostic::error(
        format!("The schema cannot go back to {}", names(to)),
        format!(
            "The database is at {}. {why} Nothing was changed.\n\nWhat to do: Go forward with a corrected version. Or stop the \
             application, restore a dump that was made before, which loses what was written since, and apply again.{backup}",
            names(current)
        ),
    );
    Stop::failed(error.at(at()))
}

/// More is undone than the plan has said.
pub(super) fn changed_since_plan(undone: &[String], planned: &[String]) -> Stop {
    let told = |all: &[String]| if all.is_empty() { "none".to_owned() } else { all.join("; ") };
    let error = Diagnostic::error(
        "The revisions to undo have changed since the plan",
        format!(
            "The plan undoes {}; now it would be {}. Nothing was changed: plan again.",
            told(planned),
            told(undone)
        ),
    );
    Stop::failed(error.at(at()))
}
