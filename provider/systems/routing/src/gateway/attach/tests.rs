//! What goes over the wire. That a real API server merges listeners by name is shown on one (`tests/cluster`).
#![allow(clippy::unwrap_used)]

use ffe_cluster::ObjectRef;
use ffe_cluster_testing::{FakeApi, SeenRequest};

use super::*;
use crate::tests::{api, gateway, on_gateway, resolved};

fn patches(api: &FakeApi) -> Vec<SeenRequest> {
    api.seen().into_iter().filter(|seen| seen.method == "PATCH").collect()
}

fn with_manager(api: &FakeApi, manager: &str, names: &[&str]) {
    let owned: serde_json::Map<String, Value> =
        names.iter().map(|name| (format!("k:{}", json!({"name": name})), json!({"f:port": {}}))).collect();
    let object = ObjectRef::new(GATEWAY, "Gateway", Some("infra"), "web");
    api.edit(&object, |gateway| {
        gateway["metadata"]["managedFields"] = json!([{"manager": manager, "operation": "Apply", "apiVersion": GATEWAY,
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:listeners": owned}}}]);
    });
}

#[tokio::test]
async fn only_our_listeners_are_sent_under_a_manager_of_the_endpoint() {
    let api = api();
    api.put(gateway(json!([{"name": "http", "protocol": "HTTP", "port": 80}])));
    let route = on_gateway("infra", true);
    let found = resolved(&api, &route).await;
    attach(&api.cluster(), &route, &found).await.unwrap();
    let sent = patches(&api);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].query.contains("fieldManager=terraform-provider-ffe/ffe/api"), "{}", sent[0].query);
    assert!(sent[0].query.contains("force=true") && sent[0].query.contains("fieldValidation=Strict"));
    let listeners = sent[0].body["spec"]["listeners"].as_array().unwrap();
    assert_eq!(listeners.len(), 2);
    assert!(listeners.iter().all(|listener| listener["hostname"].as_str().unwrap().ends_with("ffe.example.com")));
    assert!(sent[0].body["spec"].get("gatewayClassName").is_none());
    assert!(sent[0].body["metadata"].get("labels").is_none(), "the Gateway stays somebody else's");
}

#[tokio::test]
async fn without_leave_nothing_is_sent() {
    let api = api();
    api.put(gateway(json!([{"name": "s", "protocol": "HTTPS", "port": 443, "tls": {"certificateRefs": [{"name": "api-tls", "namespace": "ffe"}]},
        "allowedRoutes": {"namespaces": {"from": "All"}}}])));
    let route = on_gateway("infra", false);
    let found = resolved(&api, &route).await;
    attach(&api.cluster(), &route, &found).await.unwrap();
    assert_eq!(patches(&api), []);
}

#[tokio::test]
async fn detaching_gives_up_what_the_endpoint_applied_and_nothing_else() {
    let api = api();
    let cluster = api.cluster();
    let wished = GatewayRef { namespace: "infra".into(), name: "web".into(), manage_listener: true };
    // not there at all
    detach(&cluster, &wished, "ffe", "api").await.unwrap();
    api.put(gateway(json!([{"name": "http"}, {"name": "ffe-api-1"}])));
    // nothing of ours
    with_manager(&api, "terraform-provider-ffe/ffe/other", &["ffe-api-1"]);
    detach(&cluster, &wished, "ffe", "api").await.unwrap();
    assert_eq!(patches(&api), []);

    with_manager(&api, "terraform-provider-ffe/ffe/api", &["ffe-api-1"]);
    detach(&cluster, &wished, "ffe", "api").await.unwrap();
    let sent = patches(&api);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].body,
        json!({"apiVersion": GATEWAY, "kind": "Gateway", "metadata": {"name": "web", "namespace": "infra"}})
    );

    api.put(gateway(json!([{"name": "ffe-api-1"}])));
    with_manager(&api, "terraform-provider-ffe/ffe/api", &["ffe-api-1"]);
    let error = detach(&cluster, &wished, "ffe", "api").await.unwrap_err();
    assert!(matches!(error, Error::LastListener { .. }), "{error}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words() {
    let api = api();
    api.put(gateway(json!([])));
    let route = on_gateway("infra", true);
    let found = resolved(&api, &route).await;
    api.fail("PATCH", "/gateways/web", None, 403, "Forbidden", "gateways \"web\" is forbidden");
    let error = attach(&api.cluster(), &route, &found).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("Gateway infra/web") && text.contains("is forbidden"), "{text}");
    assert!(error.advice().unwrap().contains("manage_listener = false"));
    assert_eq!(error.attribute().as_deref(), Some("gateway"));
}
