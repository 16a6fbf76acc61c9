//! Making an object that is not there.
//!
//! An apply makes what is absent too, and merges into what somebody else has made in the same moment; of two applies both
//! succeed, and the later one wins. So the object is made by a create, which fails where somebody was faster, and is then
//! applied, so that a field that is given no more later goes away. A create owns its fields under a name of its own, because
//! it would keep them otherwise; that name is taken off at once, or by the next apply where that was not reached.

use kube::api::{Api, DynamicObject, PostParams};
use serde_json::{Value, json};

use super::ATTEMPTS;
use crate::access::absent_is_none;
use crate::apply::{ApplyOptions, creation};
use crate::cluster::Cluster;
use crate::error::{Error, Kind, Result};
use crate::mark::Mark;
use crate::object::ObjectRef;

/// The name under which a create owns its fields.
pub(super) const MAKER: &str = "terraform-provider-ffe.make";

impl Cluster {
    /// Writes an object that was looked at: makes it where there was none, or is none any more, else applies it by force to
    /// the one that has this UID. It carries a mark.
    ///
    /// # Errors
    /// [`Kind::AlreadyExists`] when somebody was faster, and those of [`Cluster::apply_to`].
    pub async fn put(&self, object: &Value, uid: Option<&str>) -> Result<DynamicObject> {
        match uid {
            None => self.make_value(object).await,
            Some(uid) => match self.apply_to(object, uid, ApplyOptions::forced()).await {
                // Where it is gone by now, a create takes nobody's place.
                Err(Error::Remade { object: named }) if self.find_ref(&named).await?.is_none() => {
                    self.make_value(object).await
                }
                applied => applied,
            },
        }
    }

    /// Makes an object of any kind that the server serves; it carries a mark.
    ///
    /// # Errors
    /// [`Kind::AlreadyExists`] when somebody was faster, and those of [`Cluster::apply_value`].
    pub(crate) async fn make_value(&self, object: &Value) -> Result<DynamicObject> {
        let (named, api, body) = self.placed(object).await?;
        let made = self.post(&named, &api, &body).await?;
        let uid = made.metadata.uid.unwrap_or_default();
        self.send(&api, &named, body, Some(&uid), ApplyOptions::forced()).await
    }

    /// Makes an object as [`Cluster::make_value`] does, and leaves the apply to who holds what guards it: nothing more is
    /// written to the object, so that nobody's work is undone who came to it meanwhile.
    ///
    /// # Errors
    /// [`Kind::AlreadyExists`] when somebody was faster, and those of any request.
    pub async fn reserve(&self, object: &Value) -> Result<DynamicObject> {
        let (named, api, body) = self.placed(object).await?;
        let made = self.post(&named, &api, &body).await?;
        self.lists().invalidate_kind(&named.api_version, &named.kind, named.namespace.as_deref());
        Ok(made)
    }

    /// The create alone.
    async fn post(&self, named: &ObjectRef, api: &Api<DynamicObject>, body: &DynamicObject) -> Result<DynamicObject> {
        let params = PostParams { field_manager: Some(MAKER.to_owned()), ..PostParams::default() };
        let failed = |error| self.failed("create", named, error);
        let request = creation(api, &params, body, "Strict").map_err(failed)?;
        match self.client().await?.request::<DynamicObject>(request).await.map_err(failed) {
            Err(error) if matches!(error.kind(), Kind::AlreadyExists | Kind::Unavailable) => {
                // It may be the one of a request whose answer was lost.
                let found =
                    absent_is_none(api.get(&named.name).await.map_err(|error| self.failed("read", named, error)))?;
                let mark = Mark::read(&body.metadata);
                let is_its_own = |found: &DynamicObject| mark.is_some() && Mark::read(&found.metadata) == mark;
                found.filter(is_its_own).ok_or(error)
            }
            made => made,
        }
    }

    /// Takes the maker's name off an object that was applied.
    pub(crate) async fn let_maker_go(
        &self,
        api: &Api<DynamicObject>,
        named: &ObjectRef,
        applied: DynamicObject,
    ) -> Result<DynamicObject> {
        let mut live = applied;
        for _ in 0..ATTEMPTS {
            let entries = live.metadata.managed_fields.as_deref().unwrap_or_default();
            let others: Vec<_> = entries.iter().filter(|entry| entry.manager.as_deref() != Some(MAKER)).collect();
            if others.len() == entries.len() {
                break;
            }
            let patch = json!({ "metadata": {
                "resourceVersion": live.metadata.resource_version, "managedFields": others,
            } });
            live = match self.send_merge(api, named, &patch).await {
                Err(error) if error.kind() == Kind::Conflict => {
                    api.get(&named.name).await.map_err(|error| self.failed("read", named, error))?
                }
                patched => patched?,
            };
        }
        Ok(live)
    }
}
