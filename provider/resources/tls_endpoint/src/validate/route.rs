//! The route, and how it is looked at.

use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::model::TlsEndpoint;

pub(super) fn check(config: &TlsEndpoint) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if config.ingress_class.is_known() && config.gateway.is_known() {
        diagnostics.push(
            Diagnostic::error(
                "ingress_class and gateway exclude each other",
                "An endpoint is reached by an ingress or by routes at a Gateway; remove one of them.",
            )
            .at(Path::attribute("gateway")),
        );
    }
    if config.gateway.is_known() {
        gateway(config, &mut diagnostics);
    }
    if let Some(security) = config.security.known()
        && security.hsts_subdomains == Attr::Known(true)
        && security.hsts_max_age == Attr::Known(0)
    {
        diagnostics.push(
            Diagnostic::error(
                "security.hsts_subdomains needs hsts_max_age",
                "With hsts_max_age = 0 no Strict-Transport-Security header is sent that could say anything of the names \
                 below. Remove one of them.",
            )
            .at(Path::attribute("security").child("hsts_subdomains")),
        );
    }
    verify(config, &mut diagnostics);
    diagnostics
}

fn gateway(config: &TlsEndpoint, diagnostics: &mut Diagnostics) {
    let port = config.backend.known().and_then(|backend| backend.port.as_str());
    if let Some(port) = port.filter(|port| port.parse::<u16>().is_err()) {
        diagnostics.push(
            Diagnostic::error(
                "backend.port must be a number with a gateway",
                format!("Routes of the Gateway API know ports by number only; \"{port}\" is a name. Give the service's port."),
            )
            .at(Path::attribute("backend").child("port")),
        );
    }
    if config.path_type.as_str() == Some("ImplementationSpecific") {
        diagnostics.push(
            Diagnostic::error(
                "path_type ImplementationSpecific is for ingresses",
                "Routes of the Gateway API compare a path as \"Prefix\" or \"Exact\".",
            )
            .at(Path::attribute("path_type")),
        );
    }
}

fn verify(config: &TlsEndpoint, diagnostics: &mut Diagnostics) {
    let Some(verify) = config.verify.known() else { return };
    let at = Path::attribute("verify");
    let redirects = config.security.known().map_or(Attr::Null, |security| security.ssl_redirect);
    if verify.redirect == Attr::Known(true) && redirects == Attr::Known(false) {
        diagnostics.push(
            Diagnostic::error(
                "verify.redirect expects what security.ssl_redirect forbids",
                "With ssl_redirect = false requests by HTTP are not sent to HTTPS. Remove one of them.",
            )
            .at(at.child("redirect")),
        );
    }
    if let (Some(asked), false) = (verify.path.as_str(), config.path.is_unknown())
        && !is_served(config.path.as_str().unwrap_or("/"), config.path_type.as_str(), asked)
    {
        let served = config.path.as_str().unwrap_or("/");
        diagnostics.push(
            Diagnostic::error(
                "verify.path is not served by the endpoint",
                format!(
                    "The endpoint serves {served} ({}), and \"{asked}\" is not below it. Ask for a path that it serves, or leave \
                     verify.path out: then it is {served}.",
                    config.path_type.as_str().unwrap_or("Prefix")
                ),
            )
            .at(at.child("path")),
        );
    }
    let hosts = config.hosts.known().filter(|hosts| hosts.iter().all(Attr::is_known));
    let has_wildcard =
        hosts.is_none_or(|hosts| hosts.iter().filter_map(Attr::as_str).any(|host| host.starts_with("*.")));
    if verify.wildcard_label.is_known() && !has_wildcard {
        diagnostics.push(
            Diagnostic::error(
                "verify.wildcard_label needs a wildcard among the hosts",
                "It stands for the star of a host such as \"*.example.com\". Remove it, or add such a host.",
            )
            .at(at.child("wildcard_label")),
        );
    }
    for (index, check) in verify.checks.known().into_iter().flatten().enumerate() {
        if let Some(Err(wrong)) = check.bearer_wo.as_str().map(ffe_https::Bearer::new) {
            diagnostics.push(
                Diagnostic::error(
                    "Invalid value for verify.checks.bearer_wo",
                    format!("Expected a token as it goes into the header Authorization, without \"Bearer\": {wrong}."),
                )
                .at(at.child("checks").index(index).child("bearer_wo")),
            );
        }
    }
    if verify.from.as_str() == Some("inside") && verify.resolve_to.is_known() {
        diagnostics.push(
            Diagnostic::error(
                "verify.resolve_to is for looking from here",
                "From inside, connections go to the ingress controller's pods. Name its service with verify.controller, or \
                 remove from = \"inside\".",
            )
            .at(at.child("resolve_to")),
        );
    }
    if verify.from.as_str() == Some("here") && verify.controller.is_known() {
        diagnostics.push(
            Diagnostic::error(
                "verify.controller is for looking from inside",
                "With from = \"here\" the ingress controller's service is not connected to. Remove one of them.",
            )
            .at(at.child("controller")),
        );
    }
}

/// Whether a request for this path comes to the endpoint.
fn is_served(path: &str, kind: Option<&str>, asked: &str) -> bool {
    let asked = asked.split('?').next().unwrap_or_default();
    match kind {
        Some("Exact") => asked == path,
        // What it means is up to the controller.
        Some("ImplementationSpecific") => true,
        _ => {
            let path = path.trim_end_matches('/');
            asked.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}
