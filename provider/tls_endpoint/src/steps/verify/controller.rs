//! The ingress controller's service, by which an endpoint is looked at from inside the cluster.

use std::fmt;

use ffe_cluster::k8s_openapi::api::core::v1::Service;
use ffe_cluster::{Cluster, Kind, Query, ServicePort};
use ffe_https::{Connect, Scheme};

use super::settings::{From, Settings};
use crate::run::{Run, Stop};
use crate::steps::route::gateway;

/// Labels that the charts of the controllers put on their services.
const WELL_KNOWN: &str = "app.kubernetes.io/name in (traefik,ingress-nginx,rke2-ingress-nginx)";
/// Label that controllers put on what they make for a Gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A service with its two ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Controller {
    namespace: String,
    service: String,
    https: String,
    http: String,
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}/{}", self.namespace, self.service)
    }
}

impl Controller {
    /// Connections to one of its pods.
    pub(crate) fn way(&self, cluster: &Cluster, scheme: Scheme) -> impl Connect + use<> {
        let port = if scheme == Scheme::Https { self.https.clone() } else { self.http.clone() };
        let (namespace, service, cluster) = (self.namespace.clone(), self.service.clone(), cluster.clone());
        ffe_https::through(format!("{self} port {port}"), move || {
            let (namespace, service, cluster) = (namespace.clone(), service.clone(), cluster.clone());
            let port = port.parse::<u16>().map_or_else(|_| ServicePort::Name(port.clone()), ServicePort::Number);
            async move { cluster.forward(&namespace, &service, port).await }
        })
    }
}

/// The service that is named, or the one that has the route's address, or the only one that looks like a controller's.
///
/// # Errors
/// When the services cannot be listed and no other way is left.
pub(crate) async fn find(run: &Run<'_>, settings: &Settings) -> Result<Option<Controller>, Stop> {
    if let Some(named) = &settings.controller {
        return Ok(Some(Controller {
            namespace: named.namespace.clone().unwrap_or_default(),
            service: named.service.clone().unwrap_or_default(),
            https: named.port.as_str().unwrap_or("443").to_owned(),
            http: named.http_port.as_str().unwrap_or("80").to_owned(),
        }));
    }
    let services: Vec<Service> = match run.cluster.list(None, &Query::default()).await {
        Ok(services) => services,
        Err(error) if settings.from == From::Auto || error.kind() == Kind::Forbidden => {
            tracing::info!(%error, "the ingress controller's service is not looked for");
            return Ok(None);
        }
        Err(error) => return Err(Stop::cluster(&error, "The ingress controller's service could not be looked for")),
    };
    let by_gateway = gateway(run.spec).and_then(|gateway| {
        let of_it = |service: &&Service| {
            service.metadata.namespace.as_ref() == Some(&gateway.namespace)
                && label(service, GATEWAY_NAME) == Some(&gateway.name)
        };
        services.iter().find(of_it).and_then(controller)
    });
    let by_address = || {
        let has =
            |service: &&Service| addresses(service).any(|address| run.done.addresses.iter().any(|own| own == address));
        services.iter().filter(has).find_map(controller)
    };
    if let Some(found) = by_gateway.or_else(by_address) {
        return Ok(Some(found));
    }
    let known = run.cluster.list::<Service>(None, &Query::labels(WELL_KNOWN)).await.unwrap_or_default();
    let candidates: Vec<Controller> = known.iter().filter_map(controller).collect();
    Ok(match candidates.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    })
}

fn label<'a>(service: &'a Service, key: &str) -> Option<&'a String> {
    service.metadata.labels.as_ref().and_then(|labels| labels.get(key))
}

/// Where the world reaches a service.
fn addresses(service: &Service) -> impl Iterator<Item = &str> {
    let spec = service.spec.as_ref();
    let given = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let given = given.and_then(|given| given.ingress.as_ref()).into_iter().flatten();
    let given = given.flat_map(|one| [one.ip.as_deref(), one.hostname.as_deref()]).flatten();
    let external = spec.and_then(|spec| spec.external_ips.as_ref()).into_iter().flatten().map(String::as_str);
    given.chain(external).chain(spec.and_then(|spec| spec.cluster_ip.as_deref()))
}

/// A service as a controller: with pods behind it, and a port for HTTPS.
fn controller(service: &Service) -> Option<Controller> {
    let spec = service.spec.as_ref()?;
    spec.selector.as_ref().filter(|selector| !selector.is_empty())?;
    let ports = spec.ports.as_ref()?;
    let port = |number: i32, name: &str| {
        let by_number = ports.iter().find(|port| port.port == number);
        let found = by_number.or_else(|| ports.iter().find(|port| port.name.as_deref() == Some(name)));
        found.map(|port| port.port.to_string())
    };
    let https = port(443, "https").or_else(|| port(443, "websecure"))?;
    Some(Controller {
        namespace: service.metadata.namespace.clone()?,
        service: service.metadata.name.clone()?,
        http: port(80, "http").or_else(|| port(80, "web")).unwrap_or_else(|| "80".to_owned()),
        https,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};

    use super::*;

    fn service(spec: Json, status: Json) -> Service {
        let meta = json!({ "name": "traefik", "namespace": "kube-system" });
        serde_json::from_value(json!({ "metadata": meta, "spec": spec, "status": status })).unwrap()
    }

    #[test]
    fn a_service_with_pods_and_a_port_for_https_is_a_controllers() {
        let ports = json!([{ "name": "web", "port": 80 }, { "name": "websecure", "port": 8443 }]);
        let found =
            controller(&service(json!({ "selector": { "app": "traefik" }, "ports": ports }), json!({}))).unwrap();
        assert_eq!((found.https.as_str(), found.http.as_str()), ("8443", "80"));
        assert_eq!(found.to_string(), "service kube-system/traefik");
        assert_eq!(controller(&service(json!({ "ports": [{ "port": 443 }] }), json!({}))), None, "no pods");
        assert_eq!(
            controller(&service(json!({ "selector": { "a": "b" }, "ports": [{ "port": 80 }] }), json!({}))),
            None
        );
    }

    #[test]
    fn all_addresses_of_a_service_count() {
        let spec = json!({ "clusterIP": "10.96.0.9", "externalIPs": ["192.0.2.9"] });
        let status =
            json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.9" }, { "hostname": "lb.example.com" }] } });
        let all: Vec<String> = addresses(&service(spec, status)).map(str::to_owned).collect();
        assert_eq!(all, ["203.0.113.9", "lb.example.com", "192.0.2.9", "10.96.0.9"]);
    }
}
