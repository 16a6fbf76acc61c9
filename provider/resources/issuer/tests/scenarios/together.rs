//! Two states at one issuer at once.

use ffe_cluster::ObjectRef;
use serde_json::json;
use tfplugin_testing::{Action, Told};

use crate::world::{HOME, ISSUER, World, acme, with};

fn lease() -> ObjectRef {
    ObjectRef::new("coordination.k8s.io/v1", "Lease", Some(HOME), "ffe-clusterissuer.le")
}

/// Has somebody else, on another machine, hold the lease and renew it.
fn somebody_is_at_work(world: &World) -> tokio::task::JoinHandle<()> {
    let api = world.api.clone();
    api.put(json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": "ffe-clusterissuer.le", "namespace": HOME, "annotations": {
            "ffe.three-rivers.tech/lease-host": "build-7", "ffe.three-rivers.tech/lease-process": "7",
            "ffe.three-rivers.tech/lease-for": "terraform apply of ffe_issuer le" } },
        "spec": { "holderIdentity": "other", "leaseDurationSeconds": 15, "leaseTransitions": 1,
            "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z" } }));
    tokio::spawn(async move {
        for second in 1.. {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            let now = format!("2026-01-01T00:{:02}:{:02}.000000Z", second / 60 % 60, second % 60);
            api.edit(&lease(), |lease| lease["spec"]["renewTime"] = json!(now));
        }
    })
}

#[tokio::test(start_paused = true)]
async fn who_is_alive_is_not_disturbed_and_who_died_is_gone_on_with() {
    let world = World::new();
    world.accept(false);
    let mut tf = world.terraform().await;
    // A create that failed leaves an unfinished issuer.
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_error("acme", "is not ready");
    world.accept(true);
    let at_work = somebody_is_at_work(&world);
    let before = world.issuer("le").unwrap();
    let mut second = world.terraform().await;
    let refused = second.apply(ISSUER, "le", acme(json!({ "email": "two@three-rivers-tech.com" }))).await;
    for part in
        ["Somebody else is at work on the issuer", "build-7", "terraform apply of ffe_issuer le", "Nothing was changed"]
    {
        refused.expect_error("name", part);
    }
    let now = world.issuer("le").unwrap();
    let ours = |issuer: &serde_json::Value| (issuer["spec"].clone(), issuer["metadata"]["annotations"].clone());
    assert_eq!(ours(&now), ours(&before));
    at_work.abort();
    second.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    second.assert_empty_plan(ISSUER, "le", acme(json!({}))).await;
}

#[tokio::test(start_paused = true)]
async fn an_update_and_a_destroy_change_nothing_beside_another_run() {
    let world = World::new();
    let mut tf = world.terraform().await;
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
    let before = world.issuer("le").unwrap();
    let at_work = somebody_is_at_work(&world);
    let changed = acme(json!({ "email": "two@three-rivers-tech.com" }));
    tf.apply(ISSUER, "le", changed.clone()).await.expect_error("name", "Somebody else is at work on the issuer");
    tf.destroy(ISSUER, "le").await.expect_error("name", "Somebody else is at work on the issuer");
    assert_eq!(world.issuer("le").unwrap()["spec"], before["spec"]);
    at_work.abort();
    tf.apply(ISSUER, "le", changed).await.expect_ok();
    tf.destroy(ISSUER, "le").await.expect_ok();
    assert!(world.api.get(&lease()).is_none(), "nothing is left to lock");
}

#[tokio::test(start_paused = true)]
async fn of_two_states_that_make_one_issuer_one_wins() {
    let world = World::new();
    let (mut first, mut second) = (world.terraform().await, world.terraform().await);
    let config = |email: &str| acme(json!({ "email": email }));
    let (one, two) = tokio::join!(
        first.apply(ISSUER, "le", config("one@three-rivers-tech.com")),
        second.apply(ISSUER, "le", config("two@three-rivers-tech.com")),
    );
    let failed = [&one, &two].map(|applied| applied.diagnostics().has_errors());
    assert!(failed[0] != failed[1], "{one:?}\n{two:?}");
    let (email, refused) = if failed[0] { ("two", one) } else { ("one", two) };
    refused.expect_error("name", "in another state");
    assert_eq!(world.issuer("le").unwrap()["spec"]["acme"]["email"], format!("{email}@three-rivers-tech.com"));
}

#[tokio::test(start_paused = true)]
async fn who_may_not_make_leases_is_told_what_to_allow() {
    let world = World::new();
    world.api.fail("POST", "/leases", None, 403, "Forbidden", "leases is forbidden");
    let mut tf = world.terraform().await;
    let refused = tf.apply(ISSUER, "le", acme(json!({}))).await;
    refused.expect_error("", "The lease could not be acquired").expect_error("", "leases");
    assert!(world.issuer("le").is_none());
    world.api.heal();
    tf.apply(ISSUER, "le", acme(json!({}))).await.expect_ok();
}

#[tokio::test(start_paused = true)]
async fn what_others_may_change_is_no_drift() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let token = json!({ "solvers": [{ "dns01_cloudflare": { "api_token_wo": "t" } }] });
    let with_rules = |rules: serde_json::Value| with(acme(token.clone()), json!({ "drift": { "ignore": rules } }));
    let config = with_rules(json!([{ "kind": "ClusterIssuer", "paths": ["/spec/acme/email"] }]));
    tf.apply(ISSUER, "le", config.clone()).await.expect_ok();
    let edit = |email: &str, server: &str| {
        world.api.edit(&crate::world::cluster_issuer("le"), |issuer| {
            issuer["spec"]["acme"]["email"] = json!(email);
            issuer["spec"]["acme"]["server"] = json!(server);
        });
    };
    edit("theirs@three-rivers-tech.com", ffe_cert_manager::LETSENCRYPT_STAGING);
    tf.assert_empty_plan(ISSUER, "le", config.clone()).await;
    // What is not named is drift, and an apply that has something to do writes the rest again.
    edit("theirs@three-rivers-tech.com", "https://elsewhere.example.com/directory");
    let planned = tf.plan(ISSUER, "le", config.clone()).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.before["drifted"], json!([{ "object": "ClusterIssuer le", "field": "spec.acme.server" }]));
    tf.apply(ISSUER, "le", config).await.expect_ok();
    assert_eq!(world.issuer("le").unwrap()["spec"]["acme"]["email"], "ops@three-rivers-tech.com");

    // The whole object, and an entry of the Secret.
    let config = with_rules(json!([{ "name": "le" }, { "kind": "Secret", "paths": ["/data"] }]));
    tf.apply(ISSUER, "le", config.clone()).await.expect_ok();
    edit("theirs@three-rivers-tech.com", "https://elsewhere.example.com/directory");
    let secret = ObjectRef::new("v1", "Secret", Some(HOME), "le-credentials");
    world.api.edit(&secret, |secret| {
        for (_, content) in secret["data"].as_object_mut().unwrap() {
            *content = json!("b3RoZXI=");
        }
    });
    tf.assert_empty_plan(ISSUER, "le", config).await;

    let refused = tf.plan(ISSUER, "le", with_rules(json!([{}]))).await;
    refused.expect_error("drift.ignore[0]", "matches nothing in particular");
}
