//! What a plan must say: everything that was asked for and cannot be promised.

use std::fmt;

use crate::Resolved;
use crate::route::{PathType, Route, Rule, Security};
use crate::support::{Dialect, How, Setting, support};

/// One thing that a plan warns of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The attribute: `security.hsts_max_age`, `ingress_class`, `gateway`, `path`
    pub attribute: String,
    /// One line
    pub summary: String,
    /// What is missing, and who can do something about it
    pub detail: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}", self.summary, self.detail)
    }
}

/// Everything that a plan of this route must warn of.
pub fn warnings(route: &Route, resolved: &Resolved) -> Vec<Warning> {
    let dialect = resolved.dialect();
    let mut found = about_the_class(route, resolved);
    for setting in Setting::ALL.into_iter().filter(|setting| is_on(&route.security, *setting)) {
        let attribute = format!("security.{}", setting.attribute());
        match support(dialect, setting) {
            How::Object { .. } | How::Annotation { .. } => found.extend(lacking(resolved, setting, &attribute)),
            How::Administrator { setting: place } => found.push(Warning {
                summary: format!("{attribute} is up to the administrator of {dialect}"),
                detail: format!(
                    "{dialect} has no annotation for what was asked for{}. Its administrator sets {place}.",
                    wanted(&route.security, setting)
                ),
                attribute,
            }),
            How::Unsupported { why } => found.push(Warning {
                summary: format!("{attribute} has no effect with {}", title(resolved)),
                detail: format!("What was asked for{} cannot be promised: {why}.", wanted(&route.security, setting)),
                attribute,
            }),
        }
    }
    found
}

fn about_the_class(route: &Route, resolved: &Resolved) -> Vec<Warning> {
    let mut found = Vec::new();
    let mut warn = |attribute: &str, summary: String, detail: String| {
        found.push(Warning { attribute: attribute.to_owned(), summary, detail });
    };
    match resolved {
        Resolved::Ingress(served) => {
            if served.controller.is_none() {
                warn(
                    "ingress_class",
                    format!("IngressClass {:?} could not be read", served.class),
                    "Reading IngressClasses is forbidden, so that its name had to tell what it understands. Allow get \
                        and list on ingressclasses.networking.k8s.io."
                        .to_owned(),
                );
            }
            if served.dialect == Dialect::IngressNginx {
                warn(
                    "ingress_class",
                    "ingress-nginx is retired".to_owned(),
                    format!(
                        "There have been no releases and no security fixes since March 2026. Class {:?} works as long \
                            as it runs; Traefik reads most of its annotations (providers.kubernetesIngressNGINX), and \
                            Traefik's own class does all that can be asked for here.",
                        served.class
                    ),
                );
            }
            let parts: Vec<&str> = match served.dialect {
                Dialect::Traefik => {
                    route.rules.iter().filter(|rule| is_part(rule)).map(|rule| rule.path.as_str()).collect()
                }
                _ => Vec::new(),
            };
            if let Some(first) = parts.first() {
                warn(
                    if route.rules.len() == 1 { "path" } else { "backends" },
                    format!(
                        "Traefik compares {} letter by letter",
                        parts.iter().map(|path| format!("{path:?}")).collect::<Vec<_>>().join(", ")
                    ),
                    format!(
                        "Unless Traefik runs with providers.kubernetesIngress.strictPrefixMatching, {first}x is served \
                            too, not only {first} and what is below it.",
                    ),
                );
            }
        }
        Resolved::Gateway(attachment) => {
            let gateway = format!("Gateway {}/{}", attachment.gateway.namespace, attachment.gateway.name);
            if attachment.controller.is_none() {
                warn(
                    "gateway",
                    format!("nobody serves {gateway}"),
                    format!("Its GatewayClass {:?} does not exist.", attachment.class),
                );
            }
            if !attachment.missing.is_empty() {
                let hosts: Vec<&str> = attachment.missing.iter().map(|missing| missing.host.as_str()).collect();
                warn(
                    "gateway",
                    format!("{gateway} has no HTTPS listener for {}", hosts.join(", ")),
                    format!(
                        "An apply is refused until it has one that serves them with Secret {}/{}, or manage_listener \
                            = true is set.",
                        route.namespace, route.secret_name
                    ),
                );
            }
            if attachment.http.is_empty() {
                warn(
                    if route.security.ssl_redirect { "security.ssl_redirect" } else { "gateway" },
                    format!("{gateway} does not serve our hosts over plain HTTP"),
                    format!(
                        "None of its listeners with protocol HTTP admits routes of namespace {:?} for them: there is \
                            nothing to redirect, and challenges by HTTP-01 are not answered.",
                        route.namespace
                    ),
                );
            }
        }
    }
    found
}

/// Whether a rule is for a part of the host.
fn is_part(rule: &Rule) -> bool {
    rule.path != "/" && rule.path_type != PathType::Exact
}

/// On a Gateway, redirects and headers are extended features, and a controller may say that it has them not.
fn lacking(resolved: &Resolved, setting: Setting, attribute: &str) -> Option<Warning> {
    let Resolved::Gateway(attachment) = resolved else { return None };
    let controller = attachment.controller.as_ref()?;
    let feature = match setting {
        Setting::SslRedirect => "HTTPRouteSchemeRedirect",
        _ => "HTTPRouteResponseHeaderModification",
    };
    controller.lacks(feature).then(|| Warning {
        attribute: attribute.to_owned(),
        summary: format!("{attribute} has no effect with GatewayClass {:?}", attachment.class),
        detail: format!("Its controller {} does not list {feature} among its supported features.", controller.name),
    })
}

fn title(resolved: &Resolved) -> String {
    match resolved {
        Resolved::Ingress(served) if served.dialect == Dialect::Other => {
            format!(
                "IngressClass {:?} ({})",
                served.class,
                served.controller.as_deref().unwrap_or("unknown controller")
            )
        }
        other => other.dialect().to_string(),
    }
}

/// The value that was asked for, so that an administrator can copy it.
fn wanted(security: &Security, setting: Setting) -> String {
    let value = match setting {
        Setting::HstsMaxAge => security.hsts().map(|seconds| seconds.to_string()),
        Setting::FrameOptions => security.frame_options.clone(),
        Setting::ContentSecurityPolicy => security.content_security_policy.clone(),
        Setting::ContentTypeNosniff => Some("nosniff".to_owned()),
        Setting::RequestsPerMinute => security.limit().map(|requests| requests.to_string()),
        Setting::SslRedirect | Setting::HstsSubdomains => None,
    };
    value.map_or_else(String::new, |value| format!(" ({value})"))
}

/// Whether a setting asks for anything.
pub(crate) fn is_on(security: &Security, setting: Setting) -> bool {
    match setting {
        Setting::SslRedirect => security.ssl_redirect,
        Setting::HstsMaxAge => security.hsts().is_some(),
        Setting::HstsSubdomains => security.hsts().is_some() && security.hsts_subdomains,
        Setting::FrameOptions => security.frame_options.is_some(),
        Setting::ContentSecurityPolicy => security.content_security_policy.is_some(),
        Setting::ContentTypeNosniff => security.content_type_nosniff,
        Setting::RequestsPerMinute => security.limit().is_some(),
    }
}
