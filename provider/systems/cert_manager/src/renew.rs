//! Beginning anew: cert-manager itself waits an hour and more after a failure, and an issuer that was
//! refused is never tried again. Who has mended the cause must not wait for that.

use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, DeleteOptions, Kind, ObjectRef, mark};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::diagnose::{Cause, diagnose, is_stuck};
use crate::error::Error;
use crate::model::{CertificateItem, Condition, IssuerItem, RequestItem, condition};
use crate::names::{API, IssuerRef, certificate_ref, owned_by};
use crate::requests::merge_status;
use crate::status::CertificateStatus;

/// Attempts at a status that others write too.
const ATTEMPTS: u32 = 6;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// An issuance was begun
    Started,
    /// One that could not get on was thrown away, and another one begun
    Restarted,
    /// One goes on, and was left alone
    Running,
    /// There is nothing to do, or cert-manager does it by itself
    Unneeded,
}

/// Has a certificate issued again, as `cmctl renew` does: by the condition Issuing in its status.
///
/// # Errors
/// [`Kind::NotFound`] without the certificate, and those of requests.
pub async fn renew(cluster: &Cluster, namespace: &str, name: &str) -> Result<Renewal, Error> {
    let object = certificate_ref(namespace, name);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let found = cluster.get_ref(&object).await?;
        let item = CertificateItem::read(&object.kind, found.clone());
        if condition(&item.status.conditions, "Issuing").is_some_and(Condition::holds) {
            return Ok(Renewal::Running);
        }
        match merge_status(cluster, &object, "certificates", &issuing(&found, &item)).await {
            Ok(_) => return Ok(Renewal::Started),
            Err(error) if error.kind() == Kind::Conflict && attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The status with Issuing, as a compare-and-swap.
fn issuing(found: &DynamicObject, item: &CertificateItem) -> Value {
    let mut conditions =
        found.data.pointer("/status/conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    conditions.retain(|condition| condition["type"] != "Issuing");
    // a failed request is thrown away only if it failed before this, and times are whole seconds
    let failed = item.status.last_failure_time.and_then(|time| time.checked_add(SignedDuration::from_secs(1)).ok());
    let now = Timestamp::now();
    let since = failed.map_or(now, |failed| failed.max(now));
    conditions.push(json!({
        "type": "Issuing",
        "status": "True",
        "reason": "ManuallyTriggered",
        "message": "Certificate re-issuance manually triggered",
        "lastTransitionTime": since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "observedGeneration": item.meta.generation,
    }));
    json!({"metadata": {"resourceVersion": item.meta.resource_version}, "status": {"conditions": conditions}})
}

/// Begins anew what failed or cannot get on, and nothing else: for every apply, before the wait. A
/// certificate whose last attempt failed is issued at once; one whose challenge cert-manager could not
/// even set up (a refused token, a wrong zone), which it would try ever more rarely, gets a new request, and
/// so does one whose DNS-01 challenge goes by a solver that the issuer does not have any more. What the
/// authority refuses until a known time is left to cert-manager.
///
/// # Errors
/// [`Kind::NotFound`] without the certificate, and those of requests.
pub async fn retry(cluster: &Cluster, namespace: &str, name: &str) -> Result<Renewal, Error> {
    let object = certificate_ref(namespace, name);
    let item = CertificateItem::read(&object.kind, cluster.get_ref(&object).await?);
    let status = CertificateStatus::of(&item);
    if status.issuing {
        return restart(cluster, namespace, name, &item).await;
    }
    // a certificate that was never tried, or whose spec was changed, is begun by cert-manager itself
    if status.last_failure.is_none() || (status.observed && is_limited(cluster, namespace, name).await) {
        return Ok(Renewal::Unneeded);
    }
    renew(cluster, namespace, name).await
}

/// The authority takes no order before a time that it told: one more attempt would only count.
async fn is_limited(cluster: &Cluster, namespace: &str, name: &str) -> bool {
    let cause = diagnose(cluster, namespace, name).await.cause;
    matches!(cause, Cause::RateLimited { until: Some(until) } if until > Timestamp::now())
}

async fn restart(cluster: &Cluster, namespace: &str, name: &str, item: &CertificateItem) -> Result<Renewal, Error> {
    if !is_stuck(cluster, namespace, name).await {
        return Ok(Renewal::Running);
    }
    throw_away(cluster, namespace, item).await
}

/// Throws the issuance away that goes on, if one does: for an issuer that is another one now, as its order is one at the
/// former server. cert-manager begins another one by itself.
///
/// # Errors
/// Those of requests.
pub async fn abandon(cluster: &Cluster, namespace: &str, name: &str) -> Result<Renewal, Error> {
    let object = certificate_ref(namespace, name);
    let Some(found) = cluster.find_ref(&object).await? else { return Ok(Renewal::Unneeded) };
    let item = CertificateItem::read(&object.kind, found);
    if CertificateStatus::of(&item).issuing {
        throw_away(cluster, namespace, &item).await
    } else {
        Ok(Renewal::Unneeded)
    }
}

async fn throw_away(cluster: &Cluster, namespace: &str, item: &CertificateItem) -> Result<Renewal, Error> {
    let next = item.status.revision.unwrap_or(0) + 1;
    let requests = cluster.list_ref(API, "CertificateRequest", Some(namespace), &ffe_cluster::Query::default()).await?;
    let requests: Vec<RequestItem> =
        requests.into_iter().map(|found| RequestItem::read("CertificateRequest", found)).collect();
    let current = requests
        .iter()
        .filter(|request| owned_by(&request.meta, item.uid()) && crate::diagnose::revision(request) == Some(next));
    let mut restarted = Renewal::Running;
    for request in current {
        let object = ObjectRef::new(API, "CertificateRequest", Some(namespace), request.name());
        // its Order and Challenges go with it
        let options = DeleteOptions { uid: request.uid().map(str::to_owned), ..DeleteOptions::default() };
        cluster.delete(&object, &options).await?;
        restarted = Renewal::Restarted;
    }
    Ok(restarted)
}

/// Has an issuer that is not ready looked at again: cert-manager does not try again by itself after a
/// refusal of the ACME server. True when it was nudged, by an annotation.
///
/// # Errors
/// Those of requests.
pub async fn retry_issuer(cluster: &Cluster, issuer: &IssuerRef, namespace: &str) -> Result<bool, Error> {
    let object = issuer.object(namespace);
    let Some(found) = cluster.find_ref(&object).await? else { return Ok(false) };
    let item = IssuerItem::read(&object.kind, found);
    if item.ready().is_none_or(Condition::holds) {
        return Ok(false);
    }
    let annotation = format!("{}/retried-at", mark::PREFIX);
    let now = Timestamp::now().to_string();
    cluster.merge_ref(&object, &json!({"metadata": {"annotations": {annotation: now}}})).await?;
    Ok(true)
}

#[cfg(test)]
mod tests;
