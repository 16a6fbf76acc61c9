//! The ordinary life: made, changed, drifted, imported, destroyed.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{ADDRESS, ENDPOINT, NAMESPACE, World, endpoint};

const API: &str = "cert-manager.io/v1";
const NETWORKING: &str = "networking.k8s.io/v1";

#[tokio::test(start_paused = true)]
async fn an_endpoint_lives_and_dies() {
    let world = World::new();
    let mut tf = world.terraform().await;

    let planned = tf.plan(ENDPOINT, "this", endpoint(json!({}))).await;
    planned.expect_action(Action::Create).expect_silence();
    let mut unknowns = planned.unknown();
    unknowns.sort();
    assert_eq!(unknowns, ["address", "certificate_status", "verify_results"], "{planned}");
    assert_eq!(planned.after["url"], "https://api.example.com");

    let made = tf.apply(ENDPOINT, "this", endpoint(json!({}))).await;
    made.expect_ok();
    assert_eq!(made.state["address"], ADDRESS);
    assert_eq!(made.state["certificate_status"]["ready"], true);
    assert_eq!(made.state["certificate_status"]["sans"], json!(["api.example.com"]));
    assert_eq!(made.state["certificate_status"]["issuer"], "CN=Test Authority");
    assert_eq!(made.state["verify_results"], json!([]));
    let ingress = world.get(NETWORKING, "Ingress", "api").unwrap();
    assert_eq!(ingress["spec"]["tls"][0]["secretName"], "api-tls");
    let annotations = ingress["metadata"]["annotations"].as_object().unwrap();
    assert!(!annotations.keys().any(|key| key.starts_with("cert-manager.io/")), "two certificates would be made");
    let certificate = world.get(API, "Certificate", "api-tls").unwrap();
    assert_eq!(certificate["spec"]["renewBefore"], json!(null), "cert-manager's own fits every length");
    let headers = world.get("traefik.io/v1alpha1", "Middleware", "api-headers").unwrap()["spec"]["headers"].clone();
    assert_eq!(headers["stsSeconds"], 31_536_000);
    assert_eq!((&headers["contentSecurityPolicy"], &headers["customFrameOptionsValue"]), (&json!(null), &json!(null)));
    assert_eq!(world.names("PrometheusRule"), ["api-certificate"]);
    let record = world.get("v1", "ConfigMap", "ffe-tls-endpoint.api").unwrap();
    assert_eq!(record["metadata"]["annotations"]["ffe.three-rivers.tech/state"], "complete");

    // Imported elsewhere, it plans empty.
    let mut other = world.terraform().await;
    other.import(ENDPOINT, "this", "ffe/api", endpoint(json!({}))).await.expect_action(Action::NoOp).expect_ok();
    assert_eq!(other.state(ENDPOINT, "this")["certificate_status"], made.state["certificate_status"]);

    tf.destroy(ENDPOINT, "this").await.expect_ok();
    for kind in ["Ingress", "Middleware", "Certificate", "PrometheusRule", "ConfigMap", "Lease"] {
        assert_eq!(world.names(kind), Vec::<String>::new(), "{kind}");
    }
    assert_eq!(world.names("Issuer"), ["internal"], "it is somebody else's");
    assert_eq!(world.names("Secret"), ["api-tls"], "kept");

    // Made again, nothing is ordered anew.
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    assert_eq!(world.controllers.orders(), 1);
    tf.apply(ENDPOINT, "this", endpoint(json!({ "keep_secret": false }))).await.expect_ok();
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("Secret"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn each_change_is_made_in_place_and_one_that_is_taken_back_is_undone() {
    let world = World::new();
    world.issuer("another", json!({ "selfSigned": {} }));
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let plain = world.get(NETWORKING, "Ingress", "api").unwrap()["spec"].clone();

    let changes: [(Json, &dyn Fn() -> Json, Json); 9] = [
        (
            json!({ "hosts": ["api.example.com", "b.example.com"] }),
            &|| world.get(API, "Certificate", "api-tls").unwrap()["spec"]["dnsNames"].clone(),
            json!(["api.example.com", "b.example.com"]),
        ),
        (
            json!({ "path": "/v1", "path_type": "Exact" }),
            &|| {
                world.get(NETWORKING, "Ingress", "api").unwrap()["spec"]["rules"][0]["http"]["paths"][0]["path"].clone()
            },
            json!("/v1"),
        ),
        (
            json!({ "backend": { "service": "backend", "port": "http" } }),
            &|| {
                let ingress = world.get(NETWORKING, "Ingress", "api").unwrap();
                ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"].clone()
            },
            json!({ "name": "http" }),
        ),
        (
            json!({ "issuer": { "name": "another" } }),
            &|| world.get(API, "Certificate", "api-tls").unwrap()["spec"]["issuerRef"]["name"].clone(),
            json!("another"),
        ),
        (
            json!({ "certificate": { "duration": "240h", "renew_before": "80h", "private_key": { "algorithm": "ECDSA" } } }),
            &|| world.get(API, "Certificate", "api-tls").unwrap()["spec"]["renewBefore"].clone(),
            json!("80h"),
        ),
        (
            json!({ "security": { "frame_options": "SAMEORIGIN" } }),
            &|| {
                let middlewares = world.api.all().into_iter().filter(|one| one["kind"] == "Middleware");
                json!(middlewares.into_iter().any(|one| one.to_string().contains("SAMEORIGIN")))
            },
            json!(true),
        ),
        (json!({ "alert": { "enabled": false } }), &|| json!(world.names("PrometheusRule")), json!([])),
        (
            json!({ "secret_name": "other" }),
            &|| json!([world.names("Certificate"), world.names("Secret")]),
            json!([["other"], ["api-tls", "other"]]),
        ),
        (json!({ "timeout": "3m" }), &|| json!(null), json!(null)),
    ];
    for (change, seen, expected) in changes {
        let planned = tf.plan(ENDPOINT, "this", endpoint(change.clone())).await;
        planned.expect_action(Action::Update).expect_ok();
        assert_eq!(planned.after["address"], ADDRESS, "who depends on it does not look changed: {change}");
        let another = ["hosts", "issuer", "certificate", "secret_name"].iter().any(|name| change.get(name).is_some());
        assert_eq!(planned.after["certificate_status"] == unknown(), another, "{change}");
        tf.apply(ENDPOINT, "this", endpoint(change.clone())).await.expect_ok();
        assert_eq!(seen(), expected, "{change}");
        tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
        assert_eq!(world.get(NETWORKING, "Ingress", "api").unwrap()["spec"], plain, "{change}");
    }
    assert_eq!(world.names("Certificate"), ["api-tls"]);
    assert_eq!(world.names("PrometheusRule"), ["api-certificate"]);
}

#[tokio::test(start_paused = true)]
async fn another_class_takes_the_place_of_the_first() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    assert!(!world.names("Middleware").is_empty());
    let nginx = endpoint(json!({ "ingress_class": "nginx" }));
    let planned = tf.plan(ENDPOINT, "this", nginx.clone()).await;
    planned.expect_action(Action::Update).expect_warning("", "administrator").expect_warning("", "retired");
    planned.expect_warning("ingress_class", "not served for a moment");
    let of_class = planned.diagnostics().iter().filter(|one| one.summary.contains("things to know about")).count();
    assert_eq!(of_class, 1, "one message with a list: {}", planned.diagnostics());
    assert_eq!(planned.after["address"], unknown());
    tf.apply(ENDPOINT, "this", nginx).await.expect_ok();
    assert_eq!((world.names("Middleware"), world.names("Ingress")), (vec![], vec!["api".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_or_deleted_behind_terraform_shows_and_is_put_right() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = endpoint(json!({ "certificate": { "renew_before": "720h" } }));
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    let object = |api: &str, kind: &str, name: &str| ObjectRef::new(api, kind, Some(NAMESPACE), name);
    let spec = world.get(NETWORKING, "Ingress", "api").unwrap()["spec"].clone();
    world.api.edit(&object(NETWORKING, "Ingress", "api"), |ingress| {
        ingress["spec"]["rules"][0]["host"] = json!("evil.example.com")
    });
    world.api.edit(&object(API, "Certificate", "api-tls"), |one| one["spec"]["renewBefore"] = json!("1h"));
    world.api.remove(&object("monitoring.coreos.com/v1", "PrometheusRule", "api-certificate"));
    world.api.edit(&object("v1", "ConfigMap", "ffe-tls-endpoint.api"), |record| {
        record["metadata"]["annotations"] = json!({});
    });

    let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
    planned.expect_action(Action::Update);
    let mut drifted: Vec<String> = planned.before["drifted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{} {}", one["object"].as_str().unwrap(), one["field"].as_str().unwrap()))
        .collect();
    drifted.sort();
    assert_eq!(
        drifted,
        [
            "Certificate ffe/api-tls spec.renewBefore",
            "ConfigMap ffe/ffe-tls-endpoint.api metadata.annotations[\"ffe.three-rivers.tech/resource\"]",
            "Ingress ffe/api spec.rules[0].host",
            "PrometheusRule ffe/api-certificate (missing)",
        ]
    );
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    assert_eq!(world.get(NETWORKING, "Ingress", "api").unwrap()["spec"], spec);
    assert_eq!(world.names("PrometheusRule"), ["api-certificate"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_older_version_has_set_unasked_goes_and_the_plan_says_so() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let mut old = tf.state(ENDPOINT, "this");
    old["security"]["frame_options"] = json!("DENY");
    old["security"]["content_security_policy"] = json!("default-src 'self'");
    let private = tf.private(ENDPOINT, "this");
    tf.set_state(ENDPOINT, "this", 0, old, &private);
    let planned = tf.plan(ENDPOINT, "this", endpoint(json!({}))).await;
    planned.expect_action(Action::Update).expect_ok();
    let change = |name: &str| (planned.before["security"][name].clone(), planned.after["security"][name].clone());
    assert_eq!(change("frame_options"), (json!("DENY"), json!(null)));
    assert_eq!(change("content_security_policy"), (json!("default-src 'self'"), json!(null)));
    assert_eq!(change("hsts_max_age"), (json!(31_536_000), json!(31_536_000)));
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();

    // The same for what is set in the cluster only: the plan shows the field that goes.
    let certificate = ObjectRef::new(API, "Certificate", Some(NAMESPACE), "api-tls");
    world.api.edit(&certificate, |one| {
        one["spec"]["renewBefore"] = json!("720h");
        one["metadata"]["managedFields"] = json!([{ "manager": "terraform-provider-ffe", "operation": "Apply",
            "fieldsV1": { "f:spec": { "f:renewBefore": {}, "f:secretName": {} } } }]);
    });
    let planned = tf.plan(ENDPOINT, "this", endpoint(json!({}))).await;
    planned.expect_action(Action::Update);
    assert_eq!(
        planned.before["drifted"],
        json!([{ "object": "Certificate ffe/api-tls", "field": "spec.renewBefore" }])
    );
}

#[tokio::test(start_paused = true)]
async fn a_bound_for_each_client_is_warned_of_where_nobody_sees_who_they_are() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let limited = endpoint(json!({ "security": { "requests_per_minute": 100 } }));
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let traefik = |policy: &str| {
        world.api.put(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "traefik", "namespace": "kube-system" },
            "spec": { "type": "LoadBalancer", "externalTrafficPolicy": policy, "selector": { "app": "traefik" },
                "ports": [{ "name": "web", "port": 80 }, { "name": "websecure", "port": 443 }] },
            "status": { "loadBalancer": { "ingress": [{ "ip": ADDRESS }] } } }));
    };
    tf.plan(ENDPOINT, "this", limited.clone()).await.expect_silence();
    traefik("Cluster");
    let planned = tf.plan(ENDPOINT, "this", limited.clone()).await;
    planned
        .expect_ok()
        .expect_warning("security.requests_per_minute", "Service kube-system/traefik has externalTrafficPolicy");
    tf.plan(ENDPOINT, "this", endpoint(json!({ "timeout": "3m" }))).await.expect_silence();
    traefik("Local");
    tf.plan(ENDPOINT, "this", limited.clone()).await.expect_silence();
    // Who may not list Services is not told what nobody knows.
    traefik("Cluster");
    world.api.fail("GET", "/services", None, 403, "Forbidden", "no");
    tf.plan(ENDPOINT, "this", limited).await.expect_silence();
}

#[tokio::test(start_paused = true)]
async fn it_leaves_the_state_only_when_all_of_it_is_gone() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let gone = |api: &str, kind: &str, name: &str| world.api.remove(&ObjectRef::new(api, kind, Some(NAMESPACE), name));
    gone("v1", "ConfigMap", "ffe-tls-endpoint.api");
    gone(NETWORKING, "Ingress", "api");
    assert!(!tf.refresh(ENDPOINT, "this").await.gone, "the certificate is there");
    gone(API, "Certificate", "api-tls");
    assert!(tf.refresh(ENDPOINT, "this").await.gone);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_not_configured_yet_plans_with_unknowns() {
    let world = World::new();
    let mut tf = world
        .unconfigured()
        .provider_config_at_plan(json!({ "host": unknown() }))
        .configure(json!({ "host": "the-world" }))
        .await
        .unwrap();
    let planned = tf.plan(ENDPOINT, "this", endpoint(json!({ "issuer": { "name": unknown() } }))).await;
    planned.expect_action(Action::Create).expect_silence();
    assert_eq!(planned.after["url"], "https://api.example.com");
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
}
