//! Namespaces, and why one of them does not go away.

use k8s_openapi::api::core::v1::Namespace;

use crate::cluster::Cluster;
use crate::error::Result;

/// Label of a Pod Security level, with `enforce`, `warn` or `audit` after the slash.
pub const POD_SECURITY: &str = "pod-security.kubernetes.io";

impl Cluster {
    /// Reads a namespace, None when it does not exist.
    ///
    /// # Errors
    /// Those of any request.
    pub async fn namespace(&self, name: &str) -> Result<Option<Namespace>> {
        self.find(None, name).await
    }
}

/// True while a namespace is being deleted: nothing can be made in it any more.
pub fn is_terminating(namespace: &Namespace) -> bool {
    namespace.metadata.deletion_timestamp.is_some()
        || namespace.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Terminating")
}

/// What keeps a namespace from going away, in the words of its conditions: content that remains,
/// finalizers that are not done, kinds that cannot be listed.
pub fn remaining(namespace: &Namespace) -> Vec<String> {
    let conditions = namespace.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions
        .iter()
        .filter(|condition| condition.status == "True")
        .filter_map(|condition| condition.message.clone())
        .filter(|message| !message.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn says_what_remains() {
        let namespace: Namespace = serde_json::from_value(json!({
            "metadata": {"name": "ffe", "deletionTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"phase": "Terminating", "conditions": [
                {"type": "NamespaceContentRemaining", "status": "True", "reason": "SomeResourcesRemain",
                 "message": "Some resources are remaining: pods. has 1 resource instances"},
                {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "All resources successfully discovered"}
            ]}
        }))
        .unwrap();
        assert!(is_terminating(&namespace));
        assert_eq!(remaining(&namespace), ["Some resources are remaining: pods. has 1 resource instances"]);
    }
}
