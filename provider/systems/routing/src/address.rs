//! What the controller answers: the address of a route, and whether it has been taken up.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ffe_cluster::k8s_openapi::api::core::v1::Pod;
use ffe_cluster::kube::api::DynamicObject;
use ffe_cluster::{Cluster, Kind, ObjectRef, Query};
use ffe_workloads::{Progress, WaitOptions};
use serde_json::Value;
use tokio::time::Instant;

use crate::Resolved;
use crate::error::{Error, Result};
use crate::gateway::{Attachment, Verdict, judge_gateway, judge_listeners, judge_route};
use crate::names::{Role, gateway_object, main_object, object_name};
use crate::route::Route;
use crate::support::Dialect;

/// How long a refusal is borne with: controllers judge while other objects of the same apply are still to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The field manager that Traefik writes statuses under: the name of its program.
const TRAEFIK_MANAGER: &str = "traefik";
/// The same of ingress-nginx.
const NGINX_MANAGER: &str = "nginx-ingress-controller";

/// Where the world reaches a controller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// For A and AAAA records
    Ip(IpAddr),
    /// For CNAME records
    Hostname(String),
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "" => None,
            text => Some(text.parse().map_or_else(|_| Self::Hostname(text.to_owned()), Self::Ip)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Hostname(name) => f.write_str(name),
        }
    }
}

/// Waits until the route's controller has written where it is reached into the status of the Ingress, or of the
/// Gateway. Never empty.
///
/// # Errors
/// [`Error::NoAddress`] when the time is over, with what to look at; [`Error::Refused`] when the controller does not
/// take the Gateway; those of requests; cancelled ones ([`Error::is_cancelled`]).
pub async fn address(
    cluster: &Cluster,
    route: &Route,
    resolved: &Resolved,
    wait: &WaitOptions,
) -> Result<Vec<Address>> {
    let object = holder(route, resolved);
    let refused = Patience::default();
    let what = format!("address of {object}");
    let waited = ffe_workloads::wait_for_ref(cluster, &object, &what, wait, |found| {
        let Some(found) = found.and_then(|found| serde_json::to_value(found).ok()) else {
            return Progress::Waiting("it does not exist yet".to_owned());
        };
        if let Some(former) = former_controller(&found, resolved) {
            return Progress::Waiting(format!("its status is still that of its former controller, {former}"));
        }
        if !addresses(&found).is_empty() {
            return Progress::Ready;
        }
        match resolved {
            Resolved::Gateway(_) => match judge_gateway(&found) {
                Verdict::Wrong(why) => refused.bear(why),
                Verdict::Pending(why) => Progress::Waiting(why),
                Verdict::Good => Progress::Waiting("its status has no address yet".to_owned()),
            },
            Resolved::Ingress(served) => Progress::Waiting(format!(
                "no controller has put an address into its status yet (IngressClass {:?}, controller {})",
                served.class,
                served.controller.as_deref().unwrap_or("unknown")
            )),
        }
    });
    match waited.await {
        Ok(Some(found)) => Ok(serde_json::to_value(found).map(|found| addresses(&found)).unwrap_or_default()),
        Ok(None) => Err(Error::NotThere { object: Box::new(object) }),
        Err(error) if error.kind() == Kind::Timeout => {
            Err(Error::NoAddress { advice: advice(cluster, resolved).await, source: error })
        }
        Err(error) => Err(refused.explain(object, error)),
    }
}

/// The address that is in the status now; empty when there is none, or the object is not there.
///
/// # Errors
/// Those of a read.
pub async fn current_address(cluster: &Cluster, route: &Route, resolved: &Resolved) -> Result<Vec<Address>> {
    let found = match cluster.find_ref(&holder(route, resolved)).await {
        Err(error) if error.kind() == Kind::NotServed => None,
        other => other?,
    };
    let found = found.and_then(|found| serde_json::to_value(found).ok());
    let current = found.filter(|found| former_controller(found, resolved).is_none());
    Ok(current.map(|found| addresses(&found)).unwrap_or_default())
}

/// Waits until the controller of the Gateway has taken up the route on each of its listeners, and our listeners are
/// programmed. For the time when the Secret is there: before, a listener that refers to it is not programmed. An
/// Ingress has nothing of the kind: at once.
///
/// # Errors
/// [`Error::Refused`] with the condition's reason and the controller's words, when they stay; time over; those of
/// requests; cancelled ones ([`Error::is_cancelled`]).
pub async fn accepted(cluster: &Cluster, route: &Route, resolved: &Resolved, wait: &WaitOptions) -> Result<()> {
    let Resolved::Gateway(attachment) = resolved else { return Ok(()) };
    let started = Instant::now();
    let left = || WaitOptions { timeout: wait.timeout.saturating_sub(started.elapsed()), ..wait.clone() };

    let gateway = gateway_object(&attachment.gateway);
    let listeners: Vec<String> = attachment.ours.iter().map(|ours| ours.name.clone()).collect();
    watch(cluster, &gateway, "listeners", &left(), |found| match judge_gateway(found) {
        Verdict::Good => judge_listeners(found, &listeners),
        other => other,
    })
    .await?;
    for object in routes(route, attachment) {
        watch(cluster, &object, "acceptance", &left(), judge_route).await?;
    }
    Ok(())
}

async fn watch(
    cluster: &Cluster,
    object: &ObjectRef,
    of: &str,
    wait: &WaitOptions,
    judge: impl Fn(&Value) -> Verdict + Send + Sync,
) -> Result<()> {
    let refused = Patience::default();
    let status = |found: Option<&DynamicObject>| {
        let Some(found) = found.and_then(|found| serde_json::to_value(found).ok()) else {
            return Progress::Waiting("it does not exist yet".to_owned());
        };
        match judge(&found) {
            Verdict::Good => Progress::Ready,
            Verdict::Pending(why) => {
                refused.forget();
                Progress::Waiting(why)
            }
            Verdict::Wrong(why) => refused.bear(why),
        }
    };
    let waited = ffe_workloads::wait_for_ref(cluster, object, &format!("{of} of {object}"), wait, status).await;
    waited.map(drop).map_err(|error| refused.explain(object.clone(), error))
}

/// Bears with a refusal for a while, and remembers it.
#[derive(Default)]
struct Patience(Mutex<Option<(Instant, String)>>);

impl Patience {
    fn bear(&self, why: String) -> Progress {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = since.as_ref().map_or_else(Instant::now, |(start, _)| *start);
        *since = Some((start, why.clone()));
        if start.elapsed() >= PATIENCE { Progress::Failed(why) } else { Progress::Waiting(why) }
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A failure that is a refusal becomes one.
    fn explain(self, object: ObjectRef, error: ffe_cluster::Error) -> Error {
        let why = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (error.kind(), why) {
            (Kind::Failed, Some((_, why))) => Error::Refused { object: Box::new(object), why },
            _ => error.into(),
        }
    }
}

/// The object whose status has the address.
fn holder(route: &Route, resolved: &Resolved) -> ObjectRef {
    match resolved {
        Resolved::Ingress(_) => main_object(route),
        Resolved::Gateway(attachment) => gateway_object(&attachment.gateway),
    }
}

fn routes(route: &Route, attachment: &Attachment) -> Vec<ObjectRef> {
    let main = main_object(route);
    let http = main.named(&object_name(&route.name, Role::Http));
    if attachment.http.is_empty() { vec![main] } else { vec![main, http] }
}

/// The controller that wrote the status, where that is surely not the one of the class: an Ingress whose class was
/// changed keeps the address of its former controller until the new one has written its own.
pub(crate) fn former_controller(ingress: &Value, resolved: &Resolved) -> Option<String> {
    let other = match resolved.dialect() {
        Dialect::Traefik | Dialect::TraefikNginx => NGINX_MANAGER,
        Dialect::IngressNginx => TRAEFIK_MANAGER,
        Dialect::Gateway | Dialect::Other => return None,
    };
    let managers = ingress.pointer("/metadata/managedFields").and_then(Value::as_array)?;
    let of_status = managers.iter().filter(|entry| entry["subresource"] == "status");
    // where both have written the same, the later one counts; times of one format compare as texts
    let last = of_status.max_by_key(|entry| entry["time"].as_str().unwrap_or_default())?;
    last["manager"].as_str().filter(|manager| *manager == other).map(str::to_owned)
}

/// Addresses in the status of an Ingress or a Gateway, each once.
pub(crate) fn addresses(object: &Value) -> Vec<Address> {
    let list = |pointer: &str| object.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let balancer = list("/status/loadBalancer/ingress");
    let gateway = list("/status/addresses");
    let texts = balancer
        .iter()
        .flat_map(|entry| [&entry["ip"], &entry["hostname"]])
        .chain(gateway.iter().map(|entry| &entry["value"]))
        .filter_map(Value::as_str);
    let mut found: Vec<Address> = Vec::new();
    for address in texts.filter_map(Address::parse) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// What to look at when no address comes.
async fn advice(cluster: &Cluster, resolved: &Resolved) -> String {
    let (setting, app) = match resolved {
        Resolved::Ingress(served) => match served.dialect {
            Dialect::Traefik => (
                "Traefik writes addresses only with providers.kubernetesIngress.ingressEndpoint (publishedService, ip \
                    or hostname)",
                Some("traefik"),
            ),
            Dialect::TraefikNginx => (
                "Traefik writes addresses only with providers.kubernetesIngressNGINX.publishService or \
                    publishStatusAddress",
                Some("traefik"),
            ),
            Dialect::IngressNginx => (
                "ingress-nginx writes addresses with --publish-service (of type LoadBalancer) or \
                    --publish-status-address",
                Some("ingress-nginx"),
            ),
            Dialect::Gateway | Dialect::Other => {
                ("see whether the controller writes addresses into the status of Ingresses", None)
            }
        },
        Resolved::Gateway(_) => (
            "a Gateway gets its address from its controller, which may wait for a Service of type LoadBalancer \
                (Traefik: providers.kubernetesGateway.statusAddress)",
            None,
        ),
    };
    let pods = match app {
        None => String::new(),
        Some(app) => {
            let query = Query::labels(format!("app.kubernetes.io/name={app}"));
            match cluster.list_metadata::<Pod>(None, &query).await {
                Ok(found) if found.is_empty() => {
                    format!(" No pod labelled app.kubernetes.io/name={app} was found: perhaps nobody serves the class.")
                }
                _ => String::new(),
            }
        }
    };
    format!(
        "See that the controller is running; {setting}.{pods} Where no address will come, give the target of DNS \
            literally."
    )
}

#[cfg(test)]
mod tests;
