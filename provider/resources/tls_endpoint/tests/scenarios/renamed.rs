//! Endpoints that get another name while somebody asks for them.

use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::in_use::{at_gateway, expect_nothing_left, with, world};
use crate::visitor::Visitor;
use crate::world::{Death, ENDPOINT, World, endpoint};

const HOST: &str = "api.example.com";
const NETWORKING: &str = "networking.k8s.io/v1";

/// A configuration under another name.
fn renamed(base: &Json, more: Json) -> Json {
    with(&with(base, json!({ "name": "web" })), more)
}

/// From what to what, and how many certificates are ordered for it.
fn changes() -> Vec<(&'static str, Json, Json, usize)> {
    let base = endpoint(json!({}));
    let own = endpoint(json!({ "issuer": { "self_signed": {} } }));
    let named = endpoint(json!({ "issuer": { "name": "mine", "self_signed": {} }, "secret_name": "mine" }));
    let two = endpoint(json!({ "hosts": [HOST, "b.example.com"] }));
    vec![
        ("nothing else", base.clone(), renamed(&base, json!({})), 1),
        ("the Secret stays", base.clone(), renamed(&base, json!({ "secret_name": "api-tls" })), 0),
        ("an issuer of its own", own.clone(), renamed(&own, json!({})), 1),
        ("an issuer of its own stays", named.clone(), renamed(&named, json!({})), 0),
        ("a host more", base.clone(), renamed(&two, json!({})), 1),
        ("a host less", two, renamed(&base, json!({})), 1),
        ("another class", base.clone(), renamed(&base, json!({ "ingress_class": "traefik-nginx" })), 1),
        ("another controller", with(&base, json!({ "ingress_class": "nginx" })), renamed(&base, json!({})), 1),
        ("to a Gateway", base.clone(), renamed(&at_gateway("web"), json!({})), 1),
        ("from a Gateway", at_gateway("web"), renamed(&base, json!({})), 1),
        ("to another Gateway", at_gateway("web"), renamed(&at_gateway("edge"), json!({})), 1),
        (
            "no Secret kept",
            with(&base, json!({ "keep_secret": false })),
            renamed(&base, json!({ "keep_secret": false })),
            1,
        ),
    ]
}

/// What has the former name and is no Secret.
fn of_the_former_name(world: &World) -> Vec<String> {
    let all = world
        .api
        .all()
        .into_iter()
        .filter(|object| object["metadata"]["annotations"]["ffe.three-rivers.tech/resource"] == "ffe/api");
    all.map(|object| format!("{} {}", object["kind"], object["metadata"]["name"])).collect()
}

#[tokio::test(start_paused = true)]
async fn another_name_is_a_change_in_place_that_nobody_sees() {
    for (what, before, after, orders) in changes() {
        let world = world();
        world.terraform().await.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
        let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
        let mut tf = world.watched(&visitor).await;
        tf.import(ENDPOINT, "this", "ffe/api", before).await.expect_action(Action::NoOp).expect_ok();
        let ordered = world.controllers.orders();
        let planned = tf.plan(ENDPOINT, "this", after.clone()).await;
        planned.expect_action(Action::Update);
        let told = planned.diagnostics().to_string();
        assert!(!told.contains("are not served") && !told.contains("serves the same"), "{what}: {told}");
        let done = tf.apply(ENDPOINT, "this", after.clone()).await;
        done.expect_ok();
        let told = done.diagnostics().to_string();
        assert!(!told.contains("serves the same"), "{what}: {told}");
        visitor.expect_no_gap(what);
        assert_eq!(of_the_former_name(&world), Vec::<String>::new(), "{what}");
        assert_eq!(world.controllers.orders() - ordered, orders, "{what}");
        let record = world.get("v1", "ConfigMap", "ffe-tls-endpoint.web").unwrap();
        assert_eq!(record["data"]["also-named"], Json::Null, "{what}");
        tf.assert_empty_plan(ENDPOINT, "this", after).await;
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        expect_nothing_left(&world, what);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rename_that_gets_no_further_goes_on_back_or_away() {
    for (what, before, after, orders) in changes() {
        if orders == 0 {
            continue;
        }
        for ends in ["goes on", "goes back", "goes away"] {
            let world = world();
            world.terraform().await.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
            let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
            let mut tf = world.watched(&visitor).await;
            tf.import(ENDPOINT, "this", "ffe/api", before.clone()).await.expect_ok();
            world.controllers.issue(false);
            let hopeless = with(&after, json!({ "timeout": "20s" }));
            for _ in 0..2 {
                tf.apply(ENDPOINT, "this", hopeless.clone()).await.expect_error("", "is not issued");
                visitor.expect_no_gap(what);
                let state = tf.state(ENDPOINT, "this");
                assert_eq!(state["name"], "api", "{what}: under its former name it is what it was");
                assert!(state["drifted"].to_string().contains("(not done: issued)"), "{what}: {state}");
            }
            world.controllers.issue(ends != "goes away");
            match ends {
                "goes on" => {
                    tf.apply(ENDPOINT, "this", after.clone()).await.expect_ok();
                    assert_eq!(of_the_former_name(&world), Vec::<String>::new(), "{what}");
                    tf.assert_empty_plan(ENDPOINT, "this", after.clone()).await;
                }
                "goes back" => {
                    tf.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
                    assert_eq!(world.get("v1", "ConfigMap", "ffe-tls-endpoint.web"), None, "{what}");
                    tf.assert_empty_plan(ENDPOINT, "this", before.clone()).await;
                }
                _ => {}
            }
            visitor.expect_no_gap(&format!("{what}, {ends}"));
            tf.destroy(ENDPOINT, "this").await.expect_ok();
            expect_nothing_left(&world, &format!("{what}, {ends}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_at_any_write_of_a_rename_takes_nothing_down() {
    for (what, before, after, _) in changes() {
        if !["nothing else", "the Secret stays", "to a Gateway"].contains(&what) {
            continue;
        }
        for writes in 0.. {
            let world = world();
            let mut tf = world.terraform().await;
            tf.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
            let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
            let death = Death::after(writes);
            let mut dying = world.mortal(&death).await;
            dying.set_state(ENDPOINT, "this", 0, tf.state(ENDPOINT, "this"), &tf.private(ENDPOINT, "this"));
            let died = tokio::select! {
                biased;
                () = death.comes() => true,
                done = dying.apply(ENDPOINT, "this", after.clone()) => { done.expect_ok(); false }
            };
            visitor.expect_no_gap(what);
            if !died {
                break;
            }
            drop(dying);
            if tf.refresh(ENDPOINT, "this").await.gone {
                // It was done, and only the answer did not come: it is imported.
                tf.import(ENDPOINT, "this", "ffe/web", after.clone()).await.expect_ok();
            }
            tf.apply(ENDPOINT, "this", after.clone()).await.expect_ok();
            visitor.expect_no_gap(&format!("{what}, finished after {writes} writes"));
            assert_eq!(of_the_former_name(&world), Vec::<String>::new(), "{what} after {writes} writes");
            tf.destroy(ENDPOINT, "this").await.expect_ok();
            expect_nothing_left(&world, what);
        }
    }
}

/// Where the controller takes only one of them: the plan says so, and the moment is that of a write.
#[tokio::test(start_paused = true)]
async fn what_cannot_stand_beside_changes_places_at_once() {
    let before = endpoint(json!({ "ingress_class": "nginx" }));
    {
        let (what, world) = ("ingress-nginx", world());
        let mut tf = world.terraform().await;
        tf.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
        let after = renamed(&before, json!({}));
        let planned = tf.plan(ENDPOINT, "this", after.clone()).await;
        planned
            .expect_action(Action::Update)
            .expect_warning("name", "are not served for a moment while endpoint api becomes web");
        // Until it is issued the former Secret serves.
        world.controllers.issue(false);
        tf.apply(ENDPOINT, "this", with(&after, json!({ "timeout": "20s" }))).await.expect_error("", "is not issued");
        let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
        world.controllers.issue(true);
        tf.apply(ENDPOINT, "this", after.clone()).await.expect_ok();
        visitor.expect_no_gap(what);
        assert_eq!(of_the_former_name(&world), Vec::<String>::new(), "{what}");
        tf.assert_empty_plan(ENDPOINT, "this", after).await;
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        expect_nothing_left(&world, what);
    }
}

/// A Gateway takes one listener for a host: an endpoint that has one of its own is made anew, and the plan says so.
#[tokio::test(start_paused = true)]
async fn at_a_listener_of_its_own_it_is_another_endpoint() {
    let world = world();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", at_gateway("web")).await.expect_ok();
    let after = renamed(&at_gateway("web"), json!({}));
    let planned = tf.plan(ENDPOINT, "this", after.clone()).await;
    planned.expect_action(Action::Replace).expect_warning("name", "are not served while it is replaced");
    let free = with(&after, json!({ "gateway": { "name": "shared", "namespace": "web", "manage_listener": false } }));
    tf.plan(ENDPOINT, "this", free).await.expect_action(Action::Update);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_is_refused_and_nothing_changes() {
    let world = world();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let other = endpoint(json!({ "name": "web", "hosts": ["b.example.com"] }));
    tf.apply(ENDPOINT, "other", other.clone()).await.expect_ok();
    let after = renamed(&endpoint(json!({})), json!({}));
    let writes = world.api.count("PATCH", "/ingresses/web");
    tf.apply(ENDPOINT, "this", after.clone()).await.expect_error("name", "exists already");
    assert_eq!(world.api.count("PATCH", "/ingresses/web"), writes);
    tf.assert_empty_plan(ENDPOINT, "other", other).await;
    tf.destroy(ENDPOINT, "other").await.expect_ok();

    // What is somebody else's too, in the plan already.
    world
        .api
        .put(json!({ "apiVersion": NETWORKING, "kind": "Ingress", "metadata": { "name": "web", "namespace": "ffe" },
        "spec": { "ingressClassName": "traefik", "rules": [{ "host": "c.example.com" }] } }));
    tf.plan(ENDPOINT, "this", after.clone())
        .await
        .expect_action(Action::Refused)
        .expect_error("name", "exists already");
    world.api.remove(&ffe_cluster::ObjectRef::new(NETWORKING, "Ingress", Some("ffe"), "web"));
    tf.apply(ENDPOINT, "this", after).await.expect_ok();
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    expect_nothing_left(&world, "in the end");
}
