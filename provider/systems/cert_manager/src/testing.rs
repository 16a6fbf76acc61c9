//! What unit tests put into the API in memory.
#![allow(clippy::unwrap_used)]

use ffe_cluster_testing::FakeApi;
use serde_json::{Value, json};

/// An API that serves cert-manager's kinds, with all its parts at work, and the namespace ffe.
pub(crate) fn api() -> FakeApi {
    let api = bare();
    api.put(deployment("controller", 1, 1, &["--v=2", "--cluster-resource-namespace=$(POD_NAMESPACE)"]));
    api.put(deployment("webhook", 1, 1, &[]));
    api.put(deployment("cainjector", 1, 1, &[]));
    api.put(webhook_configuration(Some("Q0E=")));
    api.put(json!({"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "traefik"},
        "spec": {"controller": "traefik.io/ingress-controller"}}));
    api
}

/// The same without any part of cert-manager.
pub(crate) fn bare() -> FakeApi {
    let api = FakeApi::new();
    for (version, kind, plural, namespaced) in [
        (crate::API, "Certificate", "certificates", true),
        (crate::API, "CertificateRequest", "certificaterequests", true),
        (crate::API, "Issuer", "issuers", true),
        (crate::API, "ClusterIssuer", "clusterissuers", false),
        (crate::ACME_API, "Order", "orders", true),
        (crate::ACME_API, "Challenge", "challenges", true),
        ("networking.k8s.io/v1", "IngressClass", "ingressclasses", false),
        ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false),
    ] {
        api.register(version, kind, plural, namespaced);
    }
    for name in ["ffe", "cert-manager"] {
        api.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
    api
}

/// One of cert-manager's Deployments, as its chart makes them.
pub(crate) fn deployment(component: &str, wanted: i32, available: i32, arguments: &[&str]) -> Value {
    let (name, image) = match component {
        "controller" => ("cert-manager".to_owned(), "cert-manager-controller".to_owned()),
        other => (format!("cert-manager-{other}"), format!("cert-manager-{other}")),
    };
    let lacking = if available > 0 { "True" } else { "False" };
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "cert-manager", "labels": {"app.kubernetes.io/name": "cert-manager",
            "app.kubernetes.io/component": component, "app.kubernetes.io/version": "v1.21.2"}},
        "spec": {"replicas": wanted, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": format!("quay.io/jetstack/{image}:v1.21.2"), "args": arguments}]}}},
        "status": {"availableReplicas": available, "conditions": [{"type": "Available", "status": lacking,
            "reason": "MinimumReplicasUnavailable", "message": "Deployment does not have minimum availability."}]}})
}

/// How the API server is told of the webhook; the bundle is what the CA injector writes.
pub(crate) fn webhook_configuration(bundle: Option<&str>) -> Value {
    let mut client =
        json!({"service": {"name": "cert-manager-webhook", "namespace": "cert-manager", "path": "/validate"}});
    if let Some(bundle) = bundle {
        client["caBundle"] = Value::from(bundle);
    }
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "cert-manager-webhook"},
        "webhooks": [{"name": "webhook.cert-manager.io", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": client}]})
}

/// A Certificate ffe/api without any status.
pub(crate) fn certificate() -> Value {
    json!({"apiVersion": crate::API, "kind": "Certificate", "metadata": {"name": "api", "namespace": "ffe"},
        "spec": {"secretName": "api-tls", "dnsNames": ["api.test"],
            "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": "acme"}}})
}

/// Its issuer, ready.
pub(crate) fn issuer() -> Value {
    json!({"apiVersion": crate::API, "kind": "Issuer", "metadata": {"name": "acme", "namespace": "ffe"},
        "spec": {"acme": {"server": "https://acme.test/dir", "privateKeySecretRef": {"name": "acme-account"},
            "solvers": [{"http01": {"ingress": {"ingressClassName": "traefik"}}}]}},
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "ACMEAccountRegistered",
            "observedGeneration": 1, "message": "The ACME account was registered with the ACME server"}]}})
}
