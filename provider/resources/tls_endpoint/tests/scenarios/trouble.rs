//! What goes wrong, and what is said and kept then.

use ffe_cluster::ObjectRef;
use serde_json::json;
use tfplugin_testing::{Action, Told};

use crate::world::{ENDPOINT, NAMESPACE, World, acme, endpoint};

const API: &str = "cert-manager.io/v1";

#[tokio::test(start_paused = true)]
async fn an_error_of_the_api_keeps_the_state() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let before = tf.state(ENDPOINT, "this");
    for path in ["/configmaps", "/certificates/api-tls", "/ingresses/api", "/secrets/api-tls"] {
        for (code, reason) in [(403, "Forbidden"), (401, "Unauthorized"), (500, "InternalError")] {
            world.api.fail("GET", path, None, code, reason, "no");
            let read = tf.refresh(ENDPOINT, "this").await;
            read.expect_error("", "The prior state is kept");
            assert_eq!(read.after, before, "{path} {code}");
            world.api.heal();
        }
    }
    tf.assert_empty_plan(ENDPOINT, "this", endpoint(json!({}))).await;
}

#[tokio::test(start_paused = true)]
async fn kinds_that_an_endpoint_does_not_need_may_be_forbidden() {
    let world = World::new();
    for kind in
        ["/prometheusrules/api-certificate", "/httproutes/api", "/httproutes/api-http", "/referencegrants/api-tls"]
    {
        world.api.fail("GET", kind, None, 403, "Forbidden", "no");
    }
    let mut tf = world.terraform().await;
    let made = tf.apply(ENDPOINT, "this", endpoint(json!({}))).await;
    made.expect_ok().expect_warning("alert", "prometheusrules.monitoring.coreos.com");
    tf.assert_empty_plan(ENDPOINT, "this", endpoint(json!({}))).await;
    let without = endpoint(json!({ "alert": { "enabled": false } }));
    tf.apply(ENDPOINT, "this", without).await.expect_ok();
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("Ingress"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn another_cluster_is_never_mistaken_for_this_one() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    world
        .api
        .edit(&ObjectRef::new("v1", "Namespace", None, "kube-system"), |one| one["metadata"]["uid"] = json!("another"));
    let mut other = world.terraform().await;
    other.set_state(ENDPOINT, "this", 0, tf.state(ENDPOINT, "this"), &tf.private(ENDPOINT, "this"));
    other.refresh(ENDPOINT, "this").await.expect_error("", "The prior state is kept");
    assert!(!other.state(ENDPOINT, "this").is_null());
}

#[tokio::test(start_paused = true)]
async fn without_cert_manager_a_plan_is_made_and_an_apply_says_what_is_missing() {
    let world = World::bare();
    let mut tf = world.terraform().await;
    let config = endpoint(json!({ "issuer": acme(json!({ "http01": {} })) }));
    tf.plan(ENDPOINT, "this", config.clone()).await.expect_action(Action::Create).expect_ok();
    // The class comes first.
    world.api.register("networking.k8s.io/v1", "IngressClass", "ingressclasses", false);
    world.api.register("traefik.io/v1alpha1", "Middleware", "middlewares", true);
    world
        .api
        .put(json!({ "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": "traefik" },
        "spec": { "controller": "traefik.io/ingress-controller" } }));
    tf.apply(ENDPOINT, "this", config).await.expect_error("", "cert-manager is not installed");
    assert_eq!(world.names("Ingress"), Vec::<String>::new(), "nothing was changed");
    assert!(tf.state(ENDPOINT, "this").is_null());
}

#[tokio::test(start_paused = true)]
async fn a_class_or_a_namespace_that_is_not_there_is_named_at_its_attribute() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({ "ingress_class": "none" })))
        .await
        .expect_error("ingress_class", "traefik");
    tf.apply(ENDPOINT, "this", endpoint(json!({ "namespace": "none" })))
        .await
        .expect_error("namespace", "does not exist");
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_says_what_remains_and_the_next_goes_on() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = endpoint(json!({ "issuer": { "name": "none" }, "timeout": "1m" }));
    let failed = tf.apply(ENDPOINT, "this", config).await;
    failed.expect_error("issuer.name", "none");
    assert!(failed.state.is_null() && !failed.tainted);
    let text = failed.diagnostics().to_string();
    for part in [
        "Ingress ffe/api",
        "kubectl delete --namespace ffe ingress.networking.k8s.io/api-http ingress.networking.k8s.io/api ",
        "The next apply finds them",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
}

#[tokio::test(start_paused = true)]
async fn an_update_that_fails_leaves_what_is_true_and_the_next_plan_says_that_something_is_left() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    world.controllers.issue(false);
    let wish = endpoint(json!({ "hosts": ["b.example.com"], "path": "/v1", "timeout": "20s" }));
    let failed = tf.apply(ENDPOINT, "this", wish.clone()).await;
    failed.expect_error("", "is not issued");
    assert_eq!(failed.state["path"], "/v1");
    assert_eq!(failed.state["hosts"], json!(["b.example.com"]));
    assert_eq!(
        failed.state["drifted"],
        json!([{ "object": "ffe_tls_endpoint ffe/api", "field": "(not done: issued)" }])
    );
    tf.plan(ENDPOINT, "this", wish.clone()).await.expect_action(Action::Update).expect_ok();
    world.controllers.issue(true);
    tf.apply(ENDPOINT, "this", wish.clone()).await.expect_ok();
    tf.assert_empty_plan(ENDPOINT, "this", wish).await;
}

#[tokio::test(start_paused = true)]
async fn an_address_that_nothing_depends_on_is_not_insisted_on() {
    let world = World::new();
    world.controllers.give_addresses(false);
    let mut tf = world.terraform().await;
    let made = tf.apply(ENDPOINT, "this", endpoint(json!({}))).await;
    made.expect_ok().expect_warning("", "Traefik writes addresses only with");
    assert_eq!(made.state["address"], json!(null));
    tf.assert_empty_plan(ENDPOINT, "this", endpoint(json!({}))).await;
}

#[tokio::test(start_paused = true)]
async fn an_issuance_that_is_over_ends_the_wait_with_its_cause() {
    let world = World::new();
    world.controllers.issue(false);
    world.issuer("broken", json!({ "ca": { "secretName": "none" } }));
    let object = ObjectRef::new(API, "Issuer", Some(NAMESPACE), "broken");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    world.api.edit(&object, |issuer| {
        issuer["status"]["conditions"][0] = json!({ "type": "Ready", "status": "False", "reason": "ErrGetKeyPair",
            "observedGeneration": issuer["metadata"]["generation"],
            "message": "Error getting keypair for CA issuer: secrets \"none\" not found" });
    });
    let mut tf = world.terraform().await;
    let began = tokio::time::Instant::now();
    let config = endpoint(json!({ "issuer": { "name": "broken" }, "timeout": "1h" }));
    tf.apply(ENDPOINT, "this", config).await.expect_error("issuer", "none");
    assert!(began.elapsed() < std::time::Duration::from_secs(1800), "it did not wait the time out");
}

#[tokio::test(start_paused = true)]
async fn a_second_run_is_told_who_is_at_work() {
    let world = World::new();
    let holder = ffe_lease::Holder {
        identity: "another".to_owned(),
        host: "elsewhere".to_owned(),
        process: 7,
        since: jiff::Timestamp::now(),
        what: "terraform apply of ffe_tls_endpoint ffe/api".to_owned(),
    };
    let (cluster, options) = (world.api.cluster(), ffe_lease::LeaseOptions::default());
    let cancel = ffe_cluster::Cancel::new();
    let lease =
        ffe_lease::acquire(&cluster, NAMESPACE, "ffe-tls-endpoint.api", holder, &options, &cancel).await.unwrap();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_error("name", "elsewhere");
    lease.release().await.unwrap();
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_create_goes_on_with_the_next_apply() {
    let world = World::new();
    world.controllers.issue(false);
    let mut tf = world.terraform().await;
    let cancel = tf.cancel();
    let config = endpoint(json!({}));
    let interrupt = async {
        tokio::time::sleep(std::time::Duration::from_secs(20)).await;
        cancel.cancel();
    };
    let (stopped, ()) = tokio::join!(tf.apply(ENDPOINT, "this", config.clone()), interrupt);
    stopped.expect_error("", "was interrupted");
    assert!(stopped.state.is_null());
    tf.uncancel();
    world.controllers.issue(true);
    tf.apply(ENDPOINT, "this", config).await.expect_ok();
    assert_eq!(world.controllers.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn lets_encrypts_limits_are_said_before_a_destroy_or_a_replacement() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = endpoint(json!({ "issuer": acme(json!({ "http01": {} })) }));
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    let mut moved = config.clone();
    moved["namespace"] = json!("other");
    let planned = tf.plan(ENDPOINT, "this", moved).await;
    planned.expect_action(Action::Replace).expect_warning("", "5 certificates a week");
    planned.expect_warning("namespace", "are not served while it is replaced");
    planned.expect_warning("", "1 of them were asked for in the last seven days");
    let mut renamed = config.clone();
    renamed["name"] = json!("other");
    let planned = tf.plan(ENDPOINT, "this", renamed.clone()).await;
    planned.expect_action(Action::Update).expect_warning("", "5 certificates a week");
    renamed["secret_name"] = json!("api-tls");
    renamed["issuer"]["name"] = json!("api");
    let planned = tf.plan(ENDPOINT, "this", renamed).await;
    assert!(!planned.diagnostics().to_string().contains("5 certificates a week"), "nothing is ordered: {planned}");
    tf.plan_destroy(ENDPOINT, "this").await.expect_warning("", "The Secret ffe/api-tls stays");

    // The same for an issuer that is referred to, and not for others.
    world.issuer("le", json!({ "acme": { "server": "https://acme-v02.api.letsencrypt.org/directory" } }));
    tf.apply(ENDPOINT, "this", endpoint(json!({ "issuer": { "name": "le" } }))).await.expect_ok();
    tf.plan_destroy(ENDPOINT, "this").await.expect_warning("", "5 certificates a week");
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    tf.plan_destroy(ENDPOINT, "this").await.expect_silence();
}

#[tokio::test(start_paused = true)]
async fn bad_input_is_shown_at_its_attribute() {
    let world = World::new();
    let mut tf = world.terraform().await;
    for (wrong, path, text) in [
        (json!({ "hosts": ["API.example.com"] }), "hosts", "in lower case"),
        (json!({ "issuer": {} }), "issuer.name", "Name one that exists"),
        (json!({ "backend": { "service": "a", "port": "0" } }), "backend.port", "1 to 65535"),
        (json!({ "certificate": { "renew_before": "soon" } }), "certificate.renew_before", "a duration"),
        (json!({ "dns": { "target": "nowhere" } }), "dns.target", "\"ingress\""),
        (json!({ "verify": { "ca_bundle": "x" } }), "verify.ca_bundle", "PEM"),
    ] {
        tf.apply(ENDPOINT, "this", endpoint(wrong)).await.expect_error(path, text);
    }
}
