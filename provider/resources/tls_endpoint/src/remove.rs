//! Taking away what is ours: all of it when the endpoint goes, what was superseded after a change.

use std::time::Duration;

use ffe_cert_manager::{API, IssuerKind, IssuerRef, Released, account_secret, certificate_ref, credentials_secret};
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::kube::api::{DynamicObject, ObjectMeta};
use ffe_cluster::{Cancel, Cluster, DeleteOptions, Deleted, Kind, Mark, ObjectRef, Owner, Result, Standing};
use ffe_workloads::WaitOptions;
use serde_json::{Value as Json, json};
use tfplugin::{Diagnostic, Diagnostics};

use crate::desired::{find, unserved};
use crate::errors::cert_manager;
use crate::names::Names;
use crate::objects::{self, TakenOff};
use crate::run::{Run, Stop, failed};
use crate::spec::Spec;
use crate::steps::route;

/// What the kinds of the Gateway API belong to.
const GATEWAY_GROUP: &str = "gateway.networking.k8s.io/";
/// cert-manager's note on a Secret: whose Certificate it is.
const CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";
/// By when cert-manager has heard what is gone.
const HEARD: Duration = Duration::from_secs(1);
/// By when a challenge that can be cleaned up is.
const CLEANED_UP: Duration = Duration::from_secs(60);

/// Removes an object that we made, and gives back one that we took over. Anything else stays.
///
/// # Errors
/// Those of requests.
pub(crate) async fn remove_ours(cluster: &Cluster, object: &ObjectRef, names: &Names) -> Result<()> {
    match cluster.standing(object, &names.owner()).await? {
        Standing::Adopted(adopted) => {
            adopted.give_back(cluster, &objects::originals(names)).await?;
            tracing::info!(%object, "given back");
        }
        Standing::Made(made) => {
            made.delete(cluster).await?;
            tracing::info!(%object, "removed");
        }
        Standing::Absent | Standing::Others(_) => {}
    }
    Ok(())
}

/// The same for an object of the route. An Ingress that was there before gets back what was taken off it: true where it did.
///
/// # Errors
/// The same.
pub(crate) async fn hand_back(
    cluster: &Cluster,
    object: &ObjectRef,
    names: &Names,
    taken_off: &TakenOff,
) -> Result<bool> {
    let owner = names.owner();
    let found = find(cluster, object).await?.filter(|_| object.kind == "Ingress" && object.name == names.name);
    let adopted = found.as_ref().and_then(|found| Mark::read(&found.metadata));
    let adopted = adopted.is_some_and(|mark| mark.adopted && mark.owner == owner);
    remove_ours(cluster, object, names).await?;
    let Some(found) = found.filter(|_| adopted && !taken_off.annotations.is_empty()) else { return Ok(false) };
    let mut patch = json!({ "metadata": { "annotations": taken_off.annotations } });
    if let Some(secret) = &taken_off.secret_name
        && cluster.find::<Secret>(Some(&names.namespace), secret).await?.is_some()
        && let Some(first) = found.data["spec"]["tls"].get(0)
    {
        // cert-manager makes a Certificate for whatever Secret it names.
        let mut tls = first.clone();
        tls["secretName"] = Json::from(secret.clone());
        patch["spec"] = json!({ "tls": [tls] });
    }
    cluster.merge_ref(object, &patch).await?;
    tracing::info!(%object, "cert-manager makes its Certificate again");
    Ok(true)
}

/// The same for what only other settings would have made: whoever may not look at such a kind has made none of it.
///
/// # Errors
/// The same but for that.
pub(crate) async fn remove_stray(cluster: &Cluster, object: &ObjectRef, names: &Names) -> Result<()> {
    match remove_ours(cluster, object, names).await {
        Err(error) if error.kind() == Kind::Forbidden => {
            tracing::info!(%error, %object, "not looked at");
            Ok(())
        }
        other => other,
    }
}

/// Deletes what cert-manager has written, as it was looked at.
async fn delete(cluster: &Cluster, object: &ObjectRef, seen: ObjectMeta) -> Result<Deleted> {
    let ObjectMeta { uid, resource_version, .. } = seen;
    cluster.delete(object, &DeleteOptions { uid, resource_version }).await
}

/// What is left of certificates, issuers and alerts once `spec` does not ask for them any more.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn superseded(run: &Run<'_>) -> std::result::Result<Diagnostics, Stop> {
    let spec = run.spec;
    if spec.alert.is_none() {
        let alert = alert_object(&spec.names);
        let summary = "The former alert could not be removed";
        remove_stray(run.cluster, &alert, &spec.names).await.map_err(failed(summary))?;
    }
    let keep = Keep {
        certificate: Some(&spec.certificate.secret_name),
        issuer: spec.own_issuer.as_ref().map(|_| &spec.issuer),
        credentials: objects::has_credentials(spec),
        secrets: spec.keep_secret,
    };
    certificates_and_issuers(run.cluster, &spec.names, &keep, Some(Asked::of(spec)), &run.cancel).await
}

/// What is to stay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Keep<'a> {
    /// The name of a Certificate.
    pub(crate) certificate: Option<&'a str>,
    /// The issuer of the endpoint's own.
    pub(crate) issuer: Option<&'a IssuerRef>,
    /// That issuer's credentials.
    pub(crate) credentials: bool,
    /// The Secrets that cert-manager wrote.
    pub(crate) secrets: bool,
}

/// An issuance that may have left something: of which Certificate, by whom, for which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    certificate: String,
    issuer: IssuerRef,
    names: Vec<String>,
}

impl Asked {
    /// What an endpoint asks.
    pub(crate) fn of(spec: &Spec) -> Asked {
        Asked {
            certificate: spec.certificate.secret_name.clone(),
            issuer: spec.issuer.clone(),
            names: spec.hosts.clone(),
        }
    }

    /// What a Certificate asks; none where it asks an issuer of another kind.
    fn by(found: &DynamicObject) -> Option<Asked> {
        let spec = &found.data["spec"];
        let reference = &spec["issuerRef"];
        let kind = reference["kind"].as_str().unwrap_or(IssuerKind::Issuer.as_str());
        let kind = IssuerKind::of(reference["group"].as_str(), kind).ok()?;
        let names = spec["dnsNames"].as_array().into_iter().flatten();
        Some(Asked {
            certificate: found.metadata.name.clone()?,
            issuer: IssuerRef { name: reference["name"].as_str()?.to_owned(), kind },
            names: names.filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        })
    }
}

/// Removes the endpoint's Certificates and issuers but for those to keep. They are found by their marks, so that those
/// are removed too that no state knows of. `asked` is what the endpoint asks, or had asked: an earlier run may have
/// removed its Certificate and got no further, or begun an issuance anew.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn certificates_and_issuers(
    cluster: &Cluster,
    names: &Names,
    keep: &Keep<'_>,
    asked: Option<Asked>,
    cancel: &Cancel,
) -> std::result::Result<Diagnostics, Stop> {
    let owner = names.owner();
    let mut warnings = Diagnostics::new();
    let mut gone: Vec<Asked> = asked.into_iter().collect();
    for found in owned(cluster, "Certificate", Some(&names.namespace), &owner)
        .await
        .map_err(failed("The certificates could not be looked at"))?
    {
        let name = found.metadata.name.clone().unwrap_or_default();
        if keep.certificate == Some(name.as_str()) {
            continue;
        }
        remove_certificate(cluster, names, &found, keep.secrets)
            .await
            .map_err(failed(&format!("Certificate {}/{name} could not be removed", names.namespace)))?;
        let adopted = Mark::read(&found.metadata).is_some_and(|mark| mark.adopted);
        gone.extend(Asked::by(&found).filter(|asked| !adopted && !gone.contains(asked)));
    }
    // Before the issuers and their Secrets: cleaning up takes them.
    for asked in gone {
        warnings.extend(clean_up(cluster, names, &asked, cancel).await?);
    }
    for kind in [IssuerKind::Issuer, IssuerKind::ClusterIssuer] {
        let namespace = (kind == IssuerKind::Issuer).then_some(names.namespace.as_str());
        let all = owned(cluster, kind.as_str(), namespace, &owner).await;
        for found in all.map_err(failed("The issuers could not be looked at"))? {
            let issuer = IssuerRef { name: found.metadata.name.clone().unwrap_or_default(), kind: kind.clone() };
            warnings.extend(remove_issuer(cluster, names, &issuer, keep).await?);
        }
    }
    Ok(warnings)
}

/// Waits until cert-manager has cleaned up after an issuance. What it cannot clean up is let go, lest the namespace could
/// never be deleted.
async fn clean_up(
    cluster: &Cluster,
    names: &Names,
    asked: &Asked,
    cancel: &Cancel,
) -> std::result::Result<Diagnostics, Stop> {
    let Asked { certificate, issuer, names: hosts } = asked;
    let options = WaitOptions::new(CLEANED_UP, cancel.clone());
    let released =
        ffe_cert_manager::release_challenges(cluster, &names.namespace, certificate, issuer, hosts, &options).await;
    let released = released.map_err(|error| cert_manager(&error, "The challenges could not be cleaned up"))?;
    let left = released.into_iter().filter(|one| one.left_behind);
    Ok(left.map(|one| left_behind(&one)).collect())
}

fn left_behind(one: &Released) -> Diagnostic {
    Diagnostic::warning(
        format!("What showed that {} is ours may still be there", one.host),
        format!(
            "cert-manager could not clean up after Challenge {}: {}. It was let go, so that it does not keep the namespace. \
             Look for the TXT record _acme-challenge.{} at the provider of DNS, and delete it.",
            one.challenge, one.reason, one.host
        ),
    )
}

/// Everything of a kind that carries the mark of the owner. A kind that is not served has none; what may not be listed
/// cluster-wide was not made by whoever may not.
async fn owned(cluster: &Cluster, kind: &str, namespace: Option<&str>, owner: &Owner) -> Result<Vec<DynamicObject>> {
    match unserved(cluster.list_ref(API, kind, namespace, &owner.selector()).await) {
        Err(error) if error.kind() == Kind::Forbidden && namespace.is_none() => Ok(Vec::new()),
        other => other,
    }
}

async fn remove_certificate(cluster: &Cluster, names: &Names, found: &DynamicObject, keep_secret: bool) -> Result<()> {
    let name = found.metadata.name.as_deref().unwrap_or_default();
    let object = certificate_ref(&names.namespace, name);
    let made = match cluster.standing(&object, &names.owner()).await? {
        Standing::Made(made) => made,
        Standing::Adopted(adopted) => return adopted.give_back(cluster, &objects::originals(names)).await,
        Standing::Absent | Standing::Others(_) => return Ok(()),
    };
    let secret = found.data["spec"]["secretName"].as_str().unwrap_or(name).to_owned();
    if keep_secret {
        release_secret(cluster, names, &secret, found.metadata.uid.as_deref()).await?;
    }
    made.delete(cluster).await?;
    tracing::info!(%object, "removed");
    if !keep_secret {
        remove_secret(cluster, &names.namespace, &secret, |annotations| {
            annotations.get(CERTIFICATE_NAME).is_some_and(|of| of == name)
        })
        .await?;
    }
    Ok(())
}

/// cert-manager can be told to let Secrets go with their Certificate; this one shall stay.
async fn release_secret(cluster: &Cluster, names: &Names, secret: &str, certificate: Option<&str>) -> Result<()> {
    let found: Option<Secret> = cluster.find(Some(&names.namespace), secret).await?;
    let owners = found.and_then(|found| found.metadata.owner_references).unwrap_or_default();
    if !owners.iter().any(|owner| Some(owner.uid.as_str()) == certificate) {
        return Ok(());
    }
    let others: Vec<Json> = owners
        .iter()
        .filter(|owner| Some(owner.uid.as_str()) != certificate)
        .filter_map(|owner| serde_json::to_value(owner).ok())
        .collect();
    let patch = json!({ "metadata": { "ownerReferences": others } });
    cluster.merge::<Secret>(Some(&names.namespace), secret, &patch).await.map(drop)
}

async fn remove_secret(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    is_ours: impl Fn(&std::collections::BTreeMap<String, String>) -> bool,
) -> Result<()> {
    let found: Option<Secret> = cluster.find(Some(namespace), name).await?;
    let Some(found) = found else { return Ok(()) };
    if found.metadata.annotations.as_ref().is_none_or(|annotations| !is_ours(annotations)) {
        return Ok(());
    }
    delete(cluster, &ObjectRef::of::<Secret>(Some(namespace), name), found.metadata).await.map(drop)
}

/// Removes an issuer of ours with its Secrets, unless it is to stay or other certificates use it.
async fn remove_issuer(
    cluster: &Cluster,
    names: &Names,
    issuer: &IssuerRef,
    keep: &Keep<'_>,
) -> std::result::Result<Option<Diagnostic>, Stop> {
    let stays = keep.issuer == Some(issuer);
    let secrets = match ffe_cert_manager::secret_namespace(cluster, issuer, &names.namespace).await {
        Ok(namespace) => Some(namespace),
        Err(error) => {
            tracing::info!(%error, "where the issuer's Secrets are is not known");
            None
        }
    };
    let credentials =
        secrets.as_deref().map(|namespace| ObjectRef::of::<Secret>(Some(namespace), &credentials_secret(&issuer.name)));
    let summary = format!("{issuer} could not be removed");
    if stays {
        if let Some(credentials) = credentials.filter(|_| !keep.credentials) {
            remove_ours(cluster, &credentials, names).await.map_err(failed(&summary))?;
        }
        return Ok(None);
    }
    let users = ffe_cert_manager::users(cluster, issuer, &names.namespace).await;
    let users = users.map_err(|error| cert_manager(&error, &summary))?;
    let others: Vec<String> = users.iter().map(ToString::to_string).collect();
    if !others.is_empty() {
        return Ok(Some(in_use(issuer, &names.namespace, &others)));
    }
    let object = issuer.object(&names.namespace);
    let found = find(cluster, &object).await.map_err(failed(&summary))?;
    let has_secrets = found.as_ref().is_some_and(|found| found.data["spec"]["acme"].is_object());
    let account = account_secret(&issuer.name);
    // A Secret of that name that no issuer of ours has written is somebody else's; that of one that is given back is used on.
    let wrote_account = found.as_ref().is_some_and(|found| {
        let adopted = Mark::read(&found.metadata).is_some_and(|mark| mark.adopted);
        !adopted && found.data["spec"]["acme"]["privateKeySecretRef"]["name"] == account.as_str()
    });
    remove_ours(cluster, &object, names).await.map_err(failed(&summary))?;
    if credentials.is_none() && has_secrets {
        return Ok(Some(secrets_left(issuer)));
    }
    if let Some(credentials) = credentials {
        remove_ours(cluster, &credentials, names).await.map_err(failed(&summary))?;
        if !keep.secrets && wrote_account {
            let account = ObjectRef::of::<Secret>(credentials.namespace.as_deref(), &account);
            remove_account(cluster, &account).await.map_err(failed(&summary))?;
        }
    }
    Ok(None)
}

/// cert-manager may not have heard yet that the issuer is gone, and makes a key anew for it.
async fn remove_account(cluster: &Cluster, account: &ObjectRef) -> Result<()> {
    for _ in 0..3 {
        let Some(found) = find(cluster, account).await? else { return Ok(()) };
        delete(cluster, account, found.metadata).await?;
        tokio::time::sleep(HEARD).await;
    }
    Ok(())
}

/// Where its Secrets are is not known: nothing there is touched, and that is said.
fn secrets_left(issuer: &IssuerRef) -> Diagnostic {
    let (credentials, account) = (credentials_secret(&issuer.name), account_secret(&issuer.name));
    Diagnostic::warning(
        format!("Secrets of {issuer} may be left"),
        format!(
            "In which namespace cert-manager reads them could not be found out. Look for {credentials} and {account}, and \
             delete what is there:\n\n  kubectl get secrets --all-namespaces --field-selector metadata.name={credentials}\n  \
             kubectl get secrets --all-namespaces --field-selector metadata.name={account}"
        ),
    )
}

fn in_use(issuer: &IssuerRef, namespace: &str, others: &[String]) -> Diagnostic {
    let object = issuer.object(namespace);
    let place = object.namespace.map(|namespace| format!(" --namespace {namespace}")).unwrap_or_default();
    Diagnostic::warning(
        format!("{issuer} stays"),
        format!(
            "Other certificates use it, and could not be renewed without it:\n{}\n\nLet them use another issuer first. Then \
             remove it:\n\n  kubectl delete {}{place} {}",
            others.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n"),
            issuer.kind.as_str().to_lowercase(),
            issuer.name
        ),
    )
}

/// The PrometheusRule.
pub(crate) fn alert_object(names: &Names) -> ObjectRef {
    ObjectRef::new("monitoring.coreos.com/v1", "PrometheusRule", Some(&names.namespace), &names.alert())
}

/// The record.
pub(crate) fn record_object(names: &Names) -> ObjectRef {
    ObjectRef::new("v1", "ConfigMap", Some(&names.namespace), &names.record())
}

/// Every object that a state stands for, as far as its names are known.
pub(crate) fn known_objects(spec: &Spec) -> Vec<ObjectRef> {
    let names = &spec.names;
    let at_a_gateway = route::gateway(spec).is_some();
    let of_its_class = |object: &ObjectRef| object.api_version.starts_with(GATEWAY_GROUP) == at_a_gateway;
    let mut known = ffe_routing::names(&names.namespace, &names.name);
    known.retain(of_its_class);
    // A kind that few clusters serve, and few may look at.
    known.retain(|object| object.kind != "BackendTLSPolicy" || spec.route.backend_tls.is_some());
    known.extend([record_object(names), certificate_ref(&names.namespace, &spec.certificate.secret_name)]);
    if spec.alert.is_some() {
        known.push(alert_object(names));
    }
    if spec.own_issuer.is_some() {
        known.push(spec.issuer.object(&names.namespace));
    }
    if objects::has_credentials(spec) {
        known.push(ObjectRef::of::<Secret>(Some(&names.namespace), &credentials_secret(&spec.issuer.name)));
    }
    known
}
