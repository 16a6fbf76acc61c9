//! A revision as Helm's record has it, with what it has deployed: read whole, or an error.
//!
//! From an empty manifest would follow that nothing runs, that no pod has to end, and that all objects were there before the
//! release. So what cannot be read is never taken for an empty one.

use ffe_helm::Error;
use ffe_helm::binary::Driver;
use ffe_helm::manifest::Manifest;
use ffe_helm::records::{RecordKey, Records, Release as HelmRelease};
use tfplugin::Diagnostic;

/// A revision, read whole.
#[derive(Clone, Debug)]
pub(crate) struct HelmRevision {
    /// What Helm has recorded.
    pub release: HelmRelease,
    /// What the revision has deployed, hooks among it.
    pub manifest: Manifest,
}

impl HelmRevision {
    /// Opens a record. `None`: it is gone by now.
    ///
    /// # Errors
    /// When the record or its manifest cannot be read.
    pub(crate) async fn open(records: &Records, key: &RecordKey) -> Result<Option<HelmRevision>, Diagnostic> {
        let release = match records.open(key).await {
            Ok(Some(release)) => release,
            Ok(None) => return Ok(None),
            Err(Error::Record { problem, .. }) => return Err(unreadable(records, key, &problem)),
            Err(error) => return Err(Diagnostic::error("The release's record cannot be read", error.to_string())),
        };
        match release.parsed_manifest() {
            Ok(manifest) => Ok(Some(HelmRevision { release, manifest })),
            Err(error) => Err(unreadable(records, key, &format!("its manifest is none: {error}"))),
        }
    }

    /// Opens a record that has to be there.
    ///
    /// # Errors
    /// As [`HelmRevision::open`], and when it is gone.
    pub(crate) async fn require(records: &Records, key: &RecordKey) -> Result<HelmRevision, Diagnostic> {
        let RecordKey { namespace, name, revision, .. } = key;
        HelmRevision::open(records, key).await?.ok_or_else(|| {
            Diagnostic::error(
                format!("Revision {revision} of the release {namespace}/{name} is gone"),
                "Its record was there a moment ago: somebody else is at work on the release. Apply again once they have ended.",
            )
        })
    }
}

fn unreadable(records: &Records, key: &RecordKey, problem: &str) -> Diagnostic {
    let RecordKey { namespace, name, revision, object, .. } = key;
    let kind = match records.driver() {
        Driver::Secret => "secret",
        Driver::ConfigMap => "configmap",
    };
    Diagnostic::error(
        format!("Revision {revision} of the release {namespace}/{name} cannot be read"),
        format!(
            "The {kind} {namespace}/{object} is what Helm has recorded of it, and {problem}. So it is not known what the revision \
             has deployed, and nothing is done that depends on it.\n\n\
             What to do: bring the {kind} back as it was, from a backup. Or go on without that revision, if Helm has others \
             (helm history {name} -n {namespace}):\n\n  kubectl -n {namespace} delete {kind} {object}"
        ),
    )
}
