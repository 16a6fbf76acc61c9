//! Places in an object.

use serde_json::{Map, Value};

/// A step into an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// To a field.
    Field(String),
    /// To an element of a list that is told by its position.
    Position(usize),
    /// To an element of a list whose elements are told by some of their fields: the position in what was applied, and
    /// those fields.
    Element(usize, Map<String, Value>),
}

impl Step {
    /// The field's name, for a step to a field.
    pub fn field(&self) -> Option<&str> {
        match self {
            Step::Field(name) => Some(name),
            _ => None,
        }
    }
}

/// As a JSON pointer.
pub(super) fn pointer(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        text.push('/');
        match step {
            Step::Field(name) => text.push_str(&name.replace('~', "~0").replace('/', "~1")),
            Step::Position(index) | Step::Element(index, _) => text.push_str(&index.to_string()),
        }
    }
    text
}

/// The fields by which Kubernetes tells the elements of a list of its own kinds; none for lists told by position.
pub(super) fn element_fields(list: &str) -> &'static [&'static str] {
    match list {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets"
        | "secrets"
        | "webhooks"
        | "resourceClaims" => &["name"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        _ => &[],
    }
}

/// The same for the ports of containers and of services, which go by different fields.
pub(super) fn port_fields(element: &Value) -> &'static [&'static str] {
    if element.get("containerPort").is_some() { &["containerPort", "protocol"] } else { &["port", "protocol"] }
}
