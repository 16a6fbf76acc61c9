//! Deleting.

use kube::api::{DeleteParams, Preconditions, PropagationPolicy};

use crate::cluster::Cluster;
use crate::error::{Kind, Result};
use crate::object::ObjectRef;

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Only if it is still this very object
    pub uid: Option<String>,
    /// Only if nobody has changed it since
    pub resource_version: Option<String>,
}

/// What came of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It was not there, or is another object by now than the one whose UID was given
    WasGone,
    /// The API server has accepted it; finalizers may still be at work
    Accepted,
}

impl Cluster {
    /// Deletes an object; what it owns is collected after it. One that is gone is no error.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn delete(&self, object: &ObjectRef, options: &DeleteOptions) -> Result<Deleted> {
        let served = match self.serves(object).await {
            // without the kind there can be no object of it
            Err(error) if error.kind() == Kind::NotServed => return Ok(Deleted::WasGone),
            other => other?,
        };
        let api = self.api_of(&served, object.namespace.as_deref()).await?;
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: (options.uid.is_some() || options.resource_version.is_some()).then(|| Preconditions {
                uid: options.uid.clone(),
                resource_version: options.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        let result = api.delete(&object.name, &params).await.map_err(|error| self.failed("delete", object, error));
        self.lists().invalidate_kind(&object.api_version, &object.kind, object.namespace.as_deref());
        match result {
            Ok(_) => Ok(Deleted::Accepted),
            Err(error) if error.is_not_found() => Ok(Deleted::WasGone),
            // a UID that differs is a conflict: the object that was meant is gone; a version that differs is one too
            Err(error) if error.kind() == Kind::Conflict && options.uid.is_some() => {
                match self.find_ref(object).await? {
                    Some(found) if found.metadata.uid == options.uid => Err(error),
                    _ => Ok(Deleted::WasGone),
                }
            }
            Err(error) => Err(error),
        }
    }
}
