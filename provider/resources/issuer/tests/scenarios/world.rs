//! Where a scenario happens: a Kubernetes API in memory, with somebody who plays cert-manager.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ffe_cloudflare::Cloudflare;
use ffe_cluster::{Cluster, Environment, ObjectRef};
use ffe_cluster_testing::FakeApi;
use ffe_helm::binary::Config as HelmConfig;
use ffe_helm::launcher::Launcher;
use ffe_issuer::IssuerResource;
use ffe_session::{ProviderConfig, Session};
use serde_json::{Value as Json, json};
use tfplugin::{AnyResource, Attr, Context, Diagnostics, Field as _, Model, Path, Provider, Value, async_trait};
use tfplugin_testing::Terraform;

/// The type under test.
pub(crate) const ISSUER: &str = "ffe_issuer";
/// Where cert-manager is, and reads the Secrets of ClusterIssuers.
pub(crate) const HOME: &str = "cm";
/// Of issuers that serve one namespace.
pub(crate) const NAMESPACE: &str = "ffe";

pub(crate) const API: &str = "cert-manager.io/v1";

const KINDS: [(&str, &str, &str, bool); 6] = [
    (API, "Certificate", "certificates", true),
    (API, "CertificateRequest", "certificaterequests", true),
    (API, "Issuer", "issuers", true),
    (API, "ClusterIssuer", "clusterissuers", false),
    ("acme.cert-manager.io/v1", "Order", "orders", true),
    ("acme.cert-manager.io/v1", "Challenge", "challenges", true),
];

/// The provider's configuration: known, or not known yet.
#[derive(Model, Clone, Debug)]
pub(crate) struct Config {
    /// Where the cluster is; any text stands for the world's own.
    #[attr(optional)]
    pub host: Attr<String>,
}

/// A provider with this one resource.
struct FfeProvider {
    session: Arc<Session>,
    cluster: Cluster,
    token: Option<String>,
}

#[async_trait]
impl Provider for FfeProvider {
    type Config = Config;

    fn name(&self) -> &'static str {
        "ffe"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![IssuerResource::new(Arc::clone(&self.session)).into()]
    }

    async fn configure(&self, _cx: &Context, config: Config) -> Diagnostics {
        if config.host.is_unknown() {
            let block = Value::map([("kubernetes", Value::map([("host", Value::Unknown)]))]);
            let unknown = ProviderConfig::from_value(&block, &Path::root()).unwrap();
            return self.session.configure_in(&unknown, &Environment::for_tests::<String, String>([], None));
        }
        self.session.use_cluster(self.cluster.clone(), HelmConfig::new(None, Launcher::Direct));
        if let Some(token) = &self.token {
            self.session.use_cloudflare(Cloudflare::new(token, None).unwrap());
        }
        Diagnostics::new()
    }
}

/// A cluster with cert-manager.
pub(crate) struct World {
    /// The cluster.
    pub(crate) api: FakeApi,
    accepts: Arc<AtomicBool>,
    player: tokio::task::JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.player.abort();
    }
}

impl World {
    /// In time that passes when nothing happens.
    pub(crate) fn new() -> World {
        let world = World::bare();
        for (api_version, kind, plural, namespaced) in KINDS {
            world.api.register(api_version, kind, plural, namespaced);
        }
        world.api.put(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "cert-manager", "namespace": HOME, "labels": {
                "app.kubernetes.io/component": "controller", "app.kubernetes.io/name": "cert-manager" } },
            "spec": { "template": { "spec": { "containers": [{ "name": "c", "image": "cert-manager-controller:v1.21.2",
                "args": ["--cluster-resource-namespace=$(POD_NAMESPACE)"] }] } } },
            "status": { "readyReplicas": 1, "availableReplicas": 1, "replicas": 1 } }));
        world
    }

    /// Without cert-manager.
    pub(crate) fn bare() -> World {
        let api = FakeApi::new();
        for namespace in [NAMESPACE, HOME] {
            api.put(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }));
        }
        let accepts = Arc::new(AtomicBool::new(true));
        let (played, willing) = (api.clone(), Arc::clone(&accepts));
        let player = tokio::spawn(async move {
            loop {
                for object in played.all() {
                    play(&played, &object, willing.load(Ordering::SeqCst));
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        World { api, accepts, player }
    }

    /// Whether the ACME server takes accounts.
    pub(crate) fn accept(&self, accepts: bool) {
        self.accepts.store(accepts, Ordering::SeqCst);
    }

    /// Terraform with an empty state, its provider configured for the cluster.
    pub(crate) async fn terraform(&self) -> Terraform {
        self.unconfigured().configure(json!({ "host": "the-world" })).await.unwrap()
    }

    /// Terraform whose provider is not configured yet.
    pub(crate) fn unconfigured(&self) -> Terraform {
        Terraform::new(FfeProvider { session: Session::new(), cluster: self.api.cluster(), token: None })
    }

    /// Terraform whose provider has a token at Cloudflare.
    pub(crate) async fn with_token(&self, token: &str) -> Terraform {
        let provider =
            FfeProvider { session: Session::new(), cluster: self.api.cluster(), token: Some(token.to_owned()) };
        Terraform::new(provider).canary(token).configure(json!({ "host": "the-world" })).await.unwrap()
    }

    /// A ClusterIssuer.
    pub(crate) fn issuer(&self, name: &str) -> Option<Json> {
        self.api.get(&cluster_issuer(name))
    }

    /// A Secret where those of ClusterIssuers are.
    pub(crate) fn secret(&self, name: &str) -> Option<Json> {
        self.api.get(&ObjectRef::new("v1", "Secret", Some(HOME), name))
    }

    /// Everything of a kind: the names.
    pub(crate) fn names(&self, kind: &str) -> Vec<String> {
        let all = self.api.all().into_iter().filter(|object| object["kind"] == kind);
        all.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    }

    /// A Certificate that refers to an issuer.
    pub(crate) fn certificate(&self, name: &str, kind: &str, issuer: &str) -> ObjectRef {
        self.api.put(
            json!({ "apiVersion": API, "kind": "Certificate", "metadata": { "name": name, "namespace": NAMESPACE },
            "spec": { "secretName": name, "dnsNames": ["x.example.com"],
                "issuerRef": { "group": "cert-manager.io", "kind": kind, "name": issuer } } }),
        );
        ObjectRef::new(API, "Certificate", Some(NAMESPACE), name)
    }

    /// How many requests would have changed something.
    pub(crate) fn writes(&self) -> usize {
        self.api.seen().iter().filter(|seen| seen.method != "GET").count()
    }
}

/// Names a ClusterIssuer.
pub(crate) fn cluster_issuer(name: &str) -> ObjectRef {
    ObjectRef::new(API, "ClusterIssuer", None, name)
}

/// cert-manager makes a key where there is none, registers, and says whether the issuer is ready.
fn play(api: &FakeApi, object: &Json, accepts: bool) {
    if !matches!(object["kind"].as_str(), Some("Issuer" | "ClusterIssuer")) {
        return;
    }
    let named = ObjectRef::from_value(object).unwrap();
    let generation = object["metadata"]["generation"].clone();
    let ready = &object["status"]["conditions"][0];
    let wanted = if accepts { "True" } else { "False" };
    if ready["observedGeneration"] == generation && ready["status"] == wanted {
        return;
    }
    let acme = object["spec"]["acme"].as_object();
    if let Some(acme) = acme.filter(|_| accepts) {
        let key = acme["privateKeySecretRef"]["name"].as_str().unwrap();
        let home = named.namespace.as_deref().unwrap_or(HOME);
        if api.get(&ObjectRef::new("v1", "Secret", Some(home), key)).is_none() {
            api.put(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": key, "namespace": home },
                "data": { "tls.key": "a2V5" } }));
        }
    }
    let uri =
        acme.map(|acme| format!("{}/acct/{}", acme["server"].as_str().unwrap(), acme["privateKeySecretRef"]["name"]));
    let message = "Failed to register ACME account: 403 urn:ietf:params:acme:error:externalAccountRequired: External account binding required";
    api.edit(&named, |issuer| {
        issuer["status"]["conditions"] = json!([{ "type": "Ready", "status": wanted, "observedGeneration": generation,
            "reason": if accepts { "ACMEAccountRegistered" } else { "ErrRegisterACMEAccount" },
            "message": if accepts { "The ACME account was registered with the ACME server" } else { message } }]);
        if let Some(uri) = uri.filter(|_| accepts) {
            issuer["status"]["acme"] = json!({ "uri": uri });
        }
    });
}

/// The configuration of a ClusterIssuer `le` by ACME: what is given of `acme`, the rest as short as it can be.
pub(crate) fn acme(more: Json) -> Json {
    let mut acme =
        json!({ "server": "letsencrypt-staging", "email": "ops@three-rivers-tech.com", "solvers": [{ "http01": {} }] });
    acme.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "name": "le", "acme": acme })
}

/// The same with more beside it.
pub(crate) fn with(mut config: Json, more: Json) -> Json {
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}
