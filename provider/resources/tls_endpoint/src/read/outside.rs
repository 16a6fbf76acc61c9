//! What an endpoint has outside of its namespace: an endpoint whose namespace is gone is not gone as long as some of it is
//! there, or nobody can tell. In the state it can still be destroyed.

use ffe_cluster::{Cancel, Cluster, Error, ObjectRef};
use ffe_dns::Holder;
use ffe_session::Session;

use crate::desired::{find, is_there_and_ours};
use crate::model::TlsEndpoint;
use crate::spec::{CLOUDFLARE, Spec};
use crate::steps::{dns, route};

/// Whether there is something of ours.
///
/// # Errors
/// Those of requests to the cluster.
pub(super) async fn is_left(
    session: &Session,
    cluster: &Cluster,
    (spec, state): (&Spec, &TlsEndpoint),
    cancel: &Cancel,
) -> Result<bool, Error> {
    Ok(issuer(cluster, spec).await?
        || listener(cluster, spec).await?
        || records(session, cluster, (spec, state), cancel).await?)
}

/// An issuer for all namespaces.
async fn issuer(cluster: &Cluster, spec: &Spec) -> Result<bool, Error> {
    let object = spec.issuer.object(&spec.names.namespace);
    if spec.own_issuer.is_none() || object.namespace.is_some() {
        return Ok(false);
    }
    is_there_and_ours(cluster, &object, &spec.names.owner()).await
}

/// A listener that serves our Secret at a Gateway.
async fn listener(cluster: &Cluster, spec: &Spec) -> Result<bool, Error> {
    let Some(gateway) = route::gateway(spec).filter(|gateway| gateway.manage_listener) else { return Ok(false) };
    let object = ObjectRef::new("gateway.networking.k8s.io/v1", "Gateway", Some(&gateway.namespace), &gateway.name);
    let Some(found) = find(cluster, &object).await? else { return Ok(false) };
    let listeners = found.data["spec"]["listeners"].as_array().into_iter().flatten();
    let mut secrets = listeners.flat_map(|one| one["tls"]["certificateRefs"].as_array().into_iter().flatten());
    Ok(secrets.any(|secret| {
        let namespace = secret["namespace"].as_str().unwrap_or(&gateway.namespace);
        secret["name"] == spec.certificate.secret_name.as_str() && namespace == spec.names.namespace
    }))
}

/// Records at the provider of DNS. Where it cannot be asked they may be there.
async fn records(
    session: &Session,
    cluster: &Cluster,
    (spec, state): (&Spec, &TlsEndpoint),
    cancel: &Cancel,
) -> Result<bool, Error> {
    let hosts: Vec<&String> = state.dns_records.known().into_iter().flat_map(|records| records.keys()).collect();
    if hosts.is_empty() {
        return Ok(false);
    }
    let provider = spec.dns.as_ref().map_or(CLOUDFLARE, |dns| dns.provider.as_str());
    let Ok(client) = session.dns(provider) else { return Ok(true) };
    let owner = dns::owner(cluster, &spec.names).await?;
    let wanted = spec.dns.as_ref().and_then(|dns| dns.zone.as_deref());
    for host in hosts {
        let found = async {
            let zone = client.zone_of(host, wanted, cancel).await?;
            client.records(&zone, host, cancel).await
        };
        match found.await {
            Ok(found) => {
                let is_ours =
                    |comment: Option<&str>| matches!(owner.holder(comment), Holder::Made | Holder::Adopted { .. });
                if found.iter().any(|record| is_ours(record.comment.as_deref())) {
                    return Ok(true);
                }
            }
            // Without the zone there is none of its records.
            Err(ffe_dns::Error::NoZone { .. }) => {}
            Err(error) => {
                tracing::info!(%error, %host, "whether the record is there is not known");
                return Ok(true);
            }
        }
    }
    Ok(false)
}
