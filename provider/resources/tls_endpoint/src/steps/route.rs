//! The ingress or the routes, beside what serves already; what another class or other settings had made goes at the end.

use std::collections::BTreeSet;
use std::time::Duration;

use ffe_cluster::{Kind, ObjectRef};
use ffe_routing::{Class, GatewayRef};
use ffe_workloads::WaitOptions;
use serde_json::{Value as Json, json};

use crate::change::Stage;
use crate::desired::{Desired, find, is_there_and_ours};
use crate::errors::routing;
use crate::former::{self, Together};
use crate::names::Names;
use crate::objects;
use crate::remove;
use crate::run::{Run, Stop, failed};
use crate::spec::Spec;
use crate::steps::look;

const MIDDLEWARE: &str = "Middleware";
const INGRESS: &str = "Ingress";
/// Where an Ingress of Traefik names its middlewares.
const MIDDLEWARES: &str = "traefik.ingress.kubernetes.io/router.middlewares";
const SUMMARY: &str = "The route could not be made";
/// More than the two seconds for which Traefik gathers changes unless it is told otherwise (`providersThrottleDuration`).
const GATHERED: Duration = Duration::from_secs(3);
/// How long the address of an ingress is waited for whose class has changed: not every controller writes one.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let change = run.change()?.clone();
    take_off(run).await?;
    former::leave_routes(run, &[Together::Never]).await?;
    put(run, &change.first).await
}

/// Makes a stage of the route, with the ways to it that are left later.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn put(run: &mut Run<'_>, stage: &Stage) -> Result<(), Stop> {
    let wished = ffe_routing::objects(&stage.route, &stage.resolved);
    let joined = ffe_routing::beside(&wished, &run.change()?.live);
    apply(run, objects::as_routes(run.spec, joined).map_err(failed(SUMMARY))?).await?;
    run.stop_here()?;
    let attached = ffe_routing::attach(run.cluster, &stage.route, &stage.resolved).await;
    attached.map_err(|error| routing(&error, "The Gateway does not take the endpoint's listener"))
}

async fn apply(run: &mut Run<'_>, wished: Vec<Desired>) -> Result<(), Stop> {
    // Those of others have only just been made, maybe.
    let mut settled = !names_more_middlewares(run, &wished)?;
    for desired in &wished {
        let is_present = run.looked_at.get(&desired.reference).is_some_and(Option::is_some);
        if desired.reference.kind == MIDDLEWARE {
            settled &= is_present;
        } else if desired.reference.kind == INGRESS && !settled {
            // The first ingress has nobody yet who would miss it.
            if is_present {
                until_gathered(run).await?;
            }
            settled = true;
        }
        run.apply(desired).await?;
    }
    Ok(())
}

/// Whether an Ingress that is there is to name middlewares that it does not name yet, and that are not the endpoint's.
fn names_more_middlewares(run: &Run<'_>, wished: &[Desired]) -> Result<bool, Stop> {
    let change = run.change()?;
    Ok(middlewares(wished.iter().map(|one| &one.object), run)
        .iter()
        .any(|one| !middlewares(change.live.iter(), run).contains(one)))
}

/// Whether an Ingress named middlewares of others that it names no more.
fn named_more_middlewares(run: &Run<'_>, wished: &[Json]) -> Result<bool, Stop> {
    let change = run.change()?;
    Ok(middlewares(change.live.iter(), run).iter().any(|one| !middlewares(wished.iter(), run).contains(one)))
}

/// The middlewares that Ingresses name, without those that the endpoint makes.
fn middlewares<'a>(ingresses: impl Iterator<Item = &'a Json>, run: &Run<'_>) -> BTreeSet<String> {
    let names = &run.spec.names;
    let ours: Vec<String> = every_object(names)
        .into_iter()
        .filter(|object| object.kind == MIDDLEWARE)
        .map(|object| ffe_routing::Middleware::new(&names.namespace, &object.name).reference())
        .collect();
    let chains = ingresses.filter_map(|ingress| ingress["metadata"]["annotations"][MIDDLEWARES].as_str());
    let all = chains.flat_map(|chain| chain.split(',')).map(|one| one.trim().to_owned());
    all.filter(|one| !one.is_empty() && !ours.contains(one)).collect()
}

/// The annotations go by which cert-manager makes a Certificate of its own for an Ingress that had been there before: it
/// would take the endpoint's for its own, and undo what the endpoint says of it. The record knows them already.
async fn take_off(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(object) = main_object(run.spec).filter(|_| !run.triggers.is_empty()) else { return Ok(()) };
    run.stop_here()?;
    let annotations: serde_json::Map<String, Json> = run.triggers.keys().map(|key| (key.clone(), Json::Null)).collect();
    let patch = json!({ "metadata": { "annotations": annotations } });
    let summary = format!("The annotations for cert-manager could not be taken off {object}");
    run.cluster.merge_ref(&object, &patch).await.map_err(failed(&summary))?;
    tracing::info!(%object, annotations = ?run.triggers.keys(), "cert-manager makes no Certificate of its own any more");
    Ok(())
}

/// The endpoint's own objects are as they shall be and nothing else is left: what serves by them was seen to work.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn leave_former(run: &mut Run<'_>) -> Result<(), Stop> {
    let (change, around) = (run.change()?.clone(), run.around()?.clone());
    let wished = ffe_routing::objects(&run.spec.route, &around.resolved);
    let joined = ffe_routing::beside(&wished, &change.live);
    let left: Vec<ObjectRef> = left_over(run, &wished).await?;
    if change.interim || !left.is_empty() || former_gateways(run).next().is_some() {
        until_forgotten(run).await?;
    }
    if change.interim {
        take_over(run).await?;
    } else {
        let trimmed = wished.iter().cloned().zip(joined).filter(|(wished, joined)| wished != joined);
        let trimmed = trimmed.map(|(wished, _)| wished).collect();
        apply(run, objects::as_routes(run.spec, trimmed).map_err(failed(SUMMARY))?).await?;
    }
    // Whoever made them may take them away as soon as the apply is over.
    if named_more_middlewares(run, &wished)? {
        until_gathered(run).await?;
    }
    remove_former(run, left).await?;
    for (namespace, name) in former_gateways(run).collect::<Vec<_>>() {
        run.stop_here()?;
        let gateway = GatewayRef { namespace, name, manage_listener: true };
        let names = &run.spec.names;
        let detached = ffe_routing::detach(run.cluster, &gateway, &names.namespace, &names.name).await;
        detached.map_err(|error| routing(&error, "The former Gateway could not be left"))?;
    }
    Ok(())
}

/// The endpoint's own Ingress changes its class, while the interim one serves.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn take_over(run: &mut Run<'_>) -> Result<(), Stop> {
    until_gathered(run).await?;
    let wished = ffe_routing::objects(&run.spec.route, &run.around()?.resolved);
    apply(run, objects::as_routes(run.spec, wished).map_err(failed(SUMMARY))?).await?;
    until_served(run).await?;
    if let Some(change) = &mut run.change {
        // The interim one is but left over from here on.
        change.interim = false;
    }
    run.done.moves = look::leaves_its_kind(run);
    Ok(())
}

/// Whether an object is a route of one of these names.
pub(crate) fn is_of(object: &ObjectRef, all: &[Names]) -> bool {
    all.iter().any(|names| every_object(names).contains(object))
}

/// Every object of a route that an endpoint of this name may have, routes first: they need the others until they are gone.
fn every_object(names: &Names) -> Vec<ObjectRef> {
    let mut all = ffe_routing::names(&names.namespace, &names.name);
    all.extend(ffe_routing::interim_names(&names.namespace, &names.name));
    all.sort_by_key(|object| object.kind == MIDDLEWARE);
    all
}

/// Takes the route of a former name away.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn remove_all_of(run: &mut Run<'_>, former: &Names) -> Result<(), Stop> {
    let summary = "What has the former name could not be removed";
    let record = find(run.cluster, &remove::record_object(former)).await.map_err(failed(summary))?;
    let record = record.and_then(|record| serde_json::to_value(record).ok());
    let taken_off = objects::recorded(record.as_ref()).map_err(failed(summary))?.taken_off;
    let mut routes_went = false;
    for object in every_object(former) {
        run.stop_here()?;
        let there = match is_there_and_ours(run.cluster, &object, &former.owner()).await {
            Err(error) if error.kind() == Kind::Forbidden => false,
            found => found.map_err(failed(summary))?,
        };
        if !there {
            continue;
        }
        if object.kind == MIDDLEWARE && std::mem::take(&mut routes_went) {
            until_gathered(run).await?;
        }
        routes_went |= object.kind != MIDDLEWARE;
        remove::hand_back(run.cluster, &object, former, &taken_off).await.map_err(failed(summary))?;
    }
    Ok(())
}

/// What is there of the endpoint's that is not wished any more, routes first: they need the others until they are gone.
async fn left_over(run: &Run<'_>, wished: &[Json]) -> Result<Vec<ObjectRef>, Stop> {
    let names = &run.spec.names;
    let mut all = ffe_routing::leftovers(&run.spec.route, wished);
    all.extend(ffe_routing::interim_names(&names.namespace, &names.name));
    all.sort_by_key(|object| object.kind == MIDDLEWARE);
    let mut there = Vec::new();
    for object in all {
        run.stop_here()?;
        let found = match is_there_and_ours(run.cluster, &object, &names.owner()).await {
            // Whoever may not look at such a kind has made none of it, unless the state stands for it.
            Err(error) if error.kind() == Kind::Forbidden && !run.terms.known.contains(&object) => false,
            found => found.map_err(failed("The former route could not be looked at"))?,
        };
        if found {
            there.push(object);
        }
    }
    Ok(there)
}

async fn remove_former(run: &mut Run<'_>, left: Vec<ObjectRef>) -> Result<(), Stop> {
    if left.is_empty() {
        return Ok(());
    }
    until_gathered(run).await?;
    let mut routes_went = false;
    for object in left {
        run.stop_here()?;
        if object.kind == MIDDLEWARE && std::mem::take(&mut routes_went) {
            until_gathered(run).await?;
        }
        routes_went |= object.kind != MIDDLEWARE;
        let summary = format!("{object} could not be removed");
        let taken_off = &run.record.memory.taken_off;
        run.looked_at.remove(&object);
        let given = remove::hand_back(run.cluster, &object, &run.spec.names, taken_off).await;
        if given.map_err(failed(&summary))? {
            run.record.memory.taken_off = Default::default();
        }
    }
    Ok(())
}

/// Traefik reads ingresses and Middlewares apart from each other, and answers 404 while it knows one and not the other. What
/// it hears is gathered before it counts.
pub(crate) async fn until_gathered(run: &Run<'_>) -> Result<(), Stop> {
    pause(run, GATHERED).await
}

/// Until nobody is led any more to where the hosts were before: resolvers remember records.
pub(crate) async fn until_forgotten(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(until) = run.done.forgotten_at else { return Ok(()) };
    let left = until.saturating_duration_since(tokio::time::Instant::now());
    if left.is_zero() {
        return Ok(());
    }
    tracing::info!(seconds = left.as_secs(), "the former way is left when resolvers have forgotten it");
    run.deadline = run.deadline.max(until + PATIENCE);
    pause(run, left).await
}

/// Until the class that took the endpoint's own ingress over serves it.
async fn until_served(run: &Run<'_>) -> Result<(), Stop> {
    let wait = WaitOptions { timeout: run.wait().timeout.min(PATIENCE), ..run.wait() };
    match ffe_routing::address(run.cluster, &run.spec.route, &run.around()?.resolved, &wait).await {
        Err(ffe_routing::Error::NoAddress { .. }) | Ok(_) => {}
        Err(error) => return Err(routing(&error, "The route is not served")),
    }
    until_gathered(run).await
}

async fn pause(run: &Run<'_>, long: Duration) -> Result<(), Stop> {
    tokio::select! {
        () = run.cancel.cancelled() => Err(Stop::Cancelled),
        () = tokio::time::sleep(long) => Ok(()),
    }
}

/// The Gateways that have listeners of ours and are to have none any more: namespace and name.
fn former_gateways(run: &Run<'_>) -> impl Iterator<Item = (String, String)> {
    let mut former = run.record.memory.gateways.clone();
    // An endpoint that was made before the record knew of them.
    former.extend(run.prior.and_then(Spec::of).as_ref().and_then(managed_gateway));
    if let Some(now) = managed_gateway(run.spec) {
        former.remove(&now);
    }
    former.into_iter()
}

/// The Gateway that gets listeners of the endpoint's own: namespace and name.
pub(crate) fn managed_gateway(spec: &Spec) -> Option<(String, String)> {
    let gateway = gateway(spec).filter(|gateway| gateway.manage_listener)?;
    Some((gateway.namespace, gateway.name))
}

/// The Gateway of an endpoint.
pub(crate) fn gateway(spec: &Spec) -> Option<GatewayRef> {
    match &spec.route.class {
        Class::Gateway(gateway) => Some(gateway.clone()),
        Class::Ingress(_) => None,
    }
}

/// The object that shows that there is a route: its ingress or its main route.
pub(crate) fn main_object(spec: &Spec) -> Option<ObjectRef> {
    let kind = if gateway(spec).is_some() { "HTTPRoute" } else { INGRESS };
    ffe_routing::names(&spec.names.namespace, &spec.names.name).into_iter().find(|object| object.kind == kind)
}
