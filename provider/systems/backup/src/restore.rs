//! How people restore a backup: never done by the provider itself.
//!
//! Taking a backup leaves a ConfigMap with the Job that restores one of its series; the command fills in which one and
//! creates it.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::k8s_openapi::api::core::v1::ConfigMap;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{ApplyOptions, Cluster, Mark, MarkState};

use crate::error::Error;
use crate::job::{self, Task};
use crate::outcome::Backup;
use crate::place::Place;
use crate::script::Work;

/// Key of the Job in the ConfigMap.
const KEY: &str = "job";
/// Stand for what differs between the backups of a series.
const BACKUP: &str = "@BACKUP@";
const JOB: &str = "@JOB@";
/// A Job that restored something is of no use a day later.
const KEPT_SECONDS: i32 = 86_400;

/// The ConfigMap that says how to restore a backup of the series.
fn config_map_name(series: &str) -> String {
    format!("ffe-restore-{}", series.to_ascii_lowercase().replace('_', "-").trim_end_matches(['.', '-']))
}

/// A command for people that restores a backup with the ConfigMap that taking it has left: the database then holds
/// what the backup holds and nothing else, or, when it fails, what it held before. The application should not run
/// meanwhile.
///
/// Each line begins with spaces: Terraform leaves those as they are, and wraps all others at 78 columns.
#[must_use]
pub fn restore_command(place: &Place, backup: &Backup) -> String {
    let namespace = &place.namespace;
    let map = config_map_name(&place.series);
    let name = &backup.name;
    format!(
        "  job=restore-$(date +%s)\n  \
         kubectl -n {namespace} get configmap {map} -o 'jsonpath={{.data.{KEY}}}' |\n    \
         sed \"s/{JOB}/$job/; s/{BACKUP}/{name}/g\" |\n    \
         kubectl -n {namespace} create -f - &&\n  \
         kubectl -n {namespace} logs -f --pod-running-timeout=10m job/$job &&\n  \
         kubectl -n {namespace} wait --for=condition=complete --timeout=20s job/$job"
    )
}

/// The Job that restores a backup, in YAML: for `kubectl create`, where the ConfigMap is gone.
///
/// # Errors
/// [`Error::Invalid`] for a place that cannot be.
pub fn restore_manifest(place: &Place, backup: &Backup, database_secret: &str) -> Result<String, Error> {
    manifest(place, &job_name(&backup.name), &backup.name, database_secret)
}

/// Writes the ConfigMap.
pub(crate) async fn leave(cluster: &Cluster, place: &Place, database_secret: &str) -> Result<(), Error> {
    let mut metadata = ObjectMeta {
        name: Some(config_map_name(&place.series)),
        namespace: Some(place.namespace.clone()),
        labels: Some(BTreeMap::from([("app.kubernetes.io/name".to_owned(), "ffe-restore".to_owned())])),
        ..ObjectMeta::default()
    };
    Mark { state: MarkState::Complete, ..place.mark.clone() }.write(&mut metadata);
    let job = manifest(place, JOB, BACKUP, database_secret)?;
    let map = ConfigMap { metadata, data: Some(BTreeMap::from([(KEY.to_owned(), job)])), ..ConfigMap::default() };
    let doing = || format!("writing how to restore the backups of {}", place.series);
    cluster
        .apply(&map, ApplyOptions::forced())
        .await
        .map(|_| ())
        .map_err(|source| Error::Cluster { doing: doing(), source })
}

fn manifest(place: &Place, job: &str, backup: &str, database_secret: &str) -> Result<String, Error> {
    let task = Task { backup: Some(backup), database_secret: Some(database_secret), retention: None };
    let mut built = job::build(place, job, Work::Restore, &task)?;
    // Made by people, and nobody else's.
    Mark::erase(&mut built.metadata);
    if let Some(spec) = &mut built.spec {
        spec.ttl_seconds_after_finished = Some(KEPT_SECONDS);
    }
    yaml(&built)
}

fn yaml(job: &Job) -> Result<String, Error> {
    serde_norway::to_string(job)
        .map_err(|error| Error::Invalid { field: "pod", message: format!("it cannot be written as YAML: {error}") })
}

/// `restore-<backup>`, cut to what a Job may be named; the end of a backup's name is what differs.
fn job_name(backup: &str) -> String {
    let plain: String =
        backup.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let room = 63 - "restore-".len();
    format!("restore-{}", plain[plain.len().saturating_sub(room)..].trim_matches('-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::job::tests::place;

    fn backup() -> Backup {
        Backup {
            name: "Shop_1.2".to_owned(),
            location: "pvc/dumps/c0ffee/ffe/shop/Shop_1.2.dump".to_owned(),
            size_bytes: 1,
            sha256: "ab12".to_owned(),
            server_version: "15.1".to_owned(),
            taken_at: "2025-01-02T03:04:05Z".to_owned(),
            seconds: 1.0,
            tables: 1,
            rows: 2,
            revision: String::new(),
        }
    }

    #[test]
    fn what_the_command_fills_in_gives_the_manifest() {
        let template = manifest(&place(), JOB, BACKUP, "shop-database").unwrap();
        let filled = template.replace(JOB, "restore-shop-1-2").replace(BACKUP, "Shop_1.2");
        let manifest = restore_manifest(&place(), &backup(), "shop-database").unwrap();
        let job: Job = serde_norway::from_str(&manifest).unwrap();
        assert_eq!(serde_norway::from_str::<Job>(&filled).unwrap(), job);
        assert_eq!(job.metadata.name.as_deref(), Some("restore-shop-1-2"));
        assert_eq!(job.metadata.annotations.unwrap_or_default().len(), 0);
        let command = restore_command(&place(), &backup());
        for part in ["-n ffe ", "configmap ffe-restore-shop ", "s/@BACKUP@/Shop_1.2/g", "s/@JOB@/$job/"] {
            assert!(command.contains(part), "{command}");
        }
        // Terraform wraps lines that do not begin with a space.
        assert!(command.lines().all(|line| line.starts_with("  ") && !line.ends_with('\\')), "{command}");
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let name = job_name(&format!("{}-20250102", "x".repeat(100)));
        assert!(name.len() == 63 && name.ends_with("-20250102"), "{name}");
    }
}
