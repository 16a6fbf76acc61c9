//! What the private state keeps: where the release was seen, and as what.

use ffe_cluster::Cluster;
use ffe_helm::records::RecordKey;
use ffe_session::diagnostic_of_recorded;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tfplugin::{Diagnostic, Private};

use crate::journal::Journal;
use crate::journal::ownership::Known;
use crate::rendering::local_chart::LocalChart;

/// What is kept in private state: where the release was seen, and as what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Seen {
    /// The cluster's identity: the UID of its kube-system namespace.
    pub cluster: String,
    /// The API server it was reached at, for messages.
    pub server: String,
    /// The UID of Helm's newest record.
    pub record_uid: String,
    /// Its resource version: while both stand, nothing has changed.
    pub record_version: String,
    /// When Helm first deployed it: another release of the same name has another time.
    pub first_deployed: Option<Timestamp>,
    /// It was taken over (`adopt = true`), so that it is given back and never uninstalled; said here too, because the journal
    /// may be lost.
    pub adopted: bool,
    /// Somebody has uninstalled it and installed another one of the same name.
    pub replaced: bool,
    /// Digest of the objects as the last apply left them; another one in state is drift.
    pub applied_digest: String,
    /// Helm's revision as the last apply left it; another one in state is somebody else's.
    pub applied_revision: i64,
    /// The journal does not say yet what the last apply left.
    pub unrecorded: bool,
    /// The last run is not finished: somebody died, or stopped it.
    pub open_run: bool,
    /// Digest of the chart on this machine when the release was read; empty when it is not here.
    pub chart: String,
    /// The same chart, and what its files looked like then: a note that saves reading them, and promises nothing.
    pub local_chart: LocalChart,
}

const KEY: &str = "seen.v1";

impl Seen {
    /// From private state.
    pub(crate) fn load(private: &Private) -> Seen {
        private.get(KEY).unwrap_or_default()
    }

    /// Into private state.
    pub(crate) fn store(&self, private: &mut Private) {
        private.set(KEY, self);
    }

    /// What is known of the release, with its journal. The record of another release of the same name proves nothing.
    pub(crate) fn known<'a>(&'a self, journal: Option<&'a Journal>) -> Known<'a> {
        let record_uid = if self.replaced { "" } else { &self.record_uid };
        Known { journal, first_deployed: self.first_deployed, record_uid }
    }

    /// Whether this is the record that was seen.
    pub(crate) fn is_current(&self, key: &RecordKey) -> bool {
        key.is_same(&self.record_uid, &self.record_version)
    }

    /// Notes the record that is seen now.
    pub(crate) fn note(&mut self, key: &RecordKey) {
        self.record_uid.clone_from(&key.uid);
        self.record_version.clone_from(&key.resource_version);
    }
}

/// The refusal to take a release for gone where nobody knows which cluster it is in: this may be another one.
pub(crate) fn not_proven_gone(seen: &Seen, namespace: &str, name: &str) -> Option<Diagnostic> {
    seen.cluster.is_empty().then(|| {
        Diagnostic::error(
            format!("The release {namespace}/{name} was not found, and its cluster is not known"),
            format!(
                "When it was deployed, which cluster this is could not be read (the UID of the namespace kube-system). So it is \
                 not known whether the release is gone or this is another cluster. The state of the last run is kept.\n\n\
                 What to do: point the provider at the cluster that the release was deployed to{}, and allow it to get the \
                 namespace kube-system; or, where the release is gone, remove it from the state: terraform state rm.",
                if seen.server.is_empty() { String::new() } else { format!(" ({})", seen.server) }
            ),
        )
    })
}

/// The release was seen in this very cluster.
///
/// # Errors
/// When this is another cluster, or it does not answer.
pub(crate) async fn same_cluster(
    cluster: &Cluster,
    seen: &Seen,
    namespace: &str,
    name: &str,
) -> Result<(), Diagnostic> {
    if seen.cluster.is_empty() {
        return Ok(());
    }
    cluster.check_same(&seen.cluster).await.map_err(|error| {
        let summary = format!("The release {namespace}/{name} cannot be looked for");
        let server = Some(seen.server.as_str()).filter(|server| !server.is_empty());
        let mut found = diagnostic_of_recorded(&error, &summary, server);
        found.detail.push_str("\n\nThe state of the last run is kept.");
        found
    })
}
