//! When something counts as absent: only on proof, because it is dropped from the state then.

use crate::access::Query;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::object::Object;

/// What a confirmed look at the cluster says.
#[derive(Debug, Clone, PartialEq)]
pub enum Presence<K> {
    /// It is there
    Present(K),
    /// An uncached list that was read to its last page succeeded, in the recorded cluster, without it
    Absent,
}

impl Cluster {
    /// Looks for one object in the recorded cluster (its kube-system UID).
    ///
    /// # Errors
    /// Anything that is no proof: another cluster, 401, 403, 5xx, no connection. The prior state is
    /// kept then.
    pub async fn confirm<K: Object>(
        &self,
        namespace: Option<&str>,
        name: &str,
        recorded_cluster: &str,
    ) -> Result<Presence<K>> {
        self.check_same(recorded_cluster).await?;
        let found: Vec<K> = self.list(namespace, &Query::named(name)).await?;
        // a server that does not know the field selector would hand out everything
        let found = found.into_iter().find(|object| object.meta().name.as_deref() == Some(name));
        Ok(found.map_or(Presence::Absent, Presence::Present))
    }
}
