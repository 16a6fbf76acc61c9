//! What will run, and how it will be reached.

use serde_json::Value;

use super::{Manifest, Object, ObjectId};

/// Something that makes pods.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Its name; the namespace is filled in.
    pub id: ObjectId,
    /// Wanted pods, where the manifest says so.
    pub replicas: Option<i64>,
    /// Its containers, init containers first.
    pub containers: Vec<Container>,
    /// Labels by which it finds its pods.
    pub selector: Vec<(String, String)>,
    /// The specification of its pods, as rendered.
    pub pod_spec: Value,
}

/// A container of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image, as rendered.
    pub image: String,
    /// Whether it runs before the others.
    pub init: bool,
}

/// A Service of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    pub kind: String,
    /// Whether it has no address of its own (`clusterIP: None`).
    pub headless: bool,
    /// Its ports.
    pub ports: Vec<ServicePort>,
    /// Labels of the pods behind it.
    pub selector: Vec<(String, String)>,
}

/// A port of a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name, where it has one.
    pub name: Option<String>,
    /// Its number.
    pub port: u16,
    /// The port of the pod.
    pub target: PortTarget,
    /// The node's port, where the manifest fixes it.
    pub node_port: Option<u16>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

/// A port of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortTarget {
    /// By number.
    Number(u16),
    /// By the container's name for it.
    Name(String),
}

impl Manifest {
    /// Everything that makes pods, hooks not among them.
    #[must_use]
    pub fn workloads(&self, default_namespace: &str) -> Vec<Workload> {
        self.objects.iter().filter_map(|object| workload(object, default_namespace)).collect()
    }

    /// The Services.
    #[must_use]
    pub fn services(&self, default_namespace: &str) -> Vec<Service> {
        let services = self.objects.iter().filter(|o| o.id.kind == "Service" && o.id.api_version == "v1");
        services.map(|object| service(object, default_namespace)).collect()
    }
}

/// The pod specification inside a workload; `None` for what makes no pods.
pub(super) fn pod_spec(object: &Object) -> Option<&Value> {
    let group = object.id.api_version.split_once('/').map_or("", |(group, _)| group);
    let path = match (group, object.id.kind.as_str()) {
        ("", "Pod") => "/spec",
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => "/spec/template/spec",
        ("", "ReplicationController") => "/spec/template/spec",
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    };
    object.body.pointer(path)
}

fn workload(object: &Object, default_namespace: &str) -> Option<Workload> {
    let spec = pod_spec(object)?;
    let containers = |field: &str, init: bool| {
        let list = spec.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        list.into_iter()
            .map(|c| Container { name: text(&c, "name"), image: text(&c, "image"), init })
            .collect::<Vec<_>>()
    };
    let namespace = object.id.namespace.clone().unwrap_or_else(|| default_namespace.to_owned());
    Some(Workload {
        id: ObjectId { namespace: Some(namespace), ..object.id.clone() },
        replicas: object.body.pointer("/spec/replicas").and_then(Value::as_i64),
        containers: [containers("initContainers", true), containers("containers", false)].concat(),
        selector: labels(object.body.pointer("/spec/selector/matchLabels")),
        pod_spec: spec.clone(),
    })
}

fn service(object: &Object, default_namespace: &str) -> Service {
    let spec = object.body.get("spec").unwrap_or(&Value::Null);
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
    let ports = spec.get("ports").and_then(Value::as_array).cloned().unwrap_or_default();
    let ports = ports.iter().filter_map(|port| {
        let own = number(port.get("port"))?;
        let target = match port.get("targetPort") {
            Some(Value::String(name)) => PortTarget::Name(name.clone()),
            other => PortTarget::Number(number(other).unwrap_or(own)),
        };
        Some(ServicePort {
            name: Some(text(port, "name")).filter(|name| !name.is_empty()),
            port: own,
            target,
            node_port: number(port.get("nodePort")),
            protocol: Some(text(port, "protocol")).filter(|p| !p.is_empty()).unwrap_or_else(|| "TCP".into()),
        })
    });
    Service {
        name: object.id.name.clone(),
        namespace: object.id.namespace.clone().unwrap_or_else(|| default_namespace.to_owned()),
        kind: Some(text(spec, "type")).filter(|kind| !kind.is_empty()).unwrap_or_else(|| "ClusterIP".into()),
        headless: text(spec, "clusterIP") == "None",
        ports: ports.collect(),
        selector: labels(spec.get("selector")),
    }
}

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn labels(value: Option<&Value>) -> Vec<(String, String)> {
    let map = value.and_then(Value::as_object).cloned().unwrap_or_default();
    map.into_iter().filter_map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect()
}
