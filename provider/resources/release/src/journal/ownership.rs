//! Whose the release is that Helm has under a name: decided by a look at Helm's newest record, and by nothing else.
//!
//! Helm gives a release the time of its first deployment, and each upgrade and rollback carries it on. After an
//! uninstallation the name is free, and who installs it then gets another time. So that time is what tells a release of
//! ours from one that somebody else has installed under the same name since, also when Helm has pruned the revisions that
//! we made. The journal notes it (`Content::first_deployed`), and so does the private state.

use ffe_cluster::Cancel;
use ffe_helm::Error;
use ffe_helm::binary::{Helm, UninstallRequest};
use ffe_helm::records::{RecordKey, Records, Release as HelmRelease, Status};
use jiff::Timestamp;
use tfplugin::Diagnostic;

use crate::journal::{Journal, RunRecord};

/// What is known of a release's identity before it is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// The journal, if it has one.
    pub journal: Option<&'a Journal>,
    /// When the release in Terraform's state was first deployed.
    pub first_deployed: Option<Timestamp>,
    /// The UID of the record that was seen last; empty where none was.
    pub record_uid: &'a str,
}

impl Known<'_> {
    /// What the journal alone says: nothing is in a state.
    pub(crate) fn by(journal: Option<&Journal>) -> Known<'_> {
        Known { journal, first_deployed: None, record_uid: "" }
    }
}

/// What Helm has under a name.
#[derive(Clone, Debug)]
pub(crate) enum Whose {
    /// No record.
    Nobodys,
    /// A release that our runs made, adopted or imported.
    Ours(Owned),
    /// Somebody else's.
    Foreign(Foreign),
}

/// Proof that a release is ours: only [`whose`] makes one. What uninstalls a release asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Owned {
    key: RecordKey,
}

impl Owned {
    /// Helm's newest record.
    pub(crate) fn newest(&self) -> &RecordKey {
        &self.key
    }
}

impl Owned {
    /// Uninstalls the release.
    ///
    /// # Errors
    /// Helm failed.
    pub(crate) async fn uninstall(
        &self,
        helm: &Helm,
        request: &UninstallRequest<'_>,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        debug_assert_eq!((request.namespace, request.release), (self.key.namespace.as_str(), self.key.name.as_str()));
        helm.uninstall(request, cancel).await.map(drop)
    }
}

/// A release that is not ours.
#[derive(Clone, Debug)]
pub(crate) struct Foreign {
    /// Helm's newest record.
    pub key: RecordKey,
    /// When it was first deployed.
    pub first_deployed: Option<Timestamp>,
}

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first_deployed {
            Some(at) => {
                write!(f, "revision {}, first deployed at {}", self.key.revision, at.strftime("%Y-%m-%dT%H:%M:%SZ"))
            }
            None => write!(f, "revision {}", self.key.revision),
        }
    }
}

/// Looks at Helm's newest record, asked of the API server now.
///
/// # Errors
/// When the records cannot be listed, or the newest cannot be read: then it is not known whose the release is.
pub(crate) async fn whose(records: &Records, namespace: &str, name: &str, known: Known<'_>) -> Result<Whose, Error> {
    // A record may be pruned between the list and the reading.
    for _ in 0..3 {
        let Some(key) = records.history_now(namespace, name).await?.pop() else { return Ok(Whose::Nobodys) };
        refuse_newer_elsewhere(records, &key).await?;
        let Some(release) = records.open(&key).await? else { continue };
        return Ok(if is_ours(&key, &release, known) {
            Whose::Ours(Owned { key })
        } else {
            Whose::Foreign(Foreign { key, first_deployed: release.first_deployed })
        });
    }
    Err(Error::Record {
        object: format!("{namespace}/{name}"),
        problem: "its newest record is replaced again and again: somebody else is at work on it".to_owned(),
    })
}

/// Somebody who uses another storage driver sees no release of the name, and installs one: its objects are then theirs. What that
/// driver has of old says nothing.
async fn refuse_newer_elsewhere(records: &Records, key: &RecordKey) -> Result<(), Error> {
    let RecordKey { namespace, name, .. } = key;
    let Some((driver, other)) = records.elsewhere(namespace, name).await? else { return Ok(()) };
    if other.written <= key.written {
        return Ok(());
    }
    let (theirs, ours) = (driver.as_str(), records.driver().as_str());
    Err(Error::Record {
        object: format!("{namespace}/{}", key.object),
        problem: format!(
            "the storage driver {theirs} has a newer one, {namespace}/{}: somebody has installed a release of the same name by it, and \
             with it the objects. Nothing was changed. What to do: to have theirs, set helm.driver = \"{theirs}\" in the provider's \
             configuration; to have ours again, remove the records of theirs, which leaves the objects: kubectl -n {namespace} delete \
             {theirs}s -l owner=helm,name={name} (the provider reads the driver {ours})",
            other.object
        ),
    })
}

fn is_ours(key: &RecordKey, release: &HelmRelease, known: Known<'_>) -> bool {
    let noted = known.journal.and_then(|journal| journal.content.first_deployed);
    let same = |at: Option<Timestamp>| at.is_some() && at == release.first_deployed;
    let runs = known.journal.map(|journal| journal.content.runs.as_slice()).unwrap_or_default();
    same(noted)
        || key.uid == known.record_uid
        || same(known.first_deployed)
        || runs.iter().any(|run| release.description == description(&run.id))
        || runs.last().is_some_and(|run| was_interrupted_at(run, key, release))
}

/// Whether the run can have begun this first install, and has not seen its end: Helm writes our description last.
fn was_interrupted_at(run: &RunRecord, key: &RecordKey, release: &HelmRelease) -> bool {
    let unfinished = key.status.is_pending() || key.status == Status::Failed;
    let since = run.started.parse::<Timestamp>().ok();
    unfinished
        && run.may_have_begun(key.revision)
        && since.zip(release.first_deployed).is_some_and(|(since, deployed)| deployed >= since)
}

/// The error for a release in the state that somebody else has installed anew.
pub(crate) fn replaced(namespace: &str, name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The release {namespace}/{name} is another one than the one in the state"),
        format!(
            "Ours was uninstalled, and somebody else has installed one of the same name since. Nothing was changed.\n\n\
             What to do: to manage theirs here, remove ours from the state and import theirs:\n\n  \
             terraform state rm ffe_release.<name>\n  terraform import ffe_release.<name> {namespace}/{name}\n\n\
             To have ours again: helm uninstall {name} -n {namespace}, and apply."
        ),
    )
}

/// What Helm's record says of a revision that a run deployed.
pub(crate) fn description(run: &str) -> String {
    format!("terraform-provider-ffe run {run}")
}

#[cfg(test)]
mod tests;
