//! The Service behind a route: its port's number, and whether anybody answers there.

use ffe_cluster::k8s_openapi::api::core::v1::{Service, ServicePort};
use ffe_cluster::k8s_openapi::api::discovery::v1::EndpointSlice;
use ffe_cluster::{Cluster, Kind, Query};

use crate::error::{Error, Result};
use crate::route::{Port, Route};

/// The number of the backend's port.
pub(crate) async fn port_number(cluster: &Cluster, route: &Route) -> Result<u16> {
    if let Port::Number(number) = route.backend.port {
        return Ok(number);
    }
    let refuse = |message: String| Error::NoPort { service: service_name(route), message };
    let ports = match ports(cluster, route).await? {
        Some(ports) => ports,
        None => return Err(refuse("does not exist yet".to_owned())),
    };
    let found = ports.iter().find(|port| is_meant(port, &route.backend.port));
    found.and_then(|port| u16::try_from(port.port).ok()).ok_or_else(|| refuse(no_such_port(route, &ports)))
}

/// Why the backend cannot answer, in a sentence; None when it can. Ingress controllers answer for such a route in
/// ways that do not name the cause: ingress-nginx with 503, Traefik with 404, because it leaves the route out.
///
/// # Errors
/// Those of reads; whoever may not read EndpointSlices gets no answer about them.
pub async fn backend_problem(cluster: &Cluster, route: &Route) -> Result<Option<String>> {
    let name = service_name(route);
    let Some(ports) = ports(cluster, route).await? else {
        return Ok(Some(format!("Service {name} does not exist")));
    };
    if !ports.iter().any(|port| is_meant(port, &route.backend.port)) {
        return Ok(Some(format!("Service {name} {}", no_such_port(route, &ports))));
    }
    let query = Query::labels(format!("kubernetes.io/service-name={}", route.backend.service));
    let slices: Vec<EndpointSlice> = match cluster.list(Some(&route.namespace), &query).await {
        Err(error) if error.kind() == Kind::Forbidden => return Ok(None),
        other => other?,
    };
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
    // an unknown condition counts as true, as the API says
    let ready = endpoints
        .filter(|endpoint| endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready.unwrap_or(true)));
    Ok((ready.count() == 0).then(|| format!("Service {name} has no pod that is ready")))
}

fn service_name(route: &Route) -> String {
    format!("{}/{}", route.namespace, route.backend.service)
}

async fn ports(cluster: &Cluster, route: &Route) -> Result<Option<Vec<ServicePort>>> {
    let found: Option<Service> = cluster.find(Some(&route.namespace), &route.backend.service).await?;
    Ok(found.map(|found| found.spec.and_then(|spec| spec.ports).unwrap_or_default()))
}

fn is_meant(port: &ServicePort, wanted: &Port) -> bool {
    match wanted {
        Port::Number(number) => port.port == i32::from(*number),
        Port::Name(name) => port.name.as_ref() == Some(name),
    }
}

fn no_such_port(route: &Route, ports: &[ServicePort]) -> String {
    let known: Vec<String> = ports
        .iter()
        .map(|port| port.name.as_ref().map_or(port.port.to_string(), |name| format!("{} ({name})", port.port)))
        .collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("has no port {}; it has {known}", route.backend.port)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::tests::{api, route};

    #[tokio::test]
    async fn a_backend_answers_or_it_is_said_why_not() {
        let (api, mut route) = (api(), route("traefik"));
        api.register("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", true);
        let cluster = api.cluster();
        let say = || async { backend_problem(&cluster, &route).await.unwrap().unwrap_or_default() };
        assert_eq!(say().await, "Service ffe/finance-feedback-engine does not exist");
        api.put(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "finance-feedback-engine", "namespace": "ffe"},
            "spec": {"ports": [{"name": "http", "port": 80}, {"port": 9100}]}}));
        assert_eq!(say().await, "Service ffe/finance-feedback-engine has no port 8000; it has 80 (http), 9100");
        route.backend.port = Port::Name("http".to_owned());
        let say = || async { backend_problem(&cluster, &route).await.unwrap().unwrap_or_default() };
        assert_eq!(say().await, "Service ffe/finance-feedback-engine has no pod that is ready");
        let slice = |conditions: Value| {
            api.put(json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                "metadata": {"name": "a", "namespace": "ffe", "labels": {"kubernetes.io/service-name": "finance-feedback-engine"}},
                "endpoints": [{"addresses": ["10.0.0.1"], "conditions": conditions}], "ports": []}));
        };
        slice(json!({"ready": false}));
        assert_eq!(say().await, "Service ffe/finance-feedback-engine has no pod that is ready");
        slice(json!({}));
        assert_eq!(say().await, "");
        api.fail("GET", "/endpointslices", None, 403, "Forbidden", "no");
        slice(json!({"ready": false}));
        assert_eq!(say().await, "");
    }
}
