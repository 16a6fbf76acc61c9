//! A namespace with an application, a stand-in for cert-manager's solver, and a certificate.

use std::time::Duration;

use ffe_cluster::{ApplyOptions, Cancel, Cluster, DeleteOptions, Environment, KubernetesSettings, ObjectRef};
use ffe_routing::{Backend, Class, Resolved, Route, Security, attach, objects, resolve};
use ffe_testbed::{POSTGRES_IMAGE, Testbed};
use ffe_workloads::WaitOptions;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::client::Client;

/// What the solver's stand-in answers.
pub(crate) const CHALLENGE: &str = "the-key-authorization";
/// Where a challenge is asked for.
pub(crate) const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/token";
/// The Secret with the certificate.
pub(crate) const SECRET: &str = "api-tls";

/// Where a scenario happens; its namespace goes with it.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) kubeconfig: String,
    pub(crate) testbed: Testbed,
    pub(crate) client: Client,
    certificate: Value,
}

impl World {
    /// A namespace of its own.
    pub(crate) async fn start(scenario: &str) -> World {
        let variable = |name| std::env::var(name).unwrap();
        let (kubeconfig, node) = (variable("FFE_TEST_KUBECONFIG"), variable("FFE_NODE_IP"));
        let settings = KubernetesSettings { config_path: Some(kubeconfig.clone()), ..KubernetesSettings::default() };
        let cluster = Cluster::connect(&settings, &Environment::for_tests::<String, String>([], None)).unwrap();
        let namespace = format!("routing-{scenario}-{}", std::process::id());
        let (authority, chain, key) = certificate(&namespace);
        let certificate = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": SECRET, "namespace": namespace}, "stringData": {"tls.crt": chain, "tls.key": key}});
        let client = Client { address: node.parse().unwrap(), http: 80, https: 443, authority };
        let world = World { cluster, namespace, kubeconfig, testbed: Testbed::locate().unwrap(), client, certificate };
        world.prepare().await;
        world
    }

    async fn prepare(&self) {
        self.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})).await;
        let script = format!(
            "mkdir -p /tmp/app /tmp/solver/.well-known/acme-challenge && echo application > /tmp/app/index.html &&
             echo {CHALLENGE} > /tmp/solver{CHALLENGE_PATH} &&
             {{ python3 -m http.server 8089 --directory /tmp/solver & exec python3 -m http.server 8000 --directory \
                 /tmp/app; }}"
        );
        self.apply(&json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "app", "namespace": self.namespace, "labels": {"app": "app"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "app", "image": POSTGRES_IMAGE,
                "command": ["sh", "-c", script],
                "readinessProbe": {"httpGet": {"path": "/", "port": 8000}, "periodSeconds": 1}}]}}))
            .await;
        for (name, port) in [("engine", 8000), ("solver", 8089)] {
            self.apply(
                &json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": self.namespace},
                "spec": {"selector": {"app": "app"}, "ports": [{"name": "http", "port": port}]}}),
            )
            .await;
        }
        let pod = ObjectRef::new("v1", "Pod", Some(&self.namespace), "app");
        ffe_workloads::wait_rollout(&self.cluster, &pod, &self.patience()).await.unwrap();
    }

    /// Puts the certificate there.
    pub(crate) async fn certify(&self) {
        self.apply(&self.certificate).await;
    }

    pub(crate) fn host(&self, name: &str) -> String {
        format!("{name}.{}.ffe.test", self.namespace)
    }

    /// A route with every setting for the hosts `a` and `b`.
    pub(crate) fn route(&self, class: Class) -> Route {
        let hosts = [self.host("a"), self.host("b")];
        let mut route = Route::new(&self.namespace, "api", hosts, SECRET, Backend::new("engine", "http"), class);
        route.security = Security {
            ssl_redirect: true,
            hsts_max_age: Some(31_536_000),
            hsts_subdomains: true,
            frame_options: Some("DENY".to_owned()),
            content_security_policy: Some("default-src 'self'".to_owned()),
            content_type_nosniff: true,
            requests_per_minute: Some(10),
        };
        route
    }

    /// Resolves a route and applies all that it consists of.
    pub(crate) async fn serve(&self, route: &Route) -> Resolved {
        assert_eq!(route.problems(), []);
        let resolved = resolve(&self.cluster, route).await.unwrap();
        for object in objects(route, &resolved) {
            self.apply(&object).await;
        }
        attach(&self.cluster, route, &resolved).await.unwrap();
        resolved
    }

    /// An Ingress for a challenge, as cert-manager's solver makes it.
    pub(crate) async fn challenge(&self, class: &str, host: &str) {
        let path = json!({"path": CHALLENGE_PATH, "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": "solver", "port": {"number": 8089}}}});
        self.apply(&json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {"name": "cm-acme-http-solver", "namespace": self.namespace,
                "labels": {"acme.cert-manager.io/http01-solver": "true"}},
            "spec": {"ingressClassName": class, "rules": [{"host": host, "http": {"paths": [path]}}]}}))
            .await;
    }

    pub(crate) async fn apply(&self, object: &Value) {
        self.cluster.apply_value(object, ApplyOptions::default()).await.unwrap();
    }

    pub(crate) async fn delete(&self, object: &ObjectRef) {
        self.cluster.delete(object, &DeleteOptions::default()).await.unwrap();
    }

    pub(crate) fn patience(&self) -> WaitOptions {
        WaitOptions::new(Duration::from_secs(120), Cancel::new())
    }

    /// Takes everything away again.
    pub(crate) async fn end(self) {
        self.delete(&ObjectRef::new("v1", "Namespace", None, &self.namespace)).await;
    }
}

/// An authority, and the chain and key of a certificate of it for all hosts of a namespace.
fn certificate(namespace: &str) -> (String, String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "routing tests");
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec![format!("*.{namespace}.ffe.test")]).unwrap().signed_by(&own, &issuer).unwrap();
    (authority.pem(), leaf.pem(), own.serialize_pem())
}
