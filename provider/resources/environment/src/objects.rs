//! The objects of an environment as they should be: pure functions of its specification.

pub(crate) mod access;
pub(crate) mod config;
pub(crate) mod database;
pub(crate) mod namespace;
pub(crate) mod quota;
pub(crate) mod secrets;

use serde_json::{Value as Json, json};

use crate::kinds::Desired;
use crate::spec::{DatabaseSpec, Spec};

/// Label with the environment's name, on everything.
pub(crate) const ENVIRONMENT_LABEL: &str = "ffe.three-rivers.tech/environment";
/// Label with the preset's name, on the namespace.
pub(crate) const PRESET_LABEL: &str = "ffe.three-rivers.tech/preset";
/// Annotation with the inputs as written, on the ConfigMap: what an import knows the environment from.
pub(crate) const INPUTS: &str = "ffe.three-rivers.tech/inputs";

/// Metadata of an object in the namespace.
fn metadata(spec: &Spec, component: &str) -> Json {
    json!({ "labels": {
        ENVIRONMENT_LABEL: spec.names.environment,
        "app.kubernetes.io/part-of": spec.names.base(),
        "app.kubernetes.io/component": component,
    } })
}

/// Every object, in the order in which they are made. Secrets are without their content, which the specification
/// does not have.
pub(crate) fn all(spec: &Spec) -> Vec<Desired> {
    let mut objects = vec![
        namespace::namespace(spec),
        access::service_account(spec),
        access::role(spec),
        access::role_binding(spec),
        quota::resource_quota(spec),
        quota::limit_range(spec),
        config::config_map(spec),
        secrets::app(spec, None),
    ];
    match &spec.database {
        DatabaseSpec::None => {}
        DatabaseSpec::External => objects.push(secrets::connection(spec, None)),
        DatabaseSpec::Bundled(bundled) => objects.extend([
            secrets::password(spec, None),
            secrets::connection(spec, None),
            database::service(spec),
            database::claim(spec, bundled),
            database::stateful_set(spec, bundled),
        ]),
    }
    objects
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::drift::differences;
    use crate::names::Names;
    use crate::presets::PRODUCTION;
    use crate::spec::{Bundled, QuotaSpec};

    pub(crate) fn spec() -> Spec {
        Spec {
            names: Names::new("shop", "ffe"),
            preset_label: Some("production".to_owned()),
            preset: PRODUCTION,
            labels: [("team".to_owned(), "core".to_owned())].into(),
            annotations: [("note".to_owned(), "hello".to_owned())].into(),
            pod_security: Some("restricted".to_owned()),
            quota: QuotaSpec { cpu: "32".to_owned(), memory: "48Gi".to_owned(), pods: 80, storage: None },
            config: [("LOG_LEVEL".to_owned(), "info".to_owned())].into(),
            database: DatabaseSpec::Bundled(Box::new(Bundled {
                image: "postgres:16-alpine".to_owned(),
                run_as: 70,
                name: "ffe".to_owned(),
                user: "ffe".to_owned(),
                size: "20Gi".to_owned(),
                class: None,
                pool_size: 20,
                resources: PRODUCTION.database,
            })),
        }
    }

    #[test]
    fn every_object_is_one_of_its_kind_and_no_field_is_lost() {
        for desired in all(&spec()) {
            let read = desired.kind.fits(&desired.object).unwrap_or_else(|error| unreachable!("{error}"));
            assert_eq!(differences(&desired.object, &read), Vec::<String>::new(), "{}", desired.reference);
        }
    }

    #[test]
    fn everything_in_the_namespace_says_which_environment_it_is_of() {
        for desired in all(&spec()) {
            assert_eq!(desired.object["metadata"]["labels"][ENVIRONMENT_LABEL], "shop", "{}", desired.reference);
        }
    }

    #[test]
    fn names_fit_where_they_go() {
        let longest = "a".repeat(39);
        let spec = Spec { names: Names::new(&longest, "ffe"), ..spec() };
        for desired in all(&spec) {
            // A StatefulSet's name and a hash of ten characters become a label of its pods.
            let room = if desired.reference.kind == "StatefulSet" { 52 } else { 63 };
            assert!(desired.reference.name.len() <= room, "{}", desired.reference);
        }
    }
}
