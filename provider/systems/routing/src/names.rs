//! Names of the objects of an endpoint: derived from its name alone, so that a run that knows nothing else finds them.

use ffe_cluster::{ObjectRef, public_digest};
use serde_json::Value;

use crate::route::{Class, GatewayRef, Route};

/// `apiVersion` of Ingresses.
pub(crate) const NETWORKING: &str = "networking.k8s.io/v1";
/// `apiVersion` of Traefik's own kinds.
pub(crate) const TRAEFIK: &str = "traefik.io/v1alpha1";
/// `apiVersion` of Gateways and HTTPRoutes.
pub(crate) const GATEWAY: &str = "gateway.networking.k8s.io/v1";
/// `apiVersion` of ReferenceGrants, which are not `v1` everywhere yet.
pub(crate) const GRANT: &str = "gateway.networking.k8s.io/v1beta1";

/// Characters of a digest that keep shortened names apart.
const DIGEST: usize = 8;
/// Longest name that is made here: a label of DNS, which every kind takes.
const LONGEST: usize = 63;
/// Ends the name of a route that stands in for an endpoint's own while its class changes.
const INTERIM: &str = "-interim";
/// Longest name of a field manager.
const LONGEST_MANAGER: usize = 128;

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// HTTPS, and HTTP where one object does both
    Main,
    /// Plain HTTP
    Http,
    /// Traefik's redirect
    Redirect,
    /// Traefik's headers
    Headers,
    /// Traefik's limit
    RateLimit,
    /// Leave for a Gateway of another namespace to read the Secret
    Grant,
    /// Whom a Gateway trusts behind it
    BackendTls,
}

impl Role {
    fn suffix(self) -> &'static str {
        match self {
            Self::Main => "",
            Self::Http => "-http",
            Self::Redirect => "-redirect",
            Self::Headers => "-headers",
            Self::RateLimit => "-rate-limit",
            Self::Grant => "-tls",
            Self::BackendTls => "-backend-tls",
        }
    }
}

/// Every object that some class and some settings would make.
const EVERYTHING: [(&str, &str, Role); 9] = [
    (NETWORKING, "Ingress", Role::Main),
    (NETWORKING, "Ingress", Role::Http),
    (TRAEFIK, "Middleware", Role::Redirect),
    (TRAEFIK, "Middleware", Role::Headers),
    (TRAEFIK, "Middleware", Role::RateLimit),
    (GATEWAY, "HTTPRoute", Role::Main),
    (GATEWAY, "HTTPRoute", Role::Http),
    (GRANT, "ReferenceGrant", Role::Grant),
    (GATEWAY, "BackendTLSPolicy", Role::BackendTls),
];

/// Every object that an endpoint of this name may have, whatever its class and settings. On destroy, those of them
/// that carry the endpoint's mark are deleted.
pub fn names(namespace: &str, name: &str) -> Vec<ObjectRef> {
    EVERYTHING
        .iter()
        .map(|(api_version, kind, role)| ObjectRef::new(api_version, kind, Some(namespace), &object_name(name, *role)))
        .collect()
}

/// The objects that an endpoint of this name has only while its class changes ([`crate::interim`]).
pub fn interim_names(namespace: &str, name: &str) -> Vec<ObjectRef> {
    let mut all = names(namespace, &interim_name(name));
    all.retain(|object| [NETWORKING, TRAEFIK].contains(&object.api_version.as_str()));
    all
}

/// The names that other settings, or another class, would have used: what stands there from before is to be deleted,
/// if it carries the endpoint's mark. `objects` is what is wished now.
pub fn leftovers(route: &Route, objects: &[Value]) -> Vec<ObjectRef> {
    let wished: Vec<ObjectRef> = objects.iter().filter_map(|object| ObjectRef::from_value(object).ok()).collect();
    names(&route.namespace, &route.name).into_iter().filter(|name| !wished.contains(name)).collect()
}

/// The Gateway that a route hangs on.
pub(crate) fn gateway_object(gateway: &GatewayRef) -> ObjectRef {
    ObjectRef::new(GATEWAY, "Gateway", Some(&gateway.namespace), &gateway.name)
}

/// The object whose status is the route's: its Ingress, or its HTTPRoute.
pub(crate) fn main_object(route: &Route) -> ObjectRef {
    let (api_version, kind) = match route.class {
        Class::Ingress(_) => (NETWORKING, "Ingress"),
        Class::Gateway(_) => (GATEWAY, "HTTPRoute"),
    };
    ObjectRef::new(api_version, kind, Some(&route.namespace), &object_name(&route.name, Role::Main))
}

/// The name of the route that stands in for an endpoint's own.
pub(crate) fn interim_name(endpoint: &str) -> String {
    bounded(endpoint, INTERIM, LONGEST)
}

/// The name of one object.
pub(crate) fn object_name(endpoint: &str, role: Role) -> String {
    bounded(endpoint, role.suffix(), LONGEST)
}

/// The name of our listener for a host. It has the namespace in it, because a Gateway may serve many.
pub(crate) fn listener_name(namespace: &str, endpoint: &str, host: &str) -> String {
    let whole = digest(&format!("{namespace}/{endpoint}/{host}"));
    bounded(&format!("{namespace}-{endpoint}"), &format!("-{whole}"), LONGEST)
}

/// The field manager that owns the listeners of one endpoint and nothing else: what one endpoint applies must not
/// take away what another one did.
pub(crate) fn listener_manager(namespace: &str, endpoint: &str) -> String {
    bounded(&format!("{}/{namespace}/{endpoint}", ffe_cluster::FIELD_MANAGER), "", LONGEST_MANAGER)
}

/// How Traefik refers to a Middleware from an Ingress.
pub(crate) fn middleware_reference(namespace: &str, name: &str) -> String {
    format!("{namespace}-{name}@kubernetescrd")
}

/// `name` with `suffix`; what is too long is cut and told apart by a digest of the whole.
fn bounded(name: &str, suffix: &str, longest: usize) -> String {
    let whole = format!("{name}{suffix}");
    if whole.len() <= longest {
        return whole;
    }
    let room = longest.saturating_sub(suffix.len() + DIGEST + 1);
    // names are ASCII, but an odd one must not end in a panic
    let kept: String = name.chars().take(room).collect();
    format!("{}-{}{suffix}", kept.trim_end_matches('-'), digest(name))
}

fn digest(text: &str) -> String {
    public_digest([("name", text)]).chars().filter(char::is_ascii_hexdigit).take(DIGEST).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_the_endpoints_with_a_word_after_it() {
        let names: Vec<String> = names("ffe", "api").iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            [
                "Ingress ffe/api",
                "Ingress ffe/api-http",
                "Middleware ffe/api-redirect",
                "Middleware ffe/api-headers",
                "Middleware ffe/api-rate-limit",
                "HTTPRoute ffe/api",
                "HTTPRoute ffe/api-http",
                "ReferenceGrant ffe/api-tls",
                "BackendTLSPolicy ffe/api-backend-tls",
            ]
        );
        assert_eq!(listener_manager("ffe", "api"), "terraform-provider-ffe/ffe/api");
        let interim: Vec<String> = interim_names("ffe", "api").iter().map(ToString::to_string).collect();
        assert_eq!(interim[..2], ["Ingress ffe/api-interim", "Ingress ffe/api-interim-http"]);
        assert_eq!(interim.len(), 5, "no routes of a Gateway: {interim:?}");
    }

    #[test]
    fn hosts_have_listeners_of_their_own() {
        let first = listener_name("ffe", "api", "a.example.com");
        assert!(first.starts_with("ffe-api-"), "{first}");
        assert_ne!(first, listener_name("ffe", "api", "b.example.com"));
        assert_eq!(first, listener_name("ffe", "api", "a.example.com"));
    }

    proptest! {
        #[test]
        fn names_are_labels_and_stay_apart(one in "[a-z][a-z0-9-]{0,61}[a-z0-9]", two in "[a-z][a-z0-9-]{0,61}[a-z0-9]") {
            for role in [Role::Main, Role::Http, Role::Redirect, Role::Headers, Role::RateLimit, Role::Grant, Role::BackendTls] {
                let name = object_name(&one, role);
                prop_assert!(name.len() <= 63 && !name.ends_with('-') && !name.starts_with('-'), "{}", name);
                prop_assert_eq!(name == object_name(&two, role), one == two);
            }
            let listener = listener_name(&one, &two, "a.example.com");
            prop_assert!(listener.len() <= 63, "{}", listener);
            prop_assert!(listener_manager(&one, &two).len() <= 128);
        }
    }
}
