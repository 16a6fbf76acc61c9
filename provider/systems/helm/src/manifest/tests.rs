#![allow(clippy::unwrap_used)]

use super::*;

const RENDERED: &str = r#"---
# Source: x/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: own, namespace: elsewhere}
data:
  script: |
    echo '---'
    --- not a separator
---
# Source: x/templates/empty.yaml
# nothing here
---
# Source: x/templates/service.yaml
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: http}
  - {port: 9090, nodePort: 30090, protocol: UDP}
---
# Source: x/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    spec:
      initContainers:
      - {name: wait, image: "busybox:1", env: [{name: P, valueFrom: {secretKeyRef: {name: db, key: PGPASSWORD}}}]}
      containers:
      - name: web
        image: "web:2"
        env:
        - {name: U, valueFrom: {secretKeyRef: {name: db, key: DATABASE_URL}}}
        - {name: O, valueFrom: {secretKeyRef: {name: maybe, key: x, optional: true}}}
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: made}}]
      volumes:
      - {name: a, secret: {secretName: tls, items: [{key: tls.crt, path: c}]}}
      - {name: b, projected: {sources: [{configMap: {name: ca}}, {secret: {name: opt, optional: true}}]}}
---
# Source: x/templates/made.yaml
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Secret, metadata: {name: made}, data: {k: aHVudGVyMg==}}
---
# Source: x/templates/hook.yaml
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {"helm.sh/hook": "pre-install, Pre-Upgrade", "helm.sh/hook-weight": "-5", "helm.sh/hook-delete-policy": "before-hook-creation"}
spec: {template: {spec: {containers: [{name: m, image: m, envFrom: [{secretRef: {name: db}}]}]}}}
"#;

fn manifest() -> Manifest {
    Manifest::parse(RENDERED).unwrap()
}

#[test]
fn objects_hooks_and_sources() {
    let manifest = manifest();
    let names: Vec<_> = manifest.ids().map(ToString::to_string).collect();
    assert_eq!(names, ["ConfigMap elsewhere/own", "Service web", "Deployment web", "Secret made"]);
    assert_eq!(manifest.objects[1].source.as_deref(), Some("x/templates/service.yaml"));
    assert!(manifest.objects[0].body["data"]["script"].as_str().unwrap().contains("--- not a separator"));
    let hook = &manifest.hooks[0];
    assert_eq!(hook.events, ["pre-install", "pre-upgrade"]);
    assert_eq!((hook.weight, hook.delete_policies.as_slice()), (-5, &["before-hook-creation".to_owned()][..]));
}

#[test]
fn workloads_and_services() {
    let manifest = manifest();
    let workloads = manifest.workloads("ns");
    assert_eq!(workloads.len(), 1);
    assert_eq!(workloads[0].id.to_string(), "Deployment ns/web");
    assert_eq!(workloads[0].replicas, Some(3));
    let images: Vec<_> = workloads[0].containers.iter().map(|c| (c.image.as_str(), c.init)).collect();
    assert_eq!(images, [("busybox:1", true), ("web:2", false)]);
    let services = manifest.services("ns");
    assert_eq!(services[0].namespace, "ns");
    assert_eq!(services[0].ports[0].target, PortTarget::Name("http".into()));
    assert_eq!(services[0].ports[1].target, PortTarget::Number(9090));
    assert_eq!((services[0].ports[1].node_port, services[0].ports[1].protocol.as_str()), (Some(30090), "UDP"));
    assert_eq!((services[0].kind.as_str(), services[0].headless), ("ClusterIP", false));
}

#[test]
fn references_that_must_exist() {
    let references = manifest().references("ns");
    let found: Vec<_> =
        references.iter().map(|r| format!("{} {}/{} {:?}", r.kind.kind(), r.namespace, r.name, r.keys)).collect();
    assert_eq!(
        found,
        [
            "Secret ns/db {\"DATABASE_URL\", \"PGPASSWORD\"}",
            "Secret ns/tls {\"tls.crt\"}",
            "ConfigMap ns/ca {}",
            "ConfigMap ns/settings {}",
        ]
    );
    assert_eq!(references[0].used_by.len(), 2);
}

#[test]
fn documents_that_are_no_objects_name_their_template() {
    let error =
        |text: &str| Manifest::parse(&format!("---\n# Source: x/templates/a.yaml\n{text}")).unwrap_err().to_string();
    assert_eq!(error("kind: X\n"), "x/templates/a.yaml: rendered something without kind and apiVersion");
    assert_eq!(error("kind: X\napiVersion: v1\n"), "x/templates/a.yaml: rendered a X without a name");
    assert_eq!(error("- a\n"), "x/templates/a.yaml: rendered something that is not an object");
    assert!(error("a: [hunter2\n").contains("not valid YAML"));
    assert!(!error("a: [hunter2\n").contains("hunter2"));
}

#[test]
fn digests_ignore_order_and_the_contents_of_secrets() {
    let one = Manifest::parse("{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {k: eA==}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n").unwrap();
    let two = Manifest::parse("{kind: ConfigMap, apiVersion: v1, metadata: {name: b}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {k: eQ==}}\n").unwrap();
    assert_eq!(one.digest(), two.digest());
    let three = Manifest::parse("{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {k: eA==, l: eA==}}\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n").unwrap();
    assert_ne!(one.digest(), three.digest());
}

#[test]
fn what_is_not_deterministic_is_found_and_can_be_left_out() {
    let make = |password: &str, job: &str| {
        Manifest::parse(&format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a}}, data: {{'p/w~': {password}, k: same}}}}\n---\n\
             {{apiVersion: batch/v1, kind: Job, metadata: {{name: {job}}}}}\n"
        ))
        .unwrap()
    };
    let (one, two) = (make("x", "j-1"), make("z", "j-2"));
    let unstable = one.unstable_fields(&two);
    let shown: Vec<_> = unstable.iter().map(|u| format!("{}{}", u.object, u.path)).collect();
    assert_eq!(shown, ["ConfigMap a/data/p~1w~0", "Job j-1", "Job j-2"]);
    let stable = Digests { unstable: &unstable };
    assert_eq!(stable.of(&one), stable.of(&two));
    assert_ne!(one.digest(), two.digest());
    assert_eq!(one.unstable_fields(&one), []);
}

#[test]
fn fields_that_change_are_named_and_their_values_are_not() {
    let one = serde_json::json!({"data": {"a": "x", "b": "y", "c/d": "z"}, "list": [1, 2], "same": {"k": [1]}});
    let two = serde_json::json!({"data": {"a": "x", "b": "Y", "e": "z"}, "list": [1], "same": {"k": [1]}});
    assert_eq!(changed_fields(&one, &two), ["/data/b", "/data/c~1d", "/data/e", "/list"]);
    assert_eq!(changed_fields(&one, &one), Vec::<String>::new());
}

#[test]
fn the_contents_of_secrets_are_known_for_masking() {
    let manifest = Manifest::parse(
        "{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {k: aHVudGVyMi1odW50ZXIy, n: MQ==}, stringData: {l: \"first long line\\nsecond\"}}",
    )
    .unwrap();
    assert_eq!(manifest.secret_texts(), ["first long line", "first long line\nsecond", "hunter2-hunter2"]);
}

#[test]
fn debug_shows_no_content() {
    assert!(!format!("{:?}", manifest()).contains("aHVudGVyMg"));
}

#[test]
fn what_is_left_out_is_left_out_and_the_rest_stays_as_it_is_written() {
    let text = "---\n# Source: c/templates/a.yaml\n# a comment\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: |\n    \
                one\n---\n# Source: c/templates/l.yaml\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: \
                {name: b}\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: c}\n";
    let names = |text: &str| Manifest::parse(text).unwrap().ids().map(|id| id.name.clone()).collect::<Vec<_>>();
    let without_b = without(text, &|id| id.kind == "Secret" && id.name == "b").unwrap();
    assert_eq!(names(&without_b), ["a", "c"]);
    assert!(without_b.contains("# a comment\n") && without_b.contains("    one\n"), "{without_b}");
    assert_eq!(names(&without(text, &|id| id.name == "a").unwrap()), ["b", "c"]);
    assert_eq!(without(text, &|_| true).unwrap(), "");
    assert_eq!(Manifest::parse(&without(text, &|_| false).unwrap()).unwrap(), Manifest::parse(text).unwrap());
}
