//! Where backups are kept, and what a backup is asked for with.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::Mark;
use ffe_cluster::k8s_openapi::api::core::v1::Toleration;

/// Where the files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// A volume in the namespace.
    Volume(Volume),
    /// A bucket of an S3-compatible service.
    S3(S3),
    /// Whatever else rclone reaches.
    Rclone(Rclone),
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Name of the PersistentVolumeClaim. Made when it is missing (`ReadWriteOnce`, with the mark); one that is there
    /// grows to the size where it is ours and its storage class lets it, and it is never deleted.
    pub claim: String,
    /// A quantity such as `10Gi`.
    pub size: String,
    /// Its storage class; the cluster's default when not given.
    pub class: Option<String>,
}

/// A bucket. A restore needs room for one dump in the pod's scratch volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3 {
    /// Its name.
    pub bucket: String,
    /// What the keys begin with; may be empty.
    pub prefix: String,
    /// The region that requests are signed for.
    pub region: String,
    /// URL of the service; Amazon's own in that region when not given.
    pub endpoint: Option<String>,
    /// The bucket's name comes in the path of the URL instead of its host.
    pub path_style: bool,
    /// A Secret of the namespace with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, and possibly `AWS_SESSION_TOKEN`.
    pub credentials_secret: String,
    /// Certificate authorities in PEM that the service is trusted by.
    pub ca_bundle: Option<String>,
}

/// A storage by rclone's own settings: Google Cloud Storage, Azure, SFTP and others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rclone {
    /// rclone's name of its kind, for instance `azureblob`.
    pub kind: String,
    /// Where the backups go in it, for instance `container/folder`.
    pub path: String,
    /// Settings of this kind by rclone's names, without secrets, for instance `account`.
    pub options: BTreeMap<String, String>,
    /// A Secret of the namespace with settings that are secret. rclone's container sees its keys as variables
    /// (`RCLONE_CONFIG_STORE_<OPTION>`, `HTTPS_PROXY`), and as files in `/settings`, of which `rclone.conf`, `known_hosts` and
    /// `ca.pem` have a meaning.
    pub secret: Option<String>,
}

/// One series of backups: where it is kept, and what the pods that work on it are made of.
#[derive(Debug, Clone)]
pub struct Place {
    /// What tells this cluster from others that keep backups in the same bucket: letters, digits, and . _ - within.
    pub cluster: String,
    /// Of the Jobs, the volume and the Secrets.
    pub namespace: String,
    /// What the backups of the namespace that replace each other have in common, for instance the name of a release.
    pub series: String,
    /// An image with PostgreSQL's programs, not older than the server.
    pub image: String,
    /// Where the files go.
    pub storage: Storage,
    /// An image with rclone and a shell, for what does not go to a volume.
    pub rclone_image: String,
    /// Taints of nodes that do not keep the Jobs away. Where a Job runs is for its volume to say.
    pub tolerations: Vec<Toleration>,
    /// Written on what is made.
    pub mark: Mark,
    /// How long a Job may run before the cluster ends it.
    pub timeout: Duration,
}

/// One backup to be taken.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where it is kept.
    pub place: Place,
    /// Name of the Job; one that exists is attached to. 63 characters at most.
    pub job_name: String,
    /// Name of the backup, the only one of this name in its series.
    pub backup_name: String,
    /// The Secret with `PGHOST`, `PGPORT`, `PGUSER`, `PGPASSWORD`, `PGDATABASE`, or else `DATABASE_URL`, which may be
    /// in SQLAlchemy's style.
    pub database_secret: String,
    /// Older backups of the series are removed once this one is kept.
    pub retention: Option<Duration>,
}

impl Place {
    /// The folder of the series: `<cluster>/<namespace>/<series>`. Nobody else's backups lie in it.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{}/{}/{}", self.cluster, self.namespace, self.series)
    }
}
