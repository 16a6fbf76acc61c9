//! The Jobs: one container that runs one script, and for object storage one beside it with rclone, in a pod that meets the
//! Pod Security level `restricted`.

use std::collections::BTreeMap;
use std::time::Duration;

use ffe_cluster::k8s_openapi::api::batch::v1::{Job, JobSpec};
use ffe_cluster::k8s_openapi::api::core::v1::{
    Capabilities, Container, EmptyDirVolumeSource, EnvFromSource, EnvVar, EnvVarSource,
    PersistentVolumeClaimVolumeSource, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceRequirements,
    SeccompProfile, SecretEnvSource, SecretKeySelector, SecurityContext, Volume as PodVolume, VolumeMount,
};
use ffe_cluster::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{Mark, MarkState};

use crate::error::Error;
use crate::image::image_user;
use crate::names::{endpoint, location, remote_folder};
use crate::place::{Place, PodShape, S3, Storage};
use crate::script::{RCLONE, Work, script};

/// Label that says what an object is for.
const NAME_LABEL: &str = "app.kubernetes.io/name";
const CONTAINER: &str = "backup";
/// Where both containers see the same files.
const EXCHANGE: &str = "/exchange";

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
    let shape = &place.pod;
    let mut pod_labels = shape.labels.clone();
    pod_labels.extend(labels(place, work));
    let (volumes, mounts) = volumes(place);
    let backup = Container {
        env_from: task.database_secret.map(every_key_of),
        env: Some(env(place, task)),
        ..container(place, CONTAINER, &place.image, script(work, &place.storage), &mounts)
    };
    let mut containers = vec![backup];
    if let Some((settings, secret)) = storage_settings(place)? {
        containers.push(Container {
            env_from: secret.map(every_key_of),
            env: Some(settings),
            ..container(place, "rclone", &place.rclone_image, RCLONE.to_owned(), &mounts)
        });
    }
    Ok(Job {
        metadata,
        spec: Some(JobSpec {
            // A backup that failed is not tried again by itself: its caller decides.
            backoff_limit: Some(0),
            active_deadline_seconds: i64::try_from(place.timeout.as_secs().max(1)).ok(),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(pod_labels), ..ObjectMeta::default() }),
                spec: Some(PodSpec {
                    restart_policy: Some("Never".to_owned()),
                    automount_service_account_token: Some(false),
                    enable_service_links: Some(false),
                    image_pull_secrets: Some(shape.pull_secrets.clone()).filter(|all| !all.is_empty()),
                    node_selector: Some(shape.node_selector.clone()).filter(|all| !all.is_empty()),
                    tolerations: Some(shape.tolerations.clone()).filter(|all| !all.is_empty()),
                    security_context: Some(pod_security(place)),
                    containers,
                    volumes: Some(volumes),
                    ..PodSpec::default()
                }),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    })
}

/// A container that runs a script.
fn container(place: &Place, name: &str, image: &str, script: String, mounts: &[VolumeMount]) -> Container {
    let shape = &place.pod;
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: shape.pull_policy.clone(),
        command: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
        args: Some(vec![script]),
        resources: Some(shape.resources.clone().unwrap_or_else(resources)),
        security_context: Some(container_security(shape)),
        // Of a pod that was killed in the middle, the log is all that there is.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(mounts.to_vec()),
        ..Container::default()
    }
}

fn every_key_of(secret: &str) -> Vec<EnvFromSource> {
    vec![EnvFromSource {
        secret_ref: Some(SecretEnvSource { name: secret.to_owned(), optional: None }),
        ..EnvFromSource::default()
    }]
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

/// What rclone's container knows, and the Secret whose keys it sees; nothing for a volume. `store` is the name of the
/// storage: rclone reads its settings from variables `RCLONE_CONFIG_STORE_*`.
fn storage_settings(place: &Place) -> Result<Option<(Vec<EnvVar>, Option<&str>)>, Error> {
    let setting = |name: &str, value: &str| plain(&format!("RCLONE_CONFIG_STORE_{}", name.to_uppercase()), value);
    // No file of settings, nothing outside of the scratch volume, and a bucket that is not there is not made.
    let mut env = vec![plain("RCLONE_CONFIG", ""), plain("RCLONE_S3_NO_CHECK_BUCKET", "true"), plain("HOME", EXCHANGE)];
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
            Ok(Some((env, None)))
        }
        Storage::Rclone(rclone) => {
            env.push(setting("type", &rclone.kind));
            env.extend(rclone.options.iter().map(|(name, value)| setting(name, value)));
            Ok(Some((env, rclone.secret.as_deref())))
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
    let mount = |name: &str, path: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        ..VolumeMount::default()
    };
    let tmp = Some(EmptyDirVolumeSource::default());
    let mut volumes = vec![PodVolume { name: "tmp".to_owned(), empty_dir: tmp, ..PodVolume::default() }];
    let mut mounts = vec![mount("tmp", "/tmp")];
    if !matches!(place.storage, Storage::Volume(_)) {
        // Pipes and, for a restore, the dump.
        let scratch = EmptyDirVolumeSource {
            size_limit: place.pod.scratch_limit.clone().map(Quantity),
            ..EmptyDirVolumeSource::default()
        };
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

/// What was given, and what `restricted` demands. The group owns the volume.
fn pod_security(place: &Place) -> PodSecurityContext {
    let user = image_user(&place.image);
    let mut context = place.pod.pod_security.clone().unwrap_or_default();
    let user = *context.run_as_user.get_or_insert(user);
    context.run_as_group.get_or_insert(user);
    context.fs_group.get_or_insert(user);
    // Does not walk through a large volume at every start.
    context.fs_group_change_policy.get_or_insert_with(|| "OnRootMismatch".to_owned());
    context.run_as_non_root = Some(true);
    context.seccomp_profile.get_or_insert_with(runtime_default);
    context
}

fn container_security(shape: &PodShape) -> SecurityContext {
    let mut context = shape.container_security.clone().unwrap_or_default();
    context.allow_privilege_escalation = Some(false);
    context.run_as_non_root = Some(true);
    context.read_only_root_filesystem = Some(true);
    context.privileged = None;
    context.seccomp_profile.get_or_insert_with(runtime_default);
    context.capabilities = Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None });
    context
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }
}

fn resources() -> ResourceRequirements {
    let amounts = |cpu: &str, memory: &str| {
        BTreeMap::from([
            ("cpu".to_owned(), Quantity(cpu.to_owned())),
            ("memory".to_owned(), Quantity(memory.to_owned())),
        ])
    };
    ResourceRequirements {
        requests: Some(amounts("100m", "128Mi")),
        limits: Some(amounts("1", "512Mi")),
        ..ResourceRequirements::default()
    }
}

#[cfg(test)]
pub(crate) mod tests;
