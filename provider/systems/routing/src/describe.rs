//! An Ingress that somebody else made, as a description of ours: for import and adoption.

mod security;

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::networking::v1::{HTTPIngressPath, Ingress, IngressSpec};
use ffe_cluster::{Cluster, Kind, ObjectRef};

use crate::error::{Error, Result};
use crate::ingress::{NGINX_PROTOCOL, TRAEFIK_MIDDLEWARES, TRAEFIK_TLS};
use crate::names::{NETWORKING, Role, TRAEFIK, object_name};
use crate::resolve::served;
use crate::route::{Backend, Class, Middleware, PathType, Port, Protocol, Route, Rule, Security};
use crate::support::Dialect;

const LEGACY_CLASS: &str = "kubernetes.io/ingress.class";

/// What an Ingress comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// As far as it can be said in our terms. Without a certificate, `secret_name` is what we would call it.
    pub route: Route,
    /// What it does and a route of ours cannot say, in words
    pub untold: Vec<String>,
    /// Those of [`Described::untold`] that an apply of the route takes away: rules and certificates are wholes. Everything else stays as it is.
    pub lost: Vec<String>,
    /// Its annotations, all of them
    pub annotations: BTreeMap<String, String>,
}

/// Reads an Ingress, and the Middlewares of Traefik that it names.
///
/// # Errors
/// [`Error::NotThere`], and those of requests and of finding its class.
pub async fn describe(cluster: &Cluster, namespace: &str, name: &str) -> Result<Described> {
    let found: Option<Ingress> = cluster.find(Some(namespace), name).await?;
    let ingress = found.ok_or_else(|| Error::NotThere {
        object: Box::new(ObjectRef::new(NETWORKING, "Ingress", Some(namespace), name)),
    })?;
    let annotations = ingress.metadata.annotations.clone().unwrap_or_default();
    let spec = ingress.spec.unwrap_or_default();
    let class = spec.ingress_class_name.clone().or_else(|| annotations.get(LEGACY_CLASS).cloned());
    let dialect = match served(cluster, class.as_deref()).await {
        Ok(served) => served.dialect,
        Err(Error::NoSuchClass { .. } | Error::NoDefaultClass { .. }) => Dialect::Other,
        Err(error) => return Err(error),
    };

    let mut lost = Vec::new();
    let mut route = skeleton(namespace, name, &spec, class, &mut lost);
    let mut kept = annotations.clone();
    kept.retain(|key, _| key != LEGACY_CLASS && !is_bookkeeping(key));
    kept.retain(|key, _| !key.starts_with("cert-manager.io/") && !key.starts_with("acme.cert-manager.io/"));
    match dialect {
        Dialect::Traefik => {
            kept.remove(TRAEFIK_TLS);
            let names = kept.remove(TRAEFIK_MIDDLEWARES).unwrap_or_default();
            let specs = middlewares(cluster, namespace, &names, &mut route.middlewares).await?;
            let mut beyond = Vec::new();
            route.security = security::of_middlewares(&specs, &mut beyond);
            // One of which a setting tells only a part goes on as it is.
            let told = |one: &Middleware| specs.contains_key(&one.name) && !beyond.contains(&one.name);
            route.middlewares.retain(|one| one.namespace != namespace || one.is_elsewhere() || !told(one));
            route.security.ssl_redirect |= is_redirected(cluster, namespace, name).await?;
        }
        Dialect::IngressNginx | Dialect::TraefikNginx => {
            route.security =
                security::of_annotations(&mut kept, spec.tls.is_some_and(|tls| !tls.is_empty()), &mut lost);
            let protocol = kept.get(NGINX_PROTOCOL).and_then(|text| Protocol::parse(&text.to_ascii_uppercase()));
            if protocol.is_some() {
                kept.remove(NGINX_PROTOCOL);
                route.rules.iter_mut().for_each(|rule| rule.backend.protocol = protocol);
            }
        }
        Dialect::Gateway | Dialect::Other => route.security = Security::default(),
    }
    let mut untold = lost.clone();
    if spec.default_backend.is_some() {
        untold.push("a default backend".to_owned());
    }
    // by their keys alone: values may be secrets of somebody else's
    untold.extend(kept.keys().map(|key| format!("annotation {key}")));
    Ok(Described { route, untold, lost, annotations })
}

/// What kubectl, Helm and we note for ourselves says nothing of what an Ingress does.
fn is_bookkeeping(key: &str) -> bool {
    key.starts_with("kubectl.kubernetes.io/")
        || key.starts_with("meta.helm.sh/")
        || key.starts_with("field.cattle.io/")
        || key.starts_with(ffe_cluster::mark::PREFIX)
}

fn skeleton(namespace: &str, name: &str, spec: &IngressSpec, class: Option<String>, lost: &mut Vec<String>) -> Route {
    let mut hosts: Vec<String> = Vec::new();
    for rule in spec.rules.as_deref().unwrap_or_default() {
        match rule.host.as_deref() {
            Some(host) if !hosts.iter().any(|known| known == host) => hosts.push(host.to_owned()),
            Some(_) => {}
            None => lost.push("a rule for every host".to_owned()),
        }
    }
    let rules = rules(spec, lost);

    let tls = spec.tls.as_deref().unwrap_or_default();
    let secrets: Vec<&str> = tls.iter().filter_map(|tls| tls.secret_name.as_deref()).collect();
    lost.extend(secrets.iter().skip(1).map(|secret| format!("a second certificate, of Secret {secret}")));
    let covered: Vec<&String> = tls.iter().filter_map(|tls| tls.hosts.as_ref()).flatten().collect();
    if !tls.is_empty() && !covered.is_empty() {
        let bare = hosts.iter().filter(|host| !covered.contains(host));
        lost.extend(bare.map(|host| format!("host {host} without a certificate")));
    }
    let secret = secrets.first().map_or_else(|| format!("{name}-tls"), |secret| (*secret).to_owned());

    let route = Route::new(namespace, name, hosts, &secret, Backend::new("", 80), Class::Ingress(class));
    Route { rules, ..route }
}

/// The paths of all hosts, in their order. What is said of one host only, or otherwise of another one, is lost.
fn rules(spec: &IngressSpec, lost: &mut Vec<String>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut to_no_service = false;
    let of_hosts: Vec<(&str, Vec<Rule>)> = spec
        .rules
        .iter()
        .flatten()
        .map(|rule| {
            let paths = rule.http.as_ref().map(|http| http.paths.as_slice()).unwrap_or_default();
            to_no_service |= paths.iter().any(|path| backend(path).is_none());
            (rule.host.as_deref().unwrap_or_default(), paths.iter().filter_map(rule_of).collect())
        })
        .collect();
    for (host, of_host) in of_hosts.iter().filter(|(host, _)| !host.is_empty()) {
        for rule in of_host {
            match rules.iter().find(|known| known.is_at(&rule.path, Some(rule.path_type))) {
                Some(known) if known.backend == rule.backend => {}
                Some(_) => lost.push(format!("path {rule} of host {host}, which leads elsewhere for other hosts")),
                None => rules.push(rule.clone()),
            }
        }
    }
    for rule in &rules {
        let has_it = |of_host: &[Rule]| of_host.iter().any(|one| one.is_at(&rule.path, Some(rule.path_type)));
        let without = of_hosts.iter().filter(|(host, of_host)| !host.is_empty() && !has_it(of_host));
        lost.extend(without.map(|(host, _)| format!("host {host} without path {}", rule.path)));
    }
    if to_no_service {
        lost.push("a path that leads to no Service".to_owned());
    }
    rules
}

fn rule_of(path: &HTTPIngressPath) -> Option<Rule> {
    let at = path.path.as_deref().filter(|path| !path.is_empty()).unwrap_or("/");
    let path_type = PathType::parse(&path.path_type).unwrap_or_default();
    Some(Rule { path_type, ..Rule::new(at, backend(path)?) })
}

fn backend(path: &HTTPIngressPath) -> Option<Backend> {
    let service = path.backend.service.as_ref()?;
    let port = service.port.as_ref();
    let number = port.and_then(|port| port.number).and_then(|number| u16::try_from(number).ok());
    let name = port.and_then(|port| port.name.clone());
    let port = number.map(Port::Number).or_else(|| name.map(Port::Name))?;
    Some(Backend::new(&service.name, port))
}

/// Whether the Ingress for plain HTTP that belongs to one of ours redirects.
async fn is_redirected(cluster: &Cluster, namespace: &str, name: &str) -> Result<bool> {
    let http: Option<Ingress> = cluster.find(Some(namespace), &object_name(name, Role::Http)).await?;
    let names = http.and_then(|http| http.metadata.annotations).and_then(|mut all| all.remove(TRAEFIK_MIDDLEWARES));
    let specs = middlewares(cluster, namespace, &names.unwrap_or_default(), &mut Vec::new()).await?;
    Ok(security::of_middlewares(&specs, &mut Vec::new()).ssl_redirect)
}

/// The specs of the Middlewares of this namespace that an annotation names; all that it names go into the list.
async fn middlewares(
    cluster: &Cluster,
    namespace: &str,
    names: &str,
    all: &mut Vec<Middleware>,
) -> Result<BTreeMap<String, serde_json::Value>> {
    let mut specs = BTreeMap::new();
    for reference in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let name =
            reference.strip_suffix("@kubernetescrd").and_then(|name| name.strip_prefix(&format!("{namespace}-")));
        let Some(name) = name else {
            all.push(named_elsewhere(namespace, reference));
            continue;
        };
        all.push(Middleware::new(namespace, name));
        let object = ObjectRef::new(TRAEFIK, "Middleware", Some(namespace), name);
        let found = match cluster.find_ref(&object).await {
            Err(error) if error.kind() == Kind::NotServed => None,
            other => other?,
        };
        // One that is not there is none of ours to take away.
        if let Some(found) = found {
            specs.insert(name.to_owned(), found.data.get("spec").cloned().unwrap_or_default());
        }
    }
    Ok(specs)
}

/// One that is not in the Ingress's namespace. Where that ends and the name begins cannot be told from the reference: it goes on
/// as it is written.
fn named_elsewhere(namespace: &str, reference: &str) -> Middleware {
    let name = if reference.contains('@') { reference.to_owned() } else { format!("{reference}@kubernetescrd") };
    Middleware::new(namespace, &name)
}

#[cfg(test)]
mod tests;
