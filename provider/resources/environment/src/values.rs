//! The preset as values for the chart.
//!
//! A pure function of the configuration: no secrets, no revisions, nothing of the cluster. So it is known at
//! plan, and a change of something else never makes releases look changed.

use serde_json::{Value as Json, json};

use crate::names::Names;
use crate::presets::Preset;

/// Uvicorn workers of a replica. Each has a connection pool of its own.
pub(crate) const WORKERS: i64 = 4;
/// CPU load, in percent of the request, at which replicas are added.
const TARGET_CPU: i64 = 70;

/// What of the environment goes into the values, beside the preset.
#[derive(Clone, Debug)]
pub(crate) struct Inputs<'a> {
    pub(crate) names: &'a Names,
    /// The preset's numbers.
    pub(crate) preset: &'a Preset,
    /// What the application is told that it runs in.
    pub(crate) environment: &'a str,
    /// Whether there is a database.
    pub(crate) database: bool,
    /// Size of the application's connection pool.
    pub(crate) pool_size: i64,
}

/// YAML of the values.
pub(crate) fn yaml(inputs: &Inputs<'_>) -> String {
    // Writing JSON that was just built as YAML into memory has nothing to fail on.
    serde_norway::to_string(&document(inputs)).unwrap_or_default()
}

fn document(inputs: &Inputs<'_>) -> Json {
    let Inputs { names, preset, .. } = inputs;
    let (fewest, most) = preset.autoscaling.unwrap_or((preset.replicas, preset.replicas));
    let database_secret = if inputs.database { names.database() } else { String::new() };
    json!({
        "environment": inputs.environment,
        "replicaCount": preset.replicas,
        "workers": WORKERS,
        "requestsPerMinute": preset.requests_per_minute,
        "resources": {
            "requests": { "cpu": preset.cpu.request, "memory": preset.memory.request },
            "limits": { "cpu": preset.cpu.limit, "memory": preset.memory.limit },
        },
        "autoscaling": {
            "enabled": preset.autoscaling.is_some(),
            "minReplicas": fewest,
            "maxReplicas": most,
            "targetCPUUtilizationPercentage": TARGET_CPU,
        },
        "probes": {
            "timeoutSeconds": preset.probes.timeout_seconds,
            "readinessPeriodSeconds": preset.probes.readiness_period_seconds,
            "failureThreshold": preset.probes.failure_threshold,
        },
        "persistence": with("size", preset.persistence),
        "podDisruptionBudget": with("minAvailable", preset.disruption_budget),
        "podAntiAffinity": if preset.anti_affinity { "soft" } else { "none" },
        "strategy": { "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } },
        "podSecurityContext": {
            "runAsNonRoot": true,
            "fsGroup": 10001,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "securityContext": { "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } },
        "serviceAccount": { "create": false, "name": names.base() },
        "existingConfigMap": names.config_map(),
        "existingSecret": names.app_secret(),
        "database": { "existingSecret": database_secret, "poolSize": inputs.pool_size },
        "initContainers": {
            "waitForPostgres": { "enabled": inputs.database },
            // The release migrates, once, before it deploys.
            "alembicMigrate": { "enabled": false },
        },
        // The TLS endpoint is a resource of its own.
        "ingress": { "enabled": false },
        "securityHeaders": { "enabled": preset.security_headers },
        "vault": { "enabled": preset.vault },
    })
}

/// `{ enabled, <name> }`, the second where there is a value.
fn with(name: &str, value: Option<impl Into<Json>>) -> Json {
    match value {
        Some(value) => json!({ "enabled": true, name: value.into() }),
        None => json!({ "enabled": false }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::presets::{DEV, PRODUCTION, STAGING};

    fn values(preset: &Preset) -> String {
        let names = Names::new("shop", "ffe-shop");
        let pool_size = preset.pool_size;
        yaml(&Inputs { names: &names, preset, environment: preset.name, database: true, pool_size })
    }

    #[test]
    fn production_is_spelled_out() {
        let expected = "environment: production
replicaCount: 3
workers: 4
requestsPerMinute: 200
resources:
  requests:
    cpu: 500m
    memory: 1Gi
  limits:
    cpu: '2'
    memory: 2Gi
autoscaling:
  enabled: true
  minReplicas: 3
  maxReplicas: 10
  targetCPUUtilizationPercentage: 70
probes:
  timeoutSeconds: 3
  readinessPeriodSeconds: 5
  failureThreshold: 1
persistence:
  enabled: true
  size: 20Gi
podDisruptionBudget:
  enabled: true
  minAvailable: 2
podAntiAffinity: soft
strategy:
  rollingUpdate:
    maxSurge: 1
    maxUnavailable: 0
podSecurityContext:
  runAsNonRoot: true
  fsGroup: 10001
  seccompProfile:
    type: RuntimeDefault
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop:
    - ALL
serviceAccount:
  create: false
  name: ffe-shop
existingConfigMap: ffe-shop-config
existingSecret: ffe-shop-app
database:
  existingSecret: ffe-shop-database
  poolSize: 20
initContainers:
  waitForPostgres:
    enabled: true
  alembicMigrate:
    enabled: false
ingress:
  enabled: false
securityHeaders:
  enabled: true
vault:
  enabled: true
";
        assert_eq!(values(&PRODUCTION), expected);
    }

    /// The paths at which two documents differ, with both values.
    fn differences(left: &Json, right: &Json, at: &str, found: &mut Vec<String>) {
        match (left, right) {
            (Json::Object(a), Json::Object(b)) => {
                let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
                keys.sort();
                keys.dedup();
                for key in keys {
                    differences(&left[key.as_str()], &right[key.as_str()], &format!("{at}/{key}"), found);
                }
            }
            _ if left != right => found.push(format!("{at}: {left} {right}")),
            _ => {}
        }
    }

    fn against_production(preset: &Preset) -> String {
        let read = |text: String| serde_norway::from_str::<Json>(&text).unwrap();
        let mut found = Vec::new();
        differences(&read(values(preset)), &read(values(&PRODUCTION)), "", &mut found);
        found.join("\n")
    }

    #[test]
    fn staging_differs_from_production_in_these_cells() {
        let expected = r#"/autoscaling/maxReplicas: 5 10
/autoscaling/minReplicas: 2 3
/database/poolSize: 5 20
/environment: "staging" "production"
/persistence/size: "5Gi" "20Gi"
/podAntiAffinity: "none" "soft"
/podDisruptionBudget/minAvailable: 1 2
/probes/failureThreshold: 2 1
/probes/readinessPeriodSeconds: 10 5
/probes/timeoutSeconds: 5 3
/replicaCount: 2 3
/requestsPerMinute: 100 200
/resources/limits/cpu: "750m" "2"
/resources/limits/memory: "1.5Gi" "2Gi"
/resources/requests/cpu: "250m" "500m"
/resources/requests/memory: "512Mi" "1Gi"
/securityHeaders/enabled: false true
/vault/enabled: false true"#;
        assert_eq!(against_production(&STAGING), expected);
    }

    #[test]
    fn dev_differs_from_production_in_these_cells() {
        let expected = r#"/autoscaling/enabled: false true
/autoscaling/maxReplicas: 1 10
/autoscaling/minReplicas: 1 3
/database/poolSize: 5 20
/environment: "dev" "production"
/persistence/enabled: false true
/persistence/size: null "20Gi"
/podAntiAffinity: "none" "soft"
/podDisruptionBudget/enabled: false true
/podDisruptionBudget/minAvailable: null 2
/probes/failureThreshold: 3 1
/probes/readinessPeriodSeconds: 10 5
/probes/timeoutSeconds: 5 3
/replicaCount: 1 3
/requestsPerMinute: 100 200
/resources/limits/cpu: "500m" "2"
/resources/limits/memory: "1Gi" "2Gi"
/resources/requests/cpu: "100m" "500m"
/resources/requests/memory: "256Mi" "1Gi"
/securityHeaders/enabled: false true
/vault/enabled: false true"#;
        assert_eq!(against_production(&DEV), expected);
    }

    #[test]
    fn without_a_database_nothing_waits_for_one() {
        let names = Names::new("shop", "ffe-shop");
        let text = yaml(&Inputs { names: &names, preset: &DEV, environment: "dev", database: false, pool_size: 5 });
        let values: Json = serde_norway::from_str(&text).unwrap();
        assert_eq!(values["database"]["existingSecret"], "");
        assert_eq!(values["initContainers"]["waitForPostgres"]["enabled"], false);
    }
}
