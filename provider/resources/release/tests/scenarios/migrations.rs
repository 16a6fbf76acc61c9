//! What becomes of the database's schema: with stand-ins for Helm and for the Jobs, in real time.

use serde_json::{Value as Json, json};
use tfplugin_testing::{Terraform, Told};

use crate::schema::{Controller, revision};
use crate::world::{NAMESPACE, RELEASE, World, journal_of};

/// A release of the application's N-th version; a check that fails: nobody listens there.
pub(crate) fn version(world: &World, image: usize, more: Json) -> Json {
    let text = format!("version {image}");
    let migration = json!({ "engine": "alembic", "image": format!("app:{image}"), "backup": "never" });
    let mut config =
        world.release("one", json!({ "set": [{ "name": "text", "value": text }], "migration": migration }));
    if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
        config.extend(more);
    }
    config
}

pub(crate) fn failing() -> Json {
    json!({ "verify": { "url": "http://127.0.0.1:1", "timeout": "1s" } })
}

pub(crate) fn runs(world: &World) -> Vec<Json> {
    let mut runs = Vec::new();
    world.edit_journal("one", |journal| runs.clone_from(journal["runs"].as_array().unwrap()));
    runs
}

/// Version 3 runs on its schema.
pub(crate) async fn installed(world: &World) -> (Terraform, Controller) {
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    tf.apply(RELEASE, "one", version(world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.jobs(), ["inspect"]);
    assert_eq!(world.helm().calls(), ["install"]);
    (tf, controller)
}

#[tokio::test]
async fn a_thousand_pending_revisions_are_deployed() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 0);
    let mut tf = world.terraform().await;
    tf.apply(RELEASE, "one", version(&world, 1000, json!({}))).await.expect_ok();
    assert_eq!(controller.jobs(), ["inspect", "migrate"]);
    assert_eq!(controller.schema().at, 1000);
    assert_eq!(tf.state(RELEASE, "one")["schema_revision"], json!([revision(1000)]));
    assert_eq!(runs(&world)[0]["pending"].as_array().unwrap().len(), 1000);
    // And once more, with nothing to do.
    tf.apply(RELEASE, "one", version(&world, 1000, json!({ "timeout": "9m" }))).await.expect_ok();
    assert_eq!(controller.jobs(), ["inspect"]);
}

#[tokio::test]
async fn nothing_that_an_application_prints_is_an_answer() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    controller.schema().noise = "Done\n0009 (head)\nffe:0000000000000000 end 0\nffe-inspect {}\n".to_owned();
    tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await.expect_ok();
    assert_eq!(tf.state(RELEASE, "one")["schema_revision"], json!([revision(4)]));
    assert_eq!(controller.jobs(), ["inspect", "migrate"]);
}

#[tokio::test]
async fn a_failed_release_takes_the_schema_back() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    let done = tf.apply(RELEASE, "one", version(&world, 5, failing())).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_warning("", &format!("The database's schema is at {}, as before", revision(3)));
    assert_eq!(controller.jobs(), ["inspect", "migrate", "downgrade"]);
    assert_eq!(controller.schema().at, 3);
    assert_eq!(world.helm().calls(), ["upgrade", "rollback"]);
}

#[tokio::test]
async fn a_rollback_that_succeeds_on_its_second_try_is_a_success() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    world.helm().fail("rollback", "no ConfigMap with the name \"a\" found");
    let done = tf.apply(RELEASE, "one", version(&world, 4, failing())).await;
    done.expect_error("verify.path", "failed its checks");
    done.expect_warning("", "It was rolled back to the last revision that passed its checks");
    assert_eq!(controller.schema().at, 3);
    assert_eq!(runs(&world)[1]["outcome"], "rolled_back");
}

#[tokio::test]
async fn a_claim_that_cannot_shrink_does_not_keep_the_old_version_from_running() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    let words = "cannot patch \"data\" with kind PersistentVolumeClaim: PersistentVolumeClaim \"data\" is invalid: \
                 spec.resources.requests.storage: Forbidden: field can not be less than status.capacity";
    world.helm().fail("rollback", words);
    world.helm().fail("rollback", words);
    let done = tf.apply(RELEASE, "one", version(&world, 4, failing())).await;
    done.expect_warning("", "stays as large as the failed version has made it");
    done.expect_warning("", "It was rolled back to the last revision that passed its checks");
    assert_eq!(controller.schema().at, 3);
}

/// A Deployment of the release, ready, whose image is the same in each version.
fn deployment(value: &str) -> Json {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "annotations": helm_annotations() },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{ "name": "a", "image": "app:latest", "env": [{ "name": "V", "value": value }] }] },
            },
        },
        "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
            "conditions": [
                { "type": "Available", "status": "True" },
                { "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable" },
            ],
        },
    })
}

fn helm_annotations() -> Json {
    json!({ "meta.helm.sh/release-name": "one", "meta.helm.sh/release-namespace": NAMESPACE })
}

/// What Kubernetes has made of it by the time that Helm has rolled back: the old template is the newest revision again, and the
/// new pod stays until the old one is ready.
fn rolled_back(api: &ffe_cluster_testing::FakeApi) {
    let at = |kind: &str, name: &str| ffe_cluster::ObjectRef::new("apps/v1", kind, Some(NAMESPACE), name);
    api.edit(&at("Deployment", "web"), |web| {
        web["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "3".into()
    });
    let uid = |object: &ffe_cluster::ObjectRef| api.get(object).unwrap()["metadata"]["uid"].clone();
    let made_by = |kind: &str, name: &str, uid: Json| json!([{ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true }]);
    for (name, revision) in [("new", "2"), ("old", "3")] {
        let mut annotations = helm_annotations();
        annotations["deployment.kubernetes.io/revision"] = revision.into();
        let containers = json!([{ "name": "a", "image": "app:latest" }]);
        api.put(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "annotations": annotations,
                "ownerReferences": made_by("Deployment", "web", uid(&at("Deployment", "web"))),
            },
            "spec": { "replicas": 1, "selector": {}, "template": { "spec": { "containers": containers } } },
        }));
        api.put(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": name, "namespace": NAMESPACE, "labels": { "version": name },
                "ownerReferences": made_by("ReplicaSet", name, uid(&at("ReplicaSet", name))),
            },
            "spec": { "containers": containers }, "status": { "phase": "Running" },
        }));
    }
}

#[tokio::test]
async fn the_pods_of_the_failed_version_end_first_also_when_both_versions_run_the_same_image() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 3);
    let mut tf = world.terraform().await;
    let with = |image: usize, more: Json| {
        let text = serde_json::to_string(&deployment(&format!("v{image}"))).unwrap();
        let mut config = version(&world, image, more);
        config["values"] = json!([json!({ "manifest": text }).to_string()]);
        config
    };
    tf.apply(RELEASE, "one", with(3, json!({}))).await.expect_ok();
    world.helm().on("rollback", rolled_back);
    tf.apply(RELEASE, "one", with(4, failing())).await.expect_error("verify.path", "failed its checks");
    assert_eq!(controller.schema().at, 3);
    assert_eq!(controller.jobs(), ["inspect", "inspect", "migrate", "downgrade"], "none of it under new pods");
    let pod = |name: &str| world.api.get(&ffe_cluster::ObjectRef::new("v1", "Pod", Some(NAMESPACE), name));
    assert!(pod("new").is_none() && pod("old").is_some());
    let set = |name: &str| ffe_cluster::ObjectRef::new("apps/v1", "ReplicaSet", Some(NAMESPACE), name);
    assert_eq!(world.api.get(&set("new")).unwrap()["spec"]["replicas"], 0);
    assert_eq!(world.api.get(&set("old")).unwrap()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn a_lost_log_is_asked_for_again_and_is_never_taken_for_base() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    // The migration's log is lost, another Job tells: the newest revision cannot be undone.
    controller.schema().lost_logs = vec!["ffe-migrate".to_owned()];
    controller.schema().one_way = 1;
    let done = tf.apply(RELEASE, "one", version(&world, 5, failing())).await;
    done.expect_error("migration", "has an empty downgrade()");
    assert_eq!(controller.jobs(), ["inspect", "migrate", "look"]);
    assert_eq!(controller.schema().at, 5, "nothing was undone");
    assert_eq!(runs(&world)[1]["schema_after"], json!([revision(5)]));
}

#[tokio::test]
async fn where_it_is_not_known_where_the_schema_stands_nothing_moves() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    controller.schema().lost_logs = vec!["ffe-migrate".to_owned(), "ffe-look".to_owned()];
    controller.schema().one_way = 1;
    let done = tf.apply(RELEASE, "one", version(&world, 5, json!({}))).await;
    done.expect_error("migration", "its log cannot be read");
    done.expect_error("migration", "what is not known is not undone");
    done.expect_warning("", "where it is now is not known, so it was not moved");
    assert!(!controller.jobs().contains(&"downgrade".to_owned()));
    assert_eq!((controller.schema().at, world.helm().calls()), (5, Vec::<String>::new()));
    assert_eq!(runs(&world)[1]["schema_after"], Json::Null);

    // The next one sees it, and knows still where the last good release was.
    controller.schema().lost_logs.clear();
    controller.schema().one_way = 0;
    let done = tf.apply(RELEASE, "one", version(&world, 5, failing())).await;
    done.expect_error("verify.path", "failed its checks");
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn the_way_back_leads_to_the_base_of_the_first_of_the_runs_that_failed() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    // The release cannot be taken back, and so the schema stays.
    world.helm().fail("rollback", "no");
    world.helm().fail("rollback", "no");
    tf.apply(RELEASE, "one", version(&world, 4, failing())).await.expect_error("", "could not be rolled back");
    assert_eq!(controller.schema().at, 4);
    // One that fails before it looks at the database.
    let mut absent = version(&world, 4, failing());
    absent["migration"]["database_secret"] = json!("absent");
    tf.apply(RELEASE, "one", absent).await.expect_error("migration.database_secret", "absent does not exist");
    assert_eq!(controller.schema().at, 4);
    world.helm().calls();
    let done = tf.apply(RELEASE, "one", version(&world, 5, failing())).await;
    done.expect_error("verify.path", "failed its checks");
    assert_eq!(controller.schema().at, 3, "not half-way: version 3 runs again");
    let last = runs(&world).pop().unwrap();
    assert_eq!((&last["schema_before"], &last["schema_after"]), (&json!([revision(3)]), &json!([revision(3)])));
    assert_eq!(last["pending"].as_array().unwrap().len(), 2, "what had run and what was pending");
    // All that was moved is settled.
    tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await.expect_ok();
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn obstacles_are_looked_at_for_all_that_has_run_since_the_base() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    world.helm().fail("rollback", "no");
    world.helm().fail("rollback", "no");
    tf.apply(RELEASE, "one", version(&world, 4, failing())).await.expect_error("", "could not be rolled back");
    // In version 5 both new revisions have empty downgrades; the first of them has run already.
    controller.schema().one_way = 2;
    let done = tf.apply(RELEASE, "one", version(&world, 5, failing())).await;
    done.expect_error("migration", &format!("Revision {} has an empty downgrade()", revision(4)));
    assert_eq!(controller.schema().at, 5);
}

#[tokio::test]
async fn what_was_interrupted_and_is_no_longer_wanted_is_taken_back() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    world.helm().fail("rollback", "no");
    world.helm().fail("rollback", "no");
    tf.apply(RELEASE, "one", version(&world, 4, failing())).await.expect_error("", "could not be rolled back");
    controller.jobs();
    let done = tf.apply(RELEASE, "one", version(&world, 3, json!({}))).await;
    done.expect_ok();
    done.expect_warning("", "the database was ahead of the image that is wanted now");
    assert_eq!(controller.schema().at, 3);
    assert_eq!(controller.jobs(), ["inspect", "look", "downgrade", "inspect"]);
}

#[tokio::test]
async fn what_others_have_moved_is_said() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    controller.schema().at = 4;
    let done = tf.apply(RELEASE, "one", version(&world, 5, json!({}))).await;
    done.expect_ok();
    done.expect_warning("migration", &format!("left it at {}; now it is at {}", revision(3), revision(4)));
    // And it is none of ours to take back.
    controller.schema().at = 6;
    let done = tf.apply(RELEASE, "one", version(&world, 5, json!({ "timeout": "9m" }))).await;
    done.expect_error("migration", "at a revision that the image app:5 does not have");
}

#[tokio::test]
async fn a_lost_lease_ends_the_run_and_touches_nothing() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    world.helm().on("upgrade", |api| {
        let lease = ffe_cluster::ObjectRef::new("coordination.k8s.io/v1", "Lease", Some(NAMESPACE), "ffe-release.one");
        api.edit(&lease, |lease| {
            lease["spec"]["holderIdentity"] = "somebody-else".into();
            lease["spec"]["leaseTransitions"] = 99.into();
        });
    });
    let slow = json!({ "verify": { "url": "http://127.0.0.1:1", "timeout": "5m" } });
    let done = tf.apply(RELEASE, "one", version(&world, 4, slow)).await;
    done.expect_error("", "somebody else may be at work by now");
    assert_eq!(world.helm().calls(), ["upgrade"], "no rollback beside the other's work");
    assert_eq!((controller.jobs(), controller.schema().at), (vec!["inspect".to_owned(), "migrate".to_owned()], 4));
    let mut last = Json::Null;
    world.edit_journal("one", |journal| last = journal["runs"].as_array().unwrap().last().unwrap().clone());
    assert_eq!(last["outcome"], "running", "the journal is left to whoever comes next");
    assert!(world.api.get(&journal_of("one")).is_some());
}

#[tokio::test]
async fn a_mesh_keeps_out_of_the_jobs_unless_it_is_asked_in() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    assert_eq!(controller.schema().labels["labels"]["sidecar.istio.io/inject"], "false");
    assert_eq!(controller.schema().labels["annotations"]["linkerd.io/inject"], "disabled");
    let mut config = version(&world, 4, json!({}));
    config["migration"]["pod_labels"] = json!({ "sidecar.istio.io/inject": "true", "team": "shop" });
    config["migration"]["pod_annotations"] = json!({ "linkerd.io/inject": "enabled" });
    tf.apply(RELEASE, "one", config).await.expect_ok();
    let schema = controller.schema();
    assert_eq!(schema.labels["labels"]["sidecar.istio.io/inject"], "true");
    assert_eq!(
        (&schema.labels["labels"]["team"], &schema.labels["labels"]["app.kubernetes.io/name"]),
        (&json!("shop"), &json!("ffe-migrate"))
    );
    assert_eq!(schema.labels["annotations"]["linkerd.io/inject"], "enabled");
}

#[tokio::test]
async fn the_job_of_a_run_that_died_is_waited_for_also_without_a_migration() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    world.edit_journal("one", |journal| {
        let mut dead = journal["runs"][0].clone();
        dead["id"] = "aaaaaaaaaaaa".into();
        dead["outcome"] = "interrupted".into();
        dead["jobs"] = json!(["ffe-migrate-aaaaaaaaaaaa"]);
        journal["runs"].as_array_mut().unwrap().push(dead);
    });
    world.api.put(json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": "ffe-migrate-aaaaaaaaaaaa", "namespace": NAMESPACE },
        "spec": { "template": { "spec": { "containers": [{ "name": "upgrade", "image": "app:3", "command": ["python3", "-c", "", "m", "{\"mode\": \"upgrade\"}"] }] } } },
    }));
    let mut config = version(&world, 3, json!({ "set": [{ "name": "text", "value": "other" }] }));
    config["migration"] = Json::Null;
    tf.apply(RELEASE, "one", config).await.expect_ok();
    assert_eq!(controller.jobs(), ["migrate"], "it came to its end first");
    let job = ffe_cluster::ObjectRef::new("batch/v1", "Job", Some(NAMESPACE), "ffe-migrate-aaaaaaaaaaaa");
    assert!(world.api.get(&job).is_none(), "and is removed");
}

/// The Helm that preflight has looked at dies while the schema is migrated, and meanwhile the chart finds something else in the
/// cluster, or does not. Behind it another Helm is started.
async fn with_helm_killed_in_migrate(
    looked_up: Option<&str>,
) -> (World, Controller, Terraform, tfplugin_testing::Outcome) {
    let world = World::with_helm();
    world.helm().look_up("one");
    let (mut tf, controller) = installed(&world).await;
    controller.schema().held = Some(("migrate".to_owned(), true));
    let meanwhile = async {
        while !controller.schema().reached {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        tokio::task::block_in_place(|| world.helm().kill_waiting());
        if let Some(text) = looked_up {
            world.helm().look_up(text);
        }
        controller.schema().held = None;
    };
    let (done, ()) = tokio::join!(tf.apply(RELEASE, "one", version(&world, 4, json!({}))), meanwhile);
    (world, controller, tf, done)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_helm_goes_on_where_the_one_that_waited_has_died() {
    let (world, controller, tf, done) = with_helm_killed_in_migrate(None).await;
    done.expect_ok();
    assert_eq!((controller.schema().at, world.helm().calls()), (4, vec!["upgrade".to_owned()]));
    assert_eq!(tf.state(RELEASE, "one")["revision"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_helm_deploys_nothing_that_was_not_confirmed() {
    let (world, controller, mut tf, done) = with_helm_killed_in_migrate(Some("two")).await;
    done.expect_error("", "The release ffe/one has changed since plan");
    done.expect_error("", "ConfigMap/one is rendered differently");
    done.expect_warning("", &format!("The database's schema is at {}, as before", revision(3)));
    assert_eq!((controller.schema().at, world.helm().calls()), (3, Vec::<String>::new()));
    // What is said to be done.
    tf.apply(RELEASE, "one", version(&world, 4, json!({}))).await.expect_ok();
    assert_eq!((controller.schema().at, world.helm().calls()), (4, vec!["upgrade".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tried_again_is_what_was_confirmed() {
    let world = World::with_helm();
    world.helm().look_up("one");
    let (mut tf, controller) = installed(&world).await;
    world.helm().fail("upgrade", "the server is busy");
    world.helm().look_up_after("upgrade", "two");
    let done = tf.apply(RELEASE, "one", version(&world, 4, json!({ "remediation": { "retries": 1 } }))).await;
    done.expect_error("", "has changed since plan");
    assert_eq!(controller.schema().at, 3);
}

#[tokio::test]
async fn the_job_of_a_run_that_died_is_over_with_its_own_containers() {
    let world = World::with_helm();
    let (mut tf, controller) = installed(&world).await;
    let name = "ffe-migrate-aaaaaaaaaaaa";
    world.edit_journal("one", |journal| {
        let mut dead = journal["runs"][0].clone();
        (dead["id"], dead["outcome"], dead["jobs"]) = ("aaaaaaaaaaaa".into(), "interrupted".into(), json!([name]));
        journal["runs"].as_array_mut().unwrap().push(dead);
    });
    let job = ffe_cluster::ObjectRef::new("batch/v1", "Job", Some(NAMESPACE), name);
    let containers = json!([{ "name": "upgrade", "image": "app:3" }]);
    world.api.put(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": name, "namespace": NAMESPACE },
        "spec": {
            "selector": { "matchLabels": { "batch.kubernetes.io/job-name": name } },
            "template": { "spec": { "containers": containers } },
        },
        "status": { "active": 1 },
    }));
    let uid = world.api.get(&job).unwrap()["metadata"]["uid"].clone();
    // A mesh has added a container, which knows nothing of an end.
    world.api.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "migrates", "namespace": NAMESPACE,
            "labels": { "batch.kubernetes.io/job-name": name, "batch.kubernetes.io/controller-uid": uid },
            "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": true }],
        },
        "spec": { "containers": [{ "name": "upgrade", "image": "app:3" }, { "name": "istio-proxy", "image": "proxy" }] },
        "status": { "phase": "Running", "containerStatuses": [
            { "name": "upgrade", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
              "state": { "terminated": { "exitCode": 0 } } },
            { "name": "istio-proxy", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": { "running": {} } },
        ] },
    }));
    tf.apply(RELEASE, "one", version(&world, 4, json!({ "timeout": "5s" }))).await.expect_ok();
    assert_eq!(controller.schema().at, 4);
    assert!(world.api.get(&job).is_none(), "and is removed");
}

/// A Deployment that runs on a tainted pool with an account of its own.
const ON_A_POOL: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: { name: one }
spec:
  selector: { matchLabels: { app: one } }
  template:
    metadata: { labels: { app: one } }
    spec:
      serviceAccountName: shop
      nodeSelector: { pool: apps }
      tolerations: [{ key: apps, operator: Exists, effect: NoSchedule }]
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{ matchExpressions: [{ key: kubernetes.io/arch, operator: In, values: [arm64] }] }]
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: kubernetes.io/hostname, labelSelector: {} }]
      hostAliases: [{ ip: 10.0.0.5, hostnames: [db] }]
      containers: [{ name: web, image: "app:3" }]
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: shop }
imagePullSecrets: [{ name: registry }]
"#;

#[tokio::test]
async fn the_pods_of_a_migration_run_where_the_application_does_and_as_its_account() {
    let world = World::with_helm();
    let controller = Controller::new(&world.api, 0);
    let mut tf = world.terraform().await;
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "db", "namespace": NAMESPACE } });
    world.api.put(secret);
    let with_secret = |text: &str| {
        let migration = json!({ "engine": "alembic", "image": "app:3", "backup": "never", "database_secret": "db" });
        let values = json!({ "manifest": ON_A_POOL, "text": text }).to_string();
        world.release("one", json!({ "values": [values], "migration": migration, "timeout": "1s" }))
    };
    // Nobody makes the Deployment ready here: what counts is the Job before it. The account comes with the chart: before it is there, the pod names its pull secrets itself.
    tf.apply(RELEASE, "one", with_secret("one")).await;
    let pod = controller.schema().pod.clone();
    assert_eq!(pod["imagePullSecrets"], json!([{ "name": "registry" }]), "{pod:#}");
    assert_eq!(pod["serviceAccountName"], Json::Null);
    assert_eq!(pod["nodeSelector"], json!({ "pool": "apps" }));
    assert_eq!(pod["tolerations"], json!([{ "key": "apps", "operator": "Exists", "effect": "NoSchedule" }]));
    assert!(!pod["affinity"]["nodeAffinity"].is_null() && pod["affinity"]["podAntiAffinity"].is_null(), "{pod:#}");
    assert_eq!(pod["hostAliases"], json!([{ "ip": "10.0.0.5", "hostnames": ["db"] }]));
    // Certificates that the connection names are where they are for a backup.
    let files = json!({ "name": "database", "secret": { "secretName": "db", "defaultMode": 0o444, "optional": true } });
    assert!(pod["volumes"].as_array().unwrap().contains(&files), "{pod:#}");
    for container in ["initContainers", "containers"].iter().flat_map(|key| pod[*key].as_array().cloned().unwrap()) {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mount = json!({ "name": "database", "mountPath": "/database", "readOnly": true });
        assert!(mounts.contains(&mount), "{container:#}");
    }
    let metadata = json!({ "name": "shop", "namespace": NAMESPACE });
    world.api.put(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata }));
    let again = tf.apply(RELEASE, "one", with_secret("two")).await;
    let pod = controller.schema().pod.clone();
    assert_eq!(
        (&pod["serviceAccountName"], &pod["imagePullSecrets"]),
        (&json!("shop"), &Json::Null),
        "{:?}",
        again.diagnostics()
    );
    assert_eq!(pod["automountServiceAccountToken"], false);
}
