//! The volume of backups.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use ffe_cluster::k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{ApplyOptions, Cluster, Mark, MarkState, Ownership, ownership};

use crate::error::Error;
use crate::place::{Place, Volume};

/// Makes the claim unless it is there. One that is ours and smaller than asked for grows; where it cannot, what is told
/// says why, and it is used as it is. One that is not ours is used as it is.
pub(crate) async fn ensure(cluster: &Cluster, place: &Place, volume: &Volume) -> Result<Option<String>, Error> {
    let wrap = |source| Error::Cluster { doing: format!("making the volume {} for backups", volume.claim), source };
    match cluster.find::<PersistentVolumeClaim>(Some(&place.namespace), &volume.claim).await.map_err(wrap)? {
        Some(found) if found.metadata.deletion_timestamp.is_some() => Err(Error::Invalid {
            field: "storage.claim",
            message: format!("the volume {}/{} is being deleted", place.namespace, volume.claim),
        }),
        Some(found) if is_smaller(&found, &volume.size) => match ownership(Some(&found.metadata), &place.mark.owner) {
            Ownership::OursComplete(_) | Ownership::OursUnfinished(_) => Ok(grow(cluster, place, volume).await),
            _ => Ok(None),
        },
        Some(_) => Ok(None),
        None => cluster.apply(&claim(place, volume), ApplyOptions::default()).await.map_err(wrap).map(|_| None),
    }
}

/// What cannot be read is no reason to change something.
fn is_smaller(claim: &PersistentVolumeClaim, size: &str) -> bool {
    let asked = claim.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
    let amount = |text: &str| text.parse::<ffe_cluster::Quantity>().ok();
    match (asked.and_then(|Quantity(text)| amount(text)), amount(size)) {
        (Some(has), Some(wanted)) => has.millis() < wanted.millis(),
        _ => false,
    }
}

/// Asks for a larger volume. A class that cannot enlarge its volumes is no reason not to take a backup.
async fn grow(cluster: &Cluster, place: &Place, volume: &Volume) -> Option<String> {
    let patch = serde_json::json!({ "spec": { "resources": { "requests": { "storage": volume.size } } } });
    match cluster.merge::<PersistentVolumeClaim>(Some(&place.namespace), &volume.claim, &patch).await {
        Ok(_) => {
            tracing::info!(claim = %volume.claim, size = %volume.size, "the volume of backups grows");
            None
        }
        Err(error) => Some(format!(
            "The volume {}/{} of the backups does not grow to {}: {error}",
            place.namespace, volume.claim, volume.size
        )),
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
    use ffe_cluster_testing::FakeApi;

    use super::*;
    use crate::job::tests::place;
    use crate::place::Storage;

    #[tokio::test(start_paused = true)]
    async fn a_claim_is_made_once_and_grows_where_it_is_ours() {
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
        let object = ObjectRef::of::<PersistentVolumeClaim>(Some("ffe"), "dumps");
        let size = || api.get(&object).unwrap()["spec"]["resources"]["requests"]["storage"].clone();
        // Smaller, or the same in other words: as it is.
        for same in ["512Mi", "1024Mi"] {
            let other = Volume { size: same.to_owned(), ..volume.clone() };
            assert_eq!(ensure(&cluster, &place, &other).await.unwrap(), None);
            assert_eq!(size(), "1Gi");
        }
        let larger = Volume { size: "9Gi".to_owned(), ..volume.clone() };
        assert_eq!(ensure(&cluster, &place, &larger).await.unwrap(), None);
        assert_eq!(size(), "9Gi");
        // Somebody else's stays.
        api.edit(&object, |claim| claim["metadata"]["annotations"] = serde_json::json!({}));
        let largest = Volume { size: "90Gi".to_owned(), ..volume.clone() };
        assert_eq!(ensure(&cluster, &place, &largest).await.unwrap(), None);
        assert_eq!(size(), "9Gi");
    }
}
