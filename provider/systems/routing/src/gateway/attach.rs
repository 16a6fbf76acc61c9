//! Our listeners on a Gateway that is somebody else's, by server-side apply.
//!
//! Listeners are a list that the API server merges by name, so that an apply of ours says nothing about theirs. Each
//! endpoint applies under a field manager of its own: with one for all, what one endpoint applies would take away
//! the listeners of the others.

use ffe_cluster::kube::api::{
    Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, ValidationDirective,
};
use ffe_cluster::{Cluster, Kind};
use serde_json::{Value, json};

use super::listeners;
use crate::Resolved;
use crate::error::{Error, Result};
use crate::names::{GATEWAY, gateway_object, listener_manager};
use crate::route::{GatewayRef, Route};

/// Adds our listeners to the Gateway, or changes them; without `manage_listener`, and for an Ingress, nothing. The
/// objects of the route should be there before (the Secret's ReferenceGrant is among them).
///
/// # Errors
/// [`Error::Listener`] with the API server's reason, and those of a connection.
pub async fn attach(cluster: &Cluster, route: &Route, resolved: &Resolved) -> Result<()> {
    let Resolved::Gateway(attachment) = resolved else { return Ok(()) };
    match listeners(route, attachment) {
        Some(wished) => apply(cluster, &attachment.gateway, &route.namespace, &route.name, &wished).await,
        // listeners that were ours before, and are not wished any more
        None => detach(cluster, &attachment.gateway, &route.namespace, &route.name).await,
    }
}

/// Whether [`attach`] would be let: the same without changing anything.
///
/// # Errors
/// Those of [`attach`].
pub async fn try_attach(cluster: &Cluster, route: &Route, resolved: &Resolved) -> Result<()> {
    let Resolved::Gateway(attachment) = resolved else { return Ok(()) };
    match listeners(route, attachment) {
        Some(wished) => patch(cluster, &attachment.gateway, (&route.namespace, &route.name), &wished, true).await,
        None => Ok(()),
    }
}

/// Takes the listeners of an endpoint off a Gateway again, and leaves those of others. A Gateway that is gone, or
/// that never had any of ours, is no error.
///
/// # Errors
/// [`Error::LastListener`] when no other listener would be left, [`Error::Listener`], and those of requests.
pub async fn detach(cluster: &Cluster, gateway: &GatewayRef, namespace: &str, name: &str) -> Result<()> {
    let object = gateway_object(gateway);
    let found = match cluster.find_ref(&object).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(()),
        Err(error) if error.kind() == Kind::NotServed => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let manager = listener_manager(namespace, name);
    let managers = found.metadata.managed_fields.as_deref().unwrap_or_default();
    let Some(entry) = managers.iter().find(|entry| entry.manager.as_deref() == Some(manager.as_str())) else {
        return Ok(());
    };
    // by the names in the bookkeeping: it may hold listeners of hosts that the endpoint has no more
    let fields = entry.fields_v1.as_ref().map(|fields| fields.0.clone()).unwrap_or_default();
    let ours = |listener: &Value| {
        let key = format!("k:{}", json!({"name": listener["name"]}));
        fields.pointer("/f:spec/f:listeners").is_some_and(|owned| owned.get(&key).is_some())
    };
    let all = found.data.pointer("/spec/listeners").and_then(Value::as_array).cloned().unwrap_or_default();
    if !all.is_empty() && all.iter().all(ours) && found.metadata.deletion_timestamp.is_none() {
        return Err(Error::LastListener { gateway: Box::new(object) });
    }
    let nothing = json!({"apiVersion": GATEWAY, "kind": "Gateway",
        "metadata": {"name": gateway.name, "namespace": gateway.namespace}});
    apply(cluster, gateway, namespace, name, &nothing).await
}

async fn apply(cluster: &Cluster, gateway: &GatewayRef, namespace: &str, name: &str, wished: &Value) -> Result<()> {
    patch(cluster, gateway, (namespace, name), wished, false).await
}

async fn patch(
    cluster: &Cluster,
    gateway: &GatewayRef,
    (namespace, name): (&str, &str),
    wished: &Value,
    dry_run: bool,
) -> Result<()> {
    let kind = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("gateway.networking.k8s.io", "v1", "Gateway"),
        "gateways",
    );
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client().await?, &gateway.namespace, &kind);
    let params = PatchParams {
        // what has our listener's name is ours, whoever edited it
        force: true,
        dry_run,
        field_manager: Some(listener_manager(namespace, name)),
        field_validation: Some(ValidationDirective::Strict),
    };
    match api.patch(&gateway.name, &params, &Patch::Apply(wished)).await {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Listener {
            gateway: Box::new(gateway_object(gateway)),
            server: cluster.server().to_owned(),
            source: Box::new(source),
        }),
    }
}

#[cfg(test)]
mod tests;
