//! How an endpoint's route gets from what it is to what it shall be while it is in use.

use ffe_cluster::Cluster;
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_routing::{Class, Former, Resolved, Route, Serving};
use serde_json::Value as Json;

use crate::desired::{Found, Part};
use crate::errors::routing;
use crate::objects::Surroundings;
use crate::run::{Stop, failed};
use crate::spec::Spec;
use crate::steps::route;

/// A route with what the cluster has for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub(crate) route: Route,
    pub(crate) resolved: Resolved,
}

/// The way from the one to the other.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Until the certificate is issued: with the Secret that serves now, and with the hosts that are to go.
    pub(crate) first: Stage,
    /// From then on.
    pub(crate) then: Stage,
    /// Whether both stand beside the endpoint's own Ingress, which another class serves until they are known to work.
    pub(crate) interim: bool,
    /// Who serves it until then, where both stand beside it.
    pub(crate) former: Option<Former>,
    /// What the endpoint's own main object says, where it is there.
    pub(crate) serving: Option<Serving>,
    /// The objects of the route as they were found.
    pub(crate) live: Vec<Json>,
}

impl Change {
    /// The way from what was found to what is wished; `former` is what serves by the endpoint's former name, and the endpoint as
    /// it was then.
    ///
    /// # Errors
    /// Those of requests.
    pub(crate) async fn to(
        cluster: &Cluster,
        spec: &Spec,
        around: &Surroundings,
        found: &[Found],
        former: Option<(&Json, &Spec)>,
    ) -> Result<Change, Stop> {
        let routes = found.iter().filter(|one| one.desired.part == Part::Route);
        let main = route::main_object(spec);
        let of_main = routes.clone().find(|one| Some(&one.desired.reference) == main.as_ref()).and_then(Found::json);
        let mut change = Change {
            first: Stage { route: spec.route.clone(), resolved: around.resolved.clone() },
            then: Stage { route: spec.route.clone(), resolved: around.resolved.clone() },
            interim: false,
            former: None,
            live: routes.filter_map(Found::json).collect(),
            serving: None,
        };
        if let Some(live) = of_main {
            let serving = Serving::of(&live, &around.resolved);
            change.keep(cluster, &serving).await?;
            if change.interim {
                let former = Former::of(cluster, &live, &serving).await;
                change.former =
                    former.inspect_err(|error| tracing::info!(%error, "who serves the Ingress now is not known")).ok();
            }
            change.serving = Some(serving);
        } else if let Some((live, prior)) = former {
            let mut serving = Serving::of(live, &around.resolved);
            // At a Gateway no object of the route says it.
            serving.secret_name = serving.secret_name.or_else(|| Some(prior.certificate.secret_name.clone()));
            change.keep_what_serves(cluster, &serving).await?;
            change.look_again(cluster).await?;
            change.serving = Some(serving);
        }
        Ok(change)
    }

    /// Whether the controller that serves both of them is also that of the former class: what is asked for at these addresses
    /// shows nothing of the one as long as the other is there.
    pub(crate) fn is_at_one_controller(&self, reached: &[String]) -> bool {
        self.interim && self.former.as_ref().is_some_and(|former| former.is_the_same_as(&self.then.resolved, reached))
    }

    async fn keep(&mut self, cluster: &Cluster, serving: &Serving) -> Result<(), Stop> {
        self.keep_what_serves(cluster, serving).await?;
        let Change { first, then, .. } = self;
        self.interim = is_of_another_class(serving, &then.resolved) && ffe_routing::can_serve_beside(&then.resolved);
        if self.interim {
            first.route = ffe_routing::interim(&first.route);
            then.route = ffe_routing::interim(&then.route);
        }
        self.look_again(cluster).await
    }

    /// Hosts that are to go stay until the certificate is issued, and the Secret that serves now.
    async fn keep_what_serves(&mut self, cluster: &Cluster, serving: &Serving) -> Result<(), Stop> {
        let Change { first, then, .. } = self;
        let wished = &then.route;
        first.route.hosts.extend(serving.hosts.iter().filter(|host| !wished.hosts.contains(host)).cloned());
        if let Some(secret) = serving.secret_name.as_ref().filter(|secret| **secret != wished.secret_name)
            && is_there(cluster, &wished.namespace, secret).await?
        {
            first.route.secret_name.clone_from(secret);
        }
        Ok(())
    }

    /// A Gateway has other listeners for another route.
    async fn look_again(&mut self, cluster: &Cluster) -> Result<(), Stop> {
        let Change { first, then, .. } = self;
        if first.route != then.route && matches!(first.route.class, Class::Gateway(_)) {
            let resolved = ffe_routing::inspect(cluster, &first.route).await;
            first.resolved = resolved.map_err(|error| routing(&error, "The route cannot be made"))?;
        }
        Ok(())
    }
}

/// Whether an Ingress is served by another class until now.
pub(crate) fn is_of_another_class(serving: &Serving, resolved: &Resolved) -> bool {
    match resolved {
        Resolved::Ingress(served) => serving.class.as_deref() != Some(served.class.as_str()),
        Resolved::Gateway(_) => false,
    }
}

async fn is_there(cluster: &Cluster, namespace: &str, secret: &str) -> Result<bool, Stop> {
    let found: Option<Secret> = cluster
        .find(Some(namespace), secret)
        .await
        .map_err(failed("The Secret that serves the hosts could not be looked at"))?;
    Ok(found.is_some())
}
