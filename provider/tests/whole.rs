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
