//! The dialect of ingress-nginx, as far as Traefik's provider of that name goes.

use ffe_routing::{Class, Dialect, address, warnings};
use reqwest::StatusCode;

use crate::world::{CHALLENGE, CHALLENGE_PATH, World};

pub(crate) async fn redirects_are_understood_and_the_rest_is_warned_of() {
    let world = World::start("nginx").await;
    let client = &world.client;
    world.certify().await;
    let mut route = world.route(Class::Ingress(Some("nginx".to_owned())));
    let resolved = world.serve(&route).await;
    assert_eq!(resolved.dialect(), Dialect::TraefikNginx);
    let warned: Vec<String> = warnings(&route, &resolved).into_iter().map(|warning| warning.attribute).collect();
    assert_eq!(warned.len(), 6, "all but the redirect: {warned:?}");
    let found = address(&world.cluster, &route, &resolved, &world.patience()).await.unwrap();
    assert_eq!(found[0].to_string(), client.address.to_string());

    let a = world.host("a");
    let redirect = client.until_status(&format!("http://{a}/"), StatusCode::PERMANENT_REDIRECT).await;
    assert_eq!(redirect.header("location"), format!("https://{a}/"));
    let page = client.until_status(&format!("https://{a}/"), StatusCode::OK).await;
    // what the warnings say
    assert_eq!((page.body.trim(), page.header("x-frame-options")), ("application", ""));
    for _ in 0..15 {
        assert_eq!(client.get(&format!("https://{a}/")).await.status, 200);
    }

    world.challenge("nginx", &a).await;
    let challenge = client.until_status(&format!("http://{a}{CHALLENGE_PATH}"), StatusCode::OK).await;
    assert_eq!(challenge.body.trim(), CHALLENGE);

    route.security.ssl_redirect = false;
    world.serve(&route).await;
    client.until_status(&format!("http://{a}/"), StatusCode::OK).await;
    world.end().await;
}
