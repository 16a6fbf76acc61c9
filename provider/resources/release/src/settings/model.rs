//! `ffe_release` as users write it, and what it tells back.

use std::collections::BTreeMap;

use ffe_session::{DriftIgnore, checks};
use tfplugin::{Attr, Check, Model, Value};

/// Runs a Helm release with its database migration and the checks after it: migrate, deploy, wait, verify, and
/// the way back when one of them fails.
///
/// A failed migration prevents the deployment; failed checks roll it back. What was done is journalled in the
/// cluster, so that a run that died is finished by the next one.
#[derive(Model, Clone, Debug)]
#[model(version = 1)]
pub struct Release {
    /// The namespace of the release. It must exist.
    #[attr(required, replace, check = checks::dns_label())]
    pub namespace: Attr<String>,
    /// The name of the release.
    #[attr(required, replace, check = checks::release_name())]
    pub name: Attr<String>,
    /// The chart: a directory, a `.tgz` archive, a name in `repository`, `repo/name` of a repository that Helm knows, or
    /// an OCI reference (`oci://host/path/chart`, with a tag or digest).
    #[attr(required, check = not_blank())]
    pub chart: Attr<String>,
    /// The URL of the chart repository that `chart` is a name in.
    #[attr(optional, check = checks::url())]
    pub repository: Attr<String>,
    /// The version of the chart; without it the newest.
    #[attr(optional)]
    pub version: Attr<String>,
    /// The user name for the chart repository.
    #[attr(optional)]
    pub repository_username: Attr<String>,
    /// The password for the chart repository. Changing it alone never causes a plan.
    #[attr(optional, write_only, sensitive)]
    pub repository_password_wo: Attr<String>,
    /// A file of certificates that the repository's certificate is checked against, PEM.
    #[attr(optional)]
    pub ca_file: Attr<String>,
    /// Values for the chart, each a YAML document; later ones win, maps are merged, lists replaced.
    #[attr(optional)]
    pub values: Attr<Vec<Attr<String>>>,
    /// Single values in Helm's path notation, over `values`.
    #[attr(optional)]
    pub set: Attr<Vec<Set>>,
    /// Lists in Helm's path notation, over `values` and `set`.
    #[attr(optional)]
    pub set_list: Attr<Vec<SetList>>,
    /// Like `set`, and never stored: passwords and tokens. Sent on every apply.
    #[attr(optional, write_only, sensitive)]
    pub set_wo: Attr<Vec<Set>>,
    /// When set, a change of this number alone says that `set_wo` changed. Otherwise a keyed digest that is kept in
    /// the cluster is compared at plan.
    #[attr(optional)]
    pub set_wo_version: Attr<i64>,
    /// Whether the chart must be signed (a `.prov` file beside it), and by whose keys.
    #[attr(optional)]
    pub provenance: Attr<Provenance>,
    /// What to do with the custom resource definitions in the chart's `crds` folder: `create` those that are missing, `skip` them
    /// all, or `create_replace`: create and bring up to date. None is ever deleted, since its objects would go with it.
    #[attr(default = "create", one_of("create", "skip", "create_replace"))]
    pub crds: Attr<String>,
    /// How long the deployment may take until everything is ready.
    #[attr(default = "10m", check = checks::duration())]
    pub timeout: Attr<String>,
    /// How many revisions Helm keeps; 0 keeps all, otherwise at least 2 so that there is a way back.
    #[attr(default = 10, check = history())]
    pub max_history: Attr<i64>,
    /// Take over a release of this name that exists already. It is then left running on destroy, as one is that was imported.
    #[attr(default = false)]
    pub adopt: Attr<bool>,
    /// Take over objects that belong to no release or to another one. When the release is taken back, they get the content back
    /// that they had before; destroying it leaves them.
    #[attr(default = false)]
    pub take_ownership: Attr<bool>,
    /// Wait for the chart's Jobs too.
    #[attr(default = false)]
    pub wait_for_jobs: Attr<bool>,
    /// Do not run the chart's hooks.
    #[attr(default = false)]
    pub skip_hooks: Attr<bool>,
    /// Run `helm lint` when a change is planned; its findings are warnings.
    #[attr(default = false)]
    pub lint: Attr<bool>,
    /// The database migration that runs before the deployment, as a Job with the image that is being deployed. The Job's environment
    /// is `database_secret` and `env`, nothing else of the chart's. It runs where the workload's own pods may (node selector, tolerations,
    /// node affinity, host aliases, DNS) and as their service account, if that is there already; otherwise with the pull secrets that the
    /// chart gives it. It has no service account token and never runs as root: the image needs a numeric `USER`, or the chart's pod a
    /// `runAsUser`. The engine `alembic` needs a `python3` in the image's `PATH`
    /// that has the package `alembic`; the engine `command` needs `sh`.
    #[attr(optional)]
    pub migration: Attr<Migration>,
    /// The checks after the deployment. Left out: none, and a rollout that became ready counts as verified. `{}`: `/health` of the
    /// chart's one service.
    #[attr(optional)]
    pub verify: Attr<Verify>,
    /// What happens when the deployment or the checks fail.
    #[attr(optional)]
    pub remediation: Attr<Remediation>,
    /// What is done about objects of the release that were changed or deleted in the cluster by others.
    #[attr(optional)]
    pub drift: Attr<DriftSettings>,
    /// What the provider's `notifications` are told about this release.
    #[attr(optional)]
    pub notify: Attr<Notify>,

    /// Helm's revision number.
    #[attr(computed)]
    pub revision: Attr<i64>,
    /// Helm's status: `deployed`, `failed`, `pending-upgrade` and so on.
    #[attr(computed)]
    pub status: Attr<String>,
    /// The version of the application, as the chart says it.
    #[attr(computed)]
    pub app_version: Attr<String>,
    /// The version of the chart.
    #[attr(computed)]
    pub chart_version: Attr<String>,
    /// Digest of the chart's content, so that local edits show.
    #[attr(computed)]
    pub chart_digest: Attr<String>,
    /// Digest of the objects that were deployed.
    #[attr(computed)]
    pub manifest_digest: Attr<String>,
    /// Short token that changes when `set_wo` does.
    #[attr(computed)]
    pub set_wo_revision: Attr<String>,
    /// The objects of the release, as `Kind/name`.
    #[attr(computed)]
    pub resources: Attr<Vec<Attr<String>>>,
    /// The services of the release by name, in the form that `backend` of `ffe_tls_endpoint` takes.
    #[attr(computed)]
    pub services: Attr<BTreeMap<String, ServiceOutput>>,
    /// What the last change did, or the planned one will do, to the objects of the release, one line for each; unchanged objects are
    /// left out. A line is an action (`create`, `change`, `replace`: removed and made anew under the same name, `remove`, or
    /// `regenerate`: nothing changes but fields that are different each time the chart is rendered), the object as `Kind/name`, the
    /// fields that change as JSON pointers, never their values, and a digest of the object as it was planned. A namespace stands before
    /// the name where it is another than the release's, a star for a name that is different each time. Apply stops where an object
    /// comes out differently. Null where nothing changes.
    #[attr(computed)]
    pub changes: Attr<String>,
    /// The values that the last change altered, or the planned one will, one line for each: its path, its value before and after as
    /// JSON. What `set_wo` sets, and what is named like a password, is masked; which values come from sensitive variables is not known
    /// here, so secrets belong in `set_wo`. Null where none is.
    #[attr(computed)]
    pub value_changes: Attr<String>,
    /// Fields of rendered objects that are different each time the chart is rendered (generated passwords, certificates, timestamps),
    /// one line for each: the object as in `changes`, and the field as a JSON pointer. They never cause a plan, and what a plan promises
    /// holds without them. Null where there are none.
    #[attr(computed)]
    pub unstable_fields: Attr<String>,
    /// What is not in the cluster as it was applied; null where it is not looked for. Fields that were not applied, and those
    /// that an autoscaler or another controller writes, do not count.
    #[attr(computed)]
    pub drifted: Attr<Vec<Drifted>>,
    /// The chart's notes, with write-only values and what the release keeps in Secrets masked.
    #[attr(computed)]
    pub notes: Attr<String>,
    /// The database's schema revision after the last run; several where the history has several heads.
    #[attr(computed)]
    pub schema_revision: Attr<Vec<Attr<String>>>,
    /// The revisions that the last change ran, or the planned one will run, in order (with `migration.scripts`).
    #[attr(computed)]
    pub pending_revisions: Attr<Vec<Attr<String>>>,
    /// The revisions that the last change undid, or the planned one will undo, in order, each with what is dropped (with
    /// `migration.allow_downgrade`). Null where nothing is undone.
    #[attr(computed)]
    pub undone_revisions: Attr<Vec<Attr<String>>>,
    /// The last run of the pipeline in one line: how and when it ended, its identifier, and each phase with the time it took. The data
    /// source `ffe_release` has it, and the runs before it, in detail.
    #[attr(computed)]
    pub last_run: Attr<String>,
    /// Where the dump is that the last run took before its migration: `pvc/<claim>/<file>`, `s3://<bucket>/<key>`, or
    /// `<kind>:<path>` of rclone. Null where it took none.
    #[attr(computed)]
    pub backup: Attr<String>,
}

/// How a chart's provenance is checked.
#[derive(Model, Clone, Debug)]
pub struct Provenance {
    /// Refuse a chart that is not signed, or was changed after it was. Not for charts in a directory.
    #[attr(required)]
    pub verify: Attr<bool>,
    /// The file with the public keys to trust, in the binary form of `gpg --export`. Default: `~/.gnupg/pubring.gpg`.
    #[attr(optional)]
    pub keyring: Attr<String>,
}

/// A value at a path.
#[derive(Model, Clone, Debug)]
pub struct Set {
    /// The path, in Helm's notation: `image.tag`, `hosts[0].name`, dots in keys escaped with a backslash.
    #[attr(required, not_secret)]
    pub name: Attr<String>,
    /// The value.
    #[attr(required)]
    pub value: Attr<String>,
    /// How the value is read: `auto` as `helm --set` does, `string` as `--set-string`, `literal` as `--set-literal`, `json`
    /// as `--set-json`.
    #[attr(optional, not_secret, name = "type", one_of("auto", "string", "literal", "json"))]
    pub kind: Attr<String>,
}

/// A list at a path.
#[derive(Model, Clone, Debug)]
pub struct SetList {
    /// The path, in Helm's notation.
    #[attr(required)]
    pub name: Attr<String>,
    /// The elements.
    #[attr(required)]
    pub value: Attr<Vec<Attr<String>>>,
}

/// A database migration, run as a Job in the cluster with the image that is being deployed.
#[derive(Model, Clone, Debug)]
pub struct Migration {
    /// `alembic`, or `command` for any other tool.
    #[attr(required, one_of("alembic", "command"))]
    pub engine: Attr<String>,
    /// The image to run. Default: the image of the chart's one workload; must be set when it has several.
    #[attr(optional)]
    pub image: Attr<String>,
    /// Where to migrate to (engine `alembic`). Default `head`. It only leads forwards: an earlier revision undoes nothing
    /// (`allow_downgrade` does, for an older image).
    #[attr(optional)]
    pub target: Attr<String>,
    /// The Secret whose keys become environment variables of the Job: `DATABASE_URL` and what else the migration needs. They are files
    /// in `/database` too, for certificates that the connection names (`sslrootcert=/database/ca.pem`).
    #[attr(optional, check = checks::dns_subdomain())]
    pub database_secret: Attr<String>,
    /// The path of Alembic's configuration file (engine `alembic`). Default: what `alembic` finds by itself: `ALEMBIC_CONFIG`, else
    /// `alembic.ini` and `pyproject.toml` in the working directory.
    #[attr(optional)]
    pub config: Attr<String>,
    /// The section of Alembic's configuration file (engine `alembic`), as `alembic --name` takes it: where one file has several
    /// databases, the one that this release migrates. Default `alembic`.
    #[attr(optional, check = section())]
    pub config_section: Attr<String>,
    /// The working directory. Default: the image's.
    #[attr(optional)]
    pub working_dir: Attr<String>,
    /// More environment variables.
    #[attr(optional)]
    pub env: Attr<BTreeMap<String, Attr<String>>>,
    /// Resource requests and limits of the Job.
    #[attr(optional)]
    pub resources: Attr<Resources>,
    /// How long the migration may take. Default `10m`.
    #[attr(optional, check = checks::duration())]
    pub timeout: Attr<String>,
    /// How long a statement of the migration waits for a lock, since whoever waits for one holds up everybody behind; `0` is for
    /// ever. Default `30s`, unless `PGOPTIONS`, the role or `env.py` has set another. Engine `alembic`: set by SQL in each
    /// transaction, so with any driver and through a pooler; not in an `autocommit_block`, where `CREATE INDEX CONCURRENTLY` has to
    /// wait. Engine `command`: added to `PGOPTIONS`, which programs on libpq read; left out where a pooler refuses it.
    #[attr(optional, check = lock_timeout())]
    pub lock_timeout: Attr<String>,
    /// Labels of the Job's pod, for network policies and the like. By default those that keep a mesh from adding a sidecar to it:
    /// `sidecar.istio.io/inject = "false"`, `kuma.io/sidecar-injection = "disabled"`. What is set here goes over them.
    #[attr(optional)]
    pub pod_labels: Attr<BTreeMap<String, Attr<String>>>,
    /// Annotations of the Job's pod. By default `sidecar.istio.io/inject = "false"`, `linkerd.io/inject = "disabled"` and
    /// `consul.hashicorp.com/connect-inject = "false"`. What is set here goes over them.
    #[attr(optional)]
    pub pod_annotations: Attr<BTreeMap<String, Attr<String>>>,
    /// The command that migrates (engine `command`), not run through a shell. It runs on every apply that changes the release,
    /// so it must do nothing when nothing is pending.
    #[attr(optional)]
    pub upgrade_command: Attr<Vec<Attr<String>>>,
    /// The command that undoes down to a revision, which is appended as its last word (engine `command`). Without it the
    /// schema has no way back.
    #[attr(optional)]
    pub downgrade_command: Attr<Vec<Attr<String>>>,
    /// The command that prints the current schema revision on standard output: one word a line, remarks in parentheses
    /// behind it (`0003 (head)`), and nothing else (engine `command`). It prints nothing before the first migration, and ends with
    /// an error if it cannot tell. What it writes to standard error is only logged.
    #[attr(optional)]
    pub current_command: Attr<Vec<Attr<String>>>,
    /// Whether the database is dumped before a migration: `production` (the default: unless the namespace belongs to an
    /// environment with the preset dev or staging), `always` or `never`. A backup that fails stops the run before
    /// anything has changed.
    #[attr(optional, one_of("production", "always", "never"))]
    pub backup: Attr<String>,
    /// Where the dumps go. Default: a volume of 5Gi, `<name>-backups`, which is kept when the release is destroyed. It is lost
    /// with its namespace: destroying the `ffe_environment` that made the namespace deletes it. A dump may take an hour at most.
    #[attr(optional)]
    pub backup_to: Attr<BackupTo>,
    /// What happens to the schema when the release fails: `downgrade` (the default) takes it back to where it was, with the
    /// new image; `keep` leaves it.
    #[attr(optional, one_of("downgrade", "keep"))]
    pub on_failure: Attr<String>,
    /// Whether an older image may take the schema back (default false): one whose revisions end before those that the database stands
    /// at. What the revisions between have added is dropped with its rows, and only a backup brings it back. A plan lists what is
    /// undone in `undone_revisions`; apply counts the rows before anything moves. The older version is deployed, the pods of the newer
    /// one are ended, and then the schema goes back, by the image that ran before: until the older version is ready, requests fail.
    /// If it fails, the version that ran before comes back, and the schema with it, whatever `on_failure` says. A revision that
    /// cannot be undone is refused. Engine `command`: needs `downgrade_command` and `current_command`, and an older image is
    /// known by the journal alone.
    #[attr(optional)]
    pub allow_downgrade: Attr<bool>,
    /// The folder of the revision files (engine `alembic`), on this machine: then the revisions that a change will run are
    /// listed in the plan (`pending_revisions`), and what is dangerous in them is a warning. They are read, not run.
    #[attr(optional)]
    pub scripts: Attr<String>,
}

/// Where dumps go, and for how long.
#[derive(Model, Clone, Debug)]
pub struct BackupTo {
    /// A volume in the namespace. Where its class lets volumes grow, it grows when `size` does.
    #[attr(optional)]
    pub storage: Attr<BackupVolume>,
    /// A bucket of an S3-compatible service. A dump of any size is streamed there.
    #[attr(optional)]
    pub s3: Attr<BackupBucket>,
    /// Any other storage that rclone reaches: Google Cloud Storage, Azure, SFTP and many more.
    #[attr(optional)]
    pub rclone: Attr<BackupRclone>,
    /// The image with rclone and a shell that `s3` and `rclone` use, in a container beside the dump. Default
    /// `rclone/rclone:1.69`.
    #[attr(optional)]
    pub rclone_image: Attr<String>,
    /// How many days a dump is kept; the newest always is. Dumps of other clusters, namespaces and releases in the same place are
    /// not touched. Default 30.
    #[attr(optional, check = Check::between(1, 36500))]
    pub retention_days: Attr<i64>,
    /// An image with PostgreSQL's programs, not older than the server. Default: that of the bundled database; for any other it must
    /// be set.
    #[attr(optional)]
    pub image: Attr<String>,
}

/// A storage by rclone's settings.
#[derive(Model, Clone, Debug)]
pub struct BackupRclone {
    /// rclone's name of the kind of storage, such as `gcs`, `azureblob` or `sftp`.
    #[attr(required)]
    pub backend: Attr<String>,
    /// Where the dumps go in it: `container/folder`.
    #[attr(required)]
    pub path: Attr<String>,
    /// Settings of this kind by rclone's names that are not secret, such as `account = "shop"`.
    #[attr(optional)]
    pub options: Attr<BTreeMap<String, Attr<String>>>,
    /// A Secret of the namespace with the settings that are. Its keys are `RCLONE_CONFIG_STORE_` and the setting in capitals, such
    /// as `RCLONE_CONFIG_STORE_KEY`, or other variables that rclone reads. They are files in `/settings` too, of which `rclone.conf`,
    /// `known_hosts` (needed for SFTP) and `ca.pem` are used by themselves.
    #[attr(optional, check = checks::dns_subdomain())]
    pub secret: Attr<String>,
}

/// A volume.
#[derive(Model, Clone, Debug)]
pub struct BackupVolume {
    /// Its size.
    #[attr(required, check = checks::quantity())]
    pub size: Attr<String>,
    /// Its storage class; the cluster's default when not given.
    #[attr(optional)]
    pub class: Attr<String>,
}

/// A bucket.
#[derive(Model, Clone, Debug)]
pub struct BackupBucket {
    /// Its name.
    #[attr(required)]
    pub bucket: Attr<String>,
    /// What the keys begin with.
    #[attr(optional)]
    pub prefix: Attr<String>,
    /// The region. Default `us-east-1`.
    #[attr(optional)]
    pub region: Attr<String>,
    /// The URL of the service; Amazon's own when not given.
    #[attr(optional, check = checks::url())]
    pub endpoint: Attr<String>,
    /// Put the bucket's name into the path of the URL, as most other services than Amazon's want it.
    #[attr(optional)]
    pub path_style: Attr<bool>,
    /// A Secret of the namespace with `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, and `AWS_SESSION_TOKEN` for temporary
    /// credentials.
    #[attr(required, check = checks::dns_subdomain())]
    pub credentials_secret: Attr<String>,
    /// Certificate authorities that the service's certificate is checked against, PEM.
    #[attr(optional)]
    pub ca_bundle: Attr<String>,
}

/// Requests and limits.
#[derive(Model, Clone, Debug)]
pub struct Resources {
    /// What is reserved. Default 100m and 128Mi.
    #[attr(optional)]
    pub requests: Attr<Amounts>,
    /// What may be used at most. Default 1 and 512Mi.
    #[attr(optional)]
    pub limits: Attr<Amounts>,
}

/// CPU and memory.
#[derive(Model, Clone, Debug)]
pub struct Amounts {
    /// Such as `250m`.
    #[attr(optional, check = checks::quantity())]
    pub cpu: Attr<String>,
    /// Such as `512Mi`.
    #[attr(optional, check = checks::quantity())]
    pub memory: Attr<String>,
}

/// The checks after a deployment: the health check first, then the smoke checks.
#[derive(Model, Clone, Debug)]
pub struct Verify {
    /// The URL that `path` is below, reached from where Terraform runs. Without it the service is asked from inside the
    /// cluster.
    #[attr(optional, check = checks::url())]
    pub url: Attr<String>,
    /// The service to ask. Default: the chart's one service.
    #[attr(optional)]
    pub service: Attr<VerifyService>,
    /// The path of the health check. Default `/health`.
    #[attr(optional, check = checks::url_path())]
    pub path: Attr<String>,
    /// The status that it must answer with. Default 200.
    #[attr(optional, check = Check::between(100, 599))]
    pub status: Attr<i64>,
    /// What the JSON of its answer must hold, by JSON pointer (RFC 6901): `{ "/database" = "healthy" }`. All values are text;
    /// `"3"` and `"true"` also match the number and the boolean.
    #[attr(optional)]
    pub json: Attr<BTreeMap<String, Attr<String>>>,
    /// More requests, made after the health check has passed.
    #[attr(optional)]
    pub smoke: Attr<Vec<Smoke>>,
    /// How long all checks must go on to pass. Default: once is enough.
    #[attr(optional, check = checks::duration())]
    pub stable_for: Attr<String>,
    /// How long the checks may fail before the release counts as failed. Default `5m`.
    #[attr(optional, check = checks::duration())]
    pub timeout: Attr<String>,
}

/// A service and one of its ports.
#[derive(Model, Clone, Debug)]
pub struct VerifyService {
    /// The name of the service.
    #[attr(required)]
    pub name: Attr<String>,
    /// The number of the port. Default: the service's first.
    #[attr(optional, check = Check::between(1, 65535))]
    pub port: Attr<i64>,
}

/// One request that must be answered as expected.
#[derive(Model, Clone, Debug)]
pub struct Smoke {
    /// The path.
    #[attr(required, check = checks::url_path())]
    pub path: Attr<String>,
    /// A bearer token to send. Never stored; changing it alone never causes a plan.
    #[attr(optional, write_only, sensitive)]
    pub bearer_wo: Attr<String>,
    /// The status that it must answer with. Default 200.
    #[attr(optional, check = Check::between(100, 599))]
    pub status: Attr<i64>,
}

/// What happens after a failure.
#[derive(Model, Clone, Debug)]
pub struct Remediation {
    /// `rollback` to the last verified revision (the default; a first install is uninstalled), `uninstall`, or `none`: leave
    /// it as it is and save what is true.
    #[attr(optional, one_of("rollback", "uninstall", "none"))]
    pub strategy: Attr<String>,
    /// How often deployment and checks are tried again before that. A migration is never repeated. Default 0.
    #[attr(optional, check = Check::between(0, 10))]
    pub retries: Attr<i64>,
}

/// What is done about changes of others in the cluster.
#[derive(Model, Clone, Debug)]
pub struct DriftSettings {
    /// `warn` (the default): a refresh warns of each, and nothing is planned; `correct`: the plan is an update that deploys,
    /// waits and checks again, without a backup or a migration; `off`: nothing is looked at.
    #[attr(optional, one_of("warn", "off", "correct"))]
    pub mode: Attr<String>,
    /// What others may change. At least one of `kind`, `name` and `paths` in each; what is left out matches everything.
    #[attr(optional)]
    pub ignore: Attr<Vec<DriftIgnore>>,
}

/// One thing that is not in the cluster as it was applied.
#[derive(Model, Clone, Debug, PartialEq)]
pub struct Drifted {
    /// The object, as in `resources`.
    #[attr(computed)]
    pub object: Attr<String>,
    /// The field, as a JSON pointer; empty where the whole object is gone.
    #[attr(computed)]
    pub path: Attr<String>,
    /// What was applied; what is not a text as JSON, what may be secret masked. Null for a whole object.
    #[attr(computed)]
    pub was: Attr<String>,
    /// What is there; null where nothing is.
    #[attr(computed)]
    pub is: Attr<String>,
}

/// Notices about the release.
#[derive(Model, Clone, Debug)]
pub struct Notify {
    /// Whether notices are sent at all. Default true.
    #[attr(optional)]
    pub enabled: Attr<bool>,
    /// More to say in each notice, such as `commit` and `author`.
    #[attr(optional)]
    pub fields: Attr<BTreeMap<String, Attr<String>>>,
}

/// A service of the release.
#[derive(Model, Clone, Debug)]
pub struct ServiceOutput {
    /// Its name.
    #[attr(computed)]
    pub service: Attr<String>,
    /// Its first port.
    #[attr(computed)]
    pub port: Attr<i64>,
}

fn not_blank() -> Check {
    Check::text("a chart", |text| if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(()) })
}

fn section() -> Check {
    Check::text("the name of a section, without its brackets", |text| {
        if text.trim().is_empty() || text.contains(['[', ']', '\n']) || text.starts_with('-') {
            Err(format!("\"{text}\" is none"))
        } else {
            Ok(())
        }
    })
}

fn lock_timeout() -> Check {
    Check::text("a duration of at least a millisecond such as \"30s\", or \"0\" for no limit", |text| {
        match ffe_cluster::parse_duration(text) {
            Ok(limit) if !limit.is_zero() && limit.as_millis() == 0 => Err(format!("\"{text}\" is shorter")),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("\"{text}\" is none ({error})")),
        }
    })
}

fn history() -> Check {
    Check::new("0 (all) or at least 2", |value| match value {
        Value::Number(number) if number.as_i64().is_some_and(|count| count == 0 || count >= 2) => Ok(()),
        Value::Number(number) => Err(format!("{number} would leave no revision to go back to")),
        _ => Ok(()),
    })
}

impl Migration {
    /// Whether an older image may take the schema back.
    pub(crate) fn allows_downgrade(&self) -> bool {
        self.allow_downgrade.known() == Some(&true)
    }
}

#[cfg(test)]
impl Migration {
    /// Settings of an engine, with nothing else said.
    pub(crate) fn for_tests(engine: &str) -> Migration {
        use tfplugin::{Field as _, Path};
        let mut settings =
            Migration::from_value(&Migration::schema().empty(), &Path::root()).unwrap_or_else(|_| unreachable!());
        settings.engine = Attr::Known(engine.to_owned());
        settings
    }
}
