//! An endpoint with everything decided: what the objects are built from.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ffe_cert_manager::{
    Acme, CertificateSpec, DnsProvider, IssuerKind, IssuerRef, IssuerSpec, KeyAlgorithm, ParentGateway, PrivateKey,
    Rotation, SecretKey, Solver, Way, account_secret, credentials_secret,
};
use ffe_cluster::parse_duration;
use ffe_dns::Adopt;
use ffe_routing::{Backend, BackendTls, Class, GatewayRef, Middleware, PathType, Protocol, Route, Rule, Security};
use tfplugin::Attr;

use crate::checks::TARGET_INGRESS;
use crate::model::{self, TlsEndpoint};
use crate::names::Names;

/// Who keeps records, where nothing else is said.
pub(crate) const CLOUDFLARE: &str = "cloudflare";
/// A name server of one's own.
pub(crate) const RFC2136: &str = "rfc2136";
/// As long as the provider thinks best.
const AUTOMATIC: u32 = 1;
/// Entry of the Secret with Cloudflare's token.
pub(crate) const API_TOKEN: &str = "api-token";
/// Entry of the Secret with the key that signs updates.
pub(crate) const TSIG_SECRET: &str = "tsig-secret";

/// A wholly known endpoint, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) names: Names,
    pub(crate) hosts: Vec<String>,
    pub(crate) route: Route,
    /// Whom the certificate asks.
    pub(crate) issuer: IssuerRef,
    /// What that is, where it is the endpoint's own.
    pub(crate) own_issuer: Option<OwnIssuer>,
    pub(crate) certificate: CertificateSpec,
    pub(crate) dns: Option<DnsSpec>,
    pub(crate) alert: Option<AlertSpec>,
    pub(crate) keep_secret: bool,
    /// What others have may be taken over, or served beside.
    pub(crate) adopt: bool,
    /// Until the certificate is issued.
    pub(crate) timeout: Duration,
}

/// An issuer of the endpoint's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnIssuer {
    /// What it is.
    pub(crate) what: IssuerSpec,
    /// Hosts are shown to be ours by whatever serves the endpoint itself: what that is, only the cluster says, and the solver is a
    /// place holder.
    pub(crate) by_its_route: bool,
}

/// The records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DnsSpec {
    /// Who keeps them.
    pub(crate) provider: String,
    pub(crate) zone: Option<String>,
    /// None: the address that the route gets.
    pub(crate) target: Option<String>,
    pub(crate) proxied: bool,
    pub(crate) ttl: u32,
    pub(crate) adopt: Adopt,
}

/// The alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AlertSpec {
    /// Not before so much is left of the certificate's life; none: as soon as its renewal is overdue.
    pub(crate) before: Option<Duration>,
    pub(crate) labels: BTreeMap<String, String>,
    /// The configuration asks for it.
    pub(crate) demanded: bool,
}

impl OwnIssuer {
    /// What it reads of a Secret that we write.
    pub(crate) fn credentials(&self) -> Option<SecretKey> {
        match &self.what {
            IssuerSpec::Acme(_) => self.what.secrets().into_iter().next(),
            _ => None,
        }
    }

    /// Whether there is such a Secret.
    pub(crate) fn has_credentials(&self) -> bool {
        self.credentials().is_some()
    }
}

impl Spec {
    /// From a plan or a state; `None` where something is not known, as in the state of an endpoint that was
    /// imported and is not taken over yet.
    pub(crate) fn of(model: &TlsEndpoint) -> Option<Spec> {
        let names = Names::new(model.namespace.as_str()?, model.name.as_str()?);
        let hosts: Vec<String> =
            model.hosts.known()?.iter().map(|host| host.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        let secret_name = model.secret_name.as_str()?.to_owned();
        let issuer = model.issuer.known()?;
        let reference = issuer_ref(issuer)?;
        let certificate = certificate(model, &secret_name, &hosts, &reference)?;
        Some(Spec {
            route: route(model, &names, &hosts, &secret_name)?,
            own_issuer: own_issuer(issuer, &reference, &names)?,
            issuer: reference,
            dns: match &model.dns {
                Attr::Null => None,
                dns => Some(dns_spec(dns.known()?)?),
            },
            alert: alert(model),
            certificate,
            keep_secret: model.keep_secret.unwrap_or(true),
            adopt: model.adopt.unwrap_or(false),
            timeout: duration(&model.timeout, 600),
            names,
            hosts,
        })
    }
}

/// A duration that the schema has checked; `default` seconds where it is not set.
pub(crate) fn duration(attribute: &Attr<String>, default: u64) -> Duration {
    attribute.as_str().and_then(|text| parse_duration(text).ok()).unwrap_or(Duration::from_secs(default))
}

/// Known text, or nothing where it is null; `None` where it is unknown.
fn optional(attribute: &Attr<String>) -> Option<Option<String>> {
    match attribute {
        Attr::Unknown => None,
        attribute => Some(attribute.as_str().map(str::to_owned)),
    }
}

fn route(model: &TlsEndpoint, names: &Names, hosts: &[String], secret_name: &str) -> Option<Route> {
    let rules = rules(model)?;
    let class = match &model.gateway {
        Attr::Unknown => return None,
        Attr::Null => Class::Ingress(optional(&model.ingress_class)?),
        Attr::Known(gateway) => Class::Gateway(GatewayRef {
            namespace: gateway.namespace.as_str().unwrap_or(&names.namespace).to_owned(),
            name: gateway.name.as_str()?.to_owned(),
            manage_listener: gateway.manage_listener.unwrap_or(false),
        }),
    };
    let security = model.security.known()?;
    let header = |text: &Attr<String>| text.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    Some(
        Route {
            security: Security {
                ssl_redirect: security.ssl_redirect.unwrap_or(true),
                hsts_max_age: security
                    .hsts_max_age
                    .known()
                    .and_then(|age| u64::try_from(*age).ok())
                    .filter(|age| *age > 0),
                hsts_subdomains: security.hsts_subdomains.unwrap_or(false),
                frame_options: header(&security.frame_options),
                content_security_policy: header(&security.content_security_policy),
                content_type_nosniff: security.content_type_nosniff.unwrap_or(true),
                requests_per_minute: security.requests_per_minute.known().and_then(|limit| u32::try_from(*limit).ok()),
            },
            middlewares: middlewares(model, &names.namespace)?,
            annotations: pairs(&model.annotations)?,
            labels: pairs(&model.labels)?,
            backend_tls: match &model.backend_tls {
                Attr::Null => None,
                trust => {
                    let trust = trust.known()?;
                    let hostname = trust.hostname.as_str()?.to_owned();
                    Some(BackendTls { hostname, ca_config_map: optional(&trust.ca_config_map)? })
                }
            },
            ..Route::new(&names.namespace, &names.name, hosts, secret_name, rules.first()?.backend.clone(), class)
        }
        .leading_to(rules),
    )
}

/// Which paths lead where; `None` where something of it is not known.
pub(crate) fn rules(model: &TlsEndpoint) -> Option<Vec<Rule>> {
    let rule = |path: &str, kind: &Attr<String>, backend: [&Attr<String>; 3]| {
        let path_type = PathType::parse(optional(kind)?.as_deref().unwrap_or("Prefix"))?;
        let [service, port, protocol] = backend;
        let protocol = optional(protocol)?.as_deref().and_then(Protocol::parse);
        let backend = Backend { protocol, ..Backend::new(service.as_str()?, port.as_str()?) };
        Some(Rule { path_type, ..Rule::new(path, backend) })
    };
    match (&model.backends, &model.backend) {
        (Attr::Null, Attr::Known(backend)) => {
            let path = optional(&model.path)?;
            let path = path.as_deref().unwrap_or("/");
            Some(vec![rule(path, &model.path_type, [&backend.service, &backend.port, &backend.protocol])?])
        }
        (Attr::Known(backends), _) => {
            let backend = |one: &model::PathBackend| {
                rule(one.path.as_str()?, &one.path_type, [&one.service, &one.port, &one.protocol])
            };
            backends.iter().map(backend).collect()
        }
        _ => None,
    }
}

fn middlewares(model: &TlsEndpoint, namespace: &str) -> Option<Vec<Middleware>> {
    let all = match &model.middlewares {
        Attr::Null => return Some(Vec::new()),
        all => all.known()?,
    };
    let of = |one: &model::Middleware| {
        let default = Middleware::new(&optional(&one.namespace)?.unwrap_or(namespace.to_owned()), one.name.as_str()?);
        Some(Middleware {
            group: optional(&one.group)?.unwrap_or(default.group),
            kind: optional(&one.kind)?.unwrap_or(default.kind),
            ..default
        })
    };
    all.iter().map(of).collect()
}

fn pairs(map: &Attr<BTreeMap<String, Attr<String>>>) -> Option<BTreeMap<String, String>> {
    match map {
        Attr::Null => Some(BTreeMap::new()),
        map => map.known()?.iter().map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
    }
}

fn issuer_ref(issuer: &model::Issuer) -> Option<IssuerRef> {
    let group = optional(&issuer.group)?;
    let kind = IssuerKind::of(group.as_deref(), issuer.kind.as_str()?).ok()?;
    Some(IssuerRef { name: issuer.name.as_str()?.to_owned(), kind })
}

fn own_issuer(issuer: &model::Issuer, reference: &IssuerRef, names: &Names) -> Option<Option<OwnIssuer>> {
    let own = |what| Some(Some(OwnIssuer { what, by_its_route: false }));
    if let Some(acme) = issuer.acme.known() {
        let (way, by_its_route) = way(acme.solver.known()?, reference, names)?;
        let what = IssuerSpec::Acme(Box::new(Acme {
            server: acme.server.as_str()?.to_owned(),
            email: optional(&acme.email)?,
            ca_bundle: optional(&acme.ca_bundle)?,
            profile: optional(&acme.profile)?,
            preferred_chain: None,
            account_key_secret: account_secret(&reference.name),
            external_account: None,
            solvers: vec![Solver::of(way)],
        }));
        return Some(Some(OwnIssuer { what, by_its_route }));
    }
    if let Some(ca) = issuer.ca.known() {
        return own(IssuerSpec::Ca { secret_name: ca.secret_name.as_str()?.to_owned() });
    }
    if issuer.self_signed.is_known() { own(IssuerSpec::SelfSigned) } else { Some(None) }
}

/// How hosts are shown to be ours, and whether it is by what serves the endpoint itself.
fn way(solver: &model::Solver, reference: &IssuerRef, names: &Names) -> Option<(Way, bool)> {
    let secret = |entry| SecretKey::new(&credentials_secret(&reference.name), entry);
    if let Some(http01) = solver.http01.known() {
        if let Some(gateway) = http01.gateway.known() {
            let namespace = gateway.namespace.as_str().unwrap_or(&names.namespace).to_owned();
            let parent =
                ParentGateway { name: gateway.name.as_str()?.to_owned(), namespace: Some(namespace), section: None };
            return Some((Way::Http01Gateway { gateways: vec![parent], pod: None }, false));
        }
        let class = optional(&http01.ingress_class)?;
        let by_its_route = class.is_none();
        return Some((Way::Http01Ingress { class, pod: None }, by_its_route));
    }
    let provider = if solver.dns01_cloudflare.is_known() {
        DnsProvider::Cloudflare { token: secret(API_TOKEN) }
    } else {
        solver.dns01_rfc2136.known()?.provider(secret(TSIG_SECRET))?
    };
    Some((Way::Dns01 { provider, follow_cname: false }, false))
}

fn certificate(
    model: &TlsEndpoint,
    secret_name: &str,
    hosts: &[String],
    issuer: &IssuerRef,
) -> Option<CertificateSpec> {
    let given = match &model.certificate {
        Attr::Unknown => return None,
        given => given.known(),
    };
    let time = |attribute: Option<&Attr<String>>| -> Option<Option<Duration>> {
        let text = attribute.map_or(Some(None), optional)?;
        Some(text.and_then(|text| parse_duration(&text).ok()))
    };
    let key = given.and_then(|one| one.private_key.known());
    let word = |attribute: fn(&model::PrivateKey) -> &Attr<String>| key.and_then(|key| attribute(key).as_str());
    Some(CertificateSpec {
        secret_name: secret_name.to_owned(),
        dns_names: hosts.to_vec(),
        issuer: issuer.clone(),
        duration: time(given.map(|one| &one.duration))?,
        renew_before: time(given.map(|one| &one.renew_before))?,
        private_key: PrivateKey {
            algorithm: match word(|key| &key.algorithm) {
                Some("RSA") => Some(KeyAlgorithm::Rsa),
                Some("ECDSA") => Some(KeyAlgorithm::Ecdsa),
                Some("Ed25519") => Some(KeyAlgorithm::Ed25519),
                _ => None,
            },
            size: key.and_then(|key| key.size.known().and_then(|size| u32::try_from(*size).ok())),
            rotation: match word(|key| &key.rotation) {
                Some("Always") => Some(Rotation::Always),
                Some("Never") => Some(Rotation::Never),
                _ => None,
            },
        },
    })
}

fn dns_spec(dns: &model::Dns) -> Option<DnsSpec> {
    let target = dns.target.as_str().unwrap_or(TARGET_INGRESS);
    // An address has many spellings, a record has one.
    let target = target.parse::<IpAddr>().map_or_else(|_| target.to_owned(), |address| address.to_string());
    let provider = dns.provider.as_str().unwrap_or(CLOUDFLARE).to_owned();
    let ttl = dns.ttl.known().and_then(|ttl| u32::try_from(*ttl).ok()).unwrap_or(AUTOMATIC);
    Some(DnsSpec {
        // A name server of one's own has no word for it.
        ttl: if ttl == AUTOMATIC && provider == RFC2136 { ffe_rfc2136::AUTOMATIC_TTL } else { ttl },
        provider,
        zone: optional(&dns.zone)?,
        target: (target != TARGET_INGRESS).then_some(target),
        proxied: dns.proxied.unwrap_or(false),
        adopt: Adopt {
            foreign: dns.adopt.unwrap_or(false),
            from: dns.adopt_from.as_str().filter(|name| !name.is_empty()).map(str::to_owned),
        },
    })
}

fn alert(model: &TlsEndpoint) -> Option<AlertSpec> {
    let given = model.alert.known();
    if given.is_some_and(|alert| alert.enabled == Attr::Known(false)) {
        return None;
    }
    let labels = given.and_then(|alert| alert.labels.known()).into_iter().flatten();
    Some(AlertSpec {
        before: given.and_then(|alert| alert.expiry_warning.as_str()).and_then(|text| parse_duration(text).ok()),
        labels: labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
        demanded: given.is_some(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{minimal, settled};

    fn spec(more: Json) -> Spec {
        Spec::of(&settled(minimal(more))).unwrap()
    }

    #[test]
    fn the_least_that_can_be_said_is_enough() {
        let spec = spec(json!({}));
        assert_eq!((spec.issuer, spec.own_issuer, spec.dns), (IssuerRef::issuer("internal"), None, None));
        assert_eq!(spec.route.class, Class::Ingress(None));
        assert_eq!(spec.route.security.hsts_max_age, Some(31_536_000));
        assert_eq!((spec.route.security.frame_options, spec.route.security.content_security_policy), (None, None));
        assert_eq!((spec.certificate.renew_before, spec.certificate.duration), (None, None), "cert-manager's own");
        let alert = spec.alert.unwrap();
        assert_eq!((alert.before, alert.demanded), (None, false));
    }

    #[test]
    fn what_is_not_known_makes_no_endpoint() {
        for unknown in [
            json!({ "hosts": ["?"] }),
            json!({ "issuer": "?" }),
            json!({ "gateway": "?" }),
            json!({ "certificate": { "duration": "?" } }),
            json!({ "annotations": "?" }),
            json!({ "annotations": { "team": "?" } }),
            json!({ "labels": "?" }),
            json!({ "middlewares": ["?"] }),
            json!({ "middlewares": [{ "name": "login", "namespace": "?" }] }),
            json!({ "backend_tls": "?" }),
            json!({ "backend": { "service": "backend", "port": "80", "protocol": "?" } }),
            json!({ "dns": { "zone": "?" } }),
        ] {
            assert_eq!(Spec::of(&settled(minimal(unknown.clone()))), None, "{unknown}");
        }
    }

    #[test]
    fn several_backends_are_rules_in_their_order() {
        let backends = json!([
            { "path": "/", "service": "web", "port": "80" },
            { "path": "/api", "path_type": "Exact", "service": "api", "port": "http" },
        ]);
        let spec = spec(json!({ "backend": null, "backends": backends }));
        let told: Vec<String> = spec.route.rules.iter().map(|rule| format!("{:?} {rule}", rule.path_type)).collect();
        assert_eq!(told, ["Prefix / to Service web:80", "Exact /api to Service api:http"]);
        for unknown in [json!("?"), json!([{ "path": "/", "service": "?", "port": "80" }]), json!(["?"])] {
            let model = settled(minimal(json!({ "backend": null, "backends": unknown })));
            assert_eq!(Spec::of(&model), None, "{unknown}");
        }
    }

    #[test]
    fn headers_can_be_switched_off_one_by_one() {
        let off = json!({ "hsts_max_age": 0, "frame_options": "", "content_security_policy": "", "content_type_nosniff": false });
        let security = spec(json!({ "security": off })).route.security;
        assert_eq!(security, Security { ssl_redirect: true, ..Security::default() });
    }

    #[test]
    fn a_solver_without_words_is_the_endpoints_own_class() {
        let solver = |solver: Json| {
            let acme = json!({ "server": "letsencrypt-staging", "solver": solver });
            spec(json!({ "issuer": { "acme": acme } })).own_issuer.unwrap()
        };
        let own = solver(json!({ "http01": {} }));
        assert!(own.by_its_route && own.what.asks_hosts() && !own.has_credentials());
        let told = solver(json!({ "http01": { "gateway": { "name": "web" } } }));
        assert!(!told.by_its_route && told.what.asks_hosts());
        let IssuerSpec::Acme(acme) = told.what else { unreachable!("it is ACME") };
        let web = ParentGateway { name: "web".to_owned(), namespace: Some("ffe".to_owned()), section: None };
        assert_eq!(acme.solvers, [Solver::of(Way::Http01Gateway { gateways: vec![web], pod: None })]);
        let signed = json!({ "nameserver": "10.0.0.53", "tsig_key_name": "k", "tsig_secret_wo": "cw==" });
        assert!(solver(json!({ "dns01_rfc2136": signed })).has_credentials());
        assert!(!solver(json!({ "dns01_rfc2136": { "nameserver": "10.0.0.53" } })).has_credentials());
    }

    #[test]
    fn an_issuer_of_another_group_is_referred_to_by_its_kind() {
        let external = json!({ "name": "pca", "kind": "AWSPCAClusterIssuer", "group": "awspca.cert-manager.io" });
        let spec = spec(json!({ "issuer": external }));
        assert_eq!(spec.certificate.issuer.to_value()["group"], "awspca.cert-manager.io");
        assert!(spec.issuer.kind.is_external() && spec.own_issuer.is_none());
    }

    #[test]
    fn an_alert_can_be_refused_and_put_off() {
        assert_eq!(spec(json!({ "alert": { "enabled": false } })).alert, None);
        let alert = |more: Json| spec(json!({ "certificate": { "duration": "24h" }, "alert": more })).alert.unwrap();
        assert_eq!((alert(json!({})).before, alert(json!({})).demanded), (None, true));
        assert_eq!(alert(json!({ "expiry_warning": "12h" })).before, Some(Duration::from_secs(12 * 3600)));
    }

    #[test]
    fn addresses_have_one_spelling() {
        let dns = spec(json!({ "dns": { "target": "2001:DB8:0::1" } })).dns.unwrap();
        assert_eq!((dns.target.as_deref(), dns.ttl), (Some("2001:db8::1"), 1));
        assert_eq!(spec(json!({ "dns": {} })).dns.unwrap().target, None);
    }
}
