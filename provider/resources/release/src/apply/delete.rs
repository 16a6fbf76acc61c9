//! The end of a release.

use std::sync::Arc;

use ffe_cluster::k8s_openapi::api::batch::v1::Job;
use ffe_cluster::k8s_openapi::api::core::v1::PersistentVolumeClaim;
use ffe_cluster::{Cancel, Cluster, DeleteOptions, ObjectRef};
use ffe_helm::binary::UninstallRequest;
use ffe_session::{HelmKit, diagnostic, new_run_id};
use tfplugin::{Delete, Diagnostic, Diagnostics};

use crate::apply::leases::{Leases, release_lease};
use crate::apply::phases::backup;
use crate::apply::phases::record::forget_write_only;
use crate::apply::stop::Stop;
use crate::apply::taken_over;
use crate::apply::uninstall::uninstall_owned;
use crate::journal::ownership::{self, Owned, Whose};
use crate::journal::{Journal, owner, remains};
use crate::settings::inputs::duration;
use crate::settings::model::Release;
use crate::state::seen::{Seen, not_proven_gone, same_cluster};

/// Uninstalls the release, or leaves it running if it was adopted; then removes journal, Jobs and digests.
///
/// # Errors
/// When something of it could not be removed: then the release stays in the state.
pub(crate) async fn delete(
    cluster: &Cluster,
    kit: &Arc<HelmKit>,
    cancel: &Cancel,
    request: Delete<Release>,
) -> Result<Diagnostics, Diagnostics> {
    let namespace = request.state.namespace.clone().unwrap_or_default();
    let name = request.state.name.clone().unwrap_or_default();
    same_cluster(cluster, &Seen::load(&request.private), &namespace, &name).await?;
    if matches!(cluster.namespace(&namespace).await, Ok(None)) {
        return remove_all(cluster, kit, cancel, &request, &namespace, &name).await;
    }
    let what = format!("terraform destroy of ffe_release {namespace}/{name}");
    let leases = Leases::take(cluster, &namespace, &[release_lease(&name)], &new_run_id(), &what, cancel).await;
    let mut leases = leases.map_err(Stop::into_diagnostics)?;
    let ended = remove_all(cluster, kit, &leases.cancel(), &request, &namespace, &name).await;
    // Given back also when it failed; removed when nothing is left to lock.
    if ended.is_ok() {
        leases.remove().await;
    } else {
        let warnings = leases.give_back().await;
        if !warnings.is_empty() {
            tracing::warn!(%warnings, "the lease was not given back");
        }
    }
    ended
}

/// The warning about a release that a destroy leaves; `what` is about it.
pub(crate) fn stays(namespace: &str, name: &str, what: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("The release {namespace}/{name} {what}"),
        format!(
            "It was there before Terraform had it (an import, or adopt = true), so it is given back. To remove it as well, after the destroy: \
             helm uninstall {name} -n {namespace}"
        ),
    )
}

async fn remove_all(
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
    let whose = ownership::whose(&kit.records, namespace, name, seen.known(journal.as_ref())).await;
    let whose = whose.map_err(|error| Diagnostics::error("The release's records cannot be read", error.to_string()))?;
    let mut warnings = Diagnostics::new();
    if seen.adopted || journal.as_ref().is_some_and(|journal| journal.mark.adopted) {
        warnings.push(stays(namespace, name, "was left running"));
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
                not_proven_gone(&seen, namespace, name).map_or(Ok(()), |unknown| Err(Diagnostics::from(unknown)))?;
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
    let unseen = match kept {
        Ok(None) => None,
        Ok(Some(_)) => Some(String::new()),
        Err(error) => Some(format!(", if there is one (it could not be looked at: {error})")),
    };
    if let Some(unseen) = unseen {
        warnings.push(Diagnostic::warning(
            format!("The backups of {namespace}/{name} were kept"),
            format!(
                "They are on the volume {claim}{unseen}, and are lost when the namespace is deleted, as by destroying the \
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
    let request = UninstallRequest {
        no_hooks: state.skip_hooks.known() == Some(&true),
        wait: true,
        ..UninstallRequest::new(name, namespace, duration(&state.timeout, 600))
    };
    let done = uninstall_owned(kit, &kit.helm, owned, journal, &request, cancel).await;
    done.map_err(|stop| match stop {
        Stop::Cancelled => Diagnostics::error(
            format!("The release {namespace}/{name} could not be uninstalled"),
            "It was interrupted. The next destroy goes on with it.",
        ),
        stop => stop.into_diagnostics(),
    })
}
