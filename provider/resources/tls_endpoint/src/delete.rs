//! The end of an endpoint: what was made is deleted, what was taken over is given back, and the certificate's Secret
//! stays unless told otherwise.

use ffe_cluster::{Cancel, Cluster, DeleteOptions, Kind, Mark, ObjectRef};
use ffe_routing::GatewayRef;
use ffe_session::lock::Lock;
use ffe_session::{Session, diagnostic, new_run_id};
use tfplugin::{Diagnostic, Diagnostics};

use crate::desired::{find, is_there_and_ours};
use crate::errors::{dns as dns_error, routing};
use crate::model::TlsEndpoint;
use crate::names::{Names, TYPE_NAME};
use crate::objects::{self, Memory};
use crate::remove::{self, Asked, Keep, remove_ours, remove_stray};
use crate::resource::private::Successor;
use crate::run::{Stop, failed};
use crate::spec::Spec;
use crate::steps::{dns, lock, route};

/// What is to be deleted.
#[derive(Clone, Copy)]
pub(crate) struct Doomed<'a> {
    pub(crate) state: &'a TlsEndpoint,
    pub(crate) spec: &'a Spec,
    /// What comes in its place under another name.
    pub(crate) successor: Option<&'a Successor>,
}

/// Takes the endpoint down. What is gone already is no error.
///
/// # Errors
/// When something of ours could not be removed: it stays in the state.
pub(crate) async fn delete(
    session: &Session,
    cluster: &Cluster,
    what: Doomed<'_>,
    cancel: &Cancel,
) -> Result<Diagnostics, Diagnostics> {
    let names = &what.spec.names;
    if matches!(cluster.namespace(&names.namespace).await, Ok(None)) {
        // Everything in it is gone; what lies elsewhere is not.
        return outside(session, cluster, what, cancel).await.map_err(told);
    }
    let doing = format!("terraform destroy of {TYPE_NAME} {}", names.import_id());
    let held = lock::take(cluster, names, (new_run_id().as_str(), doing.as_str()), cancel).await.map_err(told)?;
    let ended = end_all(session, cluster, what, cancel).await.map_err(told);
    // Given back also when it failed; removed when nothing is left to lock.
    if ended.is_ok() {
        held.remove().await;
    } else {
        give_back(held).await;
    }
    ended
}

/// Leaves everything to what replaces the endpoint under the same name: that finds an endpoint that is not finished, and
/// makes of it what is wished while it serves.
///
/// # Errors
/// When that could not be written down, or somebody else is at work.
pub(crate) async fn hand_over(cluster: &Cluster, spec: &Spec, cancel: &Cancel) -> Result<Diagnostics, Diagnostics> {
    let names = &spec.names;
    let (record, owner) = (remove::record_object(names), names.owner());
    let summary = "The endpoint could not be handed over to what replaces it";
    let there = is_there_and_ours(cluster, &record, &owner).await.map_err(|error| diagnostic(&error, summary))?;
    if !there {
        return Ok(Diagnostics::new());
    }
    let (run_id, doing) = (new_run_id(), format!("terraform apply of {TYPE_NAME} {}", names.import_id()));
    let held = lock::take(cluster, names, (run_id.as_str(), doing.as_str()), cancel).await.map_err(told)?;
    let marked = cluster.write_mark(&record, &Mark::creating(owner, &run_id)).await;
    give_back(held).await;
    marked.map_err(|error| diagnostic(&error, summary))?;
    tracing::info!(endpoint = %names.import_id(), "left to what replaces it");
    Ok(Diagnostics::new())
}

/// It expires by itself where that fails.
async fn give_back(held: Lock) {
    if let Some(warning) = held.let_go().await {
        tracing::warn!(%warning, "the lease was not given back");
    }
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

/// What has the endpoint's name, and what has another one of its names: a rename got no further.
async fn end_all(session: &Session, cluster: &Cluster, what: Doomed<'_>, cancel: &Cancel) -> Result<Diagnostics, Stop> {
    let names = &what.spec.names;
    let mut warnings = Diagnostics::new();
    for name in memory(cluster, names).await?.also_named {
        if name == names.name || what.successor.is_some_and(|one| one.namespace == names.namespace && one.name == name)
        {
            continue;
        }
        let spec = Spec { names: Names::new(&names.namespace, &name), ..what.spec.clone() };
        warnings.extend(end(session, cluster, Doomed { spec: &spec, ..what }, cancel).await?);
        let lease = ObjectRef::new("coordination.k8s.io/v1", "Lease", Some(&names.namespace), &spec.names.lease());
        let removed = cluster.delete(&lease, &DeleteOptions::default()).await;
        removed.map_err(failed("The lease on the endpoint's other name could not be removed"))?;
    }
    warnings.extend(end(session, cluster, what, cancel).await?);
    Ok(warnings)
}

async fn end(session: &Session, cluster: &Cluster, what: Doomed<'_>, cancel: &Cancel) -> Result<Diagnostics, Stop> {
    let spec = what.spec;
    let (names, owner) = (&spec.names, spec.names.owner());
    let known = remove::known_objects(spec);
    let alert = remove::alert_object(names);
    // One that nobody asked for may never have been made.
    let asked_for = if spec.alert.as_ref().is_some_and(|alert| alert.demanded) { known.as_slice() } else { &[] };
    take_away(cluster, &alert, names, asked_for).await.map_err(failed("The alert could not be removed"))?;
    let mut warnings = outside(session, cluster, what, cancel).await?;
    let memory = memory(cluster, names).await?;
    let routes = ffe_routing::names(&names.namespace, &names.name).into_iter();
    for object in routes.chain(ffe_routing::interim_names(&names.namespace, &names.name)) {
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let summary = format!("{object} could not be removed");
        match remove::hand_back(cluster, &object, names, &memory.taken_off).await {
            // What other settings would have made need not be allowed to be looked at.
            Err(error) if error.kind() == Kind::Forbidden && !known.contains(&object) => {
                tracing::info!(%error, %object, "not looked at");
            }
            given => {
                given.map_err(failed(&summary))?;
            }
        }
    }
    let keep = Keep { secrets: spec.keep_secret, ..Keep::default() };
    warnings.extend(remove::certificates_and_issuers(cluster, names, &keep, Some(Asked::of(spec)), cancel).await?);
    let summary = "The digests of the credentials could not be removed";
    cluster.delete_digests(&names.namespace, &owner).await.map_err(failed(summary))?;
    // Last: until it is gone, a delete that was interrupted is still ours to finish.
    let record = remove::record_object(names);
    objects::originals(names)
        .remove(cluster)
        .await
        .map_err(failed("What is kept of objects that were given back could not be removed"))?;
    remove_ours(cluster, &record, names).await.map_err(failed("The record could not be removed"))?;
    if spec.keep_secret {
        tracing::info!(secret = %spec.certificate.secret_name, namespace = %names.namespace, "the Secret with the certificate is kept");
    }
    Ok(warnings)
}

/// What the state stands for has to be looked at; what it may have had besides, where that is allowed.
async fn take_away(
    cluster: &Cluster,
    object: &ObjectRef,
    names: &Names,
    known: &[ObjectRef],
) -> Result<(), ffe_cluster::Error> {
    if known.contains(object) {
        remove_ours(cluster, object, names).await
    } else {
        remove_stray(cluster, object, names).await
    }
}

/// What lies outside of the endpoint's namespace: DNS records, the listener at a Gateway, an issuer for all namespaces.
async fn outside(session: &Session, cluster: &Cluster, what: Doomed<'_>, cancel: &Cancel) -> Result<Diagnostics, Stop> {
    let (spec, names) = (what.spec, &what.spec.names);
    let mut warnings = release_records(session, cluster, what, cancel).await?;
    let mut gateways = memory(cluster, names).await?.gateways;
    gateways.extend(route::managed_gateway(spec));
    for (namespace, name) in gateways {
        let gateway = GatewayRef { namespace, name, manage_listener: true };
        let detached = ffe_routing::detach(cluster, &gateway, &names.namespace, &names.name).await;
        detached.map_err(|error| routing(&error, "The Gateway could not be left"))?;
    }
    if matches!(cluster.namespace(&names.namespace).await, Ok(None)) {
        let keep = Keep { secrets: spec.keep_secret, ..Keep::default() };
        warnings.extend(remove::certificates_and_issuers(cluster, names, &keep, None, cancel).await?);
    }
    Ok(warnings)
}

/// What the record remembers, as long as it is there.
async fn memory(cluster: &Cluster, names: &Names) -> Result<Memory, Stop> {
    let found = find(cluster, &remove::record_object(names)).await;
    let record = found.map_err(failed("The record could not be looked at"))?;
    let record = record.and_then(|record| serde_json::to_value(record).ok());
    objects::recorded(record.as_ref()).map_err(failed("What the endpoint has elsewhere is not known"))
}

/// Records go, but for those that the successor manages: nobody is to learn that there are none.
async fn release_records(
    session: &Session,
    cluster: &Cluster,
    Doomed { state, spec, successor }: Doomed<'_>,
    cancel: &Cancel,
) -> Result<Diagnostics, Stop> {
    let names = &spec.names;
    let mut warnings = Diagnostics::new();
    let memory = memory(cluster, names).await?;
    let provider = spec.dns.as_ref().map_or_else(|| memory.provider().to_owned(), |dns| dns.provider.clone());
    let mut records = memory.records;
    let zone = spec.dns.as_ref().and_then(|dns| dns.zone.clone());
    records.extend(state.dns_records.known().into_iter().flatten().map(|(host, _)| (host.clone(), zone.clone())));
    if records.is_empty() {
        return Ok(warnings);
    }
    let client = session.dns(&provider).map_err(|why| {
        let mut errors = dns::unavailable(why);
        let list = records.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>().join(", ");
        errors.push(Diagnostic::warning(
            "DNS records would stay behind",
            format!("Without access to {provider} the records of {list} cannot be removed, so nothing was removed."),
        ));
        Stop::Failed(errors)
    })?;
    let owner = dns::owner(cluster, names).await.map_err(failed("The DNS records could not be removed"))?;
    for (host, zone) in records {
        if cancel.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        let summary = format!("The DNS record of {host} could not be removed");
        if let Some(heir) = successor.filter(|one| one.manages(&host, zone.as_deref(), &provider)) {
            let heir = dns::owner(cluster, &Names::new(&heir.namespace, &heir.name)).await.map_err(failed(&summary))?;
            let left = dns::bequeath(&*client, (&host, zone.as_deref()), &heir.also_called(&owner), cancel).await;
            left.map_err(|error| dns_error(&error, &summary))?;
            continue;
        }
        let released = dns::release(&*client, (&host, zone.as_deref()), None, &owner, cancel).await;
        warnings.extend(released.map_err(|error| dns_error(&error, &summary))?);
    }
    Ok(warnings)
}
