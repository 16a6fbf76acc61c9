//! The step of the bundled database: password, connection Secret, service, volume, server; then its readiness, and its
//! own word that the password is right.

use std::time::Duration;

use ffe_cluster::k8s_openapi::api::apps::v1::StatefulSet;
use ffe_cluster::k8s_openapi::api::core::v1::PersistentVolumeClaim;
use ffe_cluster::k8s_openapi::api::storage::v1::StorageClass;
use ffe_cluster::{Cluster, Kind as ErrorKind, Quantity};
use ffe_workloads::{Progress, WaitOptions, wait_for, wait_rollout};
use rand::distr::{Alphanumeric, SampleString};
use serde_json::Value as Json;
use tfplugin::logging::redact;
use tfplugin::{Diagnostic, Diagnostics, Path};

use super::{Claimed, Done, Run, failed, ready_instances};
use crate::connection;
use crate::kinds::{Kind, secret_value};
use crate::model::DatabaseStatus;
use crate::names::Names;
use crate::objects::{database, secrets};
use crate::probe::{self, Answer};
use crate::spec::Bundled;

/// For how long it is waited, at most, that a volume grows while it is used.
const PATIENCE: Duration = Duration::from_secs(60);
const NOT_GROWN: &str = "The database's volume did not grow";

/// Letters and digits: nothing to escape in a URL; about 190 bits.
const PASSWORD_LENGTH: usize = 32;

impl Run<'_> {
    pub(super) async fn apply_database(&self, claimed: &[Claimed], done: &mut Done) -> Result<(), Diagnostics> {
        let Some(bundled) = self.spec.database.bundled() else { return Ok(()) };
        let names = &self.spec.names;
        let live = |kind: Kind, name: &str| {
            claimed
                .iter()
                .find(|claimed| claimed.found.desired.kind == kind && claimed.found.desired.reference.name == name)
                .and_then(|claimed| claimed.found.live.as_ref())
        };
        let claim = live(Kind::PersistentVolumeClaim, &names.database());
        if let Some(claim) = claim {
            let refused = refuse_size(self.cluster, bundled, claim)
                .await
                .map_err(failed("The storage class could not be read"))?;
            refused.map_or(Ok(()), Err)?;
        }
        let password = password(
            live(Kind::Secret, &names.password()),
            live(Kind::Secret, &names.database()),
            claim.is_some(),
            names,
            bundled,
        )?;

        self.apply_content(claimed, secrets::password(self.spec, Some(&password)), done).await?;
        let keys = connection::bundled(names, bundled, &password);
        self.apply_content(claimed, secrets::connection(self.spec, Some(&keys)), done).await?;
        self.apply_content(claimed, database::service(self.spec), done).await?;
        self.apply_content(claimed, database::claim(self.spec, bundled), done).await?;
        let grows = claim.is_some_and(|claim| is_short(claim, &bundled.size));
        let in_use = !grows || self.grew_in_use(bundled).await?;
        if !in_use {
            self.stop_the_server(claimed, bundled, done).await?;
        }
        self.apply_content(claimed, database::stateful_set(self.spec, bundled), done).await?;
        self.wait_for_the_server(bundled, &password, done).await?;
        if !in_use {
            self.wait_for_the_volume(bundled, &self.wait(), growth).await.map_err(failed(NOT_GROWN))?;
        }
        Ok(())
    }

    async fn wait_for_the_volume(
        &self,
        bundled: &Bundled,
        wait: &WaitOptions,
        how: fn(Option<&PersistentVolumeClaim>, &Quantity) -> Progress,
    ) -> ffe_cluster::Result<()> {
        let names = &self.spec.names;
        let Ok(wanted) = bundled.size.parse::<Quantity>() else { return Ok(()) };
        let (namespace, name, what) =
            (Some(names.namespace.as_str()), names.database(), "the database's volume to grow");
        wait_for::<PersistentVolumeClaim, _>(self.cluster, namespace, &name, what, wait, |claim| how(claim, &wanted))
            .await
            .map(drop)
    }

    /// Most drivers let a volume grow under a server that runs. Those that do not are noticed by their not doing it.
    async fn grew_in_use(&self, bundled: &Bundled) -> Result<bool, Diagnostics> {
        let whole = self.wait();
        let wait = WaitOptions { timeout: (whole.timeout / 5).min(PATIENCE), ..whole };
        match self.wait_for_the_volume(bundled, &wait, growth).await {
            Err(error) if error.kind() == ErrorKind::Timeout => Ok(false),
            grown => grown.map(|()| true).map_err(failed(NOT_GROWN)),
        }
    }

    /// The volume grows while nobody uses it, as far as it can without a server.
    async fn stop_the_server(
        &self,
        claimed: &[Claimed],
        bundled: &Bundled,
        done: &mut Done,
    ) -> Result<(), Diagnostics> {
        let names = &self.spec.names;
        tracing::info!(volume = %names.database(), "it does not grow while it is used; the server is stopped");
        done.warnings.push(Diagnostic::warning(
            "The database was stopped for its volume to grow",
            "The volume did not grow while it was used, as some storage drivers have it.",
        ));
        let mut stopped = database::stateful_set(self.spec, bundled);
        stopped.object["spec"]["replicas"] = 0.into();
        self.apply_content(claimed, stopped, done).await?;
        let summary = "The database could not be stopped for its volume to grow";
        let is_stopped = |server: Option<&StatefulSet>| match server.and_then(|server| server.status.as_ref()) {
            Some(status) if status.replicas > 0 => Progress::Waiting("its pod is still there".to_owned()),
            _ => Progress::Ready,
        };
        let (namespace, name, what) = (Some(names.namespace.as_str()), names.database(), "the database to stop");
        let ended = wait_for::<StatefulSet, _>(self.cluster, namespace, &name, what, &self.wait(), is_stopped).await;
        ended.map_err(failed(summary))?;
        let grown = self.wait_for_the_volume(bundled, &self.wait(), growth_out_of_use).await;
        // It runs again, whatever has become of the volume.
        match grown {
            Err(error) => {
                self.apply_content(claimed, database::stateful_set(self.spec, bundled), done).await?;
                Err(failed(NOT_GROWN)(error))
            }
            Ok(()) => Ok(()),
        }
    }

    async fn wait_for_the_server(&self, bundled: &Bundled, password: &str, done: &mut Done) -> Result<(), Diagnostics> {
        let (names, desired) = (&self.spec.names, database::stateful_set(self.spec, bundled));
        let mut status = DatabaseStatus {
            endpoint: format!("{}:{}", names.database_host(), database::PORT).into(),
            server_version: tfplugin::Attr::Null,
            ready_instances: 0.into(),
        };
        done.database_status = Some(status.clone());
        done.not_ready = Some(desired.reference.clone());
        redact(password);
        wait_rollout(self.cluster, &desired.reference, &self.wait())
            .await
            .map_err(failed("The database did not become ready"))?;
        let live = desired.find(self.cluster).await.map_err(failed("The database could not be looked at"))?.live;
        status.ready_instances = ready_instances(live.as_ref()).into();
        done.database_status = Some(status.clone());

        done.database_revision = live.as_ref().and_then(revision);
        match probe::ask(self.cluster, names, bundled, password).await {
            Answer::Version(version) => {
                let asked = self.config.database.known().and_then(|database| database.version.as_str());
                if asked.is_some_and(|major| version.split('.').next() != Some(major)) {
                    done.warnings.push(other_version(bundled, &version));
                }
                status.server_version = version.into();
            }
            Answer::WrongPassword(told) => return Err(refused_login(names, bundled, &told, true).into()),
            Answer::Refused(told) => return Err(refused_login(names, bundled, &told, false).into()),
            Answer::Silent(why) => {
                tracing::info!(%why, "the database could not be asked for its version");
                done.warnings.push(Diagnostic::warning(
                    "The database could not be asked for its version",
                    format!("It is ready; logging in through a port-forward did not work: {why}. Whether the password in Secret \
                             {} is right was not checked.", names.database()),
                ));
            }
        }
        done.database_status = Some(status);
        done.not_ready = None;
        Ok(())
    }
}

/// The StatefulSet's revision that its pods are of.
pub(crate) fn revision(stateful_set: &Json) -> Option<String> {
    stateful_set["status"]["currentRevision"].as_str().map(str::to_owned)
}

/// The password that the server was initialised with: from the Secret that it was given, else from the application's; a
/// new one only where there is no volume yet that knows another.
fn password(
    own: Option<&Json>,
    applications: Option<&Json>,
    volume: bool,
    names: &Names,
    bundled: &Bundled,
) -> Result<String, Diagnostic> {
    let kept = own
        .and_then(|secret| secret_value(secret, secrets::PASSWORD))
        .or_else(|| applications.and_then(|secret| secret_value(secret, "PGPASSWORD")))
        .filter(|password| !password.is_empty());
    match kept {
        Some(password) => Ok(password),
        // An equals sign behind the word would have the redactor take what follows for the password: \075 is one.
        None if volume => Err(Diagnostic::error(
            "The database's password is lost",
            format!(
                "The volume {volume} in namespace {namespace} holds a database, and both Secrets with its password \
                 ({own} and {volume}) are gone. Make a new password, and give it to the database:\n\n  \
                 printf 'PGPASSWORD\\075%s\\n' \"$(head -c 24 /dev/urandom | base64 | tr -d '+/=\\n')\" | kubectl create secret generic \
                 {volume} --namespace={namespace} --from-env-file=/dev/stdin\n  {give}\n\n\
                 Then set adopt = true, and apply again.",
                volume = names.database(),
                own = names.password(),
                namespace = names.namespace,
                give = command_that_gives_the_password(names, bundled, &names.database(), "PGPASSWORD"),
            ),
        )),
        None => Ok(Alphanumeric.sample_string(&mut rand::rng(), PASSWORD_LENGTH)),
    }
}

fn requested(claim: &Json) -> Option<Quantity> {
    claim["spec"]["resources"]["requests"]["storage"].as_str()?.parse().ok()
}

/// Whether the volume behind a claim is smaller than that.
pub(crate) fn is_short(claim: &Json, wanted: &str) -> bool {
    let capacity = claim["status"]["capacity"]["storage"].as_str().and_then(|text| text.parse::<Quantity>().ok());
    capacity.zip(wanted.parse().ok()).is_some_and(|(there, wanted)| there < wanted)
}

/// Why the volume that exists cannot be of the size that is asked for, if it cannot.
///
/// # Errors
/// When the storage class cannot be read.
pub(crate) async fn refuse_size(
    cluster: &Cluster,
    bundled: &Bundled,
    claim: &Json,
) -> ffe_cluster::Result<Option<Diagnostic>> {
    let (Some(there), Ok(wanted)) = (requested(claim), bundled.size.parse::<Quantity>()) else { return Ok(None) };
    let at = Path::attribute("database").child("storage").child("size");
    if wanted < there {
        return Ok(Some(
            Diagnostic::error(
                format!("The database's volume cannot shrink from {there} to {wanted}"),
                format!(
                    "Kubernetes lets volumes grow only. Set database.storage.size = \"{there}\" to keep what there is."
                ),
            )
            .at(at),
        ));
    }
    if wanted == there {
        return Ok(None);
    }
    let class = claim["spec"]["storageClassName"].as_str().unwrap_or_default();
    let found: Option<StorageClass> = if class.is_empty() { None } else { cluster.find(None, class).await? };
    if found.is_some_and(|class| class.allow_volume_expansion == Some(true)) {
        return Ok(None);
    }
    let cause = if class.is_empty() {
        "The volume has no storage class that could let it grow.".to_owned()
    } else {
        format!("Its storage class \"{class}\" does not allow volumes to grow (allowVolumeExpansion is not true).")
    };
    Ok(Some(
        Diagnostic::error(
            format!("The database's volume cannot grow from {there} to {wanted}"),
            format!("{cause} Set database.storage.size = \"{there}\" to keep what there is, or allow expansion in the class."),
        )
        .at(at),
    ))
}

fn growth(claim: Option<&PersistentVolumeClaim>, wanted: &Quantity) -> Progress {
    let Some(status) = claim.and_then(|claim| claim.status.as_ref()) else {
        return Progress::Waiting("the claim has no status yet".to_owned());
    };
    let stage = status.allocated_resource_statuses.as_ref().and_then(|stages| stages.get("storage"));
    if let Some(stage) = stage.filter(|stage| stage.ends_with("Infeasible")) {
        let told = status.conditions.iter().flatten().filter_map(|condition| condition.message.clone()).next();
        return Progress::Failed(format!(
            "{stage}: {}",
            told.unwrap_or_else(|| "the storage cannot be made larger".to_owned())
        ));
    }
    let capacity = status.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
    match capacity.and_then(|capacity| capacity.0.parse::<Quantity>().ok()) {
        Some(there) if there >= *wanted => Progress::Ready,
        // A claim that no pod uses yet is bound, in its full size, when one does.
        _ if status.phase.as_deref() == Some("Pending") => Progress::Ready,
        there => Progress::Waiting(format!(
            "the volume has {} of {wanted}",
            there.map_or_else(|| "nothing".to_owned(), |there| there.to_string())
        )),
    }
}

/// The same without a server: the file system may be left to the next one that mounts it.
fn growth_out_of_use(claim: Option<&PersistentVolumeClaim>, wanted: &Quantity) -> Progress {
    let conditions = claim.and_then(|claim| claim.status.as_ref()).and_then(|status| status.conditions.as_deref());
    let left_to_the_mount = conditions
        .unwrap_or_default()
        .iter()
        .any(|condition| condition.type_ == "FileSystemResizePending" && condition.status == "True");
    if left_to_the_mount { Progress::Ready } else { growth(claim, wanted) }
}

fn other_version(bundled: &Bundled, version: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("The database runs PostgreSQL {version}"),
        format!(
            "That is what the image {} contains. database.version says otherwise; set it to what runs.",
            bundled.image
        ),
    )
    .at(Path::attribute("database").child("version"))
}

fn refused_login(names: &Names, bundled: &Bundled, told: &str, is_password: bool) -> Diagnostic {
    let (volume, own, namespace) = (names.database(), names.password(), &names.namespace);
    let remedy = if is_password {
        format!(
            "The user has another password than Secret {own} says. Give it that one, and apply again:\n\n  {}",
            command_that_gives_the_password(names, bundled, &own, secrets::PASSWORD)
        )
    } else {
        format!(
            "Let the user in, and apply again. To look at the database as it is:\n\n  \
             kubectl exec --namespace={namespace} --stdin --tty {volume}-0 -- psql --username={} --dbname=postgres",
            bundled.user
        )
    };
    Diagnostic::error(
        "The database does not accept its own credentials",
        format!(
            "The server says: {told}. The volume {volume} in namespace {namespace} holds what was made or changed with other \
             credentials. {remedy}"
        ),
    )
}

/// A command that gives the database's user the password of a Secret, unseen: `\password` asks twice, and it gets to the
/// server by a pipe. Inside the pod the server lets its user in without one.
fn command_that_gives_the_password(names: &Names, bundled: &Bundled, secret: &str, key: &str) -> String {
    let line = format!("{{{{.data.{key} | base64decode}}}}{{{{\"\\n\"}}}}");
    format!(
        "kubectl get secret {secret} --namespace={namespace} --output=go-template='{line}{line}' | kubectl exec \
         --namespace={namespace} --stdin {volume}-0 -- psql --username={user} --dbname={database} --command='\\password'",
        namespace = names.namespace,
        volume = names.database(),
        user = bundled.user,
        database = bundled.name,
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::objects::tests::spec;

    fn secret(key: &str, value: &str) -> Json {
        let content = std::collections::BTreeMap::from([(key.to_owned(), value.to_owned())]);
        secrets::app(&spec(), Some(&content)).object
    }

    #[test]
    fn a_password_is_made_once_and_kept_wherever_it_is_found() {
        let names = spec().names;
        let bundled = spec().database.bundled().unwrap().clone();
        let (own, applications) = (secret(secrets::PASSWORD, "first"), secret("PGPASSWORD", "second"));
        assert_eq!(password(Some(&own), Some(&applications), true, &names, &bundled).unwrap(), "first");
        assert_eq!(password(None, Some(&applications), true, &names, &bundled).unwrap(), "second");
        let made = password(None, None, false, &names, &bundled).unwrap();
        assert_eq!(made.len(), PASSWORD_LENGTH);
        assert_ne!(made, password(None, None, false, &names, &bundled).unwrap());
    }

    #[test]
    fn a_lost_password_of_a_database_that_exists_is_never_replaced() {
        let error = password(None, None, true, &spec().names, spec().database.bundled().unwrap()).unwrap_err();
        assert!(error.detail.contains("kubectl create secret generic ffe-shop-database "), "{error}");
        assert!(error.detail.contains(r#"'{{.data.PGPASSWORD | base64decode}}{{"\n"}}{{"#), "{error}");
        assert!(error.detail.contains("--username=ffe --dbname=ffe"), "{error}");
    }

    #[test]
    fn a_volume_grows_until_its_capacity_is_there() {
        let claim = |status: Json| {
            serde_json::from_value::<PersistentVolumeClaim>(json!({ "metadata": {}, "status": status })).unwrap()
        };
        let wanted = "2Gi".parse().unwrap();
        let bound = |size: &str| claim(json!({ "phase": "Bound", "capacity": { "storage": size } }));
        assert!(matches!(growth(Some(&bound("1Gi")), &wanted), Progress::Waiting(_)));
        assert!(matches!(growth(Some(&bound("2048Mi")), &wanted), Progress::Ready));
        let pending = claim(json!({ "phase": "Bound", "capacity": { "storage": "1Gi" },
            "conditions": [{ "type": "FileSystemResizePending", "status": "True" }] }));
        assert!(matches!(growth(Some(&pending), &wanted), Progress::Waiting(_)));
        assert!(matches!(growth_out_of_use(Some(&pending), &wanted), Progress::Ready));
        assert!(matches!(growth_out_of_use(Some(&bound("1Gi")), &wanted), Progress::Waiting(_)));
        let failed = claim(
            json!({ "phase": "Bound", "allocatedResourceStatuses": { "storage": "ControllerResizeInfeasible" } }),
        );
        assert!(matches!(growth(Some(&failed), &wanted), Progress::Failed(_)));
    }
}
