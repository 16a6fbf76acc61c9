//! What belongs to somebody else: refused, adopted, imported, given back.

use ffe_cluster::{Mark, ObjectRef, Owner};
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::visitor::Visitor;
use crate::world::{ENDPOINT, NAMESPACE, World, acme, endpoint};

const API: &str = "cert-manager.io/v1";
const NETWORKING: &str = "networking.k8s.io/v1";

/// An ingress as somebody wrote it by hand.
fn ingress(world: &World, annotations: Json) {
    world.api.put(json!({ "apiVersion": NETWORKING, "kind": "Ingress",
        "metadata": { "name": "api", "namespace": NAMESPACE, "labels": { "owner": "somebody", "app.kubernetes.io/part-of": "theirs" },
            "annotations": annotations },
        "spec": {
            "ingressClassName": "nginx", "tls": [{ "hosts": ["api.example.com"], "secretName": "api-tls" }],
            "rules": [{ "host": "api.example.com", "http": { "paths": [{ "path": "/", "pathType": "Prefix",
                "backend": { "service": { "name": "backend", "port": { "number": 8000 } } } }] } }],
        } }));
}

/// The Certificate that cert-manager makes for an ingress.
fn shim(world: &World) {
    let uid = world.get(NETWORKING, "Ingress", "api").unwrap()["metadata"]["uid"].clone();
    world.api.put(json!({ "apiVersion": API, "kind": "Certificate",
        "metadata": { "name": "api-tls", "namespace": NAMESPACE, "ownerReferences": [{ "apiVersion": NETWORKING,
            "kind": "Ingress", "name": "api", "uid": uid, "controller": true }] },
        "spec": { "secretName": "api-tls", "dnsNames": ["api.example.com"], "usages": ["digital signature"],
            "issuerRef": { "group": "cert-manager.io", "kind": "Issuer", "name": "internal" } } }));
}

fn on_nginx(more: Json) -> Json {
    let mut config = endpoint(json!({ "ingress_class": "nginx" }));
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn marks(object: &Json) -> Vec<String> {
    let metadata = &object["metadata"];
    let keys = [&metadata["annotations"], &metadata["labels"]].into_iter().filter_map(Json::as_object).flatten();
    keys.map(|(key, _)| key.clone()).filter(|key| key.contains("ffe.three-rivers.tech")).collect()
}

#[tokio::test(start_paused = true)]
async fn an_ingress_of_somebody_else_is_refused_with_the_import_line() {
    let world = World::new();
    ingress(&world, json!({}));
    let mut tf = world.terraform().await;
    let before = world.writes();
    let planned = tf.plan(ENDPOINT, "this", on_nginx(json!({}))).await;
    planned.expect_action(Action::Refused).expect_error("name", "terraform import ffe_tls_endpoint.<name> ffe/api");
    planned.expect_error("name", "adopt = true");
    assert_eq!(world.writes(), before);
}

#[tokio::test(start_paused = true)]
async fn an_adopted_ingress_keeps_its_certificate_and_both_are_given_back() {
    let world = World::new();
    ingress(&world, json!({ "cert-manager.io/issuer": "internal" }));
    shim(&world);
    let asked = world.get(API, "Certificate", "api-tls").unwrap()["spec"].clone();
    let mut tf = world.terraform().await;
    let done = tf.apply(ENDPOINT, "this", on_nginx(json!({ "adopt": true }))).await;
    done.expect_ok();
    assert_eq!(done.state["certificate_status"]["ready"], true);
    assert_eq!(world.names("Certificate"), ["api-tls"], "one, and not two");
    let kept = world.get(API, "Certificate", "api-tls").unwrap();
    assert_eq!(kept["spec"], asked);
    assert!(!marks(&kept).is_empty());
    let live = world.get(NETWORKING, "Ingress", "api").unwrap();
    assert_eq!(live["metadata"]["annotations"]["cert-manager.io/issuer"], "internal");

    tf.destroy(ENDPOINT, "this").await.expect_ok();
    let released = world.get(NETWORKING, "Ingress", "api").unwrap();
    assert_eq!(released["metadata"]["labels"], json!({ "owner": "somebody", "app.kubernetes.io/part-of": "theirs" }));
    assert_eq!(marks(&released), Vec::<String>::new());
    assert_eq!(marks(&world.get(API, "Certificate", "api-tls").unwrap()), Vec::<String>::new());
}

/// What makes cert-manager's Certificate another one than the configuration says.
fn otherwise() -> [(&'static str, Json); 5] {
    [
        ("secret_name", json!({ "secret_name": "other" })),
        ("issuer", json!({ "issuer": { "name": "another" } })),
        ("an issuer of its own", json!({ "issuer": { "self_signed": {} } })),
        ("hosts", json!({ "hosts": ["api.example.com", "b.example.com"] })),
        ("certificate", json!({ "certificate": { "private_key": { "algorithm": "ECDSA" } } })),
    ]
}

#[tokio::test(start_paused = true)]
async fn annotations_that_would_undo_the_configuration_are_taken_off_and_given_back() {
    for by_import in [false, true] {
        for (what, more) in otherwise() {
            let world = World::new();
            world.issuer("another", json!({ "selfSigned": {} }));
            ingress(&world, json!({ "cert-manager.io/issuer": "internal", "example.com/team": "web" }));
            // cert-manager makes its Certificate.
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            assert_eq!((world.names("Certificate"), world.controllers.orders()), (vec!["api-tls".to_owned()], 1));
            let (visitor, _asking) = Visitor::of(&world.api, "api.example.com").await;
            let mut tf = world.watched(&visitor).await;
            let config = if by_import { on_nginx(more) } else { on_nginx_adopting(more) };
            if by_import {
                let imported = tf.import(ENDPOINT, "this", "ffe/api", config.clone()).await;
                imported.expect_ok().expect_warning("", "cert-manager.io/issuer: internal");
            }
            let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
            planned.expect_warning("issuer", "Annotations are taken off");
            tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
            visitor.expect_no_gap(what);
            let annotations = world.get(NETWORKING, "Ingress", "api").unwrap()["metadata"]["annotations"].clone();
            assert_eq!(annotations.get("cert-manager.io/issuer"), None, "{what}");
            assert_eq!(annotations["example.com/team"], "web");

            // Nobody undoes it, and nothing more is ordered.
            let orders = world.controllers.orders();
            assert!(orders <= 2, "{what}: {orders} orders");
            for _ in 0..2 {
                tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                tf.assert_empty_plan(ENDPOINT, "this", config.clone()).await;
                tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
            }
            assert_eq!(world.controllers.orders(), orders, "{what}");

            // Somebody puts the annotation back, as a chart would.
            let object = ObjectRef::new(NETWORKING, "Ingress", Some(NAMESPACE), "api");
            if ["issuer", "an issuer of its own", "certificate"].contains(&what) {
                world
                    .api
                    .edit(&object, |one| one["metadata"]["annotations"]["cert-manager.io/issuer"] = json!("internal"));
                let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
                planned.expect_action(Action::Update);
                assert!(planned.before["drifted"].to_string().contains("cert-manager.io/issuer"), "{what}: {planned}");
                tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
            }

            tf.destroy(ENDPOINT, "this").await.expect_ok();
            visitor.expect_no_gap(what);
            let released = world.api.get(&object).unwrap();
            assert_eq!(released["metadata"]["annotations"]["cert-manager.io/issuer"], "internal", "{what}");
            assert_eq!(released["spec"]["tls"][0]["secretName"], "api-tls", "{what}");
            assert_eq!(marks(&released), Vec::<String>::new());
            assert_eq!(world.names("ConfigMap"), Vec::<String>::new());
            assert_eq!(world.names("Certificate"), ["api-tls"], "{what}: cert-manager's own");
        }
    }
}

fn on_nginx_adopting(more: Json) -> Json {
    let mut config = on_nginx(more);
    config["adopt"] = json!(true);
    config
}

#[tokio::test(start_paused = true)]
async fn an_ingress_of_a_helm_release_is_not_taken_into_its_own_deletion() {
    let world = World::new();
    let of_helm = json!({ "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "ffe" });
    ingress(&world, of_helm.clone());
    let mut tf = world.terraform().await;
    let before = world.writes();
    for config in [on_nginx(json!({})), on_nginx_adopting(json!({}))] {
        let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
        planned.expect_action(Action::Refused).expect_error("name", "part of the Helm release ffe/web");
        planned.expect_error("name", "helm.sh/resource-policy: keep");
        tf.apply(ENDPOINT, "this", config).await.expect_error("name", "part of the Helm release");
    }
    tf.import(ENDPOINT, "this", "ffe/api", on_nginx(json!({}))).await.expect_error("", "part of the Helm release");
    assert_eq!(world.writes(), before);

    // Each of the remedies.
    let beside = on_nginx_adopting(json!({ "name": "beside" }));
    tf.apply(ENDPOINT, "beside", beside).await.expect_ok();
    tf.destroy(ENDPOINT, "beside").await.expect_ok();
    let mut kept = of_helm;
    kept["helm.sh/resource-policy"] = json!("keep");
    ingress(&world, kept);
    tf.apply(ENDPOINT, "this", on_nginx_adopting(json!({}))).await.expect_ok();
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("Ingress"), ["api"]);
}

#[tokio::test(start_paused = true)]
async fn an_import_without_its_secret_name_says_what_that_orders() {
    let world = World::new();
    ingress(&world, json!({}));
    let object = ObjectRef::new(NETWORKING, "Ingress", Some(NAMESPACE), "api");
    world.api.edit(&object, |one| one["spec"]["tls"][0]["secretName"] = json!("web-cert"));
    let mut tf = world.terraform().await;
    tf.import(ENDPOINT, "this", "ffe/api", on_nginx(json!({}))).await.expect_ok();
    let planned = tf.plan(ENDPOINT, "this", on_nginx(json!({}))).await;
    planned.expect_warning("secret_name", "write secret_name = \"web-cert\"");
    let planned = tf.plan(ENDPOINT, "this", on_nginx(json!({ "secret_name": "web-cert" }))).await;
    assert!(!planned.diagnostics().to_string().contains("ordered anew"), "{planned}");
}

#[tokio::test(start_paused = true)]
async fn an_imported_ingress_is_taken_over_in_place_and_then_plans_empty() {
    let world = World::new();
    ingress(&world, json!({ "cert-manager.io/issuer": "internal" }));
    shim(&world);
    let before = world.get(NETWORKING, "Ingress", "api").unwrap()["spec"].clone();
    let mut tf = world.terraform().await;
    let imported = tf.import(ENDPOINT, "this", "ffe/api", on_nginx(json!({}))).await;
    imported.expect_action(Action::Update).expect_ok();
    assert_eq!(imported.before["hosts"], json!(["api.example.com"]));
    assert_eq!(imported.before["ingress_class"], "nginx");
    tf.apply(ENDPOINT, "this", on_nginx(json!({}))).await.expect_ok();
    assert_eq!(world.get(NETWORKING, "Ingress", "api").unwrap()["spec"], before);
    tf.assert_empty_plan(ENDPOINT, "this", on_nginx(json!({}))).await;
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("Ingress"), ["api"], "it was somebody else's");
}

#[tokio::test(start_paused = true)]
async fn a_first_apply_after_an_import_that_fails_is_finished_or_taken_back() {
    let world = World::new();
    ingress(&world, json!({}));
    let mut tf = world.terraform().await;
    let wish = |issuer: &str| on_nginx(json!({ "issuer": { "name": issuer }, "timeout": "1m" }));
    tf.import(ENDPOINT, "this", "ffe/api", wish("none")).await.expect_ok();
    let failed = tf.apply(ENDPOINT, "this", wish("none")).await;
    failed.expect_error("issuer.name", "none");
    assert_eq!(failed.state["drifted"][0]["field"], "(not done: issuer)");
    tf.plan(ENDPOINT, "this", wish("none")).await.expect_action(Action::Update);

    // Taken back, nothing of it is left but what was there.
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("Ingress"), ["api"]);
    assert_eq!(marks(&world.get(NETWORKING, "Ingress", "api").unwrap()), Vec::<String>::new());
    assert_eq!(world.names("ConfigMap"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_an_adopted_ingress_will_not_do_any_more_is_said_in_the_plan() {
    let world = World::new();
    ingress(&world, json!({}));
    let object = ObjectRef::new(NETWORKING, "Ingress", Some(NAMESPACE), "api");
    let path = |path: &str, service: &str| {
        json!({ "path": path, "pathType": "Prefix",
            "backend": { "service": { "name": service, "port": { "number": 8000 } } } })
    };
    world.api.edit(&object, |ingress| {
        ingress["spec"]["rules"] = json!([
            { "host": "api.example.com", "http": { "paths": [path("/", "backend"), path("/admin", "admin")] } },
            { "host": "old.example.com", "http": { "paths": [path("/", "backend")] } },
        ]);
    });
    let mut tf = world.terraform().await;
    let planned = tf.plan(ENDPOINT, "this", on_nginx(json!({ "adopt": true }))).await;
    planned
        .expect_warning("adopt", "path /admin to Service admin:8000")
        .expect_warning("adopt", "host old.example.com");
    let imported = tf.import(ENDPOINT, "this", "ffe/api", on_nginx(json!({}))).await;
    imported.expect_warning("adopt", "host old.example.com");
}

#[tokio::test(start_paused = true)]
async fn an_import_of_nothing_says_what_was_looked_for() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.import(ENDPOINT, "this", "ffe/none", endpoint(json!({})))
        .await
        .expect_error("", "There is no endpoint \"ffe/none\"");
    tf.import(ENDPOINT, "this", "none", endpoint(json!({}))).await.expect_error("", "Expected namespace/name");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_cert_manager_did_not_write_is_not_lost() {
    let world = World::new();
    world.api.put(json!({ "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": "api-tls", "namespace": NAMESPACE }, "data": { "tls.crt": "eA==", "tls.key": "eA==" } }));
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_error("secret_name", "would overwrite it");
    assert_eq!(world.names("Ingress"), Vec::<String>::new(), "nothing was changed");

    // Nor by a change of its name, nor by an import.
    let elsewhere = endpoint(json!({ "secret_name": "other" }));
    tf.apply(ENDPOINT, "this", elsewhere.clone()).await.expect_ok();
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_error("secret_name", "would overwrite it");
    tf.apply(ENDPOINT, "this", elsewhere).await.expect_ok();
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    ingress(&world, json!({}));
    tf.import(ENDPOINT, "this", "ffe/api", on_nginx(json!({}))).await.expect_ok();
    tf.apply(ENDPOINT, "this", on_nginx(json!({}))).await.expect_error("secret_name", "would overwrite it");
    // What is a word about the ingress is none about the key.
    let adopting = on_nginx(json!({ "adopt": true }));
    tf.apply(ENDPOINT, "this", adopting).await.expect_error("secret_name", "overwrite_secret = true");
    assert_eq!(world.get("v1", "Secret", "api-tls").unwrap()["data"]["tls.key"], "eA==");
    tf.apply(ENDPOINT, "this", on_nginx(json!({ "overwrite_secret": true }))).await.expect_ok();
}

#[tokio::test(start_paused = true)]
async fn what_was_there_before_is_given_back_with_its_values() {
    for by_import in [false, true] {
        let world = World::new();
        ingress(&world, json!({ "nginx.ingress.kubernetes.io/ssl-redirect": "false" }));
        let object = ObjectRef::new(NETWORKING, "Ingress", Some(NAMESPACE), "api");
        world.api.edit(&object, |one| {
            one["spec"]["tls"][0]["secretName"] = json!("web-cert");
            one["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = json!("former");
        });
        let before = world.api.get(&object).unwrap();
        let mut tf = world.terraform().await;
        let config = on_nginx(json!({ "adopt": !by_import, "security": { "ssl_redirect": true } }));
        if by_import {
            tf.import(ENDPOINT, "this", "ffe/api", config.clone()).await.expect_ok();
        }
        tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
        let taken = world.api.get(&object).unwrap();
        assert_ne!(taken["spec"], before["spec"]);
        tf.apply(ENDPOINT, "this", config).await.expect_ok();
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        let back = world.api.get(&object).unwrap();
        for part in ["/spec", "/metadata/annotations", "/metadata/labels"] {
            assert_eq!(back.pointer(part), before.pointer(part), "{part}");
        }
        assert!(!back.to_string().contains("terraform-provider-ffe"), "{back}");
        let left = world.names("Secret").into_iter().filter(|name| name.starts_with("ffe-")).collect::<Vec<_>>();
        assert_eq!(left, Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_has_made_under_a_name_of_ours_is_not_taken_by_a_later_setting() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let theirs = json!({ "apiVersion": "traefik.io/v1alpha1", "kind": "Middleware",
        "metadata": { "name": "api-rate-limit", "namespace": NAMESPACE }, "spec": { "rateLimit": { "average": 7 } } });
    world.api.put(theirs);
    let limited = endpoint(json!({ "security": { "requests_per_minute": 100 } }));
    tf.apply(ENDPOINT, "this", limited.clone()).await.expect_error("name", "Middleware ffe/api-rate-limit");
    let there = world.get("traefik.io/v1alpha1", "Middleware", "api-rate-limit").unwrap();
    assert_eq!((&there["spec"], marks(&there)), (&json!({ "rateLimit": { "average": 7 } }), Vec::new()));

    // One of ours that somebody deleted and made anew is theirs; one that only lost its mark is ours.
    let middleware = |name: &str| ObjectRef::new("traefik.io/v1alpha1", "Middleware", Some(NAMESPACE), name);
    let mut remade = world.api.get(&middleware("api-headers")).unwrap();
    world.api.remove(&middleware("api-headers"));
    remade["metadata"] = json!({ "name": "api-headers", "namespace": NAMESPACE });
    world.api.put(remade);
    let framed = |how: &str| endpoint(json!({ "security": { "frame_options": how } }));
    let refused = tf.apply(ENDPOINT, "this", framed("DENY")).await;
    refused.expect_error("name", "is not the one that was made here");
    // The remedy.
    world.api.remove(&middleware("api-headers"));
    tf.apply(ENDPOINT, "this", framed("DENY")).await.expect_ok();
    world.api.edit(&middleware("api-headers"), |one| {
        one["metadata"]["annotations"] = json!({});
        one["metadata"]["labels"] = json!({});
    });
    tf.apply(ENDPOINT, "this", framed("SAMEORIGIN")).await.expect_ok();
    assert!(!marks(&world.api.get(&middleware("api-headers")).unwrap()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_endpoints_with_one_secret_one_is_refused_at_once() {
    let world = World::new();
    let (mut first, mut second) = (world.terraform().await, world.terraform().await);
    let config = |name: &str, host: &str| endpoint(json!({ "name": name, "secret_name": "shared", "hosts": [host] }));
    let (one, two) = tokio::join!(
        first.apply(ENDPOINT, "this", config("one", "one.example.com")),
        second.apply(ENDPOINT, "this", config("two", "two.example.com")),
    );
    let failed = [&one, &two].map(|applied| applied.diagnostics().has_errors());
    assert!(failed[0] != failed[1], "{one:?}\n{two:?}");
    let refused = if failed[0] { &one } else { &two };
    refused.expect_error("secret_name", "Certificate ffe/shared exists already");
    let winner = if failed[0] { "two.example.com" } else { "one.example.com" };
    assert_eq!(world.get(API, "Certificate", "shared").unwrap()["spec"]["dnsNames"], json!([winner]));
}

#[tokio::test(start_paused = true)]
async fn what_appears_after_the_look_is_not_written_over() {
    let world = World::new();
    let mut tf = world.terraform().await;
    world.api.meanwhile("POST", "/ingresses", 0, |api| {
        api.put(
            json!({ "apiVersion": NETWORKING, "kind": "Ingress", "metadata": { "name": "api", "namespace": NAMESPACE },
            "spec": { "ingressClassName": "theirs" } }),
        );
    });
    let refused = tf.apply(ENDPOINT, "this", endpoint(json!({ "adopt": true }))).await;
    refused.expect_error("name", "Ingress ffe/api exists already");
    assert_eq!(world.get(NETWORKING, "Ingress", "api").unwrap()["spec"], json!({ "ingressClassName": "theirs" }));
}

#[tokio::test(start_paused = true)]
async fn an_import_without_its_class_is_left_as_it_is_or_says_what_changes() {
    let world = World::new();
    ingress(&world, json!({}));
    let mut silent = on_nginx(json!({}));
    silent.as_object_mut().unwrap().remove("ingress_class");
    let mut tf = world.terraform().await;
    tf.import(ENDPOINT, "this", "ffe/api", silent.clone()).await;
    let planned = tf.plan(ENDPOINT, "this", silent.clone()).await;
    planned.expect_error("ingress_class", "ingress_class = \"nginx\"");
    // The remedy.
    tf.plan(ENDPOINT, "this", on_nginx(json!({}))).await.expect_ok();

    let default = ObjectRef::new(NETWORKING, "IngressClass", None, "traefik");
    world.api.edit(&default, |one| {
        one["metadata"]["annotations"] = json!({ "ingressclass.kubernetes.io/is-default-class": "true" });
    });
    let planned = tf.plan(ENDPOINT, "this", silent).await;
    planned.expect_warning("ingress_class", "goes from class nginx to traefik");
}

#[tokio::test(start_paused = true)]
async fn two_certificates_do_not_share_a_secret() {
    let world = World::new();
    world.api.put(
        json!({ "apiVersion": API, "kind": "Certificate", "metadata": { "name": "theirs", "namespace": NAMESPACE },
        "spec": { "secretName": "api-tls", "dnsNames": ["x.example.com"], "issuerRef": { "name": "internal" } } }),
    );
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({ "adopt": true }))).await.expect_error("secret_name", "ffe/theirs");
}

#[tokio::test(start_paused = true)]
async fn another_endpoints_issuer_is_referred_to_and_not_taken() {
    let world = World::new();
    let mut object = json!({ "apiVersion": API, "kind": "ClusterIssuer", "metadata": { "name": "shared" }, "spec": { "selfSigned": {} } });
    Mark::complete(Owner::new(ENDPOINT, "ffe/other"), "run").write_value(&mut object);
    world.api.put(object);
    let mut tf = world.terraform().await;
    let own =
        endpoint(json!({ "issuer": { "name": "shared", "kind": "ClusterIssuer", "self_signed": {} }, "adopt": true }));
    tf.apply(ENDPOINT, "this", own).await.expect_error("issuer.name", "refer to it");
    let referring = endpoint(json!({ "issuer": { "name": "shared", "kind": "ClusterIssuer" } }));
    tf.apply(ENDPOINT, "this", referring).await.expect_ok();
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert!(world.api.get(&ObjectRef::new(API, "ClusterIssuer", None, "shared")).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_another_state_is_refused() {
    let world = World::new();
    world.terraform().await.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let mut other = world.terraform().await;
    for config in [endpoint(json!({})), endpoint(json!({ "adopt": true }))] {
        let refused = other.apply(ENDPOINT, "this", config).await;
        refused.expect_error("name", "which is in another state").expect_error("name", "terraform import");
        assert!(refused.state.is_null());
    }
    other
        .apply(ENDPOINT, "this", endpoint(json!({ "issuer": acme(json!({ "http01": {} })) })))
        .await
        .expect_error("name", "");
}

/// The Middleware of somebody else that an ingress of theirs names.
fn middleware(world: &World, headers: Json) {
    world.api.put(json!({ "apiVersion": "traefik.io/v1alpha1", "kind": "Middleware",
        "metadata": { "name": "theirs", "namespace": NAMESPACE }, "spec": { "headers": headers } }));
    ingress(world, json!({ "traefik.ingress.kubernetes.io/router.middlewares": "ffe-theirs@kubernetescrd" }));
    world.api.edit(&ObjectRef::new(NETWORKING, "Ingress", Some(NAMESPACE), "api"), |one| {
        one["spec"]["ingressClassName"] = json!("traefik");
    });
}

/// What the endpoint sends with every answer.
fn headers(world: &World) -> Json {
    world
        .get("traefik.io/v1alpha1", "Middleware", "api-headers")
        .map_or(Json::Null, |one| one["spec"]["headers"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_running_site_that_is_imported_or_adopted_sends_what_it_sent_before() {
    for adopt in [false, true] {
        let world = World::new();
        middleware(&world, json!({ "contentSecurityPolicy": "default-src https:" }));
        let config = |more: Json| {
            let mut config = endpoint(more);
            config["adopt"] = json!(adopt);
            config
        };
        let mut tf = world.terraform().await;
        if !adopt {
            tf.import(ENDPOINT, "this", "ffe/api", config(json!({}))).await.expect_ok();
        }
        let planned = tf.plan(ENDPOINT, "this", config(json!({}))).await;
        planned.expect_ok();
        let security = &planned.after["security"];
        assert_eq!((&security["hsts_max_age"], &security["ssl_redirect"]), (&json!(0), &json!(false)), "{security}");
        assert_eq!(security["content_security_policy"], "default-src https:");
        tf.apply(ENDPOINT, "this", config(json!({}))).await.expect_ok();
        assert_eq!(headers(&world), json!({ "contentSecurityPolicy": "default-src https:" }), "adopt: {adopt}");
        tf.assert_empty_plan(ENDPOINT, "this", config(json!({}))).await;

        // What is asked for is set, and what is asked for no more is as it was.
        tf.apply(ENDPOINT, "this", config(json!({ "security": { "hsts_max_age": 3600 } }))).await.expect_ok();
        assert_eq!(headers(&world)["stsSeconds"], 3600);
        tf.apply(ENDPOINT, "this", config(json!({}))).await.expect_ok();
        assert_eq!(headers(&world), json!({ "contentSecurityPolicy": "default-src https:" }), "adopt: {adopt}");

        // The state is lost: an import knows it from the site.
        let mut other = world.terraform().await;
        other.import(ENDPOINT, "this", "ffe/api", config(json!({}))).await.expect_action(Action::NoOp).expect_ok();
        assert_eq!(other.state(ENDPOINT, "this")["security"]["hsts_max_age"], 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_cannot_stay_as_it_is() {
    let world = World::new();
    middleware(&world, json!({ "contentSecurityPolicy": "default-src https:" }));
    world.api.fail("GET", "/middlewares/theirs", None, 403, "Forbidden", "no");
    let mut tf = world.terraform().await;
    let adopted = endpoint(json!({ "adopt": true }));
    let before = world.writes();
    tf.plan(ENDPOINT, "this", adopted).await.expect_error("", "does for its hosts could not be looked at");
    assert_eq!(world.writes(), before);
}

#[tokio::test(start_paused = true)]
async fn what_a_site_sends_is_not_known_before_the_cluster_is() {
    let world = World::new();
    middleware(&world, json!({ "contentSecurityPolicy": "default-src https:" }));
    let mut tf = world
        .unconfigured()
        .provider_config_at_plan(json!({ "host": unknown() }))
        .configure(json!({ "host": "the-world" }))
        .await
        .unwrap();
    let adopted = endpoint(json!({ "adopt": true, "security": { "content_type_nosniff": true } }));
    let planned = tf.plan(ENDPOINT, "this", adopted.clone()).await;
    let security = &planned.after["security"];
    assert_eq!(
        (&security["hsts_max_age"], &security["content_type_nosniff"]),
        (&unknown(), &json!(true)),
        "{security}"
    );
    tf.apply(ENDPOINT, "this", adopted).await.expect_ok();
    assert_eq!(headers(&world), json!({ "contentSecurityPolicy": "default-src https:", "contentTypeNosniff": true }));
}
