//! What each class can do: one table, from which warnings and documentation are made, and which a test holds against
//! the objects that are made.

use std::fmt;

use crate::route::Protocol;

/// Who reads the objects, and what they understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Traefik's own: Middleware objects
    Traefik,
    /// ingress-nginx: annotations, and a ConfigMap of its administrator
    IngressNginx,
    /// Traefik's provider for Ingresses that were written for ingress-nginx
    TraefikNginx,
    /// The Gateway API
    Gateway,
    /// Any other IngressClass: nothing but the Ingress itself can be relied on
    Other,
}

impl Dialect {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 5] = [Self::Traefik, Self::IngressNginx, Self::TraefikNginx, Self::Gateway, Self::Other];

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Traefik => "Traefik",
            Self::IngressNginx => "ingress-nginx",
            Self::TraefikNginx => "Traefik's ingress-nginx provider",
            Self::Gateway => "Gateway API",
            Self::Other => "any other class",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

/// What a user asks for in `security`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Setting {
    /// HTTP is redirected to HTTPS
    SslRedirect,
    /// Strict-Transport-Security
    HstsMaxAge,
    /// `includeSubDomains` in it
    HstsSubdomains,
    /// X-Frame-Options
    FrameOptions,
    /// Content-Security-Policy
    ContentSecurityPolicy,
    /// X-Content-Type-Options
    ContentTypeNosniff,
    /// A limit for each client
    RequestsPerMinute,
}

impl Setting {
    /// All of them, in the order of the table's rows.
    pub const ALL: [Self; 7] = [
        Self::SslRedirect,
        Self::HstsMaxAge,
        Self::HstsSubdomains,
        Self::FrameOptions,
        Self::ContentSecurityPolicy,
        Self::ContentTypeNosniff,
        Self::RequestsPerMinute,
    ];

    /// The attribute below `security`.
    pub fn attribute(self) -> &'static str {
        match self {
            Self::SslRedirect => "ssl_redirect",
            Self::HstsMaxAge => "hsts_max_age",
            Self::HstsSubdomains => "hsts_subdomains",
            Self::FrameOptions => "frame_options",
            Self::ContentSecurityPolicy => "content_security_policy",
            Self::ContentTypeNosniff => "content_type_nosniff",
            Self::RequestsPerMinute => "requests_per_minute",
        }
    }
}

/// How a class does what a setting asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By an object of ours, or a part of one
    Object {
        /// For people: `Middleware, redirectScheme`
        what: &'static str,
        /// What is found in the objects when the setting is on, and only then
        trace: &'static str,
    },
    /// By an annotation of the Ingress
    Annotation {
        /// Its key
        key: &'static str,
    },
    /// Only the controller's administrator can, for all hosts at once
    Administrator {
        /// Which setting of the controller
        setting: &'static str,
    },
    /// Not at all
    Unsupported {
        /// Why, and what to do
        why: &'static str,
    },
}

impl How {
    /// Whether our objects do it by themselves.
    pub fn is_promised(self) -> bool {
        matches!(self, Self::Object { .. } | Self::Annotation { .. })
    }
}

/// The cells of a setting, in the order of [`Dialect::ALL`].
pub fn support(dialect: Dialect, setting: Setting) -> How {
    let (_, [traefik, nginx, traefik_nginx, gateway, other]) = TABLE[setting as usize];
    match dialect {
        Dialect::Traefik => traefik,
        Dialect::IngressNginx => nginx,
        Dialect::TraefikNginx => traefik_nginx,
        Dialect::Gateway => gateway,
        Dialect::Other => other,
    }
}

/// How a class speaks a protocol to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByProtocol {
    /// By an object of ours, or without any
    Ours {
        /// For people
        what: &'static str,
    },
    /// By what the Service says of itself, which is not ours to change
    Service {
        /// What it has to say
        what: &'static str,
    },
    /// Not at all
    Unsupported {
        /// Why, and what to do
        why: &'static str,
    },
}

/// How a class speaks a protocol.
pub fn protocol_support(dialect: Dialect, protocol: Protocol) -> ByProtocol {
    use ByProtocol::{Ours, Service, Unsupported};
    match (dialect, protocol) {
        (Dialect::Traefik, Protocol::Http) => {
            Service { what: "no port 443, and no port whose name begins with `https`" }
        }
        (Dialect::Traefik, Protocol::Https) => Service {
            what: "annotation `service.serversscheme: https`, port 443, or a port whose name begins with `https`; whom to \
                trust: `service.serverstransport`",
        },
        (Dialect::Traefik, Protocol::H2c) => Service { what: "annotation `service.serversscheme: h2c`" },
        (Dialect::Traefik, Protocol::Grpc) => Service { what: "annotation `service.serversscheme: h2c`, or `https`" },
        (Dialect::IngressNginx, Protocol::H2c) => Unsupported {
            why: "ingress-nginx speaks HTTP/2 to backends for gRPC alone (protocol = \"GRPC\"); use the class of Traefik, or \
                HTTP",
        },
        (Dialect::IngressNginx | Dialect::TraefikNginx, Protocol::Http) => {
            Ours { what: "annotation `backend-protocol: HTTP`" }
        }
        (Dialect::IngressNginx | Dialect::TraefikNginx, Protocol::Https) => {
            Ours { what: "annotation `backend-protocol: HTTPS`" }
        }
        (Dialect::IngressNginx | Dialect::TraefikNginx, Protocol::Grpc) | (Dialect::TraefikNginx, Protocol::H2c) => {
            Ours { what: "annotation `backend-protocol: GRPC`" }
        }
        (Dialect::Gateway, Protocol::Http) => Service { what: "no other `appProtocol`" },
        (Dialect::Gateway, Protocol::Https) => {
            Ours { what: "BackendTLSPolicy, with `backend_tls`; or one that somebody else has made" }
        }
        (Dialect::Gateway, Protocol::H2c | Protocol::Grpc) => Service { what: "`appProtocol: kubernetes.io/h2c`" },
        (Dialect::Other, Protocol::Http) => Ours { what: "as it is" },
        (Dialect::Other, _) => Unsupported {
            why: "this controller is not known, and the Ingress API has no field for it; say it by annotations, and leave \
                protocol out",
        },
    }
}

const MIDDLEWARE_HEADERS: &str = "Middleware, `headers`";
const FILTER: &str = "HTTPRoute, filter `ResponseHeaderModifier`";
/// ingress-nginx has headers for all hosts only, or for those that its administrator lets through.
const ADD_HEADERS: &str = "`add-headers` (headers for every host), or `global-allowed-response-headers` and the \
    annotation `custom-headers`, in the ConfigMap of ingress-nginx";
const NO_HEADERS: How = How::Unsupported {
    why: "Traefik reads no annotation of ingress-nginx for response headers; use the class of Traefik itself, or send \
        the header from the application",
};
const NOT_KNOWN: How = How::Unsupported {
    why: "this controller is not known, and the Ingress API has no field for it; set it in the controller, or send it \
        from the application",
};

const fn middleware(trace: &'static str) -> How {
    How::Object { what: MIDDLEWARE_HEADERS, trace }
}

const fn filter(trace: &'static str) -> How {
    How::Object { what: FILTER, trace }
}

/// The table: a row for each setting in the order of [`Setting::ALL`], a cell for each class in that of
/// [`Dialect::ALL`].
const TABLE: [(Setting, [How; 5]); 7] = [
    (
        Setting::SslRedirect,
        [
            How::Object {
                what: "Middleware, `redirectScheme` (301, 308 for other methods than GET)",
                trace: "redirectScheme",
            },
            How::Annotation { key: "nginx.ingress.kubernetes.io/force-ssl-redirect" },
            How::Annotation { key: "nginx.ingress.kubernetes.io/force-ssl-redirect" },
            How::Object {
                what: "HTTPRoute on the HTTP listener, filter `RequestRedirect` (301)",
                trace: "RequestRedirect",
            },
            How::Unsupported {
                why: "this controller is not known, and the Ingress API has no field for redirects; set it in the controller",
            },
        ],
    ),
    (
        Setting::HstsMaxAge,
        [
            middleware("stsSeconds"),
            How::Administrator {
                setting: "`hsts` and `hsts-max-age` in the ConfigMap of ingress-nginx (its own defaults: \"true\" and \
                    31536000, older releases 15724800)",
            },
            NO_HEADERS,
            filter("Strict-Transport-Security"),
            NOT_KNOWN,
        ],
    ),
    (
        Setting::HstsSubdomains,
        [
            middleware("stsIncludeSubdomains"),
            How::Administrator {
                setting: "`hsts-include-subdomains` in the ConfigMap of ingress-nginx (its own default: \"true\")",
            },
            NO_HEADERS,
            filter("includeSubDomains"),
            NOT_KNOWN,
        ],
    ),
    (
        Setting::FrameOptions,
        [
            middleware("customFrameOptionsValue"),
            How::Administrator { setting: ADD_HEADERS },
            NO_HEADERS,
            filter("X-Frame-Options"),
            NOT_KNOWN,
        ],
    ),
    (
        Setting::ContentSecurityPolicy,
        [
            middleware("contentSecurityPolicy"),
            How::Administrator { setting: ADD_HEADERS },
            NO_HEADERS,
            filter("Content-Security-Policy"),
            NOT_KNOWN,
        ],
    ),
    (
        Setting::ContentTypeNosniff,
        [
            middleware("contentTypeNosniff"),
            How::Administrator { setting: ADD_HEADERS },
            NO_HEADERS,
            filter("X-Content-Type-Options"),
            NOT_KNOWN,
        ],
    ),
    (
        Setting::RequestsPerMinute,
        [
            How::Object { what: "Middleware, `rateLimit` (429)", trace: "rateLimit" },
            How::Annotation { key: "nginx.ingress.kubernetes.io/limit-rpm" },
            How::Unsupported {
                why: "Traefik 3.6 does not read the annotation limit-rpm, which is set nevertheless; use the class of \
                    Traefik itself",
            },
            How::Unsupported {
                why: "the Gateway API has no rate limit; use a policy of the Gateway's implementation, or the class \
                    of Traefik",
            },
            NOT_KNOWN,
        ],
    ),
];

/// The table as Markdown, for the documentation.
pub fn support_markdown() -> String {
    let mut text = String::from("| `security` |");
    for dialect in Dialect::ALL {
        text.push_str(&format!(" {dialect} |"));
    }
    text.push_str("\n| --- |");
    text.push_str(&" --- |".repeat(Dialect::ALL.len()));
    for setting in Setting::ALL {
        text.push_str(&format!("\n| `{}` |", setting.attribute()));
        for dialect in Dialect::ALL {
            text.push_str(&match support(dialect, setting) {
                How::Object { what, .. } => format!(" {what} |"),
                How::Annotation { key } => format!(" annotation `{}` |", key.rsplit('/').next().unwrap_or(key)),
                How::Administrator { setting } => format!(" warning; the administrator sets {setting} |"),
                How::Unsupported { why } => format!(" warning; {why} |"),
            });
        }
    }
    text.push_str("\n\n| `protocol` |");
    for dialect in Dialect::ALL {
        text.push_str(&format!(" {dialect} |"));
    }
    text.push_str("\n| --- |");
    text.push_str(&" --- |".repeat(Dialect::ALL.len()));
    for protocol in Protocol::ALL {
        text.push_str(&format!("\n| `{}` |", protocol.as_str()));
        for dialect in Dialect::ALL {
            text.push_str(&match protocol_support(dialect, protocol) {
                ByProtocol::Ours { what } => format!(" {what} |"),
                ByProtocol::Service { what } => format!(" the Service has {what} |"),
                ByProtocol::Unsupported { why } => format!(" refused; {why} |"),
            });
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_where_they_are_looked_for() {
        for (setting, row) in Setting::ALL.into_iter().zip(TABLE) {
            assert_eq!(setting, row.0);
        }
    }

    #[test]
    fn the_table_reads_well() {
        insta::assert_snapshot!(support_markdown());
    }
}
