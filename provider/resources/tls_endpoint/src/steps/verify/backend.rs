//! The service behind the route: where it is not there, no controller can do anything about the answer.

use ffe_cluster::Query;
use ffe_cluster::k8s_openapi::api::core::v1::Service;
use ffe_cluster::k8s_openapi::api::discovery::v1::EndpointSlice;
use ffe_routing::Port;

use crate::run::Run;

/// What is wrong with the backend, in a sentence; nothing where nothing is found, or it may not be looked at.
pub(crate) async fn trouble(run: &Run<'_>) -> Option<String> {
    let (namespace, backend) = (&run.spec.names.namespace, &run.spec.route.backend);
    let found: Option<Service> = run.cluster.find(Some(namespace), &backend.service).await.ok()?;
    let Some(service) = found else {
        return Some(format!(
            "There is no Service {namespace}/{}: correct backend.service, or make it first.",
            backend.service
        ));
    };
    let ports = service.spec.and_then(|spec| spec.ports).unwrap_or_default();
    let has = ports.iter().any(|port| match &backend.port {
        Port::Number(number) => port.port == i32::from(*number),
        Port::Name(name) => port.name.as_ref() == Some(name),
    });
    if !has {
        let there: Vec<String> = ports.iter().map(|port| port.port.to_string()).collect();
        return Some(format!(
            "Service {namespace}/{} has no port {}; it has {}.",
            backend.service,
            backend.port,
            there.join(", ")
        ));
    }
    let query = Query::labels(format!("kubernetes.io/service-name={}", backend.service));
    let slices: Vec<EndpointSlice> = run.cluster.list(Some(namespace), &query).await.ok()?;
    let mut all = slices.iter().flat_map(|slice| &slice.endpoints).flatten();
    let is_ready = all.any(|one| one.conditions.as_ref().is_none_or(|conditions| conditions.ready != Some(false)));
    (!is_ready).then(|| {
        format!(
            "No pod behind Service {namespace}/{} is ready. See: kubectl get pods,endpointslices --namespace {namespace}",
            backend.service
        )
    })
}
