//! Who the application is in the cluster, and what it may do there: read its own configuration, nothing else.

use serde_json::json;

use crate::kinds::{Desired, Kind};
use crate::objects::metadata;
use crate::spec::{DatabaseSpec, Spec};

/// The service account.
pub(crate) fn service_account(spec: &Spec) -> Desired {
    let body = json!({ "metadata": metadata(spec, "application") });
    Desired::new(Kind::ServiceAccount, Some(&spec.names.namespace), &spec.names.base(), body)
}

/// What it may read: the objects by name, and no list of anything.
pub(crate) fn role(spec: &Spec) -> Desired {
    let names = &spec.names;
    let mut secrets = vec![names.app_secret()];
    if spec.database != DatabaseSpec::None {
        secrets.push(names.database());
    }
    let body = json!({
        "metadata": metadata(spec, "application"),
        "rules": [
            { "apiGroups": [""], "resources": ["configmaps"], "resourceNames": [names.config_map()], "verbs": ["get"] },
            { "apiGroups": [""], "resources": ["secrets"], "resourceNames": secrets, "verbs": ["get"] },
        ],
    });
    Desired::new(Kind::Role, Some(&names.namespace), &names.base(), body)
}

/// Gives the role to the service account.
pub(crate) fn role_binding(spec: &Spec) -> Desired {
    let name = spec.names.base();
    let body = json!({
        "metadata": metadata(spec, "application"),
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": spec.names.namespace }],
    });
    Desired::new(Kind::RoleBinding, Some(&spec.names.namespace), &name, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::tests::spec;

    #[test]
    fn the_role_gives_its_own_objects_by_name_to_be_read_and_nothing_more() {
        let rules = role(&spec()).object["rules"].clone();
        let expected = json!([
            { "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["ffe-shop-config"], "verbs": ["get"] },
            { "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["ffe-shop-app", "ffe-shop-database"], "verbs": ["get"] },
        ]);
        assert_eq!(rules, expected);
        let without = role(&Spec { database: DatabaseSpec::None, ..spec() }).object["rules"].clone();
        assert_eq!(without[1]["resourceNames"], json!(["ffe-shop-app"]));
    }
}
