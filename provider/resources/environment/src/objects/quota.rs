//! What the namespace may use, and what a container gets that does not say.

use serde_json::json;

use crate::kinds::{Desired, Kind};
use crate::objects::metadata;
use crate::spec::Spec;

/// The sums.
pub(crate) fn resource_quota(spec: &Spec) -> Desired {
    let mut hard = json!({
        "limits.cpu": spec.quota.cpu,
        "limits.memory": spec.quota.memory,
        "pods": spec.quota.pods.to_string(),
    });
    if let Some(storage) = &spec.quota.storage {
        hard["requests.storage"] = json!(storage);
    }
    let body = json!({ "metadata": metadata(spec, "quota"), "spec": { "hard": hard } });
    Desired::new(Kind::ResourceQuota, Some(&spec.names.namespace), &spec.names.base(), body)
}

/// Requests and limits for containers without any: under a quota on limits, a pod without them is refused.
pub(crate) fn limit_range(spec: &Spec) -> Desired {
    let preset = &spec.preset;
    let body = json!({
        "metadata": metadata(spec, "quota"),
        "spec": { "limits": [{
            "type": "Container",
            "default": { "cpu": preset.cpu.limit, "memory": preset.memory.limit },
            "defaultRequest": { "cpu": preset.cpu.request, "memory": preset.memory.request },
        }] },
    });
    Desired::new(Kind::LimitRange, Some(&spec.names.namespace), &spec.names.base(), body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::tests::spec;
    use crate::spec::QuotaSpec;

    #[test]
    fn storage_is_bounded_only_when_told() {
        let hard = |spec: &Spec| resource_quota(spec).object["spec"]["hard"].clone();
        assert_eq!(hard(&spec()), json!({ "limits.cpu": "32", "limits.memory": "48Gi", "pods": "80" }));
        let quota = QuotaSpec { storage: Some("50Gi".to_owned()), ..spec().quota };
        assert_eq!(hard(&Spec { quota, ..spec() })["requests.storage"], "50Gi");
    }
}
