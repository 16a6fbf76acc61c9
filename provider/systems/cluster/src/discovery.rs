//! Which kinds the API server serves, asked once for each group.

use std::sync::PoisonError;

use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta};

use crate::cluster::Cluster;
use crate::error::{Error, Kind, Result};
use crate::object::{Object, ObjectRef};

/// Where a kind is served.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) resource: ApiResource,
    pub(crate) namespaced: bool,
}

impl Served {
    /// A kind known at compile time needs no discovery; whether it is namespaced shows in the name
    /// that it is asked for by.
    pub(crate) fn typed<K: Object>(namespace: Option<&str>) -> Self {
        Self { resource: ApiResource::erase::<K>(&()), namespaced: namespace.is_some() }
    }
}

impl Cluster {
    /// Finds out how a kind is served. Only answers are remembered, never failures: a CRD may be
    /// installed a moment later. One request answers for all kinds of a group, whoever asks for them.
    pub(crate) async fn serves(&self, object: &ObjectRef) -> Result<Served> {
        let gvk = object.gvk();
        if let Some(served) = self.known(&gvk) {
            return Ok(served);
        }
        let _asking = self.asking().lock().await;
        if let Some(served) = self.known(&gvk) {
            return Ok(served);
        }
        let client = self.client().await?;
        let found = if gvk.group.is_empty() {
            client.list_core_api_resources(&gvk.version).await
        } else {
            client.list_api_group_resources(&gvk.api_version()).await
        };
        let found = found.map_err(|error| self.not_served(object, error))?;
        let mut served = self.served().lock().unwrap_or_else(PoisonError::into_inner);
        // What has a slash in its name is a part of the kind before it.
        for kind in found.resources.into_iter().filter(|kind| !kind.name.contains('/')) {
            let whole = GroupVersionKind { kind: kind.kind, ..gvk.clone() };
            let resource = ApiResource::from_gvk_with_plural(&whole, &kind.name);
            served.entry(whole).or_insert(Served { resource, namespaced: kind.namespaced });
        }
        served.get(&gvk).cloned().ok_or_else(|| {
            let missing = kube::error::DiscoveryError::MissingKind(format!("{gvk:?}"));
            self.not_served(object, kube::Error::Discovery(missing))
        })
    }

    fn known(&self, gvk: &GroupVersionKind) -> Option<Served> {
        self.served().lock().unwrap_or_else(PoisonError::into_inner).get(gvk).cloned()
    }

    fn not_served(&self, object: &ObjectRef, error: kube::Error) -> Error {
        match self.failed("find out about", object, error) {
            // a group that is not there at all is answered with a 404
            Error::Request { kind: Kind::NotFound | Kind::NotServed, operation, server, source, .. } => {
                Error::Request {
                    kind: Kind::NotServed,
                    operation,
                    object: Box::new(object.clone()),
                    message: format!("the API server does not serve {} of {}", object.kind, object.api_version),
                    server,
                    source,
                }
            }
            other => other,
        }
    }

    /// Whether objects of a kind live in namespaces. Discovery is asked once for each group.
    ///
    /// # Errors
    /// [`Kind::NotServed`], and those of any request.
    pub async fn is_namespaced(&self, object: &ObjectRef) -> Result<bool> {
        Ok(self.serves(object).await?.namespaced)
    }

    /// The API for the metadata of an object's kind, to be watched.
    ///
    /// # Errors
    /// [`Kind::NotServed`], and those of any request.
    pub async fn metadata_api(&self, object: &ObjectRef) -> Result<Api<PartialObjectMeta<DynamicObject>>> {
        let served = self.serves(object).await?;
        self.metadata_api_of(&served, object.namespace.as_deref()).await
    }

    pub(crate) async fn metadata_api_of(
        &self,
        served: &Served,
        namespace: Option<&str>,
    ) -> Result<Api<PartialObjectMeta<DynamicObject>>> {
        let client = self.client().await?;
        Ok(match namespace {
            Some(namespace) if served.namespaced => Api::namespaced_with(client, namespace, &served.resource),
            _ => Api::all_with(client, &served.resource),
        })
    }

    /// The API for a kind. A namespace given for a cluster-wide kind is left out, as kubectl does;
    /// a namespaced object without one belongs to the default namespace.
    pub(crate) async fn api_of(&self, served: &Served, namespace: Option<&str>) -> Result<Api<DynamicObject>> {
        let client = self.client().await?;
        Ok(match namespace {
            Some(namespace) if served.namespaced => Api::namespaced_with(client, namespace, &served.resource),
            _ => Api::all_with(client, &served.resource),
        })
    }
}
