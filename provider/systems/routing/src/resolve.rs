//! What the cluster has for a route: who serves the class and what it understands, or which listeners there are.

use std::collections::BTreeMap;

use ffe_cluster::k8s_openapi::api::core::v1::{Namespace, Pod};
use ffe_cluster::k8s_openapi::api::networking::v1::IngressClass;
use ffe_cluster::{Cluster, Kind, ObjectRef, Query};
use serde_json::Value;

use crate::backend::port_numbers;
use crate::error::{Error, Result};
use crate::gateway::{Attachment, Controller, survey};
use crate::names::{GATEWAY, TRAEFIK, gateway_object};
use crate::route::{Class, GatewayRef, Route};
use crate::support::Dialect;

/// `spec.controller` of Traefik's IngressClasses.
pub(crate) const TRAEFIK_CONTROLLER: &str = "traefik.io/ingress-controller";
/// `spec.controller` of ingress-nginx, and of what understands its annotations.
pub(crate) const NGINX_CONTROLLER: &str = "k8s.io/ingress-nginx";
/// Marks the class of Ingresses that name none.
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";
const APP: &str = "app.kubernetes.io/name";
/// Controllers of Gateways that serve with pods of the cluster, by the beginning of `spec.controllerName`.
const PROMPT: [&str; 7] = [
    "traefik.io/",
    "gateway.envoyproxy.io/",
    "gateway.nginx.org/",
    "istio.io/",
    "io.cilium/",
    "projectcontour.io/",
    "haproxy-ingress.github.io/",
];

/// What a route meets in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// An IngressClass
    Ingress(Served),
    /// A Gateway
    Gateway(Attachment),
}

impl Resolved {
    /// What is understood there.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Ingress(served) => served.dialect,
            Self::Gateway(_) => Dialect::Gateway,
        }
    }

    /// Whether the controller runs in the cluster and takes up what it is told within seconds. Those of clouds set up load
    /// balancers for many minutes, and of one that is not known nobody can tell.
    pub fn takes_up_at_once(&self) -> bool {
        match self {
            Self::Ingress(served) => served.dialect != Dialect::Other,
            Self::Gateway(attachment) => attachment
                .controller
                .as_ref()
                .is_some_and(|controller| PROMPT.iter().any(|name| controller.name.starts_with(name))),
        }
    }
}

/// An IngressClass and who serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Its name
    pub class: String,
    /// Its `spec.controller`; None when IngressClasses may not be read, and the name has to do
    pub controller: Option<String>,
    /// What is understood
    pub dialect: Dialect,
}

/// An IngressClass of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngressClassInfo {
    /// Its name
    pub name: String,
    /// Its `spec.controller`
    pub controller: String,
    /// Whether it is marked as the default
    pub default: bool,
    /// The program that its labels name
    app: Option<String>,
}

/// Finds out what the cluster has for a route. Only reads.
///
/// # Errors
/// [`Error::NoSuchClass`], [`Error::NoDefaultClass`], [`Error::NoSuchGateway`], [`Error::NotInstalled`],
/// [`Error::NoListener`], [`Error::NoPort`], and those of requests.
pub async fn resolve(cluster: &Cluster, route: &Route) -> Result<Resolved> {
    let resolved = inspect(cluster, route).await?;
    match &resolved {
        Resolved::Ingress(served) if served.dialect == Dialect::Traefik && needs_middlewares(route) => {
            match cluster.list_ref(TRAEFIK, "Middleware", Some(&route.namespace), &Query::default()).await {
                Err(error) if error.kind() == Kind::NotServed => {
                    return Err(Error::NotInstalled {
                        kind: "Middleware",
                        api_version: TRAEFIK,
                        what: "a redirect, headers or a limit by Traefik",
                    });
                }
                // whoever may not list them may still be allowed to make them
                _ => {}
            }
        }
        Resolved::Gateway(attachment) if !attachment.missing.is_empty() => {
            return Err(Error::NoListener {
                gateway: Box::new(gateway_object(&attachment.gateway)),
                secret: format!("{}/{}", route.namespace, route.secret_name),
                manage_listener: attachment.gateway.manage_listener,
                missing: attachment.missing.clone(),
            });
        }
        _ => {}
    }
    Ok(resolved)
}

/// The same for a refresh: what is missing on a Gateway, or of Traefik's kinds, is no error.
///
/// # Errors
/// As [`resolve`], without [`Error::NoListener`] and without [`Error::NotInstalled`] for Middlewares.
pub async fn inspect(cluster: &Cluster, route: &Route) -> Result<Resolved> {
    match &route.class {
        Class::Ingress(name) => Ok(Resolved::Ingress(served(cluster, name.as_deref()).await?)),
        Class::Gateway(wished) => Ok(Resolved::Gateway(gateway(cluster, route, wished).await?)),
    }
}

/// The IngressClasses of the cluster.
///
/// # Errors
/// Those of a list.
pub async fn classes(cluster: &Cluster) -> Result<Vec<IngressClassInfo>> {
    let found: Vec<IngressClass> = cluster.list(None, &Query::default()).await?;
    Ok(found.into_iter().map(info).collect())
}

/// An IngressClass and what it understands.
///
/// # Errors
/// [`Error::NoSuchClass`], [`Error::NoDefaultClass`], and those of requests.
pub async fn served(cluster: &Cluster, name: Option<&str>) -> Result<Served> {
    let all = match classes(cluster).await {
        Ok(all) => all,
        Err(Error::Cluster(error)) if error.kind() == Kind::Forbidden => match name {
            Some(name) => return Ok(by_name(name)),
            None => return Err(error.into()),
        },
        Err(error) => return Err(error),
    };
    let existing = || all.iter().map(|class| format!("{} ({})", class.name, class.controller)).collect();
    let class = match name {
        Some(name) => all
            .iter()
            .find(|class| class.name == name)
            .ok_or_else(|| Error::NoSuchClass { name: name.to_owned(), existing: existing() })?,
        None => {
            let mut defaults = all.iter().filter(|class| class.default);
            match (defaults.next(), defaults.next()) {
                (Some(one), None) => one,
                _ => {
                    let defaults = all.iter().filter(|class| class.default).map(|class| class.name.clone()).collect();
                    return Err(Error::NoDefaultClass { defaults, existing: existing() });
                }
            }
        }
    };
    let dialect = match class.controller.as_str() {
        TRAEFIK_CONTROLLER => Dialect::Traefik,
        NGINX_CONTROLLER if is_traefik(cluster, class, &all).await => Dialect::TraefikNginx,
        NGINX_CONTROLLER => Dialect::IngressNginx,
        _ => Dialect::Other,
    };
    Ok(Served { class: class.name.clone(), controller: Some(class.controller.clone()), dialect })
}

/// Traefik serves classes with the controller name of ingress-nginx, which nothing in the class says. What does, in
/// this order: the program in the class's labels; pods of the one or the other; and whether there is Traefik at all.
/// Reading pods everywhere may be forbidden: then it is taken for what it says it is.
async fn is_traefik(cluster: &Cluster, class: &IngressClassInfo, all: &[IngressClassInfo]) -> bool {
    match class.app.as_deref() {
        Some("traefik") => return true,
        Some(app) if app.contains("ingress-nginx") => return false,
        _ => {}
    }
    let nginx = format!("{APP} in (ingress-nginx,rke2-ingress-nginx)");
    match cluster.list_metadata::<Pod>(None, &Query::labels(nginx)).await {
        Ok(found) if found.is_empty() => {}
        _ => return false,
    }
    all.iter().any(|class| class.controller == TRAEFIK_CONTROLLER)
        || cluster
            .list_metadata::<Pod>(None, &Query::labels(format!("{APP}=traefik")))
            .await
            .is_ok_and(|found| !found.is_empty())
}

fn info(class: IngressClass) -> IngressClassInfo {
    let meta = class.metadata;
    let annotations = meta.annotations.unwrap_or_default();
    IngressClassInfo {
        name: meta.name.unwrap_or_default(),
        controller: class.spec.and_then(|spec| spec.controller).unwrap_or_default(),
        default: annotations.get(DEFAULT_CLASS).is_some_and(|value| value == "true"),
        app: meta.labels.unwrap_or_default().remove(APP),
    }
}

/// A class of which only its name is known.
pub(crate) fn by_name(name: &str) -> Served {
    let dialect = match name {
        "traefik" => Dialect::Traefik,
        "nginx" => Dialect::IngressNginx,
        _ => Dialect::Other,
    };
    Served { class: name.to_owned(), controller: None, dialect }
}

fn needs_middlewares(route: &Route) -> bool {
    let security = &route.security;
    security.ssl_redirect || security.limit().is_some() || !security.headers(true).is_empty()
}

async fn gateway(cluster: &Cluster, route: &Route, wished: &GatewayRef) -> Result<Attachment> {
    let object = gateway_object(wished);
    let found = match cluster.find_ref(&object).await {
        Err(error) if error.kind() == Kind::NotServed => {
            return Err(Error::NotInstalled { kind: "Gateway", api_version: GATEWAY, what: "a route on a Gateway" });
        }
        other => other?,
    };
    let Some(found) = found else {
        // nobody has to be allowed to list them
        let all = cluster.list_ref(GATEWAY, "Gateway", None, &Query::default()).await.unwrap_or_default();
        let name = |meta: &ffe_cluster::kube::api::ObjectMeta| {
            format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
        };
        let existing = all.iter().map(|gateway| name(&gateway.metadata)).collect();
        return Err(Error::NoSuchGateway { gateway: Box::new(object), existing });
    };
    let class = found.data.pointer("/spec/gatewayClassName").and_then(Value::as_str).unwrap_or_default();
    let controller = controller(cluster, class).await?;
    let labels = namespace_labels(cluster, &route.namespace).await?;
    let backend_ports = port_numbers(cluster, route).await?;
    Ok(survey(route, wished, &found.data, controller, &labels, backend_ports))
}

/// The controller of a GatewayClass; without a name when the class may not be read, None when there is no such class.
async fn controller(cluster: &Cluster, class: &str) -> Result<Option<Controller>> {
    match cluster.find_ref(&ObjectRef::new(GATEWAY, "GatewayClass", None, class)).await {
        Ok(found) => Ok(found.map(|found| Controller::of_class(&found.data))),
        Err(error) if error.kind() == Kind::Forbidden => Ok(Some(Controller::default())),
        Err(error) => Err(error.into()),
    }
}

/// Labels that listeners select namespaces by. The API server sets one of them itself, and does so for a namespace
/// that is yet to come too.
async fn namespace_labels(cluster: &Cluster, namespace: &str) -> Result<BTreeMap<String, String>> {
    let found = match cluster.find::<Namespace>(None, namespace).await {
        Err(error) if error.kind() == Kind::Forbidden => None,
        other => other?,
    };
    let mut labels = found.and_then(|found| found.metadata.labels).unwrap_or_default();
    labels.insert("kubernetes.io/metadata.name".to_owned(), namespace.to_owned());
    Ok(labels)
}

#[cfg(test)]
mod tests;
