//! What a plan says about what serves the endpoint.

use ffe_cluster::Cluster;
use ffe_routing::{Resolved, Setting, Warning, support};
use tfplugin::{Diagnostic, Path};

use crate::controller;
use crate::errors::path;
use crate::spec::Spec;
use crate::steps::address;

/// What the class cannot do, as one message: nobody reads the fifth.
pub(super) fn as_one(warnings: &[Warning]) -> Option<Diagnostic> {
    let (first, others) = warnings.split_first()?;
    let told = |one: &Warning| Diagnostic::warning(one.summary.clone(), one.detail.clone());
    if others.is_empty() {
        return Some(told(first).at(path(&first.attribute)));
    }
    let attribute = |one: &Warning| one.attribute.split('.').next().unwrap_or_default().to_owned();
    let common = others.iter().all(|one| attribute(one) == attribute(first)).then(|| attribute(first));
    let lines: Vec<String> = warnings.iter().map(|one| format!("- {one}")).collect();
    let told = Diagnostic::warning(
        format!("{} things to know about what serves the endpoint", warnings.len()),
        lines.join("\n\n"),
    );
    Some(match common {
        Some(attribute) => told.at(path(&attribute)),
        None => told,
    })
}

/// A bound for each client where the controller does not see who they are.
pub(super) async fn counted_as_one(cluster: &Cluster, spec: &Spec, resolved: &Resolved) -> Option<Diagnostic> {
    let limit = spec.route.security.limit()?;
    if !support(resolved.dialect(), Setting::RequestsPerMinute).is_promised() {
        return None;
    }
    let told = |why: String| {
        Diagnostic::warning(
            "security.requests_per_minute counts all clients as one",
            format!("{why} All of them together may make {limit} requests a minute then, and the rest gets 429."),
        )
        .at(Path::attribute("security").child("requests_per_minute"))
    };
    if spec.dns.as_ref().is_some_and(|dns| dns.proxied) {
        return Some(told(
            "With dns.proxied every request comes from an address of Cloudflare's edge. Have the controller trust the edge's \
             X-Forwarded-For, or set the bound at Cloudflare."
                .to_owned(),
        ));
    }
    let addresses = ffe_routing::current_address(cluster, &spec.route, resolved).await.unwrap_or_default();
    let service = match controller::service(cluster, spec, &address::texts(addresses)).await {
        Ok(found) => found?,
        Err(error) => {
            tracing::info!(%error, "the ingress controller's service was not looked for");
            return None;
        }
    };
    controller::hides_clients(&service).then(|| {
        told(format!(
            "{} has externalTrafficPolicy \"Cluster\": the controller sees the address of a node, and not that of the client, \
             unless a load balancer in front tells it by the PROXY protocol. Set externalTrafficPolicy to \"Local\", or remove \
             the bound.",
            controller::title(&service)
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn warning(attribute: &str, summary: &str) -> Warning {
        Warning { attribute: attribute.to_owned(), summary: summary.to_owned(), detail: "Why.".to_owned() }
    }

    #[test]
    fn several_are_one_message_at_what_they_have_in_common() {
        let (hsts, sniff, class) = (
            warning("security.hsts_max_age", "no HSTS"),
            warning("security.content_type_nosniff", "no nosniff"),
            warning("ingress_class", "retired"),
        );
        assert!(as_one(&[]).is_none());
        let one = as_one(std::slice::from_ref(&hsts)).unwrap();
        assert_eq!((one.summary.as_str(), one.path), ("no HSTS", Some(path("security.hsts_max_age"))));
        let two = as_one(&[hsts.clone(), sniff]).unwrap();
        assert_eq!((two.detail.as_str(), two.path), ("- no HSTS. Why.\n\n- no nosniff. Why.", Some(path("security"))));
        let mixed = as_one(&[class, hsts]).unwrap();
        assert_eq!((mixed.summary.as_str(), mixed.path), ("2 things to know about what serves the endpoint", None));
    }
}
