//! A part of preflight: whether the schema can go back, with which image, and what is lost by it. Nothing moves here.

use ffe_cluster::Query;
use ffe_cluster::k8s_openapi::api::core::v1::{Pod, PodSpec};
use tfplugin::{Diagnostic, Path};

use crate::apply::going_back::{GoesBack, refusals};
use crate::apply::made_for::{MadeFor, made_for};
use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::job::POD_LABEL;
use crate::apply::migration::migrator::Migrator;
use crate::apply::migration::names;
use crate::apply::migration::task::{Task, is_alembic};
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::open_way::OpenWay;
use crate::journal::{Behind, GoingBack, Pending, RunRecord};
use crate::rendering::migration_image::of_workloads;

/// For the engine `alembic`: the image that is wanted does not have the revisions that the database stands at.
///
/// # Errors
/// When the setting does not allow it, no image is known that has the revisions, or one of them cannot be undone.
pub(crate) async fn ahead(run: &mut Run, migrator: &Migrator, found: &Inspection) -> Result<GoesBack, Stop> {
    let (settings, image) = (&migrator.settings, &migrator.image);
    if !settings.allows_downgrade() {
        return Err(refusals::not_allowed(image, found));
    }
    let to = match &run.record().back {
        Some(back) => back.to.clone(),
        None if found.aim.is_empty() => {
            return Err(refusals::no_aim(settings.target.as_str().unwrap_or("head"), image));
        }
        None => found.aim.clone(),
    };
    let candidates = candidates(run, image, &found.current).await?;
    if candidates.is_empty() {
        return Err(refusals::same_image(image, &found.current));
    }
    let mut failed = None;
    for candidate in &candidates {
        let mover = migrator.with_image(candidate);
        match ask(run, &mover, &to).await {
            Ok(stands) if stands.unknown.is_empty() => return go_with(run, image, mover, to, stands).await,
            Ok(_) => {}
            Err(stop @ (Stop::Cancelled | Stop::LeaseLost)) => return Err(stop),
            Err(stop) => failed = Some(refusals::not_asked(stop, candidate)),
        }
    }
    Err(failed.unwrap_or_else(|| refusals::nobody_knows(&found.unknown, &candidates)))
}

/// For the engine `command`: the journal knows the image that is wanted to be older, the image that has moved the schema on since,
/// and the revisions that it was at before.
///
/// # Errors
/// As [`ahead`].
pub(crate) async fn known_to_be_ahead(
    run: &mut Run,
    migrator: &Migrator,
    (newer, to): (String, Vec<String>),
) -> Result<GoesBack, Stop> {
    let mover = migrator.with_image(&newer);
    let mut stands = ask(run, &mover, &to).await.map_err(|stop| refusals::not_asked(stop, &newer))?;
    // What the commands drop nobody knows.
    stands.ran = stands.current.iter().map(|one| Pending { revision: one.clone(), ..Pending::default() }).collect();
    go_with(run, &migrator.image, mover, to, stands).await
}

/// Where a run that died while it went back has taken the schema to where the image has it: then this one goes back as well, and
/// knows where to if it fails.
pub(crate) fn gone_back_already(run: &mut Run, migrator: &Migrator, found: &Inspection) -> Option<GoesBack> {
    let (of, back) = going_back_of(run)?;
    let arrived = if is_alembic(&migrator.settings) {
        found.pending.is_empty() && behind(migrator, &back, found).is_some()
    } else {
        // What is pending a command does not tell: only the image that was wanted then is known to be the older one.
        back.to == found.current && of.as_ref() == Some(&migrator.image)
    };
    if !arrived || back.image == migrator.image {
        return None;
    }
    let back = GoingBack { to: found.current.clone(), ..back };
    note(run, &migrator.image, &back);
    let mover = migrator.with_image(&back.image);
    Some(GoesBack { back, way: None, mover, undoing: String::new() })
}

/// Where a run that died while it went back has left the schema, for a version that does not go back itself.
pub(crate) fn left_behind(run: &Run, migrator: &Migrator, found: &Inspection) -> Option<Behind> {
    let (_, back) = going_back_of(run)?;
    behind(migrator, &back, found)
}

/// What this run undoes, or the one that died while it went back; and the older version's image.
fn going_back_of(run: &Run) -> Option<(Option<String>, GoingBack)> {
    let of = |record: &RunRecord| Some((record.image.clone(), record.back.clone()?));
    of(run.record()).or_else(|| of(run.journal.base_of_failures()?))
}

fn behind(migrator: &Migrator, back: &GoingBack, found: &Inspection) -> Option<Behind> {
    let stands_on = is_alembic(&migrator.settings).then_some(found.astray.is_empty());
    Behind::find(back, &found.current, stands_on)
}

fn note(run: &mut Run, image: &str, back: &GoingBack) {
    run.note(|record| {
        record.image = Some(image.to_owned());
        record.schema_before = Some(back.from.clone());
        record.back = Some(back.clone());
    });
}

/// Asks an image what has run since, and how many rows go with it.
async fn ask(run: &mut Run, mover: &Migrator, to: &[String]) -> Result<Inspection, Stop> {
    let id = run.record().id.clone();
    mover.told_by(run, Task::rows(mover.terms(&id, Some(to)))).await
}

/// The images that may have the revisions: those that have moved the schema where it is, then what runs.
async fn candidates(run: &Run, wanted: &str, current: &[String]) -> Result<Vec<String>, Stop> {
    let (own, earlier) = match run.journal.content.runs.split_last() {
        Some((own, earlier)) => (own.back.as_ref(), earlier),
        None => (None, Default::default()),
    };
    let dead = run.journal.base_of_failures().and_then(|first| first.back.as_ref());
    let backs = own.into_iter().chain(dead).map(|back| back.image.clone());
    let there = earlier.iter().rev().filter(|one| one.schema_after.as_deref() == Some(current));
    let last = earlier.iter().rev().filter(|one| one.verified).take(1);
    let journal = there.chain(last).filter_map(|one| one.image.clone());
    let runs = match &run.before {
        Some(key) => {
            // A chart with several images does not tell which of them migrates.
            of_workloads(&run.manifest_of(key).await?.workloads(&run.inputs.namespace)).ok()
        }
        None => None,
    };
    let mut all: Vec<String> = Vec::new();
    for one in backs.chain(journal).chain(runs) {
        if one != wanted && !all.contains(&one) {
            all.push(one);
        }
    }
    Ok(all)
}

/// Writes down what is undone and warns of what is lost, if the way is open.
async fn go_with(
    run: &mut Run,
    image: &str,
    mover: Migrator,
    to: Vec<String>,
    stands: Inspection,
) -> Result<GoesBack, Stop> {
    let way = OpenWay::to(&mover.settings, to.clone(), stands.apart, &stands).map_err(|why| {
        let moved = |one: &&RunRecord| {
            one.schema_before.as_deref() == Some(to.as_slice()) && one.back.is_none() && one.restore.is_some()
        };
        let before = run.journal.content.runs.iter().rev().find(moved).and_then(|one| one.restore.as_deref());
        refusals::closed(&to, &why, &stands.current, before)
    })?;
    // A run that goes on, or one after a run that died on this way, leads back to where that one began.
    let dead = run.journal.base_of_failures().and_then(|first| first.back.clone());
    let back = match run.record().back.clone() {
        Some(back) => back,
        None => GoingBack {
            image: mover.image.clone(),
            from: dead.map_or_else(|| stands.current.clone(), |dead| dead.from),
            to,
            undone: stands.ran.iter().rev().cloned().collect(),
            rows: stands.rows.clone(),
        },
    };
    let texts: Vec<String> = back.undone.iter().map(Pending::undoing).collect();
    if let Some(planned) = run.planned.undone.as_ref().filter(|planned| !is_within(&texts, planned)) {
        return Err(refusals::changed_since_plan(&texts, planned));
    }
    let undoing = undoing(&back, &stands.current);
    tracing::warn!(release = %run.inputs.name, "the schema is to go back: {undoing}");
    warn_of_others(run).await?;
    note(run, image, &back);
    run.save().await?;
    Ok(GoesBack { back, way: Some(way), mover, undoing })
}

/// Whether no revision is undone that the plan does not name.
fn is_within(undone: &[String], planned: &[String]) -> bool {
    let name = |text: &str| text.split_once(": ").map_or(text, |(name, _)| name).to_owned();
    let planned: Vec<String> = planned.iter().map(|text| name(text)).collect();
    undone.iter().all(|text| planned.contains(&name(text)))
}

/// What is undone and dropped.
fn undoing(back: &GoingBack, current: &[String]) -> String {
    let revisions: Vec<&str> = back.undone.iter().map(|one| one.revision.as_str()).collect();
    let losses = back.losses().map_or_else(
        || "No table and no column is dropped.".to_owned(),
        |losses| format!("What is dropped, as counted before anything moved: {losses}."),
    );
    format!(
        "From {} to {}, by the image {}. Undone: {}. {losses}",
        names(current),
        names(&back.to),
        back.image,
        revisions.join(", ")
    )
}

async fn warn_of_others(run: &mut Run) -> Result<(), Stop> {
    let others = others(run).await?;
    if !others.is_empty() {
        let warning = Diagnostic::warning(
            "Pods that are not the release's use the database too",
            format!(
                "They are given the Secret of migration.database_secret, and meet the older schema: {}. Take their version back \
                 as well.",
                others.join(", ")
            ),
        );
        run.warnings.push(warning.at(Path::attribute("migration").child("database_secret")));
    }
    Ok(())
}

/// Pods of others that are given the database's Secret.
async fn others(run: &Run) -> Result<Vec<String>, Stop> {
    let namespace = run.inputs.namespace.as_str();
    let settings = run.inputs.config.migration.known();
    let Some(secret) = settings.and_then(|settings| settings.database_secret.as_str()) else { return Ok(Vec::new()) };
    let pods = run.cluster.list::<Pod>(Some(namespace), &Query::default()).await;
    let pods = pods.map_err(|error| Stop::cluster(&error, "The pods of the namespace cannot be listed"))?;
    let mut others = Vec::new();
    for pod in pods {
        let labels = pod.metadata.labels.as_ref();
        let migrates = labels.and_then(|all| all.get("app.kubernetes.io/name")).is_some_and(|name| name == POD_LABEL);
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let given = pod.spec.as_ref().is_some_and(|spec| is_given(spec, secret));
        if migrates || !given || matches!(phase, Some("Succeeded" | "Failed")) {
            continue;
        }
        let whose = made_for(run, &pod.metadata).await;
        if let MadeFor::Others = whose.map_err(|error| Stop::cluster(&error, "What has made a pod cannot be read"))? {
            others.extend(pod.metadata.name);
        }
    }
    Ok(others)
}

/// Whether a pod has a Secret in its environment or as a volume.
fn is_given(spec: &PodSpec, secret: &str) -> bool {
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let in_environment = containers.flat_map(|container| {
        let whole =
            container.env_from.iter().flatten().filter_map(|from| Some(from.secret_ref.as_ref()?.name.as_str()));
        let keys = container
            .env
            .iter()
            .flatten()
            .filter_map(|one| Some(one.value_from.as_ref()?.secret_key_ref.as_ref()?.name.as_str()));
        whole.chain(keys).collect::<Vec<_>>()
    });
    let volumes = spec.volumes.iter().flatten().filter_map(|volume| volume.secret.as_ref()?.secret_name.as_deref());
    in_environment.chain(volumes).any(|name| name == secret)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_covers_what_it_names_and_no_more() {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let planned = texts(&["b: drops the table t", "a: drops no table and no column"]);
        assert!(is_within(&texts(&["b: what it drops is not known", "a: x"]), &planned));
        assert!(is_within(&texts(&["a: x"]), &planned), "one is undone already");
        assert!(!is_within(&texts(&["c: x", "b: x", "a: x"]), &planned));
        assert!(!is_within(&texts(&["a: x"]), &[]));
    }

    #[test]
    fn a_pod_is_given_a_secret_in_three_ways() {
        let given = |spec: serde_json::Value| is_given(&serde_json::from_value(spec).unwrap(), "db");
        let one = |more: serde_json::Value| {
            let mut container = json!({ "name": "a" });
            container.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "containers": [container] })
        };
        assert!(given(one(json!({ "envFrom": [{ "secretRef": { "name": "db" } }] }))));
        assert!(given(one(
            json!({ "env": [{ "name": "U", "valueFrom": { "secretKeyRef": { "name": "db", "key": "u" } } }] })
        )));
        assert!(given(json!({ "containers": [], "volumes": [{ "name": "v", "secret": { "secretName": "db" } }] })));
        assert!(!given(one(json!({ "envFrom": [{ "secretRef": { "name": "other" } }] }))));
    }
}
