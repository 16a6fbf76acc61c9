//! The ingress controller's service, by which an endpoint is looked at from inside the cluster.

use std::fmt;

use ffe_cluster::k8s_openapi::api::core::v1::Service;
use ffe_cluster::{Cluster, Kind};
use ffe_https::{Connect, Scheme};
use ffe_workloads::ServicePort;

use super::settings::{From, Settings};
use crate::controller;
use crate::run::{Run, Stop};

/// A service with its two ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Controller {
    namespace: String,
    service: String,
    https: String,
    http: String,
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}/{}", self.namespace, self.service)
    }
}

impl Controller {
    /// Connections to one of its pods.
    pub(crate) fn way(&self, cluster: &Cluster, scheme: Scheme) -> impl Connect + use<> {
        let port = if scheme == Scheme::Https { self.https.clone() } else { self.http.clone() };
        let (namespace, service, cluster) = (self.namespace.clone(), self.service.clone(), cluster.clone());
        ffe_https::through(format!("{self} port {port}"), move || {
            let (namespace, service, cluster) = (namespace.clone(), service.clone(), cluster.clone());
            let port = port.parse::<u16>().map_or_else(|_| ServicePort::Name(port.clone()), ServicePort::Number);
            async move { ffe_workloads::forward(&cluster, &namespace, &service, port).await }
        })
    }
}

/// The service that is named, or the one that serves the endpoint.
///
/// # Errors
/// When the services cannot be listed and no other way is left.
pub(crate) async fn find(run: &Run<'_>, settings: &Settings) -> Result<Option<Controller>, Stop> {
    if let Some(named) = &settings.controller {
        return Ok(Some(Controller {
            namespace: named.namespace.clone().unwrap_or_default(),
            service: named.service.clone().unwrap_or_default(),
            https: named.port.as_str().unwrap_or("443").to_owned(),
            http: named.http_port.as_str().unwrap_or("80").to_owned(),
        }));
    }
    match controller::service(run.cluster, run.spec, &run.done.addresses).await {
        Ok(found) => Ok(found.as_ref().and_then(of)),
        Err(error) if settings.from == From::Auto || error.kind() == Kind::Forbidden => {
            tracing::info!(%error, "the ingress controller's service is not looked for");
            Ok(None)
        }
        Err(error) => Err(Stop::cluster(&error, "The ingress controller's service could not be looked for")),
    }
}

/// A service as a controller.
fn of(service: &Service) -> Option<Controller> {
    Some(Controller {
        namespace: service.metadata.namespace.clone()?,
        service: service.metadata.name.clone()?,
        https: controller::https(service)?,
        http: controller::http(service).unwrap_or_else(|| "80".to_owned()),
    })
}
