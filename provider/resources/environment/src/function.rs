//! `provider::ffe::preset(name)`: the values of a preset, for use in a configuration.

use tfplugin::{Attr, Field, Function, FunctionError, Model, Parameter, Signature, Type, Value};

use crate::presets::{PRESETS, Preset};

/// The function `preset`.
#[derive(Clone, Copy, Debug, Default)]
pub struct PresetFunction;

/// What a preset decides.
#[derive(Model, Clone, Debug)]
struct PresetValues {
    /// Name of the preset.
    #[attr(computed)]
    name: Attr<String>,
    /// Replicas of the application.
    #[attr(computed)]
    replicas: Attr<i64>,
    /// CPU that a replica reserves.
    #[attr(computed)]
    cpu_request: Attr<String>,
    /// CPU that a replica may use.
    #[attr(computed)]
    cpu_limit: Attr<String>,
    /// Memory that a replica reserves.
    #[attr(computed)]
    memory_request: Attr<String>,
    /// Memory that a replica may use.
    #[attr(computed)]
    memory_limit: Attr<String>,
    /// Fewest replicas under autoscaling; null without it.
    #[attr(computed)]
    min_replicas: Attr<i64>,
    /// Most replicas under autoscaling; null without it.
    #[attr(computed)]
    max_replicas: Attr<i64>,
    /// Seconds that a probe may take.
    #[attr(computed)]
    probe_timeout_seconds: Attr<i64>,
    /// Seconds between two readiness probes.
    #[attr(computed)]
    readiness_period_seconds: Attr<i64>,
    /// Failures in a row that count.
    #[attr(computed)]
    probe_failure_threshold: Attr<i64>,
    /// Size of the application's volume; null without one.
    #[attr(computed)]
    persistence_size: Attr<String>,
    /// Fewest replicas that a voluntary disruption leaves; null without a budget.
    #[attr(computed)]
    min_available: Attr<i64>,
    /// Size of the application's database pool.
    #[attr(computed)]
    database_pool_size: Attr<i64>,
    /// Size of the bundled database's volume.
    #[attr(computed)]
    database_storage_size: Attr<String>,
    /// Requests that one client may make in a minute.
    #[attr(computed)]
    requests_per_minute: Attr<i64>,
    /// ACME server; null without TLS.
    #[attr(computed)]
    acme_server: Attr<String>,
    /// Whether secrets come from Vault.
    #[attr(computed)]
    vault: Attr<bool>,
    /// Whether replicas keep apart from each other.
    #[attr(computed)]
    anti_affinity: Attr<bool>,
    /// Whether answers carry security headers.
    #[attr(computed)]
    security_headers: Attr<bool>,
    /// Sum of CPU limits that the quota allows.
    #[attr(computed)]
    quota_cpu: Attr<String>,
    /// Sum of memory limits that the quota allows.
    #[attr(computed)]
    quota_memory: Attr<String>,
    /// Number of pods that the quota allows.
    #[attr(computed)]
    quota_pods: Attr<i64>,
    /// Whether network policies isolate the namespace.
    #[attr(computed)]
    isolation: Attr<bool>,
    /// Pod Security level of the namespace.
    #[attr(computed)]
    pod_security: Attr<String>,
    /// Whether a destroy is refused until told otherwise.
    #[attr(computed)]
    deletion_protection: Attr<bool>,
}

impl From<&Preset> for PresetValues {
    fn from(preset: &Preset) -> PresetValues {
        PresetValues {
            name: preset.name.into(),
            replicas: preset.replicas.into(),
            cpu_request: preset.cpu.request.into(),
            cpu_limit: preset.cpu.limit.into(),
            memory_request: preset.memory.request.into(),
            memory_limit: preset.memory.limit.into(),
            min_replicas: preset.autoscaling.map(|(fewest, _)| fewest).into(),
            max_replicas: preset.autoscaling.map(|(_, most)| most).into(),
            probe_timeout_seconds: preset.probes.timeout_seconds.into(),
            readiness_period_seconds: preset.probes.readiness_period_seconds.into(),
            probe_failure_threshold: preset.probes.failure_threshold.into(),
            persistence_size: preset.persistence.map(str::to_owned).into(),
            min_available: preset.disruption_budget.into(),
            database_pool_size: preset.pool_size.into(),
            database_storage_size: preset.database.storage.into(),
            requests_per_minute: preset.requests_per_minute.into(),
            acme_server: preset.acme_server.map(str::to_owned).into(),
            vault: preset.vault.into(),
            anti_affinity: preset.anti_affinity.into(),
            security_headers: preset.security_headers.into(),
            quota_cpu: preset.quota.cpu.into(),
            quota_memory: preset.quota.memory.into(),
            quota_pods: preset.quota.pods.into(),
            isolation: preset.isolation.into(),
            pod_security: preset.pod_security.into(),
            deletion_protection: preset.deletion_protection.into(),
        }
    }
}

impl Function for PresetFunction {
    fn signature(&self) -> Signature {
        Signature {
            name: "preset".to_owned(),
            parameters: vec![Parameter {
                name: "name".to_owned(),
                ty: Type::String,
                description: "`dev`, `staging` or `production`.".to_owned(),
                allow_null: false,
                allow_unknown: false,
            }],
            variadic: None,
            returns: PresetValues::shape().ty(),
            summary: "The values of a preset".to_owned(),
            description:
                "Everything that a preset of `ffe_environment` decides, as an object. `isolation` and `vault` say what \
                 it will do: nothing is isolated yet, and no secret comes from Vault."
                    .to_owned(),
            deprecated: None,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let name = arguments.first().and_then(Value::as_str).unwrap_or_default();
        let preset = Preset::named(name).ok_or_else(|| {
            let names: Vec<String> = PRESETS.iter().map(|preset| format!("\"{}\"", preset.name)).collect();
            FunctionError::argument(0, format!("there is no preset \"{name}\"; expected one of {}", names.join(", ")))
        })?;
        Ok(PresetValues::from(preset).to_value())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_preset_is_an_object_of_its_values() {
        let values = PresetFunction.call(vec!["staging".into()]).unwrap();
        assert_eq!(values.attribute("max_replicas"), &Value::from(5));
        assert_eq!(values.attribute("memory_limit"), &Value::from("1.5Gi"));
        let Type::Object(attributes) = PresetFunction.signature().returns else { unreachable!() };
        assert_eq!(attributes.keys().collect::<Vec<_>>(), values.as_map().unwrap().keys().collect::<Vec<_>>());
        assert!(PresetFunction.call(vec!["dev".into()]).unwrap().attribute("acme_server").is_null());
    }

    #[test]
    fn an_unknown_preset_is_the_arguments_fault() {
        let error = PresetFunction.call(vec!["prod".into()]).unwrap_err();
        assert_eq!(error.argument, Some(0));
        assert!(error.text.contains("\"prod\"") && error.text.contains("\"production\""), "{error}");
    }
}
