//! What is a pure function of the configuration, and so known at plan whenever the configuration is.
//!
//! Nothing here looks at a prior value: an attribute that is removed from the configuration falls back to its default.

use std::time::Duration;

use ffe_cluster::{format_duration, parse_duration};
use tfplugin::Attr;

use crate::model::{Certificate, Gateway, Issuer, Security, TlsEndpoint};
use crate::names::Names;

/// How long before its end a certificate is renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(720 * 3600);
/// From how long before its end on there is an alert.
const EXPIRY_WARNING: Duration = Duration::from_secs(168 * 3600);
/// One year.
const HSTS_MAX_AGE: i64 = 31_536_000;
/// What a page may load where nothing else is said.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'";

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
    planned.security = security(&config.security);
    if let (Attr::Known(planned), Attr::Known(given)) = (&mut planned.certificate, &config.certificate) {
        planned.renew_before = renew_before(given);
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
            (_, Attr::Known(rfc2136)) => rfc2136.tsig_key_name.as_ref().map(|_| true).or(Attr::Known(false)),
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

fn security(configured: &Attr<Security>) -> Attr<Security> {
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
    Attr::Known(Security {
        ssl_redirect: given.ssl_redirect.or(Attr::Known(true)),
        hsts_max_age: given.hsts_max_age.or(Attr::Known(HSTS_MAX_AGE)),
        hsts_subdomains: given.hsts_subdomains.or(Attr::Known(false)),
        frame_options: given.frame_options.or("DENY".into()),
        content_security_policy: given.content_security_policy.or(CONTENT_SECURITY_POLICY.into()),
        content_type_nosniff: given.content_type_nosniff.or(Attr::Known(true)),
        requests_per_minute: given.requests_per_minute,
    })
}

fn renew_before(certificate: &Certificate) -> Attr<String> {
    let default = match &certificate.duration {
        Attr::Unknown => Attr::Unknown,
        duration => {
            let whole = duration.as_str().and_then(|text| parse_duration(text).ok());
            format_duration(default_renew_before(whole)).into()
        }
    };
    certificate.renew_before.clone().or(default)
}

/// How long before its end a certificate of this duration is renewed.
pub(crate) fn default_renew_before(duration: Option<Duration>) -> Duration {
    let third = duration.map(|whole| Duration::from_secs((whole / 3).as_secs()));
    third.map_or(RENEW_BEFORE, |third| third.min(RENEW_BEFORE))
}

/// From how long before the end there is an alert on a certificate that is renewed so long before it.
pub(crate) fn default_expiry_warning(renew_before: Duration) -> Duration {
    Duration::from_secs((renew_before / 2).as_secs()).min(EXPIRY_WARNING)
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
        assert_eq!(other.frame_options.as_str(), Some("SAMEORIGIN"));
        assert_eq!((other.requests_per_minute, other.ssl_redirect), (Attr::Known(100), Attr::Known(true)));
        assert!(settled(json!({ "security": "?" })).security.is_unknown());
    }

    #[test]
    fn a_short_certificate_is_renewed_in_its_last_third_and_the_alert_is_later() {
        let renew = |certificate: Json| {
            settled(json!({ "certificate": certificate })).certificate.known().unwrap().renew_before.clone()
        };
        assert_eq!(renew(json!({})), "720h".into());
        assert_eq!(renew(json!({ "duration": "2160h" })), "720h".into());
        assert_eq!(renew(json!({ "duration": "24h" })), "8h".into());
        assert_eq!(renew(json!({ "duration": "24h", "renew_before": "1h" })), "1h".into());
        assert_eq!(renew(json!({ "duration": "?" })), Attr::Unknown);
        assert_eq!(default_expiry_warning(RENEW_BEFORE), EXPIRY_WARNING);
        assert_eq!(default_expiry_warning(Duration::from_secs(8 * 3600)), Duration::from_secs(4 * 3600));
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
