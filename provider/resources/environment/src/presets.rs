//! The three presets: what dev, staging and production mean, in one table.

/// A request and the limit above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What is reserved.
    pub request: &'static str,
    /// What may be used at most.
    pub limit: &'static str,
}

/// How probes of the application behave. Seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probes {
    /// How long an answer may take.
    pub timeout_seconds: i64,
    /// How often readiness is asked for.
    pub readiness_period_seconds: i64,
    /// How many failures in a row count.
    pub failure_threshold: i64,
}

/// What the namespace may use at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaDefaults {
    /// Sum of the CPU limits.
    pub cpu: &'static str,
    /// Sum of the memory limits.
    pub memory: &'static str,
    /// Number of pods.
    pub pods: i64,
}

/// The bundled database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseDefaults {
    /// CPU of its pod.
    pub cpu: Bounds,
    /// Memory of its pod.
    pub memory: Bounds,
    /// Size of its volume.
    pub storage: &'static str,
}

/// Everything that a preset decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// `dev`, `staging` or `production`.
    pub name: &'static str,
    /// Replicas of the application.
    pub replicas: i64,
    /// CPU of a replica.
    pub cpu: Bounds,
    /// Memory of a replica.
    pub memory: Bounds,
    /// Fewest and most replicas, where they follow the load.
    pub autoscaling: Option<(i64, i64)>,
    /// Probes of a replica.
    pub probes: Probes,
    /// Size of the application's own volume, where it has one.
    pub persistence: Option<&'static str>,
    /// Fewest replicas that a voluntary disruption leaves, where there is such a budget.
    pub disruption_budget: Option<i64>,
    /// Size of the application's database pool.
    pub pool_size: i64,
    /// Requests that one client may make in a minute.
    pub requests_per_minute: i64,
    /// The ACME server that certificates are ordered from, where there is TLS.
    pub acme_server: Option<&'static str>,
    /// Whether secrets come from Vault.
    pub vault: bool,
    /// Whether replicas keep apart from each other.
    pub anti_affinity: bool,
    /// Whether answers carry security headers.
    pub security_headers: bool,
    /// The namespace's quota.
    pub quota: QuotaDefaults,
    /// Whether network policies isolate the namespace.
    pub isolation: bool,
    /// The Pod Security level of the namespace.
    pub pod_security: &'static str,
    /// Whether a destroy is refused until told otherwise.
    pub deletion_protection: bool,
    /// The bundled database.
    pub database: DatabaseDefaults,
}

/// Where answers carry security headers: X-Frame-Options.
pub(crate) const FRAME_OPTIONS: &str = "DENY";
/// … and Content-Security-Policy.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'self'";

/// For one developer.
pub const DEV: Preset = Preset {
    name: "dev",
    replicas: 1,
    cpu: Bounds { request: "100m", limit: "500m" },
    memory: Bounds { request: "256Mi", limit: "1Gi" },
    autoscaling: None,
    probes: Probes { timeout_seconds: 5, readiness_period_seconds: 10, failure_threshold: 3 },
    persistence: None,
    disruption_budget: None,
    pool_size: 5,
    requests_per_minute: 100,
    acme_server: None,
    vault: false,
    anti_affinity: false,
    security_headers: false,
    quota: QuotaDefaults { cpu: "4", memory: "8Gi", pods: 20 },
    isolation: false,
    pod_security: "baseline",
    deletion_protection: false,
    database: DatabaseDefaults {
        cpu: Bounds { request: "100m", limit: "500m" },
        memory: Bounds { request: "256Mi", limit: "1Gi" },
        storage: "1Gi",
    },
};

/// Like production, smaller.
pub const STAGING: Preset = Preset {
    name: "staging",
    replicas: 2,
    cpu: Bounds { request: "250m", limit: "750m" },
    memory: Bounds { request: "512Mi", limit: "1.5Gi" },
    autoscaling: Some((2, 5)),
    probes: Probes { timeout_seconds: 5, readiness_period_seconds: 10, failure_threshold: 2 },
    persistence: Some("5Gi"),
    disruption_budget: Some(1),
    pool_size: 5,
    requests_per_minute: 100,
    acme_server: Some("letsencrypt-staging"),
    vault: false,
    anti_affinity: false,
    security_headers: false,
    quota: QuotaDefaults { cpu: "8", memory: "16Gi", pods: 40 },
    isolation: true,
    pod_security: "restricted",
    deletion_protection: false,
    database: DatabaseDefaults {
        cpu: Bounds { request: "250m", limit: "750m" },
        memory: Bounds { request: "512Mi", limit: "1.5Gi" },
        storage: "5Gi",
    },
};

/// For money.
pub const PRODUCTION: Preset = Preset {
    name: "production",
    replicas: 3,
    cpu: Bounds { request: "500m", limit: "2" },
    memory: Bounds { request: "1Gi", limit: "2Gi" },
    autoscaling: Some((3, 10)),
    probes: Probes { timeout_seconds: 3, readiness_period_seconds: 5, failure_threshold: 1 },
    persistence: Some("20Gi"),
    disruption_budget: Some(2),
    pool_size: 20,
    requests_per_minute: 200,
    acme_server: Some("letsencrypt"),
    vault: true,
    anti_affinity: true,
    security_headers: true,
    quota: QuotaDefaults { cpu: "32", memory: "48Gi", pods: 80 },
    isolation: true,
    pod_security: "restricted",
    deletion_protection: true,
    database: DatabaseDefaults {
        cpu: Bounds { request: "500m", limit: "2" },
        memory: Bounds { request: "1Gi", limit: "2Gi" },
        storage: "20Gi",
    },
};

/// All of them.
pub const PRESETS: [&Preset; 3] = [&DEV, &STAGING, &PRODUCTION];

/// What applies where no preset is named: dev's values. Nothing is said about what the environment is for, so
/// it is not labelled as dev (a release backs up before it migrates unless it is told "dev" or "staging"), and
/// the Pod Security level is the strict one.
pub(crate) const UNNAMED: Preset = Preset { pod_security: "restricted", ..DEV };

impl Preset {
    /// The preset of that name.
    pub fn named(name: &str) -> Option<&'static Preset> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_cluster::Quantity;

    use super::*;

    /// One row of the table, the three presets beside each other.
    fn row(name: &str, cell: impl Fn(&Preset) -> String) -> String {
        let cells: Vec<String> = PRESETS.iter().map(|preset| cell(preset)).collect();
        format!("{name} | {}", cells.join(" | "))
    }

    fn or_none<T: ToString>(cell: Option<T>) -> String {
        cell.map_or_else(|| "none".to_owned(), |cell| cell.to_string())
    }

    #[test]
    fn every_cell_is_as_in_the_table() {
        let on = |truth: bool| if truth { "on" } else { "off" }.to_owned();
        let table = [
            row("", |p| p.name.to_owned()),
            row("replicas", |p| p.replicas.to_string()),
            row("CPU request / limit", |p| format!("{} / {}", p.cpu.request, p.cpu.limit)),
            row("memory request / limit", |p| format!("{} / {}", p.memory.request, p.memory.limit)),
            row("autoscaling", |p| or_none(p.autoscaling.map(|(low, high)| format!("{low}–{high}")))),
            row("probe timeout / readiness interval / failures", |p| {
                let probes = p.probes;
                format!(
                    "{}s / {}s / {}",
                    probes.timeout_seconds, probes.readiness_period_seconds, probes.failure_threshold
                )
            }),
            row("persistence", |p| or_none(p.persistence)),
            row("disruption budget", |p| or_none(p.disruption_budget.map(|budget| format!("min {budget}")))),
            row("database pool", |p| p.pool_size.to_string()),
            row("requests a minute", |p| p.requests_per_minute.to_string()),
            row("TLS", |p| or_none(p.acme_server)),
            row("Vault", |p| on(p.vault)),
            row("anti-affinity", |p| on(p.anti_affinity)),
            row("security headers", |p| on(p.security_headers)),
            row("quota: CPU limits / memory limits / pods", |p| {
                format!("{} / {} / {}", p.quota.cpu, p.quota.memory, p.quota.pods)
            }),
            row("isolation", |p| on(p.isolation)),
            row("Pod Security", |p| p.pod_security.to_owned()),
            row("deletion protection", |p| on(p.deletion_protection)),
        ];
        let expected = " | dev | staging | production
replicas | 1 | 2 | 3
CPU request / limit | 100m / 500m | 250m / 750m | 500m / 2
memory request / limit | 256Mi / 1Gi | 512Mi / 1.5Gi | 1Gi / 2Gi
autoscaling | none | 2–5 | 3–10
probe timeout / readiness interval / failures | 5s / 10s / 3 | 5s / 10s / 2 | 3s / 5s / 1
persistence | none | 5Gi | 20Gi
disruption budget | none | min 1 | min 2
database pool | 5 | 5 | 20
requests a minute | 100 | 100 | 200
TLS | none | letsencrypt-staging | letsencrypt
Vault | off | off | on
anti-affinity | off | off | on
security headers | off | off | on
quota: CPU limits / memory limits / pods | 4 / 8Gi / 20 | 8 / 16Gi / 40 | 32 / 48Gi / 80
isolation | off | on | on
Pod Security | baseline | restricted | restricted
deletion protection | off | off | on";
        assert_eq!(table.join("\n"), expected);
    }

    #[test]
    fn the_quota_admits_a_full_rolling_update_beside_the_database_and_two_jobs() {
        let quantity = |text: &str| text.parse::<Quantity>().unwrap();
        for preset in PRESETS {
            // The most replicas, the one more of a rolling update, the preflight and the migration of a release.
            let replicas = i128::from(preset.autoscaling.map_or(preset.replicas, |(_, most)| most)) + 1 + 2;
            let cpu = replicas * quantity(preset.cpu.limit).millis() + quantity(preset.database.cpu.limit).millis();
            let memory =
                replicas * quantity(preset.memory.limit).units() + quantity(preset.database.memory.limit).units();
            assert!(cpu <= quantity(preset.quota.cpu).millis(), "{}: {cpu}m", preset.name);
            assert!(memory <= quantity(preset.quota.memory).units(), "{}: {memory}", preset.name);
            assert!(replicas < i128::from(preset.quota.pods), "{}", preset.name);
        }
    }

    #[test]
    fn presets_are_found_by_name_and_no_other_is() {
        assert_eq!(Preset::named("staging"), Some(&STAGING));
        assert_eq!(Preset::named("Production"), None);
    }
}
