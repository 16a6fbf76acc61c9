//! The schema where the version that ran before has it, after a run that was to go back has failed, or one that came behind such a
//! run: by the image that knows the revisions, under the release that has been rolled back.

use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::apply::going_back::GoesBack;
use crate::apply::migration::migrator::Migrator;
use crate::apply::migration::names;
use crate::apply::migration::task::Task;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::schema_back::{self, restore_advice};
use crate::journal::{Outcome, Phase};

/// Migrates to where the database stood before the run. What had been dropped is made anew, and empty.
///
/// # Errors
/// When that fails, or it is not known where the schema stands.
pub(crate) async fn migrate(run: &mut Run, goes: &GoesBack) -> Result<(), Diagnostics> {
    // Before that phase nothing has moved.
    if !run.record().has_begun(Phase::Migrate) && goes.way.is_some() {
        let from = goes.back.from.clone();
        run.note(|record| record.schema_after = Some(from));
        return Ok(());
    }
    if run.inputs.leaves_failed() {
        run.note(|record| record.kept = true);
        return Ok(());
    }
    again(run, goes).await.map_err(Stop::into_diagnostics)
}

async fn again(run: &mut Run, goes: &GoesBack) -> Result<(), Stop> {
    let back = &goes.back;
    // A Job that was to take it back could commit behind the answer.
    schema_back::end_migrations(run).await?;
    let found = goes.mover.look_from(run, Some(&back.to)).await?;
    run.note(|record| record.schema_after = Some(found.current.clone()));
    if found.current != back.from {
        forward(run, &goes.mover, &back.from).await?;
        run.warnings.push(
            Diagnostic::warning(
                "What was dropped is there again, and empty",
                format!(
                    "The schema had begun to go back, and is at {} again for the version that ran before. {}{}",
                    names(&back.from),
                    back.losses().map(|losses| format!("Lost rows: {losses}. ")).unwrap_or_default(),
                    restore_advice(run)
                ),
            )
            .at(Path::attribute("migration").child("allow_downgrade")),
        );
    }
    let from = back.from.clone();
    run.note(|record| record.schema_after = Some(from.clone()));
    run.journal.settle_schema(&from);
    Ok(())
}

/// The same after a run that has found the schema behind, since a run before it died while it went back. What this run itself has
/// migrated is undone by now; the version that comes back is the one that had passed, and has its schema further on.
///
/// # Errors
/// As [`migrate`].
pub(crate) async fn catch_up(run: &mut Run, migrator: &Migrator, release: Option<Outcome>) -> Result<(), Diagnostics> {
    let (Some(behind), Some(from)) = (run.record().behind.clone(), run.record().schema_before.clone()) else {
        return Ok(());
    };
    let stays = schema_back::kept_by_choice(run, &migrator.settings).is_some();
    if release != Some(Outcome::RolledBack) || stays || run.record().schema_after.as_ref() == Some(&from) {
        return Ok(());
    }
    let mover = migrator.with_image(&behind.image);
    let caught_up = async {
        let found = mover.look_from(run, Some(&behind.at)).await?;
        run.note(|record| record.schema_after = Some(found.current.clone()));
        // Where this run could not be undone, that is told already.
        if !found.unknown.is_empty() {
            return Ok(());
        }
        if found.current != from {
            forward(run, &mover, &from).await?;
        }
        run.note(|record| record.schema_after = Some(from.clone()));
        run.journal.settle_schema(&from);
        Ok(())
    };
    let caught_up: Result<(), Stop> = caught_up.await;
    caught_up.map_err(Stop::into_diagnostics)
}

async fn forward(run: &mut Run, mover: &Migrator, from: &[String]) -> Result<(), Stop> {
    let id = run.record().id.clone();
    let task = Task::forward(mover.terms(&id, None), from);
    let outcome = mover.carry_out_and_finish(run, &task).await?;
    let why = match outcome.standing.clone().known() {
        Ok(found) if outcome.succeeded && found.current == *from => return Ok(()),
        Ok(found) if outcome.succeeded => format!("The database is at {} after it", names(&found.current)),
        Err(why) if outcome.succeeded => format!("Where the database stands after it is not known: {why}"),
        _ => "Its migration failed".to_owned(),
    };
    let summary = "The schema could not be brought to where the version that ran before has it";
    let mut error = outcome.failure(summary, &why, &mover.image);
    error.detail.push_str(&format!(
        "\n\nWhat to do: Apply the version that ran before again, which migrates to {}. {}",
        names(from),
        restore_advice(run)
    ));
    Err(Stop::failed(error))
}
