//! Endpoints at a Gateway: routes, the listener of their own, and the way between the two kinds.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::world::{ADDRESS, ENDPOINT, World, acme, endpoint};

const GATEWAY: &str = "gateway.networking.k8s.io/v1";

/// A Gateway of somebody else's, with a listener for HTTP.
fn gateway(world: &World) -> ObjectRef {
    world.api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "web" } }));
    world.api.put(json!({ "apiVersion": GATEWAY, "kind": "GatewayClass", "metadata": { "name": "traefik" },
        "spec": { "controllerName": "traefik.io/gateway-controller" } }));
    world.api.put(
        json!({ "apiVersion": GATEWAY, "kind": "Gateway", "metadata": { "name": "shared", "namespace": "web" },
        "spec": { "gatewayClassName": "traefik", "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP",
            "allowedRoutes": { "namespaces": { "from": "All" } } }] } }),
    );
    ObjectRef::new(GATEWAY, "Gateway", Some("web"), "shared")
}

fn at_gateway(manage_listener: bool) -> Json {
    let mut config = endpoint(json!({
        "gateway": { "name": "shared", "namespace": "web", "manage_listener": manage_listener },
        "issuer": acme(json!({ "http01": {} })),
    }));
    config["ingress_class"] = Json::Null;
    config
}

/// How many listeners each apply to the Gateway has brought. The API in memory neither merges lists by name nor keeps
/// books of who owns which: that the others' listeners stay, and that ours go in the end, shows on a real one.
fn applied(world: &World) -> Vec<usize> {
    let to_it =
        world.api.seen().into_iter().filter(|seen| seen.method == "PATCH" && seen.path.ends_with("/gateways/shared"));
    to_it.map(|seen| seen.body["spec"]["listeners"].as_array().map_or(0, Vec::len)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_has_its_listener_while_it_lives() {
    let world = World::new();
    let gateway = gateway(&world);
    let mut tf = world.terraform().await;
    let made = tf.apply(ENDPOINT, "this", at_gateway(true)).await;
    made.expect_ok();
    assert_eq!(made.state["address"], ADDRESS);
    assert_eq!(world.names("HTTPRoute"), ["api", "api-http"]);
    assert_eq!(world.names("ReferenceGrant"), ["api-tls"], "the Gateway of another namespace may read the Secret");
    assert_eq!(applied(&world).last(), Some(&1));
    let issuer = world.get("cert-manager.io/v1", "Issuer", "api").unwrap();
    let solver = &issuer["spec"]["acme"]["solvers"][0]["http01"]["gatewayHTTPRoute"]["parentRefs"][0];
    assert_eq!((&solver["name"], &solver["sectionName"]), (&json!("shared"), &json!("http")));

    // A listener that somebody takes away is drift.
    world.api.edit(&gateway, |gateway| {
        gateway["spec"]["listeners"] = json!([]);
    });
    tf.plan(ENDPOINT, "this", at_gateway(true)).await.expect_action(Action::Update);
    tf.apply(ENDPOINT, "this", at_gateway(true)).await.expect_ok();
    assert_eq!(world.api.get(&gateway).unwrap()["spec"]["listeners"].as_array().unwrap().len(), 1);

    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("HTTPRoute"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_gateway_without_a_listener_for_the_secret_is_named_with_both() {
    let world = World::new();
    gateway(&world);
    let mut tf = world.terraform().await;
    tf.plan(ENDPOINT, "this", at_gateway(false)).await.expect_action(Action::Create).expect_ok();
    let refused = tf.apply(ENDPOINT, "this", at_gateway(false)).await;
    refused.expect_error("gateway", "ffe/api-tls");
    assert_eq!(world.names("HTTPRoute"), Vec::<String>::new(), "nothing was changed");
}

#[tokio::test(start_paused = true)]
async fn another_class_does_not_take_what_somebody_else_has_there() {
    let world = World::new();
    gateway(&world);
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", at_gateway(true)).await.expect_ok();
    world.api.put(json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "name": "api", "namespace": "ffe" }, "spec": { "ingressClassName": "nginx" } }));
    let ingress = endpoint(json!({ "issuer": acme(json!({ "http01": {} })) }));
    tf.apply(ENDPOINT, "this", ingress).await.expect_error("name", "Ingress ffe/api");
    tf.assert_empty_plan(ENDPOINT, "this", at_gateway(true)).await;
}

#[tokio::test(start_paused = true)]
async fn from_an_ingress_to_a_gateway_and_back_nothing_is_left_behind() {
    let world = World::new();
    gateway(&world);
    let mut tf = world.terraform().await;
    let ingress = endpoint(json!({ "issuer": acme(json!({ "http01": {} })) }));
    tf.apply(ENDPOINT, "this", ingress.clone()).await.expect_ok();
    tf.apply(ENDPOINT, "this", at_gateway(true)).await.expect_ok();
    assert_eq!((world.names("Ingress"), world.names("Middleware")), (vec![], vec![]));
    tf.apply(ENDPOINT, "this", ingress).await.expect_ok();
    assert_eq!((world.names("HTTPRoute"), world.names("ReferenceGrant")), (vec![], vec![]));
    assert_eq!(world.controllers.orders(), 1);
}
