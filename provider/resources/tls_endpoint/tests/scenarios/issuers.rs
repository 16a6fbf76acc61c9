//! Issuers of the endpoint's own, their secrets, and what becomes of both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{ENDPOINT, NAMESPACE, World, acme, endpoint};

const API: &str = "cert-manager.io/v1";

fn by_token(token: &str, version: Json) -> Json {
    let solver = json!({ "dns01_cloudflare": { "api_token_wo": token, "api_token_wo_version": version } });
    endpoint(json!({ "issuer": acme(solver) }))
}

fn secret(world: &World) -> String {
    let secret = world.get("v1", "Secret", "api-credentials").unwrap();
    String::from_utf8(STANDARD.decode(secret["data"]["api-token"].as_str().unwrap()).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_token_is_in_the_issuers_secret_and_nowhere_else() {
    let world = World::new();
    let mut tf = world.terraform().await.canary("t0ken-canary").canary("an0ther-canary");
    let planned = tf.plan(ENDPOINT, "this", by_token("t0ken-canary", json!(null))).await;
    assert_eq!(planned.after["credentials_revision"], unknown());
    let made = tf.apply(ENDPOINT, "this", by_token("t0ken-canary", json!(null))).await;
    made.expect_ok();
    assert_eq!(secret(&world), "t0ken-canary");
    let issuer = world.get(API, "Issuer", "api").unwrap();
    let solver = &issuer["spec"]["acme"]["solvers"][0]["dns01"]["cloudflare"];
    assert_eq!(solver["apiTokenSecretRef"], json!({ "name": "api-credentials", "key": "api-token" }));
    for object in world.api.all().iter().filter(|one| one["kind"] != "Secret") {
        assert!(!object.to_string().contains("t0ken-canary"), "{object}");
    }

    // It changes, and nothing else does.
    let planned = tf.plan(ENDPOINT, "this", by_token("an0ther-canary", json!(null))).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.after["credentials_revision"], unknown());
    let changed = tf.apply(ENDPOINT, "this", by_token("an0ther-canary", json!(null))).await;
    changed.expect_ok();
    assert_eq!(secret(&world), "an0ther-canary");
    assert_ne!(changed.state["credentials_revision"], made.state["credentials_revision"]);

    // With a version, that alone speaks for it.
    tf.apply(ENDPOINT, "this", by_token("an0ther-canary", json!("1"))).await.expect_ok();
    tf.plan(ENDPOINT, "this", by_token("t0ken-canary", json!("1"))).await.expect_action(Action::NoOp);
    tf.apply(ENDPOINT, "this", by_token("t0ken-canary", json!("2"))).await.expect_ok();
    assert_eq!(secret(&world), "t0ken-canary");

    // Changed behind Terraform's back, it is put right; and imported, it plans empty.
    let object = ObjectRef::new("v1", "Secret", Some(NAMESPACE), "api-credentials");
    world.api.edit(&object, |secret| secret["data"]["api-token"] = json!(STANDARD.encode("x")));
    tf.plan(ENDPOINT, "this", by_token("t0ken-canary", json!("2"))).await.expect_action(Action::Update);
    tf.apply(ENDPOINT, "this", by_token("t0ken-canary", json!("2"))).await.expect_ok();
    assert_eq!(secret(&world), "t0ken-canary");
    let mut other = world.terraform().await.canary("t0ken-canary");
    let imported = other.import(ENDPOINT, "this", "ffe/api", by_token("t0ken-canary", json!("2"))).await;
    imported.expect_action(Action::NoOp).expect_ok();

    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("Issuer"), ["internal"]);
    assert_eq!(world.names("Secret"), ["api-tls"], "credentials and digests are gone");
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_cannot_be_cleaned_up_does_not_keep_the_namespace() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", by_token("x", json!(null))).await.expect_ok();
    let challenge = ObjectRef::new("acme.cert-manager.io/v1", "Challenge", Some(NAMESPACE), "api-tls-1-7-9");
    world.api.put(json!({ "apiVersion": "acme.cert-manager.io/v1", "kind": "Challenge",
        "metadata": { "name": challenge.name, "namespace": NAMESPACE, "finalizers": ["acme.cert-manager.io/finalizer"] },
        "spec": { "dnsName": "api.example.com", "type": "DNS-01",
            "issuerRef": { "name": "api", "kind": "Issuer", "group": "cert-manager.io" } },
        "status": { "presented": true, "reason": "Error cleaning up challenge: authentication error" } }));
    world.api.cluster().delete(&challenge, &ffe_cluster::DeleteOptions::default()).await.unwrap();
    assert!(world.api.get(&challenge).is_some(), "cert-manager holds it");
    let gone = tf.destroy(ENDPOINT, "this").await;
    gone.expect_ok().expect_warning("", "_acme-challenge.api.example.com");
    assert!(world.api.get(&challenge).is_none());
    assert_eq!(world.names("Issuer"), ["internal"]);
}

#[tokio::test(start_paused = true)]
async fn who_forgets_that_an_issuer_is_for_all_namespaces_is_told_in_the_plan() {
    let world = World::new();
    world.api.put(json!({ "apiVersion": API, "kind": "ClusterIssuer", "metadata": { "name": "shared" }, "spec": { "selfSigned": {} } }));
    let mut tf = world.terraform().await;
    let planned = tf.plan(ENDPOINT, "this", endpoint(json!({ "issuer": { "name": "shared" } }))).await;
    planned.expect_warning("issuer.kind", "ClusterIssuer shared does");
    tf.plan(ENDPOINT, "this", endpoint(json!({}))).await.expect_silence();
}

#[tokio::test(start_paused = true)]
async fn another_kind_of_issuer_takes_the_place_of_the_first() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", by_token("t0ken", json!(null))).await.expect_ok();
    tf.apply(ENDPOINT, "this", endpoint(json!({ "issuer": acme(json!({ "http01": {} })) }))).await.expect_ok();
    let issuer = world.get(API, "Issuer", "api").unwrap();
    assert_eq!(issuer["spec"]["acme"]["solvers"][0]["http01"]["ingress"]["ingressClassName"], "traefik");
    assert!(world.get("v1", "Secret", "api-credentials").is_none());
    tf.apply(ENDPOINT, "this", endpoint(json!({ "issuer": { "self_signed": {}, "name": "own" } }))).await.expect_ok();
    assert_eq!(world.names("Issuer"), ["internal", "own"]);
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    assert_eq!(world.names("Issuer"), ["internal"]);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_others_use_stays_and_they_are_named() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let own = endpoint(json!({ "issuer": { "self_signed": {} } }));
    tf.apply(ENDPOINT, "this", own).await.expect_ok();
    world.api.put(json!({ "apiVersion": API, "kind": "Certificate", "metadata": { "name": "theirs", "namespace": NAMESPACE },
        "spec": { "secretName": "theirs", "dnsNames": ["x.example.com"], "issuerRef": { "name": "api", "kind": "Issuer" } } }));
    tf.destroy(ENDPOINT, "this").await.expect_ok().expect_warning("", "Certificate ffe/theirs");
    assert_eq!(world.names("Issuer"), ["api", "internal"]);
    assert_eq!(world.names("Certificate"), ["theirs"]);

    // Made again, it is ours again.
    tf.apply(ENDPOINT, "this", endpoint(json!({ "issuer": { "self_signed": {} } }))).await.expect_ok();
    world.api.remove(&ObjectRef::new(API, "Certificate", Some(NAMESPACE), "theirs"));
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.names("Issuer"), ["internal"]);
}

#[tokio::test(start_paused = true)]
async fn secrets_of_a_cluster_issuer_are_where_cert_manager_reads_them() {
    let world = World::new();
    world.api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "cm" } }));
    world.api.put(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "cert-manager", "namespace": "cm", "labels": {
            "app.kubernetes.io/component": "controller", "app.kubernetes.io/name": "cert-manager" } },
        "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "cert-manager-controller:v1.21.2",
            "args": ["--cluster-resource-namespace=$(POD_NAMESPACE)"] }] } } },
        "status": { "readyReplicas": 1, "availableReplicas": 1, "replicas": 1 } }));
    let mut tf = world.terraform().await.canary("t0ken-canary");
    let mut config = by_token("t0ken-canary", json!(null));
    config["issuer"]["kind"] = json!("ClusterIssuer");
    tf.apply(ENDPOINT, "this", config).await.expect_ok();
    let place = ObjectRef::new("v1", "Secret", Some("cm"), "ffe-api-credentials");
    assert!(world.api.get(&place).is_some());
    assert!(world.api.get(&ObjectRef::new(API, "ClusterIssuer", None, "ffe-api")).is_some());
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert!(world.api.get(&place).is_none());
    assert!(world.api.get(&ObjectRef::new(API, "ClusterIssuer", None, "ffe-api")).is_none());

    // Where they are is not known any more.
    let mut config = by_token("t0ken-canary", json!(null));
    config["issuer"]["kind"] = json!("ClusterIssuer");
    tf.apply(ENDPOINT, "this", config).await.expect_ok();
    world.api.remove(&ObjectRef::new("apps/v1", "Deployment", Some("cm"), "cert-manager"));
    tf.destroy(ENDPOINT, "this").await.expect_ok().expect_warning("", "metadata.name=ffe-api-credentials");
}

fn of_lets_encrypt(world: &World, directory: &str) {
    world.issuer(
        "le",
        json!({ "acme": { "server": directory, "privateKeySecretRef": { "name": "le" }, "solvers": [] } }),
    );
}

#[tokio::test(start_paused = true)]
async fn an_issuer_of_somebody_else_that_was_moved_to_production_is_followed() {
    let world = World::new();
    of_lets_encrypt(&world, ffe_cert_manager::LETSENCRYPT_STAGING);
    let mut tf = world.terraform().await;
    let config = endpoint(json!({ "issuer": { "name": "le" } }));
    world.controllers.sign_as("(STAGING) Ersatz Edamame E1");
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    tf.assert_empty_plan(ENDPOINT, "this", config.clone()).await;

    of_lets_encrypt(&world, ffe_cert_manager::LETSENCRYPT);
    world.controllers.sign_as("R11");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let planned = tf.plan(ENDPOINT, "this", config.clone()).await;
    planned.expect_action(Action::Update).expect_ok();
    assert_eq!(planned.before["drifted"][0]["field"], "(issued by what its issuer was before)");
    tf.refresh(ENDPOINT, "this").await.expect_warning("", "was not issued by what Issuer ffe/le asks now");
    let orders = world.controllers.orders();
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    assert_eq!(world.controllers.orders(), orders + 1, "it is ordered anew, once");
    tf.assert_empty_plan(ENDPOINT, "this", config.clone()).await;
}

#[tokio::test(start_paused = true)]
async fn who_may_not_look_at_the_issuer_does_not_know_that_it_is_another_one() {
    let world = World::new();
    of_lets_encrypt(&world, ffe_cert_manager::LETSENCRYPT_STAGING);
    world.controllers.sign_as("(STAGING) Ersatz Edamame E1");
    let mut tf = world.terraform().await;
    let config = endpoint(json!({ "issuer": { "name": "le" } }));
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    of_lets_encrypt(&world, ffe_cert_manager::LETSENCRYPT);
    world.api.fail("GET", "/issuers/le", None, 403, "Forbidden", "no");
    tf.assert_empty_plan(ENDPOINT, "this", config).await;
}

/// cert-manager goes by the issuer's name: a Secret that was kept may be of what that was before.
#[tokio::test(start_paused = true)]
async fn a_secret_that_was_kept_is_issued_anew_by_an_issuer_that_became_another() {
    let world = World::new();
    let config = |secret: &str, issuer: Json| {
        let mut issuer = issuer;
        issuer["name"] = json!("mine");
        endpoint(json!({ "secret_name": secret, "issuer": issuer }))
    };
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", config("first", json!({ "self_signed": {} }))).await.expect_ok();
    tf.apply(ENDPOINT, "this", config("second", json!({ "self_signed": {} }))).await.expect_ok();
    let orders = world.controllers.orders();
    // Of the same issuer it is used as it is.
    tf.apply(ENDPOINT, "this", config("first", json!({ "self_signed": {} }))).await.expect_ok();
    assert_eq!(world.controllers.orders(), orders);
    let changed = config("second", json!({ "ca": { "secret_name": "root" } }));
    tf.apply(ENDPOINT, "this", changed.clone()).await.expect_ok();
    assert_eq!(world.controllers.orders(), orders + 1);
    tf.apply(ENDPOINT, "this", changed).await.expect_ok();
    assert_eq!(world.controllers.orders(), orders + 1);
}
