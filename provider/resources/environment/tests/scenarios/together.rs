//! Two states at one environment at once: at each write of the one, the other comes.

use ffe_cluster::k8s_openapi::api::coordination::v1::Lease;
use ffe_cluster::k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use futures::future::join_all;
use serde_json::{Value as Json, json};
use tfplugin_testing::Told;

use crate::world::{ENVIRONMENT, World};

fn config(world: &World, level: &str) -> Json {
    world.environment(json!({ "preset": "dev", "config": { "LEVEL": level }, "database": {} }))
}

async fn level(world: &World) -> String {
    let name = world.namespace();
    let live: ConfigMap = world.cluster.get(Some(&name), &format!("{name}-config")).await.unwrap();
    live.data.unwrap().remove("LEVEL").unwrap()
}

/// How many writes a create has.
async fn writes_of_a_create() -> u64 {
    let world = World::fake("count").await;
    world.terraform().await.apply(ENVIRONMENT, "this", config(&world, "one")).await.expect_ok();
    world.fake.as_ref().unwrap().steps()
}

pub(crate) async fn of_two_creates_one_wins_at_whichever_write_the_other_comes() {
    let writes = writes_of_a_create().await;
    assert!(writes > 15, "{writes}");
    join_all((1..=writes).map(|number| async move {
        let world = World::fake("create").await;
        let gate = world.fake.as_ref().unwrap().hold(number);
        let (mut first, mut second) = (world.terraform().await, world.terraform_elsewhere().await);
        let comes = async {
            let open = gate.reached().await;
            let two = second.apply(ENVIRONMENT, "this", config(&world, "two")).await;
            // Who waits too long for its answer is gone by now.
            let _ = open.send(());
            two
        };
        let (one, two) = tokio::join!(first.apply(ENVIRONMENT, "this", config(&world, "one")), comes);
        let failed = [&one, &two].map(|applied| applied.diagnostics().has_errors());
        assert!(failed[0] != failed[1], "write {number}: {one:?}\n{two:?}");
        let (winner, loser, refused) = if failed[0] { (&mut second, "one", &one) } else { (&mut first, "two", &two) };
        assert_eq!(refused.state, Json::Null, "write {number}");
        assert_ne!(level(&world).await, loser, "write {number}");
        let told = refused.diagnostics().to_string();
        if told.contains("Somebody else is at work on the environment") {
            for part in ["on host", "terraform apply of ffe_environment", "Nothing was changed"] {
                assert!(told.contains(part), "write {number}: {told}");
            }
        } else {
            assert!(told.contains("in another state"), "write {number}: {told}");
        }
        assert!(!told.contains("kubectl delete"), "write {number}: the winner would be removed: {told}");
        let level = if failed[0] { "two" } else { "one" };
        winner.assert_empty_plan(ENVIRONMENT, "this", config(&world, level)).await;
        winner.destroy(ENVIRONMENT, "this").await.expect_ok();
    }))
    .await;
}

pub(crate) async fn a_create_that_died_is_gone_on_with_at_whichever_write_it_died() {
    let writes = writes_of_a_create().await;
    join_all((1..=writes).map(|number| async move {
        let world = World::fake("dead").await;
        let gate = world.fake.as_ref().unwrap().hold(number);
        let mut first = world.terraform().await;
        let dies = async {
            tokio::select! {
                _ = first.apply(ENVIRONMENT, "this", config(&world, "one")) => unreachable!("write {number}"),
                closed = gate.reached() => closed,
            }
        };
        // As long as this is there, nothing comes of the write.
        let _closed = dies.await;
        let mut second = world.terraform_elsewhere().await;
        second.apply(ENVIRONMENT, "this", config(&world, "two")).await.expect_ok();
        assert_eq!(level(&world).await, "two", "write {number}");
        second.assert_empty_plan(ENVIRONMENT, "this", config(&world, "two")).await;
    }))
    .await;
}

pub(crate) async fn updates_and_destroys_wait_for_nobody_and_change_nothing_beside_another_run() {
    join_all((1..=4).map(|number| async move {
        let world = World::fake("update").await;
        let (mut first, mut second) = (world.terraform().await, world.terraform_elsewhere().await);
        let id = format!("{}/{}", world.namespace(), world.name);
        first.apply(ENVIRONMENT, "this", config(&world, "one")).await.expect_ok();
        second.import(ENVIRONMENT, "this", &id, config(&world, "two")).await.expect_ok();
        let fake = world.fake.as_ref().unwrap();
        // The first of them takes the lease.
        let gate = fake.hold(fake.steps() + number);
        let comes = async {
            let open = gate.reached().await;
            let at_work = "Somebody else is at work on the environment";
            second.apply(ENVIRONMENT, "this", config(&world, "two")).await.expect_error("namespace", at_work);
            second.destroy(ENVIRONMENT, "this").await.expect_error("namespace", at_work);
            let _ = open.send(());
        };
        let (one, ()) = tokio::join!(first.apply(ENVIRONMENT, "this", config(&world, "three")), comes);
        one.expect_ok();
        assert_eq!(level(&world).await, "three");
        // Who comes later is let in.
        second.apply(ENVIRONMENT, "this", config(&world, "two")).await.expect_ok();
        second.destroy(ENVIRONMENT, "this").await.expect_ok();
    }))
    .await;
}

pub(crate) async fn a_create_beside_a_destroy_waits_for_the_namespace_or_is_refused() {
    let world = World::fake("destroy").await;
    let (mut first, mut second) = (world.terraform().await, world.terraform_elsewhere().await);
    first.apply(ENVIRONMENT, "this", config(&world, "one")).await.expect_ok();
    let fake = world.fake.as_ref().unwrap();
    // The lease is taken over by a replacement; the next write deletes the namespace.
    let gate = fake.hold(fake.steps() + 1);
    let comes = async {
        let open = gate.reached().await;
        let two = second.apply(ENVIRONMENT, "this", config(&world, "two")).await;
        let _ = open.send(());
        two
    };
    let (one, two) = tokio::join!(first.destroy(ENVIRONMENT, "this"), comes);
    one.expect_ok();
    two.expect_error("namespace", "in another state");
    second.apply(ENVIRONMENT, "this", config(&world, "two")).await.expect_ok();
    assert_eq!(level(&world).await, "two");
}

pub(crate) async fn a_lease_is_left_where_it_guards_something_and_nowhere_else() {
    let world = World::fake("lease").await;
    let (name, lease) = (world.namespace(), format!("ffe-environment.{}", world.name));
    let there = || world.cluster.find::<Lease>(Some(&name), &lease);
    let theirs: Namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
    world.cluster.create(&theirs).await.unwrap();
    let mut tf = world.terraform().await;
    tf.apply(ENVIRONMENT, "this", config(&world, "one")).await.expect_error("namespace", "exists already");
    assert!(there().await.unwrap().is_none());
    let mut adopting = config(&world, "one");
    adopting["adopt"] = json!(true);
    tf.apply(ENVIRONMENT, "this", adopting).await.expect_ok();
    let released = there().await.unwrap().unwrap().spec.unwrap();
    assert!(released.holder_identity.unwrap_or_default().is_empty());
    tf.destroy(ENVIRONMENT, "this").await.expect_ok();
    assert!(world.cluster.find::<Namespace>(None, &name).await.unwrap().is_some());
    assert!(there().await.unwrap().is_none());
}
