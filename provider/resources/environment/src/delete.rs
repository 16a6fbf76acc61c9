//! Taking an environment down: what was made is deleted, what was taken over is given back.

use ffe_cluster::k8s_openapi::api::core::v1::Namespace;
use ffe_cluster::{Cluster, ObjectRef, Originals, Standing};
use ffe_session::lock::Lock;
use ffe_session::new_run_id;
use ffe_workloads::{WaitOptions, delete_and_wait, wait_deleted};
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::{NotLocked, failed, lock};
use crate::kinds::{Desired, Kind};
use crate::names::TYPE_NAME;
use crate::objects;
use crate::spec::Spec;

/// Deletes what is ours, with everybody else kept away. What is gone already is no error.
pub(crate) async fn delete(cluster: &Cluster, spec: &Spec, wait: &WaitOptions) -> Result<Diagnostics, Diagnostics> {
    let (names, summary) = (&spec.names, "The environment could not be looked at");
    let found: Option<Namespace> = cluster.find(None, &names.namespace).await.map_err(failed(summary))?;
    let Some(found) = found else { return Ok(Diagnostics::new()) };
    if ffe_cluster::namespace::is_terminating(&found) {
        // Nothing can be made in it any more, a lease neither.
        return take_down(cluster, spec, wait, None).await;
    }
    let what = format!("terraform destroy of {TYPE_NAME} {}", names.import_id());
    let lock = lock(cluster, names, &new_run_id(), &what, &wait.cancel).await;
    let lock = lock.map_err(|(NotLocked::Held(refused) | NotLocked::Failed(refused))| refused)?;
    take_down(cluster, spec, wait, Some(lock)).await
}

async fn take_down(
    cluster: &Cluster,
    spec: &Spec,
    wait: &WaitOptions,
    lock: Option<Lock>,
) -> Result<Diagnostics, Diagnostics> {
    let namespace = ObjectRef::of::<Namespace>(None, &spec.names.namespace);
    let standing = cluster.standing(&namespace, &spec.names.owner()).await;
    let ended = match standing.map_err(failed("The environment could not be looked at")) {
        Ok(Standing::Made(made)) => {
            let uid = made.uid().to_owned();
            let deleted = made.delete(cluster).await;
            // From here on nobody can make anything in it, and the lease goes with it.
            if let Some(lock) = lock {
                lock.remove().await;
            }
            let gone = async {
                deleted?;
                wait_deleted(cluster, &namespace, Some(&uid), wait).await
            };
            return match gone.await {
                Ok(()) => Ok(Diagnostics::new()),
                Err(error) => Err(failed(&format!("{namespace} could not be deleted"))(error)),
            };
        }
        Ok(standing) => give_back(cluster, spec, wait, standing).await,
        Err(errors) => Err(errors),
    };
    match (lock, &ended) {
        (Some(lock), Ok(_)) => lock.remove().await,
        (Some(lock), Err(_)) => drop(lock.let_go().await),
        (None, _) => {}
    }
    ended
}

/// In a namespace that stays.
async fn give_back(
    cluster: &Cluster,
    spec: &Spec,
    wait: &WaitOptions,
    standing: Standing,
) -> Result<Diagnostics, Diagnostics> {
    let content: Vec<Desired> = objects::all(spec).into_iter().skip(1).collect();
    let originals = Originals::new(&spec.names.namespace, &spec.names.owner());
    match standing {
        Standing::Absent | Standing::Made(_) => Ok(Diagnostics::new()),
        Standing::Adopted(adopted) => {
            remove_content(cluster, spec, &content, wait).await?;
            let given = adopted.give_back(cluster, &originals).await;
            given.map_err(failed("The namespace could not be given back"))?;
            forget(cluster, &originals).await?;
            Ok(Diagnostics::new())
        }
        Standing::Others(_) => {
            remove_content(cluster, spec, &content, wait).await?;
            forget(cluster, &originals).await?;
            let namespace = ObjectRef::of::<Namespace>(None, &spec.names.namespace);
            let detail = "It does not carry the mark of this environment any more, so it was not deleted. What the environment \
                          made in it is gone.";
            Ok(Diagnostic::warning(format!("{namespace} stays"), detail).into())
        }
    }
}

async fn forget(cluster: &Cluster, originals: &Originals) -> Result<(), Diagnostics> {
    originals.remove(cluster).await.map_err(failed("What is kept of objects that were given back could not be removed"))
}

/// In a namespace that stays: our objects one by one, the server before its volume.
async fn remove_content(
    cluster: &Cluster,
    spec: &Spec,
    content: &[Desired],
    wait: &WaitOptions,
) -> Result<(), Diagnostics> {
    let owner = spec.names.owner();
    let originals = Originals::new(&spec.names.namespace, &owner);
    for Desired { kind, reference, .. } in content.iter().rev() {
        let removed = async {
            match cluster.standing(reference, &owner).await? {
                Standing::Adopted(adopted) => adopted.give_back(cluster, &originals).await,
                Standing::Made(made) if matches!(kind, Kind::StatefulSet | Kind::PersistentVolumeClaim) => {
                    delete_and_wait(cluster, made, wait).await
                }
                Standing::Made(made) => made.delete(cluster).await.map(drop),
                Standing::Absent | Standing::Others(_) => Ok(()),
            }
        };
        removed.await.map_err(failed(&format!("{reference} could not be removed")))?;
    }
    cluster
        .delete_digests(&spec.names.namespace, &owner)
        .await
        .map_err(failed("The digests of the secrets could not be removed"))
}
