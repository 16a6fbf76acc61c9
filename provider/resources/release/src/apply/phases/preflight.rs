//! Before anything changes: the chart renders, what it refers to exists, and the API server would take it.

mod dry_run;
mod inspect;

use ffe_cluster::k8s_openapi::api::core::v1::{ConfigMap, Secret};
use ffe_cluster::{Cluster, Object};
use ffe_helm::binary::Held;
use ffe_helm::manifest::{Manifest, Reference, Referenced};
use ffe_helm::records::{Release as HelmRelease, Status};
use tfplugin::{Diagnostic, Diagnostics, Path};

use crate::apply::deployment;
use crate::apply::going_back::GoesBack;
use crate::apply::migration::migrator::{Inspected, Migrator};
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::ground;
use crate::journal::Outcome;
use crate::journal::helm_revision::HelmRevision;
use crate::rendering::changes::{Change, is_nothing, object_changes, unstable_fields};
use crate::rendering::crds::{self, definition_changes};
use crate::rendering::promise::{Promise, changed_since_plan};
use crate::rendering::render::{Rendering, render, render_to_promise};

/// What preflight has found: what will be deployed, and what that changes.
pub(crate) struct Checked {
    /// What will be deployed.
    pub manifest: Manifest,
    /// What becomes of each object.
    pub changes: Vec<Change>,
    /// What is different in each rendering, as objects and fields.
    pub unstable: Vec<String>,
    /// What of it is certain: another Helm that is started later deploys no other.
    pub promise: Promise,
    /// The migration, and where the database stands; `None` where this run has nothing to do with a database.
    pub migration: Option<Inspected>,
    /// How the schema goes back, where an older version is deployed.
    pub goes_back: Option<GoesBack>,
}

/// Who deploys the release.
#[derive(Debug)]
pub(crate) enum Deployer {
    /// Nobody: it is as wanted already.
    Nobody,
    /// The Helm that has rendered it in preflight, and waits to go on.
    Held(Held),
    /// Another Helm.
    Another,
}

/// Renders and checks.
///
/// # Errors
/// With everything that is missing at once.
pub(crate) async fn check(run: &mut Run) -> Result<(Outcome, (Checked, Deployer)), Stop> {
    // Also where this run does not migrate itself: what a run that died has begun goes on beside it.
    inspect::finish_jobs_of_earlier_runs(run).await?;
    let definitions = definition_changes(&run.cluster, &run.inputs.config, &run.chart).await;
    let unseen = |error| Stop::cluster(&error, "The chart's custom resource definitions cannot be looked at");
    let definitions = definitions.map_err(unseen)?;
    // With kinds that are made first another Helm renders once they are there.
    let held = if definitions.is_empty() { deployment::hold(run).await? } else { None };
    let rendering = rendered(run, held.as_ref()).await?;
    let manifest = &rendering.manifest;

    let mut errors = Diagnostics::new();
    let mut migrator = None;
    for reference in manifest.references(&run.inputs.namespace) {
        if let Some(missing) = missing(run, &reference).await? {
            errors.push(missing);
        }
    }
    if let Some(settings) = run.inputs.config.migration.known().cloned() {
        match Migrator::new(&settings, manifest, &run.inputs.namespace) {
            Ok(made) => migrator = Some(made),
            Err(error) => errors.push(error),
        }
        if let Some(name) = settings.database_secret.as_str() {
            match find::<Secret>(&run.cluster, &run.inputs.namespace, name).await? {
                Some(secret) => run.inputs.learn(&secret),
                None => errors.push(no_database_secret(&run.inputs.namespace, name)),
            }
        }
    }
    if errors.has_errors() {
        return Err(Stop::Failed(errors));
    }
    ground::require_readable(run).await?;
    let deployed = deployed(run).await?;
    let before = deployed.as_ref().map(|revision| &revision.manifest);
    dry_run::try_changes(run, before, manifest).await?;
    let (migration, goes_back) = match migrator.filter(|_| run.migration().is_some()) {
        Some(migrator) => {
            let (migration, goes_back) = inspect::inspect(run, migrator, manifest).await?;
            (Some(migration), goes_back)
        }
        None => (None, None),
    };

    let mut changes = object_changes(before, &rendering, &run.inputs.namespace, true);
    let unstable = unstable_fields(&rendering, &run.inputs.namespace);
    let in_place = !run.planned.correction.is_wanted()
        && deployed.is_some_and(|revision| is_in_place(run, &revision.release, &changes));
    changes.extend(crds::changes(&definitions));
    let deployer = match held {
        _ if in_place => Deployer::Nobody,
        Some(held) => Deployer::Held(held),
        None => Deployer::Another,
    };
    let promise = run.planned.promise.clone().unwrap_or_else(|| Promise::of(&run.chart.digest, &rendering));
    let checked = Checked { manifest: rendering.manifest, changes, unstable, promise, migration, goes_back };
    Ok((Outcome::Succeeded, (checked, deployer)))
}

/// Renders what will be deployed. What the plan has promised is compared with it, before anything has changed; without a promise
/// (the plan could not know it) the run finds out now what is different in each rendering.
async fn rendered(run: &Run, held: Option<&Held>) -> Result<Rendering, Stop> {
    let (chart, exists) = (&*run.chart, run.before.is_some());
    let held = held.map(|held| held.manifest().clone());
    let stop = |errors| if run.cancel.is_cancelled() { Stop::Cancelled } else { Stop::Failed(errors) };
    let Some(promise) = &run.planned.promise else {
        let rendering = render_to_promise(&run.cluster, &run.kit, &run.inputs, chart, exists, held, &run.cancel);
        return rendering.await.map_err(stop);
    };
    let manifest = match held {
        Some(manifest) => manifest,
        None => render(&run.cluster, &run.kit, &run.inputs, chart, exists, &run.cancel).await.map_err(stop)?,
    };
    let broken = promise.broken_by(&chart.digest, &manifest, &run.inputs.namespace);
    if broken.is_empty() {
        return Ok(promise.rendering(manifest));
    }
    let release = format!("{}/{}", run.inputs.namespace, run.inputs.name);
    Err(Stop::failed(changed_since_plan(&release, &broken)))
}

/// The release as it is before this run.
async fn deployed(run: &Run) -> Result<Option<HelmRevision>, Stop> {
    let Some(key) = &run.before else { return Ok(None) };
    HelmRevision::require(&run.kit.records, key).await.map(Some).map_err(Stop::failed)
}

/// Whether what is deployed is already what the configuration says: then no new revision is made. So it is when an adopted
/// or imported release is taken over, and when only something beside the deployment has changed (a check, a
/// timeout, the migration).
fn is_in_place(run: &Run, deployed: &HelmRelease, changes: &[Change]) -> bool {
    let applied = &run.journal.content.applied;
    let same_version = run.chart.metadata.version == deployed.chart.version;
    // Before the first finished run there is nothing of ours to compare with but the objects and the chart's version.
    let same_inputs = (applied.chart_digest.is_empty() && same_version)
        || (run.chart.digest == applied.chart_digest && deployed.config == *run.inputs.values.as_map());
    deployed.status == Status::Deployed && is_nothing(changes) && same_inputs
}

async fn find<K: Object>(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<K>, Stop> {
    cluster
        .find::<K>(Some(namespace), name)
        .await
        .map_err(|error| Stop::cluster(&error, "What the chart refers to cannot be checked"))
}

fn no_database_secret(namespace: &str, name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("The Secret {name} does not exist"),
        format!(
            "migration.database_secret names the Secret {namespace}/{name}, which gives the migration its DATABASE_URL. Make it \
             first, or refer to ffe_environment's database_secret."
        ),
    )
    .at(Path::attribute("migration").child("database_secret"))
}

/// The error for a Secret or ConfigMap, or a key of one, that the pods would wait for in vain.
async fn missing(run: &mut Run, reference: &Reference) -> Result<Option<Diagnostic>, Stop> {
    let cluster = run.cluster.clone();
    let keys: Option<Vec<String>> = match reference.kind {
        Referenced::Secret => find::<Secret>(&cluster, &reference.namespace, &reference.name).await?.map(|secret| {
            run.inputs.learn(&secret);
            let data = secret.data.unwrap_or_default().into_keys();
            data.chain(secret.string_data.unwrap_or_default().into_keys()).collect()
        }),
        Referenced::ConfigMap => find::<ConfigMap>(&cluster, &reference.namespace, &reference.name).await?.map(|map| {
            map.data.unwrap_or_default().into_keys().chain(map.binary_data.unwrap_or_default().into_keys()).collect()
        }),
    };
    let users = reference.used_by.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let object = format!("{} {}/{}", reference.kind.kind(), reference.namespace, reference.name);
    let Some(keys) = keys else {
        return Ok(Some(Diagnostic::error(
            format!("{object} does not exist"),
            format!("{users} refers to it, so its pods would not start. Make it first."),
        )));
    };
    let absent: Vec<&str> = reference.keys.iter().filter(|key| !keys.contains(*key)).map(String::as_str).collect();
    Ok((!absent.is_empty()).then(|| {
        Diagnostic::error(
            format!("{object} has no key {}", absent.join(", ")),
            format!("{users} refers to it, so its pods would not start. It has the keys: {}.", keys.join(", ")),
        )
    }))
}
