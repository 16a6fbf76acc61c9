//! Endpoints that are changed while somebody asks for them: there is always somebody who serves, with a certificate for the
//! host, also when the change ends half-way, and again.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::verified;
use crate::visitor::Visitor;
use crate::world::{ADDRESS, ENDPOINT, NAMESPACE, OTHER_ADDRESS, World, acme, endpoint};

const API: &str = "cert-manager.io/v1";
const NETWORKING: &str = "networking.k8s.io/v1";
const GATEWAY: &str = "gateway.networking.k8s.io/v1";
const HOST: &str = "api.example.com";

/// Gateways of somebody else's, each with a listener for HTTP.
pub(crate) fn gateways(world: &World) {
    world.api.put(json!({ "apiVersion": GATEWAY, "kind": "GatewayClass", "metadata": { "name": "traefik" },
        "spec": { "controllerName": "traefik.io/gateway-controller" } }));
    for namespace in ["web", "edge"] {
        world.api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }));
        world.api.put(
            json!({ "apiVersion": GATEWAY, "kind": "Gateway", "metadata": { "name": "shared", "namespace": namespace },
            "spec": { "gatewayClassName": "traefik", "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP",
                "allowedRoutes": { "namespaces": { "from": "All" } } }] } }),
        );
    }
}

pub(crate) fn with(base: &Json, more: Json) -> Json {
    let mut config = base.clone();
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

pub(crate) fn at_gateway(namespace: &str) -> Json {
    let gateway = json!({ "name": "shared", "namespace": namespace, "manage_listener": true });
    endpoint(json!({ "ingress_class": null, "gateway": gateway }))
}

/// Nothing of the endpoint's is left but Secrets.
pub(crate) fn expect_nothing_left(world: &World, what: &str) {
    for kind in
        ["Ingress", "Middleware", "HTTPRoute", "ReferenceGrant", "Certificate", "PrometheusRule", "ConfigMap", "Lease"]
    {
        assert_eq!(world.names(kind), Vec::<String>::new(), "{what}: {kind}");
    }
    assert_eq!(world.names("Issuer"), ["another", "internal"], "{what}");
}

/// From what to what, and whether a certificate has to be issued for it.
fn changes() -> Vec<(&'static str, Json, Json, bool)> {
    let base = endpoint(json!({}));
    let two = endpoint(json!({ "hosts": [HOST, "b.example.com"] }));
    let plain = json!({ "ssl_redirect": false, "hsts_max_age": 0, "frame_options": "", "content_security_policy": "",
        "content_type_nosniff": false });
    let to = |more: Json| with(&base, more);
    vec![
        ("no security", base.clone(), to(json!({ "security": plain })), false),
        ("more security", to(json!({ "security": plain })), base.clone(), false),
        ("a limit", base.clone(), to(json!({ "security": { "requests_per_minute": 60 } })), false),
        (
            "backend and path",
            base.clone(),
            to(json!({ "backend": { "service": "backend", "port": "http" }, "path": "/v1" })),
            false,
        ),
        ("a host more", base.clone(), two.clone(), true),
        ("a host less", two, base.clone(), true),
        ("issuer", base.clone(), to(json!({ "issuer": { "name": "another" } })), true),
        ("issuer of its own", base.clone(), to(json!({ "issuer": { "self_signed": {} } })), true),
        ("back to another's issuer", to(json!({ "issuer": { "self_signed": {} } })), base.clone(), true),
        ("secret_name", base.clone(), to(json!({ "secret_name": "other" })), true),
        (
            "secret_name and no Secret kept",
            to(json!({ "keep_secret": false })),
            to(json!({ "secret_name": "other", "keep_secret": false })),
            true,
        ),
        ("key", base.clone(), to(json!({ "certificate": { "private_key": { "algorithm": "ECDSA" } } })), false),
        ("class", base.clone(), to(json!({ "ingress_class": "traefik-nginx" })), false),
        ("class back", to(json!({ "ingress_class": "traefik-nginx" })), base.clone(), false),
        ("class from ingress-nginx", to(json!({ "ingress_class": "nginx" })), base.clone(), false),
        ("class and secret_name", to(json!({ "ingress_class": "nginx" })), to(json!({ "secret_name": "other" })), true),
        ("to a Gateway", base.clone(), at_gateway("web"), false),
        (
            "to a Gateway with secret_name",
            base.clone(),
            with(&at_gateway("web"), json!({ "secret_name": "other" })),
            true,
        ),
        (
            "secret_name at a Gateway",
            at_gateway("web"),
            with(&at_gateway("web"), json!({ "secret_name": "other" })),
            true,
        ),
        ("to another Gateway", at_gateway("web"), at_gateway("edge"), false),
        ("from a Gateway", at_gateway("web"), base.clone(), false),
    ]
}

pub(crate) fn world() -> World {
    let world = World::new();
    gateways(&world);
    world.issuer("another", json!({ "selfSigned": {} }));
    world
}

#[tokio::test(start_paused = true)]
async fn each_change_is_made_while_somebody_asks() {
    for (what, before, after, _) in changes() {
        let world = world();
        world.terraform().await.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
        let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
        let mut tf = world.watched(&visitor).await;
        tf.import(ENDPOINT, "this", "ffe/api", before).await.expect_action(Action::NoOp).expect_ok();
        tf.apply(ENDPOINT, "this", after.clone()).await.expect_ok();
        visitor.expect_no_gap(what);
        assert!(visitor.looks() > 10, "{what}");
        assert!(!world.names("Ingress").iter().any(|name| name.contains("interim")), "{what}");
        tf.assert_empty_plan(ENDPOINT, "this", after).await;
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        expect_nothing_left(&world, what);
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_is_never_issued_takes_nothing_down() {
    let ways = ["goes on", "goes back", "goes away"];
    for (index, (what, before, after, _)) in changes().into_iter().filter(|(.., issued)| *issued).enumerate() {
        // All three where most can go wrong.
        let all = ["secret_name", "class and secret_name"].contains(&what);
        for (_, ends) in ways.into_iter().enumerate().filter(|(nth, _)| all || index % ways.len() == *nth) {
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
                let drifted = tf.state(ENDPOINT, "this")["drifted"].to_string();
                assert!(drifted.contains("(not done: issued)"), "{what}: {drifted}");
            }
            match ends {
                "goes on" => {
                    world.controllers.issue(true);
                    tf.apply(ENDPOINT, "this", after.clone()).await.expect_ok();
                    visitor.expect_no_gap(what);
                }
                "goes back" => {
                    world.controllers.issue(true);
                    tf.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
                    visitor.expect_no_gap(what);
                }
                _ => {}
            }
            tf.destroy(ENDPOINT, "this").await.expect_ok();
            expect_nothing_left(&world, &format!("{what}, {ends}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_that_are_exchanged_serve_until_the_others_have_their_certificate() {
    let world = world();
    world.terraform().await.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
    let mut tf = world.watched(&visitor).await;
    tf.import(ENDPOINT, "this", "ffe/api", endpoint(json!({}))).await.expect_ok();
    world.controllers.issue(false);
    let others = endpoint(json!({ "hosts": ["b.example.com"], "timeout": "20s" }));
    tf.apply(ENDPOINT, "this", others.clone()).await.expect_error("", "is not issued");
    visitor.expect_no_gap("the old host");
    world.controllers.issue(true);
    tf.apply(ENDPOINT, "this", others).await.expect_ok();
    let rules = world.get(NETWORKING, "Ingress", "api").unwrap()["spec"]["rules"].clone();
    assert_eq!((rules.as_array().unwrap().len(), &rules[0]["host"]), (1, &json!("b.example.com")));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_refuses_the_listener_takes_nothing_down() {
    // In the trial, which changes nothing, and where only the listener itself is refused.
    for (tried, writes) in [(true, false), (false, true)] {
        for (what, before) in [("Ingress", endpoint(json!({}))), ("Gateway", at_gateway("edge"))] {
            let world = world();
            world.terraform().await.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
            let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
            let mut tf = world.watched(&visitor).await;
            tf.import(ENDPOINT, "this", "ffe/api", before.clone()).await.expect_ok();
            for _ in 0..2 {
                if !tried {
                    world.api.answer(
                        "PATCH",
                        "/namespaces/web/gateways/shared",
                        Some(1),
                        200,
                        &world.api.get(&ObjectRef::new(GATEWAY, "Gateway", Some("web"), "shared")).unwrap().to_string(),
                    );
                }
                world.api.fail("PATCH", "/namespaces/web/gateways/shared", None, 403, "Forbidden", "no");
                tf.apply(ENDPOINT, "this", at_gateway("web")).await.expect_error("gateway", "shared");
                world.api.heal();
                visitor.expect_no_gap(what);
            }
            assert_eq!(tf.state(ENDPOINT, "this")["drifted"].to_string().contains("not done"), writes, "{what}");
            assert_eq!(tf.state(ENDPOINT, "this")["ingress_class"], before["ingress_class"], "{what}");
            tf.apply(ENDPOINT, "this", at_gateway("web")).await.expect_ok();
            visitor.expect_no_gap(what);
            tf.destroy(ENDPOINT, "this").await.expect_ok();
            expect_nothing_left(&world, what);
        }
    }
}

/// What Terraform does not know of: a listener at a Gateway that no state names is found by the record.
#[tokio::test(start_paused = true)]
async fn a_destroy_after_a_move_that_failed_leaves_the_new_gateway_too() {
    let world = world();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    world.controllers.issue(false);
    let moved = with(&at_gateway("web"), json!({ "secret_name": "other", "timeout": "20s" }));
    tf.apply(ENDPOINT, "this", moved).await.expect_error("", "is not issued");
    let record = world.get("v1", "ConfigMap", "ffe-tls-endpoint.api").unwrap();
    assert_eq!(record["data"]["gateways"], "[[\"web\",\"shared\"]]");
    let before = world.api.count("GET", "/namespaces/web/gateways/shared");
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert!(world.api.count("GET", "/namespaces/web/gateways/shared") > before, "its listeners are looked for");
    expect_nothing_left(&world, "moved half-way");
}

#[tokio::test(start_paused = true)]
async fn a_class_that_takes_over_shows_where_the_change_is() {
    let world = World::with_dns();
    world.issuer("another", json!({ "selfSigned": {} }));
    let before = endpoint(json!({ "ingress_class": "nginx", "dns": { "ttl": 120 } }));
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", before).await.expect_ok();
    assert_eq!(world.records(), [(HOST.to_owned(), OTHER_ADDRESS.to_owned())]);
    let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
    let began = tokio::time::Instant::now();
    let after = endpoint(json!({ "dns": { "ttl": 120 } }));
    let done = tf.apply(ENDPOINT, "this", after).await;
    done.expect_ok();
    visitor.expect_no_gap("class with another address");
    assert_eq!(
        (&done.state["address"], world.records()),
        (&json!(ADDRESS), vec![(HOST.to_owned(), ADDRESS.to_owned())])
    );
    assert!(began.elapsed().as_secs() >= 120, "the former class serves as long as resolvers lead to it");
}

fn classes(world: &World) -> Vec<String> {
    let all = world.api.all().into_iter().filter(|object| object["kind"] == "Ingress");
    all.map(|ingress| ingress["spec"]["ingressClassName"].as_str().unwrap_or_default().to_owned()).collect()
}

/// To one Traefik the routes of both of its classes are equals: here the one that was there first answers.
async fn one_traefik(world: &World) -> std::net::SocketAddr {
    verified::serve_by(world.api.clone(), |api| {
        let mut ingresses = api.all().into_iter().filter(|object| object["kind"] == "Ingress");
        let former = ingresses.any(|ingress| ingress["spec"]["ingressClassName"] != "traefik");
        if former { "" } else { verified::HEADERS }
    })
    .await
}

fn looked_at(at: std::net::SocketAddr, more: Json) -> Json {
    let verify = json!({ "resolve_to": at.to_string(), "redirect": false, "timeout": "20s" });
    with(&endpoint(json!({ "verify": verify })), more)
}

#[tokio::test(start_paused = true)]
async fn one_controller_of_both_classes_shows_the_new_one_when_it_has_taken_over() {
    // As it is found: by its class, by the annotation of old, by the cluster's default class, and where it is not said where
    // it is reached, or what is said was written by a controller that is gone.
    type Edit = fn(&mut Json);
    let found: [(&str, Edit); 5] = [
        ("class", |_| ()),
        ("annotation", |ingress| {
            ingress["spec"].as_object_mut().unwrap().remove("ingressClassName");
            ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"] = json!("traefik-nginx");
        }),
        ("no address", |ingress| ingress["status"] = json!({})),
        ("another address", |ingress| {
            ingress["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": OTHER_ADDRESS }] } });
            ingress["metadata"]["managedFields"] =
                json!([{ "manager": "nginx-ingress-controller", "subresource": "status" }]);
        }),
        ("default class", |ingress| {
            ingress["spec"].as_object_mut().unwrap().remove("ingressClassName");
        }),
    ];
    for (what, as_found) in found {
        let world = World::with_dns();
        let at = one_traefik(&world).await;
        if what == "default class" {
            let class = ObjectRef::new(NETWORKING, "IngressClass", None, "traefik-nginx");
            world.api.edit(&class, |class| {
                class["metadata"]["annotations"] = json!({ "ingressclass.kubernetes.io/is-default-class": "true" });
            });
        }
        let before = looked_at(at, json!({ "ingress_class": "traefik-nginx" }));
        world.terraform().await.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
        world.controllers.give_addresses(!what.ends_with("address"));
        world.api.edit(&ObjectRef::new(NETWORKING, "Ingress", Some(NAMESPACE), "api"), as_found);
        let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
        let mut tf = world.watched(&visitor).await;
        tf.import(ENDPOINT, "this", "ffe/api", before.clone()).await.expect_ok();

        let after = looked_at(at, json!({}));
        let planned = tf.plan(ENDPOINT, "this", after.clone()).await;
        assert!(!planned.diagnostics().to_string().contains("for a moment"), "{what}: {planned}");
        tf.apply(ENDPOINT, "this", after.clone()).await.expect_ok();
        visitor.expect_no_gap(what);
        assert_eq!(classes(&world), ["traefik"; 2], "{what}: the interim one is gone");
        tf.assert_empty_plan(ENDPOINT, "this", after).await;
        tf.apply(ENDPOINT, "this", before).await.expect_ok();
        visitor.expect_no_gap(&format!("{what}, and back"));
        tf.destroy(ENDPOINT, "this").await.expect_ok();
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_over_at_one_controller_and_is_not_as_expected_goes_on_or_back() {
    for ends in ["goes on", "goes back", "goes away"] {
        let world = World::with_dns();
        let at = one_traefik(&world).await;
        let before = looked_at(at, json!({ "ingress_class": "traefik-nginx" }));
        world.terraform().await.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
        let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
        let mut tf = world.watched(&visitor).await;
        tf.import(ENDPOINT, "this", "ffe/api", before.clone()).await.expect_ok();
        let mut wrong = looked_at(at, json!({}));
        wrong["verify"]["status"] = json!(418);
        for _ in 0..2 {
            tf.apply(ENDPOINT, "this", wrong.clone()).await.expect_error("verify.path", "418");
            visitor.expect_no_gap(ends);
            let state = tf.state(ENDPOINT, "this");
            assert_eq!(state["ingress_class"], "traefik", "{ends}: it has taken over");
            assert!(state["drifted"].to_string().contains("(not done: verify)"), "{ends}: {state}");
        }
        match ends {
            "goes on" => {
                tf.apply(ENDPOINT, "this", looked_at(at, json!({}))).await.expect_ok();
                assert_eq!(classes(&world), ["traefik"; 2]);
            }
            "goes back" => {
                tf.apply(ENDPOINT, "this", before).await.expect_ok();
                assert_eq!(classes(&world), ["traefik-nginx"]);
            }
            _ => {}
        }
        visitor.expect_no_gap(ends);
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        assert_eq!((world.names("Ingress"), world.names("Middleware")), (vec![], vec![]), "{ends}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_of_its_own_takes_nothing_over_before_it_was_seen_to_serve() {
    let world = World::with_dns();
    let at = one_traefik(&world).await;
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", looked_at(at, json!({ "ingress_class": "nginx" }))).await.expect_ok();
    let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
    // What is reached there is the former controller.
    tf.apply(ENDPOINT, "this", looked_at(at, json!({}))).await.expect_error("security", "header");
    visitor.expect_no_gap("another controller");
    assert_eq!(tf.state(ENDPOINT, "this")["ingress_class"], "nginx");
    let own = world.get(NETWORKING, "Ingress", "api").unwrap();
    assert_eq!(own["spec"]["ingressClassName"], "nginx");
}

#[tokio::test(start_paused = true)]
async fn a_class_that_cannot_serve_beside_is_a_warning() {
    let world = world();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let planned = tf.plan(ENDPOINT, "this", endpoint(json!({ "ingress_class": "nginx" }))).await;
    planned.expect_warning("ingress_class", "are not served for a moment");
    let planned = tf.plan(ENDPOINT, "this", endpoint(json!({ "ingress_class": "traefik-nginx" }))).await;
    assert!(!planned.diagnostics().to_string().contains("for a moment"), "{planned}");
    let planned = tf.plan(ENDPOINT, "this", endpoint(json!({ "name": "api" }))).await;
    planned.expect_action(Action::NoOp);
}

#[tokio::test(start_paused = true)]
async fn records_lead_here_when_the_certificate_is_there_unless_it_needs_them() {
    for (issuer, first) in [
        (json!({ "name": "internal" }), false),
        (json!({ "self_signed": {} }), false),
        (acme(json!({ "dns01_cloudflare": { "api_token_wo": "t0ken" } })), false),
        (acme(json!({ "http01": {} })), true),
        (json!({ "name": "by-http" }), true),
    ] {
        let world = World::with_dns();
        world.issuer("by-http", json!({ "acme": { "solvers": [{ "http01": { "ingress": {} } }] } }));
        let (standin, zone) = world.standin.as_ref().unwrap();
        standin.seed_record(zone, HOST, "A", "198.51.100.1", Some("by hand")).unwrap();
        let mut tf = world.terraform().await;
        world.controllers.issue(false);
        let config = |more: Json| {
            with(&endpoint(json!({ "issuer": issuer, "dns": { "adopt": true, "target": "192.0.2.9" } })), more)
        };
        let planned = tf.plan(ENDPOINT, "this", config(json!({}))).await;
        assert_eq!(planned.diagnostics().to_string().contains("before its certificate is there"), first, "{issuer}");
        tf.apply(ENDPOINT, "this", config(json!({ "timeout": "20s" }))).await.expect_error("", "is not issued");
        let content = if first { "192.0.2.9" } else { "198.51.100.1" };
        assert_eq!(world.records(), [(HOST.to_owned(), content.to_owned())], "{issuer}");
        world.controllers.issue(true);
        tf.apply(ENDPOINT, "this", config(json!({}))).await.expect_ok();
        assert_eq!(world.records(), [(HOST.to_owned(), "192.0.2.9".to_owned())], "{issuer}");
    }
}

#[tokio::test(start_paused = true)]
async fn records_of_hosts_that_go_stay_until_the_end() {
    let world = World::with_dns();
    let two = |more: Json| with(&endpoint(json!({ "hosts": [HOST, "b.example.com"], "dns": {} })), more);
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", two(json!({}))).await.expect_ok();
    world.controllers.issue(false);
    let one = |more: Json| with(&endpoint(json!({ "dns": {} })), more);
    tf.apply(ENDPOINT, "this", one(json!({ "timeout": "20s" }))).await.expect_error("", "is not issued");
    assert_eq!(world.records().len(), 2);
    world.controllers.issue(true);
    tf.apply(ENDPOINT, "this", one(json!({}))).await.expect_ok();
    assert_eq!(world.records(), [(HOST.to_owned(), ADDRESS.to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_takes_over_what_is_there() {
    let world = World::with_dns();
    let config = endpoint(json!({ "dns": {} }));
    world.terraform().await.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
    let mut tf = world.watched(&visitor).await;
    tf.import(ENDPOINT, "this", "ffe/api", config.clone()).await.expect_ok();
    let uid = |kind: &str, api: &str, name: &str| world.get(api, kind, name).unwrap()["metadata"]["uid"].clone();
    let (ingress, records) = (uid("Ingress", NETWORKING, "api"), world.records());

    // It fails, and fails again: the endpoint serves, and is in the state, to be replaced or destroyed.
    tf.taint(ENDPOINT, "this");
    world.controllers.issue(false);
    let hopeless = with(&config, json!({ "issuer": { "self_signed": {} }, "timeout": "20s" }));
    for _ in 0..2 {
        let failed = tf.apply(ENDPOINT, "this", hopeless.clone()).await;
        failed.expect_error("", "is not issued");
        assert!(failed.tainted && !failed.state.is_null(), "what is there is in the state");
        visitor.expect_no_gap("replaced half-way");
        assert_eq!(world.records(), records);
    }
    world.controllers.issue(true);
    let done = tf.apply(ENDPOINT, "this", config.clone()).await;
    done.expect_ok();
    assert!(!done.tainted);
    visitor.expect_no_gap("replaced");
    assert_eq!((uid("Ingress", NETWORKING, "api"), world.records()), (ingress, records));
    tf.assert_empty_plan(ENDPOINT, "this", config.clone()).await;

    // Tainted and destroyed, nothing is left.
    tf.taint(ENDPOINT, "this");
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!((world.records(), world.names("Ingress"), world.names("ConfigMap")), (vec![], vec![], vec![]));
}

/// What the plan of a replacement advises where every request counts.
#[tokio::test(start_paused = true)]
async fn a_second_endpoint_takes_the_place_of_the_first() {
    let world = world();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "first", endpoint(json!({}))).await.expect_ok();
    let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
    let mut tf_watched = world.watched(&visitor).await;
    let second = endpoint(json!({ "name": "other", "adopt": true }));
    tf_watched.apply(ENDPOINT, "second", second.clone()).await.expect_ok();
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    tf.destroy(ENDPOINT, "first").await.expect_ok();
    visitor.expect_no_gap("one after the other");
    tf_watched.assert_empty_plan(ENDPOINT, "second", second).await;
    assert_eq!(world.names("Certificate"), ["other-tls"]);
}

#[tokio::test(start_paused = true)]
async fn a_death_at_any_write_of_a_change_takes_nothing_down() {
    for (what, before, after, _) in changes() {
        if !["class", "class and secret_name", "to another Gateway"].contains(&what) {
            continue;
        }
        for writes in 0.. {
            let world = world();
            let mut tf = world.terraform().await;
            tf.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
            let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
            let death = crate::world::Death::after(writes);
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
            tf.apply(ENDPOINT, "this", after.clone()).await.expect_ok();
            visitor.expect_no_gap(&format!("{what}, finished after {writes} writes"));
            tf.destroy(ENDPOINT, "this").await.expect_ok();
            expect_nothing_left(&world, what);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_visitor_sees_what_is_not_served() {
    let world = world();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    let (visitor, _asking) = Visitor::of(&world.api, HOST).await;
    let ingress = ObjectRef::new(NETWORKING, "Ingress", Some(NAMESPACE), "api");
    let secret = world.get(NETWORKING, "Ingress", "api").unwrap()["spec"]["tls"][0]["secretName"].clone();
    for (field, broken) in
        [("/spec/tls/0/secretName", "none"), ("/spec/ingressClassName", "nginx"), ("/spec/rules/0/host", "x.example")]
    {
        let before = visitor.gaps();
        let was = world.api.get(&ingress).unwrap().pointer(field).unwrap().clone();
        world.api.edit(&ingress, |ingress| *ingress.pointer_mut(field).unwrap() = json!(broken));
        visitor.look(field);
        assert_eq!(visitor.gaps(), before + 1, "{field}");
        world.api.edit(&ingress, |ingress| *ingress.pointer_mut(field).unwrap() = was);
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }
    world.api.remove(&ObjectRef::new("v1", "Secret", Some(NAMESPACE), secret.as_str().unwrap()));
    let before = visitor.gaps();
    visitor.look("the Secret is gone");
    assert_eq!(visitor.gaps(), before + 1);
    assert!(world.get(API, "Certificate", "api-tls").is_some());
}
