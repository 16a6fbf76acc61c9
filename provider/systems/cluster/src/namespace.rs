//! Namespaces, and why one of them does not go away.

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams};
use kube::client::Body;
use kube::core::Request;
use serde_json::json;

use crate::apply::FIELD_MANAGER;
use crate::cluster::Cluster;
use crate::discovery::Served;
use crate::error::Result;
use crate::object::ObjectRef;

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

impl Cluster {
    /// What the API server says of the pods of a namespace that a Pod Security level would not admit: a line for each kind of
    /// violation, with the names of pods. Nothing is changed.
    ///
    /// # Errors
    /// Those of a patch.
    pub async fn pods_not_admitted(&self, namespace: &str, level: &str) -> Result<Vec<String>> {
        let object = ObjectRef::of::<Namespace>(None, namespace);
        let failed = |error| self.failed("try to change", &object, error);
        let api = self.api_of(&Served::typed::<Namespace>(None), None).await?;
        let params =
            PatchParams { dry_run: true, field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patch = json!({ "metadata": { "labels": { format!("{POD_SECURITY}/enforce"): level } } });
        let request = Request::new(api.resource_url()).patch(namespace, &params, &Patch::Merge(&patch));
        let request = request.map_err(|error| failed(kube::Error::BuildRequest(error)))?;
        let answer = self.client().await?.send(request.map(Body::from)).await.map_err(failed)?;
        if !answer.status().is_success() {
            // The same once more, for its error.
            return self
                .try_merge(
                    &json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
                    &patch,
                    true,
                )
                .await
                .map(|()| Vec::new());
        }
        let warnings = answer.headers().get_all(http::header::WARNING).iter();
        Ok(warnings.filter_map(|value| warning_text(value.to_str().ok()?)).filter(|text| names_pods(text)).collect())
    }
}

/// The text of a warning (RFC 7234, 5.5): `299 - "text"`.
fn warning_text(header: &str) -> Option<String> {
    let (_, quoted) = header.split_once('"')?;
    let text = quoted.rsplit_once('"').map_or(quoted, |(text, _)| text);
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// The first one announces the others: `existing pods in namespace "a" violate the new PodSecurity enforce level …`.
fn names_pods(text: &str) -> bool {
    !text.starts_with("existing pods in namespace")
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
    fn warnings_are_read_as_the_api_server_sends_them() {
        let text = r#"299 - "web-0 (and 2 other pods): allowPrivilegeEscalation != false, \"runAsNonRoot\" != true""#;
        let read = warning_text(text).unwrap();
        assert_eq!(read, r#"web-0 (and 2 other pods): allowPrivilegeEscalation != false, "runAsNonRoot" != true"#);
        assert!(names_pods(&read));
        let announcement = r#"299 - "existing pods in namespace \"a\" violate the new PodSecurity enforce level""#;
        assert!(!names_pods(&warning_text(announcement).unwrap()));
    }

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
