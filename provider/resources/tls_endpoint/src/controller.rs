//! The Service of the controller that serves an endpoint.

use ffe_cluster::k8s_openapi::api::core::v1::Service;
use ffe_cluster::{Cluster, Query, Result};

use crate::spec::Spec;
use crate::steps::route::gateway;

/// Labels that the charts of the controllers put on their services.
const WELL_KNOWN: &str = "app.kubernetes.io/name in (traefik,ingress-nginx,rke2-ingress-nginx)";
/// Label that controllers put on what they make for a Gateway.
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// The Service that the controller made for the endpoint's Gateway, or the one that has the route's address, or the only one
/// that looks like a controller's.
///
/// # Errors
/// When the Services of the cluster cannot be listed.
pub(crate) async fn service(cluster: &Cluster, spec: &Spec, own: &[String]) -> Result<Option<Service>> {
    let services: Vec<Service> = cluster.list(None, &Query::default()).await?;
    let by_gateway = gateway(spec).and_then(|gateway| {
        let of_it = |service: &&Service| {
            service.metadata.namespace.as_ref() == Some(&gateway.namespace)
                && label(service, GATEWAY_NAME) == Some(&gateway.name)
        };
        services.iter().find(of_it).filter(|service| https(service).is_some())
    });
    let by_address = || {
        let has = |service: &&Service| addresses(service).any(|address| own.iter().any(|own| own == address));
        services.iter().filter(has).find(|service| https(service).is_some())
    };
    if let Some(found) = by_gateway.or_else(by_address) {
        return Ok(Some(found.clone()));
    }
    let known = cluster.list::<Service>(None, &Query::labels(WELL_KNOWN)).await.unwrap_or_default();
    let mut candidates = known.into_iter().filter(|service| https(service).is_some());
    Ok(candidates.next().filter(|_| candidates.next().is_none()))
}

/// As kubectl names it.
pub(crate) fn title(service: &Service) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("Service {}/{}", text(&service.metadata.namespace), text(&service.metadata.name))
}

/// Whether connections reach the controller's pods with a node's address in place of the client's: what comes in at a node goes
/// on to any other, and nobody says whose it was.
pub(crate) fn hides_clients(service: &Service) -> bool {
    let Some(spec) = &service.spec else { return false };
    let from_outside = matches!(spec.type_.as_deref(), Some("LoadBalancer" | "NodePort"));
    let annotations = service.metadata.annotations.iter().flatten();
    let told = annotations.into_iter().any(|(key, _)| key.replace('-', "").contains("proxyprotocol"));
    from_outside && spec.external_traffic_policy.as_deref() != Some("Local") && !told
}

/// The port for HTTPS of a Service that leads to pods; none where it is no controller's.
pub(crate) fn https(service: &Service) -> Option<String> {
    let selector = service.spec.as_ref()?.selector.as_ref()?;
    if selector.is_empty() {
        return None;
    }
    port(service, 443, "https").or_else(|| port(service, 443, "websecure"))
}

/// The port for plain HTTP.
pub(crate) fn http(service: &Service) -> Option<String> {
    port(service, 80, "http").or_else(|| port(service, 80, "web"))
}

fn port(service: &Service, number: i32, name: &str) -> Option<String> {
    let ports = service.spec.as_ref()?.ports.as_ref()?;
    let by_number = ports.iter().find(|port| port.port == number);
    let found = by_number.or_else(|| ports.iter().find(|port| port.name.as_deref() == Some(name)));
    found.map(|port| port.port.to_string())
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
        let found = service(json!({ "selector": { "app": "traefik" }, "ports": ports }), json!({}));
        assert_eq!((https(&found).as_deref(), http(&found).as_deref()), (Some("8443"), Some("80")));
        assert_eq!(title(&found), "Service kube-system/traefik");
        assert_eq!(https(&service(json!({ "ports": [{ "port": 443 }] }), json!({}))), None, "no pods");
        assert_eq!(https(&service(json!({ "selector": { "a": "b" }, "ports": [{ "port": 80 }] }), json!({}))), None);
    }

    #[test]
    fn all_addresses_of_a_service_count() {
        let spec = json!({ "clusterIP": "10.96.0.9", "externalIPs": ["192.0.2.9"] });
        let status =
            json!({ "loadBalancer": { "ingress": [{ "ip": "203.0.113.9" }, { "hostname": "lb.example.com" }] } });
        let all: Vec<String> = addresses(&service(spec, status)).map(str::to_owned).collect();
        assert_eq!(all, ["203.0.113.9", "lb.example.com", "192.0.2.9", "10.96.0.9"]);
    }

    #[test]
    fn clients_are_hidden_by_a_service_that_hands_on_from_node_to_node() {
        for (spec, annotations, hidden) in [
            (json!({ "type": "LoadBalancer", "externalTrafficPolicy": "Cluster" }), json!({}), true),
            (json!({ "type": "LoadBalancer" }), json!({}), true),
            (json!({ "type": "NodePort", "externalTrafficPolicy": "Cluster" }), json!({}), true),
            (json!({ "type": "LoadBalancer", "externalTrafficPolicy": "Local" }), json!({}), false),
            (json!({ "type": "ClusterIP" }), json!({}), false),
            (
                json!({ "type": "LoadBalancer", "externalTrafficPolicy": "Cluster" }),
                json!({ "load-balancer.hetzner.cloud/uses-proxyprotocol": "true" }),
                false,
            ),
            (
                json!({ "type": "LoadBalancer" }),
                json!({ "service.beta.kubernetes.io/aws-load-balancer-proxy-protocol": "*" }),
                false,
            ),
        ] {
            let mut found = service(spec.clone(), json!({}));
            found.metadata.annotations = serde_json::from_value(annotations).unwrap();
            assert_eq!(hides_clients(&found), hidden, "{spec}");
        }
    }
}
