//! The record in the cluster of what was done to a release: a Secret beside it, readable with kubectl, without
//! anything secret in it.
//!
//! It is the ground for four things: knowing that a release is ours (its mark), finishing a run that died, importing
//! with the inputs as they were written, and `last_run`.

use std::collections::BTreeMap;
use std::io::Write as _;

use ffe_backup::Backup;
use ffe_cluster::k8s_openapi::ByteString;
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use ffe_cluster::{Cluster, Digests, Error, Kind, Mark, MarkState, Owner};
use ffe_helm::manifest::Manifest;
use ffe_helm::records::BESIDE;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(crate) mod claim;
mod format;
mod going_back;
pub(crate) mod helm_revision;
pub(crate) mod ownership;
mod pending;
mod phase;
pub(crate) mod remains;
mod written;

pub(crate) use format::Format;
pub(crate) use going_back::{Behind, GoingBack, Rows, between, older};
pub(crate) use pending::{Pending, names};
pub(crate) use phase::Phase;
pub(crate) use written::{Restored, Written};

use crate::settings::inputs::KEYED;

/// What the names of journals begin with; the release's name follows.
pub(crate) const JOURNAL_PREFIX: &str = "ffe-journal.";
/// The type of the Secret.
pub(crate) const SECRET_TYPE: &str = "ffe.three-rivers.tech/journal.v1";
/// Runs kept beyond the newest; the newest verified run is kept whatever this says.
const RUNS: usize = 20;
const DATA_KEY: &str = "journal";
/// The same, compressed by gzip: a Secret holds a megabyte, and a thousand revisions are written down in each run.
const PACKED_KEY: &str = "journal.gz";
/// What is larger is compressed.
const PLAIN_LIMIT: usize = 128 << 10;
/// Annotation: whether the newest run is finished.
const RUN: &str = "ffe.three-rivers.tech/run";
const OPEN: &str = "open";

/// How a run or a phase ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Still going on, or died.
    #[default]
    Running,
    /// All is well.
    Succeeded,
    /// It failed, and was left so.
    Failed,
    /// It failed and the release was rolled back.
    RolledBack,
    /// It failed and the release was uninstalled.
    Uninstalled,
    /// The user stopped it.
    Interrupted,
    /// There was nothing to do.
    Skipped,
}

impl Outcome {
    /// The word for state and messages.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Outcome::Running => "running",
            Outcome::Succeeded => "succeeded",
            Outcome::Failed => "failed",
            Outcome::RolledBack => "rolled_back",
            Outcome::Uninstalled => "uninstalled",
            Outcome::Interrupted => "interrupted",
            Outcome::Skipped => "skipped",
        }
    }
}

/// One phase of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PhaseRecord {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// RFC 3339.
    pub started: String,
    /// Seconds it took; 0 while it runs.
    pub seconds: f64,
}

/// An object that was there before the release had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TakenOver {
    /// `v1`.
    pub api_version: String,
    /// `PersistentVolumeClaim`.
    pub kind: String,
    /// Absent for kinds that live outside of namespaces.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its UID: one that was made under the name since is another.
    pub uid: String,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RunRecord {
    /// Names the run in marks and Job names.
    pub id: String,
    /// Keyed digest of chart, values and settings: a run with other inputs is another run. Not of a run that is closed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub inputs_digest: String,
    /// How it ended.
    pub outcome: Outcome,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339; absent while it runs.
    pub finished: Option<String>,
    /// In order.
    pub phases: Vec<PhaseRecord>,
    /// Helm's revision before.
    pub revision_before: Option<u32>,
    /// Helm's revision that this run made.
    pub revision_after: Option<u32>,
    /// The schema's revisions before the migration: those that the last good release ran on, also where a run that
    /// failed has left the schema ahead of them.
    pub schema_before: Option<Vec<String>>,
    /// The schema's revisions after it.
    pub schema_after: Option<Vec<String>>,
    /// The way back has begun. The next run does not resume a run that died on its way back: it starts afresh.
    pub unwinding: bool,
    /// The dump that was taken before the migration.
    pub backup: Option<Backup>,
    /// The command that brings it back.
    pub restore: Option<String>,
    /// What lies between `schema_before` and what the migration leads to, in order, as found before it.
    pub pending: Vec<Pending>,
    /// What has run since `schema_before`, as found after the migration; absent while that is not known.
    pub ran: Option<Vec<Pending>>,
    /// `env.py` migrates several databases, and before the migration they stood at different revisions.
    pub apart: bool,
    /// The schema was left ahead because it has no way back.
    pub one_way: bool,
    /// The image that knows these revisions: only with it can they be undone.
    pub image: Option<String>,
    /// Jobs of this run, each written down before it is made and taken off when it is removed.
    pub jobs: Vec<String>,
    /// The schema was left ahead because the user wants it so.
    pub kept: bool,
    /// It was looked which objects were there before the deployment.
    pub looked: bool,
    /// Whether the checks after the deployment passed: the revision is one to go back to.
    pub verified: bool,
    /// What it undoes, where it goes back to an older version.
    pub back: Option<GoingBack>,
    /// Where it has found the schema, if that was behind `schema_before`.
    pub behind: Option<Behind>,
}

/// What an import needs beside the inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Applied {
    /// Digest of the chart's content.
    pub chart_digest: String,
    /// Keyed digest of the objects that were deployed.
    pub manifest_digest: String,
    /// Token of the write-only values.
    pub set_wo_revision: Option<String>,
    /// What the last change did, as (action, object).
    pub changes: Vec<(String, String)>,
}

/// The content.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Content {
    /// Its format; in place of the first one's inputs.
    #[serde(rename = "inputs")]
    pub format: Format,
    /// The inputs as the last successful run had them, without what is secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<Written>,
    /// What the last successful run left.
    pub applied: Applied,
    /// When Helm first deployed the release that is ours: what tells it from another of the same name (`ownership`).
    pub first_deployed: Option<Timestamp>,
    /// Objects of the release that were there before it: given back and never deleted (`taken_over`).
    pub taken_over: Vec<TakenOver>,
    /// Oldest first.
    pub runs: Vec<RunRecord>,
}

/// A journal as it was read or written last.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    /// Whose it is, and whether the release was ever finished.
    pub mark: Mark,
    /// What it says.
    pub content: Content,
    namespace: String,
    name: String,
    /// Its Secret's metadata, as it was seen last; `None`: it is not in the cluster yet.
    there: Option<ObjectMeta>,
    /// What may be in the cluster of what this journal has read or sent: the last of it that is known to be there, and all that was
    /// sent since and not answered.
    own: Vec<Print>,
}

/// What tells one writing of a journal from another, whatever its metadata is otherwise: the mark, and a digest of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Print(Mark, [u8; 32]);

impl Print {
    fn of(mark: &Mark, data: &BTreeMap<String, ByteString>) -> Print {
        let mut hash = Sha256::new();
        for (key, value) in data {
            hash.update(key);
            hash.update([0]);
            hash.update(Sha256::digest(&value.0));
        }
        Print(mark.clone(), hash.finalize().into())
    }
}

/// What is in the cluster after a write that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CaughtUp {
    /// The journal as it was sent: only the answer was lost.
    Written,
    /// What was there before, perhaps with other labels: it can be written now.
    Before,
    /// Something that this journal has neither read nor sent, or nothing where there was a journal.
    Foreign,
}

/// The resource that a release is.
pub(crate) fn owner(namespace: &str, release: &str) -> Owner {
    Owner::new("ffe_release", &format!("{namespace}/{release}"))
}

/// The digest of what was deployed, with the release's key.
pub(crate) fn keyed(digests: &Digests, manifest: &Manifest) -> String {
    let parts = [("digest".to_owned(), manifest.digest().into_bytes())].into();
    format!("{KEYED}{}", digests.digest("manifest", &parts))
}

impl RunRecord {
    /// The run is going on, or died, or was stopped: the next run finishes what it has left, or takes it back.
    fn is_open(&self) -> bool {
        matches!(self.outcome, Outcome::Running | Outcome::Interrupted)
    }

    /// Whether it, or an earlier attempt of it, has come to a phase.
    pub(crate) fn has_begun(&self, phase: Phase) -> bool {
        self.phases.iter().any(|page| page.name == phase.name())
    }

    /// Whether a revision that Helm has not finished can be one that it was interrupted at by this run's death.
    pub(crate) fn may_have_begun(&self, revision: u32) -> bool {
        matches!(self.outcome, Outcome::Running | Outcome::Interrupted | Outcome::Failed)
            && (self.unwinding || self.has_begun(Phase::Deploy))
            && revision > self.revision_before.unwrap_or(0)
    }

    /// The run has moved the schema, or has begun to and where that has led is not known; and the schema is not back where the run
    /// began.
    fn has_moved(&self) -> bool {
        match (&self.schema_before, &self.schema_after) {
            (Some(before), Some(after)) => before != after,
            (Some(_), None) => self.has_begun(Phase::Migrate),
            (None, _) => false,
        }
    }

    /// The run has left the schema ahead of the last good release though the schema could go back; or it has begun to move the
    /// schema, and where that has led is not known.
    fn is_ahead(&self) -> bool {
        let undoable = self.schema_before.as_ref().is_some_and(|before| !before.is_empty());
        let moved = undoable && self.has_moved();
        moved && !self.kept && !self.one_way && self.pending.iter().all(|one| one.obstacle().is_none())
    }
}

/// Whether the newest run of a release is not finished, by the metadata of its journal alone.
pub(crate) fn is_run_open(metadata: &ObjectMeta) -> bool {
    metadata.annotations.as_ref().and_then(|all| all.get(RUN)).is_some_and(|word| word == OPEN)
}

/// The name of a release's journal.
pub(crate) fn secret_name(release: &str) -> String {
    format!("{JOURNAL_PREFIX}{release}")
}

/// What a journal's Secret says, or why it cannot be read.
fn content(data: &BTreeMap<String, ByteString>) -> Result<Content, String> {
    let read = match (data.get(PACKED_KEY), data.get(DATA_KEY)) {
        (Some(packed), _) => serde_json::from_reader(GzDecoder::new(packed.0.as_slice())),
        (None, Some(plain)) => serde_json::from_slice(&plain.0),
        (None, None) => return Err(format!("it has neither the key {DATA_KEY} nor {PACKED_KEY}")),
    };
    let read: Content = read
        .map_err(|error| format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column()))?;
    read.format.check()?;
    // None is written without its format and without the run that writes it.
    if read.format == Format::None && read.runs.is_empty() {
        return Err("it names neither its format nor a run".to_owned());
    }
    Ok(read)
}

fn packed(plain: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    // Neither can fail: it is written into memory.
    let _ = packer.write_all(plain);
    packer.finish().unwrap_or_default()
}

impl Journal {
    /// A journal that is not in the cluster yet.
    pub(crate) fn new(namespace: &str, release: &str, run_id: &str) -> Journal {
        Journal {
            mark: Mark::creating(owner(namespace, release), run_id),
            content: Content::default(),
            namespace: namespace.to_owned(),
            name: secret_name(release),
            there: None,
            own: Vec::new(),
        }
    }

    /// The journal of a release, if it has one.
    ///
    /// # Errors
    /// When the cluster does not answer, or what is there cannot be read as a journal.
    pub(crate) async fn find(cluster: &Cluster, namespace: &str, release: &str) -> Result<Option<Journal>, Error> {
        let name = secret_name(release);
        let Some(secret) = cluster.find::<Secret>(Some(namespace), &name).await? else { return Ok(None) };
        // What a run did, what it has to take back and whose the release is stands only there: what cannot be read is not
        // taken for nothing.
        let unreadable = |message: String| Error::Malformed {
            what: format!("journal, Secret {namespace}/{name},"),
            message: format!(
                "{message}. Nothing was changed. It may be of a newer version of the provider, or somebody has edited it: use that \
                 version, or bring the Secret back as it was"
            ),
        };
        let mark = Mark::read(&secret.metadata)
            .ok_or_else(|| unreadable("it does not carry the annotations that say whose it is".to_owned()))?;
        let data = secret.data.unwrap_or_default();
        let content = content(&data).map_err(unreadable)?;
        let (there, own) = (Some(secret.metadata), vec![Print::of(&mark, &data)]);
        Ok(Some(Journal { mark, content, namespace: namespace.to_owned(), name, there, own }))
    }

    /// Writes it: a compare-and-swap, so that a run that was thought dead cannot write over a newer one. Labels and annotations that
    /// others have put on it stay.
    ///
    /// # Errors
    /// When somebody else wrote in between, or the cluster refuses; see [`Journal::catch_up`].
    pub(crate) async fn save(&mut self, cluster: &Cluster) -> Result<(), Error> {
        self.drop_surplus();
        self.content.format = self.content.format.to_write();
        let data = self.data();
        let mut metadata = ObjectMeta {
            namespace: Some(self.namespace.clone()),
            name: Some(self.name.clone()),
            ..self.there.clone().unwrap_or_default()
        };
        metadata.managed_fields = None;
        Mark::erase(&mut metadata);
        self.mark.write(&mut metadata);
        // So that a refresh sees it in the list that it makes anyway.
        metadata.labels.get_or_insert_default().insert("owner".to_owned(), BESIDE.to_owned());
        let mut since = self.content.runs.iter().rev().take_while(|run| run.outcome != Outcome::Succeeded);
        let open = self.content.runs.last().is_some_and(RunRecord::is_open) || since.any(RunRecord::is_ahead);
        let word = if open { OPEN } else { "closed" };
        metadata.annotations.get_or_insert_default().insert(RUN.to_owned(), word.to_owned());
        let sent = Print::of(&self.mark, &data);
        self.own.push(sent.clone());
        let secret = Secret { metadata, type_: Some(SECRET_TYPE.to_owned()), data: Some(data), ..Secret::default() };
        let saved = match self.there {
            Some(_) => cluster.replace(&secret).await?,
            None => cluster.create(&secret).await?,
        };
        (self.there, self.own) = (Some(saved.metadata), vec![sent]);
        Ok(())
    }

    /// Looks what is in the cluster after [`Journal::save`] has failed, and takes its version where it is of this journal's own: the
    /// answer may have been lost after it was written, and others may have put a label on it.
    ///
    /// # Errors
    /// When the cluster does not answer, or what is there cannot be read as a journal.
    pub(crate) async fn catch_up(&mut self, cluster: &Cluster) -> Result<CaughtUp, Error> {
        let Some(found) = cluster.find::<Secret>(Some(&self.namespace), &self.name).await? else {
            return Ok(if self.there.is_none() { CaughtUp::Before } else { CaughtUp::Foreign });
        };
        let print = Mark::read(&found.metadata).map(|mark| Print::of(&mark, &found.data.unwrap_or_default()));
        let Some(print) = print.filter(|print| self.own.contains(print)) else { return Ok(CaughtUp::Foreign) };
        self.there = Some(found.metadata);
        Ok(if self.own.last() == Some(&print) { CaughtUp::Written } else { CaughtUp::Before })
    }

    /// Says again what it said before, in what it has not written yet.
    pub(crate) fn take_back_to(&mut self, before: &Journal) {
        self.mark.clone_from(&before.mark);
        self.content.clone_from(&before.content);
    }

    /// Keeps the newest runs, and the newest that was verified.
    fn drop_surplus(&mut self) {
        let surplus = self.content.runs.len().saturating_sub(RUNS);
        let verified = self.content.runs.iter().rposition(|run| run.verified);
        let mut position = 0;
        self.content.runs.retain(|_| {
            position += 1;
            position > surplus || verified == Some(position - 1)
        });
        // None of these is gone on with any more.
        for run in self.content.runs.iter_mut().rev().skip(1) {
            run.inputs_digest.clear();
        }
    }

    /// The Secret's data.
    fn data(&self) -> BTreeMap<String, ByteString> {
        let plain = serde_json::to_vec(&self.content).unwrap_or_default();
        let (key, content) = if plain.len() > PLAIN_LIMIT { (PACKED_KEY, packed(&plain)) } else { (DATA_KEY, plain) };
        [(key.to_owned(), ByteString(content))].into()
    }

    /// Whether a manifest is the one that the last successful run has left; `digests` has the key. Earlier versions of the provider wrote
    /// its digest without one.
    pub(crate) fn has_applied(&self, manifest: &Manifest, digests: Option<&Digests>) -> bool {
        let recorded = &self.content.applied.manifest_digest;
        if recorded.starts_with(KEYED) {
            return digests.is_some_and(|digests| *recorded == keyed(digests, manifest));
        }
        *recorded == manifest.digest()
    }

    /// Helm's revision that has the values of the last successful run: the newest of ours, where the run that made it ended well.
    pub(crate) fn good_revision(&self) -> Option<u32> {
        let newest = self.content.runs.iter().rev().find(|run| run.revision_after.is_some())?;
        newest.revision_after.filter(|_| matches!(newest.outcome, Outcome::Succeeded | Outcome::RolledBack))
    }

    /// The configuration of the last run that succeeded, as an import needs it.
    pub(crate) fn written(&self) -> Written {
        self.content.written.clone().unwrap_or_else(|| Written::plain(self.content.format.plain()))
    }

    /// Removes it from the cluster.
    ///
    /// # Errors
    /// When the cluster refuses; not when it is gone already.
    pub(crate) async fn delete(cluster: &Cluster, namespace: &str, release: &str) -> Result<(), Error> {
        let object = ffe_cluster::ObjectRef::of::<Secret>(Some(namespace), &secret_name(release));
        match cluster.delete(&object, &ffe_cluster::DeleteOptions::default()).await {
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// The journal of a release that is being made anew: the state was lost or the release deleted behind our back.
    #[must_use]
    pub(crate) fn anew(mut self) -> Journal {
        self.mark = Mark::creating(self.mark.owner.clone(), &self.mark.run_id);
        self.forget_revisions();
        self.content.runs.iter_mut().for_each(|run| run.revision_before = None);
        self
    }

    /// Helm's revisions are gone and will be counted anew: none of those that the runs have noted is one to go back to.
    pub(crate) fn forget_revisions(&mut self) {
        self.content.first_deployed = None;
        for run in &mut self.content.runs {
            (run.verified, run.revision_after) = (false, None);
        }
    }

    /// Helm counts on from the newest revision that it has. Those beyond it are gone, and their numbers will be given to others.
    pub(crate) fn forget_revisions_beyond(&mut self, newest: u32) {
        let is_gone = |revision: Option<u32>| revision.is_some_and(|revision| revision > newest);
        for run in &mut self.content.runs {
            if is_gone(run.revision_after) {
                (run.verified, run.revision_after) = (false, None);
            }
            if is_gone(run.revision_before) {
                run.revision_before = None;
            }
        }
    }

    /// The schema is at these revisions: what runs since the last good one, this one too, have moved from there is back.
    pub(crate) fn settle_schema(&mut self, seen: &[String]) {
        self.settle(seen, 0);
    }

    /// The same before this run has moved it.
    pub(crate) fn settle_schema_of_earlier(&mut self, seen: &[String]) {
        self.settle(seen, 1);
    }

    fn settle(&mut self, seen: &[String], newest: usize) {
        let since = self.content.runs.iter_mut().rev().skip(newest).take_while(|run| run.outcome != Outcome::Succeeded);
        for run in since.filter(|run| run.schema_before.as_deref() == Some(seen)) {
            run.schema_after = Some(seen.to_vec());
        }
    }

    /// The journal of a release that is taken over on create and given back on destroy.
    #[must_use]
    pub(crate) fn adopted(mut self) -> Journal {
        self.mark.adopted = true;
        self
    }

    /// Whether the release was finished at least once: otherwise a create is still under way or died.
    pub(crate) fn is_complete(&self) -> bool {
        self.mark.state == MarkState::Complete
    }

    /// Whether the newest run may have made objects that are there still.
    pub(crate) fn may_have_left_objects(&self) -> bool {
        self.content.runs.last().is_some_and(|run| run.outcome != Outcome::Uninstalled)
    }

    /// The run that is going on, or died, or was stopped.
    pub(crate) fn unfinished(&self) -> Option<&RunRecord> {
        self.content.runs.last().filter(|run| run.is_open() && !run.unwinding)
    }

    /// The run going on.
    pub(crate) fn current(&mut self) -> Option<&mut RunRecord> {
        self.content.runs.last_mut()
    }

    /// Where the way back of the schema leads: to the base of the first of the runs in a row that did not succeed, and moved the
    /// schema or may have. Not of those that are back where they began.
    pub(crate) fn base_of_failures(&self) -> Option<&RunRecord> {
        let earlier = self.content.runs.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
        let since = earlier.iter().rev().take_while(|run| run.outcome != Outcome::Succeeded);
        since.filter(|run| run.has_moved()).last()
    }

    /// Helm's revision to go back to: the last whose checks passed.
    pub(crate) fn last_verified(&self) -> Option<u32> {
        self.content.runs.iter().rev().find(|run| run.verified).and_then(|run| run.revision_after)
    }

    /// Helm's revision that stood before the runs since the last one that left the release good.
    pub(crate) fn stood_before(&self) -> Option<u32> {
        let good = [Outcome::Succeeded, Outcome::RolledBack, Outcome::Uninstalled];
        self.content.runs.iter().rev().take_while(|run| !good.contains(&run.outcome)).last()?.revision_before
    }

    /// The schema's revisions after the last migration.
    pub(crate) fn schema_revision(&self) -> Option<&Vec<String>> {
        self.content.runs.iter().rev().find_map(|run| run.schema_after.as_ref().or(run.schema_before.as_ref()))
    }
}

#[cfg(test)]
mod tests;
