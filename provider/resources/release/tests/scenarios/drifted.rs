//! Drift: what is told of it, what it costs, and what does not count.

use ffe_cluster::ObjectRef;
use serde_json::{Value as Json, json};
use tfplugin_testing::{Action, Terraform, Told};

use crate::world::{NAMESPACE, NO_HELM, RELEASE, World, later, put_objects, put_record};

const TITLE: &str = "is not in the cluster as it was applied";
const CANARY: &str = "c4nary-in-the-values";

fn of(kind: &str, name: &str) -> ObjectRef {
    let api_version = match kind {
        "Deployment" => "apps/v1",
        "Job" => "batch/v1",
        _ => "v1",
    };
    ObjectRef::new(api_version, kind, Some(NAMESPACE), name)
}

const DEPLOYMENT: &str = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n        - name: app\n          image: app:1\n          resources: {limits: {cpu: 0.1, memory: 1024Mi}}\n";
const SCALER: &str = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: app}\nspec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: app}\n  maxReplicas: 3\n";

/// A release of these objects, in Terraform's state, looked at once.
async fn managed(world: &World, tf: &mut Terraform, manifest: &str, more: Json) -> Json {
    let config = world.release("one", more);
    world.record("one", 1, "deployed", manifest);
    world.ours_of("one", &config, manifest);
    tf.import(RELEASE, "one", "ffe/one", config.clone()).await.expect_ok();
    later().await;
    config
}

fn requests(world: &World, from: usize) -> Vec<String> {
    world.api.seen()[from..].iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_with_its_field_and_plans_nothing() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = world.managed(&mut tf, "one").await;
    assert_eq!(tf.state(RELEASE, "one")["drifted"], json!([]));
    later().await;
    world.api.edit(&of("ConfigMap", "one"), |map| map["data"]["text"] = "theirs".into());
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_warning("", TITLE);
    refreshed.expect_warning("", "ConfigMap/one /data/text: was hello, is theirs");
    let drifted = json!([{ "object": "ConfigMap/one", "path": "/data/text", "was": "hello", "is": "theirs" }]);
    assert_eq!(refreshed.after["drifted"], drifted);
    tf.plan(RELEASE, "one", config.clone()).await.expect_action(Action::NoOp).expect_warning("", TITLE);

    // It is told again without being looked at again.
    later().await;
    let at = world.api.seen().len();
    tf.refresh(RELEASE, "one").await.expect_warning("", "is theirs");
    let secrets = format!("GET /api/v1/namespaces/{NAMESPACE}/secrets");
    let maps = format!("GET /api/v1/namespaces/{NAMESPACE}/configmaps");
    assert_eq!(requests(&world, at), [secrets.clone(), maps.clone()]);

    // Put back by hand, it is over.
    world.api.edit(&of("ConfigMap", "one"), |map| map["data"]["text"] = "hello".into());
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_silence();
    assert_eq!(refreshed.after["drifted"], json!([]));
    tf.assert_empty_plan(RELEASE, "one", config).await;
    assert!(world.api.seen().iter().all(|seen| seen.method == "GET" || seen.query.contains("dryRun=All")));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_is_told_and_asked_for_once() {
    let world = World::new();
    let mut tf = world.terraform().await;
    world.managed(&mut tf, "one").await;
    world.api.remove(&of("ConfigMap", "one"));
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_warning("", "- ConfigMap/one: deleted");
    assert_eq!(refreshed.after["drifted"][0]["path"], "");
    assert!(!refreshed.gone);
    later().await;
    let at = world.api.seen().len();
    tf.refresh(RELEASE, "one").await.expect_warning("", "ConfigMap/one: deleted");
    assert_eq!(requests(&world, at).len(), 2, "{:?}", requests(&world, at));
    put_objects(&world.api, &crate::world::manifest("hello"));
    later().await;
    tf.refresh(RELEASE, "one").await.expect_silence();
}

#[tokio::test(start_paused = true)]
async fn what_moves_without_drifting_is_quiet_and_noted() {
    let world = World::new();
    let mut tf = world.terraform().await;
    managed(&world, &mut tf, DEPLOYMENT, json!({})).await;
    world.api.edit(&of("Deployment", "app"), |app| {
        // A status, defaults, a label of somebody's, another way of writing the same.
        app["status"] = json!({ "readyReplicas": 1 });
        app["metadata"]["labels"] = json!({ "seen-by": "somebody" });
        app["spec"]["strategy"] = json!({ "type": "RollingUpdate" });
        let container = &mut app["spec"]["template"]["spec"]["containers"][0];
        container["resources"]["limits"] = json!({ "cpu": "100m", "memory": "1Gi" });
    });
    later().await;
    let at = world.api.seen().len();
    tf.refresh(RELEASE, "one").await.expect_silence();
    let object = |requests: &[String]| requests.iter().filter(|one| one.ends_with("/deployments/app")).count();
    assert_eq!(object(&requests(&world, at)), 1);
    later().await;
    let at = world.api.seen().len();
    tf.refresh(RELEASE, "one").await.expect_silence();
    assert_eq!(object(&requests(&world, at)), 0, "{:?}", requests(&world, at));
    assert_eq!(world.writes(), 0, "nothing was worth trying out");
}

#[tokio::test(start_paused = true)]
async fn of_a_workload_whose_status_moves_nothing_is_asked_for() {
    let world = World::new();
    let mut tf = world.terraform().await;
    managed(&world, &mut tf, DEPLOYMENT, json!({})).await;
    tf.refresh(RELEASE, "one").await.expect_silence();
    let asked_for = async |tf: &mut Terraform, change: &dyn Fn(&mut Json)| {
        world.api.edit(&of("Deployment", "app"), change);
        later().await;
        let at = world.api.seen().len();
        let told = tf.refresh(RELEASE, "one").await.after["drifted"].clone();
        let asked = |one: &&String| one.starts_with("GET") && one.ends_with("/deployments/app");
        (requests(&world, at).iter().filter(asked).count(), told)
    };
    // Pods come and go, and its controller counts revisions.
    let status = |app: &mut Json| {
        app["status"] = json!({ "readyReplicas": 7 });
        app["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "4".into();
    };
    assert_eq!(asked_for(&mut tf, &status).await, (0, json!([])));
    // Everything else is looked at, in metadata and outside of it.
    assert_eq!(asked_for(&mut tf, &|app| app["metadata"]["labels"]["a"] = "b".into()).await.0, 1);
    assert_eq!(asked_for(&mut tf, &|app| app["metadata"]["annotations"]["a"] = "b".into()).await.0, 1);
    assert_eq!(asked_for(&mut tf, &|app| app["metadata"]["finalizers"] = json!(["a.b/c"])).await.0, 1);
    let (asked, told) = asked_for(&mut tf, &|app| app["spec"]["replicas"] = 5.into()).await;
    assert_eq!((asked, &told[0]["path"]), (1, &json!("/spec/replicas")));
    // What was found stays told while only the status moves.
    let (asked, told) = asked_for(&mut tf, &|app| app["status"] = json!({})).await;
    assert_eq!((asked, &told[0]["path"]), (0, &json!("/spec/replicas")));
}

#[tokio::test(start_paused = true)]
async fn what_an_autoscaler_decides_is_no_drift_and_what_a_person_decides_is() {
    let scale = |world: &World, manager: &str| {
        let manager = manager.to_owned();
        world.api.edit(&of("Deployment", "app"), |app| {
            app["spec"]["replicas"] = json!(3);
            app["metadata"]["managedFields"] = json!([{ "manager": manager, "operation": "Update", "subresource": "scale",
                "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:replicas": {} } } }]);
        });
    };
    for (manifest, manager, told) in [
        (DEPLOYMENT.to_owned(), "kubectl", true),
        (DEPLOYMENT.to_owned(), "kube-controller-manager", false),
        (format!("{DEPLOYMENT}---\n{SCALER}"), "kubectl", false),
    ] {
        let world = World::new();
        let mut tf = world.terraform().await;
        managed(&world, &mut tf, &manifest, json!({})).await;
        scale(&world, manager);
        let refreshed = tf.refresh(RELEASE, "one").await;
        if told {
            refreshed.expect_warning("", "Deployment/app /spec/replicas: was 1, is 3");
        } else {
            refreshed.expect_silence();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_ignored_is_not_told() {
    for (ignore, told) in [
        (json!([{ "kind": "Deployment", "name": "app", "paths": ["/spec/replicas"] }]), false),
        (json!([{ "paths": ["/spec"] }]), false),
        (json!([{ "kind": "Deployment" }]), false),
        (json!([{ "name": "other" }, { "kind": "StatefulSet", "paths": ["/spec/replicas"] }]), true),
    ] {
        let world = World::new();
        let mut tf = world.terraform().await;
        managed(&world, &mut tf, DEPLOYMENT, json!({ "drift": { "ignore": ignore } })).await;
        world.api.edit(&of("Deployment", "app"), |app| app["spec"]["replicas"] = json!(2));
        let refreshed = tf.refresh(RELEASE, "one").await;
        if told {
            refreshed.expect_warning("", "/spec/replicas");
        } else {
            refreshed.expect_silence();
            assert_eq!(world.writes(), 0, "what is ignored was tried out: {ignore}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn off_asks_for_nothing() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = managed(&world, &mut tf, DEPLOYMENT, json!({ "drift": { "mode": "off" } })).await;
    world.api.remove(&of("Deployment", "app"));
    let at = world.api.seen().len();
    tf.refresh(RELEASE, "one").await.expect_silence();
    assert_eq!(requests(&world, at), [format!("GET /api/v1/namespaces/{NAMESPACE}/secrets")]);
    assert_eq!(tf.state(RELEASE, "one")["drifted"], Json::Null);
    tf.assert_empty_plan(RELEASE, "one", config).await;
    assert!(world.api.seen().iter().all(|seen| !seen.path.contains("deployments")));
}

#[tokio::test(start_paused = true)]
async fn to_correct_is_planned_as_an_update() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = managed(&world, &mut tf, DEPLOYMENT, json!({ "drift": { "mode": "correct" } })).await;
    tf.assert_empty_plan(RELEASE, "one", config.clone()).await;
    world.api.edit(&of("Deployment", "app"), |app| app["spec"]["replicas"] = json!(2));
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_silence();
    assert_eq!(refreshed.after["drifted"][0]["path"], "/spec/replicas");
    // That Helm is asked to render shows that an update is planned.
    tf.plan(RELEASE, "one", config).await.expect_action(Action::Refused).expect_error("", NO_HELM);
}

#[tokio::test(start_paused = true)]
async fn contents_of_secrets_are_compared_and_never_shown() {
    let world = World::new();
    let mut tf = world.unconfigured().canary(CANARY).configure(json!({ "host": "the-world" })).await.unwrap();
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: app}}\nstringData: {{password: {CANARY}, other: x}}\n"
    );
    managed(&world, &mut tf, &secret, json!({})).await;
    tf.refresh(RELEASE, "one").await.expect_silence();
    world.api.edit(&of("Secret", "app"), |secret| secret["data"]["password"] = "b3RoZXItb25l".into());
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_warning("", "Secret/app /data/password: was (hidden), is (hidden)");
    let told = format!("{:?}{}", refreshed.diagnostics(), refreshed.after);
    assert!(!told.contains("other-one") && !told.contains("b3RoZXItb25l"), "{told}");
    // Records of Helm's are Secrets too, one for each revision, and are not listed along.
    let lists = world.api.seen().into_iter().filter(|seen| seen.path.ends_with("/secrets")).map(|seen| seen.query);
    assert!(lists.filter(|query| !query.contains("owner")).all(|query| query.contains("type!=helm.sh/release.v1")));
}

#[tokio::test(start_paused = true)]
async fn write_only_values_are_not_shown_wherever_they_are_rendered() {
    let world = World::new();
    let mut tf = world.unconfigured().canary(CANARY).configure(json!({ "host": "the-world" })).await.unwrap();
    let text = format!("at {CANARY} it is");
    let manifest = crate::world::manifest(&text);
    let config = world.release("one", json!({}));
    put_objects(&world.api, &manifest);
    put_record(&world.api, "one", 1, "deployed", &manifest, &json!({ "auth": { "password": CANARY } }));
    world.ours_of("one", &config, &manifest);
    tf.import(RELEASE, "one", "ffe/one", config).await.expect_ok();
    world.api.edit(&of("ConfigMap", "one"), |map| map["data"]["text"] = "another-one".into());
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_warning("", "ConfigMap/one /data/text: was (hidden), is (hidden)");
    assert!(!refreshed.after.to_string().contains("another-one"));
}

#[tokio::test(start_paused = true)]
async fn the_api_server_decides_what_is_only_another_form() {
    let world = World::new();
    let mut tf = world.terraform().await;
    managed(&world, &mut tf, DEPLOYMENT, json!({})).await;
    let path = "/deployments/app";
    world.api.edit(&of("Deployment", "app"), |app| {
        app["spec"]["template"]["spec"]["containers"][0]["image"] = "mirror/app:1".into();
    });
    // A webhook writes it so, whoever applies.
    let live = world.api.get(&of("Deployment", "app")).unwrap();
    world.api.answer("PATCH", path, Some(1), 200, &live.to_string());
    tf.refresh(RELEASE, "one").await.expect_silence();

    // Where it may not be asked, what is written counts, and that is said.
    world.api.edit(&of("Deployment", "app"), |app| app["spec"]["replicas"] = json!(2));
    world.api.fail("PATCH", path, None, 403, "Forbidden", "User \"reader\" cannot patch resource \"deployments\"");
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_warning("", "may be only another way of writing");
    refreshed.expect_warning("", "User \"reader\" cannot patch");
    refreshed.expect_warning("", "/spec/template/spec/containers/0/image: was app:1, is mirror/app:1");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_looked_at_is_said_and_stays_as_it_was_found() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let config = managed(&world, &mut tf, DEPLOYMENT, json!({})).await;
    world.api.edit(&of("Deployment", "app"), |app| app["spec"]["replicas"] = json!(2));
    tf.refresh(RELEASE, "one").await.expect_warning("", TITLE);
    let state = tf.state(RELEASE, "one");
    world.api.fail("GET", "/deployments", None, 403, "Forbidden", "User \"reader\" cannot list");
    later().await;
    let refreshed = tf.refresh(RELEASE, "one").await;
    refreshed.expect_ok();
    for part in ["User \"reader\" cannot list", "drift.ignore", "/spec/replicas"] {
        refreshed.expect_warning("", part);
    }
    assert_eq!(tf.state(RELEASE, "one"), state);
    world.api.heal();
    world.api.fail("GET", "/deployments/app", None, 403, "Forbidden", "User \"reader\" cannot get");
    world.api.edit(&of("Deployment", "app"), |app| app["spec"]["replicas"] = json!(1));
    later().await;
    tf.refresh(RELEASE, "one").await.expect_warning("", "User \"reader\" cannot get");
    assert_eq!(tf.state(RELEASE, "one"), state);
    world.api.heal();
    later().await;
    tf.refresh(RELEASE, "one").await.expect_silence();
    tf.assert_empty_plan(RELEASE, "one", config).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_itself_is_not_missed() {
    let job = |more: &str| {
        format!("apiVersion: batch/v1\nkind: Job\nmetadata: {{name: once}}\nspec: {{parallelism: 1{more}}}\n")
    };
    for (more, told) in [(", ttlSecondsAfterFinished: 60", false), ("", true)] {
        let world = World::new();
        let mut tf = world.terraform().await;
        managed(&world, &mut tf, &job(more), json!({})).await;
        world.api.remove(&of("Job", "once"));
        let refreshed = tf.refresh(RELEASE, "one").await;
        if told {
            refreshed.expect_warning("", "Job/once: deleted");
        } else {
            refreshed.expect_silence();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_releases_share_one_list_of_each_kind() {
    let world = World::new();
    let mut tf = world.terraform().await;
    let names: Vec<String> = (0..25).map(|number| format!("r{number}")).collect();
    for name in &names {
        let manifest: String = [
            ("v1", "ConfigMap", "data: {a: b}"),
            ("v1", "Secret", "stringData: {a: b}"),
            ("v1", "Service", "spec: {type: ClusterIP}"),
            ("apps/v1", "Deployment", "spec: {replicas: 1}"),
        ]
        .map(|(version, kind, body)| {
            format!("---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\n{body}\n")
        })
        .concat();
        let config = world.release(name, json!({}));
        world.record(name, 1, "deployed", &manifest);
        world.ours_of(name, &config, &manifest);
        tf.import(RELEASE, name, &format!("{NAMESPACE}/{name}"), config).await.expect_ok();
    }
    later().await;
    let at = world.api.seen().len();
    for name in &names {
        tf.refresh(RELEASE, name).await.expect_silence();
    }
    let mut asked = requests(&world, at);
    asked.sort();
    let list = |path: &str| format!("GET /{path}");
    let namespaced = |group: &str, plural: &str| list(&format!("{group}/namespaces/{NAMESPACE}/{plural}"));
    assert_eq!(
        asked,
        [
            namespaced("api/v1", "configmaps"),
            namespaced("api/v1", "secrets"),
            namespaced("api/v1", "secrets"),
            namespaced("api/v1", "services"),
            namespaced("apis/apps/v1", "deployments"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn bad_settings_are_named_with_their_path() {
    let world = World::new();
    let tf = world.terraform().await;
    for (drift, path, text) in [
        (json!({ "mode": "fix" }), "drift.mode", "one of"),
        (json!({ "ignore": [{ "kind": "Job" }, {}] }), "drift.ignore[1]", "matches nothing in particular"),
        (json!({ "ignore": [{ "paths": [] }] }), "drift.ignore[0]", "matches nothing in particular"),
        (json!({ "ignore": [{ "kind": "Job", "paths": [] }] }), "drift.ignore[0].paths", "is empty"),
        (json!({ "ignore": [{ "paths": ["/a", "spec.b"] }] }), "drift.ignore[0].paths[1]", "does not begin with"),
    ] {
        let told = tf.validate(RELEASE, world.release("one", json!({ "drift": drift }))).await;
        told.expect_error(path, text);
    }
}
