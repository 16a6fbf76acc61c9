//! The route, and how it is looked at.

use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::model::TlsEndpoint;
use crate::settle::looked_for;
use crate::spec::rules;

pub(super) fn check(config: &TlsEndpoint) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    backends(config, &mut diagnostics);
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
    let one = config.backend.known().map(|backend| (Path::attribute("backend"), &backend.port)).into_iter();
    let several = config.backends.known().into_iter().flatten().enumerate();
    let several = several.map(|(index, backend)| (Path::attribute("backends").index(index), backend));
    for (at, port) in one.chain(several.clone().map(|(at, backend)| (at, &backend.port))) {
        let Some(port) = port.as_str().filter(|port| port.parse::<u16>().is_err()) else { continue };
        diagnostics.push(
            Diagnostic::error(
                format!("{}.port must be a number with a gateway", at),
                format!("Routes of the Gateway API know ports by number only; \"{port}\" is a name. Give the service's port."),
            )
            .at(at.child("port")),
        );
    }
    let one = (Path::root().child("path_type"), &config.path_type);
    let kinds = several.map(|(at, backend)| (at.child("path_type"), &backend.path_type));
    for (at, kind) in std::iter::once(one).chain(kinds) {
        if kind.as_str() == Some("ImplementationSpecific") {
            diagnostics.push(
                Diagnostic::error(
                    "path_type ImplementationSpecific is for ingresses",
                    "Routes of the Gateway API compare a path as \"Prefix\" or \"Exact\".",
                )
                .at(at),
            );
        }
    }
}

/// One service, or several by path.
fn backends(config: &TlsEndpoint, diagnostics: &mut Diagnostics) {
    let mut wrong = |summary: &str, detail: &str, at: &str| {
        diagnostics.push(Diagnostic::error(summary, detail).at(Path::attribute(at)));
    };
    match (&config.backend, &config.backends) {
        (Attr::Null, Attr::Null) => wrong(
            "An endpoint has a backend",
            "Name the service that answers: backend = { service = \"web\", port = 80 }; or several of them by path, with backends.",
            "backend",
        ),
        (Attr::Known(_), Attr::Known(_)) => wrong(
            "backend and backends exclude each other",
            "Several services go into backends, the one of backend with path = \"/\" or its own; remove backend.",
            "backend",
        ),
        (_, Attr::Known(all)) if all.is_empty() => {
            wrong("backends is empty", "Name at least one path and the service that answers below it.", "backends")
        }
        _ => {}
    }
    if !config.backends.is_known() {
        return;
    }
    for (attribute, given) in [("path", &config.path), ("path_type", &config.path_type)] {
        if given.is_known() {
            wrong(
                &format!("{attribute} is for backend alone"),
                &format!("Each element of backends has a path of its own; {attribute} goes there."),
                attribute,
            );
        }
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
    if let (Some(asked), Some(rules)) = (verify.path.as_str(), rules(config))
        && !rules.is_empty()
        && ffe_routing::rule_for(&rules, asked).is_none()
    {
        let served: Vec<String> =
            rules.iter().map(|rule| format!("{} ({})", rule.path, rule.path_type.as_str())).collect();
        diagnostics.push(
            Diagnostic::error(
                "verify.path is not served by the endpoint",
                format!(
                    "The endpoint serves {}, and \"{asked}\" is not below it. Ask for a path that it serves, or leave \
                     verify.path out: then it is {}.",
                    served.join(", "),
                    looked_for(config, None).0.as_str().unwrap_or("one that it serves")
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
