//! The Jobs of a run. Each is written down in the journal before it is made, and taken off the list when it is removed, so that the
//! next run finds those of a run that died.

use std::time::Duration;

use ffe_cluster::Query;
use ffe_cluster::k8s_openapi::api::core::v1::Pod;
use tfplugin::Diagnostic;
use tokio::time::Instant;

use crate::apply::run::Run;
use crate::apply::stop::Stop;

/// How long the pods of a Job may take to end. A Job counts as failed only when they have ended, so this is waited beyond its own
/// deadline too.
pub(crate) const PODS_END: Duration = Duration::from_secs(90);

/// Writes a Job down before it is made.
///
/// # Errors
/// As [`Run::save`].
pub(crate) async fn write_down(run: &mut Run, job: &str) -> Result<(), Stop> {
    if run.record().jobs.iter().any(|known| known == job) {
        return Ok(());
    }
    run.note(|record| record.jobs.push(job.to_owned()));
    run.save().await
}

/// Writes down what a Job has come to, then removes it and takes it off the list: a death in between leaves it on the
/// list, for the next run to remove.
///
/// # Errors
/// As [`Run::save`], or when the Job cannot be removed.
pub(crate) async fn finish(run: &mut Run, job: &str) -> Result<(), Stop> {
    run.save().await?;
    remove(run, job).await?;
    strike_off(run, job);
    run.save().await
}

/// Takes a Job off the list; [`Run::save`] writes that.
pub(crate) fn strike_off(run: &mut Run, job: &str) {
    run.note(|record| record.jobs.retain(|known| known != job));
}

/// Removes a Job.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn remove(run: &Run, job: &str) -> Result<(), Stop> {
    ffe_workloads::delete_job(&run.cluster, &run.inputs.namespace, job)
        .await
        .map(|_| ())
        .map_err(|error| Stop::cluster(&error, &format!("The Job {job} cannot be removed")))
}

/// Removes a Job, and waits until its pods have ended.
///
/// # Errors
/// When the cluster refuses, or they do not end.
pub(crate) async fn remove_with_pods(run: &Run, job: &str) -> Result<(), Stop> {
    let failed = |error| Stop::cluster(&error, &format!("The Job {job} cannot be ended"));
    remove(run, job).await?;
    let query = Query::labels(format!("batch.kubernetes.io/job-name={job}"));
    let begun = Instant::now();
    loop {
        let pods = run.cluster.list::<Pod>(Some(&run.inputs.namespace), &query).await.map_err(failed)?;
        if pods.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > PODS_END || run.cancel.is_cancelled() {
            return Err(Stop::failed(Diagnostic::error(
                format!("The pod of the Job {job} does not end"),
                format!("It was told to, {} ago.", ffe_cluster::format_duration(begun.elapsed())),
            )));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
