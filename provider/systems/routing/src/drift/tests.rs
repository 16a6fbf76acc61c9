//! Drift against the API in memory.
#![allow(clippy::unwrap_used)]

use ffe_cluster::{ApplyOptions, ObjectRef};
use serde_json::json;

use super::*;
use crate::tests::{api, gateway, on_gateway, resolved, route};
use crate::{attach, names};

const ALL: fn(&ObjectRef, &str) -> bool = |_, _| true;

fn paths(drift: &[Drift]) -> Vec<String> {
    drift.iter().map(|drift| format!("{}{}", drift.object, drift.path)).collect()
}

#[tokio::test]
async fn what_was_applied_has_not_drifted_and_every_change_is_named() {
    let (api, route) = (api(), route("traefik"));
    let (cluster, resolved) = (api.cluster(), resolved(&api, &route).await);
    assert_eq!(drift(&cluster, &route, &resolved, ALL).await.unwrap().len(), 5);
    for object in objects(&route, &resolved) {
        cluster.apply_value(&object, ApplyOptions::default()).await.unwrap();
    }
    assert_eq!(drift(&cluster, &route, &resolved, ALL).await.unwrap(), []);

    let found = names("ffe", "api");
    api.edit(&found[0], |ingress| {
        ingress["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.tls"] = json!("false");
        ingress["metadata"]["annotations"]["team"] = json!("blue");
    });
    api.edit(&found[3], |headers| headers["spec"]["headers"]["stsSeconds"] = json!(60));
    api.remove(&found[1]);
    let drift = drift(&cluster, &route, &resolved, ALL).await.unwrap();
    assert_eq!(
        paths(&drift),
        [
            "Middleware ffe/api-headers/spec/headers/stsSeconds",
            "Ingress ffe/api/metadata/annotations/traefik.ingress.kubernetes.io~1router.tls",
            "Ingress ffe/api-http",
        ]
    );
    assert_eq!((&drift[0].expected, &drift[0].found), (&json!(31_536_000), &Some(json!(60))));
}

#[tokio::test]
async fn listeners_of_ours_are_compared_by_name() {
    let (api, route) = (api(), on_gateway("infra", true));
    api.put(gateway(
        json!([{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}]),
    ));
    let (cluster, resolved) = (api.cluster(), resolved(&api, &route).await);
    for object in objects(&route, &resolved) {
        cluster.apply_value(&object, ApplyOptions::default()).await.unwrap();
    }
    let missing = drift(&cluster, &route, &resolved, ALL).await.unwrap();
    assert_eq!(missing.len(), 2, "{missing:?}");
    assert!(missing.iter().all(|drift| drift.path.starts_with("/spec/listeners/ffe-api-") && drift.found.is_none()));

    attach(&cluster, &route, &resolved).await.unwrap();
    assert_eq!(drift(&cluster, &route, &resolved, ALL).await.unwrap(), []);
    let object = ObjectRef::new("gateway.networking.k8s.io/v1", "Gateway", Some("infra"), "web");
    api.edit(&object, |gateway| gateway["spec"]["listeners"][1]["tls"]["certificateRefs"][0]["name"] = json!("other"));
    let changed = drift(&cluster, &route, &resolved, ALL).await.unwrap();
    assert_eq!(changed.len(), 1);
    assert!(changed[0].path.ends_with("/tls/certificateRefs/0/name"), "{}", changed[0].path);
}
