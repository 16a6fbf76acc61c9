//! The annotations of ingress-nginx, which Traefik's provider of that name reads too, as far as it goes.
//!
//! No snippets: they let whoever may edit an Ingress run configuration in the controller, and are switched off
//! nearly everywhere. Headers are therefore the administrator's business.

use std::collections::BTreeMap;

use crate::route::Security;

/// Redirects when the Ingress has a certificate; the controller's default is yes.
pub(crate) const REDIRECT: &str = "nginx.ingress.kubernetes.io/ssl-redirect";
/// Redirects even where something in front of the controller ends TLS.
pub(crate) const FORCE_REDIRECT: &str = "nginx.ingress.kubernetes.io/force-ssl-redirect";
/// Requests a minute of one client address.
pub(crate) const LIMIT: &str = "nginx.ingress.kubernetes.io/limit-rpm";
/// How many times the limit may come at once; the controller's default is 5.
pub(crate) const BURST: &str = "nginx.ingress.kubernetes.io/limit-burst-multiplier";

/// HTTP-01 needs nothing here: `/.well-known/acme-challenge` is exempt from redirects by the controller's default
/// (`no-tls-redirect-locations`), and Traefik serves the solver's longer path first.
pub(super) fn annotations(security: &Security) -> BTreeMap<&'static str, String> {
    // an absent ssl-redirect means yes, so that a no must be written
    let redirect = security.ssl_redirect.to_string();
    let mut annotations = BTreeMap::from([(REDIRECT, redirect)]);
    if security.ssl_redirect {
        annotations.insert(FORCE_REDIRECT, "true".to_owned());
    }
    if let Some(requests) = security.limit() {
        annotations.insert(LIMIT, requests.to_string());
        annotations.insert(BURST, "1".to_owned());
    }
    annotations
}
