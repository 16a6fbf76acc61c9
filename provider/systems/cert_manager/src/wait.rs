//! Waiting for issuers and certificates: the engine of `ffe_cluster` waits for the object, and beside it
//! the chain is looked at again and again, so that what is over ends the wait at once.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, ObjectRef, Query};
use ffe_workloads::{Progress, WaitOptions};
use tokio::time::{Instant, sleep};

use crate::diagnose::{Diagnosis, Patience, diagnose, diagnose_issuer};
use crate::error::Error;
use crate::model::{CertificateItem, Condition, IssuerItem};
use crate::names::{IssuerRef, certificate_ref};
use crate::status::{Certificate, CertificateStatus};

/// Between two looks at the chain.
const LOOK: Duration = Duration::from_secs(3);
/// What failed a moment ago is looked at once more, when cert-manager has written it down everywhere.
const SETTLE: Duration = Duration::from_secs(2);

/// Waits until the issuer is ready. Whether an external one is, only its own controller knows: that is not waited for.
///
/// # Errors
/// [`Error::Failed`] when it says why it will not be, [`Error::Timeout`], both with a diagnosis,
/// [`Error::NotInstalled`], and [`Error::Cluster`] for a request to stop and for failed requests.
pub async fn wait_issuer(
    cluster: &Cluster,
    issuer: &IssuerRef,
    namespace: &str,
    options: &WaitOptions,
) -> Result<(), Error> {
    if issuer.kind.is_external() {
        return Ok(());
    }
    let object = issuer.object(namespace);
    let ready =
        |found: &DynamicObject| IssuerItem::read(&object.kind, found.clone()).ready().is_some_and(Condition::holds);
    // what an issuer says may be of the time before it was nudged: even a refusal is borne with a little
    let look = || async { Diagnosis { is_final: false, ..diagnose_issuer(cluster, issuer, namespace).await } };
    wait(cluster, &object, &format!("{object} to be ready"), options, ready, look).await.map(drop)
}

/// Waits until the certificate is issued, fits its present spec, and no issuance goes on; with
/// `newer_than` until its revision is greater.
///
/// # Errors
/// [`Error::Failed`] when its chain is over, or says for longer than it can heal by itself what is wrong;
/// [`Error::Timeout`]; both with a diagnosis. [`Error::NotInstalled`], and [`Error::Cluster`] for a
/// request to stop and for failed requests.
pub async fn wait_certificate(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    newer_than: Option<i64>,
    options: &WaitOptions,
) -> Result<Certificate, Error> {
    let object = certificate_ref(namespace, name);
    let ready = |found: &DynamicObject| {
        let status = CertificateStatus::of(&CertificateItem::read(&object.kind, found.clone()));
        let newer = newer_than.is_none_or(|known| status.revision.is_some_and(|revision| revision > known));
        status.ready && status.observed && !status.issuing && newer
    };
    let look = || async {
        let seen = diagnose(cluster, namespace, name).await;
        if !seen.is_final || seen.retries_at.is_some() {
            return seen;
        }
        sleep(SETTLE).await;
        diagnose(cluster, namespace, name).await
    };
    let what = format!("{object} to be issued");
    let deadline = Instant::now() + options.timeout;
    loop {
        let options = WaitOptions { timeout: deadline.saturating_duration_since(Instant::now()), ..options.clone() };
        let found = wait(cluster, &object, &what, &options, ready, look).await?;
        let found: Certificate = CertificateItem::read(&object.kind, found).into();
        // a Secret that was deleted a moment ago: the status does not say so yet
        if options.timeout.is_zero() || has_secret(cluster, namespace, &found.secret_name).await {
            return Ok(found);
        }
        tokio::select! {
            () = options.cancel.cancelled() => return Err(ffe_cluster::Error::Cancelled { what }.into()),
            () = sleep(LOOK) => {}
        }
    }
}

/// False when the Secret is known not to exist; only its metadata are asked for.
async fn has_secret(cluster: &Cluster, namespace: &str, name: &str) -> bool {
    let found = cluster.list_metadata::<Secret>(Some(namespace), &Query::named(name)).await;
    found.map_or(true, |found| !found.is_empty())
}

async fn wait<R, L, F>(
    cluster: &Cluster,
    object: &ObjectRef,
    what: &str,
    options: &WaitOptions,
    ready: R,
    look: L,
) -> Result<DynamicObject, Error>
where
    R: Fn(&DynamicObject) -> bool + Send + Sync,
    L: Fn() -> F,
    F: Future<Output = Diagnosis>,
{
    let said = Mutex::new("its chain is being looked at".to_owned());
    let status = |found: Option<&DynamicObject>| match found {
        Some(found) if ready(found) => Progress::Ready,
        _ => Progress::Waiting(said.lock().unwrap_or_else(PoisonError::into_inner).clone()),
    };
    tokio::select! {
        biased;
        reached = ffe_workloads::wait_for_ref(cluster, object, what, options, status) => match reached {
            Ok(Some(found)) => Ok(found),
            // the wait does not end well without an object
            Ok(None) => Err(Error::Failed(Box::new(look().await))),
            Err(ffe_cluster::Error::Timeout { what, after, last, .. }) => {
                Err(Error::Timeout { what, after, last, diagnosis: Box::new(look().await) })
            }
            Err(error) => Err(error.into()),
        },
        hopeless = watch(options, &said, &look) => Err(Error::Failed(Box::new(hopeless))),
    }
}

/// Looks until there is nothing more to wait for, and leaves what it sees for the progress.
async fn watch<L, F>(options: &WaitOptions, said: &Mutex<String>, look: &L) -> Diagnosis
where
    L: Fn() -> F,
    F: Future<Output = Diagnosis>,
{
    let mut since: Option<(Patience, Instant)> = None;
    loop {
        let seen = look().await;
        said.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&seen.sentence);
        if seen.is_final {
            return seen;
        }
        let patience = seen.cause.patience();
        let begun = match since {
            Some((known, begun)) if known == patience => begun,
            _ => Instant::now(),
        };
        since = Some((patience, begun));
        let worn = patience.lasts().is_some_and(|lasts| begun.elapsed() >= lasts);
        if options.fail_fast.enabled && worn {
            return seen;
        }
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests;
