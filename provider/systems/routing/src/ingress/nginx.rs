//! The annotations of ingress-nginx, which Traefik's provider of that name reads too, as far as it goes.
//!
//! No snippets: they let whoever may edit an Ingress run configuration in the controller, and are switched off
//! nearly everywhere. Headers are therefore the administrator's business.

use std::collections::BTreeMap;

use crate::route::{Protocol, Route};
use crate::support::Dialect;

/// Redirects when the Ingress has a certificate; the controller's default is yes.
pub(crate) const REDIRECT: &str = "nginx.ingress.kubernetes.io/ssl-redirect";
/// Redirects even where something in front of the controller ends TLS.
pub(crate) const FORCE_REDIRECT: &str = "nginx.ingress.kubernetes.io/force-ssl-redirect";
/// Requests a minute of one client address.
pub(crate) const LIMIT: &str = "nginx.ingress.kubernetes.io/limit-rpm";
/// How many times the limit may come at once; the controller's default is 5.
pub(crate) const BURST: &str = "nginx.ingress.kubernetes.io/limit-burst-multiplier";

/// What the backends of an Ingress speak, all of them.
pub(crate) const PROTOCOL: &str = "nginx.ingress.kubernetes.io/backend-protocol";

/// The one protocol of a route, as the annotation spells it. None where nothing is said of it.
pub(crate) fn protocol(route: &Route, dialect: Dialect) -> Option<&'static str> {
    match route.rules.iter().find_map(|rule| rule.backend.protocol)? {
        Protocol::Http => Some("HTTP"),
        Protocol::Https => Some("HTTPS"),
        Protocol::Grpc => Some("GRPC"),
        // Traefik speaks HTTP/2 without TLS by that name; ingress-nginx speaks gRPC alone.
        Protocol::H2c => (dialect == Dialect::TraefikNginx).then_some("GRPC"),
    }
}

/// HTTP-01 needs nothing here: `/.well-known/acme-challenge` is exempt from redirects by the controller's default
/// (`no-tls-redirect-locations`), and Traefik serves the solver's longer path first.
pub(super) fn annotations(route: &Route, dialect: Dialect) -> BTreeMap<&'static str, String> {
    let security = &route.security;
    // an absent ssl-redirect means yes, so that a no must be written
    let redirect = security.ssl_redirect.to_string();
    let mut annotations = BTreeMap::from([(REDIRECT, redirect)]);
    if security.ssl_redirect {
        annotations.insert(FORCE_REDIRECT, "true".to_owned());
    }
    if let Some(protocol) = protocol(route, dialect) {
        annotations.insert(PROTOCOL, protocol.to_owned());
    }
    if let Some(requests) = security.limit() {
        annotations.insert(LIMIT, requests.to_string());
        annotations.insert(BURST, "1".to_owned());
    }
    annotations
}
