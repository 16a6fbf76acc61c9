//! What a user writes, and what comes back: the schema of `ffe_environment`.

use std::collections::BTreeMap;

use ffe_session::checks::{dns_label, duration, quantity};
use tfplugin::{Attr, Check, Model};

use crate::checks::{data_keys, environment_name, identifier, image, instances, metadata_keys, postgres_version};

/// Where the application lives: a namespace with its Pod Security level, quota, service account, configuration,
/// secrets and database.
///
/// A preset gives every number a value; an attribute that is set wins over it, and falls back to it when it is
/// removed. `values` carries the preset to the chart. What exists already and was not made by this provider is
/// refused unless it is imported or `adopt` is set. A database is never replaced: a change that it cannot make in
/// place is refused when it is planned.
///
/// Import takes the name of an environment that this provider made, or `<namespace>/<environment>`. For a namespace
/// that it did not make use the latter, with the `name` of the configuration: with the namespace alone the environment is
/// named after it, and another `name` would plan a replacement. The first apply after importing such a
/// namespace leaves what is in it as it is, makes what the environment lacks, and counts the namespace as adopted.
#[derive(Model, Clone, Debug)]
pub struct Environment {
    /// Name of the environment, such as `production`. A DNS label of at most 39 characters; the objects in the
    /// namespace are called `ffe-<name>` or begin with it.
    #[attr(required, replace, check = environment_name())]
    pub name: Attr<String>,
    /// What the environment is for. Without one, the values of `dev` apply, the Pod Security level is `restricted`,
    /// and the namespace is not labelled with a preset.
    #[attr(optional, one_of("dev", "staging", "production"))]
    pub preset: Attr<String>,
    /// The namespace. Default: `ffe-<name>`.
    #[attr(optional, computed, replace, check = dns_label())]
    pub namespace: Attr<String>,
    /// Take over a namespace, and objects in it, that exist already and belong to nobody else. They stay when the
    /// environment is destroyed, and get back what they had before: what they were is kept in the Secret
    /// `ffe-originals-…` of the namespace. An environment that is complete and in another state is not taken over; it is imported.
    #[attr(default = false)]
    pub adopt: Attr<bool>,
    /// Labels of the namespace.
    #[attr(optional, check = metadata_keys("labels"))]
    pub labels: Attr<BTreeMap<String, Attr<String>>>,
    /// Annotations of the namespace.
    #[attr(optional, check = metadata_keys("annotations"))]
    pub annotations: Attr<BTreeMap<String, Attr<String>>>,
    /// How long one operation may take.
    #[attr(default = "10m", check = duration())]
    pub timeout: Attr<String>,
    /// Pod Security level of the namespace (enforced, audited and warned of). Default: `restricted`; `baseline` in
    /// preset `dev`; in a namespace that is taken over the level that it has, which may be none. The plan names the pods that a
    /// level would not admit any more.
    #[attr(optional, computed, one_of("privileged", "baseline", "restricted"))]
    pub pod_security: Attr<String>,
    /// What the namespace may use at most: a ResourceQuota, and a LimitRange that gives containers without limits
    /// those of the preset. What is left out is the preset's.
    #[attr(optional, computed)]
    pub quota: Attr<Quota>,
    /// Settings that are no secrets: the content of a ConfigMap.
    #[attr(optional, check = data_keys())]
    pub config: Attr<BTreeMap<String, Attr<String>>>,
    /// Secrets of the application: the content of a Secret. Sent on every apply, never stored; whether they changed
    /// is told by a keyed digest that stays in the cluster, or by `secrets_wo_version`.
    #[attr(optional, write_only, sensitive, check = data_keys())]
    pub secrets_wo: Attr<BTreeMap<String, Attr<String>>>,
    /// When set, `secrets_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub secrets_wo_version: Attr<String>,
    /// The database. Left out: none.
    #[attr(optional, may_be_empty)]
    pub database: Attr<Database>,
    /// Refuse to destroy or replace the environment. Default: true in preset `production`. Read from the state
    /// before: to destroy, apply `false` first. An environment that made its namespace deletes it with everything in
    /// it: also backups and TLS Secrets that other resources keep when they are destroyed.
    #[attr(optional, computed)]
    pub deletion_protection: Attr<bool>,

    /// The service account for the application. Its role may read the environment's own ConfigMap and Secrets.
    #[attr(computed)]
    pub service_account: Attr<String>,
    /// The Secret with `DATABASE_URL`, `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`.
    #[attr(computed)]
    pub database_secret: Attr<String>,
    /// The Secret with what `secrets_wo` says.
    #[attr(computed)]
    pub app_secret: Attr<String>,
    /// The ConfigMap with what `config` says.
    #[attr(computed)]
    pub config_map: Attr<String>,
    /// Changes when `config` does: pass it to the chart, so that pods restart.
    #[attr(computed)]
    pub config_revision: Attr<String>,
    /// Changes when the content of `secrets_wo` or `database.url_wo` does: pass it to the chart, so that pods
    /// restart. Says nothing about the content.
    #[attr(computed)]
    pub secrets_revision: Attr<String>,
    /// The preset as values for the chart, YAML. They fit a chart with the values of `examples/ffe-backend/chart`:
    /// `environment`, `replicaCount`, `workers`, `requestsPerMinute`, `resources`, `autoscaling`, `probes`,
    /// `persistence`, `podDisruptionBudget`, `podAntiAffinity`, `strategy`, `podSecurityContext`, `securityContext`,
    /// `serviceAccount`, `existingConfigMap`, `existingSecret`, `database` (`existingSecret`, `poolSize`),
    /// `initContainers`, `ingress` (off), `securityHeaders` and `vault`.
    #[attr(computed)]
    pub values: Attr<String>,
    /// The Pod Security level that a namespace had before it was taken over, empty where it had none: it stays where
    /// `pod_security` is left out. Null for a namespace that was made here.
    #[attr(computed, keep)]
    pub pod_security_before: Attr<String>,
    /// What the preset says for the TLS endpoint.
    #[attr(computed)]
    pub tls: Attr<TlsDefaults>,
    /// What differs in the cluster from what was applied. Shown in the plan as what the apply will put right.
    #[attr(computed)]
    pub drifted: Attr<Vec<Drift>>,
    /// The image that the bundled database was made with, which it runs where `database.image` is left out.
    #[attr(computed, keep)]
    pub initial_database_image: Attr<String>,
    /// How the bundled database is.
    #[attr(computed)]
    pub database_status: Attr<DatabaseStatus>,
}

/// Upper bounds for a namespace.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Quota {
    /// Sum of the CPU limits of all pods.
    #[attr(optional, computed, check = quantity())]
    pub cpu: Attr<String>,
    /// Sum of the memory limits of all pods.
    #[attr(optional, computed, check = quantity())]
    pub memory: Attr<String>,
    /// Number of pods.
    #[attr(optional, computed, check = Check::between(1, 1_000_000))]
    pub pods: Attr<i64>,
    /// Sum of the storage that volumes ask for. Default: no bound.
    #[attr(optional, check = quantity())]
    pub storage: Attr<String>,
}

/// A PostgreSQL database, made here or elsewhere.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Database {
    /// `bundled`: a PostgreSQL instance in the namespace. `external`: one that exists elsewhere, given by `url_wo`.
    /// Cannot be changed later.
    #[attr(default = "bundled", one_of("bundled", "external"))]
    pub mode: Attr<String>,
    /// Major version of PostgreSQL. Default: what the image's tag says, else `16`. Cannot be changed later.
    #[attr(optional, computed, keep, check = postgres_version())]
    pub version: Attr<String>,
    /// Image that keeps the contract of the official `postgres` image. Default: `postgres:<version>-alpine`, or what
    /// the environment variable `FFE_DATABASE_IMAGE` says, when the database is made; later the one that it was made with. An
    /// image of another flavour (Alpine, Debian) is refused: the data belongs to another user there, and is sorted differently.
    #[attr(optional, computed, check = image())]
    pub image: Attr<String>,
    /// User and group that the server runs as: the number of the image's user `postgres`. Default: 70 where the image's tag
    /// says `alpine`, else 999. Cannot be changed later.
    #[attr(optional, computed, check = Check::between(1, 2_147_483_647))]
    pub run_as_user: Attr<i64>,
    /// Name of the database. Default: `ffe`. Cannot be changed later.
    #[attr(optional, computed, check = identifier())]
    pub name: Attr<String>,
    /// The user that owns the database. Default: `ffe`. Cannot be changed later. The password is generated in the
    /// cluster and stays there.
    #[attr(optional, computed, check = identifier())]
    pub user: Attr<String>,
    /// Size of the application's connection pool, passed on in `values`: each of a replica's four workers has one. Default: the
    /// preset's, or less where a bundled database has no memory for the connections of the preset's most replicas.
    #[attr(optional, computed, check = Check::between(1, 10_000))]
    pub pool_size: Attr<i64>,
    /// Number of instances: 1.
    #[attr(optional, computed, check = instances())]
    pub instances: Attr<i64>,
    /// Where the data lies.
    #[attr(optional, computed)]
    pub storage: Attr<Storage>,
    /// URL of an external database: `postgresql://user:password@host:port/name`. Never stored outside of the
    /// cluster.
    #[attr(optional, write_only, sensitive)]
    pub url_wo: Attr<String>,
    /// When set, `url_wo` counts as changed only when this changes.
    #[attr(optional)]
    pub url_wo_version: Attr<String>,
}

/// The volume of a database.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Storage {
    /// Size of the volume. Default: `1Gi` in dev, `5Gi` in staging, `20Gi` in production. Can grow where the storage
    /// class allows it, never shrink.
    #[attr(optional, computed, check = quantity())]
    pub size: Attr<String>,
    /// Storage class. Default: the cluster's. Cannot be changed later.
    #[attr(optional)]
    pub class: Attr<String>,
}

/// What a preset says for a TLS endpoint.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct TlsDefaults {
    /// ACME server, as `ffe_tls_endpoint` names it; null where the preset has no TLS.
    #[attr(computed)]
    pub acme_server: Attr<String>,
    /// Requests that one client may make in a minute. For a controller that sees the addresses of clients: see
    /// `security.requests_per_minute` of `ffe_tls_endpoint`.
    #[attr(computed)]
    pub requests_per_minute: Attr<i64>,
    /// X-Frame-Options, as `security.frame_options` of `ffe_tls_endpoint` takes it; null where the preset has no security
    /// headers.
    #[attr(computed)]
    pub frame_options: Attr<String>,
    /// Content-Security-Policy, as `security.content_security_policy` of `ffe_tls_endpoint` takes it; null where the preset has
    /// no security headers. It takes the place of the application's own, and fits one that loads everything from its own host.
    #[attr(computed)]
    pub content_security_policy: Attr<String>,
}

/// Something in the cluster that differs from what was applied.
#[derive(Model, Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Kind, namespace and name.
    #[attr(computed)]
    pub object: Attr<String>,
    /// The field that differs; `(missing)` when the object is gone.
    #[attr(computed)]
    pub field: Attr<String>,
}

/// The state of a bundled database.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct DatabaseStatus {
    /// Host and port inside the cluster.
    #[attr(computed)]
    pub endpoint: Attr<String>,
    /// What the server says its version is; null where it could not be asked.
    #[attr(computed)]
    pub server_version: Attr<String>,
    /// Instances that take connections.
    #[attr(computed)]
    pub ready_instances: Attr<i64>,
}
