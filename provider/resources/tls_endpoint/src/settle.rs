//! What is a pure function of the configuration, and so known at plan whenever the configuration is.
//!
//! Nothing here looks at a prior value: an attribute that is removed from the configuration falls back to its default.

use ffe_routing::{Backend, PathType, Rule};
use tfplugin::Attr;

use crate::model::{Gateway, Issuer, Security, SecurityBefore, TlsEndpoint, Verify};
use crate::names::Names;

/// One year.
const HSTS_MAX_AGE: i64 = 31_536_000;
/// What is asked for where an endpoint serves all of its hosts.
const HEALTH: &str = "/health";

/// Fills `planned` in from `config`.
pub(crate) fn settle(config: &TlsEndpoint, planned: &mut TlsEndpoint) {
    planned.secret_name = config.secret_name.clone().or(config.name.as_ref().map(|name| Names::default_secret(name)));
    planned.gateway = config.gateway.clone().map(|gateway| Gateway {
        namespace: gateway.namespace.or(config.namespace.clone()),
        manage_listener: gateway.manage_listener.or(Attr::Known(false)),
        ..gateway
    });
    if let (Attr::Known(planned), Attr::Known(given)) = (&mut planned.issuer, &config.issuer) {
        planned.name = issuer_name(config, given);
    }
    if planned.security_before.is_unknown() {
        // Taking over is a matter of the plan, which looks at what is there.
        planned.security_before = Attr::Null;
    }
    planned.security = security(&config.security, planned.security_before.known());
    if let (Attr::Known(planned), Attr::Known(given)) = (&mut planned.verify, &config.verify) {
        (planned.path, planned.status) = looked_for(config, Some(given));
    }
    planned.urls = urls(config);
    planned.url = match &planned.urls {
        Attr::Known(urls) => urls.first().cloned().unwrap_or_default(),
        _ => first_url(config),
    };
    if config.dns.is_null() {
        planned.dns_records = Attr::Null;
    }
    match credentials(config) {
        Attr::Known(true) | Attr::Unknown => {}
        _ => planned.credentials_revision = Attr::Null,
    }
    // What an apply comes to: nothing that drifted is left. Where a refresh found some, this makes the plan a change.
    planned.drifted = Attr::Known(Vec::new());
}

/// Whether the issuer is the endpoint's own.
pub(crate) fn owns_issuer(issuer: &Issuer) -> Attr<bool> {
    if issuer.acme.is_known() || issuer.ca.is_known() || issuer.self_signed.is_known() {
        Attr::Known(true)
    } else if issuer.acme.is_unknown() || issuer.ca.is_unknown() || issuer.self_signed.is_unknown() {
        Attr::Unknown
    } else {
        Attr::Known(false)
    }
}

/// Whether the issuer has credentials of its own.
fn credentials(config: &TlsEndpoint) -> Attr<bool> {
    let Attr::Known(issuer) = &config.issuer else { return Attr::Unknown };
    let solver = match &issuer.acme {
        Attr::Null => return Attr::Known(false),
        Attr::Unknown => return Attr::Unknown,
        Attr::Known(acme) => &acme.solver,
    };
    match solver {
        Attr::Null => Attr::Known(false),
        Attr::Unknown => Attr::Unknown,
        Attr::Known(solver) => match (&solver.dns01_cloudflare, &solver.dns01_rfc2136) {
            (Attr::Known(_), _) => Attr::Known(true),
            (_, Attr::Known(rfc2136)) => rfc2136.is_signed(),
            (Attr::Null, Attr::Null) => Attr::Known(false),
            _ => Attr::Unknown,
        },
    }
}

fn issuer_name(config: &TlsEndpoint, issuer: &Issuer) -> Attr<String> {
    let kind = issuer.kind.clone().or("Issuer".into());
    let default = match (owns_issuer(issuer), &config.namespace, &config.name, kind.as_str()) {
        // One that exists has a name; validation asks for it.
        (Attr::Known(false), ..) => Attr::Null,
        (Attr::Known(true), Attr::Known(namespace), Attr::Known(name), Some(kind)) => {
            Names::new(namespace, name).default_issuer(kind).into()
        }
        _ => Attr::Unknown,
    };
    issuer.name.clone().or(default)
}

/// What `security` comes to: as it is written, else as it was where the site was taken over, else the defaults.
pub(crate) fn security(configured: &Attr<Security>, before: Option<&SecurityBefore>) -> Attr<Security> {
    let given = match configured {
        Attr::Unknown => return Attr::Unknown,
        Attr::Null => Security {
            ssl_redirect: Attr::Null,
            hsts_max_age: Attr::Null,
            hsts_subdomains: Attr::Null,
            frame_options: Attr::Null,
            content_security_policy: Attr::Null,
            content_type_nosniff: Attr::Null,
            requests_per_minute: Attr::Null,
        },
        Attr::Known(given) => given.clone(),
    };
    let before = before.cloned().unwrap_or(SecurityBefore {
        ssl_redirect: Attr::Known(true),
        hsts_max_age: Attr::Known(HSTS_MAX_AGE),
        hsts_subdomains: Attr::Known(false),
        frame_options: Attr::Null,
        content_security_policy: Attr::Null,
        content_type_nosniff: Attr::Known(true),
        requests_per_minute: Attr::Null,
    });
    // Without the header there are no names below it to speak of.
    let off = given.hsts_max_age == Attr::Known(0);
    let subdomains = if off { Attr::Known(false) } else { before.hsts_subdomains };
    Attr::Known(Security {
        ssl_redirect: given.ssl_redirect.or(before.ssl_redirect),
        hsts_max_age: given.hsts_max_age.or(before.hsts_max_age),
        hsts_subdomains: given.hsts_subdomains.or(subdomains),
        frame_options: given.frame_options.or(before.frame_options),
        content_security_policy: given.content_security_policy.or(before.content_security_policy),
        content_type_nosniff: given.content_type_nosniff.or(before.content_type_nosniff),
        requests_per_minute: given.requests_per_minute.or(before.requests_per_minute),
    })
}

/// Which path is asked for, and which status is expected of it; a status of none is any answer of the application.
pub(crate) fn looked_for(config: &TlsEndpoint, verify: Option<&Verify>) -> (Attr<String>, Attr<i64>) {
    let (path, status) = verify.map_or((Attr::Null, Attr::Null), |given| (given.path.clone(), given.status));
    let served = served(config);
    let is_own = path.is_null() && served.as_str() != Some(HEALTH);
    let expected = match (&path, &served) {
        (Attr::Null, Attr::Unknown) | (Attr::Unknown, _) => Attr::Unknown,
        _ if is_own => Attr::Null,
        _ => Attr::Known(200),
    };
    (path.or(served), status.or(expected))
}

/// What is asked for where nothing is said of it.
fn served(config: &TlsEndpoint) -> Attr<String> {
    let paths: Vec<(&Attr<String>, &Attr<String>)> = match &config.backends {
        Attr::Unknown => return Attr::Unknown,
        Attr::Null => vec![(&config.path, &config.path_type)],
        Attr::Known(backends) => backends.iter().map(|one| (&one.path, &one.path_type)).collect(),
    };
    if paths.iter().any(|(path, kind)| path.is_unknown() || kind.is_unknown()) {
        return Attr::Unknown;
    }
    let rules = paths.into_iter().map(|(path, kind)| {
        let path_type = kind.as_str().and_then(PathType::parse).unwrap_or_default();
        Rule { path_type, ..Rule::new(path.as_str().unwrap_or("/"), Backend::new("", 80)) }
    });
    let rules: Vec<Rule> = rules.collect();
    let all = rules.iter().any(|rule| rule.path == "/" && rule.path_type != PathType::Exact);
    match rules.first() {
        Some(first) if !all => first.literal().into(),
        _ => HEALTH.into(),
    }
}

fn url(host: &str) -> Option<String> {
    (!host.starts_with("*.")).then(|| format!("https://{host}"))
}

fn urls(config: &TlsEndpoint) -> Attr<Vec<Attr<String>>> {
    let Attr::Known(hosts) = &config.hosts else { return config.hosts.clone() };
    if hosts.iter().any(Attr::is_unknown) {
        return Attr::Unknown;
    }
    Attr::Known(hosts.iter().filter_map(|host| url(host.as_str()?)).map(Attr::Known).collect())
}

/// The first URL where only later hosts are not known.
fn first_url(config: &TlsEndpoint) -> Attr<String> {
    let first = config.hosts.known().and_then(|hosts| hosts.first());
    first.and_then(Attr::as_str).and_then(url).map_or(Attr::Unknown, Attr::Known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{endpoint, minimal};

    fn settled(more: Json) -> TlsEndpoint {
        let config = endpoint(minimal(more));
        let mut planned = config.clone();
        settle(&config, &mut planned);
        planned
    }

    #[test]
    fn names_and_urls_follow_from_the_configuration() {
        let planned = settled(json!({ "hosts": ["a.example.com", "*.example.com", "b.example.com"] }));
        assert_eq!(planned.secret_name.as_str(), Some("api-tls"));
        assert_eq!(planned.url.as_str(), Some("https://a.example.com"));
        let urls: Vec<_> = planned.urls.known().unwrap().iter().filter_map(Attr::as_str).collect();
        assert_eq!(urls, ["https://a.example.com", "https://b.example.com"]);
        assert_eq!(planned.drifted, Attr::Known(Vec::new()));
        assert_eq!(settled(json!({ "hosts": ["*.example.com"] })).url, Attr::Null);
        assert_eq!(
            settled(json!({ "gateway": { "name": "web" } })).gateway.known().unwrap().namespace.as_str(),
            Some("ffe")
        );
    }

    #[test]
    fn an_own_issuer_has_a_name_and_a_cluster_wide_one_its_namespace_in_it() {
        let name = |issuer: Json| settled(json!({ "issuer": issuer })).issuer.known().unwrap().name.clone();
        assert_eq!(name(json!({ "self_signed": {} })), "api".into());
        assert_eq!(name(json!({ "self_signed": {}, "kind": "ClusterIssuer" })), "ffe-api".into());
        assert_eq!(name(json!({ "self_signed": {}, "name": "mine" })), "mine".into());
        assert_eq!(name(json!({ "self_signed": {}, "kind": "?" })), Attr::Unknown);
        assert_eq!(name(json!({ "ca": "?" })), Attr::Unknown);
        assert_eq!(name(json!({})), Attr::Null);
    }

    #[test]
    fn security_falls_back_to_its_defaults_one_by_one() {
        let whole = settled(json!({})).security;
        assert_eq!(whole.known().unwrap().hsts_max_age, Attr::Known(31_536_000));
        assert_eq!(settled(json!({ "security": {} })).security, whole);
        let other =
            settled(json!({ "security": { "frame_options": "SAMEORIGIN", "requests_per_minute": 100 } })).security;
        let other = other.known().unwrap();
        assert_eq!(
            (&whole.known().unwrap().frame_options, &whole.known().unwrap().content_security_policy),
            (&Attr::Null, &Attr::Null)
        );
        assert_eq!(other.frame_options.as_str(), Some("SAMEORIGIN"));
        assert_eq!((other.requests_per_minute, other.ssl_redirect), (Attr::Known(100), Attr::Known(true)));
        assert!(settled(json!({ "security": "?" })).security.is_unknown());
    }

    #[test]
    fn what_was_taken_over_stays_as_it_was_and_what_is_written_counts() {
        let before = SecurityBefore {
            ssl_redirect: Attr::Known(false),
            hsts_max_age: Attr::Known(0),
            hsts_subdomains: Attr::Known(false),
            frame_options: Attr::Null,
            content_security_policy: "default-src https:".into(),
            content_type_nosniff: Attr::Known(false),
            requests_per_minute: Attr::Null,
        };
        let of = |given: Json| {
            let config = endpoint(minimal(given));
            let mut planned = TlsEndpoint { security_before: before.clone().into(), ..config.clone() };
            settle(&config, &mut planned);
            assert_eq!(planned.security_before, Attr::Known(before.clone()), "it is kept");
            planned.security.known().unwrap().clone()
        };
        let kept = of(json!({}));
        assert_eq!(
            (kept.ssl_redirect, kept.hsts_max_age, kept.content_type_nosniff),
            (Attr::Known(false), Attr::Known(0), Attr::Known(false))
        );
        assert_eq!(kept.content_security_policy.as_str(), Some("default-src https:"));
        let written = of(json!({ "security": { "hsts_max_age": 60, "content_security_policy": "" } }));
        assert_eq!((written.hsts_max_age, written.ssl_redirect), (Attr::Known(60), Attr::Known(false)));
        assert_eq!(written.content_security_policy.as_str(), Some(""));
    }

    #[test]
    fn without_the_header_nothing_is_said_of_names_below() {
        let before = SecurityBefore {
            ssl_redirect: Attr::Known(true),
            hsts_max_age: Attr::Known(3600),
            hsts_subdomains: Attr::Known(true),
            frame_options: Attr::Null,
            content_security_policy: Attr::Null,
            content_type_nosniff: Attr::Known(true),
            requests_per_minute: Attr::Null,
        };
        let given = endpoint(minimal(json!({ "security": { "hsts_max_age": 0 } }))).security;
        assert_eq!(security(&given, Some(&before)).known().unwrap().hsts_subdomains, Attr::Known(false));
    }

    #[test]
    fn it_is_looked_where_the_endpoint_serves() {
        let of = |more: Json| {
            let verify = settled(more).verify;
            let verify = verify.known().unwrap();
            (verify.path.clone(), verify.status)
        };
        for (more, path, status) in [
            (json!({ "verify": {} }), "/health", Attr::Known(200)),
            (json!({ "path": "/v1", "verify": {} }), "/v1", Attr::Null),
            (json!({ "path": "/", "path_type": "Exact", "verify": {} }), "/", Attr::Null),
            (json!({ "path": "/v1", "verify": { "path": "/v1/up" } }), "/v1/up", Attr::Known(200)),
            (json!({ "path": "/v1", "verify": { "status": 401 } }), "/v1", Attr::Known(401)),
            (json!({ "path": "/v1(/|$)(.*)", "path_type": "ImplementationSpecific", "verify": {} }), "/v1", Attr::Null),
        ] {
            assert_eq!(of(more.clone()), (path.into(), status), "{more}");
        }
        let backends = |all: Json| of(json!({ "backend": null, "backends": all, "verify": {} }));
        let one = |path: &str| json!({ "path": path, "service": "web", "port": "80" });
        assert_eq!(backends(json!([one("/v1"), one("/")])), ("/health".into(), Attr::Known(200)));
        assert_eq!(backends(json!([one("/v1"), one("/v2")])), ("/v1".into(), Attr::Null));
        assert_eq!(backends(json!("?")), (Attr::Unknown, Attr::Unknown));
        assert_eq!(of(json!({ "path": "?", "verify": {} })), (Attr::Unknown, Attr::Unknown));
        assert_eq!(of(json!({ "verify": { "path": "?" } })), (Attr::Unknown, Attr::Unknown));
    }

    #[test]
    fn what_the_configuration_does_not_know_yet_is_unknown_and_the_rest_is_known() {
        let planned = settled(json!({ "name": "?", "hosts": ["a.example.com", "?"] }));
        assert!(planned.secret_name.is_unknown() && planned.urls.is_unknown());
        assert_eq!(planned.url.as_str(), Some("https://a.example.com"));
        assert!(settled(json!({ "hosts": "?" })).url.is_unknown());
    }

    #[test]
    fn there_is_a_revision_only_where_there_are_credentials() {
        let revision = |solver: Json| {
            let issuer = json!({ "acme": { "server": "letsencrypt", "solver": solver } });
            let config = endpoint(minimal(json!({ "issuer": issuer })));
            let mut planned = TlsEndpoint { credentials_revision: Attr::Unknown, ..config.clone() };
            settle(&config, &mut planned);
            planned.credentials_revision
        };
        assert_eq!(revision(json!({ "http01": {} })), Attr::Null);
        assert_eq!(revision(json!({ "dns01_cloudflare": { "api_token_wo": "x" } })), Attr::Unknown);
        assert_eq!(revision(json!({ "dns01_rfc2136": { "nameserver": "10.0.0.53" } })), Attr::Null);
        assert_eq!(revision(json!("?")), Attr::Unknown);
    }
}
