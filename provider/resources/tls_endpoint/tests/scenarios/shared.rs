//! Issuers of their own, which endpoints refer to: made in the same run, taken over from an endpoint, moved to, and not gone
//! before those who use them.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::visitor::Visitor;
use crate::world::{ENDPOINT, ISSUER, NAMESPACE, World, acme, endpoint};

const API: &str = "cert-manager.io/v1";
const HOST: &str = "api.example.com";

/// `ffe_issuer.<name>`, as short as it can be.
fn shared(name: &str, more: Json) -> Json {
    let mut config = json!({ "name": name, "acme": { "server": "letsencrypt", "solvers": [{ "http01": {} }] } });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// An endpoint with `issuer = ffe_issuer.<name>.issuer_ref`.
fn referring(reference: &Json) -> Json {
    endpoint(json!({ "issuer": reference }))
}

fn cluster_issuer(world: &World, name: &str) -> Option<Json> {
    world.api.get(&ObjectRef::new(API, "ClusterIssuer", None, name))
}

fn of(mark: &Json) -> &Json {
    &mark["metadata"]["annotations"]["ffe.three-rivers.tech/resource"]
}

#[tokio::test(start_paused = true)]
async fn made_in_the_same_run_it_is_there_first_and_goes_last() {
    let world = World::new();
    let mut tf = world.terraform().await;
    // The plan of the endpoint knows the reference before there is an issuer.
    let planned = tf.plan(ISSUER, "le", shared("le", json!({}))).await;
    planned.expect_action(Action::Create).expect_ok();
    let reference = planned.after["issuer_ref"].clone();
    assert_eq!(reference, json!({ "name": "le", "kind": "ClusterIssuer", "group": "cert-manager.io" }));
    tf.plan(ENDPOINT, "this", referring(&reference)).await.expect_action(Action::Create).expect_silence();

    let made = tf.apply(ISSUER, "le", shared("le", json!({}))).await;
    made.expect_ok();
    assert!(made.state["acme_account_uri"].as_str().unwrap().ends_with("/acct/le-account"), "{:#}", made.state);
    tf.apply(ENDPOINT, "this", referring(&made.state["issuer_ref"])).await.expect_ok();
    tf.assert_empty_plan(ISSUER, "le", shared("le", json!({}))).await;
    tf.assert_empty_plan(ENDPOINT, "this", referring(&reference)).await;
    assert_eq!(world.controllers.orders(), 1);

    // Not while somebody uses it.
    let refused = tf.destroy(ISSUER, "le").await;
    refused.expect_error("", "Certificate ffe/api-tls");
    assert!(cluster_issuer(&world, "le").is_some());
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    tf.destroy(ISSUER, "le").await.expect_ok();
    assert!(cluster_issuer(&world, "le").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_endpoints_own_issuer_becomes_a_shared_one_without_an_order() {
    for kind in ["ClusterIssuer", "Issuer"] {
        let world = World::new();
        let solver = json!({ "dns01_cloudflare": { "api_token_wo": "t0ken" } });
        let mut own = acme(solver.clone());
        own["kind"] = json!(kind);
        own["name"] = json!("le");
        if kind == "ClusterIssuer" {
            world.api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "cm" } }));
            world.api.put(controller());
        }
        world.terraform().await.apply(ENDPOINT, "this", endpoint(json!({ "issuer": own.clone() }))).await.expect_ok();
        let (orders, home) = (world.controllers.orders(), if kind == "Issuer" { NAMESPACE } else { "cm" });
        let account = |world: &World| {
            let issuer = ObjectRef::new(API, kind, (kind == "Issuer").then_some(NAMESPACE), "le");
            world.api.get(&issuer).unwrap()["status"]["acme"]["uri"].clone()
        };
        let before = account(&world);

        let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
        let mut tf = world.watched(&visitor).await;
        let imported = tf.import(ENDPOINT, "this", "ffe/api", endpoint(json!({ "issuer": own.clone() }))).await;
        imported.expect_action(Action::NoOp).expect_ok();
        let (mut config, id) = (shared("le", json!({ "kind": kind })), if kind == "Issuer" { "ffe/le" } else { "le" });
        config["acme"]["solvers"] = json!([solver]);
        config["acme"]["email"] = json!("ops@three-rivers-tech.com");
        if kind == "Issuer" {
            config["namespace"] = json!(NAMESPACE);
        }
        // Without an import it is the endpoint's.
        let refused = tf.plan(ISSUER, "le", config.clone()).await;
        refused.expect_error("name", &format!("terraform import ffe_issuer.<name> {id}"));

        // As one apply does it: the issuer first, then the endpoint that refers to it.
        let imported = tf.import(ISSUER, "le", id, config.clone()).await;
        imported.expect_action(Action::Update).expect_warning("", "ffe_tls_endpoint ffe/api");
        let made = tf.apply(ISSUER, "le", config.clone()).await;
        made.expect_ok();
        tf.apply(ENDPOINT, "this", referring(&made.state["issuer_ref"])).await.expect_ok();
        visitor.expect_no_gap(kind);
        assert_eq!(world.controllers.orders(), orders, "{kind}: no certificate is ordered");
        assert_eq!(account(&world), before, "{kind}: the account is the same");
        tf.assert_empty_plan(ISSUER, "le", config.clone()).await;
        tf.assert_empty_plan(ENDPOINT, "this", referring(&made.state["issuer_ref"])).await;
        let secret = ObjectRef::new("v1", "Secret", Some(home), "le-credentials");
        assert_eq!(of(&world.api.get(&secret).unwrap()), id);

        // Whoever still describes it is told.
        let mut late = world.terraform().await;
        late.import(ENDPOINT, "this", "ffe/api", endpoint(json!({ "issuer": own.clone() }))).await.expect_ok();
        let refused = late.apply(ENDPOINT, "this", endpoint(json!({ "issuer": own }))).await;
        refused.expect_error("issuer.name", "belongs to ffe_issuer");

        tf.destroy(ENDPOINT, "this").await.expect_ok();
        assert!(world.api.get(&secret).is_some(), "{kind}: it is not the endpoint's any more");
        tf.destroy(ISSUER, "le").await.expect_ok();
        assert!(world.api.get(&secret).is_none());
    }
}

/// cert-manager's controller, which says where it reads the Secrets of ClusterIssuers.
fn controller() -> Json {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "cert-manager", "namespace": "cm", "labels": {
            "app.kubernetes.io/component": "controller", "app.kubernetes.io/name": "cert-manager" } },
        "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "cert-manager-controller:v1.21.2",
            "args": ["--cluster-resource-namespace=$(POD_NAMESPACE)"] }] } } },
        "status": { "readyReplicas": 1, "availableReplicas": 1, "replicas": 1 } })
}

#[tokio::test(start_paused = true)]
async fn another_issuer_is_moved_to_with_one_order_and_no_gap() {
    let moves = [
        ("own Issuer", json!({ "issuer": acme(json!({ "http01": {} })) })),
        ("own ClusterIssuer", json!({ "issuer": { "kind": "ClusterIssuer", "self_signed": {} } })),
        ("somebody else's", json!({})),
        ("own Issuer, and no Secret kept", json!({ "issuer": acme(json!({ "http01": {} })), "keep_secret": false })),
        ("an Issuer of the same name", json!({ "issuer": { "name": "le", "self_signed": {} } })),
    ];
    for (what, before) in moves {
        let world = World::new();
        world.terraform().await.apply(ENDPOINT, "this", endpoint(before.clone())).await.expect_ok();
        let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
        let mut tf = world.watched(&visitor).await;
        tf.import(ENDPOINT, "this", "ffe/api", endpoint(before.clone())).await.expect_action(Action::NoOp).expect_ok();
        let orders = world.controllers.orders();
        let made = tf.apply(ISSUER, "le", shared("le", json!({}))).await;
        made.expect_ok();
        let mut after = referring(&made.state["issuer_ref"]);
        if let Some(keep) = before.get("keep_secret") {
            after["keep_secret"] = keep.clone();
        }
        let planned = tf.plan(ENDPOINT, "this", after.clone()).await;
        planned.expect_warning("issuer", "orders a certificate of Let's Encrypt");

        // Never issued, twice: it serves with what it has.
        world.controllers.issue(false);
        let mut hasty = after.clone();
        hasty["timeout"] = json!("20s");
        for _ in 0..2 {
            tf.apply(ENDPOINT, "this", hasty.clone()).await.expect_error("", "is not issued");
        }
        world.controllers.issue(true);
        tf.apply(ENDPOINT, "this", after.clone()).await.expect_ok();
        visitor.expect_no_gap(what);
        assert_eq!(world.controllers.orders(), orders + 1, "{what}");
        tf.assert_empty_plan(ENDPOINT, "this", after).await;
        assert_eq!(world.names("Issuer"), ["internal"], "{what}: its own is gone");
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        tf.destroy(ISSUER, "le").await.expect_ok();
        assert_eq!(world.names("ClusterIssuer"), Vec::<String>::new(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn many_endpoints_share_one_issuer_and_one_account() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let made = tf.apply(ISSUER, "le", shared("le", json!({}))).await;
    for index in 0..5 {
        let mut config = referring(&made.state["issuer_ref"]);
        config["name"] = json!(format!("s{index}"));
        config["hosts"] = json!([format!("s{index}.example.com")]);
        tf.apply(ENDPOINT, &format!("s{index}"), config).await.expect_ok();
    }
    assert_eq!(world.controllers.orders(), 5);
    assert_eq!(world.names("ClusterIssuer"), ["le"]);
    let refused = tf.destroy(ISSUER, "le").await;
    refused.expect_error("", "5 certificates refer to it");
}

#[tokio::test(start_paused = true)]
async fn an_issuer_of_another_group_is_referred_to_by_its_kind() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let reference = json!({ "name": "pca", "kind": "AWSPCAClusterIssuer", "group": "awspca.cert-manager.io" });
    tf.apply(ENDPOINT, "this", referring(&reference)).await.expect_ok();
    let certificate = world.get(API, "Certificate", "api-tls").unwrap();
    assert_eq!(
        certificate["spec"]["issuerRef"],
        json!({ "name": "pca", "kind": "AWSPCAClusterIssuer", "group": "awspca.cert-manager.io" })
    );
    tf.assert_empty_plan(ENDPOINT, "this", referring(&reference)).await;
    for (wrong, path, text) in [
        (json!({ "name": "pca", "kind": "AWSPCAClusterIssuer" }), "issuer.kind", "issuer.group"),
        (
            json!({ "name": "x", "kind": "StepIssuer", "group": "certmanager.step.sm", "self_signed": {} }),
            "issuer.group",
            "refer to the issuer",
        ),
    ] {
        tf.plan(ENDPOINT, "other", referring(&wrong)).await.expect_error(path, text);
    }
    tf.destroy(ENDPOINT, "this").await.expect_ok();
}
