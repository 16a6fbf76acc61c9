//! The Jobs: one container that runs one script, in a pod that meets the Pod Security level `restricted`.

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
use crate::names::{bucket_url, location, series_prefix};
use crate::place::{Place, PodShape, S3, Storage};
use crate::script::{Work, script};

/// Label that says what an object is for.
const NAME_LABEL: &str = "app.kubernetes.io/name";
const CONTAINER: &str = "backup";

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
    let container = Container {
        name: CONTAINER.to_owned(),
        image: Some(place.image.clone()),
        image_pull_policy: shape.pull_policy.clone(),
        command: Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]),
        args: Some(vec![script(work, &place.storage)]),
        env_from: task.database_secret.map(|name| {
            vec![EnvFromSource {
                secret_ref: Some(SecretEnvSource { name: name.to_owned(), optional: None }),
                ..EnvFromSource::default()
            }]
        }),
        env: Some(env(place, task)?),
        resources: Some(shape.resources.clone().unwrap_or_else(resources)),
        security_context: Some(container_security(shape)),
        // Of a pod that was killed in the middle, the log is all that there is.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(mounts),
        ..Container::default()
    };
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
                    containers: vec![container],
                    volumes: Some(volumes),
                    ..PodSpec::default()
                }),
            },
            ..JobSpec::default()
        }),
        ..Job::default()
    })
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

fn env(place: &Place, task: &Task<'_>) -> Result<Vec<EnvVar>, Error> {
    let mut plain = vec![("FFE_SERIES", place.folder()), ("HOME", "/tmp".to_owned())];
    if let Some(backup) = task.backup {
        plain.push(("FFE_BACKUP", backup.to_owned()));
        plain.push(("FFE_LOCATION", location(place, backup)));
    }
    if let Some(retention) = task.retention {
        plain.push(("FFE_RETENTION", retention.as_secs().to_string()));
    }
    let mut secret = Vec::new();
    if let Storage::S3(s3) = &place.storage {
        plain.push(("FFE_S3_URL", bucket_url(s3)?));
        plain.push(("FFE_S3_BUCKET", s3.bucket.clone()));
        plain.push(("FFE_S3_PREFIX", series_prefix(s3, &place.folder())));
        plain.push(("FFE_S3_REGION", s3.region.clone()));
        plain.extend(s3.ca_bundle.clone().map(|pem| ("FFE_S3_CA", pem)));
        secret = credentials(s3);
    }
    let named =
        |(name, value): (&str, String)| EnvVar { name: name.to_owned(), value: Some(value), ..EnvVar::default() };
    Ok(plain.into_iter().map(named).chain(secret).collect())
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
    let scratch = EmptyDirVolumeSource {
        size_limit: place.pod.scratch_limit.clone().map(Quantity),
        ..EmptyDirVolumeSource::default()
    };
    let mut volumes = vec![PodVolume { name: "tmp".to_owned(), empty_dir: Some(scratch), ..PodVolume::default() }];
    let mut mounts = vec![mount("tmp", "/tmp")];
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
