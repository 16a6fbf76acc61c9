//! Whose a release is that Terraform has in no state: what a create may go on with, adopt, or has to refuse.

use ffe_cluster::{Cluster, ObjectRef, Ownership};
use ffe_helm::records::{RecordKey, Status};
use ffe_session::{HelmKit, diagnostic, refuse_foreign};
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::journal::Journal;
use crate::journal::ownership::{self, Known, Whose};
use crate::journal::remains;
use crate::settings::model::Release;

/// What a create finds.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    /// Nothing, or what an unfinished create of ours left.
    Ours(Option<Journal>),
    /// A release that is to be adopted, with its journal.
    Adopt(Journal),
    /// A release of ours that is finished: in another state, or in this one and about to be replaced. With the error for the former.
    Finished(Diagnostic),
    /// Somebody else's release.
    Refused(Diagnostic),
}

/// Where a create stands in the cluster.
///
/// # Errors
/// When the cluster does not answer, or what is there cannot be read.
pub(crate) async fn find_claim(
    cluster: &Cluster,
    kit: &HelmKit,
    config: &Release,
    namespace: &str,
    name: &str,
) -> Result<Claim, Diagnostics> {
    let journal = Journal::find(cluster, namespace, name)
        .await
        .map_err(|error| diagnostic(&error, "The journal cannot be read"))?;
    let whose = ownership::whose(&kit.records, namespace, name, Known::by(journal.as_ref())).await;
    let whose = whose.map_err(|error| Diagnostics::error("The release's records cannot be read", error.to_string()))?;
    let (newest, first_deployed) = match whose {
        Whose::Ours(owned) if is_installed(owned.newest()) => {
            return Ok(match journal {
                Some(journal) if journal.is_complete() => complete(journal, namespace, name),
                journal => Claim::Ours(journal),
            });
        }
        Whose::Foreign(foreign) if is_installed(&foreign.key) => (foreign.key, foreign.first_deployed),
        _ => {
            // What a create of ours has made before it died is taken over by the next. One that was uninstalled has left nothing.
            let ours =
                journal.as_ref().is_some_and(|journal| !journal.is_complete() && journal.may_have_left_objects());
            let takes = config.take_ownership.known() == Some(&true);
            let lost = remains::refusal(cluster, &kit.records, namespace, name, takes || ours).await?;
            return Ok(lost.map_or(Claim::Ours(journal), |lost| Claim::Refused(lost.at(Path::attribute("name")))));
        }
    };
    if config.adopt.known() != Some(&true) {
        let by = Ownership::Foreign { manager: Some("Helm".to_owned()) };
        return Ok(Claim::Refused(refusal(&by, namespace, name)));
    }
    tracing::info!(%namespace, %name, revision = newest.revision, "adopting a release");
    let mut journal = journal.unwrap_or_else(|| Journal::new(namespace, name, "")).adopted();
    journal.content.first_deployed = first_deployed;
    Ok(Claim::Adopt(journal))
}

/// A release of ours that is finished, and in no state, or another one: it is imported.
fn complete(journal: Journal, namespace: &str, name: &str) -> Claim {
    let mut refusal = refusal(&Ownership::OursComplete(journal.mark), namespace, name);
    refusal.detail.push_str(
        "\n\nIf the release is in this state and is being replaced, take create_before_destroy = true out of its lifecycle: two \
         releases of one name cannot stand beside each other. Terraform has put the release aside by now, as deposed: before \
         the import, terraform state rm ffe_release.<name>",
    );
    Claim::Finished(refusal)
}

fn refusal(whose: &Ownership, namespace: &str, name: &str) -> Diagnostic {
    let object = ObjectRef::new("v1", "Helm release", Some(namespace), name);
    refuse_foreign(&object, whose, "ffe_release", &format!("{namespace}/{name}")).at(Path::attribute("name"))
}

/// Whether an upgrade could start from it: what `helm uninstall --keep-history` leaves is installed anew.
pub(crate) fn is_installed(key: &RecordKey) -> bool {
    key.status != Status::Uninstalled
}

/// Whether Helm was interrupted at it: then there is nothing that it could upgrade.
pub(crate) fn is_half_done(status: Status) -> bool {
    status.is_pending() || status == Status::Uninstalling
}
