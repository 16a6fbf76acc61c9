//! The end of an issuer: one that was made is deleted where nobody uses it any more, one that was taken over is given back.

use ffe_cert_manager::API;
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::{Cancel, Cluster, DeleteOptions, Kind, ObjectRef, Query, Standing};
use ffe_session::new_run_id;
use tfplugin::{Diagnostic, Diagnostics};

use crate::apply::{self, failed, remove_credentials};
use crate::names::TYPE_NAME;
use crate::objects::{self, Memory};
use crate::plan::{certificates, list, users};
use crate::spec::Spec;

/// By when cert-manager has heard that an issuer is gone.
const HEARD: std::time::Duration = std::time::Duration::from_secs(1);

/// Takes the issuer down, with everybody else kept away. What is gone already is no error. `home` is where its Secrets are, as
/// far as the state knows.
///
/// # Errors
/// When certificates refer to it, or it is not known whether some do; when somebody else is at work on it; when the cluster
/// refuses.
pub(crate) async fn delete(
    cluster: &Cluster,
    spec: &Spec,
    home: Option<String>,
    cancel: &Cancel,
) -> Result<Diagnostics, Diagnostics> {
    let home = match home {
        Some(home) => Some(home),
        None => apply::home(cluster, spec).await.ok(),
    };
    let lock = match &home {
        // With the namespace everything in it is gone.
        Some(home) if !matches!(cluster.namespace(home).await, Ok(None)) => {
            let what = format!("terraform destroy of {TYPE_NAME} {}", spec.names.import_id());
            Some(apply::lock(cluster, &spec.names, home, (&new_run_id(), &what), cancel).await?)
        }
        _ => None,
    };
    let ended = take_down(cluster, spec, home).await;
    match (lock, &ended) {
        (Some(lock), Ok(_)) => lock.remove().await,
        (Some(lock), Err(_)) => drop(lock.let_go().await),
        (None, _) => {}
    }
    ended
}

async fn take_down(cluster: &Cluster, spec: &Spec, home: Option<String>) -> Result<Diagnostics, Diagnostics> {
    let (object, owner) = (spec.names.object(), spec.names.owner());
    let mut warnings = Diagnostics::new();
    let summary = format!("{object} could not be removed");
    let live = match cluster.find_ref(&object).await {
        Err(error) if error.kind() == Kind::NotServed => None,
        found => found.map_err(failed(&summary))?,
    };
    match cluster.standing(&object, &owner).await.map_err(failed(&summary))? {
        Standing::Absent => {}
        Standing::Made(made) => {
            unused(cluster, spec).await?;
            made.delete(cluster).await.map_err(failed(&summary))?;
            tracing::info!(%object, "removed");
        }
        Standing::Adopted(adopted) => {
            let originals = objects::originals(spec, home.as_deref().unwrap_or_default());
            adopted
                .give_back(cluster, &originals)
                .await
                .map_err(failed(&format!("{object} could not be given back")))?;
            tracing::info!(%object, "given back");
        }
        Standing::Others(_) => warnings.push(Diagnostic::warning(
            format!("{object} stays"),
            "It does not carry the mark of this resource any more, so it was not deleted.",
        )),
    }
    let Some(home) = home else {
        warnings.extend(secrets_left(spec));
        return Ok(warnings);
    };
    let summary = "The issuer's Secrets could not be removed";
    remove_credentials(cluster, spec, &home).await.map_err(failed(summary))?;
    objects::originals(spec, &home).remove(cluster).await.map_err(failed(summary))?;
    let made = live.and_then(|live| Memory::of(&live.metadata).account_key).filter(|_| !spec.keep_account_key);
    if let Some(key) = made {
        warnings.extend(remove_account_key(cluster, &objects::secret(&key, &home)).await?);
    }
    Ok(warnings)
}

/// Nobody refers to it, for sure.
async fn unused(cluster: &Cluster, spec: &Spec) -> Result<(), Diagnostics> {
    let object = spec.names.object();
    let users = match users(cluster, spec).await {
        Ok(users) => users,
        Err(error) => {
            return Err(Diagnostics::error(
                format!("{object} is not destroyed: whether certificates refer to it is not known"),
                format!(
                    "{error}\n\nWithout it they could not be renewed. Allow list on certificates.cert-manager.io (for a ClusterIssuer in \
                     all namespaces), or take it out of the state: terraform state rm."
                ),
            ));
        }
    };
    if users.is_empty() {
        return Ok(());
    }
    Err(Diagnostics::error(
        format!("{object} is not destroyed: {} refer to it", certificates(users.len())),
        format!(
            "{}\n\nThey could not be renewed without it. Let them use another issuer, or destroy their endpoints, first. Where this is a \
             replacement, lifecycle {{ create_before_destroy = true }} in the resource has the new issuer made, and endpoints led to it, \
             before.",
            list(&users)
        ),
    ))
}

/// The key of an account that was made for this issuer, unless another one uses it by now.
async fn remove_account_key(cluster: &Cluster, key: &ObjectRef) -> Result<Option<Diagnostic>, Diagnostics> {
    match others_with(cluster, key).await {
        Ok(others) if others.is_empty() => {}
        Ok(others) => {
            return Ok(Some(Diagnostic::warning(
                format!("{key} stays"),
                format!("It has the key of an ACME account that other issuers use:\n{}", list(&others)),
            )));
        }
        Err(error) => {
            return Ok(Some(Diagnostic::warning(
                format!("{key} stays"),
                format!("It has the key of an ACME account, and whether other issuers use it is not known: {error}"),
            )));
        }
    }
    let summary = format!("{key} could not be removed");
    // cert-manager may not have heard yet that the issuer is gone, and makes a key anew for it.
    for _ in 0..3 {
        let found: Option<Secret> =
            cluster.find(key.namespace.as_deref(), &key.name).await.map_err(failed(&summary))?;
        let Some(found) = found else { break };
        let options = DeleteOptions { uid: found.metadata.uid, ..DeleteOptions::default() };
        cluster.delete(key, &options).await.map_err(failed(&summary))?;
        tokio::time::sleep(HEARD).await;
    }
    Ok(None)
}

/// Issuers that keep the key of their account in this Secret.
async fn others_with(cluster: &Cluster, key: &ObjectRef) -> Result<Vec<ObjectRef>, ffe_cluster::Error> {
    let mut found = Vec::new();
    for (kind, namespace) in [("Issuer", key.namespace.as_deref()), ("ClusterIssuer", None)] {
        let all = match cluster.list_ref(API, kind, namespace, &Query::default()).await {
            Err(error) if error.kind() == Kind::NotServed => Vec::new(),
            all => all?,
        };
        found.extend(
            all.iter()
                .filter(|one| one.data["spec"]["acme"]["privateKeySecretRef"]["name"] == key.name.as_str())
                .map(|one| ObjectRef::new(API, kind, namespace, one.metadata.name.as_deref().unwrap_or_default())),
        );
    }
    Ok(found)
}

/// Where its Secrets are is not known: nothing there is touched, and that is said.
fn secrets_left(spec: &Spec) -> Option<Diagnostic> {
    let name = spec.credentials_secret();
    spec.has_credentials().then(|| {
        Diagnostic::warning(
            format!("A Secret of {} may be left", spec.names.object()),
            format!(
                "In which namespace cert-manager reads it could not be found out. Look for {name}, and delete what is there:\n\n  \
                 kubectl get secrets --all-namespaces --field-selector metadata.name={name}"
            ),
        )
    })
}
