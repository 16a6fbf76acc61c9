//! What shows that a release runs though Helm has no record of it: its records are lost, or another storage driver keeps
//! them. Such a release is neither gone nor new.

use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{Cluster, Error, Kind, ObjectRef, Query};
use ffe_helm::manifest::HOOK;
use ffe_helm::records::Records;
use ffe_session::diagnostic;
use tfplugin::{Diagnostic, Diagnostics};

/// What Helm puts on each object of a release.
const MANAGED: &str = "app.kubernetes.io/managed-by=Helm";
pub(crate) const RELEASE_NAME: &str = "meta.helm.sh/release-name";
pub(crate) const RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";
/// Helm leaves such an object when the release is uninstalled.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// The kinds that are looked for: nearly every release has one of them.
const KINDS: [(&str, &str); 8] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "ServiceAccount"),
];
/// How many of them a message names.
const NAMED: usize = 6;

/// The error that says what is left of a release without a record, and what to do; `None` where nothing shows it. Objects that
/// the next install `takes` over, by the user's own word, are no reason.
///
/// # Errors
/// When the cluster does not answer: then it is not known.
pub(crate) async fn refusal(
    cluster: &Cluster,
    records: &Records,
    namespace: &str,
    name: &str,
    takes: bool,
) -> Result<Option<Diagnostic>, Diagnostics> {
    let unknown =
        |error: &Error| diagnostic(error, &format!("What is left of the release {namespace}/{name} cannot be listed"));
    let elsewhere = records.elsewhere(namespace, name).await;
    let elsewhere =
        elsewhere.map_err(|error| Diagnostics::error("The release's records cannot be read", error.to_string()))?;
    if let Some((driver, key)) = elsewhere {
        let (kept, ours) = (driver.as_str(), records.driver().as_str());
        return Ok(Some(Diagnostic::error(
            format!("The release {namespace}/{name} is kept by another storage driver of Helm"),
            format!(
                "Revision {} of it is in the {} {namespace}/{}; the provider reads the storage driver {ours}. Nothing was \
                 changed.\n\n\
                 What to do: set helm.driver = \"{kept}\" in the provider's configuration, or HELM_DRIVER={kept} in its \
                 environment.",
                key.revision,
                kind_of(driver),
                key.object,
            ),
        )));
    }
    if takes {
        return Ok(None);
    }
    let left = find(cluster, namespace, name).await.map_err(|error| unknown(&error))?;
    Ok((!left.is_empty()).then(|| {
        let more = left.len().saturating_sub(NAMED);
        let mut named: Vec<String> = left.iter().take(NAMED).map(ToString::to_string).collect();
        if more > 0 {
            named.push(format!("{more} more"));
        }
        Diagnostic::error(
            format!("Helm has no record of the release {namespace}/{name}, and its objects exist"),
            format!(
                "They carry Helm's annotation {RELEASE_NAME}: {name}. Found: {}. So the release is not gone: its records \
                 (Secrets sh.helm.release.v1.{name}.v*) are lost. Nothing was changed.\n\n\
                 What to do: bring the records back, from a backup of the namespace's Secrets; or let a new release have the \
                 objects as they are: remove the old one from the state (terraform state rm) where it is in one, and set \
                 take_ownership = true; or delete the objects.",
                named.join(", ")
            ),
        )
    }))
}

fn kind_of(driver: ffe_helm::binary::Driver) -> &'static str {
    match driver {
        ffe_helm::binary::Driver::Secret => "Secret",
        ffe_helm::binary::Driver::ConfigMap => "ConfigMap",
    }
}

/// Objects of a release of this name that an uninstallation would have removed.
///
/// # Errors
/// Those of a list. A kind that may not be listed is left out: Helm could not have made it with these rights either.
async fn find(cluster: &Cluster, namespace: &str, name: &str) -> Result<Vec<ObjectRef>, Error> {
    let query = Query::labels(MANAGED);
    let mut left = Vec::new();
    for (api_version, kind) in KINDS {
        let whole = ObjectRef::new(api_version, kind, Some(namespace), "");
        let of_it = |metas: &[ObjectMeta]| -> Vec<ObjectRef> {
            let ours = metas.iter().filter(|meta| is_left(meta, namespace, name));
            ours.filter_map(|meta| Some(whole.named(meta.name.as_deref()?))).collect()
        };
        // The shared list may be a moment old, and Helm may have removed them since.
        let shared = match cluster.lists().list_kind(cluster, &whole, &query).await {
            Err(error) if matches!(error.kind(), Kind::Forbidden | Kind::NotServed) => continue,
            shared => shared?,
        };
        if !of_it(&shared).is_empty() {
            left.extend(of_it(&cluster.list_metadata_ref(&whole, &query).await?));
        }
    }
    Ok(left)
}

/// Whether an object carries Helm's annotations of this release.
pub(crate) fn is_of(meta: &ObjectMeta, namespace: &str, name: &str) -> bool {
    let note = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key)).map(String::as_str);
    note(RELEASE_NAME) == Some(name) && note(RELEASE_NAMESPACE) == Some(namespace)
}

/// Whether Helm would have removed it with the release, and it is not on its way out.
fn is_left(meta: &ObjectMeta, namespace: &str, name: &str) -> bool {
    let noted = |key: &str| meta.annotations.as_ref().is_some_and(|all| all.contains_key(key));
    is_of(meta, namespace, name)
        && !noted(RESOURCE_POLICY)
        && !noted(HOOK)
        && meta.deletion_timestamp.is_none()
        && meta.owner_references.as_ref().is_none_or(Vec::is_empty)
}
