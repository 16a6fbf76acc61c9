//! A part of preflight: where the database stands, what will run, and whether that can be undone.

use std::time::Duration;

use ffe_cluster::Kind;
use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_helm::manifest::Manifest;
use ffe_workloads::{JobOptions, await_job};
use tfplugin::{Diagnostic, Path};

use crate::apply::going_back::GoesBack;
use crate::apply::going_back::find;
use crate::apply::jobs;
use crate::apply::migration::carry_out::TaskOutcome;
use crate::apply::migration::earlier;
use crate::apply::migration::inspection::{Inspection, Standing, invalid_indexes};
use crate::apply::migration::migrator::{Inspected, Migrator};
use crate::apply::migration::task::{Task, is_alembic};
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::unfinished;
use crate::journal::Pending;
use crate::settings::model::Migration;

/// How often a database that cannot be reached is asked.
const ATTEMPTS: u32 = 3;
const BETWEEN: Duration = Duration::from_secs(5);
/// How many revisions are named in a message.
const SHOWN: usize = 10;

/// Asks the database, through a Job with the new image, and writes the answer into the journal. What a run before this one has left
/// ahead is taken back first; `manifest` is what will be deployed.
///
/// # Errors
/// When the database cannot be reached, where it stands is not known, or it stands at a revision that the image does not have.
pub(crate) async fn inspect(
    run: &mut Run,
    mut migrator: Migrator,
    manifest: &Manifest,
) -> Result<(Inspected, Option<GoesBack>), Stop> {
    // A run that goes on keeps what it found at first; else the base is that of the first of the runs that did not succeed.
    let own = run.record().schema_before.clone();
    let base = own.clone().or_else(|| run.journal.base_of_failures().and_then(|first| first.schema_before.clone()));
    let Some(mut found) = ask_either(run, &mut migrator, base.as_deref()).await? else {
        return Ok((Inspected { migrator, found: None }, None));
    };
    // Boxed, as what leads far: the futures of a run would not fit on a small stack.
    while Box::pin(unfinished::take_back(run, &migrator, manifest, &found)).await? {
        let Some(again) = ask_either(run, &mut migrator, base.as_deref()).await? else {
            return Ok((Inspected { migrator, found: None }, None));
        };
        found = again;
    }
    let (settings, image) = (&migrator.settings, &migrator.image);
    if !found.unknown.is_empty() {
        let back = Box::pin(find::ahead(run, &migrator, &found)).await?;
        return Ok((Inspected { migrator, found: Some(found) }, Some(back)));
    }
    if let Some(older) = earlier::older_image(run, image, &found.current).filter(|_| !is_alembic(settings)) {
        let (own, newer) = older;
        let known = newer.image.clone().map(|newer| (newer, own.to_vec()));
        let Some(known) = known.filter(|_| settings.allows_downgrade()) else {
            return Err(Stop::failed(earlier::ahead(image, &found.current, older)));
        };
        let back = Box::pin(find::known_to_be_ahead(run, &migrator, known)).await?;
        return Ok((Inspected { migrator, found: Some(found) }, Some(back)));
    }
    if let Some(back) = find::gone_back_already(run, &migrator, &found) {
        run.save().await?;
        return Ok((Inspected { migrator, found: Some(found) }, Some(back)));
    }
    warn(run, settings, &found);
    run.journal.settle_schema_of_earlier(&found.current);
    let behind = find::left_behind(run, &migrator, &found);
    // Somebody else has moved the schema where the database does not stand on that base any more.
    let inherited = base.filter(|base| behind.is_some() || (*base != found.current && found.astray.is_empty()));
    let apart = match &inherited {
        Some(_) => run.journal.base_of_failures().is_some_and(|first| first.apart),
        None => found.apart,
    };
    let stands_at = found.clone();
    run.note(|record| {
        record.image = Some(image.to_owned());
        if record.schema_before.is_none() {
            let ran = if inherited.is_some() { found.ran } else { Vec::new() };
            record.pending = match (&behind, &inherited) {
                (Some(_), Some(base)) => beyond(base, found.pending),
                _ => ran.into_iter().chain(found.pending).collect(),
            };
            record.schema_before = Some(inherited.unwrap_or(found.current));
            record.apart = apart;
            record.behind = behind;
        }
    });
    run.save().await?;
    Ok((Inspected { migrator, found: Some(stands_at) }, None))
}

/// Those of the revisions, which are in order, that come after all of the base.
fn beyond(base: &[String], pending: Vec<Pending>) -> Vec<Pending> {
    let last = pending.iter().rposition(|one| base.contains(&one.revision));
    pending.into_iter().skip(last.map_or(0, |last| last + 1)).collect()
}

/// As [`ask`]. The command of an older image may not be able to name a revision that has come after it: then the image is asked
/// that has moved the schema there, and counts where the journal knows the other one to be older.
async fn ask_either(
    run: &mut Run,
    migrator: &mut Migrator,
    base: Option<&[String]>,
) -> Result<Option<Inspection>, Stop> {
    let why = match ask(run, migrator, base).await {
        Err(why @ Stop::Failed(_)) if !is_alembic(&migrator.settings) => why,
        answered => return answered,
    };
    let Some(newer) = earlier::newer_image(run, &migrator.image) else { return Err(why) };
    tracing::info!(%newer, "the image cannot tell where the database stands; the one that has moved the schema last is asked");
    let mut other = migrator.with_image(&newer);
    let found = match ask(run, &mut other, base).await {
        Err(stop @ (Stop::Cancelled | Stop::LeaseLost)) => return Err(stop),
        found => found.ok().flatten(),
    };
    match found.filter(|found| earlier::older_image(run, &migrator.image, &found.current).is_some()) {
        Some(found) => {
            migrator.without_options = other.without_options;
            Ok(Some(found))
        }
        None => Err(why),
    }
}

/// Asks the database, through a Job. `None`: the engine has no way to tell. A pooler that refuses `PGOPTIONS` is noted in the
/// migrator.
async fn ask(run: &mut Run, migrator: &mut Migrator, base: Option<&[String]>) -> Result<Option<Inspection>, Stop> {
    let mut left = ATTEMPTS;
    loop {
        let id = run.record().id.clone();
        let Some(task) = Task::inspect(migrator.terms(&id, base)) else { return Ok(None) };
        let outcome = migrator.carry_out_and_finish(run, &task).await?;
        left -= 1;
        let log = outcome.log(task.parts[0].0);
        let again = match &outcome.standing {
            Standing::Known(found) if outcome.succeeded => return Ok(Some(found.clone())),
            Standing::Malformed(_) => false,
            // What the Job said may have been lost on the way.
            _ => outcome.succeeded || is_away(log),
        };
        let command = !is_alembic(&migrator.settings);
        if command && !migrator.without_options && log.iter().any(|line| refuses_options(line)) {
            tracing::warn!("a pooler before the database refuses PGOPTIONS: no lock_timeout is set");
            migrator.without_options = true;
            continue;
        }
        if left == 0 || !again {
            return Err(not_known(&outcome, migrator));
        }
        tracing::warn!(log = ?log.last(), "where the database stands is not known, and it is asked again");
        tokio::select! {
            () = run.cancel.cancelled() => return Err(Stop::Cancelled),
            () = tokio::time::sleep(BETWEEN) => {}
        }
    }
}

/// What Alembic says where it has no configuration file, or the section of it that is asked for is not there.
fn lacks_configuration(line: &str) -> bool {
    line.contains("No 'script_location' key found") || (line.contains("No config file") && line.contains("found"))
}

/// What Alembic says of a history with several heads, where one is asked for.
fn has_several_heads(line: &str) -> bool {
    line.contains("Multiple head revisions are present")
}

/// What libpq says of a certificate or key that is not there, or cannot be read.
fn lacks_certificate(line: &str) -> bool {
    let file = [
        "root certificate file \"",
        "certificate file \"",
        "certificate present, but not private key file",
        "private key file \"",
    ];
    let cannot = [
        "does not exist",
        "could not open",
        "could not read",
        "could not load",
        "has group or world access",
        "not private key file",
    ];
    file.iter().any(|one| line.contains(one)) && cannot.iter().any(|one| line.contains(one))
}

/// What libpq says of a server that is not the one that the connection asks for.
fn distrusts_server(line: &str) -> bool {
    line.contains("certificate verify failed")
        || (line.contains("server certificate for \"") && line.contains("does not match host name"))
}

/// What PgBouncer, and poolers like it, say to a client with `PGOPTIONS`.
fn refuses_options(line: &str) -> bool {
    line.contains("unsupported startup parameter")
}

/// Whether the database could not be reached for a reason that may be gone in a moment. Asking changes nothing, so it may
/// be done again.
fn is_away(log: &[String]) -> bool {
    const REASONS: [&str; 4] = [
        "Temporary failure in name resolution",
        "could not translate host name",
        "Connection refused",
        "the database system is starting up",
    ];
    log.iter().any(|line| REASONS.iter().any(|reason| line.contains(reason)))
}

/// The error for a database that has not told where it stands.
fn not_known(outcome: &TaskOutcome, migrator: &Migrator) -> Stop {
    let what = "Nothing was changed; where the database's schema stands could not be found out";
    let mut error = outcome.failure("The database cannot be migrated", what, &migrator.image);
    let why = outcome.standing.clone().known().err().filter(|_| outcome.succeeded);
    let said = |says: fn(&str) -> bool| outcome.logs.values().flatten().any(|line| says(line));
    let advice = if let Some(why) = &why {
        error.detail.push_str(&format!("\n\nThe Job ended well, but {why}."));
        "See that migration.current_command prints one revision a line and nothing else, that env.py comes to \
         context.run_migrations(), and that the Job's log can be read; then apply again."
    } else if said(refuses_options) {
        "A pooler before the database refuses what PGOPTIONS of migration.database_secret or migration.env says. Take it out, \
         or connect the migration to the database itself; then apply again."
    } else if said(has_several_heads) {
        "The image's revisions have several heads. Set migration.target = \"heads\" to migrate to all of them, or join them in one \
         revision (alembic merge heads) and build the image anew; then apply again."
    } else if said(lacks_certificate) {
        "The connection names a certificate file that is not in the migration's pod, or that its user may not read. Put the file into \
         migration.database_secret under a key such as ca.pem, and name it as /database/ca.pem in DATABASE_URL (or PGSSLROOTCERT): the \
         keys of that Secret are files in /database, for the migration and for backups alike. An image that has the file at its own path will do \
         as well. Then apply again."
    } else if said(distrusts_server) {
        "The database's server shows a certificate that sslmode does not accept. See that sslrootcert holds the authority that has signed \
         it, and that the host in the connection is one of the certificate's names; then apply again."
    } else if let Some(advice) = outcome.advice_to_start() {
        advice
    } else if outcome.did_not_start() {
        // What keeps its pod from starting says what to do by itself.
        return Stop::failed(error);
    } else if said(lacks_configuration) {
        "See that migration.config names Alembic's configuration file as seen from migration.working_dir, and \
         migration.config_section a section of it that has script_location; then apply again."
    } else if !is_alembic(&migrator.settings) {
        "See that the database runs and lets the user in that migration.database_secret names, and what migration.current_command says. An \
         image that is older than the schema may not be able to name its revision: deploy one that can; then apply again."
    } else {
        "See that the database runs and lets the user in that migration.database_secret names, and that the image has its \
         migrations where migration.config says; then apply again."
    };
    error.detail.push_str(&format!("\n\nWhat to do: {advice}"));
    Stop::failed(error)
}

/// What somebody ought to know before the migration runs.
fn warn(run: &mut Run, settings: &Migration, found: &Inspection) {
    run.warnings.extend(earlier::moved_by_others(run, &found.current));
    run.warnings.extend(invalid_indexes(found));
    if settings.on_failure.as_str() == Some("keep") {
        return;
    }
    let one_way: Vec<(&str, &str)> =
        found.pending.iter().filter_map(|one| Some((one.revision.as_str(), one.obstacle()?))).collect();
    for (revision, obstacle) in one_way.iter().take(SHOWN) {
        run.warnings.push(
            Diagnostic::warning(
                format!("Revision {revision} cannot be undone"),
                format!(
                    "It {obstacle}. If the release fails after this migration, the schema stays where it is and only a \
                     backup brings it back."
                ),
            )
            .at(Path::attribute("migration")),
        );
    }
    if let Some((first, _)) = one_way.get(SHOWN) {
        let more = one_way.len() - SHOWN;
        run.warnings.push(
            Diagnostic::warning(
                format!("{more} more revisions cannot be undone"),
                format!("From {first} on; the Secret ffe-journal.{} of the namespace names them all.", run.inputs.name),
            )
            .at(Path::attribute("migration")),
        );
    }
}

/// Jobs of earlier runs that died: they are waited for and removed, so that there are never two at a time.
pub(crate) async fn finish_jobs_of_earlier_runs(run: &mut Run) -> Result<(), Stop> {
    let id = run.record().id.clone();
    let older: Vec<String> = run
        .journal
        .content
        .runs
        .iter()
        .filter(|record| record.id != id)
        .flat_map(|record| record.jobs.iter().cloned())
        .collect();
    for job in &older {
        let found = run.cluster.find::<Job>(Some(&run.inputs.namespace), job).await;
        let found = found.map_err(|error| Stop::cluster(&error, "The Job of an earlier run cannot be looked at"))?;
        let Some(found) = found else { continue };
        tracing::info!(%job, "waiting for the Job of an earlier run");
        // The end of its own containers decides: one that a mesh has added may never end.
        match await_job(&run.cluster, &found, true, &JobOptions::new(run.wait(run.inputs.timeout))).await {
            Err(error) if error.kind() == Kind::Cancelled => return Err(Stop::Cancelled),
            Err(error) if error.kind() == Kind::Timeout => {
                return Err(Stop::cluster(&error, "The Job of an earlier run is still going on"));
            }
            // It failed: this run finds out itself where the database stands.
            _ => {}
        }
        jobs::remove(run, job).await?;
    }
    for record in run.journal.content.runs.iter_mut().filter(|record| record.id != id) {
        record.jobs.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_is_away_for_a_moment_is_asked_again() {
        let log = |text: &str| is_away(&["INFO  context".to_owned(), text.to_owned()]);
        assert!(log("FAILED: the database cannot be reached: could not translate host name \"db\" to address"));
        assert!(log("connection to server at \"10.0.0.1\", port 5432 failed: Connection refused"));
        assert!(!log("FAILED: password authentication failed for user \"ffe\""));
        assert!(!log("FAILED: No module named 'app'"));
    }

    #[test]
    fn a_configuration_that_alembic_does_not_find_is_known_by_its_words() {
        assert!(lacks_configuration("FAILED: No 'script_location' key found in configuration"));
        assert!(lacks_configuration(
            "FAILED: No config file 'elsewhere.ini' found, or file has no '[alembic]' section"
        ));
        assert!(!lacks_configuration("FAILED: password authentication failed for user \"ffe\""));
    }

    #[test]
    fn what_is_wrong_with_heads_and_certificates_is_known_by_its_words() {
        assert!(has_several_heads(
            "FAILED: Multiple head revisions are present for given argument 'head'; please specify"
        ));
        for line in [
            "port 5432 failed: root certificate file \"/etc/app/ca.pem\" does not exist",
            "could not open certificate file \"/etc/app/tls.crt\": Permission denied",
            "certificate present, but not private key file \"/etc/app/tls.key\"",
            "private key file \"/database/tls.key\" has group or world access; file must have permissions u=rw (0600) or less",
        ] {
            assert!(lacks_certificate(line) && !distrusts_server(line), "{line}");
        }
        for line in [
            "port 5432 failed: SSL error: certificate verify failed",
            "server certificate for \"pg\" (and 3 other names) does not match host name \"db\"",
        ] {
            assert!(distrusts_server(line) && !lacks_certificate(line), "{line}");
        }
        assert!(!lacks_certificate("FAILED: password authentication failed for user \"ffe\""));
    }

    #[test]
    fn what_is_beyond_the_base_alone_is_undone_on_the_way_there() {
        let names = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let found = |base: &[&str], pending: &[&str]| {
            let pending = pending.iter().map(|name| Pending { revision: (*name).to_owned(), ..Pending::default() });
            beyond(&names(base), pending.collect()).into_iter().map(|one| one.revision).collect::<Vec<_>>()
        };
        assert_eq!(found(&["4"], &["4", "5"]), ["5"]);
        assert_eq!(found(&["4", "b"], &["4", "b", "5"]), ["5"]);
        assert_eq!(found(&["4"], &["4b"]), ["4b"], "another branch");
        assert!(found(&["4"], &["3", "4"]).is_empty());
    }

    #[test]
    fn a_pooler_that_refuses_options_is_known_by_its_words() {
        assert!(refuses_options("FATAL:  unsupported startup parameter: options"));
        assert!(refuses_options("ERROR: unsupported startup parameter in options: lock_timeout"));
        assert!(!refuses_options("FATAL:  password authentication failed"));
    }
}
