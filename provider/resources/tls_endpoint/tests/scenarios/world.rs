//! Where a scenario happens: a Kubernetes API in memory, with somebody who plays the controllers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ffe_cloudflare::Cloudflare;
use ffe_cloudflare::standin::StandIn;
use ffe_cluster::kube::Client;
use ffe_cluster::{Cluster, Environment, ObjectRef};
use ffe_cluster_testing::{FakeApi, SERVER};
use ffe_helm::binary::Config as HelmConfig;
use ffe_helm::launcher::Launcher;
use ffe_issuer::IssuerResource;
use ffe_session::{ProviderConfig, Session};
use ffe_tls_endpoint::{CertificateDataSource, TlsEndpointResource};
use serde_json::{Value as Json, json};
use tfplugin::{
    AnyDataSource, AnyResource, Attr, Context, Diagnostics, Field as _, Model, Path, Provider, Value, async_trait,
};
use tfplugin_testing::Terraform;
use tokio::sync::Notify;

use crate::controllers::Controllers;
use crate::visitor::Visitor;

/// The type under test.
pub(crate) const ENDPOINT: &str = "ffe_tls_endpoint";
/// The namespace of every endpoint here.
pub(crate) const NAMESPACE: &str = "ffe";
/// Where the controllers say that they are reached.
pub(crate) const ADDRESS: &str = "203.0.113.7";

/// The same of the class `nginx`.
pub(crate) const OTHER_ADDRESS: &str = "203.0.113.8";

const KINDS: [(&str, &str, &str, bool); 13] = [
    ("cert-manager.io/v1", "Certificate", "certificates", true),
    ("cert-manager.io/v1", "CertificateRequest", "certificaterequests", true),
    ("cert-manager.io/v1", "Issuer", "issuers", true),
    ("cert-manager.io/v1", "ClusterIssuer", "clusterissuers", false),
    ("acme.cert-manager.io/v1", "Order", "orders", true),
    ("acme.cert-manager.io/v1", "Challenge", "challenges", true),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses", false),
    ("traefik.io/v1alpha1", "Middleware", "middlewares", true),
    ("gateway.networking.k8s.io/v1", "Gateway", "gateways", true),
    ("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses", false),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", true),
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "referencegrants", true),
    ("monitoring.coreos.com/v1", "PrometheusRule", "prometheusrules", true),
];

/// The provider's configuration: known, or not known yet.
#[derive(Model, Clone, Debug)]
pub(crate) struct Config {
    /// Where the cluster is; any text stands for the world's own.
    #[attr(optional)]
    pub host: Attr<String>,
}

/// A provider with this resource, and that of the issuers that it refers to.
struct FfeProvider {
    session: Arc<Session>,
    cluster: Cluster,
    cloudflare: Option<Cloudflare>,
}

#[async_trait]
impl Provider for FfeProvider {
    type Config = Config;

    fn name(&self) -> &'static str {
        "ffe"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![
            TlsEndpointResource::new(Arc::clone(&self.session)).into(),
            IssuerResource::new(Arc::clone(&self.session)).into(),
        ]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![AnyDataSource::new(CertificateDataSource::new(Arc::clone(&self.session)))]
    }

    async fn configure(&self, _cx: &Context, config: Config) -> Diagnostics {
        if config.host.is_unknown() {
            let block = Value::map([("kubernetes", Value::map([("host", Value::Unknown)]))]);
            let unknown = ProviderConfig::from_value(&block, &Path::root()).unwrap();
            return self.session.configure_in(&unknown, &Environment::for_tests::<String, String>([], None));
        }
        self.session.use_cluster(self.cluster.clone(), HelmConfig::new(None, Launcher::Direct));
        if let Some(cloudflare) = &self.cloudflare {
            self.session.use_cloudflare(cloudflare.clone());
        }
        Diagnostics::new()
    }
}

/// A cluster, and a provider of DNS where a scenario needs one.
pub(crate) struct World {
    /// The cluster.
    pub(crate) api: FakeApi,
    /// What it does by itself.
    pub(crate) controllers: Controllers,
    /// Cloudflare.
    pub(crate) standin: Option<(StandIn, String)>,
    _clock: Option<Background>,
}

/// A task that ends with what holds this.
pub(crate) struct Background(pub(crate) tokio::task::JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    /// A cluster with cert-manager, Traefik and the Prometheus operator's kinds, in time that passes when nothing
    /// happens.
    pub(crate) fn new() -> World {
        let world = World::bare();
        for (api_version, kind, plural, namespaced) in KINDS {
            world.api.register(api_version, kind, plural, namespaced);
        }
        for (name, app, controller) in [
            ("traefik", "traefik", "traefik.io/ingress-controller"),
            ("nginx", "ingress-nginx", "k8s.io/ingress-nginx"),
            ("traefik-nginx", "traefik", "k8s.io/ingress-nginx"),
        ] {
            world.api.put(json!({ "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
                "metadata": { "name": name, "labels": { "app.kubernetes.io/name": app } }, "spec": { "controller": controller } }));
        }
        world.issuer("internal", json!({ "ca": { "secretName": "root" } }));
        world
    }

    /// A cluster without any of that.
    pub(crate) fn bare() -> World {
        let api = FakeApi::new();
        api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } }));
        api.put(
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "backend", "namespace": NAMESPACE },
            "spec": { "selector": { "app": "backend" }, "ports": [{ "name": "http", "port": 8000 }] } }),
        );
        World { controllers: Controllers::start(api.clone()), api, standin: None, _clock: None }
    }

    /// The same with Cloudflare, which listens on a real socket: time passes twentyfold then.
    pub(crate) fn with_dns() -> World {
        let standin = StandIn::start().unwrap();
        let zone = standin.seed_zone("example.com");
        let clock = tokio::spawn(async {
            loop {
                // While this sleeps, time does not pass by itself.
                tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(5))).await.unwrap();
                tokio::time::advance(Duration::from_millis(100)).await;
            }
        });
        World { standin: Some((standin, zone)), _clock: Some(Background(clock)), ..World::new() }
    }

    /// An issuer of somebody else's.
    pub(crate) fn issuer(&self, name: &str, spec: Json) {
        self.api.put(json!({ "apiVersion": "cert-manager.io/v1", "kind": "Issuer",
            "metadata": { "name": name, "namespace": NAMESPACE }, "spec": spec }));
    }

    /// Terraform with an empty state, its provider configured for the cluster.
    pub(crate) async fn terraform(&self) -> Terraform {
        self.unconfigured().configure(json!({ "host": "the-world" })).await.unwrap()
    }

    /// Terraform whose provider is not configured yet.
    pub(crate) fn unconfigured(&self) -> Terraform {
        self.terraform_on(self.api.cluster())
    }

    /// The same, whose provider dies before a write: its request never comes.
    pub(crate) async fn mortal(&self, death: &Death) -> Terraform {
        let (client, death) = (self.api.client(), death.clone());
        let service = tower::service_fn(move |request: http::Request<ffe_cluster::kube::client::Body>| {
            let (client, death) = (client.clone(), death.clone());
            async move {
                if request.method() != http::Method::GET {
                    death.before_a_write().await;
                }
                client.send(request).await
            }
        });
        let cluster = Cluster::from_client(Client::new(service, "default"), SERVER);
        self.terraform_on(cluster).configure(json!({ "host": "the-world" })).await.unwrap()
    }

    /// The same while somebody asks for a host.
    pub(crate) async fn watched(&self, visitor: &Visitor) -> Terraform {
        let (client, visitor) = (self.api.client(), visitor.clone());
        let service = tower::service_fn(move |request: http::Request<ffe_cluster::kube::client::Body>| {
            let (client, visitor) = (client.clone(), visitor.clone());
            async move {
                let writes = request.method() != http::Method::GET;
                let what = format!("{} {}", request.method(), request.uri().path());
                let answer = client.send(request).await;
                if writes {
                    visitor.look(&what);
                }
                answer
            }
        });
        let cluster = Cluster::from_client(Client::new(service, "default"), SERVER);
        self.terraform_on(cluster).configure(json!({ "host": "the-world" })).await.unwrap()
    }

    fn terraform_on(&self, cluster: Cluster) -> Terraform {
        let cloudflare = self
            .standin
            .as_ref()
            .map(|(standin, _)| Cloudflare::new(standin.token(), Some(&standin.base_url())).unwrap());
        Terraform::new(FfeProvider { session: Session::new(), cluster, cloudflare })
    }

    /// What is there.
    pub(crate) fn get(&self, api_version: &str, kind: &str, name: &str) -> Option<Json> {
        self.api.get(&ObjectRef::new(api_version, kind, Some(NAMESPACE), name))
    }

    /// Everything of a kind: the names.
    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        let all = self.api.all().into_iter().filter(|object| object["kind"] == kind);
        all.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The records of the zone: name and content.
    pub(crate) fn records(&self) -> Vec<(String, String)> {
        let (standin, zone) = self.standin.as_ref().unwrap();
        standin.records(zone).into_iter().map(|record| (record.name, record.content)).collect()
    }

    /// How many requests would have changed something.
    pub(crate) fn writes(&self) -> usize {
        self.api.seen().iter().filter(|seen| seen.method != "GET").count()
    }
}

/// When a provider dies.
#[derive(Clone)]
pub(crate) struct Death {
    left: Arc<AtomicUsize>,
    reached: Arc<Notify>,
}

impl Death {
    /// After so many writes.
    pub(crate) fn after(writes: usize) -> Death {
        Death { left: Arc::new(AtomicUsize::new(writes)), reached: Arc::default() }
    }

    async fn before_a_write(&self) {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_err() {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Waits for it.
    pub(crate) async fn comes(&self) {
        self.reached.notified().await;
    }
}

/// A configuration: what every endpoint has, then what is given.
pub(crate) fn endpoint(more: Json) -> Json {
    let mut config = json!({
        "namespace": NAMESPACE, "name": "api", "hosts": ["api.example.com"], "ingress_class": "traefik",
        "backend": { "service": "backend", "port": "8000" }, "issuer": { "name": "internal" },
        "verify": { "enabled": false },
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

/// The type of issuers of their own.
pub(crate) const ISSUER: &str = "ffe_issuer";

/// An issuer by ACME.
pub(crate) fn acme(solver: Json) -> Json {
    json!({ "acme": { "server": "letsencrypt", "email": "ops@three-rivers-tech.com", "solver": solver } })
}
