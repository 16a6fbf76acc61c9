//! What a plan has to ask the cluster, and what it refuses.

use ffe_cluster::k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use ffe_cluster::{Cluster, Comparison, Ownership, ownership};
use ffe_session::{Session, Unavailable};
use tfplugin::{Attr, Deferred, Diagnostic, Diagnostics, Path, Plan};

use crate::apply::database::refuse_size;
use crate::apply::secrets::{SECRETS, URL, bytes, url_bytes};
use crate::claim;
use crate::kinds::{Desired, Found, Kind};
use crate::model::Environment;
use crate::names::Names;
use crate::refusals::{protection, refusals};
use crate::settle::known_texts;
use crate::spec::Spec;

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
    let cluster = match session.cluster() {
        Ok(cluster) => cluster,
        Err(Unavailable::Unknown) => {
            plan.deferred = Some(Deferred::ProviderConfigUnknown);
            return diagnostics;
        }
        Err(Unavailable::Invalid(errors)) => return errors,
    };
    if plan.is_create() {
        diagnostics.extend(taken(&cluster, &plan.planned, &plan.config).await);
    } else if !replaced {
        diagnostics.extend(notice_write_only(&cluster, plan).await);
        diagnostics.extend(too_small(&cluster, plan).await);
    }
    if plan.is_change() {
        diagnostics.extend(surprising_image(&plan.config, &plan.planned));
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

/// Makes the plan a change when a write-only value changed that no version speaks for.
async fn notice_write_only(cluster: &Cluster, plan: &mut Plan<Environment>) -> Option<Diagnostic> {
    if plan.is_change() {
        return None;
    }
    let names = Names::new(plan.planned.name.as_str()?, plan.planned.namespace.as_str()?);
    let mut values = Vec::new();
    if plan.config.secrets_wo_version.is_null() {
        values.push((SECRETS, known_texts(&plan.config.secrets_wo).map(|values| bytes(&values))));
    }
    let database = plan.config.database.known();
    if let Some(database) =
        database.filter(|database| database.mode.as_str() == Some("external") && database.url_wo_version.is_null())
    {
        values.push((URL, database.url_wo.as_ref().map(|url| url_bytes(url))));
    }
    if values.is_empty() {
        return None;
    }
    if values.iter().any(|(_, value)| value.is_unknown()) {
        // It comes from something that is made or changed in the same run.
        plan.touch();
        return None;
    }
    match cluster.find_digests(&names.namespace, &names.owner()).await {
        Ok(digests) => {
            let same = |(attribute, value): &(&str, Attr<_>)| {
                let (Some(digests), Some(value)) = (&digests, value.known()) else { return false };
                digests.compare(attribute, value) == Comparison::Same
            };
            if !values.iter().all(same) {
                plan.touch();
            }
            None
        }
        Err(error) => Some(warning(ffe_session::diagnostic(
            &error,
            "Whether write-only values changed could not be checked; the plan does not show it if they did",
        ))),
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
    refuse_size(cluster, bundled, &claim).await.ok()?
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
