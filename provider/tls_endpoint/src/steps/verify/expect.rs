//! What must be seen of an endpoint, from what its class promises and its certificate is.

use ffe_https::{Bundle, Expected, ExpectedHeaders, Roots};
use ffe_routing::{Setting, support};
use tfplugin::{Diagnostic, Path};

use super::settings::Settings;
use crate::objects::Surroundings;
use crate::run::Stop;
use crate::spec::{OwnIssuer, Spec};
use crate::status::Pair;

/// What a client must see, and what the origin behind somebody else's edge.
#[derive(Clone, Debug)]
pub(crate) struct Expectations {
    pub(crate) client: Expected,
    pub(crate) origin: Expected,
    pub(crate) roots: Roots,
    /// What is not looked at, and why.
    pub(crate) skipped: Vec<(String, String)>,
}

/// What is expected of an endpoint.
///
/// # Errors
/// Where there is no certificate to compare with.
pub(crate) fn expectations(
    spec: &Spec,
    settings: &Settings,
    around: &Surroundings,
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
    let distrusted = why_nobody_trusts(spec, settings, pair);
    if let Some(why) = distrusted {
        skipped.push(("chain".to_owned(), why.to_owned()));
    }
    let security = &spec.route.security;
    let dialect = around.resolved.dialect();
    let mut promised = |setting: Setting, check: &str, wanted: bool| {
        let promised = support(dialect, setting).is_promised();
        if wanted && !promised {
            skipped.push((check.to_owned(), format!("{dialect} does not promise it")));
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
    let own = Expected {
        issuer: settings.issuer.clone(),
        serial: Some(leaf.serial.clone()),
        fingerprint_sha256: Some(leaf.fingerprint_sha256.clone()),
        ..Expected::default()
    };
    let edge = Expected {
        // The edge's own certificate is everybody's to trust.
        trusted: is_proxied || distrusted.is_none(),
        names: spec.plain_hosts().map(str::to_owned).collect(),
        status: Some(settings.status),
        redirect,
        headers: ExpectedHeaders {
            hsts_max_age: security.hsts().filter(|_| hsts),
            hsts_subdomains: hsts && security.hsts_subdomains,
            frame_options: security.frame_options.clone().filter(|_| frame),
            content_security_policy: security.content_security_policy.clone().filter(|_| policy),
            content_type_nosniff: sniff,
        },
        extra: settings.checks.clone(),
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
    Ok(Expectations { client, origin: own, roots: roots(settings, pair), skipped })
}

/// Whom to trust.
fn roots(settings: &Settings, pair: &Pair) -> Roots {
    if let Some(bundle) = &settings.bundle {
        return Roots::Bundle(bundle.clone());
    }
    match pair.authority.as_deref().map(Bundle::from_pem) {
        Some(Ok(bundle)) => Roots::Both(bundle),
        _ => Roots::System,
    }
}

/// Where nobody was named who is to be trusted, and by design nobody is.
fn why_nobody_trusts(spec: &Spec, settings: &Settings, pair: &Pair) -> Option<&'static str> {
    if settings.bundle.is_some() {
        return None;
    }
    let leaf = pair.leaf()?;
    if leaf.self_signed || spec.own_issuer == Some(OwnIssuer::SelfSigned) {
        return Some("the certificate signs itself: that it is the endpoint's own is checked instead");
    }
    let staging = spec.own_issuer.as_ref().is_some_and(OwnIssuer::is_staging) || leaf.issuer.contains("(STAGING)");
    staging.then_some("nobody trusts Let's Encrypt's staging server, by design: that the certificate is the endpoint's own is checked instead")
}
