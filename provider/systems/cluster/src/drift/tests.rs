use serde_json::{Value, json};

use super::differences;

/// The pointers at which they differ.
fn pointers(applied: &Value, live: &Value, resolved: Option<&Value>) -> Vec<String> {
    differences(applied, live, resolved).iter().map(super::Difference::pointer).collect()
}

fn deployment(spec: Value) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "one" }, "spec": spec })
}

fn pod(containers: Value) -> Value {
    deployment(json!({ "template": { "spec": { "containers": containers } } }))
}

#[test]
fn only_what_was_given_counts() {
    let applied = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "one", "labels": { "team": "core", "example.com/a~b": "x" }, "creationTimestamp": null },
        "data": { "A": "1", "B": "2", "EMPTY": "" },
    });
    let live = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "one", "uid": "u", "labels": { "team": "other", "more": "x" }, "annotations": { "by": "us" } },
        "data": { "A": "1", "C": "3" },
    });
    assert_eq!(
        pointers(&applied, &live, None),
        ["/data/B", "/data/EMPTY", "/metadata/labels/example.com~1a~0b", "/metadata/labels/team"]
    );
    assert!(pointers(&applied, &applied, None).is_empty());
    let found = differences(&applied, &live, None);
    assert_eq!((&found[0].was, &found[0].is), (&json!("2"), &None));
    assert_eq!((&found[3].was, &found[3].is), (&json!("core"), &Some(json!("other"))));
}

#[test]
fn the_status_is_nobodys() {
    let applied =
        json!({ "apiVersion": "v1", "kind": "Service", "spec": { "type": "ClusterIP" }, "status": { "a": 1 } });
    let live = json!({ "apiVersion": "v1", "kind": "Service", "spec": { "type": "NodePort" }, "status": {} });
    assert_eq!(pointers(&applied, &live, None), ["/spec/type"]);
}

#[test]
fn equivalent_forms_are_no_drift() {
    let applied = pod(json!([{
        "name": "app", "image": "a:1", "args": [], "stdin": false,
        "env": [{ "name": "COUNT", "value": "" }],
        "resources": { "requests": { "cpu": 0.1, "memory": "1024Mi" }, "limits": { "cpu": "1" } },
        "securityContext": {}, "lifecycle": null,
        "livenessProbe": { "httpGet": { "path": "/health", "port": "8000" }, "periodSeconds": 5.0 },
    }]));
    let live = pod(json!([{
        "name": "app", "image": "a:1", "imagePullPolicy": "IfNotPresent",
        "env": [{ "name": "COUNT" }],
        "resources": { "requests": { "cpu": "100m", "memory": "1Gi" }, "limits": { "cpu": 1 } },
        "livenessProbe": { "httpGet": { "path": "/health", "port": 8000, "scheme": "HTTP" }, "periodSeconds": 5 },
    }]));
    assert!(pointers(&applied, &live, None).is_empty(), "{:?}", pointers(&applied, &live, None));
    // Amounts are equal by value where there are amounts, and texts are texts elsewhere.
    let texts = |text: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "limits": text } });
    assert_eq!(pointers(&texts("100m"), &texts("0.1"), None), ["/data/limits"]);
}

#[test]
fn elements_are_found_by_what_tells_them() {
    let applied = pod(json!([
        { "name": "app", "image": "a:1", "ports": [{ "containerPort": 80 }, { "containerPort": 53, "protocol": "UDP" }],
          "volumeMounts": [{ "mountPath": "/a", "name": "a" }] },
        { "name": "side", "image": "b:1" },
        { "name": "gone", "image": "c:1" },
    ]));
    let live = pod(json!([
        { "name": "injected", "image": "x" },
        { "name": "side", "image": "b:2" },
        { "name": "app", "image": "a:1", "ports": [{ "containerPort": 53, "protocol": "UDP", "name": "dns" }, { "containerPort": 80, "protocol": "TCP" }],
          "volumeMounts": [{ "mountPath": "/token", "name": "t" }, { "mountPath": "/a", "name": "b" }] },
    ]));
    let at = "/spec/template/spec/containers";
    assert_eq!(
        pointers(&applied, &live, None),
        [format!("{at}/0/volumeMounts/0/name"), format!("{at}/1/image"), format!("{at}/2")]
    );
}

#[test]
fn other_lists_are_compared_by_position_and_length() {
    let rules = |paths: Value| json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": { "rules": [{ "http": { "paths": paths } }] } });
    let applied = rules(json!([{ "path": "/" }]));
    assert!(pointers(&applied, &rules(json!([{ "path": "/", "pathType": "Prefix" }])), None).is_empty());
    let at = "/spec/rules/0/http/paths";
    assert_eq!(pointers(&applied, &rules(json!([{ "path": "/a" }])), None), [format!("{at}/0/path")]);
    assert_eq!(pointers(&applied, &rules(json!([{ "path": "/" }, { "path": "/b" }])), None), [at]);
    // What tells the elements of a custom resource's list is not known here.
    let custom = |names: &[&str]| {
        let env: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        json!({ "apiVersion": "example.com/v1", "kind": "Thing", "spec": { "env": env } })
    };
    assert_eq!(pointers(&custom(&["a"]), &custom(&["a", "b"]), None), ["/spec/env"]);
}

#[test]
fn secrets_are_compared_by_content_however_it_was_written() {
    let applied = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "stringData": { "A": "one", "C": "three" }, "data": { "B": "dHdv\n", "A": "aWdub3JlZA==" },
    });
    let live = |a: &str| json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": { "A": a, "B": "dHdv", "C": "dGhyZWU=" } });
    assert!(pointers(&applied, &live("b25l"), None).is_empty());
    assert_eq!(pointers(&applied, &live("b3RoZXI="), None), ["/data/A"]);
}

#[test]
fn what_the_server_makes_of_it_decides() {
    let applied = json!({ "apiVersion": "example.com/v1", "kind": "Thing", "spec": { "after": "90m", "size": "small", "names": ["a"] } });
    let live = json!({ "apiVersion": "example.com/v1", "kind": "Thing", "spec": { "after": "1h30m0s", "size": "large", "names": ["a", "b"] } });
    assert_eq!(pointers(&applied, &live, None), ["/spec/after", "/spec/names", "/spec/size"]);
    let resolved = json!({ "apiVersion": "example.com/v1", "kind": "Thing", "spec": { "after": "1h30m0s", "size": "small", "names": ["a", "b"] } });
    assert_eq!(pointers(&applied, &live, Some(&resolved)), ["/spec/size"]);
    // Elements keep their names when their places differ.
    let applied = pod(json!([{ "name": "app", "image": "a" }]));
    let live = pod(json!([{ "name": "side" }, { "name": "app", "image": "mirror/a" }]));
    let resolved = pod(json!([{ "name": "app", "image": "mirror/a" }, { "name": "side" }]));
    assert!(pointers(&applied, &live, Some(&resolved)).is_empty());
}

#[test]
fn what_a_controller_has_written_is_no_drift_and_what_others_have_is() {
    let applied = deployment(
        json!({ "replicas": 1, "template": { "spec": { "containers": [{ "name": "app", "image": "a" }] } } }),
    );
    let live = |manager: &str, fields: Value| {
        let mut live = deployment(
            json!({ "replicas": 3, "template": { "spec": { "containers": [{ "name": "app", "image": "b" }] } } }),
        );
        live["metadata"]["managedFields"] = json!([
            { "manager": "helm", "operation": "Apply", "fieldsV1": { "f:spec": { "f:paused": {} } } },
            { "manager": manager, "operation": "Update", "fieldsV1": fields },
        ]);
        live
    };
    let (replicas, image) = ("/spec/replicas", "/spec/template/spec/containers/0/image");
    let scaled = json!({ "f:spec": { "f:replicas": {} } });
    for (manager, expected) in [
        ("kube-controller-manager", vec![image]),
        ("keda-operator", vec![image]),
        ("kubectl", vec![replicas, image]),
        ("kubectl-edit", vec![replicas, image]),
        ("kustomize-controller", vec![replicas, image]),
    ] {
        assert_eq!(pointers(&applied, &live(manager, scaled.clone()), None), expected, "{manager}");
    }
    let containers = |key: &str| json!({ "f:spec": { "f:template": { "f:spec": { "f:containers": { key: { ".": {}, "f:image": {} } } } } } });
    let of = |fields| pointers(&applied, &live("image-updater-controller", fields), None);
    assert_eq!(of(containers("k:{\"name\":\"app\"}")), [replicas]);
    assert_eq!(of(containers("k:{\"name\":\"other\"}")), [replicas, image]);
    // Owned as a whole.
    assert_eq!(of(json!({ "f:spec": { "f:template": {} } })), [replicas]);
}
