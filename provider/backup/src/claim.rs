//! The volume of backups.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use ffe_cluster::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{ApplyOptions, Cluster, Mark, MarkState};

use crate::error::Error;
use crate::place::{Place, Volume};

/// Makes the claim unless it is there; one that is there stays as it is.
pub(crate) async fn ensure(cluster: &Cluster, place: &Place, volume: &Volume) -> Result<(), Error> {
    let wrap = |source| Error::Cluster { doing: format!("making the volume {} for backups", volume.claim), source };
    match cluster.find::<PersistentVolumeClaim>(Some(&place.namespace), &volume.claim).await.map_err(wrap)? {
        Some(found) if found.metadata.deletion_timestamp.is_some() => Err(Error::Invalid {
            field: "storage.claim",
            message: format!("the volume {}/{} is being deleted", place.namespace, volume.claim),
        }),
        Some(_) => Ok(()),
        None => cluster.apply(&claim(place, volume), ApplyOptions::default()).await.map_err(wrap).map(|_| ()),
    }
}

/// Whether the claim is there.
pub(crate) async fn exists(cluster: &Cluster, place: &Place, volume: &Volume) -> Result<bool, Error> {
    let found = cluster.find::<PersistentVolumeClaim>(Some(&place.namespace), &volume.claim).await;
    let doing = || format!("looking for the volume {}", volume.claim);
    found.map(|found| found.is_some()).map_err(|source| Error::Cluster { doing: doing(), source })
}

fn claim(place: &Place, volume: &Volume) -> PersistentVolumeClaim {
    let mut metadata = ObjectMeta {
        name: Some(volume.claim.clone()),
        namespace: Some(place.namespace.clone()),
        labels: Some(BTreeMap::from([("app.kubernetes.io/name".to_owned(), "ffe-backup".to_owned())])),
        ..ObjectMeta::default()
    };
    Mark { state: MarkState::Complete, ..place.mark.clone() }.write(&mut metadata);
    PersistentVolumeClaim {
        metadata,
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: volume.class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(volume.size.clone()))])),
                limits: None,
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use ffe_cluster::ObjectRef;
    use ffe_cluster::testing::FakeApi;

    use super::*;
    use crate::job::tests::place;
    use crate::place::Storage;

    #[tokio::test(start_paused = true)]
    async fn a_claim_is_made_once_and_left_as_it_is() {
        let api = FakeApi::new();
        api.put(serde_json::json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "ffe" } }));
        let cluster = api.cluster();
        let place = place();
        let Storage::Volume(volume) = &place.storage else { panic!() };
        assert!(!exists(&cluster, &place, volume).await.unwrap());
        ensure(&cluster, &place, volume).await.unwrap();
        let made = api.get(&ObjectRef::of::<PersistentVolumeClaim>(Some("ffe"), "dumps")).unwrap();
        assert_eq!(made["spec"]["resources"]["requests"]["storage"], "1Gi");
        assert_eq!(made["metadata"]["annotations"]["ffe.three-rivers.tech/state"], "complete");
        let larger = Volume { size: "9Gi".to_owned(), ..volume.clone() };
        ensure(&cluster, &place, &larger).await.unwrap();
        let kept = api.get(&ObjectRef::of::<PersistentVolumeClaim>(Some("ffe"), "dumps")).unwrap();
        assert_eq!(kept["spec"], made["spec"]);
    }
}
