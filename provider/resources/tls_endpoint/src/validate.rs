//! What is wrong with a configuration beyond single attributes. Unknowns pass: they are looked at again when known.

mod certificate;
mod dns;
mod issuer;
mod route;

use ffe_session::check_ignored;
use tfplugin::{Diagnostics, Path};

use crate::model::TlsEndpoint;

pub(crate) fn validate(config: &TlsEndpoint) -> Diagnostics {
    let mut diagnostics = route::check(config);
    diagnostics.extend(issuer::check(config));
    diagnostics.extend(dns::check(config));
    diagnostics.extend(certificate::check(config));
    if let Some(settings) = config.drift.known() {
        let off = "an endpoint as a whole is always compared";
        diagnostics.extend(check_ignored(&settings.ignore, &Path::attribute("drift").child("ignore"), off));
    }
    diagnostics
}

/// The hosts that are known, with where they stand.
fn hosts(config: &TlsEndpoint) -> impl Iterator<Item = (&str, Path)> {
    let hosts = config.hosts.known().into_iter().flatten().enumerate();
    hosts.filter_map(|(index, host)| Some((host.as_str()?, Path::attribute("hosts").index(index))))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{endpoint, minimal};

    /// The messages of a configuration, as `path: summary`.
    fn said(more: Json) -> Vec<String> {
        let found = validate(&endpoint(minimal(more)));
        found.iter().map(|one| format!("{}: {}", one.path.clone().unwrap_or_default(), one.summary)).collect()
    }

    fn acme(solver: Json) -> Json {
        json!({ "issuer": { "acme": { "server": "letsencrypt", "solver": solver } } })
    }

    #[test]
    fn good_configurations_are_not_objected_to() {
        for good in [
            json!({}),
            json!({ "ingress_class": "traefik" }),
            json!({ "gateway": { "name": "web", "manage_listener": true }, "backend": { "service": "a", "port": "80" } }),
            json!({ "issuer": { "self_signed": {} } }),
            json!({ "issuer": { "ca": { "secret_name": "root" }, "kind": "ClusterIssuer" } }),
            acme(json!({ "http01": {} })),
            acme(json!({ "dns01_cloudflare": { "api_token_wo": "x" } })),
            acme(
                json!({ "dns01_rfc2136": { "nameserver": "10.0.0.53", "tsig_key_name": "k", "tsig_secret_wo": "cw==" } }),
            ),
            acme(json!("?")),
            json!({ "dns": { "target": "192.0.2.1", "ttl": 300, "zone": "example.com" } }),
            json!({ "dns": { "proxied": true, "ttl": 1 } }),
            json!({ "certificate": { "duration": "2160h", "private_key": { "algorithm": "ECDSA", "size": 384 } } }),
            json!({ "alert": { "expiry_warning": "24h" }, "verify": { "redirect": false } }),
            json!({ "security": { "ssl_redirect": false }, "verify": { "redirect": false } }),
            json!({ "path": "/v1", "verify": { "path": "/v1/health?deep=1", "checks": [{ "path": "/other", "status": 404 }] } }),
            json!({ "path": "/v1", "path_type": "Exact", "verify": { "path": "/v1?a=b" } }),
            json!({ "path": "?", "verify": { "path": "/health" } }),
            json!({ "backend": null, "backends": "?" }),
            json!({ "backend": "?" }),
            json!({ "backend": null, "backends": [{ "path": "/v1", "service": "?", "port": "http" }, "?"] }),
            json!({ "backend": null, "backends": [{ "path": "/v1", "service": "web", "port": "http" },
                { "path": "/v2", "path_type": "ImplementationSpecific", "service": "web", "port": "80" }], "verify": { "path": "/v2/up" } }),
            json!({ "path": "/v1(/|$)(.*)", "path_type": "ImplementationSpecific", "verify": { "path": "/v1/up" } }),
            json!({ "certificate": { "renew_before": "720h" }, "alert": { "expiry_warning": "2000h" } }),
            json!({ "certificate": { "renew_before": "2400h", "duration": "8760h" } }),
            json!({ "drift": { "ignore": [{ "kind": "Ingress", "paths": ["/metadata/annotations", "?"] }, { "name": "?" }, "?"] } }),
            json!({ "issuer": "?", "dns": "?", "gateway": "?", "certificate": "?", "verify": "?", "security": "?" }),
        ] {
            assert_eq!(said(good.clone()), Vec::<String>::new(), "{good}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_named_at_its_attribute() {
        let wildcard = |solver: Json| {
            let mut config = acme(solver);
            config["hosts"] = json!(["api.example.com", "*.example.com"]);
            config
        };
        for (bad, expected) in [
            (json!({ "ingress_class": "traefik", "gateway": { "name": "web" } }), "gateway: ingress_class and gateway"),
            (json!({ "gateway": { "name": "w" }, "backend": { "service": "a", "port": "http" } }), "backend.port: "),
            (
                json!({ "gateway": { "name": "w" }, "path_type": "ImplementationSpecific", "backend": { "service": "a", "port": "1" } }),
                "path_type: ",
            ),
            (json!({ "security": { "hsts_max_age": 0, "hsts_subdomains": true } }), "security.hsts_subdomains: "),
            (json!({ "security": { "ssl_redirect": false }, "verify": { "redirect": true } }), "verify.redirect: "),
            (json!({ "verify": { "from": "inside", "resolve_to": "10.0.0.1" } }), "verify.resolve_to: "),
            (
                json!({ "verify": { "from": "here", "controller": { "namespace": "a", "service": "b" } } }),
                "verify.controller: ",
            ),
            (
                json!({ "verify": { "checks": [{ "path": "/a" }, { "path": "/b", "bearer_wo": "two words" }] } }),
                "verify.checks[1].bearer_wo: ",
            ),
            (json!({ "issuer": {} }), "issuer.name: "),
            (json!({ "issuer": { "self_signed": {}, "ca": { "secret_name": "root" } } }), "issuer.self_signed: "),
            (acme(json!({})), "issuer.acme.solver: "),
            (
                acme(json!({ "http01": {}, "dns01_rfc2136": { "nameserver": "10.0.0.53" } })),
                "issuer.acme.solver.dns01_rfc2136: ",
            ),
            (
                acme(json!({ "http01": { "ingress_class": "a", "gateway": { "name": "b" } } })),
                "issuer.acme.solver.http01.gateway: ",
            ),
            (
                acme(json!({ "dns01_rfc2136": { "nameserver": "10.0.0.53", "tsig_key_name": "k" } })),
                "issuer.acme.solver.dns01_rfc2136.tsig_secret_wo: ",
            ),
            (
                acme(json!({ "dns01_rfc2136": { "nameserver": "10.0.0.53", "tsig_secret_wo": "cw==" } })),
                "issuer.acme.solver.dns01_rfc2136.tsig_key_name: ",
            ),
            (
                acme(json!({ "dns01_rfc2136": { "nameserver": "10.0.0.53", "tsig_algorithm": "HMACSHA512" } })),
                "issuer.acme.solver.dns01_rfc2136.tsig_key_name: ",
            ),
            (wildcard(json!({ "http01": {} })), "hosts[1]: "),
            (json!({ "dns": { "proxied": true, "ttl": 300 } }), "dns.ttl: "),
            (json!({ "dns": { "zone": "example.org" } }), "hosts[0]: "),
            (json!({ "dns": { "target": "api.example.com" } }), "dns.target: "),
            (json!({ "certificate": { "duration": "30m" } }), "certificate.duration: "),
            (json!({ "certificate": { "renew_before": "1m" } }), "certificate.renew_before: "),
            (json!({ "certificate": { "duration": "24h", "renew_before": "24h" } }), "certificate.renew_before: "),
            (
                json!({ "certificate": { "private_key": { "algorithm": "Ed25519", "size": 256 } } }),
                "certificate.private_key.size: ",
            ),
            (json!({ "certificate": { "private_key": { "size": 256 } } }), "certificate.private_key.size: "),
            (
                json!({ "certificate": { "private_key": { "algorithm": "ECDSA", "size": 2048 } } }),
                "certificate.private_key.size: ",
            ),
            (json!({ "certificate": { "renew_before": "2160h" } }), "certificate.renew_before: "),
            (json!({ "backend": null }), "backend: "),
            (json!({ "backends": [{ "path": "/", "service": "web", "port": "80" }] }), "backend: "),
            (json!({ "backend": null, "backends": [] }), "backends: "),
            (
                json!({ "backend": null, "path": "/v1", "backends": [{ "path": "/", "service": "web", "port": "80" }] }),
                "path: ",
            ),
            (
                json!({ "backend": null, "gateway": { "name": "web" }, "backends": [
                    { "path": "/", "service": "web", "port": "80" }, { "path": "/api", "service": "web", "port": "http" },
                ] }),
                "backends[1].port: ",
            ),
            (
                json!({ "backend": null, "backends": [{ "path": "/v1", "service": "web", "port": "80" }, { "path": "/v2", "path_type": "Exact",
                    "service": "web", "port": "80" }], "verify": { "path": "/v2/up" } }),
                "verify.path: ",
            ),
            (json!({ "path": "/v1", "verify": { "path": "/health" } }), "verify.path: "),
            (json!({ "path": "/v1/", "verify": { "path": "/v10" } }), "verify.path: "),
            (json!({ "path": "/v1", "path_type": "Exact", "verify": { "path": "/v1/a" } }), "verify.path: "),
            (json!({ "verify": { "wildcard_label": "demo" } }), "verify.wildcard_label: "),
            (json!({ "drift": { "ignore": [{ "kind": "Ingress" }, {}] } }), "drift.ignore[1]: "),
            (json!({ "drift": { "ignore": [{ "kind": "Ingress", "paths": [] }] } }), "drift.ignore[0].paths: "),
            (json!({ "drift": { "ignore": [{ "paths": ["spec.rules"] }] } }), "drift.ignore[0].paths[0]: "),
        ] {
            let said = said(bad.clone());
            assert!(said.len() == 1 && said[0].starts_with(expected), "{bad}: {said:?}");
        }
    }

    #[test]
    fn what_an_acme_server_will_not_do_is_a_warning() {
        let mut config = acme(json!({ "http01": {} }));
        config["certificate"] = json!({ "duration": "2160h" });
        let found = validate(&endpoint(minimal(config)));
        assert!(!found.has_errors() && found.iter().count() == 1, "{found}");
    }
}
