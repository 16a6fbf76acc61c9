//! The bundled database: one PostgreSQL server, on the contract of the official image and nothing else.
//!
//! The contract: POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD_FILE count when the folder PGDATA is empty; the
//! server listens on port 5432 of all addresses once that is done, takes options as arguments, and runs as the user of
//! the image's flavour when the pod says so; `pg_isready` is in the path.

use ffe_cluster::Quantity;
use serde_json::json;

use crate::kinds::{Desired, Kind};
use crate::objects::secrets::PASSWORD;
use crate::objects::{ENVIRONMENT_LABEL, metadata};
use crate::presets::Preset;
use crate::spec::{Bundled, Spec};
use crate::values::WORKERS;

/// The server's port.
pub(crate) const PORT: u16 = 5432;
/// The server's container.
pub(crate) const CONTAINER: &str = "postgres";
/// Not one of the paths that images declare as volumes: those differ between major versions.
const VOLUME: &str = "/var/lib/ffe-database";
const COMPONENT: &str = "app.kubernetes.io/component";

/// Under which name the database is reached.
pub(crate) fn service(spec: &Spec) -> Desired {
    let body = json!({
        "metadata": metadata(spec, "database"),
        "spec": {
            "type": "ClusterIP",
            "selector": { ENVIRONMENT_LABEL: spec.names.environment, COMPONENT: "database" },
            "ports": [{ "name": "postgresql", "port": PORT, "targetPort": "postgresql", "protocol": "TCP" }],
        },
    });
    Desired::new(Kind::Service, Some(&spec.names.namespace), &spec.names.database(), body)
}

/// The volume. A claim of its own instead of a template in the StatefulSet: templates cannot be changed, and this one
/// can grow.
pub(crate) fn claim(spec: &Spec, bundled: &Bundled) -> Desired {
    let mut body = json!({
        "metadata": metadata(spec, "database"),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": bundled.size } },
        },
    });
    if let Some(class) = &bundled.class {
        body["spec"]["storageClassName"] = json!(class);
    }
    Desired::new(Kind::PersistentVolumeClaim, Some(&spec.names.namespace), &spec.names.database(), body)
}

/// For migrations, backups and people.
const OTHERS: i64 = 20;
/// PostgreSQL's own default.
const DEFAULT: i64 = 100;

/// Every pool that the application opens: one for each worker, in the most replicas and the one more of a rolling update.
fn pools(preset: &Preset) -> i64 {
    (preset.autoscaling.map_or(preset.replicas, |(_, most)| most) + 1) * WORKERS
}

/// The connections for which the server has memory: a process each, of a few MiB, beside what is the server's own. One
/// more, and a busy day ends with the kernel killing the server.
pub(crate) fn room(preset: &Preset) -> i64 {
    const OWN: i128 = 256 << 20;
    const EACH: i128 = 5 << 20;
    let limit = preset.database.memory.limit.parse::<Quantity>().map_or(0, |limit| limit.units());
    i64::try_from((limit - OWN) / EACH).unwrap_or(0).max(DEFAULT)
}

/// The preset's pool, or as much of it as the server has room for when the application is at its largest.
pub(crate) fn fitting_pool(preset: &Preset) -> i64 {
    preset.pool_size.min((room(preset) - OTHERS) / pools(preset)).max(1)
}

/// What the application opens at most, and a few more.
pub(crate) fn wanted(preset: &Preset, pool_size: i64) -> i64 {
    pools(preset) * pool_size + OTHERS
}

/// What the server admits.
fn max_connections(preset: &Preset, pool_size: i64) -> i64 {
    wanted(preset, pool_size).max(DEFAULT).min(room(preset))
}

/// The server.
pub(crate) fn stateful_set(spec: &Spec, bundled: &Bundled) -> Desired {
    let names = &spec.names;
    let labels = json!({ ENVIRONMENT_LABEL: names.environment, COMPONENT: "database" });
    let Bundled { resources, run_as: user, .. } = bundled;
    // Over TCP: while the folder is initialised, a temporary server answers on the local socket only.
    let ready = json!({ "exec": { "command": [
        "pg_isready", "--host=127.0.0.1", format!("--port={PORT}"),
        format!("--username={}", bundled.user), format!("--dbname={}", bundled.name),
    ] } });
    let probe = |period: i64, failures: i64| {
        let mut probe = ready.clone();
        probe["periodSeconds"] = json!(period);
        probe["timeoutSeconds"] = json!(5);
        probe["failureThreshold"] = json!(failures);
        probe
    };
    let body = json!({
        "metadata": metadata(spec, "database"),
        "spec": {
            "replicas": 1,
            "serviceName": names.database(),
            // In the other policy a pod that never became ready is not replaced by a corrected one.
            "podManagementPolicy": "Parallel",
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": {
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": 60,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": user,
                        "runAsGroup": user,
                        "fsGroup": user,
                        // Does not walk through a large volume at every start.
                        "fsGroupChangePolicy": "OnRootMismatch",
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    "containers": [{
                        "name": CONTAINER,
                        "image": bundled.image,
                        "args": ["-c", format!("max_connections={}", max_connections(&spec.preset, bundled.pool_size))],
                        "env": [
                            { "name": "POSTGRES_DB", "value": bundled.name },
                            { "name": "POSTGRES_USER", "value": bundled.user },
                            { "name": "POSTGRES_PASSWORD_FILE", "value": format!("/run/secrets/ffe/{PASSWORD}") },
                            // Below the volume's root, where a file system keeps lost+found.
                            { "name": "PGDATA", "value": format!("{VOLUME}/pgdata") },
                        ],
                        "ports": [{ "name": "postgresql", "containerPort": PORT, "protocol": "TCP" }],
                        "resources": {
                            "requests": { "cpu": resources.cpu.request, "memory": resources.memory.request },
                            "limits": { "cpu": resources.cpu.limit, "memory": resources.memory.limit },
                        },
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "capabilities": { "drop": ["ALL"] },
                        },
                        // Recovery after a crash may take minutes: no liveness probe, which would cut it short.
                        "startupProbe": probe(2, 300),
                        "readinessProbe": probe(5, 3),
                        "volumeMounts": [
                            { "name": "data", "mountPath": VOLUME },
                            { "name": "password", "mountPath": "/run/secrets/ffe", "readOnly": true },
                            // A container's own shared memory of 64 MiB is too small for parallel queries.
                            { "name": "shared-memory", "mountPath": "/dev/shm" },
                        ],
                    }],
                    "volumes": [
                        { "name": "data", "persistentVolumeClaim": { "claimName": names.database() } },
                        { "name": "password", "secret": {
                            "secretName": names.password(),
                            "items": [{ "key": PASSWORD, "path": PASSWORD }],
                            "defaultMode": 0o440,
                        } },
                        { "name": "shared-memory", "emptyDir": { "medium": "Memory", "sizeLimit": "256Mi" } },
                    ],
                },
            },
        },
    });
    Desired::new(Kind::StatefulSet, Some(&names.namespace), &names.database(), body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::objects::tests::spec;

    #[test]
    fn the_pod_meets_restricted_and_sets_resources() {
        let spec = spec();
        let object = stateful_set(&spec, spec.database.bundled().unwrap()).object;
        let pod = &object["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["runAsUser"], 70);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for container in pod["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
            for bound in ["requests", "limits"] {
                assert!(container["resources"][bound]["cpu"].is_string());
                assert!(container["resources"][bound]["memory"].is_string());
            }
        }
        // `restricted` knows these kinds of volumes.
        for volume in pod["volumes"].as_array().unwrap() {
            let kinds = ["configMap", "emptyDir", "persistentVolumeClaim", "secret"];
            assert!(kinds.iter().any(|kind| volume.get(kind).is_some()), "{volume}");
        }
    }

    #[test]
    fn the_server_admits_what_the_replicas_can_open() {
        use crate::presets::{DEV, PRODUCTION, STAGING};
        let fitting = [&DEV, &STAGING, &PRODUCTION].map(|preset| {
            let pool = fitting_pool(preset);
            (pool, max_connections(preset, pool))
        });
        assert_eq!(fitting, [(5, 100), (5, 140), (7, 328)]);
    }

    #[test]
    fn more_connections_than_there_is_memory_for_are_not_admitted() {
        use crate::presets::{DEV, PRODUCTION};
        for preset in [&DEV, &PRODUCTION] {
            let admitted = max_connections(preset, 1000);
            assert_eq!(admitted, room(preset));
            let memory: Quantity = preset.database.memory.limit.parse().unwrap();
            assert!(i128::from(admitted) * (5 << 20) < memory.units());
        }
    }

    #[test]
    fn the_password_is_a_file_and_never_an_argument_or_variable() {
        let spec = spec();
        let text = stateful_set(&spec, spec.database.bundled().unwrap()).object.to_string();
        assert!(text.contains("POSTGRES_PASSWORD_FILE") && !text.contains("\"POSTGRES_PASSWORD\""));
        assert!(!text.contains("secretKeyRef"));
    }

    #[test]
    fn the_service_selects_the_pods_of_this_environment() {
        let spec = spec();
        let stateful_set = stateful_set(&spec, spec.database.bundled().unwrap()).object;
        assert_eq!(service(&spec).object["spec"]["selector"], stateful_set["spec"]["template"]["metadata"]["labels"]);
    }

    #[test]
    fn the_class_is_the_clusters_unless_told() {
        let spec = spec();
        let bundled = spec.database.bundled().unwrap();
        assert!(claim(&spec, bundled).object["spec"].get("storageClassName").is_none());
        let fast = Bundled { class: Some("fast".to_owned()), ..bundled.clone() };
        assert_eq!(claim(&spec, &fast).object["spec"]["storageClassName"], "fast");
    }
}
