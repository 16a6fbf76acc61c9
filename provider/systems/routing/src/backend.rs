//! The Services behind a route: their ports' numbers, and whether anybody answers there.

use ffe_cluster::k8s_openapi::api::core::v1::{Service, ServicePort};
use ffe_cluster::k8s_openapi::api::discovery::v1::EndpointSlice;
use ffe_cluster::{Cluster, Kind, Query};

use crate::error::{Error, Result};
use crate::route::{Backend, Port, Route};

/// The numbers of the backends' ports, in the order of the rules.
pub(crate) async fn port_numbers(cluster: &Cluster, route: &Route) -> Result<Vec<u16>> {
    let mut numbers = Vec::new();
    for (index, rule) in route.rules.iter().enumerate() {
        let backend = &rule.backend;
        let number = match backend.port {
            Port::Number(number) => number,
            Port::Name(_) => number_of(cluster, &route.namespace, backend).await?.map_err(|message| Error::NoPort {
                service: service_name(&route.namespace, backend),
                message,
                index: (route.rules.len() > 1).then_some(index),
            })?,
        };
        numbers.push(number);
    }
    Ok(numbers)
}

/// The number of a port that is given by its name, or why there is none.
async fn number_of(cluster: &Cluster, namespace: &str, backend: &Backend) -> Result<Result<u16, String>> {
    let Some(ports) = ports(cluster, namespace, backend).await? else {
        return Ok(Err("does not exist yet".to_owned()));
    };
    let found = ports.iter().find(|port| is_meant(port, &backend.port));
    Ok(found.and_then(|port| u16::try_from(port.port).ok()).ok_or_else(|| no_such_port(backend, &ports)))
}

/// Why a backend cannot answer, in a sentence; None when all of them can. Ingress controllers answer for such a route in
/// ways that do not name the cause: ingress-nginx with 503, Traefik with 404, because it leaves the route out.
///
/// # Errors
/// Those of reads; whoever may not read EndpointSlices gets no answer about them.
pub async fn backend_problem(cluster: &Cluster, route: &Route) -> Result<Option<String>> {
    let mut asked: Vec<&Backend> = Vec::new();
    for backend in route.rules.iter().map(|rule| &rule.backend) {
        if asked.contains(&backend) {
            continue;
        }
        asked.push(backend);
        if let Some(problem) = problem_of(cluster, &route.namespace, backend).await? {
            return Ok(Some(problem));
        }
    }
    Ok(None)
}

async fn problem_of(cluster: &Cluster, namespace: &str, backend: &Backend) -> Result<Option<String>> {
    let name = service_name(namespace, backend);
    let Some(ports) = ports(cluster, namespace, backend).await? else {
        return Ok(Some(format!("Service {name} does not exist")));
    };
    if !ports.iter().any(|port| is_meant(port, &backend.port)) {
        return Ok(Some(format!("Service {name} {}", no_such_port(backend, &ports))));
    }
    let query = Query::labels(format!("kubernetes.io/service-name={}", backend.service));
    let slices: Vec<EndpointSlice> = match cluster.list(Some(namespace), &query).await {
        Err(error) if error.kind() == Kind::Forbidden => return Ok(None),
        other => other?,
    };
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter().flatten());
    // an unknown condition counts as true, as the API says
    let ready = endpoints
        .filter(|endpoint| endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready.unwrap_or(true)));
    Ok((ready.count() == 0).then(|| format!("Service {name} has no pod that is ready")))
}

fn service_name(namespace: &str, backend: &Backend) -> String {
    format!("{namespace}/{}", backend.service)
}

/// The ports of the Service; None when it does not exist.
async fn ports(cluster: &Cluster, namespace: &str, backend: &Backend) -> Result<Option<Vec<ServicePort>>> {
    let found: Option<Service> = cluster.find(Some(namespace), &backend.service).await?;
    Ok(found.map(|found| found.spec.and_then(|spec| spec.ports).unwrap_or_default()))
}

pub(crate) fn is_meant(port: &ServicePort, wanted: &Port) -> bool {
    match wanted {
        Port::Number(number) => port.port == i32::from(*number),
        Port::Name(name) => port.name.as_ref() == Some(name),
    }
}

fn no_such_port(backend: &Backend, ports: &[ServicePort]) -> String {
    let known: Vec<String> = ports
        .iter()
        .map(|port| port.name.as_ref().map_or(port.port.to_string(), |name| format!("{} ({name})", port.port)))
        .collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("has no port {}; it has {known}", backend.port)
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
        route.rules[0].backend.port = Port::Name("http".to_owned());
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
