//! A dump of the database before its schema moves.

use ffe_backup::{Place, Rclone, Request, S3, Storage, Volume};
use ffe_cluster::k8s_openapi::api::core::v1::{Namespace, Secret};
use ffe_cluster::{Kind, Mark, MarkState};
use ffe_workloads::JobOptions;
use std::time::Duration;
use tfplugin::{Attr, Diagnostic, Path};

use crate::apply::jobs;
use crate::apply::migration::placement;
use crate::apply::phases::preflight::Checked;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::journal::Outcome;
use crate::journal::Phase;
use crate::settings::model::{BackupTo, Migration};

/// On a database's connection Secret: the image of its server (set by `ffe_environment`).
const IMAGE: &str = "ffe.three-rivers.tech/database-image";
/// On a namespace: the preset of its environment.
const PRESET: &str = "ffe.three-rivers.tech/preset";
const TIMEOUT: Duration = Duration::from_secs(3600);
const DEFAULT_SIZE: &str = "5Gi";
const RCLONE_IMAGE: &str = "rclone/rclone:1.69";
const DEFAULT_RETENTION_DAYS: i64 = 30;
/// A run that is resumed takes another dump when the one that it has is older.
const FRESH: jiff::SignedDuration = jiff::SignedDuration::from_mins(10);
/// Characters of the cluster's UID that tell it from others.
const CLUSTER: usize = 8;

/// Takes the backup, if one is wanted and something is going to be migrated.
///
/// # Errors
/// When there is no complete, verified dump: then nothing has been changed.
pub(crate) async fn take(run: &mut Run, checked: &Checked) -> Result<Outcome, Stop> {
    let Some(migration) = &checked.migration else { return Ok(Outcome::Skipped) };
    let settings = migration.migrator.settings.clone();
    // Where the schema is back already, a dump would not show what was before it.
    let nothing_moves = match &checked.goes_back {
        Some(back) => back.way.is_none(),
        None => migration.nothing_pending().is_some(),
    };
    if has_what_it_needs(run) || nothing_moves {
        return Ok(Outcome::Skipped);
    }
    if !is_wanted(run, &settings).await? {
        run.warnings.extend(lost_without(run));
        return Ok(Outcome::Skipped);
    }
    let Some(secret) = settings.database_secret.as_str().map(str::to_owned) else {
        run.warnings.push(
            Diagnostic::warning(
                "No backup was taken before the migration",
                "migration.database_secret is not set, so it is not known which database to dump. Set it, or say \
                 backup = \"never\".",
            )
            .at(Path::attribute("migration").child("backup")),
        );
        return Ok(Outcome::Skipped);
    };
    let cluster = cluster(run).await?;
    let retention = retention(run, &settings, cluster.is_some());
    let tolerations = placement::tolerations(&migration.migrator.pod_spec()).unwrap_or_default();
    let place = Place { tolerations, ..place(run, &settings, &secret, cluster).await? };
    let again = if run.record().backup.is_some() { "-again" } else { "" };
    let job = format!("ffe-backup-{}{again}", run.record().id);
    jobs::write_down(run, &job).await?;
    let request =
        Request { place, job_name: job.clone(), backup_name: backup_name(run), database_secret: secret, retention };
    let options = JobOptions { wait: run.wait(TIMEOUT), log_lines: 50, stream: true };
    let taken = match ffe_backup::take(&run.cluster, &request, &options).await {
        Ok(taken) => taken,
        Err(error) if error.is_cancelled() => return Err(Stop::Cancelled),
        Err(error) => {
            jobs::finish(run, &job).await?;
            let advice = error.advice().map(|advice| format!("\n\nWhat to do: {advice}")).unwrap_or_default();
            let detail = format!("Nothing was changed.\n\n{error}{advice}");
            return Err(Stop::failed(
                Diagnostic::error("The backup before the migration failed", detail)
                    .at(Path::attribute("migration").child("backup")),
            ));
        }
    };
    if let Some(warning) = taken.warning {
        run.warnings.push(Diagnostic::warning("The backup was taken, with a reservation", warning));
    }
    tracing::info!(location = %taken.backup.location, bytes = taken.backup.size_bytes, "backup taken");
    let restore = ffe_backup::restore_command(&request.place, &taken.backup);
    run.note(|record| {
        record.restore = Some(restore);
        record.backup = Some(taken.backup);
    });
    jobs::finish(run, &job).await?;
    Ok(Outcome::Succeeded)
}

/// The warning about what goes back without a dump.
fn lost_without(run: &Run) -> Option<Diagnostic> {
    let losses = run.record().back.as_ref()?.losses()?;
    Some(
        Diagnostic::warning(
            "No backup was taken of what going back drops",
            format!("Once the schema has gone back, nothing brings back {losses}. With migration.backup = \"always\" a dump is taken first."),
        )
        .at(Path::attribute("migration").child("backup")),
    )
}

/// A dump that is fresh, or a migration that has begun: a dump of later would not show what was before it.
fn has_what_it_needs(run: &Run) -> bool {
    let record = run.record();
    if record.schema_after.is_some() || record.phases.iter().any(|page| page.name == Phase::Migrate.name()) {
        return true;
    }
    record.backup.as_ref().is_some_and(|backup| is_fresh(&backup.taken_at, jiff::Timestamp::now()))
}

/// A moment that cannot be read is none to rely on.
fn is_fresh(taken_at: &str, now: jiff::Timestamp) -> bool {
    taken_at.parse::<jiff::Timestamp>().is_ok_and(|taken| now.duration_since(taken) < FRESH)
}

/// After the moment that the run began; a second dump of the same run after the first one's.
fn backup_name(run: &Run) -> String {
    let record = run.record();
    let plain = |moment: &str| moment.replace([':', '-'], "").to_lowercase();
    match &record.backup {
        Some(old) => format!("{}-{}-after-{}", plain(&record.started), record.id, plain(&old.taken_at)),
        None => format!("{}-{}", plain(&record.started), record.id),
    }
}

/// What tells this cluster from others; nothing where reading that is not allowed.
async fn cluster(run: &Run) -> Result<Option<String>, Stop> {
    match run.cluster.identity().await {
        Ok(uid) => Ok(Some(uid.chars().take(CLUSTER).collect())),
        Err(error) if error.kind() == Kind::Forbidden => Ok(None),
        Err(error) => Err(Stop::cluster(&error, "Which cluster this is cannot be found out")),
    }
}

/// How long dumps are kept. In a bucket that another cluster may use too, nothing is removed while it is not known which
/// cluster this is.
fn retention(run: &mut Run, settings: &Migration, known_cluster: bool) -> Option<Duration> {
    let to = settings.backup_to.known();
    if !known_cluster && to.is_some_and(|to| to.s3.is_known() || to.rclone.is_known()) {
        run.warnings.push(
            Diagnostic::warning(
                "Old backups are not removed",
                "Which cluster this is is told by the UID of the namespace kube-system, which the provider may not read: so \
                 it cannot tell its backups there from those of other clusters. Allow it to get that namespace.",
            )
            .at(Path::attribute("migration").child("backup_to")),
        );
        return None;
    }
    let days = to.and_then(|to| to.retention_days.known().copied()).unwrap_or(DEFAULT_RETENTION_DAYS);
    u64::try_from(days).ok().map(|days| Duration::from_secs(days * 86_400))
}

/// `production`, the default, means everywhere but in a namespace that is labelled dev or staging.
async fn is_wanted(run: &Run, settings: &Migration) -> Result<bool, Stop> {
    match settings.backup.as_str() {
        Some("always") => Ok(true),
        Some("never") => Ok(false),
        _ => {
            let namespace = match run.cluster.find::<Namespace>(None, &run.inputs.namespace).await {
                Ok(namespace) => namespace,
                // Who may not see the labels has the dump.
                Err(error) if error.kind() == Kind::Forbidden => return Ok(true),
                Err(error) => return Err(Stop::cluster(&error, "The namespace cannot be looked at")),
            };
            let labels = namespace.and_then(|namespace| namespace.metadata.labels).unwrap_or_default();
            Ok(!matches!(labels.get(PRESET).map(String::as_str), Some("dev" | "staging")))
        }
    }
}

/// Where the backups of this release go.
async fn place(run: &Run, settings: &Migration, secret: &str, cluster: Option<String>) -> Result<Place, Stop> {
    let to = settings.backup_to.known();
    let image = match to.and_then(|to| to.image.as_str()) {
        Some(image) => image.to_owned(),
        None => database_image(run, secret).await?,
    };
    Ok(Place {
        cluster: cluster.unwrap_or_else(|| "unknown".to_owned()),
        namespace: run.inputs.namespace.clone(),
        series: run.inputs.name.clone(),
        image,
        storage: storage(to, &run.inputs.name),
        rclone_image: to.and_then(|to| to.rclone_image.as_str()).unwrap_or(RCLONE_IMAGE).to_owned(),
        tolerations: Vec::new(),
        mark: Mark { state: MarkState::Complete, ..run.journal.mark.clone() },
        timeout: TIMEOUT,
    })
}

/// The image of the database's own server, which `ffe_environment` notes on the Secret.
async fn database_image(run: &Run, secret: &str) -> Result<String, Stop> {
    let found = run.cluster.find::<Secret>(Some(&run.inputs.namespace), secret).await;
    let found = found.map_err(|error| Stop::cluster(&error, "The database's Secret cannot be looked at"))?;
    found.and_then(|found| found.metadata.annotations?.get(IMAGE).cloned()).ok_or_else(|| {
        Stop::failed(
            Diagnostic::error(
                "The image to take the backup with is not known",
                format!(
                    "A dump is made by PostgreSQL's own programs, which must not be older than the server. The Secret \
                     {secret} does not say which image its server runs (only bundled databases of ffe_environment do). Set \
                     migration.backup_to.image, for example to \"postgres:16-alpine\"."
                ),
            )
            .at(Path::attribute("migration").child("backup_to").child("image")),
        )
    })
}

/// The claim of a release's backups.
pub(crate) fn claim(release: &str) -> String {
    format!("{release}-backups")
}

fn storage(to: Option<&BackupTo>, release: &str) -> Storage {
    let text = |attribute: &Attr<String>| attribute.as_str().unwrap_or_default().to_owned();
    if let Some(rclone) = to.and_then(|to| to.rclone.known()) {
        let options = rclone.options.known().cloned().unwrap_or_default();
        return Storage::Rclone(Rclone {
            kind: text(&rclone.backend),
            path: text(&rclone.path),
            options: options.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            secret: rclone.secret.as_str().map(str::to_owned),
        });
    }
    match to.and_then(|to| to.s3.known()) {
        Some(s3) => Storage::S3(S3 {
            bucket: text(&s3.bucket),
            prefix: text(&s3.prefix),
            region: s3.region.as_str().unwrap_or("us-east-1").to_owned(),
            endpoint: s3.endpoint.as_str().map(str::to_owned),
            path_style: s3.path_style.known() == Some(&true),
            credentials_secret: text(&s3.credentials_secret),
            ca_bundle: s3.ca_bundle.as_str().map(str::to_owned),
        }),
        None => {
            let volume = to.and_then(|to| to.storage.known());
            Storage::Volume(Volume {
                claim: claim(release),
                size: volume.and_then(|volume| volume.size.as_str()).unwrap_or(DEFAULT_SIZE).to_owned(),
                class: volume.and_then(|volume| volume.class.as_str()).map(str::to_owned),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_dump_of_another_day_is_not_fresh() {
        let now = "2026-05-08T10:00:00Z".parse().unwrap();
        for (taken_at, fresh) in [
            ("2026-05-08T09:55:00Z", true),
            ("2026-05-08T09:45:00Z", false),
            ("2026-05-04T10:00:00Z", false),
            ("", false),
        ] {
            assert_eq!(is_fresh(taken_at, now), fresh, "{taken_at}");
        }
    }
}
