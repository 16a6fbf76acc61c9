//! Waiting for the controller, against the API in memory.
#![allow(clippy::unwrap_used, clippy::panic)]

use ffe_cluster::Cancel;
use ffe_cluster_testing::FakeApi;
use serde_json::json;

use super::*;
use crate::objects;
use crate::tests::{api, gateway, on_gateway, resolved, route};

fn within(seconds: u64) -> WaitOptions {
    WaitOptions::new(Duration::from_secs(seconds), Cancel::new())
}

async fn applied(api: &FakeApi, route: &Route) -> Resolved {
    let resolved = resolved(api, route).await;
    for object in objects(route, &resolved) {
        api.put(object);
    }
    resolved
}

fn ingress(api: &FakeApi, status: Value) {
    let object = ObjectRef::new("networking.k8s.io/v1", "Ingress", Some("ffe"), "api");
    api.edit(&object, |ingress| ingress["status"] = status);
}

#[tokio::test(start_paused = true)]
async fn the_address_comes_from_the_status_whenever_it_comes() {
    let (api, route) = (api(), route("nginx"));
    let resolved = applied(&api, &route).await;
    let cluster = api.cluster();
    assert_eq!(current_address(&cluster, &route, &resolved).await.unwrap(), []);
    let later = api.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(30)).await;
        ingress(
            &later,
            json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}, {"hostname": "lb.example.net"}, {"ip": "192.0.2.7"}]}}),
        );
    });
    let found = address(&cluster, &route, &resolved, &within(60)).await.unwrap();
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["192.0.2.7", "lb.example.net"]);
    assert!(matches!(found.as_slice(), [Address::Ip(_), Address::Hostname(_)]));
    assert_eq!(current_address(&cluster, &route, &resolved).await.unwrap(), found);
}

#[tokio::test(start_paused = true)]
async fn no_address_says_who_should_have_written_it() {
    let (api, route) = (api(), route("traefik"));
    let resolved = applied(&api, &route).await;
    let error = address(&api.cluster(), &route, &resolved, &within(20)).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("IngressClass \"traefik\"") && text.contains("traefik.io/ingress-controller"), "{text}");
    let advice = error.advice().unwrap();
    assert!(advice.contains("ingressEndpoint") && advice.contains("No pod labelled"), "{advice}");
}

#[tokio::test(start_paused = true)]
async fn the_address_of_a_former_controller_is_not_taken() {
    let (api, route) = (api(), route("traefik"));
    let resolved = applied(&api, &route).await;
    let cluster = api.cluster();
    let object = ObjectRef::new("networking.k8s.io/v1", "Ingress", Some("ffe"), "api");
    let wrote = |manager: &str, time: &str| json!({"manager": manager, "operation": "Update", "subresource": "status", "time": time});
    let nginx = wrote("nginx-ingress-controller", "2026-01-01T00:00:00Z");
    api.edit(&object, |ingress| {
        ingress["metadata"]["managedFields"] = json!([nginx]);
        ingress["status"] = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}});
    });
    assert_eq!(current_address(&cluster, &route, &resolved).await.unwrap(), []);
    let error = address(&cluster, &route, &resolved, &within(10)).await.unwrap_err();
    assert!(error.to_string().contains("former controller, nginx-ingress-controller"), "{error}");

    // it writes its own, which may be the same
    let traefik = wrote("traefik", "2026-01-01T00:00:09Z");
    api.edit(&object, |ingress| ingress["metadata"]["managedFields"] = json!([traefik, nginx]));
    assert_eq!(address(&cluster, &route, &resolved, &within(10)).await.unwrap()[0].to_string(), "192.0.2.7");
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait() {
    let (api, route) = (api(), route("traefik"));
    let resolved = applied(&api, &route).await;
    let wait = within(600);
    wait.cancel.cancel();
    assert!(address(&api.cluster(), &route, &resolved, &wait).await.unwrap_err().is_cancelled());
}

fn status(api: &FakeApi, status: Value) {
    let object = ObjectRef::new("gateway.networking.k8s.io/v1", "Gateway", Some("infra"), "web");
    api.edit(&object, |gateway| gateway["status"] = status);
}

fn open_gateway() -> Value {
    gateway(json!([{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}]))
}

#[tokio::test(start_paused = true)]
async fn a_gateway_has_its_address_in_its_own_status() {
    let (api, route) = (api(), on_gateway("infra", true));
    api.put(open_gateway());
    let resolved = applied(&api, &route).await;
    let cluster = api.cluster();
    let error = address(&cluster, &route, &resolved, &within(10)).await.unwrap_err();
    assert!(error.to_string().contains("GatewayClass \"traefik\" running?"), "{error}");

    // ours cannot be valid before the certificate is there: no reason to stop
    let ours = json!({"type": "Accepted", "status": "False", "reason": "ListenersNotValid"});
    status(&api, json!({"conditions": [ours], "addresses": [{"type": "IPAddress", "value": "2001:db8::1"}]}));
    assert_eq!(address(&cluster, &route, &resolved, &within(10)).await.unwrap()[0].to_string(), "2001:db8::1");

    let bad = json!({"type": "Accepted", "status": "False", "reason": "InvalidParameters", "message": "no such infrastructure"});
    status(&api, json!({"conditions": [bad]}));
    let error = address(&cluster, &route, &resolved, &within(600)).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused { why, .. } if why.contains("no such infrastructure (InvalidParameters)")),
        "{error}"
    );
}

fn good(kind: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": kind})
}

#[tokio::test(start_paused = true)]
async fn a_route_is_accepted_on_all_its_listeners_or_says_why_not() {
    let (api, route) = (api(), on_gateway("infra", true));
    api.put(open_gateway());
    let resolved = applied(&api, &route).await;
    let cluster = api.cluster();
    let Resolved::Gateway(attachment) = &resolved else { panic!("it is a Gateway") };
    let listeners: Vec<Value> = attachment
        .ours
        .iter()
        .map(|ours| json!({"name": ours.name, "conditions": [good("Accepted"), good("Programmed"), good("ResolvedRefs")]}))
        .collect();
    status(&api, json!({"conditions": [good("Accepted")], "listeners": listeners}));
    let told = |object: &ObjectRef, conditions: Value| {
        api.edit(object, |route| {
            let parents = route["spec"]["parentRefs"].as_array().cloned().unwrap_or_default();
            let parents: Vec<Value> =
                parents.iter().map(|parent| json!({"parentRef": parent, "conditions": conditions})).collect();
            route["status"] = json!({"parents": parents});
        });
    };
    for object in routes(&route, attachment) {
        told(&object, json!([good("Accepted"), good("ResolvedRefs")]));
    }
    accepted(&cluster, &route, &resolved, &within(30)).await.unwrap();

    let missing =
        json!({"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "message": "service not found"});
    told(&main_object(&route), json!([good("Accepted"), missing]));
    let error = accepted(&cluster, &route, &resolved, &within(600)).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { object, .. } if object.kind == "HTTPRoute"), "{error}");
    assert!(error.to_string().contains("service not found (BackendNotFound)"), "{error}");
    // not long enough to be sure: the time is over first
    let error = accepted(&cluster, &route, &resolved, &within(6)).await.unwrap_err();
    assert_eq!(error.cluster().map(ffe_cluster::Error::kind), Some(Kind::Timeout), "{error}");
}
