//! Taking a backup.

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::{Cluster, Ownership, ownership};
use ffe_workloads::JobOptions;

use crate::error::Error;
use crate::job::{self, Task};
use crate::names::check_request;
use crate::outcome::{self, Taken, Told};
use crate::place::{Request, Storage};
use crate::script::Work;
use crate::{claim, restore};

/// Takes a backup with a Job of the name given: one that exists already is attached to, whether it still runs or has
/// ended. The Job stays until the caller deletes it, so that whoever comes next can attach to it.
///
/// Beside it a ConfigMap is left that says how to restore ([`crate::restore_command`]).
///
/// # Errors
/// [`Error::Failed`] when the Job failed or its pod cannot run: the Job still exists then, and attaching to it again
/// gives the same error. [`Error::Cluster`] also for a cancel or the timeout of the options, which leave it running.
pub async fn take(cluster: &Cluster, request: &Request, options: &JobOptions) -> Result<Taken, Error> {
    check_request(request)?;
    let place = &request.place;
    let doing = format!("taking backup {}", request.backup_name);
    let wrap = |source| Error::Cluster { doing: doing.clone(), source };
    let found = cluster.find::<Job>(Some(&place.namespace), &request.job_name).await.map_err(wrap)?;
    let mut stays_small = None;
    match ownership(found.as_ref().map(|found| &found.metadata), &place.mark.owner) {
        Ownership::Foreign { .. } | Ownership::OtherResource(_) => return Err(taken_name(request, "somebody else's")),
        Ownership::Absent => {
            if let Storage::Volume(volume) = &place.storage {
                stays_small = claim::ensure(cluster, place, volume).await?;
            }
            restore::leave(cluster, place, &request.database_secret).await?;
        }
        Ownership::OursUnfinished(_) | Ownership::OursComplete(_) => {}
    }
    let task = Task {
        backup: Some(&request.backup_name),
        database_secret: Some(&request.database_secret),
        retention: request.retention,
    };
    let job = job::build(place, &request.job_name, Work::Take, &task)?;
    let outcome = ffe_workloads::run_job(cluster, &job, options).await.map_err(wrap)?;
    match outcome::read(&outcome, &doing, &place.namespace, &request.job_name)? {
        Told::Taken { backup, pruned, warning } if backup.name == request.backup_name => {
            let said = Some(warning).filter(|warning| !warning.is_empty());
            let warning = match (stays_small, said) {
                (Some(first), Some(second)) => Some(format!("{first}. {second}")),
                (first, second) => first.or(second),
            };
            Ok(Taken { backup, attached: outcome.attached, pruned, warning })
        }
        _ => Err(taken_name(request, "one that did something else")),
    }
}

fn taken_name(request: &Request, whose: &str) -> Error {
    let message =
        format!("the Job {}/{} is {whose}: delete it, or give another name", request.place.namespace, request.job_name);
    Error::Invalid { field: "job_name", message }
}

#[cfg(test)]
mod tests;
