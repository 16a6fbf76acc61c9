//! What is wrong with a description, before anything is asked of a cluster.

use ffe_cluster::{ObjectRef, mark};

use super::{Class, Port, Protocol, Route, Rule};
use crate::ingress::{
    NGINX_BURST as BURST, NGINX_FORCE_REDIRECT as FORCE_REDIRECT, NGINX_LIMIT as LIMIT, NGINX_PROTOCOL as PROTOCOL,
    NGINX_REDIRECT as REDIRECT, TRAEFIK_MIDDLEWARES, TRAEFIK_PRIORITY, TRAEFIK_TLS,
};
use crate::names::{TRAEFIK, names};

/// Longest name of a label of a DNS name, and of an object that is made here.
pub(crate) const LABEL: usize = 63;

/// Most hosts of an HTTPRoute.
const ROUTE_HOSTS: usize = 16;

/// Most rules of an HTTPRoute.
const ROUTE_RULES: usize = 16;

/// Something in a [`Route`] that no cluster would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The attribute: `hosts[1]`, `path`, `backend.port`
    pub attribute: String,
    /// What was expected, and what was found
    pub message: String,
}

impl Route {
    /// Everything that is wrong with it; empty when it can be tried.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut problem = |attribute: &str, message: String| {
            found.push(Problem { attribute: attribute.to_owned(), message });
        };
        if self.hosts.is_empty() {
            problem("hosts", "at least one host is needed, such as \"api.example.com\"".to_owned());
        }
        for (index, host) in self.hosts.iter().enumerate() {
            let at = format!("hosts[{index}]");
            if let Err(why) = check_host(host) {
                problem(&at, why);
            } else if self.hosts.iter().take(index).any(|earlier| earlier == host) {
                problem(&at, format!("{host:?} is given twice"));
            }
        }
        for (attribute, name) in [("namespace", &self.namespace), ("name", &self.name)] {
            if !is_label(name) {
                problem(attribute, not_a_label(name));
            }
        }
        if !is_subdomain(&self.secret_name) {
            problem("secret_name", not_a_label(&self.secret_name));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let at = |attribute: &str| match self.rules.len() {
                1 => attribute.to_owned(),
                _ => format!("backends[{index}].{}", attribute.trim_start_matches("backend.")),
            };
            check_rule(rule, |attribute, message| problem(&at(attribute), message));
            if self.rules.iter().take(index).any(|earlier| earlier.is_at(&rule.path, Some(rule.path_type))) {
                problem(&at("path"), format!("{:?} is given twice", rule.path));
            }
        }
        if self.rules.is_empty() {
            problem("backends", "at least one backend is needed".to_owned());
        }
        match &self.class {
            Class::Ingress(Some(name)) if !is_subdomain(name) => problem("ingress_class", not_a_label(name)),
            Class::Gateway(gateway) => {
                if self.rules.len() > ROUTE_RULES {
                    problem(
                        "backends",
                        format!("an HTTPRoute takes {ROUTE_RULES} rules at most, found {}", self.rules.len()),
                    );
                }
                if self.hosts.len() > ROUTE_HOSTS {
                    problem(
                        "hosts",
                        format!("an HTTPRoute takes {ROUTE_HOSTS} hosts at most, found {}", self.hosts.len()),
                    );
                }
                for (attribute, name) in [("gateway.namespace", &gateway.namespace), ("gateway.name", &gateway.name)] {
                    if !is_subdomain(name) {
                        problem(attribute, not_a_label(name));
                    }
                }
            }
            Class::Ingress(_) => {}
        }
        let texts = [
            ("security.frame_options", &self.security.frame_options),
            ("security.content_security_policy", &self.security.content_security_policy),
        ];
        for (attribute, value) in texts {
            if let Some(value) = value
                && (value.trim().is_empty() || !is_visible(value, true) || value.len() > 4096)
            {
                problem(
                    attribute,
                    format!("the value of a header is one line of 1 to 4096 visible ASCII characters, found {value:?}"),
                );
            }
        }
        for (key, why) in self.annotations.keys().filter_map(|key| Some((key, why_refused(key)?))) {
            problem("annotations", format!("{key:?} is not set here: {why}"));
        }
        if self.rules.len() > 1 && self.annotations.contains_key(TRAEFIK_PRIORITY) {
            let why = "Traefik would hold all paths of a host for equals, and it is chance which of them answers";
            problem("annotations", format!("{TRAEFIK_PRIORITY:?} is not set beside several backends: {why}"));
        }
        let of_ours = names(&self.namespace, &self.name);
        for (index, one) in self.middlewares.iter().enumerate() {
            let at = |attribute: &str| format!("middlewares[{index}].{attribute}");
            let name = one.name.split_once('@').map_or(one.name.as_str(), |(name, _)| name);
            if !is_subdomain(name) {
                problem(&at("name"), not_a_label(&one.name));
            }
            let object = ObjectRef::new(TRAEFIK, &one.kind, Some(&one.namespace), &one.name);
            if one.is_traefiks() && of_ours.contains(&object) {
                problem(&at("name"), format!("{one} is what `security` makes: it comes by itself"));
            }
            if self.middlewares.iter().take(index).any(|earlier| earlier == one) {
                problem(&at("name"), format!("{one} is given twice"));
            }
        }
        if self.backend_tls.is_some() && !self.rules.iter().any(|rule| rule.backend.protocol == Some(Protocol::Https)) {
            problem("backend_tls", "it is for backends with protocol = \"HTTPS\", and there is none".to_owned());
        }
        found
    }
}

fn check_rule(rule: &Rule, mut problem: impl FnMut(&str, String)) {
    let (service, port) = (&rule.backend.service, &rule.backend.port);
    if !is_label(service) {
        problem("backend.service", not_a_label(service));
    }
    match port {
        Port::Number(0) => problem("backend.port", "a port is a number from 1 to 65535, or a name".to_owned()),
        Port::Name(name) if !is_port_name(name) => problem(
            "backend.port",
            format!("{name:?} is no name of a port: at most 15 lowercase letters, digits and hyphens, with a letter"),
        ),
        _ => {}
    }
    if !rule.path.starts_with('/') || rule.path.contains("//") || !is_visible(&rule.path, false) {
        problem("path", format!("a path begins with \"/\" and has no blanks nor empty parts, found {:?}", rule.path));
    }
}

/// Why an annotation is not handed on: it would undo what the route does, or says what another attribute says. None where it is.
pub(crate) fn why_refused(key: &str) -> Option<&'static str> {
    let prefix = key.split_once('/').map(|(prefix, _)| prefix);
    let certificate = "it would make a second Certificate beside the one of this endpoint";
    Some(match (prefix, key) {
        _ if key.contains("snippet") => "snippets let whoever may edit an Ingress read every Secret of the controller",
        (Some("cert-manager.io" | "acme.cert-manager.io"), _) | (_, "kubernetes.io/tls-acme") => certificate,
        (Some(mark::PREFIX), _) => "by it the provider knows what is its own",
        (Some("meta.helm.sh" | "kubectl.kubernetes.io"), _) => {
            "it is a note of another tool's about what it made itself"
        }
        (_, "kubernetes.io/ingress.class") => "ingress_class says it",
        (_, REDIRECT | FORCE_REDIRECT) => "security.ssl_redirect says it",
        (_, LIMIT | BURST) => "security.requests_per_minute says it",
        (_, PROTOCOL) => "protocol says it, in backend or backends",
        (_, "nginx.ingress.kubernetes.io/ssl-passthrough") => {
            "the backend would end TLS with a certificate of its own, and not the one of this endpoint"
        }
        (_, TRAEFIK_MIDDLEWARES) => "middlewares says it",
        _ if key.starts_with(TRAEFIK_TLS) => {
            "the endpoint has a router with TLS and one without for the host, and Traefik goes back to its defaults where the \
             options of two routers differ: give them to the entry point, or to the default TLSOption"
        }
        _ => return None,
    })
}

fn check_host(host: &str) -> Result<(), String> {
    let hint =
        "a host is a DNS name in lowercase without scheme and port, such as \"api.example.com\" or \"*.example.com\"";
    let name = host.strip_prefix("*.").unwrap_or(host);
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Err(format!("{host:?} is an IP address; {hint}"));
    }
    if !is_subdomain(name) || !name.split('.').all(is_label) || (host.starts_with("*.") && !name.contains('.')) {
        return Err(format!("{host:?} cannot be served; {hint}"));
    }
    Ok(())
}

fn not_a_label(name: &str) -> String {
    format!(
        "{name:?} is no name of an object: lowercase letters, digits and hyphens, beginning and ending with a letter \
            or digit"
    )
}

fn is_label(name: &str) -> bool {
    name.len() <= LABEL && is_subdomain(name) && !name.contains('.')
}

fn is_subdomain(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 253
        && name.chars().all(inner)
        && name.split('.').all(|part| outer(part.chars().next()) && outer(part.chars().next_back()))
}

fn is_port_name(name: &str) -> bool {
    name.len() <= 15 && is_label(name) && !name.contains("--") && name.chars().any(|c| c.is_ascii_lowercase())
}

fn is_visible(text: &str, blanks: bool) -> bool {
    text.chars().all(|c| c.is_ascii_graphic() || (blanks && c == ' '))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Backend, GatewayRef, Middleware, PathType};
    use super::*;

    fn route() -> Route {
        let backend = Backend::new("engine", 8000);
        Route::new("ffe", "api", ["api.example.com"], "api-tls", backend, Class::Ingress(None))
    }

    fn attributes(route: &Route) -> Vec<String> {
        route.problems().into_iter().map(|problem| problem.attribute).collect()
    }

    #[test]
    fn a_good_one_has_none() {
        assert_eq!(route().problems(), []);
        let wide = Route { hosts: vec!["*.example.com".into(), "example.com".into()], ..route() };
        assert_eq!(wide.problems(), []);
    }

    #[test]
    fn hosts_are_dns_names_each_once() {
        for bad in
            ["https://a.com", "a.com:443", "A.com", "", "a..com", "-a.com", "10.0.0.1", "a.*.com", "*.com", "a_b.com"]
        {
            let route = Route { hosts: vec!["api.example.com".into(), bad.into()], ..route() };
            assert_eq!(attributes(&route), ["hosts[1]"], "{bad}");
        }
        let twice = Route { hosts: vec!["a.example.com".into(), "a.example.com".into()], ..route() };
        assert_eq!(attributes(&twice), ["hosts[1]"]);
        assert_eq!(attributes(&Route { hosts: Vec::new(), ..route() }), ["hosts"]);
    }

    #[test]
    fn every_attribute_is_named() {
        let mut bad = route();
        bad.namespace = "F".into();
        bad.name = "x".repeat(64);
        bad.secret_name = "a/b".into();
        bad.rules = vec![Rule::new("api", Backend::new("Engine", 0))];
        bad.class = Class::Ingress(Some("My Class".into()));
        bad.security.frame_options = Some("DENY\r\nX-Evil: 1".into());
        bad.security.content_security_policy = Some(" ".into());
        assert_eq!(
            attributes(&bad),
            [
                "namespace",
                "name",
                "secret_name",
                "backend.service",
                "backend.port",
                "path",
                "ingress_class",
                "security.frame_options",
                "security.content_security_policy",
            ]
        );
        bad = route();
        bad.class = Class::Gateway(GatewayRef { namespace: "A".into(), name: "b b".into(), manage_listener: false });
        bad.rules[0].backend.port = Port::Name("HTTP".into());
        assert_eq!(attributes(&bad), ["backend.port", "gateway.namespace", "gateway.name"]);
        bad = route();
        bad.class = Class::Gateway(GatewayRef { namespace: "a".into(), name: "b".into(), manage_listener: false });
        bad.hosts = (0..17).map(|host| format!("h{host}.example.com")).collect();
        assert_eq!(attributes(&bad), ["hosts"]);
    }

    #[test]
    fn paths_are_there_each_once() {
        let rules = |paths: &[(&str, PathType)]| {
            let rule = |(path, path_type): &(&str, PathType)| Rule {
                path_type: *path_type,
                ..Rule::new(path, Backend::new("engine", 80))
            };
            Route { rules: paths.iter().map(rule).collect(), ..route() }
        };
        let (prefix, exact) = (PathType::Prefix, PathType::Exact);
        let good = rules(&[("/", prefix), ("/api", prefix), ("/api", exact), ("/api/v1", prefix)]);
        assert_eq!(good.problems(), []);
        assert_eq!(attributes(&rules(&[("/", prefix), ("/api", prefix), ("/api/", prefix)])), ["backends[2].path"]);
        assert_eq!(attributes(&rules(&[("/", prefix), ("api", prefix)])), ["backends[1].path"]);
        assert_eq!(attributes(&rules(&[])), ["backends"]);
    }

    #[test]
    fn a_request_goes_to_the_exact_rule_or_to_the_longest() {
        let rule = |path: &str, path_type| Rule { path_type, ..Rule::new(path, Backend::new("engine", 80)) };
        let rules = [
            rule("/", PathType::Prefix),
            rule("/api", PathType::Prefix),
            rule("/api/admin/", PathType::Prefix),
            rule("/api/admin/up", PathType::Exact),
        ];
        let of = |asked: &str| super::super::rule_for(&rules, asked).map(|rule| rule.path.as_str());
        assert_eq!(
            ["/", "/apix", "/api?x", "/api/v1", "/api/admin", "/api/admin/up", "/api/admin/up/x"].map(of),
            ["/", "/", "/api", "/api", "/api/admin/", "/api/admin/up", "/api/admin/"].map(Some)
        );
        assert_eq!(super::super::rule_for(&rules[1..], "/other"), None);
    }

    #[test]
    fn annotations_that_contradict_the_route_are_refused_with_what_says_it() {
        let refused = [
            ("nginx.ingress.kubernetes.io/server-snippet", "read every Secret"),
            ("cert-manager.io/cluster-issuer", "second Certificate"),
            ("acme.cert-manager.io/http01-edit-in-place", "second Certificate"),
            ("kubernetes.io/tls-acme", "second Certificate"),
            ("ffe.three-rivers.tech/resource", "its own"),
            ("meta.helm.sh/release-name", "another tool"),
            ("kubectl.kubernetes.io/last-applied-configuration", "another tool"),
            ("kubernetes.io/ingress.class", "ingress_class"),
            ("nginx.ingress.kubernetes.io/ssl-redirect", "ssl_redirect"),
            ("nginx.ingress.kubernetes.io/force-ssl-redirect", "ssl_redirect"),
            ("nginx.ingress.kubernetes.io/limit-rpm", "requests_per_minute"),
            ("nginx.ingress.kubernetes.io/backend-protocol", "protocol"),
            ("nginx.ingress.kubernetes.io/ssl-passthrough", "end TLS"),
            ("traefik.ingress.kubernetes.io/router.middlewares", "middlewares"),
            ("traefik.ingress.kubernetes.io/router.tls", "entry point"),
            ("traefik.ingress.kubernetes.io/router.tls.options", "entry point"),
        ];
        for (key, why) in refused {
            let problems = Route { annotations: [(key.to_owned(), "x".to_owned())].into(), ..route() }.problems();
            assert!(problems.len() == 1 && problems[0].attribute == "annotations", "{key}: {problems:?}");
            assert!(problems[0].message.contains(why) && problems[0].message.contains(key), "{problems:?}");
        }
        for key in [
            "team",
            "nginx.ingress.kubernetes.io/auth-url",
            "nginx.ingress.kubernetes.io/proxy-body-size",
            "traefik.ingress.kubernetes.io/router.entrypoints",
            "traefik.ingress.kubernetes.io/router.priority",
            "external-dns.alpha.kubernetes.io/target",
        ] {
            assert_eq!(
                Route { annotations: [(key.to_owned(), "x".to_owned())].into(), ..route() }.problems(),
                [],
                "{key}"
            );
        }
    }

    #[test]
    fn middlewares_are_somebody_elses_each_once() {
        let of = |all: &[(&str, &str)]| {
            let middlewares = all.iter().map(|(namespace, name)| Middleware::new(namespace, name)).collect();
            attributes(&Route { middlewares, ..route() })
        };
        assert_eq!(
            of(&[("ffe", "login"), ("infra", "login"), ("ffe", "login@file"), ("infra", "api-headers")]),
            [""; 0]
        );
        assert_eq!(of(&[("ffe", "api-headers")]), ["middlewares[0].name"]);
        assert_eq!(of(&[("ffe", "login"), ("ffe", "login")]), ["middlewares[1].name"]);
        assert_eq!(of(&[("ffe", "Login,other")]), ["middlewares[0].name"]);
    }

    #[test]
    fn trust_is_for_backends_with_tls() {
        let mut route = Route {
            backend_tls: Some(super::super::BackendTls { hostname: "engine".to_owned(), ca_config_map: None }),
            ..route()
        };
        assert_eq!(attributes(&route), ["backend_tls"]);
        route.rules[0].backend.protocol = Some(Protocol::Https);
        assert_eq!(route.problems(), []);
    }
}
