//! What a plan says of what it interrupts, or does not suffice for.

use ffe_cluster::Cluster;
use ffe_cluster::k8s_openapi::api::core::v1::Namespace;
use tfplugin::{Diagnostic, Path, Plan};

use crate::apply::server::Server;
use crate::drift::differences;
use crate::model::Environment;
use crate::objects::database;
use crate::spec::Spec;

/// What makes the database's pod anew: its clients lose their connections.
pub(super) fn restart(plan: &Plan<Environment>) -> Option<Diagnostic> {
    let prior = plan.prior.as_ref()?;
    let template = |spec: &Spec| {
        let server = database::stateful_set(spec, spec.database.bundled()?);
        Some((server.reference, server.object["spec"]["template"].clone()))
    };
    let ((object, before), (_, after)) = (template(&Spec::of(prior)?)?, template(&Spec::of(&plan.planned)?)?);
    let mut causes = differences(&after, &before);
    let object = object.to_string();
    let drifted = prior.drifted.known().into_iter().flatten().filter(|one| one.object.as_str() == Some(&object));
    causes.extend(drifted.filter_map(|one| {
        let field = one.field.as_str()?.strip_prefix("spec.template.")?;
        Some(format!("{field} (drifted)"))
    }));
    if causes.is_empty() {
        return None;
    }
    let list = causes.iter().map(|field| format!("  {field}")).collect::<Vec<_>>().join("\n");
    Some(
        Diagnostic::warning(
            "The database restarts",
            format!(
                "Its pod is made anew, because of:\n{list}\n\nUntil it is ready, which takes seconds, or minutes after a crash, \
                 nobody reaches the database, and open connections end."
            ),
        )
        .at(Path::attribute("database")),
    )
}

/// Pools that ask for more connections than the server has memory for.
pub(super) fn too_many_connections(planned: &Environment) -> Option<Diagnostic> {
    let spec = Spec::of(planned)?;
    let bundled = spec.database.bundled()?;
    let (wanted, room) = (database::wanted(&spec.preset, bundled.pool_size), database::room(&spec.preset));
    (wanted > room).then(|| {
        Diagnostic::warning(
            format!("The database admits {room} connections, and the application may ask for {wanted}"),
            format!(
                "Each of a replica's workers opens a pool of {} when the application is at its largest, and the server's memory \
                 ({}) is enough for {room}. What comes after that is refused. Set database.pool_size to {} or less, or leave \
                 it out.",
                bundled.pool_size,
                spec.preset.database.memory.limit,
                database::fitting_pool(&spec.preset)
            ),
        )
        .at(Path::attribute("database").child("pool_size"))
    })
}

/// A server that is there already, of an environment that no state knows, and could not go on as the one that is planned.
pub(super) async fn another_server(cluster: &Cluster, planned: &Environment) -> Option<Diagnostic> {
    let spec = Spec::of(planned)?;
    let bundled = spec.database.bundled()?;
    // What cannot be looked at now is looked at when it is applied.
    let there = Server::find(cluster, &spec.names).await.ok()??;
    there.refusal(bundled)
}

/// The level that a namespace enforces, empty where it has none.
pub(crate) fn level_before(namespace: &Namespace) -> String {
    let label = format!("{}/enforce", ffe_cluster::namespace::POD_SECURITY);
    namespace.metadata.labels.as_ref().and_then(|labels| labels.get(&label)).cloned().unwrap_or_default()
}

/// Pods that the namespace will not admit any more, by the API server's own judgement: they run on until something makes them
/// anew.
pub(super) async fn not_admitted(cluster: &Cluster, plan: &Plan<Environment>) -> Option<Diagnostic> {
    let (namespace, level) = (plan.planned.namespace.as_str()?, plan.planned.pod_security.as_str()?);
    let before = level_before(&cluster.namespace(namespace).await.ok()??);
    if before == level || level == "privileged" {
        return None;
    }
    let told = match cluster.pods_not_admitted(namespace, level).await {
        Ok(told) => told,
        Err(error) => {
            tracing::info!(%error, namespace, "whether its pods meet the level was not asked");
            return None;
        }
    };
    (!told.is_empty()).then(|| {
        let list = told.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
        // A namespace without a level admits everything.
        let before = if before.is_empty() { "privileged" } else { &before };
        Diagnostic::warning(
            format!("Pods of namespace {namespace} do not meet the Pod Security level {level}"),
            format!(
                "They run on, and are refused when something makes them anew: a restart, a node that is drained, more \
                 replicas. The API server says:\n{list}\n\nUntil they do, set pod_security = \"{before}\", which is what the \
                 namespace has now."
            ),
        )
        .at(Path::attribute("pod_security"))
    })
}
