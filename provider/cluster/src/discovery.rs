//! Which kinds the API server serves, asked once for each kind.

use std::sync::PoisonError;

use kube::api::{Api, ApiResource, DynamicObject};
use kube::discovery::Scope;

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
    /// installed a moment later.
    pub(crate) async fn serves(&self, object: &ObjectRef) -> Result<Served> {
        let gvk = object.gvk();
        let known = self.served().lock().unwrap_or_else(PoisonError::into_inner).get(&gvk).cloned();
        if let Some(served) = known {
            return Ok(served);
        }
        let client = self.client().await?;
        let (resource, capabilities) = kube::discovery::pinned_kind(&client, &gvk).await.map_err(|error| {
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
        })?;
        let served = Served { resource, namespaced: capabilities.scope == Scope::Namespaced };
        self.served().lock().unwrap_or_else(PoisonError::into_inner).insert(gvk, served.clone());
        Ok(served)
    }

    /// Whether objects of a kind live in namespaces. Discovery is asked once for each kind.
    ///
    /// # Errors
    /// [`Kind::NotServed`], and those of any request.
    pub async fn is_namespaced(&self, object: &ObjectRef) -> Result<bool> {
        Ok(self.serves(object).await?.namespaced)
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
