//! Security settings read back from annotations and Middlewares.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ingress::{NGINX_BURST, NGINX_FORCE_REDIRECT, NGINX_LIMIT, NGINX_REDIRECT};
use crate::route::Security;

/// What the annotations of ingress-nginx say; those that were understood are taken out.
pub(super) fn of_annotations(
    annotations: &mut BTreeMap<String, String>,
    has_tls: bool,
    untold: &mut Vec<String>,
) -> Security {
    let is_true = |value: String| value.eq_ignore_ascii_case("true");
    let redirect = annotations.remove(NGINX_REDIRECT).map_or(has_tls, is_true) && has_tls;
    let forced = annotations.remove(NGINX_FORCE_REDIRECT).is_some_and(is_true);
    let limit = annotations.remove(NGINX_LIMIT);
    let requests_per_minute = limit.as_deref().and_then(|limit| limit.parse().ok());
    if let (Some(limit), None) = (&limit, requests_per_minute) {
        untold.push(format!("annotation {NGINX_LIMIT} = {limit:?}"));
    }
    if let Some(burst) = annotations.remove(NGINX_BURST).filter(|burst| burst != "1") {
        untold.push(format!("annotation {NGINX_BURST} = {burst:?} (ours is 1)"));
    }
    Security { ssl_redirect: redirect || forced, requests_per_minute, ..Security::default() }
}

/// What Middlewares of Traefik say; the names of those that say more than a setting can go into `beyond`.
pub(super) fn of_middlewares(specs: &BTreeMap<String, Value>, beyond: &mut Vec<String>) -> Security {
    let mut security = Security::default();
    for (name, spec) in specs {
        for (kind, content) in spec.as_object().into_iter().flatten() {
            let known = match kind.as_str() {
                "redirectScheme" => redirect(content, &mut security),
                "headers" => headers(content, &mut security),
                "rateLimit" => limit(content, &mut security),
                _ => false,
            };
            if !known {
                beyond.push(name.clone());
            }
        }
    }
    security
}

fn redirect(content: &Value, security: &mut Security) -> bool {
    let is_ours = content["scheme"] == "https" && content["permanent"] == true && content["port"].is_null();
    security.ssl_redirect |= is_ours;
    is_ours
}

fn headers(content: &Value, security: &mut Security) -> bool {
    let mut whole = true;
    for (field, value) in content.as_object().into_iter().flatten() {
        let text = || value.as_str().map(str::to_owned);
        match field.as_str() {
            "stsSeconds" => security.hsts_max_age = value.as_u64(),
            "stsIncludeSubdomains" => security.hsts_subdomains = value == true,
            "frameDeny" if value == true && security.frame_options.is_none() => {
                security.frame_options = Some("DENY".to_owned());
            }
            "customFrameOptionsValue" => security.frame_options = text(),
            "contentSecurityPolicy" => security.content_security_policy = text(),
            "contentTypeNosniff" => security.content_type_nosniff = value == true,
            "sslProxyHeaders" => {}
            _ => whole = false,
        }
    }
    whole
}

/// Only limits that are whole requests a minute.
fn limit(content: &Value, security: &mut Security) -> bool {
    let other = content
        .as_object()
        .is_some_and(|fields| fields.keys().any(|field| !["average", "period", "burst"].contains(&field.as_str())));
    let average = content["average"].as_u64().and_then(|average| u32::try_from(average).ok());
    let factor = match content["period"].as_str() {
        Some("1m" | "1m0s" | "60s") => Some(1),
        None | Some("1s") => Some(60),
        _ => None,
    };
    let requests = average.zip(factor).and_then(|(average, factor)| average.checked_mul(factor)).filter(|_| !other);
    if requests.is_some() {
        security.requests_per_minute = requests;
    }
    requests.is_some()
}
