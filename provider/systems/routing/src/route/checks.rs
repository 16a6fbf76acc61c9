//! What is wrong with a description, before anything is asked of a cluster.

use super::{Class, Port, Route};

/// Longest name of a label of a DNS name, and of an object that is made here.
pub(crate) const LABEL: usize = 63;

/// Most hosts of an HTTPRoute.
const ROUTE_HOSTS: usize = 16;

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
        for (attribute, name) in
            [("namespace", &self.namespace), ("name", &self.name), ("backend.service", &self.backend.service)]
        {
            if !is_label(name) {
                problem(attribute, not_a_label(name));
            }
        }
        if !is_subdomain(&self.secret_name) {
            problem("secret_name", not_a_label(&self.secret_name));
        }
        match &self.backend.port {
            Port::Number(0) => problem("backend.port", "a port is a number from 1 to 65535, or a name".to_owned()),
            Port::Name(name) if !is_port_name(name) => problem(
                "backend.port",
                format!(
                    "{name:?} is no name of a port: at most 15 lowercase letters, digits and hyphens, with a letter"
                ),
            ),
            _ => {}
        }
        if !self.path.starts_with('/') || self.path.contains("//") || !is_visible(&self.path, false) {
            problem(
                "path",
                format!("a path begins with \"/\" and has no blanks nor empty parts, found {:?}", self.path),
            );
        }
        match &self.class {
            Class::Ingress(Some(name)) if !is_subdomain(name) => problem("ingress_class", not_a_label(name)),
            Class::Gateway(gateway) => {
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
        for key in self.annotations.keys().filter(|key| is_refused(key)) {
            problem("annotations", format!("{key:?} is not set by this resource: {}", why_refused(key)));
        }
        found
    }
}

/// Annotations that would undo what this provider stands for.
pub(crate) fn is_refused(key: &str) -> bool {
    key.contains("snippet") || key.starts_with("cert-manager.io/") || key.starts_with("acme.cert-manager.io/")
}

fn why_refused(key: &str) -> &'static str {
    if key.contains("snippet") {
        "snippets let whoever may edit an Ingress read every Secret of the controller"
    } else {
        "it would make a second Certificate beside the one of this endpoint"
    }
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
    use std::collections::BTreeMap;

    use super::super::{Backend, GatewayRef};
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
        let wide =
            Route { hosts: vec!["*.example.com".into(), "example.com".into()], path: "/api/v1".into(), ..route() };
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
        bad.backend = Backend::new("Engine", 0);
        bad.path = "api".into();
        bad.class = Class::Ingress(Some("My Class".into()));
        bad.security.frame_options = Some("DENY\r\nX-Evil: 1".into());
        bad.security.content_security_policy = Some(" ".into());
        assert_eq!(
            attributes(&bad),
            [
                "namespace",
                "name",
                "backend.service",
                "secret_name",
                "backend.port",
                "path",
                "ingress_class",
                "security.frame_options",
                "security.content_security_policy",
            ]
        );
        bad = route();
        bad.class = Class::Gateway(GatewayRef { namespace: "A".into(), name: "b b".into(), manage_listener: false });
        bad.backend.port = Port::Name("HTTP".into());
        assert_eq!(attributes(&bad), ["backend.port", "gateway.namespace", "gateway.name"]);
        bad = route();
        bad.class = Class::Gateway(GatewayRef { namespace: "a".into(), name: "b".into(), manage_listener: false });
        bad.hosts = (0..17).map(|host| format!("h{host}.example.com")).collect();
        assert_eq!(attributes(&bad), ["hosts"]);
    }

    #[test]
    fn snippets_and_second_certificates_are_refused() {
        let keys = ["nginx.ingress.kubernetes.io/server-snippet", "cert-manager.io/cluster-issuer", "team"];
        let annotations: BTreeMap<String, String> = keys.iter().map(|key| ((*key).to_owned(), String::new())).collect();
        let problems = Route { annotations, ..route() }.problems();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().all(|problem| problem.attribute == "annotations"));
    }
}
