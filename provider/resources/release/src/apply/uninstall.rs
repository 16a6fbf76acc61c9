//! Uninstalling a release: only one that is proven to be ours, and nothing of it that was there before.

use ffe_cluster::Cancel;
use ffe_helm::binary::{Helm, UninstallRequest};
use ffe_helm::manifest::Manifest;
use ffe_session::HelmKit;
use tfplugin::Diagnostic;

use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::taken_over;
use crate::journal::Journal;
use crate::journal::ownership::{self, Known, Owned, Whose};

/// Uninstalls the release of a run, once it is proven to be ours. `false`: Helm has none.
///
/// # Errors
/// When it is somebody else's, or Helm fails.
pub(crate) async fn uninstall(run: &Run, request: &UninstallRequest<'_>) -> Result<bool, Stop> {
    let (namespace, name) = (run.inputs.namespace.as_str(), run.inputs.name.as_str());
    let journal = Some(&run.journal);
    let known = run.managed.as_ref().map_or_else(|| Known::by(journal), |seen| seen.known(journal));
    let whose = ownership::whose(&run.kit.records, namespace, name, known).await;
    match whose.map_err(|error| Stop::helm(&error, "The release's records cannot be read"))? {
        Whose::Nobodys => Ok(false),
        Whose::Ours(owned) => {
            let helm = run.kit.helm.clone();
            uninstall_owned(&run.kit, &helm, &owned, journal, request, &run.cancel).await.map(|()| true)
        }
        Whose::Foreign(foreign) => Err(Stop::failed(Diagnostic::error(
            format!("The release {namespace}/{name} was not uninstalled"),
            format!(
                "It is somebody else's: no run of ours has deployed what Helm has ({foreign}). It was left as it is."
            ),
        ))),
    }
}

/// Uninstalls a release that is ours. What its journal says that was there before it stays.
///
/// # Errors
/// When Helm's record cannot be rewritten so that Helm leaves that, or Helm fails.
pub(crate) async fn uninstall_owned(
    kit: &HelmKit,
    helm: &Helm,
    owned: &Owned,
    journal: Option<&Journal>,
    request: &UninstallRequest<'_>,
    cancel: &Cancel,
) -> Result<(), Stop> {
    let key = owned.newest();
    let release = format!("{}/{}", key.namespace, key.name);
    if let Some(journal) = journal {
        let spared = taken_over::spare(&kit.records, key, journal, &Manifest::default()).await;
        spared.map_err(|error| {
            let summary = format!("The release {release} was not uninstalled: its record cannot be rewritten");
            Stop::helm(&error, &summary)
        })?;
    }
    let done = owned.uninstall(helm, request, cancel).await;
    kit.records.invalidate(&key.namespace);
    done.map_err(|error| Stop::helm(&error, &format!("The release {release} could not be uninstalled")))
}
