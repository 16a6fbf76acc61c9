//! Taking an environment down: what was made is deleted, what was taken over is given back.

use ffe_cluster::{Cluster, DeleteOptions, Ownership, WaitOptions};
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::failed;
use crate::kinds::{Found, Kind, find_all};
use crate::objects;
use crate::spec::Spec;

/// Deletes what is ours. What is gone already is no error.
pub(crate) async fn delete(cluster: &Cluster, spec: &Spec, wait: &WaitOptions) -> Result<Diagnostics, Diagnostics> {
    let (names, owner) = (&spec.names, spec.names.owner());
    let mut found =
        find_all(cluster, objects::all(spec)).await.map_err(failed("The environment could not be looked at"))?;
    let namespace = found.remove(0);
    match namespace.ownership(&owner) {
        Ownership::Absent => Ok(Diagnostics::new()),
        Ownership::OursComplete(mark) | Ownership::OursUnfinished(mark) if !mark.adopted => {
            let options = DeleteOptions { uid: namespace.uid(), ..DeleteOptions::default() };
            cluster
                .delete_and_wait(&namespace.desired.reference, &options, wait)
                .await
                .map_err(failed(&format!("Namespace {} could not be deleted", names.namespace)))?;
            Ok(Diagnostics::new())
        }
        Ownership::OursComplete(_) | Ownership::OursUnfinished(_) => {
            remove_content(cluster, spec, &found, wait).await?;
            let summary = "The namespace could not be given back";
            namespace.desired.unapply(cluster).await.map_err(failed(summary))?;
            cluster.release_mark(&namespace.desired.reference).await.map_err(failed(summary))?;
            Ok(Diagnostics::new())
        }
        Ownership::Foreign { .. } | Ownership::OtherResource(_) => {
            remove_content(cluster, spec, &found, wait).await?;
            let detail = "It does not carry the mark of this environment any more, so it was not deleted. What the environment \
                          made in it is gone.";
            Ok(Diagnostic::warning(format!("Namespace {} stays", names.namespace), detail).into())
        }
    }
}

/// In a namespace that stays: our objects one by one, the server before its volume.
async fn remove_content(
    cluster: &Cluster,
    spec: &Spec,
    found: &[Found],
    wait: &WaitOptions,
) -> Result<(), Diagnostics> {
    let owner = spec.names.owner();
    for one in found.iter().rev() {
        let reference = &one.desired.reference;
        let failed_here = format!("{reference} could not be removed");
        match one.ownership(&owner) {
            Ownership::OursComplete(mark) | Ownership::OursUnfinished(mark) if mark.adopted => {
                one.desired.unapply(cluster).await.map_err(failed(&failed_here))?;
                cluster.release_mark(reference).await.map_err(failed(&failed_here))?;
            }
            Ownership::OursComplete(_) | Ownership::OursUnfinished(_) => {
                let options = DeleteOptions { uid: one.uid(), ..DeleteOptions::default() };
                let waits = matches!(one.desired.kind, Kind::StatefulSet | Kind::PersistentVolumeClaim);
                if waits {
                    cluster.delete_and_wait(reference, &options, wait).await.map_err(failed(&failed_here))?;
                } else {
                    cluster.delete(reference, &options).await.map(drop).map_err(failed(&failed_here))?;
                }
            }
            Ownership::Absent | Ownership::Foreign { .. } | Ownership::OtherResource(_) => {}
        }
    }
    cluster
        .delete_digests(&spec.names.namespace, &owner)
        .await
        .map_err(failed("The digests of the secrets could not be removed"))
}
