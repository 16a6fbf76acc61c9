//! What must be seen of an endpoint, from what its class promises and its certificate is.

use ffe_cluster::ObjectRef;
use ffe_https::{Bundle, Expected, ExpectedHeaders, Roots};
use ffe_routing::{Setting, support};
use tfplugin::{Diagnostic, Path};

use super::settings::Settings;
use super::site::Site;
use crate::authority::Authority;
use crate::objects::Surroundings;
use crate::run::Stop;
use crate::spec::Spec;
use crate::status::Pair;

/// Why a check with a token is not made.
const TOKEN_WITHHELD: &str =
    "its token is not sent over a chain that nobody trusts; verify.ca_bundle says whom to trust";

/// What a client must see, and what the origin behind somebody else's edge.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    pub(crate) client: Expected,
    pub(crate) origin: Expected,
    pub(crate) roots: Roots,
    /// The certificate that is the endpoint's.
    pub(crate) certificate: Option<String>,
    /// What is not looked at, and why.
    pub(crate) skipped: Vec<(String, String)>,
    /// What the issuer has to do with a chain that is not trusted.
    pub(crate) about_distrust: Option<String>,
}

/// What is expected of an endpoint.
///
/// # Errors
/// Where there is no certificate to compare with.
pub(crate) fn expectations(
    spec: &Spec,
    settings: &Settings,
    around: &Surroundings,
    authority: &Authority,
    sites: &[Site],
    pair: Option<&Pair>,
) -> Result<Expectations, Stop> {
    let Some((pair, leaf)) = pair.and_then(|pair| Some((pair, pair.leaf()?))) else {
        return Err(Stop::failed(
            Diagnostic::error(
                "The Secret has no certificate",
                format!(
                    "Secret {}/{} has none that can be read, though cert-manager calls it ready. Delete the Secret: \
                     cert-manager issues it again.",
                    spec.names.namespace, spec.certificate.secret_name
                ),
            )
            .at(Path::attribute("secret_name")),
        ));
    };
    let mut skipped = Vec::new();
    // Whom nobody was named to trust, and by design nobody does.
    let distrusted = authority.why_nobody_trusts().filter(|_| settings.bundle.is_none());
    if let Some(why) = distrusted {
        skipped.push(("chain".to_owned(), why.to_owned()));
    }
    let security = &spec.route.security;
    let dialect = around.resolved.dialect();
    // What the plan has warned of is not waited for.
    let warned = ffe_routing::warnings(&spec.route, &around.resolved);
    let mut promised = |setting: Setting, check: &str, wanted: bool| {
        let attribute = format!("security.{}", setting.attribute());
        let why = match warned.iter().find(|warning| warning.attribute == attribute) {
            Some(warning) => Some(warning.summary.clone()),
            None if !support(dialect, setting).is_promised() => Some(format!("{dialect} does not promise it")),
            None => None,
        };
        let promised = why.is_none();
        if let Some(why) = why.filter(|_| wanted) {
            skipped.push((check.to_owned(), why));
        }
        wanted && promised
    };
    let hsts = promised(Setting::HstsMaxAge, "header Strict-Transport-Security", security.hsts().is_some());
    let frame = promised(Setting::FrameOptions, "header X-Frame-Options", security.frame_options.is_some());
    let policy = security.content_security_policy.is_some();
    let policy = promised(Setting::ContentSecurityPolicy, "header Content-Security-Policy", policy);
    let sniff = promised(Setting::ContentTypeNosniff, "header X-Content-Type-Options", security.content_type_nosniff);
    let redirect = promised(Setting::SslRedirect, "redirect", settings.redirect);
    let is_proxied = spec.dns.as_ref().is_some_and(|dns| dns.proxied);
    // A token goes only to whom the chain shows to be the right one.
    let root = pair.authority.as_deref().filter(|_| authority.brings_its_root());
    let withheld = distrusted.is_some() && root.is_none() && !is_proxied;
    let (tokens, extra): (Vec<_>, Vec<_>) =
        settings.checks.iter().cloned().partition(|check| withheld && check.bearer.is_some());
    let extra = extra.into_iter().chain(settings.paths.iter().cloned()).collect();
    skipped.extend(tokens.into_iter().map(|check| (format!("check {}", check.path), TOKEN_WITHHELD.to_owned())));
    let own = Expected {
        issuer: settings.issuer.clone(),
        serial: Some(leaf.serial.clone()),
        fingerprint_sha256: Some(leaf.fingerprint_sha256.clone()),
        ..Expected::default()
    };
    let edge = Expected {
        // The edge's own certificate is everybody's to trust.
        trusted: is_proxied || distrusted.is_none(),
        names: sites.iter().map(|site| site.name.clone()).collect(),
        status: settings.status,
        answers: settings.status.is_none(),
        redirect,
        headers: ExpectedHeaders {
            hsts_max_age: security.hsts().filter(|_| hsts),
            hsts_subdomains: hsts && security.hsts_subdomains,
            frame_options: security.frame_options.clone().filter(|_| frame),
            content_security_policy: security.content_security_policy.clone().filter(|_| policy),
            content_type_nosniff: sniff,
        },
        extra,
        ..Expected::default()
    };
    let client = if is_proxied {
        edge
    } else {
        Expected {
            issuer: own.issuer.clone(),
            serial: None,
            fingerprint_sha256: own.fingerprint_sha256.clone(),
            ..edge
        }
    };
    let about_distrust = authority.about_distrust(spec, leaf);
    let certificate = own.fingerprint_sha256.clone();
    Ok(Expectations { client, origin: own, roots: roots(settings, root), certificate, skipped, about_distrust })
}

impl Expectations {
    /// The same where somebody else's route serves the host too: a controller holds both for equals, and what tells the one
    /// from the other is not looked at as long as both are there.
    pub(crate) fn beside(mut self, other: Option<&ObjectRef>) -> Expectations {
        let Some(other) = other else { return self };
        let why = format!("{other} serves the host as well, and it is chance which of the two answers");
        let client = std::mem::take(&mut self.client);
        let headers = &client.headers;
        let left_out = [
            ("chain", client.trusted),
            ("issuer", client.issuer.is_some()),
            ("certificate", client.fingerprint_sha256.is_some()),
            ("header Strict-Transport-Security", headers.hsts_max_age.is_some()),
            ("header X-Frame-Options", headers.frame_options.is_some()),
            ("header Content-Security-Policy", headers.content_security_policy.is_some()),
            ("header X-Content-Type-Options", headers.content_type_nosniff),
            ("redirect", client.redirect),
        ];
        self.skipped
            .extend(left_out.iter().filter(|(_, wanted)| *wanted).map(|(check, _)| ((*check).to_owned(), why.clone())));
        // A token is for the endpoint's own eyes.
        let (tokens, extra): (Vec<_>, Vec<_>) = client.extra.into_iter().partition(|check| check.bearer.is_some());
        self.skipped.extend(tokens.into_iter().map(|check| (format!("check {}", check.path), why.clone())));
        self.origin = Expected::default();
        self.client = Expected {
            names: client.names,
            status: client.status,
            answers: client.answers,
            extra,
            ..Expected::default()
        };
        self
    }
}

/// Whom to trust: who is named, else what the system does and what the issuer brings.
fn roots(settings: &Settings, root: Option<&[u8]>) -> Roots {
    if let Some(bundle) = &settings.bundle {
        return Roots::Bundle(bundle.clone());
    }
    match root.map(Bundle::from_pem) {
        Some(Ok(bundle)) => Roots::Both(bundle),
        _ => Roots::System,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_routing::{Dialect, Resolved, Served};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::steps::verify::sites;
    use crate::testing::{certified, minimal, settled};

    fn pair(issuer: &str, own: bool) -> Pair {
        let chain = certified(issuer, own);
        let facts = ffe_https::facts_of_pem(chain.as_bytes()).unwrap();
        Pair { chain: chain.into_bytes(), authority: None, facts }
    }

    fn acme(server: &str) -> Authority {
        Authority::Acme { server: server.to_owned() }
    }

    fn whole(
        spec: &Spec,
        settings: &Settings,
        around: &Surroundings,
        authority: &Authority,
        pair: &Pair,
    ) -> Expectations {
        expectations(spec, settings, around, authority, &sites(spec, None, "0a1b"), Some(pair)).unwrap()
    }

    fn expected(more: Json, dialect: Dialect, pair: &Pair) -> Expectations {
        by(more, dialect, &acme("letsencrypt"), pair)
    }

    fn by(more: Json, dialect: Dialect, authority: &Authority, pair: &Pair) -> Expectations {
        let spec = Spec::of(&settled(minimal(more))).unwrap();
        let served = Served { class: "x".to_owned(), controller: None, dialect };
        let around = Surroundings { resolved: Resolved::Ingress(served), secrets: None };
        let settings = Settings::unsaid(spec.route.security.ssl_redirect);
        whole(&spec, &settings, &around, authority, pair)
    }

    fn skipped(expected: &Expectations) -> Vec<&str> {
        expected.skipped.iter().map(|(check, _)| check.as_str()).collect()
    }

    #[test]
    fn everything_that_the_class_promises_is_expected_and_nothing_else() {
        let pair = pair("R11", false);
        let all = expected(json!({ "security": { "hsts_subdomains": true } }), Dialect::Traefik, &pair);
        assert!(all.client.trusted && all.client.redirect && all.client.headers.content_type_nosniff);
        assert_eq!(all.client.headers.hsts_max_age, Some(31_536_000));
        assert!(all.client.headers.hsts_subdomains && all.skipped.is_empty());
        assert_eq!(all.client.fingerprint_sha256, Some(pair.leaf().unwrap().fingerprint_sha256.clone()));
        let few = expected(json!({}), Dialect::Other, &pair);
        assert_eq!(few.client.headers, ExpectedHeaders::default());
        assert!(!few.client.redirect && skipped(&few).contains(&"redirect"));
    }

    #[test]
    fn what_the_plan_has_warned_of_is_not_waited_for() {
        let gateway =
            ffe_routing::GatewayRef { namespace: "ffe".to_owned(), name: "web".to_owned(), manage_listener: false };
        let features = Some(vec!["HTTPRouteSchemeRedirect".to_owned()]);
        let attachment = ffe_routing::Attachment {
            controller: Some(ffe_routing::Controller { name: "somebody".to_owned(), features }),
            class: "web".to_owned(),
            http: Vec::new(),
            https: vec!["https".to_owned()],
            ours: Vec::new(),
            missing: Vec::new(),
            backend_ports: vec![8000],
            gateway,
        };
        let around = Surroundings { resolved: Resolved::Gateway(attachment), secrets: None };
        let spec = Spec::of(&settled(minimal(json!({ "gateway": { "name": "web" } })))).unwrap();
        let pair = pair("R11", false);
        let few = whole(&spec, &Settings::unsaid(true), &around, &acme("letsencrypt"), &pair);
        assert!(!few.client.redirect, "there is no listener for HTTP");
        assert_eq!(few.client.headers, ExpectedHeaders::default(), "its controller does not do headers");
        assert!(skipped(&few).contains(&"redirect") && skipped(&few).contains(&"header Strict-Transport-Security"));
    }

    #[test]
    fn what_tells_it_from_another_route_is_not_looked_at_beside_that() {
        let pair = pair("R11", false);
        let alone = expected(json!({ "security": { "frame_options": "DENY" } }), Dialect::Traefik, &pair);
        let other = ObjectRef::new("networking.k8s.io/v1", "Ingress", Some("ffe"), "theirs");
        let beside = alone.clone().beside(Some(&other));
        assert_eq!(
            skipped(&beside),
            [
                "chain",
                "certificate",
                "header Strict-Transport-Security",
                "header X-Frame-Options",
                "header X-Content-Type-Options",
                "redirect"
            ]
        );
        assert!(beside.skipped[0].1.starts_with("Ingress ffe/theirs serves the host as well"), "{:?}", beside.skipped);
        assert_eq!((beside.client.status, &beside.client.names), (alone.client.status, &alone.client.names));
        assert!(!beside.client.trusted && beside.client.fingerprint_sha256.is_none());
        assert_eq!(beside.certificate, alone.client.fingerprint_sha256, "a renewal is noticed all the same");
        assert!(skipped(&alone.beside(None)).is_empty());
    }

    #[test]
    fn behind_somebody_elses_edge_the_certificate_is_looked_for_at_the_origin() {
        let pair = pair("R11", false);
        let both = expected(json!({ "dns": { "proxied": true } }), Dialect::Traefik, &pair);
        assert!(both.client.trusted && both.client.fingerprint_sha256.is_none() && both.client.serial.is_none());
        assert_eq!(both.origin.serial, Some(pair.leaf().unwrap().serial.clone()));
        assert!(!both.origin.trusted && both.origin.status.is_none());
    }

    #[test]
    fn a_chain_that_nobody_trusts_by_design_is_not_expected_to_be_trusted() {
        for (authority, pair) in [
            (acme(ffe_cert_manager::LETSENCRYPT_STAGING), pair("(STAGING) Ersatz Edamame E1", false)),
            (Authority::SelfSigned, pair("self", true)),
        ] {
            let expected = by(json!({}), Dialect::Traefik, &authority, &pair);
            assert!(!expected.client.trusted && expected.client.fingerprint_sha256.is_some());
            assert_eq!(skipped(&expected), ["chain"]);
        }
    }

    #[test]
    fn a_certificate_that_the_issuer_cannot_have_issued_is_not_excused() {
        let unknown = Authority::Unknown { why: "ClusterIssuer le: it may not be read".to_owned() };
        for (authority, said) in [
            (acme(ffe_cert_manager::LETSENCRYPT), "was not issued by what Issuer ffe/internal asks now"),
            (unknown, "ClusterIssuer le: it may not be read"),
        ] {
            for pair in [pair("(STAGING) Ersatz Edamame E1", false), pair("self", true)] {
                let expected = by(json!({}), Dialect::Traefik, &authority, &pair);
                assert!(expected.client.trusted && expected.skipped.is_empty());
                assert!(expected.about_distrust.as_ref().is_some_and(|told| told.contains(said)), "{expected:?}");
            }
        }
    }

    #[test]
    fn what_everybody_trusts_does_not_bring_its_own_root() {
        let with_root = Pair { authority: Some(certified("root", true).into_bytes()), ..pair("R11", false) };
        let of = |authority: Authority| by(json!({}), Dialect::Traefik, &authority, &with_root).roots;
        assert!(matches!(of(acme("letsencrypt")), Roots::System));
        assert!(matches!(of(Authority::Ca), Roots::Both(_)));
        assert!(matches!(of(acme("https://acme.example.com/directory")), Roots::Both(_)));
    }

    #[test]
    fn a_wildcard_is_among_the_names_by_a_name_below_it() {
        let hosts = json!({ "hosts": ["*.example.com"] });
        let expected = expected(hosts, Dialect::Traefik, &pair("R11", false));
        assert_eq!(expected.client.names, ["ffe-verify-0a1b.example.com"]);
    }

    #[test]
    fn a_token_is_not_sent_where_nobody_is_trusted() {
        let staging = json!({ "issuer": { "acme": { "server": "letsencrypt-staging", "solver": { "http01": {} } } } });
        let spec = Spec::of(&settled(minimal(staging))).unwrap();
        let served = Served { class: "x".to_owned(), controller: None, dialect: Dialect::Traefik };
        let around = Surroundings { resolved: Resolved::Ingress(served), secrets: None };
        let check = |path: &str, token: Option<&str>| ffe_https::ExtraCheck {
            path: path.to_owned(),
            bearer: token.map(|token| ffe_https::Bearer::new(token).unwrap()),
            status: Some(200),
        };
        let mut settings = Settings::unsaid(true);
        settings.checks = vec![check("/open", None), check("/closed", Some("t0ken"))];
        let made = |authority: &Authority, pair: &Pair| {
            let expected = whole(&spec, &settings, &around, authority, pair);
            let paths = expected.client.extra.iter().map(|check| check.path.clone()).collect::<Vec<_>>();
            (paths, skipped(&expected).contains(&"check /closed"))
        };
        let untrusted = pair("(STAGING) Ersatz Edamame E1", false);
        let staging = acme("letsencrypt-staging");
        assert_eq!(made(&staging, &untrusted), (vec!["/open".to_owned()], true));
        let both = (vec!["/open".to_owned(), "/closed".to_owned()], false);
        let itself = pair("self", true);
        let known = Pair { authority: Some(itself.chain.clone()), ..itself };
        assert_eq!(made(&Authority::SelfSigned, &known), both);
        // What the Secret says of whom to trust is no reason to trust the staging server.
        let told = Pair { authority: Some(untrusted.chain.clone()), ..untrusted };
        assert!(made(&staging, &told).1);
    }
}
