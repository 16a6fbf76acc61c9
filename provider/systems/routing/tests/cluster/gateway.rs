//! Routes on a Gateway: listeners of ours on somebody's, and what becomes of theirs.

use ffe_cluster::ObjectRef;
use ffe_routing::{
    Backend, Class, Error, GatewayRef, Resolved, Route, Rule, accepted, address, attach, detach, drift, http01,
    inspect, objects, resolve,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{CHALLENGE, CHALLENGE_PATH, SECRET, World};

fn shared(manage_listener: bool) -> GatewayRef {
    GatewayRef { namespace: "traefik".to_owned(), name: "shared".to_owned(), manage_listener }
}

async fn listeners(world: &World) -> Vec<Value> {
    let object = ObjectRef::new("gateway.networking.k8s.io/v1", "Gateway", Some("traefik"), "shared");
    let gateway = world.cluster.get_ref(&object).await.unwrap();
    gateway.data["spec"]["listeners"].as_array().unwrap().clone()
}

/// Those of a route that are on the Gateway now.
async fn ours(world: &World, resolved: &Resolved) -> usize {
    let Resolved::Gateway(attachment) = resolved else { panic!("it is a Gateway") };
    let there = listeners(world).await;
    attachment.ours.iter().filter(|ours| there.iter().any(|live| live["name"] == ours.name.as_str())).count()
}

pub(crate) async fn our_listeners_come_and_go_beside_those_of_others() {
    let world = World::start("gateway").await;
    let (cluster, client) = (&world.cluster, &world.client);
    let (a, b, c) = (world.host("a"), world.host("b"), world.host("c"));
    let route = world.route(Class::Gateway(shared(true)));
    // before the certificate is there, as when it is issued by HTTP-01 through this very route
    let resolved = world.serve(&route).await;
    let found = address(cluster, &route, &resolved, &world.patience()).await.unwrap();
    assert_eq!(found[0].to_string(), client.address.to_string());
    client.until_status(&format!("http://{a}/"), StatusCode::MOVED_PERMANENTLY).await;

    // the solver's route, by the parents that we name
    let solver = http01(&resolved).to_value();
    let rule = json!({"matches": [{"path": {"type": "Exact", "value": CHALLENGE_PATH}}],
        "backendRefs": [{"name": "solver", "port": 8089}]});
    world
        .apply(&json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "cm-acme-http-solver", "namespace": world.namespace},
            "spec": {"parentRefs": solver["gatewayHTTPRoute"]["parentRefs"], "hostnames": [a], "rules": [rule]}}))
        .await;
    let challenge = client.until_status(&format!("http://{a}{CHALLENGE_PATH}"), StatusCode::OK).await;
    assert_eq!(challenge.body.trim(), CHALLENGE);

    world.certify().await;
    accepted(cluster, &route, &resolved, &world.patience()).await.unwrap();
    for host in [&a, &b] {
        let page = client.until_status(&format!("https://{host}/"), StatusCode::OK).await;
        assert_eq!(page.body.trim(), "application");
        page.assert_safe();
    }
    let redirect = client.get(&format!("http://{a}/x")).await;
    assert_eq!((redirect.status, redirect.header("location")), (301, format!("https://{a}/x").as_str()));
    assert_eq!(drift(cluster, &route, &resolved, |_, _| true).await.unwrap(), []);

    // another endpoint on the same Gateway
    let second =
        Route::new(&world.namespace, "other", [&c], SECRET, Backend::new("engine", 8000), Class::Gateway(shared(true)));
    let its = world.serve(&second).await;
    assert_eq!((ours(&world, &resolved).await, ours(&world, &its).await), (2, 1));
    accepted(cluster, &second, &its, &world.patience()).await.unwrap();
    client.until_status(&format!("https://{c}/"), StatusCode::OK).await;
    client.until_status(&format!("http://{c}/"), StatusCode::OK).await;

    // one host less, then the endpoint goes; the others' listeners stay
    let fewer = Route { hosts: vec![a.clone()], ..route.clone() };
    world.serve(&fewer).await;
    assert_eq!((ours(&world, &resolved).await, ours(&world, &its).await), (1, 1));
    detach(cluster, &shared(true), &world.namespace, "api").await.unwrap();
    assert_eq!((ours(&world, &resolved).await, ours(&world, &its).await), (0, 1));
    let drifted = drift(cluster, &fewer, &resolve(cluster, &fewer).await.unwrap(), |_, _| true).await.unwrap();
    assert_eq!(drifted.len(), 1, "{drifted:?}");
    client.until_status(&format!("https://{c}/"), StatusCode::OK).await;
    detach(cluster, &shared(true), &world.namespace, "other").await.unwrap();
    assert!(listeners(&world).await.iter().any(|listener| listener["name"] == "http"));
    detach(cluster, &shared(true), &world.namespace, "other").await.unwrap();
    world.end().await;
}

pub(crate) async fn a_gateway_of_ones_own_is_not_touched() {
    let world = World::start("own").await;
    let cluster = &world.cluster;
    world.certify().await;
    let own = GatewayRef { namespace: world.namespace.clone(), name: "own".to_owned(), manage_listener: false };
    let route = world.route(Class::Gateway(own.clone()));
    let gateway = |listeners: Value| {
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": "own", "namespace": world.namespace},
            "spec": {"gatewayClassName": "traefik", "listeners": listeners}})
    };
    let http = json!({"name": "http", "protocol": "HTTP", "port": 80});
    world.apply(&gateway(json!([http]))).await;
    let error = resolve(cluster, &route).await.unwrap_err();
    assert!(matches!(error, Error::NoListener { .. }), "{error}");
    assert!(error.to_string().contains(&format!("{}/{SECRET}", world.namespace)), "{error}");
    assert!(inspect(cluster, &route).await.is_ok());

    let secure = json!({"name": "https", "protocol": "HTTPS", "port": 443, "hostname": format!("*.{}.ffe.test", world.namespace),
        "tls": {"certificateRefs": [{"name": SECRET}]}});
    world.apply(&gateway(json!([http, secure]))).await;
    let resolved = world.serve(&route).await;
    attach(cluster, &route, &resolved).await.unwrap();
    assert!(
        objects(&route, &resolved).iter().all(|object| object["kind"] == "HTTPRoute"),
        "no grant within a namespace"
    );
    accepted(cluster, &route, &resolved, &world.patience()).await.unwrap();
    let a = world.host("a");
    let page = world.client.until_status(&format!("https://{a}/"), StatusCode::OK).await;
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    world.client.until_status(&format!("http://{a}/"), StatusCode::MOVED_PERMANENTLY).await;

    // a backend that is not there is told in the controller's words
    let wrong = Route { rules: vec![Rule::new("/", Backend::new("nowhere", 80))], ..route.clone() };
    world.serve(&wrong).await;
    let error = accepted(cluster, &wrong, &resolved, &world.patience()).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { why, .. } if why.contains("ResolvedRefs")), "{error}");
    println!("{error}");
    world.end().await;
}
