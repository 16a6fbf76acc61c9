//! Others who serve the same: two routes for one host and path, and it is chance which one answers.

use std::fmt;

use ffe_cluster::k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress};
use ffe_cluster::{Cluster, Kind, ObjectRef, Query};
use serde_json::Value;

use crate::Resolved;
use crate::error::Result;
use crate::names::{GATEWAY, interim_names, names};
use crate::route::{PathType, Route};

/// What cert-manager puts on the routes of its solvers, which come and go.
const SOLVER: &str = "acme.cert-manager.io/http01-solver";
const LEGACY_CLASS: &str = "kubernetes.io/ingress.class";

/// An object of somebody else that serves one of our hosts and our path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The Ingress or HTTPRoute
    pub object: ObjectRef,
    /// The host that both serve
    pub host: String,
    /// The path that both serve
    pub path: String,
    /// Who manages it, by its label `app.kubernetes.io/managed-by`
    pub manager: Option<String>,
    /// Whether it hangs on the same class or Gateway, so that both would answer. Otherwise it depends on DNS who does.
    pub fatal: bool,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} already serves {}{}", self.object, self.host, self.path)?;
        if let Some(manager) = &self.manager {
            write!(f, " (managed by {manager})")?;
        }
        if !self.fatal {
            f.write_str(", by another class: which of the two answers depends on where DNS leads")?;
        }
        Ok(())
    }
}

impl Conflict {
    /// What to do about it.
    pub fn advice(&self) -> String {
        match self.manager.as_deref() {
            Some("Helm") => format!(
                "Switch it off in the values of its chart (`ingress.enabled = false`; the environment's `values` do), \
                    or delete {}.",
                self.object
            ),
            _ => format!(
                "Delete {}, take the host out of it, or take it over with adopt = true under its own name.",
                self.object
            ),
        }
    }
}

/// Looks for others who serve one of the route's hosts at the route's path, everywhere in the cluster; where only the
/// own namespace may be read, there.
///
/// # Errors
/// Those of lists.
pub async fn conflicts(cluster: &Cluster, route: &Route, resolved: &Resolved) -> Result<Vec<Conflict>> {
    let mut own = names(&route.namespace, &route.name);
    own.extend(interim_names(&route.namespace, &route.name));
    let mut found = Vec::new();
    for ingress in ingresses(cluster, route).await? {
        let object = ObjectRef::to(&ingress);
        if own.contains(&object) || is_solver(ingress.metadata.labels.as_ref()) {
            continue;
        }
        let fatal = matches!(resolved, Resolved::Ingress(served) if class_of(&ingress) == Some(served.class.as_str()));
        let manager = manager(ingress.metadata.labels.as_ref());
        for (host, path) in served_by(&ingress) {
            if let Some(host) = ours(route, host)
                && same_path(route, path.path.as_deref().unwrap_or("/"), PathType::parse(&path.path_type))
            {
                found.push(Conflict {
                    object: object.clone(),
                    host,
                    path: route.path.clone(),
                    manager: manager.clone(),
                    fatal,
                });
            }
        }
    }
    for http_route in routes(cluster, route).await? {
        let meta = &http_route.metadata;
        let name = meta.name.as_deref().unwrap_or_default();
        let object = ObjectRef::new(GATEWAY, "HTTPRoute", meta.namespace.as_deref(), name);
        if own.contains(&object) || is_solver(meta.labels.as_ref()) {
            continue;
        }
        let fatal = shares_gateway(&http_route.data, meta.namespace.as_deref().unwrap_or_default(), resolved);
        for host in texts(&http_route.data, "/spec/hostnames") {
            if let Some(host) = ours(route, host)
                && matched_paths(&http_route.data).any(|(path, kind)| same_path(route, path, Some(kind)))
            {
                let manager = manager(meta.labels.as_ref());
                found.push(Conflict { object: object.clone(), host, path: route.path.clone(), manager, fatal });
            }
        }
    }
    found.dedup();
    Ok(found)
}

async fn ingresses(cluster: &Cluster, route: &Route) -> Result<Vec<Ingress>> {
    match cluster.list(None, &Query::default()).await {
        Err(error) if error.kind() == Kind::Forbidden => {
            Ok(cluster.list(Some(&route.namespace), &Query::default()).await?)
        }
        other => Ok(other?),
    }
}

async fn routes(cluster: &Cluster, route: &Route) -> Result<Vec<ffe_cluster::kube::api::DynamicObject>> {
    let everywhere = cluster.list_ref(GATEWAY, "HTTPRoute", None, &Query::default()).await;
    let found = match everywhere {
        Err(error) if error.kind() == Kind::Forbidden => {
            cluster.list_ref(GATEWAY, "HTTPRoute", Some(&route.namespace), &Query::default()).await
        }
        other => other,
    };
    match found {
        Err(error) if error.kind() == Kind::NotServed => Ok(Vec::new()),
        // for a route by Ingress this is a courtesy: whoever may not read HTTPRoutes does not need to
        Err(error) if error.kind() == Kind::Forbidden => Ok(Vec::new()),
        other => Ok(other?),
    }
}

fn served_by(ingress: &Ingress) -> Vec<(&str, &HTTPIngressPath)> {
    let rules = ingress.spec.as_ref().and_then(|spec| spec.rules.as_deref()).unwrap_or_default();
    rules
        .iter()
        .filter_map(|rule| Some((rule.host.as_deref()?, rule.http.as_ref()?)))
        .flat_map(|(host, http)| http.paths.iter().map(move |path| (host, path)))
        .collect()
}

fn class_of(ingress: &Ingress) -> Option<&str> {
    let by_field = ingress.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
    let annotations = ingress.metadata.annotations.as_ref();
    by_field.or_else(|| annotations.and_then(|all| all.get(LEGACY_CLASS)).map(String::as_str))
}

/// The host of ours that another route means. Wildcards beside the name itself are no conflict: the narrower wins.
fn ours(route: &Route, host: &str) -> Option<String> {
    route.hosts.iter().find(|own| *own == host).cloned()
}

fn same_path(route: &Route, path: &str, kind: Option<PathType>) -> bool {
    let exact = |kind: PathType| kind == PathType::Exact;
    let path = if path.is_empty() { "/" } else { path };
    path.trim_end_matches('/') == route.path.trim_end_matches('/')
        && exact(kind.unwrap_or_default()) == exact(route.path_type)
}

fn matched_paths(route: &Value) -> impl Iterator<Item = (&str, PathType)> {
    let rules = route.pointer("/spec/rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    rules.iter().flat_map(|rule| {
        let matches = rule["matches"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |found: &Value| found.pointer("/path/type").and_then(Value::as_str) == Some("Exact");
        let kind = move |found| if of(found) { PathType::Exact } else { PathType::Prefix };
        let whole = matches.is_empty().then_some(("/", PathType::Prefix));
        matches
            .iter()
            .map(move |found| (found.pointer("/path/value").and_then(Value::as_str).unwrap_or("/"), kind(found)))
            .chain(whole)
    })
}

fn shares_gateway(http_route: &Value, namespace: &str, resolved: &Resolved) -> bool {
    let Resolved::Gateway(attachment) = resolved else { return false };
    let gateway = &attachment.gateway;
    let parents =
        http_route.pointer("/spec/parentRefs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    parents.iter().any(|parent| {
        let section = parent["sectionName"].as_str();
        let own = |name: &str| attachment.http.iter().chain(&attachment.https).any(|own| own == name);
        parent["name"] == gateway.name.as_str()
            && parent["namespace"].as_str().unwrap_or(namespace) == gateway.namespace
            && section.is_none_or(own)
    })
}

fn texts<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
}

type Labels = std::collections::BTreeMap<String, String>;

fn is_solver(labels: Option<&Labels>) -> bool {
    labels.is_some_and(|labels| labels.contains_key(SOLVER))
}

fn manager(labels: Option<&Labels>) -> Option<String> {
    labels.and_then(|labels| labels.get(ffe_cluster::mark::MANAGED_BY)).cloned()
}

#[cfg(test)]
mod tests;
