//! The namespace.

use serde_json::{Map, Value as Json, json};

use crate::kinds::{Desired, Kind};
use crate::objects::{ENVIRONMENT_LABEL, PRESET_LABEL};
use crate::spec::Spec;

/// The namespace with its labels, annotations and Pod Security level.
pub(crate) fn namespace(spec: &Spec) -> Desired {
    let mut labels: Map<String, Json> =
        spec.labels.iter().map(|(key, value)| (key.clone(), Json::from(value.clone()))).collect();
    labels.insert(ENVIRONMENT_LABEL.to_owned(), Json::from(spec.names.environment.clone()));
    if let Some(preset) = &spec.preset_label {
        labels.insert(PRESET_LABEL.to_owned(), Json::from(preset.clone()));
    }
    for (mode, level) in ["enforce", "audit", "warn"].into_iter().zip(std::iter::repeat(&spec.pod_security)) {
        if let Some(level) = level {
            labels.insert(format!("{}/{mode}", ffe_cluster::namespace::POD_SECURITY), Json::from(level.clone()));
        }
    }
    let body = json!({ "metadata": { "labels": labels, "annotations": spec.annotations } });
    Desired::new(Kind::Namespace, None, &spec.names.namespace, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::tests::spec;

    #[test]
    fn the_namespace_says_preset_level_and_what_the_user_says() {
        let namespace = namespace(&spec()).object;
        let expected = json!({
            "team": "core",
            "ffe.three-rivers.tech/environment": "shop",
            "ffe.three-rivers.tech/preset": "production",
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/audit": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        });
        assert_eq!(namespace["metadata"]["labels"], expected);
        assert_eq!(namespace["metadata"]["annotations"], json!({ "note": "hello" }));
    }

    #[test]
    fn an_environment_without_preset_is_not_labelled_with_one() {
        let namespace = namespace(&Spec { preset_label: None, ..spec() }).object;
        assert!(namespace["metadata"]["labels"].get(PRESET_LABEL).is_none());
    }
}
