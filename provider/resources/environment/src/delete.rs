//! Taking an environment down: what was made is deleted, what was taken over is given back.

use ffe_cluster::{Cluster, Originals, Standing};
use ffe_workloads::{WaitOptions, delete_and_wait};
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::failed;
use crate::kinds::{Desired, Kind};
use crate::objects;
use crate::spec::Spec;

/// Deletes what is ours. What is gone already is no error.
pub(crate) async fn delete(cluster: &Cluster, spec: &Spec, wait: &WaitOptions) -> Result<Diagnostics, Diagnostics> {
    let mut all = objects::all(spec);
    let namespace = all.remove(0).reference;
    let standing = cluster.standing(&namespace, &spec.names.owner()).await;
    match standing.map_err(failed("The environment could not be looked at"))? {
        Standing::Absent => Ok(Diagnostics::new()),
        Standing::Made(made) => {
            let deleted = delete_and_wait(cluster, made, wait).await;
            deleted.map_err(failed(&format!("{namespace} could not be deleted")))?;
            Ok(Diagnostics::new())
        }
        Standing::Adopted(adopted) => {
            remove_content(cluster, spec, &all, wait).await?;
            let originals = Originals::new(&spec.names.namespace, &spec.names.owner());
            let given = adopted.give_back(cluster, &originals).await;
            given.map_err(failed("The namespace could not be given back"))?;
            forget(cluster, &originals).await?;
            Ok(Diagnostics::new())
        }
        Standing::Others(_) => {
            remove_content(cluster, spec, &all, wait).await?;
            forget(cluster, &Originals::new(&spec.names.namespace, &spec.names.owner())).await?;
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
