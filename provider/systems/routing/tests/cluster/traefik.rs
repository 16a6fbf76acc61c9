//! Traefik's own class: all that a description can ask for.

use ffe_cluster::ObjectRef;
use ffe_routing::{
    Class, Dialect, Security, accepted, address, conflicts, describe, drift, leftovers, names, objects, warnings,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::Answer;
use crate::world::{CHALLENGE, CHALLENGE_PATH, World};

pub(crate) async fn everything_that_is_promised_is_kept() {
    let world = World::start("traefik").await;
    let (cluster, client) = (&world.cluster, &world.client);
    let (a, b) = (world.host("a"), world.host("b"));
    world.certify().await;
    let mut route = world.route(Class::Ingress(Some("traefik".to_owned())));
    let resolved = world.serve(&route).await;
    assert_eq!(resolved.dialect(), Dialect::Traefik);
    assert_eq!(warnings(&route, &resolved), []);
    assert_eq!(conflicts(cluster, &route, &resolved).await.unwrap(), []);
    let found = address(cluster, &route, &resolved, &world.patience()).await.unwrap();
    assert_eq!(found[0].to_string(), client.address.to_string());
    accepted(cluster, &route, &resolved, &world.patience()).await.unwrap();

    // plain HTTP leads to HTTPS, and there it ends
    let redirect = client.until_status(&format!("http://{a}/x?y=1"), StatusCode::MOVED_PERMANENTLY).await;
    assert_eq!(redirect.header("location"), format!("https://{a}/x?y=1"));
    assert_eq!(redirect.header("strict-transport-security"), "", "not over plain HTTP");
    let other = client.send(Method::POST, &format!("http://{a}/")).await.unwrap();
    assert_eq!(other.status, StatusCode::PERMANENT_REDIRECT.as_u16());
    let page = client.until_status(&format!("https://{a}/"), StatusCode::OK).await;
    assert_eq!(page.body.trim(), "application");
    page.assert_safe();

    // the challenge of HTTP-01 is not redirected, while everything else is
    world.challenge("traefik", &a).await;
    let challenge = client.until_status(&format!("http://{a}{CHALLENGE_PATH}"), StatusCode::OK).await;
    assert_eq!(challenge.body.trim(), CHALLENGE);
    assert_eq!(client.get(&format!("http://{a}/")).await.status, 301);
    assert_eq!(conflicts(cluster, &route, &resolved).await.unwrap(), [], "a solver is no conflict");

    // ten a minute, and the refusal has the headers too
    let mut answers = Vec::new();
    for _ in 0..25 {
        answers.push(client.get(&format!("https://{b}/")).await);
    }
    let refused = answers.iter().find(|answer| answer.status == 429).expect("25 requests at once are too many");
    assert_eq!(refused.header("x-frame-options"), "DENY");
    assert_eq!(answers[0].status, 200);

    // what is there is what was applied, and reads back as it was described
    assert_eq!(drift(cluster, &route, &resolved, |_, _| true).await.unwrap(), []);
    let described = describe(cluster, &world.namespace, "api").await.unwrap();
    assert_eq!((described.route, described.untold), (route.clone(), Vec::<String>::new()));

    // settings that are taken back leave nothing behind
    route.security = Security::default();
    world.serve(&route).await;
    for object in leftovers(&route, &objects(&route, &resolved)) {
        world.delete(&object).await;
    }
    let plain = client.until_status(&format!("http://{a}/"), StatusCode::OK).await;
    assert_eq!(plain.header("x-frame-options"), "");
    let bare = |answer: &Answer| answer.status == 200 && answer.header("x-frame-options").is_empty();
    client.until(&format!("https://{b}/"), "without headers", bare).await;
    let left = cluster.list_ref("traefik.io/v1alpha1", "Middleware", Some(&world.namespace), &Default::default()).await;
    assert!(left.unwrap().is_empty());

    // somebody else for the same host
    let path = json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "engine", "port": {"name": "http"}}}});
    world
        .apply(&json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "other", "namespace": world.namespace},
            "spec": {"ingressClassName": "traefik", "rules": [{"host": b, "http": {"paths": [path]}}]}}))
        .await;
    let found = conflicts(cluster, &route, &resolved).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].fatal);
    world.delete(&found[0].object).await;

    for object in names(&world.namespace, "api") {
        world.delete(&object).await;
    }
    client.until_status(&format!("http://{a}/"), StatusCode::NOT_FOUND).await;
    let gone = ObjectRef::new("networking.k8s.io/v1", "Ingress", Some(&world.namespace), "api");
    assert!(cluster.find_ref(&gone).await.unwrap().is_none());
    world.end().await;
}

pub(crate) async fn a_path_below_the_root_leaves_the_rest_of_the_host_alone() {
    let world = World::start("path").await;
    world.certify().await;
    let mut route = world.route(Class::Ingress(Some("traefik".to_owned())));
    route.rules[0].path = "/index.html".to_owned();
    let resolved = world.serve(&route).await;
    assert!(warnings(&route, &resolved).iter().any(|warning| warning.attribute == "path"));
    let a = world.host("a");
    world.client.until_status(&format!("https://{a}/index.html"), StatusCode::OK).await;
    assert_eq!(world.client.get(&format!("https://{a}/")).await.status, 404);
    assert_eq!(world.client.get(&format!("http://{a}/")).await.status, 404);
    // Its router for plain HTTP may come a moment later than that for HTTPS.
    world.client.until_status(&format!("http://{a}/index.html"), StatusCode::MOVED_PERMANENTLY).await;
    world.end().await;
}
