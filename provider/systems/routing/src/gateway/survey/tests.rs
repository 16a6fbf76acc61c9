//! Which listeners are chosen.

use serde_json::json;

use super::*;
use crate::tests::{gateway, on_gateway};

fn look(manage_listener: bool, listeners: Value) -> Attachment {
    let route = on_gateway("infra", manage_listener);
    let labels = BTreeMap::from([("stage".to_owned(), "prod".to_owned())]);
    let wished = GatewayRef { namespace: "infra".to_owned(), name: "web".to_owned(), manage_listener };
    survey(&route, &wished, &gateway(listeners), None, &labels, vec![8000])
}

fn secure(name: &str, host: Value, secret: Value) -> Value {
    json!({"name": name, "protocol": "HTTPS", "port": 443, "hostname": host,
        "tls": {"certificateRefs": [secret]}, "allowedRoutes": {"namespaces": {"from": "All"}}})
}

fn ours() -> Value {
    json!({"name": "api-tls", "namespace": "ffe"})
}

#[test]
fn wildcards_cover_names_below_them() {
    for (listener, host, yes) in [
        (None, "a.b", true),
        (Some("a.b"), "a.b", true),
        (Some("a.b"), "c.a.b", false),
        (Some("*.a.b"), "c.a.b", true),
        (Some("*.a.b"), "d.c.a.b", true),
        (Some("*.a.b"), "a.b", false),
        (Some("*.a.b"), "*.a.b", true),
        (Some("*.a.b"), "*.c.a.b", true),
        (Some("*.c.a.b"), "*.a.b", false),
        (Some("*.a.b"), "xa.b", false),
    ] {
        assert_eq!(covers(listener, host), yes, "{listener:?} {host}");
    }
}

#[test]
fn the_narrowest_listener_with_our_secret_serves_a_host() {
    let found = look(
        false,
        json!([
            secure("all", Value::Null, ours()),
            secure("wild", json!("*.example.com"), ours()),
            secure("exact", json!("ffe.example.com"), ours()),
            secure("foreign", json!("api.ffe.example.com"), json!({"name": "api-tls"})),
        ]),
    );
    assert_eq!(found.https, ["exact", "wild"]);
    assert_eq!((found.ours, found.missing), (vec![], vec![]));
}

#[test]
fn without_one_the_nearest_is_named_or_ours_are_added() {
    let other = secure("other", json!("*.example.com"), json!({"name": "other"}));
    let mut closed = secure("closed", json!("api.ffe.example.com"), ours());
    closed["allowedRoutes"] = json!({"namespaces": {"from": "Same"}});
    let found = look(false, json!([other, closed]));
    let nearest: Vec<&str> = found.missing.iter().filter_map(|missing| missing.nearest.as_deref()).collect();
    assert_eq!(
        nearest,
        [
            "listener \"other\" serves ffe.example.com with another Secret",
            "listener \"other\" serves api.ffe.example.com with another Secret",
        ]
    );

    // the wildcard stands beside ours; a listener for the very host does not
    let added = look(true, json!([other, secure("taken", json!("ffe.example.com"), json!({"name": "x"}))]));
    assert_eq!(added.ours.len(), 1);
    assert_eq!((added.ours[0].host.as_str(), added.ours[0].port), ("api.ffe.example.com", 443));
    assert_eq!(added.https, [added.ours[0].name.clone()]);
    assert_eq!(added.missing.len(), 1);
    assert!(added.missing[0].nearest.as_deref().is_some_and(|near| near.contains("\"taken\"")));
}

#[test]
fn ours_are_told_by_name_and_stay_ours() {
    let first = look(true, json!([]));
    assert_eq!(first.ours.len(), 2);
    let mut live = secure(&first.ours[0].name, json!(first.ours[0].host), ours());
    live["port"] = json!(443);
    let kept = look(true, json!([live])).ours;
    assert_eq!(kept[0].secret.as_deref(), Some("api-tls"), "what it serves with now");
    let named = |ours: &[OurListener]| -> Vec<_> {
        ours.iter().map(|one| (one.name.clone(), one.host.clone(), one.port)).collect()
    };
    assert_eq!(named(&kept), named(&first.ours));
}

#[test]
fn the_port_follows_the_gateways_other_listeners() {
    let http = |port: u16| json!({"name": "http", "protocol": "HTTP", "port": port});
    for (listeners, port) in [
        (json!([]), 443),
        (json!([http(80)]), 443),
        (json!([http(8000)]), 8443),
        (json!([http(80), {"name": "s", "protocol": "HTTPS", "port": 9443, "hostname": "x.y"}]), 9443),
    ] {
        assert!(look(true, listeners.clone()).ours.iter().all(|ours| ours.port == port), "{listeners}");
    }
}

#[test]
fn listeners_say_whom_they_let_in() {
    let http = |allowed: Value| json!([{"name": "h", "protocol": "HTTP", "port": 80, "allowedRoutes": allowed}]);
    let selector = |selector: Value| json!({"namespaces": {"from": "Selector", "selector": selector}});
    for (allowed, yes) in [
        (json!({"namespaces": {"from": "All"}}), true),
        (json!({"namespaces": {"from": "Same"}}), false),
        (Value::Null, false),
        (json!({"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}]}), false),
        (json!({"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}, {"kind": "HTTPRoute"}]}), true),
        (selector(json!({"matchLabels": {"stage": "prod"}})), true),
        (selector(json!({"matchLabels": {"stage": "dev"}})), false),
        (selector(json!({"matchExpressions": [{"key": "stage", "operator": "In", "values": ["prod", "dev"]}]})), true),
        (selector(json!({"matchExpressions": [{"key": "stage", "operator": "NotIn", "values": ["prod"]}]})), false),
        (selector(json!({"matchExpressions": [{"key": "stage", "operator": "Exists"}]})), true),
        (selector(json!({"matchExpressions": [{"key": "other", "operator": "DoesNotExist"}]})), true),
        (selector(json!({"matchExpressions": [{"key": "other", "operator": "Exists"}]})), false),
    ] {
        assert_eq!(look(true, http(allowed.clone())).http == ["h"], yes, "{allowed}");
    }
}
