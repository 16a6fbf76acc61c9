#![allow(clippy::unwrap_used)]
use std::time::Duration;

use ffe_cluster_testing::FakeApi;
use serde_json::{Value, json};

use super::*;
use crate::testing::{api, deployment, webhook_configuration};

#[tokio::test]
async fn without_its_kinds_it_is_not_installed() {
    let installation = installation(&FakeApi::new().cluster()).await.unwrap();
    assert!(!installation.is_installed());
    let error = installation.check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "cert-manager is not installed: the API server does not serve Certificate of cert-manager.io/v1, \
         CertificateRequest of cert-manager.io/v1, Issuer of cert-manager.io/v1, ClusterIssuer of cert-manager.io/v1, \
         Order of acme.cert-manager.io/v1, Challenge of acme.cert-manager.io/v1"
    );
    assert!(error.advice().unwrap().starts_with("Install cert-manager with its custom resource definitions"));
}

#[tokio::test]
async fn its_parts_are_found_by_their_labels() {
    let api = api();
    let installation = installation(&api.cluster()).await.unwrap();
    installation.check().unwrap();
    assert_eq!(installation.controller, Part::Available { what: "Deployment cert-manager/cert-manager".to_owned() });
    assert!(matches!(installation.webhook, Part::Available { .. }));
    assert_eq!(installation.version.as_deref(), Some("v1.21.2"));
    assert_eq!(installation.cluster_resource_namespace.as_deref(), Some("cert-manager"));
    assert_eq!(installation.gateway_api, Some(false));
    assert_eq!(installation.backoff, Backoff::default());
}

#[tokio::test]
async fn a_part_that_is_scaled_away_is_unavailable() {
    let api = api();
    api.put(deployment("controller", 0, 0, &[]));
    api.put(deployment("webhook", 1, 0, &[]));
    let installation = installation(&api.cluster()).await.unwrap();
    assert_eq!(installation.controller.trouble(), Some(("Deployment cert-manager/cert-manager", "it is scaled to 0")));
    let (what, why) = installation.webhook.trouble().unwrap();
    assert_eq!(what, "Deployment cert-manager/cert-manager-webhook");
    assert_eq!(why, "0 of 1 pods are available: Deployment does not have minimum availability.");
}

#[tokio::test]
async fn a_webhook_that_nobody_trusts_is_unavailable() {
    let api = api();
    api.put(webhook_configuration(None));
    let installation = installation(&api.cluster()).await.unwrap();
    let (_, why) = installation.webhook.trouble().unwrap();
    assert_eq!(why, "the CA injector has not put the webhook's authority into it");
}

#[tokio::test]
async fn what_may_not_be_looked_at_says_nothing() {
    let api = api();
    api.fail("GET", "/apis/apps/v1/deployments", None, 403, "Forbidden", "deployments.apps is forbidden");
    let installation = installation(&api.cluster()).await.unwrap();
    assert!(installation.is_installed());
    assert!(matches!(installation.controller, Part::Unseen { .. }));
    let error = secret_namespace(&api.cluster(), &IssuerRef::cluster_issuer("le"), "ffe").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "it is not known in which namespace cert-manager reads the Secrets of ClusterIssuers: \
         the Deployments of other namespaces may not be looked at"
    );
}

#[tokio::test]
async fn secrets_are_where_that_kind_of_issuer_reads_them() {
    let api = api();
    let at = async |issuer: IssuerRef| secret_namespace(&api.cluster(), &issuer, "ffe").await.unwrap();
    assert_eq!(at(IssuerRef::issuer("le")).await, "ffe");
    assert_eq!(at(IssuerRef::cluster_issuer("le")).await, "cert-manager");
    api.put(deployment("controller", 1, 1, &["--v=2", "--cluster-resource-namespace", "secrets"]));
    assert_eq!(at(IssuerRef::cluster_issuer("le")).await, "secrets");
    // cert-manager's own default, where a bare controller was installed without the argument
    api.put(deployment("controller", 1, 1, &["--v=2"]));
    assert_eq!(at(IssuerRef::cluster_issuer("le")).await, "kube-system");
}

#[tokio::test]
async fn arguments_tell_the_pause_after_failures_and_the_gateway_api() {
    let api = api();
    let arguments = ["--certificate-request-minimum-backoff-duration=10s", "--enable-gateway-api"];
    api.put(deployment("controller", 1, 1, &arguments));
    let found = installation(&api.cluster()).await.unwrap();
    assert_eq!(found.backoff.first, Duration::from_secs(10));
    assert_eq!(found.gateway_api, Some(true));
    api.put(deployment("controller", 1, 1, &["--config=/var/cert-manager/config/config.yaml"]));
    assert_eq!(installation(&api.cluster()).await.unwrap().gateway_api, None);
}

#[test]
fn flags_are_read_in_both_forms_and_the_last_one_counts() {
    let arguments: Vec<String> = ["--a=1", "--b", "2", "-a=3", "--c"].map(str::to_owned).to_vec();
    let value = |name: &str| parts::argument(&arguments, name);
    assert_eq!(value("a").as_deref(), Some("3"));
    assert_eq!(value("b").as_deref(), Some("2"));
    assert_eq!(value("c"), None);
    assert_eq!(value("d"), None);
}

#[tokio::test]
async fn another_product_with_the_same_component_is_none_of_it() {
    let api = FakeApi::new();
    let mut other: Value = deployment("controller", 1, 1, &[]);
    other["metadata"]["labels"] =
        json!({"app.kubernetes.io/component": "controller", "app.kubernetes.io/name": "argo"});
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("quay.io/argo:1");
    api.put(other);
    let installation = installation(&api.cluster()).await.unwrap();
    assert!(matches!(installation.controller, Part::Unseen { .. }));
}

#[tokio::test]
async fn what_the_chart_makes_is_recognised() {
    let api = crate::testing::bare();
    let objects: Vec<Value> = serde_json::from_str(include_str!("installation.json")).unwrap();
    for object in objects {
        api.put(object);
    }
    let found = installation(&api.cluster()).await.unwrap();
    for part in [&found.controller, &found.webhook, &found.ca_injector] {
        assert!(matches!(part, Part::Available { .. }), "{part:?}");
    }
    assert_eq!(found.cluster_resource_namespace.as_deref(), Some("cert-manager"));
    assert_eq!(found.version.as_deref(), Some("v1.21.2"));
    assert_eq!(found.gateway_api, Some(true));
}
