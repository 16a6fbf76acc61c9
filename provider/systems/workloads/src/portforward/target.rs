//! From a Service and a port to a pod and a port.

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServicePort {
    /// `spec.ports[].port`
    Number(u16),
    /// `spec.ports[].name`
    Name(String),
}

impl From<u16> for ServicePort {
    fn from(number: u16) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for ServicePort {
    fn from(name: &str) -> Self {
        name.parse().map_or_else(|_| Self::Name(name.to_owned()), Self::Number)
    }
}

/// The target port that the Service leads to.
pub(super) fn service_port(service: &Service, port: &ServicePort) -> Result<IntOrString, String> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let found = ports.iter().find(|candidate| match port {
        ServicePort::Number(number) => candidate.port == i32::from(*number),
        ServicePort::Name(name) => candidate.name.as_deref() == Some(name),
    });
    let Some(found) = found else {
        let known: Vec<String> = ports
            .iter()
            .map(|port| match &port.name {
                Some(name) => format!("{} ({name})", port.port),
                None => port.port.to_string(),
            })
            .collect();
        let wanted = match port {
            ServicePort::Number(number) => number.to_string(),
            ServicePort::Name(name) => format!("{name:?}"),
        };
        return Err(format!(
            "it has no port {wanted}; it has {}",
            if known.is_empty() { "none".into() } else { known.join(", ") }
        ));
    };
    Ok(found.target_port.clone().unwrap_or(IntOrString::Int(found.port)))
}

/// The Service's selector, as a label selector.
pub(super) fn selector(service: &Service) -> Result<String, String> {
    let selector =
        service.spec.as_ref().and_then(|spec| spec.selector.as_ref()).filter(|selector| !selector.is_empty());
    let Some(selector) = selector else {
        return Err("it has no selector, so that its pods are not known".to_owned());
    };
    Ok(selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","))
}

/// A ready pod, the newest first, and the number of its port.
pub(super) fn choose(pods: &[Pod], port: &IntOrString) -> Result<(String, u16), String> {
    let mut ready: Vec<&Pod> = pods.iter().filter(|pod| is_ready(pod)).collect();
    ready.sort_by_key(|pod| std::cmp::Reverse(pod.metadata.creation_timestamp.as_ref().map(|time| time.0)));
    let Some(pod) = ready.first() else {
        return Err(match pods.len() {
            0 => "no pod matches its selector".to_owned(),
            1 => "its one pod is not ready".to_owned(),
            n => format!("none of its {n} pods is ready"),
        });
    };
    let name = pod.metadata.name.clone().unwrap_or_default();
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(wanted) => pod
            .spec
            .iter()
            .flat_map(|spec| &spec.containers)
            .flat_map(|container| container.ports.iter().flatten())
            .find(|port| port.name.as_deref() == Some(wanted))
            .map(|port| port.container_port),
    };
    match number.and_then(|number| u16::try_from(number).ok()) {
        Some(number) => Ok((name, number)),
        None => Err(format!("its pod {name} has no port that is named {port:?}")),
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    pod.metadata.deletion_timestamp.is_none()
        && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn service() -> Service {
        serde_json::from_value(json!({"metadata": {"name": "api"}, "spec": {
            "selector": {"app": "api", "tier": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "web"}, {"port": 9000}]}}))
        .unwrap()
    }

    fn pod(name: &str, ready: &str, made: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": name, "creationTimestamp": made},
            "spec": {"containers": [{"name": "c", "ports": [{"name": "web", "containerPort": 8000}]}]},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}}))
        .unwrap()
    }

    #[test]
    fn ports_are_found_by_number_and_by_name() {
        let web = IntOrString::String("web".into());
        assert_eq!(service_port(&service(), &80.into()), Ok(web.clone()));
        assert_eq!(service_port(&service(), &"http".into()), Ok(web));
        assert_eq!(service_port(&service(), &"9000".into()), Ok(IntOrString::Int(9000)));
        let error = service_port(&service(), &"grpc".into()).unwrap_err();
        assert_eq!(error, "it has no port \"grpc\"; it has 80 (http), 9000");
    }

    #[test]
    fn the_newest_ready_pod_is_chosen() {
        let pods = [
            pod("old", "True", "2026-01-01T00:00:00Z"),
            pod("new", "True", "2026-01-02T00:00:00Z"),
            pod("newest", "False", "2026-01-03T00:00:00Z"),
        ];
        assert_eq!(choose(&pods, &IntOrString::String("web".into())), Ok(("new".to_owned(), 8000)));
        assert_eq!(choose(&pods[2..], &IntOrString::Int(1)), Err("its one pod is not ready".to_owned()));
        assert_eq!(choose(&[], &IntOrString::Int(1)), Err("no pod matches its selector".to_owned()));
        assert!(choose(&pods, &IntOrString::String("grpc".into())).is_err());
    }

    #[test]
    fn selectors_become_label_selectors() {
        assert_eq!(selector(&service()), Ok("app=api,tier=web".to_owned()));
        assert!(selector(&Service::default()).is_err());
    }
}
