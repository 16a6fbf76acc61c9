//! Certificates issued by HTTP-01, by the real cert-manager and an ACME server that validates, through the very routes
//! that redirect everything else. Needs `Part::CertManager` and `Part::Pebble`, and what FFE_ACME_DIRECTORY,
//! FFE_ACME_CA and FFE_ACME_ROOTS tell of them.

use ffe_cluster::ObjectRef;
use ffe_cluster::k8s_openapi::ByteString;
use ffe_routing::{Class, GatewayRef, accepted, detach, http01};
use ffe_workloads::Progress;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::Client;
use crate::world::{SECRET, World};

struct Acme {
    directory: String,
    ca: String,
    roots: String,
}

fn acme() -> Acme {
    let variable = |name| std::env::var(name).unwrap();
    let read = |name| std::fs::read_to_string(variable(name)).unwrap();
    Acme { directory: variable("FFE_ACME_DIRECTORY"), ca: read("FFE_ACME_CA"), roots: read("FFE_ACME_ROOTS") }
}

/// Serves a route without a certificate, lets one be issued through it, and sees it served.
async fn issue(scenario: &str, class: Class, redirect: StatusCode) {
    let acme = acme();
    let world = World::start(scenario).await;
    let cluster = &world.cluster;
    let mut route = world.route(class.clone());
    // the ACME server, cert-manager and the test come from one address
    route.security.requests_per_minute = None;
    let resolved = world.serve(&route).await;
    let named = |name: &str| json!({"name": name, "namespace": world.namespace});
    let ca = base64(&acme.ca);
    world
        .apply(
            &json!({"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": named("acme"), "spec": {"acme": {
            "server": acme.directory, "caBundle": ca, "privateKeySecretRef": {"name": "acme-account"},
            "solvers": [{"http01": http01(&resolved).to_value()}]}}}),
        )
        .await;
    world
        .apply(&json!({"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": named("api"), "spec": {
            "secretName": SECRET, "dnsNames": route.hosts, "issuerRef": {"name": "acme", "kind": "Issuer"}}}))
        .await;
    let certificate = ObjectRef::new("cert-manager.io/v1", "Certificate", Some(&world.namespace), "api");
    let ready = |found: Option<&ffe_cluster::kube::api::DynamicObject>| {
        let conditions = found.and_then(|found| found.data.pointer("/status/conditions")).and_then(Value::as_array);
        let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
        match ready.map(|ready| (ready["status"] == "True", ready["message"].to_string())) {
            Some((true, _)) => Progress::Ready,
            Some((false, message)) => Progress::Waiting(message),
            None => Progress::Waiting("no condition yet".to_owned()),
        }
    };
    ffe_workloads::wait_for_ref(cluster, &certificate, "certificate to be issued", &world.patience(), ready)
        .await
        .unwrap();
    accepted(cluster, &route, &resolved, &world.patience()).await.unwrap();

    let client = Client { authority: acme.roots, ..world.client.clone() };
    for host in &route.hosts {
        let page = client.until_status(&format!("https://{host}/"), StatusCode::OK).await;
        assert_eq!(page.body.trim(), "application");
        client.until_status(&format!("http://{host}/"), redirect).await;
    }
    if let Class::Gateway(gateway) = &class {
        detach(cluster, gateway, &world.namespace, "api").await.unwrap();
    }
    world.end().await;
}

/// As the API writes bytes.
fn base64(text: &str) -> Value {
    serde_json::to_value(ByteString(text.as_bytes().to_vec())).unwrap()
}

pub(crate) async fn through_traefiks_own_class() {
    issue("issue-traefik", Class::Ingress(Some("traefik".to_owned())), StatusCode::MOVED_PERMANENTLY).await;
}

pub(crate) async fn through_the_dialect_of_ingress_nginx() {
    issue("issue-nginx", Class::Ingress(Some("nginx".to_owned())), StatusCode::PERMANENT_REDIRECT).await;
}

pub(crate) async fn through_a_gateway() {
    let gateway = GatewayRef { namespace: "traefik".to_owned(), name: "shared".to_owned(), manage_listener: true };
    issue("issue-gateway", Class::Gateway(gateway), StatusCode::MOVED_PERMANENTLY).await;
}
