//! A delete that waits, against the API in memory.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use ffe_cluster::{Cancel, Mark, ObjectRef, Owner, Standing};
use ffe_cluster_testing::FakeApi;
use ffe_workloads::{WaitOptions, delete_and_wait};
use serde_json::json;

#[tokio::test]
async fn it_ends_when_the_object_is_gone_and_not_before() {
    let (api, owner) = (FakeApi::new(), Owner::new("ffe_environment", "default/shop"));
    let wait = WaitOptions::new(Duration::from_millis(300), Cancel::new());
    for (name, finalizers) in [("held", json!(["example.com/held"])), ("free", json!([]))] {
        let mut object = json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": "default", "finalizers": finalizers } });
        Mark::complete(owner.clone(), "run-1").write_value(&mut object);
        api.put(object);
        let named = ObjectRef::new("v1", "ConfigMap", Some("default"), name);
        let Standing::Made(proof) = api.cluster().standing(&named, &owner).await.unwrap() else { panic!("it is ours") };
        let ended = delete_and_wait(&api.cluster(), proof, &wait).await;
        assert_eq!((ended.is_ok(), api.get(&named).is_none()), (name == "free", name == "free"), "{ended:?}");
    }
}
