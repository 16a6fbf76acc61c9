//! Others who serve the same: two routes for one host and path, and it is chance which one answers; or two endpoints for one
//! host, and it is chance whose certificate is shown.

use std::fmt;

use ffe_cluster::k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress};
use ffe_cluster::kube::api::ObjectMeta;
use ffe_cluster::{Cluster, Kind, Mark, ObjectRef, Query};
use serde_json::Value;

use crate::Resolved;
use crate::error::Result;
use crate::names::{GATEWAY, interim_names, names};
use crate::route::{PathType, Route};

/// What cert-manager puts on the routes of its solvers, which come and go.
const SOLVER: &str = "acme.cert-manager.io/http01-solver";
const LEGACY_CLASS: &str = "kubernetes.io/ingress.class";

/// An object of somebody else that serves one of our hosts, and one of our paths unless it is another endpoint's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The Ingress or HTTPRoute
    pub object: ObjectRef,
    /// The host that both serve
    pub host: String,
    /// The path that it serves
    pub path: String,
    /// The endpoint that it belongs to, `namespace/name`
    pub endpoint: Option<String>,
    /// Whether it is our path too. Paths apart from each other are a conflict only between endpoints: each has a certificate for
    /// the host, and a controller shows one of them.
    pub same_path: bool,
    /// Who manages it, by its label `app.kubernetes.io/managed-by`
    pub manager: Option<String>,
    /// Whether it hangs on the same class or Gateway, so that both would answer. Otherwise it depends on DNS who does.
    pub fatal: bool,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} already serves {}{}", self.object, self.host, self.path)?;
        if let (Some(endpoint), false) = (&self.endpoint, self.same_path) {
            write!(f, ", for endpoint {endpoint}")?;
            return f.write_str(if self.fatal {
                ": a host has one certificate, and each of the two endpoints would have its own"
            } else {
                ", by another class: which of the two answers depends on where DNS leads"
            });
        }
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
        if let (Some(endpoint), false) = (&self.endpoint, self.same_path) {
            return format!(
                "One endpoint leads to several services: give this one `backends` with an element for each path, such as \
                    backends = [{{ path = \"/\", service = \"web\", port = 80 }}, {{ path = \"{}\", service = \"api\", port = \
                    80 }}], and remove endpoint {endpoint}, or take the host out of it.",
                if self.path == "/" { "/api" } else { &self.path }
            );
        }
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
        let other = Other { object, meta: &ingress.metadata, fatal, fatal_for_endpoints: fatal };
        for (host, path) in served_by(&ingress) {
            let kind = PathType::parse(&path.path_type).unwrap_or_default();
            found.extend(other.conflict(route, host, path.path.as_deref().unwrap_or("/"), kind));
        }
    }
    for http_route in routes(cluster, route).await? {
        let meta = &http_route.metadata;
        let name = meta.name.as_deref().unwrap_or_default();
        let object = ObjectRef::new(GATEWAY, "HTTPRoute", meta.namespace.as_deref(), name);
        if own.contains(&object) || is_solver(meta.labels.as_ref()) {
            continue;
        }
        let namespace = meta.namespace.as_deref().unwrap_or_default();
        let other = Other {
            object,
            meta,
            fatal: shares_gateway(&http_route.data, namespace, resolved, false),
            fatal_for_endpoints: shares_gateway(&http_route.data, namespace, resolved, true),
        };
        for host in texts(&http_route.data, "/spec/hostnames") {
            for (path, kind) in matched_paths(&http_route.data) {
                found.extend(other.conflict(route, host, path, kind));
            }
        }
    }
    let mut told: Vec<Conflict> = Vec::new();
    for conflict in found {
        // the Ingress or route for plain HTTP says nothing more
        let known = |told: &Conflict| {
            told == &conflict
                || (told.endpoint.is_some()
                    && (&told.endpoint, &told.host, &told.path) == (&conflict.endpoint, &conflict.host, &conflict.path))
        };
        if !told.iter().any(known) {
            told.push(conflict);
        }
    }
    Ok(told)
}

/// A route of somebody else.
struct Other<'a> {
    object: ObjectRef,
    meta: &'a ObjectMeta,
    /// It answers at the same place.
    fatal: bool,
    /// The same where it is an endpoint's, which has a listener of its own, or another one's, at the same Gateway.
    fatal_for_endpoints: bool,
}

impl Other<'_> {
    fn conflict(&self, route: &Route, host: &str, path: &str, kind: PathType) -> Option<Conflict> {
        let host = ours(route, host)?;
        let same_path = route.rules.iter().any(|rule| rule.is_at(path, Some(kind)));
        let endpoint = Mark::read(self.meta).map(|mark| mark.owner.id);
        (same_path || endpoint.is_some()).then(|| Conflict {
            object: self.object.clone(),
            host,
            path: if path.is_empty() { "/" } else { path }.to_owned(),
            manager: manager(self.meta.labels.as_ref()),
            fatal: if endpoint.is_some() && !same_path { self.fatal_for_endpoints } else { self.fatal },
            endpoint,
            same_path,
        })
    }
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

fn shares_gateway(http_route: &Value, namespace: &str, resolved: &Resolved, at_any_listener: bool) -> bool {
    let Resolved::Gateway(attachment) = resolved else { return false };
    let gateway = &attachment.gateway;
    let parents =
        http_route.pointer("/spec/parentRefs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    parents.iter().any(|parent| {
        let section = parent["sectionName"].as_str();
        let own = |name: &str| attachment.http.iter().chain(&attachment.https).any(|own| own == name);
        parent["name"] == gateway.name.as_str()
            && parent["namespace"].as_str().unwrap_or(namespace) == gateway.namespace
            && (at_any_listener || section.is_none_or(own))
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
