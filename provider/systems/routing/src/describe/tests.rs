//! Foreign Ingresses, against the API in memory.
#![allow(clippy::unwrap_used)]

use ffe_cluster_testing::FakeApi;
use serde_json::{Value, json};

use super::*;
use crate::objects;
use crate::tests::{api, resolved, route};

fn put(api: &FakeApi, annotations: Value, spec: Value) {
    api.put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "old", "namespace": "ffe", "annotations": annotations}, "spec": spec}));
}

fn path(path: &str, service: &str) -> Value {
    json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"name": "http"}}}})
}

async fn described(api: &FakeApi) -> Described {
    describe(&api.cluster(), "ffe", "old").await.unwrap()
}

#[tokio::test]
async fn what_is_made_here_is_read_back_as_it_was_described() {
    for class in ["traefik", "nginx"] {
        let api = api();
        let mut route = route(class);
        if class == "nginx" {
            route.security = Security { ssl_redirect: true, requests_per_minute: Some(100), ..Security::default() };
        }
        let resolved = resolved(&api, &route).await;
        for object in objects(&route, &resolved) {
            api.put(object);
        }
        let found = describe(&api.cluster(), "ffe", "api").await.unwrap();
        let annotations = found.annotations.clone();
        assert_eq!(found, Described { route, untold: Vec::new(), lost: Vec::new(), annotations });
    }
}

#[tokio::test]
async fn what_cannot_be_said_is_listed() {
    let api = api();
    put(
        &api,
        json!({
            "kubernetes.io/ingress.class": "nginx",
            "meta.helm.sh/release-name": "engine",
            "cert-manager.io/cluster-issuer": "letsencrypt",
            "nginx.ingress.kubernetes.io/ssl-redirect": "false",
            "nginx.ingress.kubernetes.io/limit-rpm": "60",
            "nginx.ingress.kubernetes.io/proxy-body-size": "8m",
            "nginx.ingress.kubernetes.io/configuration-snippet": "more_set_headers canary;",
        }),
        json!({
            "rules": [
                {"host": "a.example.com", "http": {"paths": [path("/", "engine"), path("/admin", "admin")]}},
                {"host": "b.example.com", "http": {"paths": [path("/", "engine")]}},
                {"http": {"paths": [path("/", "engine")]}},
            ],
            "tls": [{"hosts": ["a.example.com"], "secretName": "one"}, {"hosts": ["c.example.com"], "secretName": "two"}],
            "defaultBackend": {"service": {"name": "x", "port": {"number": 80}}},
        }),
    );
    let found = described(&api).await;
    assert_eq!(found.route.hosts, ["a.example.com", "b.example.com"]);
    assert_eq!(found.route.class, Class::Ingress(Some("nginx".to_owned())));
    assert_eq!(
        found.route.rules,
        [Rule::new("/", Backend::new("engine", "http")), Rule::new("/admin", Backend::new("admin", "http"))]
    );
    assert_eq!(found.route.secret_name, "one");
    assert_eq!((found.route.security.ssl_redirect, found.route.security.requests_per_minute), (false, Some(60)));
    assert!(found.annotations.keys().any(|key| key.starts_with("cert-manager.io/")));
    assert!(!found.untold.join(" ").contains("canary"), "{:?}", found.untold);
    insta::assert_snapshot!(found.untold.join("\n"));
    let stays: Vec<&String> = found.untold.iter().filter(|one| !found.lost.contains(one)).collect();
    assert_eq!(
        stays,
        [
            "a default backend",
            "annotation nginx.ingress.kubernetes.io/configuration-snippet",
            "annotation nginx.ingress.kubernetes.io/proxy-body-size",
        ]
    );
}

#[tokio::test]
async fn middlewares_of_others_are_read_as_far_as_they_go() {
    let api = api();
    let middleware = |name: &str, spec: Value| {
        api.put(json!({"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware",
            "metadata": {"name": name, "namespace": "ffe"}, "spec": spec}));
    };
    middleware("redirect", json!({"redirectScheme": {"scheme": "https", "permanent": true}}));
    middleware(
        "safe",
        json!({"headers": {"frameDeny": true, "stsSeconds": 600, "customRequestHeaders": {"Authorization": "canary"}}}),
    );
    middleware("slow", json!({"rateLimit": {"average": 2}}));
    middleware("odd", json!({"rateLimit": {"average": 5, "period": "3s"}}));
    middleware("login", json!({"basicAuth": {"secret": "users"}}));
    let names = ["redirect", "safe", "slow", "odd", "login", "gone"].map(|name| format!("ffe-{name}@kubernetescrd"));
    put(
        &api,
        json!({"traefik.ingress.kubernetes.io/router.middlewares": format!("{}, infra-x@kubernetescrd", names.join(","))}),
        json!({"ingressClassName": "traefik", "rules": [{"host": "a.example.com", "http": {"paths": [path("/", "engine")]}}]}),
    );
    let found = described(&api).await;
    assert_eq!(
        found.route.security,
        Security {
            ssl_redirect: true,
            hsts_max_age: Some(600),
            frame_options: Some("DENY".to_owned()),
            requests_per_minute: Some(120),
            ..Security::default()
        }
    );
    assert_eq!(found.route.secret_name, "old-tls");
    assert_eq!(found.untold, Vec::<String>::new());
    let kept: Vec<String> = found.route.middlewares.iter().map(ToString::to_string).collect();
    assert_eq!(
        kept,
        [
            "Middleware ffe/safe",
            "Middleware ffe/odd",
            "Middleware ffe/login",
            "Middleware ffe/gone",
            "Middleware infra-x@kubernetescrd"
        ],
        "what a setting says only in part goes on as it is"
    );
}

#[tokio::test]
async fn several_paths_and_a_protocol_are_read_back() {
    let api = api();
    put(
        &api,
        json!({"nginx.ingress.kubernetes.io/backend-protocol": "https", "nginx.ingress.kubernetes.io/auth-url": "canary"}),
        json!({"ingressClassName": "nginx", "rules": [
            {"host": "a.example.com", "http": {"paths": [path("/", "engine"), path("/admin", "admin")]}},
            {"host": "b.example.com", "http": {"paths": [path("/", "other"), path("/admin/", "admin")]}}]}),
    );
    let found = described(&api).await;
    let rule = |at: &str, service: &str| {
        Rule::new(at, Backend { protocol: Some(Protocol::Https), ..Backend::new(service, "http") })
    };
    assert_eq!(found.route.rules, [rule("/", "engine"), rule("/admin", "admin")]);
    assert_eq!(
        found.lost,
        ["path / to Service other:http of host b.example.com, which leads elsewhere for other hosts"]
    );
    assert_eq!(found.untold[1..], ["annotation nginx.ingress.kubernetes.io/auth-url"], "by its key alone");
}

#[tokio::test]
async fn one_that_is_not_there_is_an_error() {
    let error = describe(&api().cluster(), "ffe", "old").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no Ingress ffe/old in the cluster");
}
