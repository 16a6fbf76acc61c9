//! `status` and `watch`: what is told of a release to somebody who looks on from outside of Terraform.

use ffe_helm::binary::Driver;
use ffe_helm::records::Records;
use ffe_release::status::{Status, look, names};
use serde_json::{Value as Json, json};

use crate::world::{NAMESPACE, World, journal_of, manifest, put_record, record_of};

const NOW: &str = "2026-01-03T03:05:35Z";

const DEPLOYMENT: &str = "---\n# Source: one/templates/web.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  template:\n    spec:\n      containers: []\n";

async fn seen(world: &World, name: &str) -> Option<Status> {
    let cluster = world.api.cluster();
    look(&cluster, &Records::new(cluster.clone(), Driver::Secret), NAMESPACE, name).await.unwrap()
}

fn text(status: &Status) -> String {
    status.text(NOW.parse().unwrap())
}

fn deployment(available: i32) -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": NAMESPACE, "generation": 1, "annotations": { "deployment.kubernetes.io/revision": "1" } },
        "spec": { "replicas": 3, "selector": { "matchLabels": { "app": "web" } }, "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "web", "image": "web:2" }] } } },
        "status": { "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": available, "readyReplicas": available },
    })
}

fn pod(restarts: i32) -> Json {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "web-1", "namespace": NAMESPACE, "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "web", "image": "web:2" }] },
        "status": { "phase": "Running", "containerStatuses": [{ "name": "web", "image": "web:2", "imageID": "", "ready": false, "restartCount": restarts, "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } } }] },
    })
}

/// A run that goes on, at its rollout.
fn going_on(world: &World) {
    world.ours("one");
    world.edit_journal("one", |journal| {
        journal["runs"].as_array_mut().unwrap().push(json!({
            "id": "ba9876543210", "outcome": "running", "started": "2026-01-03T03:04:05Z", "jobs": ["one-migrate-ba98"],
            "phases": [
                { "name": "lock", "outcome": "succeeded", "started": "2026-01-03T03:04:05Z", "seconds": 0.04 },
                { "name": "migrate", "outcome": "succeeded", "started": "2026-01-03T03:04:06Z", "seconds": 4.94 },
                { "name": "rollout", "outcome": "running", "started": "2026-01-03T03:05:25Z", "seconds": 0.0 },
            ],
            "schema_before": ["0003"], "schema_after": ["0004", "0005"],
        }));
    });
    world.record("one", 7, "pending-upgrade", &format!("{}{DEPLOYMENT}", manifest("hello")));
}

#[tokio::test(start_paused = true)]
async fn a_run_its_phases_and_what_is_not_ready_are_told() {
    let world = World::new();
    going_on(&world);
    world.api.put(deployment(1));
    world.api.put(pod(4));
    let status = seen(&world, "one").await.unwrap();
    assert!(status.is_running());
    let text = text(&status);
    for line in [
        "ffe/one\n",
        "  revision 7 pending-upgrade  one-0.1.0, application 1.2\n",
        "  run ba9876543210  running for 1m30s\n",
        "    lock     succeeded 0s\n",
        "    migrate  succeeded 4.9s\n",
        "    rollout  running for 10s\n",
        "    schema 0003 → 0004, 0005\n",
        "  Deployment web        1 of 3 pods available, 4 restarts\n",
        "CrashLoopBackOff",
        "What to do:",
        // Of a Job that is not there nothing is known.
        "  Job one-migrate-ba98  not known: ",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    assert_eq!(world.writes(), 0);

    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["objects"][0]["ready"], false);
    assert_eq!(json["objects"][0]["restarts"], 4);
    assert_eq!(json["run"]["phases"][2]["duration"], Json::Null);
}

#[tokio::test(start_paused = true)]
async fn on_its_way_back_it_says_so_and_a_finished_one_when() {
    let world = World::new();
    going_on(&world);
    world.api.put(deployment(3));
    world.edit_journal("one", |journal| journal["runs"][1]["unwinding"] = json!(true));
    let status = seen(&world, "one").await.unwrap();
    assert!(text(&status).contains("running, on its way back for 1m30s"), "{}", text(&status));

    world.edit_journal("one", |journal| {
        journal["runs"][1]["outcome"] = json!("rolled_back");
        journal["runs"][1]["finished"] = json!("2026-01-03T03:06:00Z");
    });
    let status = seen(&world, "one").await.unwrap();
    assert!(!status.is_running());
    let text = text(&status);
    assert!(text.contains("rolled_back at 2026-01-03T03:06:00Z") && text.contains("Deployment web  ready\n"), "{text}");
    // The Jobs of a run that is over are gone, and no news.
    assert!(!text.contains("Job "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn releases_of_others_and_half_made_ones_are_told_too() {
    let world = World::new();
    world.record("theirs", 3, "deployed", &manifest("x"));
    let theirs = seen(&world, "theirs").await.unwrap();
    assert!(text(&theirs).contains("no run: the journal is made by the first apply"), "{}", text(&theirs));
    // A first run that has not come to Helm yet.
    world.ours("one");
    world.api.remove(&record_of("one", 1));
    let one = seen(&world, "one").await.unwrap();
    assert!(text(&one).contains("no revision of Helm"), "{}", text(&one));

    let cluster = world.api.cluster();
    let all = names(&cluster, &Records::new(cluster.clone(), Driver::Secret), NAMESPACE).await.unwrap();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), ["one", "theirs"]);
    assert_eq!(seen(&world, "nobodys").await, None);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_said_and_not_left_out() {
    let world = World::new();
    going_on(&world);
    world.api.put(deployment(3));
    world.api.fail("GET", "/secrets/ffe-journal.one", None, 403, "Forbidden", "User \"reader\" cannot get");
    let status = seen(&world, "one").await.unwrap();
    assert!(text(&status).contains("not known: ") && text(&status).contains("cannot get"), "{}", text(&status));
    world.api.heal();

    world.api.fail("GET", "/deployments/web", None, 403, "Forbidden", "User \"reader\" cannot get");
    let status = seen(&world, "one").await.unwrap();
    assert_eq!(status.objects[0].ready, None);
    assert!(text(&status).contains("Deployment web        not known: "), "{}", text(&status));
    world.api.heal();

    put_record(&world.api, "one", 8, "deployed", "kind: [", &json!({}));
    let status = seen(&world, "one").await.unwrap();
    assert!(status.unknown.iter().any(|what| what.contains("manifest")), "{status:?}");

    // Nobody may read the journal of a release that Helm does not know: that is not "no release".
    world.api.fail("GET", &format!("/secrets/{}", journal_of("two").name), None, 403, "Forbidden", "cannot get");
    assert!(seen(&world, "two").await.is_some());
}
