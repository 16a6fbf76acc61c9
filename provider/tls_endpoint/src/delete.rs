//! The end of an endpoint: what was made is deleted, what was taken over is given back, and the certificate's Secret
//! stays unless told otherwise.

use ffe_cluster::{Cancel, Cluster, Holder, LeaseOptions, ObjectRef, Owner};
use ffe_session::{Session, diagnostic, new_run_id};
use tfplugin::{Diagnostic, Diagnostics};

use crate::desired::find;
use crate::errors::{cloudflare, routing};
use crate::model::TlsEndpoint;
use crate::names::TYPE_NAME;
use crate::objects;
use crate::remove::{self, Asked, Keep, remove_ours, remove_stray};
use crate::run::{Stop, failed};
use crate::spec::Spec;
use crate::steps::{dns, lock, route};

/// Takes the endpoint down. What is gone already is no error.
///
/// # Errors
/// When something of ours could not be removed: it stays in the state.
pub(crate) async fn delete(
    session: &Session,
    cluster: &Cluster,
    state: &TlsEndpoint,
    spec: &Spec,
    cancel: &Cancel,
) -> Result<Diagnostics, Diagnostics> {
    let names = &spec.names;
    if matches!(cluster.namespace(&names.namespace).await, Ok(None)) {
        // Everything in it is gone; what lies elsewhere is not.
        return outside(session, cluster, state, spec, cancel).await.map_err(told);
    }
    let options =
        LeaseOptions::from_environment().map_err(|error| diagnostic(&error, "The lease's duration is unusable"))?;
    let holder = Holder::this_process(new_run_id(), format!("terraform destroy of {TYPE_NAME} {}", names.import_id()));
    let lease = cluster.acquire_lease(&names.namespace, &names.lease(), holder, &options, cancel).await;
    let lease = lease.map_err(|error| told(lock::refused(&error)))?;
    let ended = end(session, cluster, state, spec, cancel).await.map_err(told);
    // Given back also when it failed; removed when nothing is left to lock.
    let given = if ended.is_ok() { lease.delete().await } else { lease.release().await };
    if let Err(error) = given {
        tracing::warn!(%error, "the lease was not given back");
    }
    ended
}

fn told(stop: Stop) -> Diagnostics {
    match stop {
        Stop::Failed(diagnostics) => diagnostics,
        Stop::Cancelled => Diagnostics::error(
            "The destroy was interrupted",
            "Terraform was told to stop. What is left is in the state; the next destroy goes on from there.",
        ),
    }
}

async fn end(
    session: &Session,
    cluster: &Cluster,
    state: &TlsEndpoint,
    spec: &Spec,
    cancel: &Cancel,
) -> Result<Diagnostics, Stop> {
    let (names, owner) = (&spec.names, spec.names.owner());
    let known = remove::known_objects(spec);
    let alert = remove::alert_object(names);
    // One that nobody asked for may never have been made.
    let asked_for = if spec.alert.as_ref().is_some_and(|alert| alert.demanded) { known.as_slice() } else { &[] };
    take_away(cluster, &alert, &owner, asked_for).await.map_err(failed("The alert could not be removed"))?;
    let mut warnings = outside(session, cluster, state, spec, cancel).await?;
    for object in ffe_routing::names(&names.namespace, &names.name) {
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let summary = format!("{object} could not be removed");
        take_away(cluster, &object, &owner, &known).await.map_err(failed(&summary))?;
    }
    let keep = Keep { secrets: spec.keep_secret, ..Keep::default() };
    warnings.extend(remove::certificates_and_issuers(cluster, names, &keep, Some(Asked::of(spec)), cancel).await?);
    let summary = "The digests of the credentials could not be removed";
    cluster.delete_digests(&names.namespace, &owner).await.map_err(failed(summary))?;
    // Last: until it is gone, a delete that was interrupted is still ours to finish.
    let record = remove::record_object(names);
    remove_ours(cluster, &record, &owner).await.map_err(failed("The record could not be removed"))?;
    if spec.keep_secret {
        tracing::info!(secret = %spec.certificate.secret_name, namespace = %names.namespace, "the Secret with the certificate is kept");
    }
    Ok(warnings)
}

/// What the state stands for has to be looked at; what it may have had besides, where that is allowed.
async fn take_away(
    cluster: &Cluster,
    object: &ObjectRef,
    owner: &Owner,
    known: &[ObjectRef],
) -> Result<(), ffe_cluster::Error> {
    if known.contains(object) {
        remove_ours(cluster, object, owner).await
    } else {
        remove_stray(cluster, object, owner).await
    }
}

/// What lies outside of the endpoint's namespace: DNS records, the listener at a Gateway, an issuer for all namespaces.
async fn outside(
    session: &Session,
    cluster: &Cluster,
    state: &TlsEndpoint,
    spec: &Spec,
    cancel: &Cancel,
) -> Result<Diagnostics, Stop> {
    let names = &spec.names;
    let mut warnings = release_records(session, cluster, state, spec, cancel).await?;
    if let Some(gateway) = route::gateway(spec).filter(|gateway| gateway.manage_listener) {
        let detached = ffe_routing::detach(cluster, &gateway, &names.namespace, &names.name).await;
        detached.map_err(|error| routing(&error, "The Gateway could not be left"))?;
    }
    if matches!(cluster.namespace(&names.namespace).await, Ok(None)) {
        let keep = Keep { secrets: spec.keep_secret, ..Keep::default() };
        warnings.extend(remove::certificates_and_issuers(cluster, names, &keep, None, cancel).await?);
    }
    Ok(warnings)
}

async fn release_records(
    session: &Session,
    cluster: &Cluster,
    state: &TlsEndpoint,
    spec: &Spec,
    cancel: &Cancel,
) -> Result<Diagnostics, Stop> {
    let names = &spec.names;
    let mut warnings = Diagnostics::new();
    let record =
        find(cluster, &remove::record_object(names)).await.map_err(failed("The record could not be looked at"))?;
    let record = record.and_then(|record| serde_json::to_value(record).ok());
    let mut records = objects::recorded(record.as_ref());
    let zone = spec.dns.as_ref().and_then(|dns| dns.zone.clone());
    records.extend(state.dns_records.known().into_iter().flatten().map(|(host, _)| (host.clone(), zone.clone())));
    if records.is_empty() {
        return Ok(warnings);
    }
    let client = session.cloudflare().map_err(|why| {
        let mut errors = dns::unavailable(why);
        let list = records.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>().join(", ");
        errors.push(Diagnostic::warning(
            "DNS records would stay behind",
            format!("Without a token the records of {list} cannot be removed, so nothing was removed."),
        ));
        Stop::Failed(errors)
    })?;
    let owner = dns::owner(cluster, names).await.map_err(failed("The DNS records could not be removed"))?;
    for (host, zone) in records {
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let released = dns::release(&client, (&host, zone.as_deref()), None, &owner, cancel).await;
        let summary = format!("The DNS record of {host} could not be removed");
        warnings.extend(released.map_err(|error| cloudflare(&error, &summary))?);
    }
    Ok(warnings)
}
