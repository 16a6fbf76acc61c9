//! Whatever is written last before a provider dies: the next apply finishes it, and nothing is there twice.

use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Told};

use crate::world::{ADDRESS, Death, ENDPOINT, World, acme, endpoint};

fn config() -> Json {
    let solver = json!({ "dns01_cloudflare": { "api_token_wo": "t0ken-canary" } });
    endpoint(json!({ "issuer": acme(solver), "dns": {}, "hosts": ["api.example.com", "b.example.com"] }))
}

#[tokio::test(start_paused = true)]
async fn a_create_that_dies_anywhere_is_finished_by_the_next() {
    for writes in 0.. {
        let world = World::with_dns();
        let death = Death::after(writes);
        let mut dying = world.mortal(&death).await;
        let died = tokio::select! {
            biased;
            () = death.comes() => true,
            done = dying.apply(ENDPOINT, "this", config()) => { done.expect_ok(); false }
        };
        if !died {
            assert!(writes > 12, "the apply writes more than {writes} times");
            return;
        }
        drop(dying);

        let mut tf = world.terraform().await.canary("t0ken-canary");
        if is_complete(&world) {
            // It was done, and only the answer did not come: it is imported.
            tf.apply(ENDPOINT, "this", config()).await.expect_error("name", "terraform import");
            tf.import(ENDPOINT, "this", "ffe/api", config()).await.expect_action(Action::NoOp).expect_ok();
        } else {
            tf.apply(ENDPOINT, "this", config()).await.expect_ok();
        }
        assert_eq!(tf.state(ENDPOINT, "this")["address"], ADDRESS, "{writes}");
        assert_eq!(world.names("Certificate"), ["api-tls"], "{writes}");
        assert_eq!(world.names("Issuer"), ["api", "internal"], "{writes}");
        assert_eq!(world.controllers.orders(), 1, "{writes}: one order");
        let hosts: Vec<String> = world.records().into_iter().map(|(name, _)| name).collect();
        assert_eq!(hosts, ["api.example.com", "b.example.com"], "{writes}: one record for each host");

        tf.destroy(ENDPOINT, "this").await.expect_ok();
        assert_eq!(
            (world.records(), world.names("Ingress"), world.names("ConfigMap")),
            (vec![], vec![], vec![]),
            "{writes}"
        );
    }
}

fn is_complete(world: &World) -> bool {
    let record = world.get("v1", "ConfigMap", "ffe-tls-endpoint.api");
    record.is_some_and(|record| record["metadata"]["annotations"]["ffe.three-rivers.tech/state"] == "complete")
}

#[tokio::test(start_paused = true)]
async fn hosts_of_a_create_that_died_do_not_keep_their_records() {
    let world = World::with_dns();
    // After the records of the first attempt were made, and before anything else was written.
    let mut writes = 0;
    loop {
        let death = Death::after(writes);
        let mut dying = world.mortal(&death).await;
        tokio::select! {
            biased;
            () = death.comes() => {}
            _ = dying.apply(ENDPOINT, "this", config()) => unreachable!("it dies before"),
        }
        if world.records().len() == 2 {
            break;
        }
        writes += 1;
    }
    let mut fewer = config();
    fewer["hosts"] = json!(["c.example.com"]);
    let mut tf = world.terraform().await;
    tf.apply(ENDPOINT, "this", fewer).await.expect_ok();
    assert_eq!(world.records(), [("c.example.com".to_owned(), ADDRESS.to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn an_update_that_dies_is_finished_by_the_next() {
    for writes in 0.. {
        let world = World::new();
        let before = endpoint(json!({}));
        let after = endpoint(json!({
            "hosts": ["b.example.com"], "secret_name": "other", "ingress_class": "nginx", "issuer": { "self_signed": {} },
        }));
        let mut tf = world.terraform().await;
        tf.apply(ENDPOINT, "this", before.clone()).await.expect_ok();
        let (state, private) = (tf.state(ENDPOINT, "this"), tf.private(ENDPOINT, "this"));

        let death = Death::after(writes);
        let mut dying = world.mortal(&death).await;
        dying.set_state(ENDPOINT, "this", 0, state.clone(), &private);
        let died = tokio::select! {
            biased;
            () = death.comes() => true,
            done = dying.apply(ENDPOINT, "this", after.clone()) => { done.expect_ok(); false }
        };
        if !died {
            assert!(writes > 8, "the apply writes more than {writes} times");
            return;
        }
        drop(dying);
        tf.apply(ENDPOINT, "this", after).await.expect_ok();
        assert_eq!(world.names("Certificate"), ["other"], "{writes}");
        assert_eq!(world.names("Ingress"), ["api"], "{writes}");
        assert_eq!(world.names("Middleware"), Vec::<String>::new(), "{writes}");
        tf.destroy(ENDPOINT, "this").await.expect_ok();
        assert_eq!(world.names("Issuer"), ["internal"], "{writes}");
    }
}
