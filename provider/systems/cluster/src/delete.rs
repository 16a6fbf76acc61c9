//! Deleting.

use std::time::Duration;

use kube::api::{DeleteParams, Preconditions, PropagationPolicy};

use crate::cluster::Cluster;
use crate::error::{Kind, Result};
use crate::object::ObjectRef;

/// What becomes of the objects that an object owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// Collected after it
    #[default]
    Background,
    /// Deleted before it
    Foreground,
    /// Left alone
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// What becomes of dependants
    pub propagation: Propagation,
    /// Only if it is still this very object
    pub uid: Option<String>,
    /// Only if nobody has changed it since
    pub resource_version: Option<String>,
    /// How long pods get to end, in whole seconds; None: what they ask for
    pub grace_period: Option<Duration>,
    /// Only ask whether it would be allowed
    pub dry_run: bool,
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
    /// Deletes an object. One that is gone is no error.
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
            dry_run: options.dry_run,
            grace_period_seconds: options
                .grace_period
                .map(|period| u32::try_from(period.as_secs()).unwrap_or(u32::MAX)),
            propagation_policy: Some(match options.propagation {
                Propagation::Background => PropagationPolicy::Background,
                Propagation::Foreground => PropagationPolicy::Foreground,
                Propagation::Orphan => PropagationPolicy::Orphan,
            }),
            preconditions: (options.uid.is_some() || options.resource_version.is_some()).then(|| Preconditions {
                uid: options.uid.clone(),
                resource_version: options.resource_version.clone(),
            }),
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
