//! DNS records: one for each host, ours alone.

use ffe_cloudflare::standin::Fault;
use ffe_cluster_testing::IDENTITY;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::world::{ADDRESS, ENDPOINT, World, endpoint};

fn with_dns(dns: Json) -> Json {
    endpoint(json!({ "dns": dns }))
}

fn record(name: &str, content: &str) -> (String, String) {
    (name.to_owned(), content.to_owned())
}

#[tokio::test(start_paused = true)]
async fn records_come_and_go_with_the_hosts() {
    let world = World::with_dns();
    let mut tf = world.terraform().await.canary(world.standin.as_ref().unwrap().0.token());
    let made = tf.apply(ENDPOINT, "this", with_dns(json!({}))).await;
    made.expect_ok();
    assert_eq!(world.records(), [record("api.example.com", ADDRESS)]);
    assert!(made.state["dns_records"]["api.example.com"].is_string());

    let mut two = with_dns(json!({ "ttl": 300 }));
    two["hosts"] = json!(["api.example.com", "b.example.com"]);
    tf.apply(ENDPOINT, "this", two).await.expect_ok();
    assert_eq!(world.records(), [record("api.example.com", ADDRESS), record("b.example.com", ADDRESS)]);
    tf.apply(ENDPOINT, "this", with_dns(json!({ "target": "lb.example.net" }))).await.expect_ok();
    assert_eq!(world.records(), [record("api.example.com", "lb.example.net")]);

    // Imported elsewhere, it plans empty.
    let mut other = world.terraform().await;
    let imported = other.import(ENDPOINT, "this", "ffe/api", with_dns(json!({ "target": "lb.example.net" }))).await;
    imported.expect_action(Action::NoOp).expect_ok();
    assert_eq!(other.state(ENDPOINT, "this")["dns_records"], tf.state(ENDPOINT, "this")["dns_records"]);

    // Without dns the record goes.
    tf.apply(ENDPOINT, "this", endpoint(json!({}))).await.expect_ok();
    assert_eq!(world.records(), []);
    tf.apply(ENDPOINT, "this", with_dns(json!({}))).await.expect_ok();
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.records(), []);
}

#[tokio::test(start_paused = true)]
async fn a_record_goes_from_a_zone_that_is_left() {
    let world = World::with_dns();
    let (standin, parent) = world.standin.as_ref().unwrap();
    let child = standin.seed_zone("api.example.com");
    let contents = |zone: &str| standin.records(zone).into_iter().map(|record| record.content).collect::<Vec<_>>();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", with_dns(json!({ "zone": "example.com" }))).await.expect_ok();
    assert_eq!((contents(parent).as_slice(), contents(&child).len()), ([ADDRESS.to_owned()].as_slice(), 0));

    // The former one cannot be removed: the run says so, and the next one knows of both.
    standin.fail_on(
        "DELETE",
        1,
        Fault::Refuse { status: 403, code: 10000, message: "Authentication error".to_owned() },
    );
    let wanted = with_dns(json!({ "zone": "api.example.com" }));
    tf.apply(ENDPOINT, "this", wanted.clone()).await.expect_error("dns", "former DNS record of api.example.com");
    tf.apply(ENDPOINT, "this", wanted).await.expect_ok();
    assert_eq!((contents(parent).len(), contents(&child).as_slice()), (0, [ADDRESS.to_owned()].as_slice()));

    // The same zone without its name.
    tf.apply(ENDPOINT, "this", with_dns(json!({}))).await.expect_ok();
    assert_eq!((contents(parent).len(), contents(&child).as_slice()), (0, [ADDRESS.to_owned()].as_slice()));
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!((contents(parent).len(), contents(&child).len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_gone_does_not_keep_the_endpoint() {
    let world = World::with_dns();
    let (standin, zone) = world.standin.as_ref().unwrap();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", with_dns(json!({ "zone": "example.com" }))).await.expect_ok();
    standin.remove_zone(zone);
    tf.destroy(ENDPOINT, "this").await.expect_ok().expect_warning("dns", "has no zone for example.com");
    assert!(tf.state(ENDPOINT, "this").is_null());
}

#[tokio::test(start_paused = true)]
async fn a_record_outlives_the_name_of_its_endpoint() {
    let world = World::with_dns();
    let (standin, zone) = world.standin.as_ref().unwrap();
    let mut tf = world.terraform().await;
    let mut two = with_dns(json!({}));
    two["hosts"] = json!(["api.example.com", "b.example.com"]);
    tf.apply(ENDPOINT, "this", two).await.expect_ok();
    let id = |host: &str| standin.records(zone).into_iter().find(|one| one.name == host).map(|one| one.id);
    let before = id("api.example.com");
    let mut other = with_dns(json!({}));
    other["name"] = json!("other");
    let planned = tf.plan(ENDPOINT, "this", other.clone()).await;
    planned.expect_action(Action::Update);
    assert!(!planned.diagnostics().to_string().contains("are not served"), "{planned}");
    tf.apply(ENDPOINT, "this", other.clone()).await.expect_ok();
    assert_eq!((id("api.example.com"), id("b.example.com")), (before, None));
    tf.assert_empty_plan(ENDPOINT, "this", other).await;
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.records(), []);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_somebody_else_is_refused_and_taken_over_only_when_told() {
    let world = World::with_dns();
    let (standin, zone) = world.standin.as_ref().unwrap();
    standin.seed_record(zone, "api.example.com", "A", "198.51.100.1", Some("by hand")).unwrap();
    let mut tf = world.terraform().await;
    let fixed = json!({ "target": "192.0.2.9" });
    tf.plan(ENDPOINT, "this", with_dns(fixed.clone()))
        .await
        .expect_action(Action::Refused)
        .expect_error("dns.adopt", "198.51.100.1");
    // Where the address is not known at plan, it is refused at apply.
    tf.apply(ENDPOINT, "this", with_dns(json!({}))).await.expect_error("dns.adopt", "adopt");
    assert_eq!(world.records(), [record("api.example.com", "198.51.100.1")]);

    let adopting = json!({ "target": "192.0.2.9", "adopt": true });
    tf.apply(ENDPOINT, "this", with_dns(adopting)).await.expect_ok();
    assert_eq!(world.records(), [record("api.example.com", "192.0.2.9")]);
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.records().len(), 1, "it was there before");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_was_changed_or_removed_is_drift() {
    let world = World::with_dns();
    let (standin, zone) = world.standin.as_ref().unwrap();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", with_dns(json!({}))).await.expect_ok();
    let client = ffe_cloudflare::Cloudflare::new(standin.token(), Some(&standin.base_url())).unwrap();
    let cancel = ffe_cluster::Cancel::new();
    let found = client.zone_of("api.example.com", None, &cancel).await.unwrap();
    let owner = ffe_cloudflare::Owner::new("ffe", "api").in_cluster(IDENTITY.split('-').next().unwrap());
    client.release(&found, "api.example.com", &owner, &cancel).await.unwrap();
    assert_eq!(standin.records(zone), []);
    let planned = tf.plan(ENDPOINT, "this", with_dns(json!({}))).await;
    planned.expect_action(Action::Update);
    assert_eq!(planned.before["drifted"][0], json!({ "object": "DNS record api.example.com", "field": "(missing)" }));
    tf.apply(ENDPOINT, "this", with_dns(json!({}))).await.expect_ok();
    assert_eq!(world.records(), [record("api.example.com", ADDRESS)]);
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_endpoint_is_taken_by_its_name_alone() {
    let world = World::with_dns();
    let (standin, zone) = world.standin.as_ref().unwrap();
    let comment = "managed by terraform-provider-ffe: ffe/api@99999999";
    standin.seed_record(zone, "api.example.com", "A", "198.51.100.1", Some(comment)).unwrap();
    let mut tf = world.terraform().await;
    let with = |more: Json| {
        let mut dns = json!({ "target": "192.0.2.9" });
        dns.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with_dns(dns)
    };
    for more in [json!({}), json!({ "adopt": true }), json!({ "adopt_from": "ffe/api" })] {
        let refused = tf.apply(ENDPOINT, "this", with(more)).await;
        refused.expect_error("dns.adopt", "dns.adopt_from = \"ffe/api@99999999\"");
    }
    assert_eq!(world.records(), [record("api.example.com", "198.51.100.1")]);
    tf.apply(ENDPOINT, "this", with(json!({ "adopt_from": "ffe/api@99999999" }))).await.expect_ok();
    assert_eq!(world.records(), [record("api.example.com", "192.0.2.9")]);
    // From then on it is ours.
    tf.apply(ENDPOINT, "this", with(json!({}))).await.expect_ok();
}

#[tokio::test(start_paused = true)]
async fn a_create_that_fails_after_its_records_leaves_none_of_them_behind() {
    let world = World::with_dns();
    let mut tf = world.terraform().await;
    let mut config = with_dns(json!({}));
    // Nobody listens there.
    config["verify"] = json!({ "timeout": "5s", "from": "here", "resolve_to": "127.0.0.1" });
    let failed = tf.apply(ENDPOINT, "this", config.clone()).await;
    assert!(failed.diagnostics().has_errors() && failed.tainted, "{failed:?}");
    assert!(failed.diagnostics().to_string().contains("as tainted, because it has DNS records already"), "{failed:?}");
    assert!(failed.state["dns_records"]["api.example.com"].is_string());
    // What is kept knows its cluster: it is not looked for in another one.
    let identity = ffe_cluster::ObjectRef::new("v1", "Namespace", None, "kube-system");
    world.api.edit(&identity, |namespace| namespace["metadata"]["uid"] = json!("another"));
    let mut elsewhere = world.terraform().await;
    elsewhere.set_state(ENDPOINT, "this", 0, tf.state(ENDPOINT, "this"), &tf.private(ENDPOINT, "this"));
    elsewhere.destroy(ENDPOINT, "this").await.expect_error("", IDENTITY);
    assert_eq!(world.records().len(), 1);
    world.api.edit(&identity, |namespace| namespace["metadata"]["uid"] = json!(IDENTITY));
    // Its environment takes the namespace along.
    world.api.remove(&ffe_cluster::ObjectRef::new("v1", "Namespace", None, "ffe"));
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.records(), []);
}

#[tokio::test(start_paused = true)]
async fn a_memory_that_cannot_be_read_is_no_empty_one() {
    let world = World::with_dns();
    let mut tf = world.terraform().await;
    let config = with_dns(json!({}));
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    let ours = |object: &Json| object["kind"] == "ConfigMap" && object["data"]["dns-records"].is_string();
    let record = ffe_cluster::ObjectRef::from_value(&world.api.all().into_iter().find(ours).unwrap()).unwrap();
    let written = world.api.get(&record).unwrap()["data"]["dns-records"].clone();
    world.api.edit(&record, |record| record["data"]["dns-records"] = json!("[[\"api.example.com\""));
    let spoilt = world.api.get(&record).unwrap()["data"].clone();

    let mut changed = config.clone();
    changed["hosts"] = json!(["b.example.com"]);
    tf.apply(ENDPOINT, "this", changed).await.expect_error("", "entry \"dns-records\"");
    tf.destroy(ENDPOINT, "this").await.expect_error("", "entry \"dns-records\"");
    assert_eq!(world.api.get(&record).unwrap()["data"], spoilt, "it is left for who can read it");
    assert_eq!(world.records().len(), 1);

    // As the message says: it is put back.
    world.api.edit(&record, |record| record["data"]["dns-records"] = written);
    tf.apply(ENDPOINT, "this", config).await.expect_ok();
    // Or it is removed, and what it named is left; here the state knows of it too.
    world.api.edit(&record, |record| drop(record["data"].as_object_mut().unwrap().remove("dns-records")));
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert!(world.api.get(&record).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_record_that_somebody_edited_is_found_by_a_destroy() {
    let world = World::with_dns();
    let (standin, zone) = world.standin.as_ref().unwrap();
    let mut tf = world.terraform().await;
    let made = tf.apply(ENDPOINT, "this", with_dns(json!({}))).await;
    made.expect_ok();
    let id = standin.records(zone)[0].id.clone();
    let client = ffe_cloudflare::Cloudflare::new(standin.token(), Some(&standin.base_url())).unwrap();
    let cancel = ffe_cluster::Cancel::new();
    let found = client.zone_of("api.example.com", None, &cancel).await.unwrap();
    let owner = ffe_cloudflare::Owner::new("ffe", "api").in_cluster(IDENTITY.split('-').next().unwrap());
    let edited = ffe_cloudflare::Wish::new("api.example.com", "198.51.100.1", false, Some(1)).unwrap();
    client.ensure(&found, &edited, &owner, &ffe_cloudflare::Adopt::default(), &cancel).await.unwrap();
    let read = tf.refresh(ENDPOINT, "this").await;
    assert_eq!(read.after["dns_records"]["api.example.com"], json!(id), "{read:?}");
    assert_eq!(read.after["drifted"][0]["field"], "content");
    world.api.remove(&ffe_cluster::ObjectRef::new("v1", "Namespace", None, "ffe"));
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.records(), []);
}

#[tokio::test(start_paused = true)]
async fn trouble_at_the_provider_of_dns_is_borne_with_or_named() {
    let world = World::with_dns();
    let (standin, zone) = world.standin.as_ref().unwrap();
    let mut tf = world.terraform().await;
    standin.fail(2, Fault::Status(502));
    tf.apply(ENDPOINT, "this", with_dns(json!({}))).await.expect_ok();

    // A refresh that cannot ask keeps what it knows, and says so.
    let before = tf.state(ENDPOINT, "this");
    let refuse = Fault::Refuse { status: 403, code: 10000, message: "Authentication error".to_owned() };
    standin.fail(1, refuse.clone());
    let read = tf.refresh(ENDPOINT, "this").await;
    read.expect_ok().expect_warning("dns", "10000");
    assert_eq!(read.after["dns_records"], before["dns_records"]);

    // A zone that the token does not see.
    let mut other = endpoint(json!({ "name": "other", "secret_name": "other", "dns": {} }));
    other["hosts"] = json!(["api.example.org"]);
    tf.apply(ENDPOINT, "other", other).await.expect_error("dns", "example.org");
    standin.read_only(zone);
    tf.destroy(ENDPOINT, "this").await.expect_error("dns", "");
    assert!(!tf.state(ENDPOINT, "this").is_null(), "what could not be removed stays in the state");
}

#[tokio::test(start_paused = true)]
async fn without_a_token_it_is_said_what_is_missing() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let planned = tf.plan(ENDPOINT, "this", with_dns(json!({ "target": "192.0.2.9" }))).await;
    planned.expect_action(Action::Refused).expect_error("dns", "CLOUDFLARE_API_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_whose_namespace_was_emptied_stays_in_the_state_until_its_records_are_gone() {
    let world = World::with_dns();
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", with_dns(json!({}))).await.expect_ok();
    for (api, kind, name) in [
        ("v1", "ConfigMap", "ffe-tls-endpoint.api"),
        ("networking.k8s.io/v1", "Ingress", "api"),
        ("cert-manager.io/v1", "Certificate", "api-tls"),
    ] {
        world.api.remove(&ffe_cluster::ObjectRef::new(api, kind, Some("ffe"), name));
    }
    assert!(!tf.refresh(ENDPOINT, "this").await.gone, "its record is there");
    tf.destroy(ENDPOINT, "this").await.expect_ok();
    assert_eq!(world.records(), []);
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_nobody_asks_and_an_edge_without_a_certificate_are_told_in_the_plan() {
    let world = World::with_dns();
    let (standin, parent) = world.standin.as_ref().unwrap();
    let mut tf = world.terraform().await;
    let deep = |proxied: bool| {
        let mut config = with_dns(json!({ "proxied": proxied }));
        config["hosts"] = json!(["example.com", "api.example.com", "api.ffe.example.com", "*.ffe.example.com"]);
        config["issuer"] = json!({ "name": "internal" });
        config
    };
    let planned = tf.plan(ENDPOINT, "this", deep(true)).await;
    planned.expect_ok().expect_warning("dns.proxied", "api.ffe.example.com, *.ffe.example.com");
    tf.plan(ENDPOINT, "this", deep(false)).await.expect_silence();

    standin.remove_zone(parent);
    standin.seed_zone_with_status("example.com", "pending");
    let mut tf = world.terraform().await;
    let planned = tf.plan(ENDPOINT, "this", deep(false)).await;
    planned.expect_ok().expect_warning("dns.zone", "The zone example.com is not active at Cloudflare (it is pending)");
}

#[tokio::test(start_paused = true)]
async fn zones_are_asked_for_once_however_many_hosts_there_are() {
    let world = World::with_dns();
    let (standin, _) = world.standin.as_ref().unwrap();
    let zones = || standin.received().iter().filter(|one| one.path.contains("/zones?")).count();
    let mut tf = world.terraform().await;
    let mut config = with_dns(json!({}));
    config["hosts"] = json!((0..8).map(|index| format!("h{index}.ffe.example.com")).collect::<Vec<_>>());
    tf.apply(ENDPOINT, "this", config.clone()).await.expect_ok();
    assert_eq!(zones(), 1, "plan and apply of one provider");
    let mut other = world.terraform().await;
    other.import(ENDPOINT, "this", "ffe/api", config).await.expect_action(Action::NoOp).expect_ok();
    assert_eq!(zones(), 2, "another run asks once more");
}
