//! What a plan has to ask the cluster, and what it refuses.

pub(crate) mod told;

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use ffe_cluster::{Cluster, Comparison, Ownership, ownership};
use ffe_session::{Session, Unavailable};
use tfplugin::{Attr, Deferred, Diagnostic, Diagnostics, Path, Plan};

use crate::apply::database::refuse_size;
use crate::apply::secrets::{SECRETS, URL, bytes, revision, url_bytes};
use crate::claim;
use crate::kinds::{Desired, Found, Kind};
use crate::model::Environment;
use crate::names::Names;
use crate::objects::database;
use crate::refusals::{protection, refusals};
use crate::settle::{known_texts, pod_security};
use crate::spec::{Bundled, Spec};

pub(crate) async fn plan(session: &Session, plan: &mut Plan<Environment>) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let replaced = !plan.is_create() && !plan.requires_replace.is_empty();
    if let Some(prior) = &plan.prior {
        if replaced {
            diagnostics.extend(protection(prior, &plan.requires_replace));
        } else {
            diagnostics.extend(refusals(prior, &plan.planned));
        }
        if diagnostics.has_errors() {
            return diagnostics;
        }
    }
    // Whether a namespace is taken over that has a level of its own is for the cluster to say, and until it does, not known.
    let may_take_over = plan.is_create() && !matches!(plan.config.adopt, Attr::Null | Attr::Known(false));
    if may_take_over {
        plan.planned.pod_security_before = Attr::Unknown;
        plan.planned.pod_security = pod_security(&plan.config, &Attr::Unknown);
    }
    let cluster = match session.cluster() {
        Ok(cluster) => cluster,
        Err(Unavailable::Unknown) => {
            plan.deferred = Some(Deferred::ProviderConfigUnknown);
            return diagnostics;
        }
        Err(Unavailable::Invalid(errors)) => return errors,
    };
    if may_take_over && plan.config.adopt.is_known() {
        diagnostics.extend(leave_level(&cluster, plan).await);
    }
    if plan.is_create() {
        diagnostics.extend(taken(&cluster, &plan.planned, &plan.config).await);
        diagnostics.extend(told::another_server(&cluster, &plan.planned).await);
    } else if !replaced {
        diagnostics.extend(notice_write_only(&cluster, plan).await);
        diagnostics.extend(too_small(&cluster, plan).await);
        keep_database_status(plan);
        diagnostics.extend(told::restart(plan));
    }
    if plan.is_change() {
        diagnostics.extend(surprising_image(&plan.config, &plan.planned));
        diagnostics.extend(told::too_many_connections(&plan.planned));
        if !replaced {
            diagnostics.extend(told::not_admitted(&cluster, plan).await);
        }
    }
    diagnostics
}

/// A namespace that exists and belongs to nobody of ours. One with a mark of ours may be on its way out in the same run
/// (a replacement): that is looked at when it is made.
async fn taken(cluster: &Cluster, planned: &Environment, config: &Environment) -> Option<Diagnostic> {
    let (Some(name), Some(namespace)) = (planned.name.as_str(), planned.namespace.as_str()) else { return None };
    if config.adopt != Attr::Null && config.adopt != Attr::Known(false) {
        return None;
    }
    let names = Names::new(name, namespace);
    match cluster.find::<Namespace>(None, namespace).await {
        Ok(Some(found)) if !ffe_cluster::namespace::is_terminating(&found) => {
            let ownership = ownership(Some(&found.metadata), &names.owner());
            let desired = Desired::new(Kind::Namespace, None, namespace, serde_json::json!({}));
            let found = Found { desired, live: None };
            matches!(ownership, Ownership::Foreign { .. }).then(|| claim::refuse(&found, &names, &ownership))
        }
        Ok(_) => None,
        // The cluster may be on its way up. What is wrong with it is said when it is needed.
        Err(error) => Some(warning(ffe_session::diagnostic(
            &error,
            &format!("Whether namespace {namespace} exists already could not be checked"),
        ))),
    }
}

/// A write-only value, as a plan sees it.
struct WriteOnly {
    attribute: &'static str,
    value: Attr<BTreeMap<String, Vec<u8>>>,
    /// A version says whether it changed.
    has_version: bool,
}

/// Makes the plan a change when a write-only value changed that no version speaks for; where none of them changed, their
/// revision stays known, so that who depends on it does not look changed.
async fn notice_write_only(cluster: &Cluster, plan: &mut Plan<Environment>) -> Option<Diagnostic> {
    let names = Names::new(plan.planned.name.as_str()?, plan.planned.namespace.as_str()?);
    let mut values = vec![WriteOnly {
        attribute: SECRETS,
        value: known_texts(&plan.config.secrets_wo).map(|values| bytes(&values)),
        has_version: !plan.config.secrets_wo_version.is_null(),
    }];
    if let Some(database) = plan.config.database.known().filter(|one| one.mode.as_str() == Some("external")) {
        values.push(WriteOnly {
            attribute: URL,
            value: database.url_wo.as_ref().map(|url| url_bytes(url)),
            has_version: !database.url_wo_version.is_null(),
        });
    }
    if values.iter().any(|one| one.value.is_unknown()) {
        // It comes from something that is made or changed in the same run.
        if values.iter().any(|one| one.value.is_unknown() && !one.has_version) {
            plan.touch();
        }
        return None;
    }
    match cluster.find_digests(&names.namespace, &names.owner()).await {
        Ok(digests) => {
            let same = |one: &WriteOnly| {
                let (Some(digests), Some(value)) = (&digests, one.value.known()) else { return false };
                digests.compare(one.attribute, value) == Comparison::Same
            };
            if !values.iter().filter(|one| !one.has_version).all(same) {
                plan.touch();
            }
            let revision = digests.as_ref().and_then(revision);
            let prior = plan.prior.as_ref().and_then(|prior| prior.secrets_revision.as_str());
            let had_a_url = digests.as_ref().is_some_and(|digests| digests.revision(URL).is_some());
            if values.iter().all(same) && revision.as_deref() == prior && had_a_url == (values.len() > 1) {
                plan.planned.secrets_revision = revision.into();
            }
            None
        }
        Err(error) => Some(warning(ffe_session::diagnostic(
            &error,
            "Whether write-only values changed could not be checked; the plan does not show it if they did",
        ))),
    }
}

/// The database's status stays known where nothing of the database changes.
fn keep_database_status(plan: &mut Plan<Environment>) {
    let Some(prior) = &plan.prior else { return };
    let (Some(before), Some(after)) = (Spec::of(prior), Spec::of(&plan.planned)) else { return };
    let (Some(old), Some(new)) = (before.database.bundled(), after.database.bundled()) else { return };
    let objects = |spec: &Spec, bundled: &Bundled| {
        [database::stateful_set(spec, bundled), database::claim(spec, bundled), database::service(spec)]
            .map(|desired| desired.object)
    };
    let names = [before.names.database(), before.names.password()];
    let has_drifted = prior.drifted.known().into_iter().flatten().any(|one| {
        let object = one.object.as_str().unwrap_or_default();
        names.iter().any(|name| object.ends_with(&format!("/{name}")))
    });
    let ready = prior.database_status.known().and_then(|status| status.ready_instances.known().copied());
    if objects(&before, old) == objects(&after, new) && !has_drifted && ready > Some(0) {
        plan.planned.database_status = prior.database_status.clone();
    }
}

/// A namespace that is taken over keeps the Pod Security level that it has, where the configuration is silent. One that is not
/// there may be made by something else in the same run.
async fn leave_level(cluster: &Cluster, plan: &mut Plan<Environment>) -> Option<Diagnostic> {
    let namespace = plan.planned.namespace.as_str()?.to_owned();
    match cluster.namespace(&namespace).await {
        Ok(Some(found)) if !ffe_cluster::namespace::is_terminating(&found) => {
            plan.planned.pod_security_before = told::level_before(&found).into();
            plan.planned.pod_security = pod_security(&plan.config, &plan.planned.pod_security_before);
            None
        }
        Ok(_) => None,
        Err(error) => {
            let summary = format!("Which Pod Security level namespace {namespace} has could not be looked at");
            Some(warning(ffe_session::diagnostic(&error, &summary)))
        }
    }
}

/// A volume that would have to grow and cannot.
async fn too_small(cluster: &Cluster, plan: &Plan<Environment>) -> Option<Diagnostic> {
    let size = |model: &Environment| model.database.known()?.storage.known()?.size.as_str().map(str::to_owned);
    let (before, after) = (size(plan.prior.as_ref()?)?, size(&plan.planned)?);
    if before == after {
        return None;
    }
    let spec = Spec::of(&plan.planned)?;
    let bundled = spec.database.bundled()?;
    let found = cluster.find::<PersistentVolumeClaim>(Some(&spec.names.namespace), &spec.names.database()).await;
    // What cannot be looked at now is looked at when it is applied.
    let claim = serde_json::to_value(found.ok()??).ok()?;
    let refused = refuse_size(cluster, bundled, &claim).await.ok()?;
    Some(refused.unwrap_or_else(|| {
        Diagnostic::warning(
            format!("The database's volume grows from {before} to {after}"),
            "It cannot shrink again. Where its storage driver does not let it grow while it is used, the database is stopped while \
             it grows.",
        )
        .at(Path::attribute("database").child("storage").child("size"))
    }))
}

/// The image of the surroundings wins over the version of the configuration; that is said.
fn surprising_image(config: &Environment, planned: &Environment) -> Option<Diagnostic> {
    let (config, planned) = (config.database.known()?, planned.database.known()?);
    let (version, image) = (config.version.as_str()?, planned.image.as_str()?);
    let major = crate::image::major(image).filter(|major| major.to_string() != version)?;
    Some(
        Diagnostic::warning(
            format!("The database will run PostgreSQL {major}, not {version}"),
            format!(
                "The environment variable FFE_DATABASE_IMAGE sets the image {image}, which wins over database.version."
            ),
        )
        .at(Path::attribute("database").child("version")),
    )
}

fn warning(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { severity: tfplugin::Severity::Warning, ..diagnostic }
}
