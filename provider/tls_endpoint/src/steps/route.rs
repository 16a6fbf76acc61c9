//! The ingress or the routes; what another class or other settings had made goes.

use std::time::Duration;

use ffe_cluster::{Kind, ObjectRef};
use ffe_routing::{Class, GatewayRef};

use crate::desired::is_there_and_ours;
use crate::errors::routing;
use crate::objects;
use crate::remove::{remove_ours, remove_stray};
use crate::run::{Run, Stop, failed};
use crate::spec::Spec;

const MIDDLEWARE: &str = "Middleware";
/// More than the two seconds for which Traefik gathers changes unless it is told otherwise (`providersThrottleDuration`).
const GATHERED: Duration = Duration::from_secs(3);

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let summary = "The route could not be made";
    let around = run.around()?.clone();
    let wished = objects::routes(run.spec, &around).map_err(failed(summary))?;
    let mut settled = true;
    for desired in &wished {
        let kind = desired.reference.kind.as_str();
        if kind == MIDDLEWARE {
            settled &= run.present.contains(&desired.reference);
        } else if kind == "Ingress" && !settled {
            // The first ingress has nobody yet who would miss it.
            if run.present.contains(&desired.reference) {
                until_gathered(run).await?;
            }
            settled = true;
        }
        run.apply(desired).await?;
    }
    let mut gathered = false;
    let wished: Vec<_> = wished.into_iter().map(|desired| desired.object).collect();
    let owner = run.spec.names.owner();
    for left in ffe_routing::leftovers(&run.spec.route, &wished) {
        run.stop_here()?;
        let summary = format!("{left} could not be removed");
        if left.kind == MIDDLEWARE && !gathered && is_ours(run, &left).await? {
            until_gathered(run).await?;
            gathered = true;
        }
        let removed = if run.terms.known.contains(&left) {
            remove_ours(run.cluster, &left, &owner).await
        } else {
            remove_stray(run.cluster, &left, &owner).await
        };
        removed.map_err(failed(&summary))?;
    }
    if let Some(former) = former_gateway(run) {
        let names = &run.spec.names;
        let detached = ffe_routing::detach(run.cluster, &former, &names.namespace, &names.name).await;
        detached.map_err(|error| routing(&error, "The former Gateway could not be left"))?;
    }
    let attached = ffe_routing::attach(run.cluster, &run.spec.route, &around.resolved).await;
    attached.map_err(|error| routing(&error, "The Gateway does not take the endpoint's listener"))
}

/// Traefik reads ingresses and Middlewares apart from each other, and answers 404 while it knows one and not the other. What
/// it hears is gathered before it counts.
async fn until_gathered(run: &Run<'_>) -> Result<(), Stop> {
    tokio::select! {
        () = run.cancel.cancelled() => Err(Stop::Cancelled),
        () = tokio::time::sleep(GATHERED) => Ok(()),
    }
}

/// Whether there is such an object, and it is the endpoint's. Where it may not be looked at there is none.
async fn is_ours(run: &Run<'_>, object: &ObjectRef) -> Result<bool, Stop> {
    match is_there_and_ours(run.cluster, object, &run.spec.names.owner()).await {
        Err(error) if error.kind() == Kind::Forbidden => Ok(false),
        looked => looked.map_err(failed("The former route could not be looked at")),
    }
}

/// The Gateway that has listeners of ours and is to have none any more.
fn former_gateway(run: &Run<'_>) -> Option<GatewayRef> {
    let former = gateway(&Spec::of(run.prior?)?).filter(|former| former.manage_listener)?;
    let now = gateway(run.spec).filter(|now| now.manage_listener);
    let same = now.is_some_and(|now| (now.namespace, now.name) == (former.namespace.clone(), former.name.clone()));
    (!same).then_some(former)
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
    let kind = if gateway(spec).is_some() { "HTTPRoute" } else { "Ingress" };
    ffe_routing::names(&spec.names.namespace, &spec.names.name).into_iter().find(|object| object.kind == kind)
}
