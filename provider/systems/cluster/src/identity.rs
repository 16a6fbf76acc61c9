//! Which cluster is this? The UID of its kube-system namespace says so.

use k8s_openapi::api::core::v1::Namespace;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::object::ObjectRef;

impl Cluster {
    /// The UID of the namespace kube-system, which every cluster has and no two share. Asked once.
    ///
    /// # Errors
    /// Those of a request; reading this one namespace must be allowed.
    pub async fn identity(&self) -> Result<String> {
        self.identity_cell()
            .get_or_try_init(|| async {
                let namespace: Namespace = self.get(None, "kube-system").await?;
                namespace.metadata.uid.ok_or_else(|| Error::Malformed {
                    what: ObjectRef::of::<Namespace>(None, "kube-system").to_string(),
                    message: "it has no UID".to_owned(),
                })
            })
            .await
            .cloned()
    }

    /// Is it the cluster that was recorded?
    ///
    /// # Errors
    /// [`Error::OtherCluster`], which names both, and those of [`Cluster::identity`].
    pub async fn check_same(&self, recorded: &str) -> Result<()> {
        let found = self.identity().await?;
        if found == recorded {
            return Ok(());
        }
        Err(Error::OtherCluster { server: self.server().to_owned(), found, recorded: recorded.to_owned() })
    }
}
