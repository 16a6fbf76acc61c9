//! Write-only values: where they go, how a change of them shows, and that they are nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{HOME, ISSUER, NAMESPACE, World, acme, with};

fn solvers(token: &str, version: Json, tsig: &str) -> Json {
    acme(json!({
        "external_account_binding": { "key_id": "kid-1", "key_wo": "eab-canary" },
        "solvers": [
            { "http01": {} },
            { "selector": { "dns_zones": ["example.com"] },
              "dns01_cloudflare": { "api_token_wo": token, "api_token_wo_version": version } },
            { "selector": { "dns_zones": ["example.net"] },
              "dns01_rfc2136": { "nameserver": "10.0.0.53", "tsig_key_name": "k", "tsig_secret_wo": tsig } },
        ],
    }))
}

fn content(world: &World, entry: &str) -> String {
    let secret = world.secret("le-credentials").unwrap();
    String::from_utf8(STANDARD.decode(secret["data"][entry].as_str().unwrap()).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_secret_is_where_cert_manager_reads_it_and_nowhere_else() {
    let world = World::new();
    let canaries = ["eab-canary", "t0ken-canary", "an0ther-canary", "ts1g-canary", "0ther-ts1g-canary"];
    let mut tf = canaries.iter().fold(world.terraform().await, |tf, canary| tf.canary(canary));
    let made = tf.apply(ISSUER, "le", solvers("t0ken-canary", json!(null), "ts1g-canary")).await;
    made.expect_ok();
    assert_eq!(content(&world, "eab-key"), "eab-canary");
    assert_eq!(
        (content(&world, "solver-1").as_str(), content(&world, "solver-2").as_str()),
        ("t0ken-canary", "ts1g-canary")
    );
    let acme = &world.issuer("le").unwrap()["spec"]["acme"];
    assert_eq!(
        acme["externalAccountBinding"],
        json!({ "keyID": "kid-1", "keySecretRef": { "name": "le-credentials", "key": "eab-key" } })
    );
    for object in world.api.all().iter().filter(|one| one["kind"] != "Secret") {
        assert!(!canaries.iter().any(|canary| object.to_string().contains(canary)), "{object}");
    }

    // One of them changes.
    let changed = solvers("t0ken-canary", json!(null), "0ther-ts1g-canary");
    let planned = tf.plan(ISSUER, "le", changed.clone()).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.after["credentials_revision"], unknown());
    let changed = tf.apply(ISSUER, "le", changed).await;
    changed.expect_ok();
    assert_eq!(content(&world, "solver-2"), "0ther-ts1g-canary");
    assert_ne!(changed.state["credentials_revision"], made.state["credentials_revision"]);

    // With a version that alone speaks for it, and for nothing else.
    let versioned = |token: &str, version: &str, tsig: &str| solvers(token, json!(version), tsig);
    tf.apply(ISSUER, "le", versioned("t0ken-canary", "1", "0ther-ts1g-canary")).await.expect_ok();
    tf.plan(ISSUER, "le", versioned("an0ther-canary", "1", "0ther-ts1g-canary")).await.expect_action(Action::NoOp);
    tf.plan(ISSUER, "le", versioned("t0ken-canary", "1", "ts1g-canary")).await.expect_action(Action::Update);
    tf.apply(ISSUER, "le", versioned("an0ther-canary", "2", "0ther-ts1g-canary")).await.expect_ok();
    assert_eq!(content(&world, "solver-1"), "an0ther-canary");

    // Changed, and removed, behind Terraform's back.
    let config = versioned("an0ther-canary", "2", "0ther-ts1g-canary");
    let object = ObjectRef::new("v1", "Secret", Some(HOME), "le-credentials");
    world.api.edit(&object, |secret| secret["data"]["solver-1"] = json!(STANDARD.encode("x")));
    let planned = tf.plan(ISSUER, "le", config.clone()).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.before["drifted"][0]["field"], "data[\"solver-1\"]");
    tf.apply(ISSUER, "le", config.clone()).await.expect_ok();
    assert_eq!(content(&world, "solver-1"), "an0ther-canary");
    world.api.remove(&object);
    tf.plan(ISSUER, "le", config.clone()).await.expect_action(Action::Update);
    tf.apply(ISSUER, "le", config.clone()).await.expect_ok();

    // Imported, it plans empty.
    let mut other = canaries.iter().fold(world.terraform().await, |tf, canary| tf.canary(canary));
    other.import(ISSUER, "le", "le", config).await.expect_action(Action::NoOp).expect_ok();

    tf.destroy(ISSUER, "le").await.expect_ok();
    assert_eq!(world.names("Secret"), ["le-account"], "credentials and digests are gone");
}

#[tokio::test(start_paused = true)]
async fn the_providers_own_token_serves_where_none_is_given() {
    let world = World::new();
    let left = || acme(json!({ "solvers": [{ "dns01_cloudflare": {} }] }));
    let mut without = world.terraform().await;
    let refused = without.plan(ISSUER, "le", left()).await;
    refused.expect_error("acme.solvers[0].dns01_cloudflare.api_token_wo", "CLOUDFLARE_API_TOKEN");

    let mut tf = world.with_token("pr0vider-canary").await;
    tf.apply(ISSUER, "le", left()).await.expect_ok();
    assert_eq!(content(&world, "solver-0"), "pr0vider-canary");
    tf.assert_empty_plan(ISSUER, "le", left()).await;
    // Another one shows.
    let mut other = world.with_token("0ther-canary").await;
    other.import(ISSUER, "le", "le", left()).await.expect_action(Action::Update);
    other.apply(ISSUER, "le", left()).await.expect_ok();
    assert_eq!(content(&world, "solver-0"), "0ther-canary");
}

#[tokio::test(start_paused = true)]
async fn a_solver_less_is_an_entry_less() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", solvers("t", json!(null), "s")).await.expect_ok();
    tf.apply(ISSUER, "le", acme(json!({ "solvers": [{ "dns01_cloudflare": { "api_token_wo": "t" } }] })))
        .await
        .expect_ok();
    let secret = world.secret("le-credentials").unwrap();
    assert_eq!(secret["data"], json!({ "solver-0": STANDARD.encode("t") }));
    assert!(world.issuer("le").unwrap()["spec"]["acme"].get("externalAccountBinding").is_none());
}

#[tokio::test(start_paused = true)]
async fn where_they_go_is_found_out_or_asked_for_and_never_guessed() {
    let token = || acme(json!({ "solvers": [{ "dns01_cloudflare": { "api_token_wo": "t" } }] }));
    let world = World::new();
    world.api.fail("GET", "/apis/apps/v1/deployments", None, 403, "Forbidden", "no");
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", token()).await.expect_error("secret_namespace", "Set secret_namespace");
    assert_eq!(world.names("ClusterIssuer"), Vec::<String>::new());
    assert_eq!(world.names("Secret"), Vec::<String>::new());

    // Said, it is used; and who has none needs no place for it.
    tf.apply(ISSUER, "le", with(token(), json!({ "secret_namespace": HOME }))).await.expect_ok();
    assert!(world.secret("le-credentials").is_some());
    tf.apply(ISSUER, "other", with(acme(json!({})), json!({ "name": "other" }))).await.expect_ok();
    tf.destroy(ISSUER, "other").await.expect_ok();
    tf.destroy(ISSUER, "le").await.expect_ok();
    assert!(world.secret("le-credentials").is_none());

    // Another one than cert-manager has is told.
    world.api.heal();
    let elsewhere = with(token(), json!({ "secret_namespace": NAMESPACE }));
    tf.apply(ISSUER, "le", elsewhere)
        .await
        .expect_ok()
        .expect_warning("secret_namespace", "reads Secrets of ClusterIssuers in cm");
}

#[tokio::test(start_paused = true)]
async fn the_key_of_an_account_is_deleted_only_where_it_was_made_for_this_issuer_and_nobody_else_has_it() {
    let account = |name: &str, key: &str| {
        with(acme(json!({ "private_key_secret": key })), json!({ "name": name, "keep_account_key": false }))
    };
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", account("le", "mine")).await.expect_ok();
    tf.destroy(ISSUER, "le").await.expect_ok();
    assert_eq!(world.names("Secret"), Vec::<String>::new(), "it was made for it");

    world.api.put(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "theirs", "namespace": HOME },
        "data": { "tls.key": "a2V5" } }));
    tf.apply(ISSUER, "le", account("le", "theirs")).await.expect_ok();
    tf.destroy(ISSUER, "le").await.expect_ok();
    assert_eq!(world.names("Secret"), ["theirs"], "it was there before");

    // Another issuer has come to use it since.
    tf.apply(ISSUER, "le", account("le", "shared")).await.expect_ok();
    tf.apply(ISSUER, "other", account("other", "shared")).await.expect_ok();
    tf.destroy(ISSUER, "le").await.expect_ok().expect_warning("", "ClusterIssuer other");
    assert!(world.secret("shared").is_some());
    // And it is not the other one's.
    tf.destroy(ISSUER, "other").await.expect_ok();
    assert!(world.secret("shared").is_some());

    // Whether somebody uses it is not known.
    tf.apply(ISSUER, "le", account("le", "new")).await.expect_ok();
    world.api.fail("GET", &format!("/namespaces/{HOME}/issuers"), None, 403, "Forbidden", "no");
    tf.destroy(ISSUER, "le").await.expect_ok().expect_warning("", "is not known");
    assert!(world.secret("new").is_some());
}
