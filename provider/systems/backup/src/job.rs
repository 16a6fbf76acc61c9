//! The Jobs: one container that runs one script, and for object storage one beside it with rclone, in a pod that meets the
//! Pod Security level `restricted`.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, EnvVar, EnvVarSource, PersistentVolumeClaimVolumeSource, PodSecurityContext,
    PodSpec, PodTemplateSpec, SecretKeySelector, SecretVolumeSource, SecurityContext, Volume as PodVolume, VolumeMount,
};
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{Mark, MarkState};
use ffe_workloads::{every_key_of, one_shot_job};

use crate::error::Error;
use crate::image::image_user;
use crate::names::{endpoint, location, remote_folder};
use crate::place::{Place, S3, Storage};
use crate::script::{RCLONE, Work, script};

/// Label that says what an object is for.
const NAME_LABEL: &str = "app.kubernetes.io/name";
const CONTAINER: &str = "backup";
/// Where both containers see the same files.
const EXCHANGE: &str = "/exchange";
/// Where the other container sees those of the database's: certificates that the connection names.
const DATABASE: &str = "/database";
/// Where rclone's container sees the keys of its Secret as files.
const SETTINGS: &str = "/settings";

/// What keeps rclone from making a bucket that is not there, where it would.
pub const NOT_MADE: [&str; 3] =
    ["RCLONE_S3_NO_CHECK_BUCKET", "RCLONE_GCS_NO_CHECK_BUCKET", "RCLONE_AZUREBLOB_NO_CHECK_CONTAINER"];

/// What differs between Jobs of one place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Task<'a> {
    /// The backup that it is about.
    pub(crate) backup: Option<&'a str>,
    /// The Secret of the database that it speaks to.
    pub(crate) database_secret: Option<&'a str>,
    /// What is older than this is removed.
    pub(crate) retention: Option<Duration>,
}

/// The Job.
///
/// # Errors
/// [`Error::Invalid`] for an endpoint that is none.
pub(crate) fn build(place: &Place, name: &str, work: Work, task: &Task<'_>) -> Result<Job, Error> {
    let mut metadata = ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(place.namespace.clone()),
        labels: Some(labels(place, work)),
        ..ObjectMeta::default()
    };
    Mark { state: MarkState::Complete, ..place.mark.clone() }.write(&mut metadata);
    let (mut volumes, mounts) = volumes(place);
    let mut own = mounts.clone();
    if let Some(secret) = task.database_secret {
        volumes.push(files_of("database", secret));
        own.push(VolumeMount { read_only: Some(true), ..mount("database", DATABASE) });
    }
    let backup = Container {
        env_from: task.database_secret.map(every_key_of),
        env: Some(env(place, task)),
        ..container(CONTAINER, &place.image, script(work, &place.storage), &own)
    };
    let mut containers = vec![backup];
    if let Some(settings) = storage_settings(place)? {
        let mut mounts = mounts;
        if let Some(secret) = settings.secret {
            volumes.push(files_of("settings", secret));
            mounts.push(VolumeMount { read_only: Some(true), ..mount("settings", SETTINGS) });
        }
        containers.push(Container {
            env_from: settings.secret.map(every_key_of),
            env: Some(settings.env),
            ..container("rclone", &place.rclone_image, RCLONE.to_owned(), &mounts)
        });
    }
    let pod = PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels(place, work)), ..ObjectMeta::default() }),
        spec: Some(PodSpec {
            security_context: Some(pod_security(place)),
            containers,
            tolerations: (!place.tolerations.is_empty()).then(|| place.tolerations.clone()),
            volumes: Some(volumes),
            ..PodSpec::default()
        }),
    };
    Ok(one_shot_job(metadata, place.timeout, pod))
}

/// A Secret's keys as files, which the pod's group may read. Where it is missing, the variables tell so by its name.
fn files_of(volume: &str, secret: &str) -> PodVolume {
    let source = SecretVolumeSource {
        secret_name: Some(secret.to_owned()),
        default_mode: Some(0o440),
        optional: Some(true),
        ..SecretVolumeSource::default()
    };
    PodVolume { name: volume.to_owned(), secret: Some(source), ..PodVolume::default() }
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

/// A container that runs a script.
fn container(name: &str, image: &str, script: String, mounts: &[VolumeMount]) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        command: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
        args: Some(vec![script]),
        security_context: Some(SecurityContext { read_only_root_filesystem: Some(true), ..SecurityContext::default() }),
        // Of a pod that was killed in the middle, the log is all that there is.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(mounts.to_vec()),
        ..Container::default()
    }
}

fn labels(place: &Place, work: Work) -> BTreeMap<String, String> {
    let name = match work {
        Work::Restore => "ffe-restore",
        Work::Take | Work::List | Work::Prune => "ffe-backup",
    };
    let mut labels = BTreeMap::from([(NAME_LABEL.to_owned(), name.to_owned())]);
    // A label's value is shorter than a series may be.
    if place.series.len() <= 63 && place.series.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        labels.insert("app.kubernetes.io/instance".to_owned(), place.series.clone());
    }
    labels
}

fn plain(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), ..EnvVar::default() }
}

fn env(place: &Place, task: &Task<'_>) -> Vec<EnvVar> {
    let mut env = vec![plain("FFE_SERIES", place.folder()), plain("HOME", "/tmp")];
    if let Some(backup) = task.backup {
        env.push(plain("FFE_BACKUP", backup));
        env.push(plain("FFE_LOCATION", location(place, backup)));
    }
    if let Some(retention) = task.retention {
        env.push(plain("FFE_RETENTION", retention.as_secs().to_string()));
    }
    if !matches!(place.storage, Storage::Volume(_)) {
        env.push(plain("FFE_REMOTE", remote_folder(place)));
    }
    env
}

/// Variables, and a Secret whose keys are some more.
struct StorageSettings<'a> {
    env: Vec<EnvVar>,
    secret: Option<&'a str>,
}

/// What rclone's container knows, and the Secret whose keys it sees; nothing for a volume. `store` is the name of the
/// storage: rclone reads its settings from variables `RCLONE_CONFIG_STORE_*`.
fn storage_settings(place: &Place) -> Result<Option<StorageSettings<'_>>, Error> {
    let setting = |name: &str, value: &str| plain(&format!("RCLONE_CONFIG_STORE_{}", name.to_uppercase()), value);
    // No file of settings, nothing outside of the scratch volume, and a bucket that is not there is not made.
    let mut env = vec![plain("RCLONE_CONFIG", ""), plain("HOME", EXCHANGE)];
    env.extend(NOT_MADE.map(|name| plain(name, "true")));
    env.push(plain("RCLONE_RETRIES", "3"));
    match &place.storage {
        Storage::Volume(_) => Ok(None),
        Storage::S3(s3) => {
            let endpoint = endpoint(s3)?;
            let provider = if endpoint.is_some() { "Other" } else { "AWS" };
            env.push(setting("type", "s3"));
            env.push(setting("provider", provider));
            env.push(setting("region", &s3.region));
            env.push(setting("env_auth", "true"));
            env.push(setting("force_path_style", if s3.path_style { "true" } else { "false" }));
            env.extend(endpoint.map(|endpoint| setting("endpoint", &endpoint)));
            if let Some(pem) = &s3.ca_bundle {
                env.push(plain("FFE_CA", pem.clone()));
                env.push(plain("RCLONE_CA_CERT", format!("{EXCHANGE}/ca.pem")));
            }
            env.extend(credentials(s3));
            Ok(Some(StorageSettings { env, secret: None }))
        }
        Storage::Rclone(rclone) => {
            env.push(setting("type", &rclone.kind));
            env.extend(rclone.options.iter().map(|(name, value)| setting(name, value)));
            Ok(Some(StorageSettings { env, secret: rclone.secret.as_deref() }))
        }
    }
}

fn credentials(s3: &S3) -> Vec<EnvVar> {
    let keys = [("AWS_ACCESS_KEY_ID", None), ("AWS_SECRET_ACCESS_KEY", None), ("AWS_SESSION_TOKEN", Some(true))];
    let variable = |(key, optional): (&str, Option<bool>)| EnvVar {
        name: key.to_owned(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: s3.credentials_secret.clone(),
                key: key.to_owned(),
                optional,
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    keys.into_iter().map(variable).collect()
}

fn volumes(place: &Place) -> (Vec<PodVolume>, Vec<VolumeMount>) {
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    if !matches!(place.storage, Storage::Volume(_)) {
        // Pipes and, for a restore, the dump.
        let scratch = EmptyDirVolumeSource::default();
        volumes.push(PodVolume { name: "exchange".to_owned(), empty_dir: Some(scratch), ..PodVolume::default() });
        mounts.push(mount("exchange", EXCHANGE));
    }
    if let Storage::Volume(volume) = &place.storage {
        let claim = PersistentVolumeClaimVolumeSource { claim_name: volume.claim.clone(), read_only: None };
        volumes.push(PodVolume {
            name: "backups".to_owned(),
            persistent_volume_claim: Some(claim),
            ..PodVolume::default()
        });
        mounts.push(mount("backups", "/backups"));
    }
    (volumes, mounts)
}

/// The user of the image, whose group owns the volume.
fn pod_security(place: &Place) -> PodSecurityContext {
    let user = Some(image_user(&place.image));
    PodSecurityContext {
        run_as_user: user,
        run_as_group: user,
        fs_group: user,
        // Does not walk through a large volume at every start.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        ..PodSecurityContext::default()
    }
}

#[cfg(test)]
pub(crate) mod tests;
