//! Looking through what is kept.

use std::time::Duration;

use ffe_cluster::Cluster;
use ffe_workloads::{JobOptions, JobOutcome};

use crate::claim;
use crate::error::Error;
use crate::job::{self, Task};
use crate::names::{check_job_name, check_place};
use crate::outcome::{self, Backup, Told};
use crate::place::{Place, Storage};
use crate::script::Work;

/// What goes before the description of a backup in the log.
const ENTRY: &str = "backup ";
/// Lines that are read: one for each backup.
const LINES: usize = 10_000;

/// The backups of a series, newest first. Runs a Job of the name given and deletes it afterwards. A volume that was
/// never made has none.
///
/// # Errors
/// As [`crate::take`].
pub async fn list(
    cluster: &Cluster,
    place: &Place,
    job_name: &str,
    options: &JobOptions,
) -> Result<Vec<Backup>, Error> {
    let doing = format!("listing the backups of {}", place.series);
    let options = JobOptions { log_lines: LINES, stream: false, ..options.clone() };
    let Some(outcome) = run(cluster, place, job_name, Work::List, &Task::default(), &doing, &options).await? else {
        return Ok(Vec::new());
    };
    outcome::read(&outcome, &doing, &place.namespace, job_name)?;
    Ok(entries(&outcome.log))
}

/// Removes the backups of a series that are older than the retention, and tells how many. The newest one stays
/// whatever its age. Runs a Job of the name given and deletes it afterwards.
///
/// # Errors
/// As [`crate::take`].
pub async fn prune(
    cluster: &Cluster,
    place: &Place,
    job_name: &str,
    retention: Duration,
    options: &JobOptions,
) -> Result<u64, Error> {
    let doing = format!("removing old backups of {}", place.series);
    let task = Task { retention: Some(retention), ..Task::default() };
    let Some(outcome) = run(cluster, place, job_name, Work::Prune, &task, &doing, options).await? else {
        return Ok(0);
    };
    match outcome::read(&outcome, &doing, &place.namespace, job_name)? {
        Told::Pruned { pruned } => Ok(pruned),
        _ => Ok(0),
    }
}

/// Runs a Job that is not worth keeping; none where there is nothing to look through.
async fn run(
    cluster: &Cluster,
    place: &Place,
    job_name: &str,
    work: Work,
    task: &Task<'_>,
    doing: &str,
    options: &JobOptions,
) -> Result<Option<JobOutcome>, Error> {
    check_place(place)?;
    check_job_name(job_name)?;
    if let Storage::Volume(volume) = &place.storage
        && !claim::exists(cluster, place, volume).await?
    {
        return Ok(None);
    }
    let wrap = |source| Error::Cluster { doing: doing.to_owned(), source };
    let outcome =
        ffe_workloads::run_job(cluster, &job::build(place, job_name, work, task)?, options).await.map_err(wrap)?;
    if let Err(error) = ffe_workloads::delete_job(cluster, &place.namespace, job_name).await {
        tracing::warn!(%error, job = job_name, "a Job that has done its work cannot be deleted");
    }
    Ok(Some(outcome))
}

/// Names of one series sort by the moment that they were taken at, which the descriptions tell.
fn entries(log: &[String]) -> Vec<Backup> {
    let mut all: Vec<Backup> =
        log.iter().filter_map(|line| serde_json::from_str(line.strip_prefix(ENTRY)?).ok()).collect();
    all.sort_by(|a, b| b.taken_at.cmp(&a.taken_at).then_with(|| b.name.cmp(&a.name)));
    all
}

#[cfg(test)]
mod tests {
    use super::entries;

    #[test]
    fn the_newest_comes_first_and_other_lines_do_not_count() {
        let line = |name: &str, day: u32| {
            format!(
                r#"backup {{"name":"{name}","location":"l","size_bytes":1,"sha256":"x","server_version":"15.1","taken_at":"2025-01-{day:02}T00:00:00Z","seconds":1}}"#
            )
        };
        let log = [line("a", 9), "backup of something".to_owned(), line("b", 10), "{}".to_owned()];
        assert_eq!(entries(&log).iter().map(|backup| backup.name.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    }
}
