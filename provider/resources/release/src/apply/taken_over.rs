//! Objects that were there before the release had them (`take_ownership`, or left by an uninstallation): a way back and a
//! destroy give them back, and never delete them.
//!
//! Before a deployment it is looked which objects of the chart exist already; they are noted in the journal, with their
//! content in a Secret beside it. Helm deletes what its record names, so before it goes back or uninstalls they are taken out
//! of the record.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use ffe_cluster::k8s_openapi::ByteString;
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, DeleteOptions, Error, Kind, Mark, ObjectRef};
use ffe_helm::manifest::{Manifest, ObjectId};
use ffe_helm::records::{RecordKey, Records};
use ffe_session::diagnostic;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::journal::Phase;
use crate::journal::remains::{RELEASE_NAME, RELEASE_NAMESPACE, is_of};
use crate::journal::{Journal, Outcome, TakenOver, owner};

/// Requests at the same time.
const AT_ONCE: usize = 8;
/// Beside the annotations, what Helm puts on an object of a release.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// What fits into a Secret beside its own metadata.
const ROOM: usize = 900 << 10;

impl TakenOver {
    /// Its full name.
    pub(crate) fn reference(&self) -> ObjectRef {
        ObjectRef::new(&self.api_version, &self.kind, self.namespace.as_deref(), &self.name)
    }

    fn object_id(&self) -> ObjectId {
        ObjectId {
            kind: self.kind.clone(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            api_version: self.api_version.clone(),
        }
    }

    fn is(&self, id: &ObjectId, namespace: &str) -> bool {
        let at = id.namespace.as_deref().unwrap_or(namespace);
        (id.api_version.as_str(), id.kind.as_str(), id.name.as_str())
            == (self.api_version.as_str(), self.kind.as_str(), self.name.as_str())
            && self.namespace.as_deref().is_none_or(|own| own == at)
    }
}

/// The Secret with the content that they had before.
fn secret_name(release: &str) -> String {
    format!("ffe-taken-over.{release}")
}

/// Notes what is there before the deployment that makes it an object of the release.
///
/// # Errors
/// When an object cannot be looked at, or what was found cannot be written down: then nothing is deployed.
pub(crate) async fn note(run: &mut Run, manifest: &Manifest) -> Result<(), Stop> {
    if run.record().looked {
        return Ok(());
    }
    let before = match &run.before {
        Some(key) => run.manifest_of(key).await?,
        None => Manifest::default(),
    };
    // What an attempt of ours that died has made carries the release's name, and is ours.
    let earlier = run.journal.content.runs.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
    let unfinished = [Outcome::Running, Outcome::Interrupted, Outcome::Failed];
    let attempted = earlier
        .iter()
        .rev()
        .take_while(|run| unfinished.contains(&run.outcome))
        .any(|run| run.has_begun(Phase::Deploy));
    let found = live_objects(run, manifest, &before).await?;
    let found: Vec<DynamicObject> = found
        .into_iter()
        .filter(|live| !(attempted && is_of(&live.metadata, &run.inputs.namespace, &run.inputs.name)))
        .collect();
    if !found.is_empty() {
        keep_content(run, &found).await?;
        let taken = found.iter().filter_map(|live| {
            let types = live.types.clone()?;
            Some(TakenOver {
                api_version: types.api_version,
                kind: types.kind,
                namespace: live.metadata.namespace.clone(),
                name: live.metadata.name.clone()?,
                uid: live.metadata.uid.clone()?,
            })
        });
        for one in taken.collect::<Vec<_>>() {
            tracing::info!(object = %one.reference(), "it was there before the release");
            let all = &mut run.journal.content.taken_over;
            all.retain(|known| known.reference() != one.reference());
            all.push(one);
        }
    }
    run.note(|record| record.looked = true);
    run.save().await
}

/// The live objects of what the chart adds to the release.
async fn live_objects(run: &Run, manifest: &Manifest, before: &Manifest) -> Result<Vec<DynamicObject>, Stop> {
    let namespace = run.inputs.namespace.as_str();
    let at = |id: &ObjectId| id.namespace.clone().unwrap_or_else(|| namespace.to_owned());
    let known = |id: &ObjectId| before.ids().any(|old| (&old.kind, &old.name, at(old)) == (&id.kind, &id.name, at(id)));
    let added = manifest.ids().filter(|id| !known(id));
    let added: Vec<ObjectRef> =
        added.map(|id| ObjectRef::new(&id.api_version, &id.kind, Some(&at(id)), &id.name)).collect();
    let looked = futures::stream::iter(added.into_iter().map(|object| find(run.cluster.clone(), object)));
    let looked: Vec<Option<DynamicObject>> =
        looked.buffered(AT_ONCE).try_collect().await.map_err(|error| {
            Stop::cluster(&error, "Whether an object of the chart exists already cannot be looked up")
        })?;
    Ok(looked.into_iter().flatten().filter(|live| live.metadata.deletion_timestamp.is_none()).collect())
}

async fn find(cluster: Cluster, object: ObjectRef) -> Result<Option<DynamicObject>, Error> {
    match cluster.find_ref(&object).await {
        // Its kind is made by the same release, or Helm says better what is wrong with it.
        Err(error) if matches!(error.kind(), Kind::NotServed | Kind::NotFound) => Ok(None),
        found => found,
    }
}

/// Writes down what they are now, in a Secret: one of them may be a Secret.
async fn keep_content(run: &mut Run, found: &[DynamicObject]) -> Result<(), Stop> {
    let stop = |error: &Error| Stop::cluster(error, "What was there before the release cannot be written down");
    let mut data = BTreeMap::new();
    let mut size = 0;
    for live in found {
        let packed = packed(live);
        let uid = live.metadata.uid.clone().unwrap_or_default();
        if size + packed.len() > ROOM {
            run.warnings.push(Diagnostic::warning(
                format!("What {} was before is not kept", named(live)),
                "It is too large to be kept beside the journal. A way back leaves it there, with the content that the release \
                 gave it.",
            ));
            continue;
        }
        size += packed.len();
        data.insert(uid, ByteString(packed));
    }
    let (namespace, name) = (run.inputs.namespace.as_str(), run.inputs.name.as_str());
    let mut metadata =
        ObjectMeta { namespace: Some(namespace.to_owned()), name: Some(secret_name(name)), ..ObjectMeta::default() };
    Mark::complete(owner(namespace, name), &run.record().id).write(&mut metadata);
    let mut secret = Secret { metadata, data: Some(data), ..Secret::default() };
    let there = run.cluster.find::<Secret>(Some(namespace), &secret_name(name)).await.map_err(|error| stop(&error))?;
    let written = match there {
        Some(there) => {
            // What an earlier run has kept was there before that one, and is the older truth.
            let mut all = secret.data.take().unwrap_or_default();
            all.extend(there.data.unwrap_or_default());
            secret.data = Some(all);
            secret.metadata.resource_version = there.metadata.resource_version;
            run.cluster.replace(&secret).await
        }
        None => run.cluster.create(&secret).await,
    };
    written.map(drop).map_err(|error| stop(&error))
}

fn named(live: &DynamicObject) -> String {
    let kind = live.types.as_ref().map_or("object", |types| types.kind.as_str());
    format!("{kind} {}", live.metadata.name.as_deref().unwrap_or_default())
}

fn packed(live: &DynamicObject) -> Vec<u8> {
    let mut value = serde_json::to_value(live).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let _ = packer.write_all(value.to_string().as_bytes());
    packer.finish().unwrap_or_default()
}

fn unpacked(data: &[u8]) -> Result<DynamicObject, Error> {
    let mut text = String::new();
    let read = GzDecoder::new(data).read_to_string(&mut text).map_err(|error| error.to_string());
    // Where it is wrong and not how: its own words would quote what is kept.
    let place = |error: serde_json::Error| format!("line {}, column {}", error.line(), error.column());
    let parsed = read.and_then(|_| serde_json::from_str(&text).map_err(place));
    parsed.map_err(|message| Error::Malformed { what: "content that is kept of it".to_owned(), message })
}

/// Takes those that the release will not have any more out of Helm's newest record, so that Helm does not delete them when it goes
/// on from it to `target`.
///
/// # Errors
/// When the record cannot be rewritten: then Helm must not go on.
pub(crate) async fn spare(
    records: &Records,
    key: &RecordKey,
    journal: &Journal,
    target: &Manifest,
) -> Result<(), ffe_helm::Error> {
    let stays = |one: &TakenOver| target.ids().any(|id| one.is(id, &key.namespace));
    let taken: Vec<ObjectId> =
        journal.content.taken_over.iter().filter(|one| !stays(one)).map(TakenOver::object_id).collect();
    if taken.is_empty() { Ok(()) } else { records.leave_out(key, &taken).await }
}

/// After a way back: what the release does not have any more gets the content that it had before, and loses Helm's name.
pub(crate) async fn give_back(run: &mut Run, now: &Manifest) -> Diagnostics {
    let (namespace, name) = (run.inputs.namespace.clone(), run.inputs.name.clone());
    let of_release = |one: &TakenOver| now.ids().any(|id| one.is(id, &namespace));
    if run.journal.content.taken_over.iter().all(of_release) {
        return Diagnostics::new();
    }
    let contents = match run.cluster.find::<Secret>(Some(&namespace), &secret_name(&name)).await {
        Ok(secret) => secret.and_then(|secret| secret.data).unwrap_or_default(),
        // Nothing is forgotten: it is still known what has to be given back.
        Err(error) => {
            let summary = "What was there before the release was not given back, since what it was cannot be read";
            return diagnostic(&error, summary).into();
        }
    };
    let taken = std::mem::take(&mut run.journal.content.taken_over);
    let (still, back): (Vec<_>, Vec<_>) = taken.into_iter().partition(of_release);
    run.journal.content.taken_over = still;
    let mut diagnostics = Diagnostics::new();
    for one in back {
        // What was too large to be kept stays as the release made it.
        let before = contents.get(&one.uid).map(|data| unpacked(&data.0)).transpose();
        let given = match before {
            Ok(before) => restore(&run.cluster, &one, before).await,
            Err(unreadable) => Err(unreadable),
        };
        if let Err(error) = given {
            let summary =
                format!("{} was there before the release, and could not be given back as it was", one.reference());
            let mut told = diagnostic(&error, &summary);
            told.detail.push_str("\n\nIt was not deleted. It still carries Helm's annotations of the release.");
            diagnostics.push(told);
            run.journal.content.taken_over.push(one);
        }
    }
    if !diagnostics.has_errors() {
        forget(run).await;
    }
    diagnostics
}

/// Before it is as it was, the release's name goes; what cannot be put back (a claim that has grown) stays as it is.
async fn restore(cluster: &Cluster, one: &TakenOver, before: Option<DynamicObject>) -> Result<(), Error> {
    let Some(live) = cluster.find_ref(&one.reference()).await? else { return Ok(()) };
    if live.metadata.uid.as_deref() != Some(one.uid.as_str()) {
        return Ok(());
    }
    if let Some(mut before) = before {
        before.metadata.resource_version = live.metadata.resource_version;
        match cluster.replace_ref(&before).await {
            Err(error) if error.kind() == Kind::Invalid => {
                tracing::warn!(%error, object = %one.reference(), "its content stays as the release made it");
            }
            replaced => return replaced.map(drop),
        }
    }
    release(cluster, one).await
}

/// Takes Helm's name off an object, which stays as it is.
async fn release(cluster: &Cluster, one: &TakenOver) -> Result<(), Error> {
    let patch = json!({ "metadata": {
        "annotations": { RELEASE_NAME: null, RELEASE_NAMESPACE: null },
        "labels": { MANAGED_BY: null },
    } });
    match cluster.merge_ref(&one.reference(), &patch).await {
        Err(error) if error.kind() == Kind::NotFound => Ok(()),
        done => done.map(drop),
    }
}

/// After a destroy: they stay as they are, without Helm's name. Says which.
pub(crate) async fn leave(cluster: &Cluster, journal: &Journal, namespace: &str, name: &str) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let mut left = Vec::new();
    for one in &journal.content.taken_over {
        match release(cluster, one).await {
            Ok(()) => left.push(one.reference().to_string()),
            Err(error) => {
                let told = diagnostic(&error, &format!("{} was left, with Helm's annotations on it", one.reference()));
                diagnostics.push(Diagnostic::warning(told.summary, told.detail));
            }
        }
    }
    if !left.is_empty() {
        diagnostics.push(Diagnostic::warning(
            format!("Objects of the release {namespace}/{name} were left"),
            format!("They were there before the release, and stay as they are now: {}.", left.join(", ")),
        ));
    }
    diagnostics
}

/// Removes what is kept beside the journal: nothing leads back from here.
pub(crate) async fn forget(run: &Run) {
    forget_of(&run.cluster, &run.inputs.namespace, &run.inputs.name).await;
}

/// The same where there is no run.
pub(crate) async fn forget_of(cluster: &Cluster, namespace: &str, name: &str) {
    let secret = ObjectRef::of::<Secret>(Some(namespace), &secret_name(name));
    match cluster.delete(&secret, &DeleteOptions::default()).await {
        Err(error) if error.kind() != Kind::NotFound => tracing::warn!(%error, "{secret} was not removed"),
        _ => {}
    }
}
