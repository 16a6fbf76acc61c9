//! Requests that `ffe_cluster` has no method for: what an API group serves, and the status of an
//! object. Their errors are made to look like all others.

use ffe_cluster::kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use ffe_cluster::kube::{self, core::GroupVersionKind};
use ffe_cluster::{Cluster, Error, FIELD_MANAGER, Kind, ObjectRef, Result};
use serde_json::Value;

/// The kinds of an API version, such as `cert-manager.io/v1`; none when it is not served.
pub(crate) async fn kinds_of(cluster: &Cluster, api_version: &str) -> Result<Vec<String>> {
    let client = cluster.client().await?;
    match client.list_api_group_resources(api_version).await {
        Ok(list) => Ok(list.resources.into_iter().map(|resource| resource.kind).collect()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(failed(cluster, "find out about", &ObjectRef::new(api_version, "kinds", None, ""), error)),
    }
}

/// Changes the status of an object by merge patch. With `metadata.resourceVersion` in it this is a
/// compare-and-swap.
pub(crate) async fn merge_status(
    cluster: &Cluster,
    object: &ObjectRef,
    plural: &str,
    patch: &Value,
) -> Result<DynamicObject> {
    let client = cluster.client().await?;
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, &object.kind), plural);
    let api: Api<DynamicObject> = match &object.namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch_status(&object.name, &params, &Patch::Merge(patch))
        .await
        .map_err(|error| failed(cluster, "change the status of", object, error))
}

fn failed(cluster: &Cluster, operation: &'static str, object: &ObjectRef, error: kube::Error) -> Error {
    let (kind, message) = match &error {
        kube::Error::Api(status) => {
            let kind = match status.code {
                401 => Kind::Unauthorized,
                403 => Kind::Forbidden,
                404 => Kind::NotFound,
                409 => Kind::Conflict,
                400 | 422 => Kind::Invalid,
                429 | 500..=599 => Kind::Unavailable,
                _ => Kind::Protocol,
            };
            (kind, status.message.clone())
        }
        // its text may hold what a credential command printed
        kube::Error::Auth(_) => (Kind::Credentials, "the credentials could not be obtained".to_owned()),
        kube::Error::Service(_) => (Kind::Unavailable, "the API server could not be reached".to_owned()),
        other => (Kind::Protocol, other.to_string()),
    };
    Error::Request {
        kind,
        operation,
        object: Box::new(object.clone()),
        server: cluster.server().to_owned(),
        message,
        source: None,
    }
}
