//! The end of a release.

use std::sync::Arc;

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::k8s_openapi::api::core::v1::PersistentVolumeClaim;
use ffe_cluster::{Cancel, Cluster, DeleteOptions, Holder, LeaseOptions, ObjectRef};
use ffe_helm::binary::UninstallRequest;
use ffe_helm::manifest::Manifest;
use ffe_session::{HelmKit, diagnostic, new_run_id};
use tfplugin::{Delete, Diagnostic, Diagnostics};

use crate::apply::phases::backup;
use crate::apply::phases::lock::{either, refused, release_lease};
use crate::apply::phases::record::forget_write_only;
use crate::apply::taken_over;
use crate::journal::ownership::{self, Owned, Whose};
use crate::journal::remains;
use crate::journal::{Journal, owner};
use crate::settings::inputs::duration;
use crate::settings::model::Release;
use crate::state::seen::Seen;
use crate::state::seen::same_cluster;

/// Uninstalls the release, or leaves it running if it was adopted; then removes journal, Jobs and digests.
pub(crate) async fn delete(
    cluster: &Cluster,
    kit: &Arc<HelmKit>,
    cancel: &Cancel,
    request: Delete<Release>,
) -> Diagnostics {
    match go(cluster, kit, cancel, &request).await {
        Ok(warnings) => warnings,
        Err(errors) => errors,
    }
}

async fn go(
    cluster: &Cluster,
    kit: &Arc<HelmKit>,
    cancel: &Cancel,
    request: &Delete<Release>,
) -> Result<Diagnostics, Diagnostics> {
    let namespace = request.state.namespace.clone().unwrap_or_default();
    let name = request.state.name.clone().unwrap_or_default();
    same_cluster(cluster, &Seen::load(&request.private), &namespace, &name).await?;
    if !matches!(cluster.namespace(&namespace).await, Ok(None)) {
        let options =
            LeaseOptions::from_environment().map_err(|error| diagnostic(&error, "The lease's duration is unusable"))?;
        let holder = Holder::this_process(new_run_id(), format!("terraform destroy of ffe_release {namespace}/{name}"));
        let lease = cluster.acquire_lease(&namespace, &release_lease(&name), holder, &options, cancel).await;
        let lease = lease.map_err(|error| refused(&error).into_diagnostics())?;
        // Losing the lease stops it as the user would.
        let (cancel, bridge) = either(cancel, vec![lease.lost().clone()]);
        let ended = end(cluster, kit, &cancel, request, &namespace, &name).await;
        bridge.abort();
        // Given back also when it failed; removed when nothing is left to lock.
        let given = if ended.is_ok() { lease.delete().await } else { lease.release().await };
        if let Err(error) = given {
            tracing::warn!(%error, "the lease was not given back");
        }
        return ended;
    }
    end(cluster, kit, cancel, request, &namespace, &name).await
}

async fn end(
    cluster: &Cluster,
    kit: &Arc<HelmKit>,
    cancel: &Cancel,
    request: &Delete<Release>,
    namespace: &str,
    name: &str,
) -> Result<Diagnostics, Diagnostics> {
    let journal = Journal::find(cluster, namespace, name).await;
    let journal = journal.map_err(|error| diagnostic(&error, "The journal cannot be read"))?;
    let seen = Seen::load(&request.private);
    let whose = ownership::look(&kit.records, namespace, name, seen.known(journal.as_ref())).await;
    let whose = whose.map_err(|error| Diagnostics::error("The release's records cannot be read", error.to_string()))?;
    let mut warnings = Diagnostics::new();
    if seen.adopted || journal.as_ref().is_some_and(|journal| journal.mark.adopted) {
        warnings.push(Diagnostic::warning(
            format!("The release {namespace}/{name} was left running"),
            format!(
                "It was adopted (adopt = true), so it is given back. To remove it: helm uninstall {name} -n {namespace}"
            ),
        ));
    } else {
        match whose {
            Whose::Ours(owned) => {
                uninstall(kit, cancel, &owned, &request.state, journal.as_ref()).await?;
                if let Some(journal) = &journal {
                    warnings.extend(taken_over::leave(cluster, journal, namespace, name).await);
                }
            }
            Whose::Foreign(foreign) => warnings.push(Diagnostic::warning(
                format!("The release {namespace}/{name} was left running"),
                format!(
                    "Ours is gone, and it is somebody else's: Helm has {foreign}. To remove it: helm uninstall {name} -n \
                     {namespace}"
                ),
            )),
            Whose::Nobodys => {
                if let Some(lost) = remains::refusal(cluster, &kit.records, namespace, name, false).await? {
                    return Err(lost.into());
                }
            }
        }
    }
    let query = owner(namespace, name).selector();
    let jobs = cluster.list::<Job>(Some(namespace), &query).await;
    for job in jobs.map_err(|error| diagnostic(&error, "The migration's Jobs cannot be listed"))? {
        let object = ObjectRef::of::<Job>(Some(namespace), &job.metadata.name.unwrap_or_default());
        let deleted = cluster.delete(&object, &DeleteOptions::default()).await;
        deleted.map_err(|error| diagnostic(&error, "A migration's Job cannot be removed"))?;
    }
    let claim = backup::claim(name);
    let kept = cluster.find::<PersistentVolumeClaim>(Some(namespace), &claim).await;
    if let Ok(Some(_)) = kept {
        warnings.push(Diagnostic::warning(
            format!("The backups of {namespace}/{name} were kept"),
            format!(
                "They are on the volume {claim}, and are lost when the namespace is deleted, as by destroying the \
                 ffe_environment that made it. To remove them:\n\n  kubectl -n {namespace} delete pvc {claim}"
            ),
        ));
    }
    forget_write_only(cluster, namespace, name).await?;
    if journal.is_some_and(|journal| !journal.content.taken_over.is_empty()) {
        taken_over::forget_of(cluster, namespace, name).await;
    }
    // Last: until it is gone, a delete that was interrupted is still ours to finish.
    Journal::delete(cluster, namespace, name)
        .await
        .map_err(|error| diagnostic(&error, "The journal cannot be removed"))?;
    Ok(warnings)
}

async fn uninstall(
    kit: &HelmKit,
    cancel: &Cancel,
    owned: &Owned,
    state: &Release,
    journal: Option<&Journal>,
) -> Result<(), Diagnostics> {
    let (namespace, name) = (owned.newest().namespace.as_str(), owned.newest().name.as_str());
    if let Some(journal) = journal {
        let spared = taken_over::spare(&kit.records, owned.newest(), journal, &Manifest::default()).await;
        spared.map_err(|error| {
            Diagnostics::error(
                format!("The release {namespace}/{name} was not uninstalled: its record cannot be rewritten"),
                error.to_string(),
            )
        })?;
    }
    let request = UninstallRequest {
        no_hooks: state.skip_hooks.known() == Some(&true),
        wait: true,
        ..UninstallRequest::new(name, namespace, duration(&state.timeout, 600))
    };
    let done = owned.uninstall(&kit.helm, &request, cancel).await;
    kit.records.invalidate(namespace);
    done.map_err(|error| {
        Diagnostics::error(format!("The release {namespace}/{name} could not be uninstalled"), error.to_string())
    })
}
