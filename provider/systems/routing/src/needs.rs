//! What a route asks of its class, of middlewares and of Services, beside what an object of ours can bring: what the class cannot do
//! at all, and what others have to have made.

use ffe_cluster::k8s_openapi::api::core::v1::{Service, ServicePort};
use ffe_cluster::{Cluster, Kind, ObjectRef, Query};
use serde_json::Value;

use crate::Resolved;
use crate::backend::is_meant;
use crate::error::Result;
use crate::ingress::nginx_protocol;
use crate::names::{GATEWAY, TRAEFIK};
use crate::route::{Backend, Class, Middleware, Problem, Protocol, Route};
use crate::support::{ByProtocol, Dialect, protocol_support};

/// By it Traefik knows what the Services of an Ingress speak.
const SCHEME: &str = "traefik.ingress.kubernetes.io/service.serversscheme";
/// By it Gateways know that a port speaks HTTP/2 without TLS.
const H2C: &str = "kubernetes.io/h2c";

/// What the class of a route cannot do, whatever there is in the cluster.
pub fn refusals(route: &Route, resolved: &Resolved) -> Vec<Problem> {
    let dialect = resolved.dialect();
    let mut found = Vec::new();
    let mut refuse = |attribute: String, message: String| found.push(Problem { attribute, message });
    for (index, one) in route.middlewares.iter().enumerate() {
        if let Some(why) = why_not(one, route, dialect) {
            refuse(format!("middlewares[{index}]"), why);
        }
    }
    let asked = route.rules.iter().enumerate().filter_map(|(index, rule)| Some((index, rule.backend.protocol?)));
    for (index, protocol) in asked.clone() {
        if let ByProtocol::Unsupported { why } = protocol_support(dialect, protocol) {
            let name = protocol.as_str();
            refuse(route.at(index, "protocol"), format!("{dialect} has no way to speak {name} to a service: {why}"));
        }
    }
    if matches!(dialect, Dialect::IngressNginx | Dialect::TraefikNginx) {
        let first = nginx_protocol(route, dialect).unwrap_or("HTTP");
        let other = route.rules.iter().enumerate().find(|(_, rule)| {
            let of_it = Route { rules: vec![(*rule).clone()], ..route.clone() };
            nginx_protocol(&of_it, dialect).unwrap_or("HTTP") != first
        });
        if let Some((index, _)) = other {
            refuse(
                route.at(index, "protocol"),
                format!(
                    "{dialect} takes one protocol for all backends of an Ingress, and here there are several. Give all of them \
                     the same, or those with another protocol a host and an endpoint of their own."
                ),
            );
        }
    }
    if route.backend_tls.is_some() && dialect != Dialect::Gateway {
        refuse(
            "backend_tls".to_owned(),
            match dialect {
                Dialect::Traefik => {
                    "it is for a Gateway: Traefik takes whom it trusts behind an Ingress from a ServersTransport, which the \
                     Service names with the annotation traefik.ingress.kubernetes.io/service.serverstransport"
                }
                Dialect::IngressNginx | Dialect::TraefikNginx => {
                    "it is for a Gateway: here annotations say whom to trust (nginx.ingress.kubernetes.io/proxy-ssl-secret, \
                     proxy-ssl-verify and proxy-ssl-name)"
                }
                Dialect::Gateway | Dialect::Other => "it is for a Gateway",
            }
            .to_owned(),
        );
    }
    found
}

/// Why a middleware cannot be named there.
fn why_not(one: &Middleware, route: &Route, dialect: Dialect) -> Option<String> {
    match dialect {
        Dialect::Traefik if !one.is_traefiks() => Some(format!(
            "{one} of {} cannot be named by an Ingress of Traefik, which knows Middlewares of traefik.io",
            one.group
        )),
        Dialect::Traefik => None,
        Dialect::IngressNginx | Dialect::TraefikNginx => Some(format!(
            "{dialect} knows no middlewares; what it does with requests is said by annotations, such as \
             nginx.ingress.kubernetes.io/auth-url, auth-type and auth-secret: put them into annotations"
        )),
        Dialect::Gateway if one.is_elsewhere() || one.namespace != route.namespace => Some(format!(
            "a route of the Gateway API names filters of its own namespace only, and {one} is elsewhere: make it in {}",
            route.namespace
        )),
        Dialect::Gateway => None,
        Dialect::Other => Some(
            "this controller is not known, and the Ingress API has no field for middlewares; say it by annotations"
                .to_owned(),
        ),
    }
}

/// What others have not made, or made otherwise, and without which the route would not work: middlewares that are not there, and
/// Services of which the controller believes that they speak something else. Services that do not exist yet say nothing.
///
/// # Errors
/// Those of reads. What may not be read is not known, and no need.
pub async fn unmet(cluster: &Cluster, route: &Route, resolved: &Resolved) -> Result<Vec<Problem>> {
    let mut found = Vec::new();
    for (index, one) in route.middlewares.iter().enumerate() {
        // Of another group the version is not known: the controller says it in the route's conditions.
        if one.is_elsewhere() || !one.is_traefiks() {
            continue;
        }
        let object = ObjectRef::new(TRAEFIK, &one.kind, Some(&one.namespace), &one.name);
        let missing = match cluster.find_ref(&object).await {
            Ok(Some(_)) => continue,
            Ok(None) => format!(
                "{one} does not exist, and Traefik serves no route that names one that is not there. Make it first, or correct \
                 its name and namespace."
            ),
            Err(error) if error.kind() == Kind::NotServed => format!(
                "{one} cannot exist: the API server does not serve Middleware of {TRAEFIK}. Install Traefik's custom resource \
                 definitions."
            ),
            Err(error) if error.kind() == Kind::Forbidden => continue,
            Err(error) => return Err(error.into()),
        };
        found.push(Problem { attribute: format!("middlewares[{index}]"), message: missing });
    }
    for (index, rule) in route.rules.iter().enumerate() {
        let Some(protocol) = rule.backend.protocol else { continue };
        let message = match (resolved.dialect(), &route.class) {
            (Dialect::Traefik, _) => spoken_by_traefik(cluster, route, &rule.backend, protocol).await?,
            (Dialect::Gateway, Class::Gateway(_)) => at_a_gateway(cluster, route, &rule.backend, protocol).await?,
            _ => None,
        };
        found.extend(message.map(|message| Problem { attribute: route.at(index, "protocol"), message }));
    }
    Ok(found)
}

/// The Service and the port that are meant, where they are there and may be read.
async fn port_of(cluster: &Cluster, route: &Route, backend: &Backend) -> Result<Option<(Service, ServicePort)>> {
    let found = match cluster.find::<Service>(Some(&route.namespace), &backend.service).await {
        Err(error) if error.kind() == Kind::Forbidden => None,
        other => other?,
    };
    let Some(service) = found else { return Ok(None) };
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.clone()).unwrap_or_default();
    Ok(ports.into_iter().find(|port| is_meant(port, &backend.port)).map(|port| (service, port)))
}

/// Traefik goes by the Service: by its annotation, else by its port.
async fn spoken_by_traefik(
    cluster: &Cluster,
    route: &Route,
    backend: &Backend,
    protocol: Protocol,
) -> Result<Option<String>> {
    let Some((service, port)) = port_of(cluster, route, backend).await? else { return Ok(None) };
    let annotations = service.metadata.annotations.unwrap_or_default();
    let is_https = port.port == 443 || port.name.as_deref().is_some_and(|name| name.starts_with("https"));
    let by_port = if is_https { "https" } else { "http" };
    let spoken = annotations.get(SCHEME).map_or(by_port, String::as_str);
    let wanted = match protocol {
        Protocol::Http => "http",
        Protocol::Https => "https",
        Protocol::H2c | Protocol::Grpc => "h2c",
    };
    // gRPC goes over TLS as well.
    if spoken == wanted || (protocol == Protocol::Grpc && spoken == "https") {
        return Ok(None);
    }
    let (namespace, name) = (&route.namespace, &backend.service);
    Ok(Some(format!(
        "Traefik speaks {spoken} to Service {namespace}/{name} at port {}, and {} was asked for. It goes by the Service, which the \
         endpoint does not change: kubectl annotate service --namespace {namespace} {name} --overwrite {SCHEME}={wanted}",
        backend.port,
        protocol.as_str(),
    )))
}

/// A Gateway goes by the port's `appProtocol`, and by a BackendTLSPolicy.
async fn at_a_gateway(
    cluster: &Cluster,
    route: &Route,
    backend: &Backend,
    protocol: Protocol,
) -> Result<Option<String>> {
    let (namespace, name) = (&route.namespace, &backend.service);
    if protocol == Protocol::Https {
        let policies = match cluster.list_ref(GATEWAY, "BackendTLSPolicy", Some(namespace), &Query::default()).await {
            Ok(policies) => policies,
            Err(error) if error.kind() == Kind::Forbidden => return Ok(None),
            Err(error) if error.kind() == Kind::NotServed => {
                return Ok(Some(format!(
                    "A Gateway speaks HTTPS to a Service by a BackendTLSPolicy, and the API server does not serve that kind of \
                     {GATEWAY}. Install the custom resource definitions of the Gateway API 1.4 or later, or let Service \
                     {namespace}/{name} speak HTTP."
                )));
            }
            Err(error) => return Err(error.into()),
        };
        let is_told = policies.iter().any(|policy| {
            let targets = policy.data.pointer("/spec/targetRefs").and_then(Value::as_array);
            targets.into_iter().flatten().any(|target| target["kind"] == "Service" && target["name"] == name.as_str())
        });
        return Ok((route.backend_tls.is_none() && !is_told).then(|| {
            format!(
                "A Gateway speaks HTTPS to a Service only where it is told whom to trust, and nothing says it of Service \
                 {namespace}/{name}. Set backend_tls with the hostname of its certificate, or make a BackendTLSPolicy for it."
            )
        }));
    }
    let Some((_, port)) = port_of(cluster, route, backend).await? else { return Ok(None) };
    let told = port.app_protocol.as_deref().unwrap_or_default();
    let is_as_wished = match protocol {
        Protocol::H2c | Protocol::Grpc => told == H2C,
        Protocol::Http | Protocol::Https => told.is_empty() || told == "http" || told == "kubernetes.io/ws",
    };
    Ok((!is_as_wished).then(|| {
        let wished = if matches!(protocol, Protocol::H2c | Protocol::Grpc) { H2C } else { "http" };
        format!(
            "A Gateway speaks {} to Service {namespace}/{name} by the appProtocol of its port, which is {told:?}. The endpoint does not \
             change the Service: set appProtocol: {wished} at its port {}.",
            protocol.as_str(),
            backend.port,
        )
    }))
}

#[cfg(test)]
mod tests;
