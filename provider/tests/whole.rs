//! The provider as a whole, over its gRPC service: what it consists of, and that nothing of it needs a cluster before
//! there is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value as Json, json};
use terraform_provider_ffe::{ADDRESS, Ffe};
use tfplugin::{Deferred, Engine};
use tfplugin_testing::{Action, Terraform, Told, unknown};

/// Configurations of everything that there is, as short as they can be.
fn everything() -> Vec<(&'static str, Json)> {
    vec![
        ("ffe_environment", json!({ "name": "production" })),
        ("ffe_issuer", json!({ "name": "letsencrypt", "self_signed": {} })),
        (
            "ffe_release",
            json!({ "namespace": "ffe", "name": "backend", "chart": "oci://registry.example.com/backend" }),
        ),
        (
            "ffe_tls_endpoint",
            json!({
                "namespace": "ffe", "name": "backend", "hosts": ["ffe.example.com"],
                "backend": { "service": "backend", "port": "8000" }, "issuer": { "name": "letsencrypt" },
            }),
        ),
    ]
}

#[test]
fn names_are_those_of_the_provider_and_all_are_covered_here() {
    let engine = Engine::new(Ffe::new());
    assert_eq!(ADDRESS.rsplit('/').next(), Some(engine.name()));
    let names: Vec<&str> = engine.resources().keys().copied().collect();
    let covered: Vec<&str> = everything().iter().map(|(name, _)| *name).collect();
    assert_eq!(names, covered, "a resource that the tests below do not plan");
    for (name, resource) in engine.resources() {
        assert!(name.starts_with("ffe_"), "{name}");
        assert!(!resource.schema().description.is_empty(), "{name} has no description");
    }
}

#[tokio::test]
async fn with_a_cluster_that_is_not_known_yet_everything_is_planned() {
    for kubernetes in [unknown(), json!({ "host": unknown(), "token": "t" }), json!({ "exec": unknown() })] {
        // Every schema's problems are failures here.
        let tf = Terraform::over_grpc(Ffe::new());
        let mut tf = tf.configure(json!({ "kubernetes": kubernetes })).await.unwrap();
        for (kind, config) in everything() {
            let planned = tf.plan(kind, "this", config.clone()).await;
            planned.expect_action(Action::Create).expect_ok();
            assert_eq!(planned.deferred, None, "{kind}");
        }
        let mut tf = tf.deferral_allowed(true);
        for (kind, config) in everything() {
            let planned = tf.plan(kind, "this", config).await;
            assert_eq!(planned.deferred, Some(Deferred::ProviderConfigUnknown), "{kind}");
        }
    }
}

#[tokio::test]
async fn an_unusable_configuration_is_refused_at_its_attribute() {
    for (kubernetes, path, text) in [
        (json!({ "config_path": "/no/such/kubeconfig" }), "kubernetes.config_path", "cannot be read"),
        (json!({ "host": "ftp://example.com" }), "kubernetes.host", "must be a URL"),
        (
            json!({ "host": "https://a", "token": "t", "username": "u", "password": "p" }),
            "kubernetes.username",
            "both set",
        ),
        (
            json!({ "host": "https://a", "exec": { "api_version": "v1", "command": "x" } }),
            "kubernetes.exec.api_version",
            "one of",
        ),
        (json!({ "host": "https://a", "proxy_url": "nowhere" }), "kubernetes.proxy_url", "URL"),
    ] {
        let refused = Terraform::over_grpc(Ffe::new()).configure(json!({ "kubernetes": kubernetes })).await;
        refused.err().unwrap().expect_error(path, text);
    }
    let refused = Terraform::over_grpc(Ffe::new()).configure(json!({ "helm": { "driver": "sql" } })).await;
    refused.err().unwrap().expect_error("helm.driver", "\"secret\", \"configmap\"");
}

/// The attributes that are no whole numbers, at every depth, by their full name.
fn fractions(at: &str, attributes: &[tfplugin::Attribute], found: &mut Vec<String>) {
    for attribute in attributes {
        let name = format!("{at}.{}", attribute.name);
        match &attribute.shape {
            tfplugin::Shape::Nested(_, inside) => fractions(&name, inside, found),
            tfplugin::Shape::Plain(_) if attribute.fractional && !attribute.write_only => found.push(name),
            tfplugin::Shape::Plain(_) => {}
        }
    }
}

/// Terraform compares them digit by digit, each in every plan: a hundred releases with six of them each took it two seconds more.
#[test]
fn no_state_holds_a_fractional_number() {
    let engine = Engine::new(Ffe::new());
    let mut found = Vec::new();
    for (name, resource) in engine.resources() {
        fractions(name, &resource.schema().attributes, &mut found);
    }
    for (name, source) in engine.data_sources() {
        fractions(&format!("data.{name}"), &source.schema().attributes, &mut found);
    }
    assert_eq!(found, Vec::<String>::new(), "say milliseconds, or a text such as 4.9s");
}

/// What the state of the schema before this one was like.
#[tokio::test]
async fn a_release_of_the_schema_before_is_read() {
    let engine = Engine::new(Ffe::new());
    let release = &engine.resources()["ffe_release"];
    let old = json!({
        "namespace": "ffe", "name": "backend", "chart": "./chart", "revision": 3, "status": "deployed",
        "changes": [{ "action": "create", "object": "ConfigMap/one", "fields": null, "digest": "sha256:0123456789abcdef" }],
        "value_changes": [], "unstable_fields": [], "drifted": [],
        "last_run": {
            "id": "ab12", "outcome": "succeeded", "started": "2026-01-02T03:04:05Z", "finished": "2026-01-02T03:05:05Z",
            "phases": [{ "name": "lock", "outcome": "succeeded", "seconds": 0.1 }], "backup": null,
        },
    });
    let new = release.upgrade(0, old.to_string().as_bytes()).unwrap();
    assert_eq!(new.attribute("revision").clone(), 3.into());
    assert_eq!(new.attribute("changes").as_str(), Some("create ConfigMap/one"));
    assert_eq!(new.attribute("last_run").as_str(), Some("succeeded at 2026-01-02T03:05:05Z, run ab12"));
    assert!(new.attribute("value_changes").is_null() && new.attribute("backup").is_null());
    // And as it is now.
    let again = json!({ "namespace": "ffe", "name": "backend", "changes": "create ConfigMap/one" });
    let again = release.upgrade(1, again.to_string().as_bytes()).unwrap();
    assert_eq!(again.attribute("changes").as_str(), Some("create ConfigMap/one"));
    assert!(release.upgrade(2, b"{}").is_err());
}
