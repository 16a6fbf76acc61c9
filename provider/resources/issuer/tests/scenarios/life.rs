//! From the first plan to the destroy.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told, unknown};

use crate::world::{API, ISSUER, NAMESPACE, World, acme, cluster_issuer, with};

#[tokio::test(start_paused = true)]
async fn it_is_made_ready_changed_in_place_and_removed() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let planned = tf.plan(ISSUER, "le", acme(json!({}))).await;
    planned.expect_action(Action::Create).expect_silence();
    assert_eq!(planned.unknown(), ["acme_account_uri"]);
    assert_eq!(world.writes(), 0);
    let made = tf.apply(ISSUER, "le", acme(json!({}))).await;
    made.expect_ok();
    let issuer = world.issuer("le").unwrap();
    assert_eq!(issuer["spec"]["acme"]["email"], "ops@three-rivers-tech.com");
    assert_eq!(issuer["spec"]["acme"]["solvers"], json!([{ "http01": { "ingress": {} } }]));
    assert_eq!(made.state["acme_account_uri"], issuer["status"]["acme"]["uri"]);
    assert_eq!(made.state["credentials_revision"], Json::Null);
    tf.assert_empty_plan(ISSUER, "le", acme(json!({}))).await;

    // Another contact is the same account; another server is another one.
    let other = acme(json!({ "email": "tls@three-rivers-tech.com" }));
    let planned = tf.plan(ISSUER, "le", other.clone()).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.after["acme_account_uri"], made.state["acme_account_uri"]);
    tf.apply(ISSUER, "le", other).await.expect_ok();
    let moved = acme(json!({ "server": "https://acme.example.com/directory" }));
    assert_eq!(tf.plan(ISSUER, "le", moved.clone()).await.after["acme_account_uri"], unknown());
    let moved = tf.apply(ISSUER, "le", moved).await;
    moved.expect_ok();
    assert!(moved.state["acme_account_uri"].as_str().unwrap().starts_with("https://acme.example.com/"));

    tf.destroy(ISSUER, "le").await.expect_ok();
    assert_eq!(world.names("ClusterIssuer"), Vec::<String>::new());
    assert_eq!(world.names("Secret"), ["le-account"], "the account is kept");
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_issuer_is_what_it_says() {
    let vault = json!({ "server": "https://vault:8200", "path": "pki/sign/ffe" });
    for (config, spec) in [
        (json!({ "self_signed": {} }), json!({ "selfSigned": {} })),
        (json!({ "ca": { "secret_name": "root" } }), json!({ "ca": { "secretName": "root" } })),
        (
            json!({ "vault": with(vault.clone(), json!({ "token_wo": "s.t0ken-canary" })) }),
            json!({ "vault": { "server": "https://vault:8200", "path": "pki/sign/ffe",
                "auth": { "tokenSecretRef": { "name": "one-credentials", "key": "vault" } } } }),
        ),
        (
            json!({ "vault": with(vault, json!({ "kubernetes": { "role": "issuer", "service_account": "vault" } })) }),
            json!({ "vault": { "server": "https://vault:8200", "path": "pki/sign/ffe", "auth": { "kubernetes": {
                "mountPath": "/v1/auth/kubernetes", "role": "issuer", "serviceAccountRef": { "name": "vault" } } } } }),
        ),
    ] {
        for (kind, namespace) in [("ClusterIssuer", None), ("Issuer", Some(NAMESPACE))] {
            let world = World::new();
            let mut tf = world.terraform().await.canary("s.t0ken-canary");
            let config = with(config.clone(), json!({ "name": "one", "kind": kind, "namespace": namespace }));
            tf.apply(ISSUER, "one", config.clone()).await.expect_ok();
            let object = ObjectRef::new(API, kind, namespace, "one");
            assert_eq!(world.api.get(&object).unwrap()["spec"], spec);
            tf.assert_empty_plan(ISSUER, "one", config.clone()).await;
            let id = if namespace.is_some() { "ffe/one" } else { "one" };
            let mut other = world.terraform().await.canary("s.t0ken-canary");
            other.import(ISSUER, "one", id, config).await.expect_action(Action::NoOp).expect_ok();
            tf.destroy(ISSUER, "one").await.expect_ok();
            assert_eq!(world.names("Secret"), Vec::<String>::new(), "{kind}");
            assert!(world.api.get(&object).is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_kind_becomes_another_in_place() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let token = json!({ "solvers": [{ "dns01_cloudflare": { "api_token_wo": "t" } }] });
    tf.apply(ISSUER, "le", acme(token)).await.expect_ok();
    assert!(world.secret("le-credentials").is_some());
    tf.apply(ISSUER, "le", json!({ "name": "le", "self_signed": {} })).await.expect_ok();
    assert_eq!(world.issuer("le").unwrap()["spec"], json!({ "selfSigned": {} }));
    assert_eq!(world.names("Secret"), ["le-account"], "credentials and digests are gone");
    assert_eq!(tf.state(ISSUER, "le")["acme_account_uri"], Json::Null);
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_behind_its_back_is_seen_and_put_right() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = acme(json!({ "ca_bundle": include_str!("root.pem"), "profile": "shortlived" }));
    tf.apply(ISSUER, "le", config.clone()).await.expect_ok();
    world.api.edit(&cluster_issuer("le"), |issuer| {
        issuer["spec"]["acme"]["server"] = json!("https://elsewhere.example.com/directory");
        issuer["metadata"]["annotations"]["theirs"] = json!("x");
    });
    let planned = tf.plan(ISSUER, "le", config.clone()).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.before["drifted"], json!([{ "object": "ClusterIssuer le", "field": "spec.acme.server" }]));
    tf.apply(ISSUER, "le", config.clone()).await.expect_ok();
    let issuer = world.issuer("le").unwrap();
    assert_eq!(issuer["spec"]["acme"]["server"], ffe_cert_manager::LETSENCRYPT_STAGING);
    assert_eq!(issuer["metadata"]["annotations"]["theirs"], "x", "what others add is theirs");
    tf.assert_empty_plan(ISSUER, "le", config.clone()).await;

    // The certificates of an authority are kept in the issuer itself, for an import too.
    let mut other = world.terraform().await;
    other.import(ISSUER, "le", "le", config.clone()).await.expect_action(Action::NoOp).expect_ok();

    // Gone: proven by a list, and made anew.
    world.api.remove(&cluster_issuer("le"));
    tf.plan(ISSUER, "le", config).await.expect_action(Action::Create);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_proof_of_absence_keeps_the_state() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    let state = tf.state(ISSUER, "le");
    for (code, reason) in [(403, "Forbidden"), (401, "Unauthorized"), (500, "InternalError")] {
        world.api.fail("GET", "/clusterissuers", None, code, reason, "no");
        tf.refresh(ISSUER, "le").await.expect_error("", "The prior state is kept");
        assert_eq!(tf.state(ISSUER, "le"), state, "{reason}");
        world.api.heal();
    }
    tf.refresh(ISSUER, "le").await.expect_ok();
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_not_known_yet_takes_nothing() {
    let world = World::new();
    let tf = world.unconfigured().provider_config_at_plan(json!({ "host": unknown() }));
    let mut tf = tf.configure(json!({ "host": "the-world" })).await.unwrap();
    tf.plan(ISSUER, "le", acme(json!({}))).await.expect_action(Action::Create).expect_ok();
    assert_eq!(world.api.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_not_known_yet_is_planned() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = with(acme(json!({})), json!({ "name": unknown() }));
    let planned = tf.plan(ISSUER, "le", config).await;
    planned.expect_action(Action::Create).expect_ok();
    assert_eq!(planned.after["issuer_ref"]["kind"], "ClusterIssuer");
    assert_eq!(planned.after["issuer_ref"]["name"], unknown());
}
