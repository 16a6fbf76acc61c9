//! Where a scenario happens: against a fake API server, or against the cluster of a kubeconfig (with FFE_DATABASE_IMAGE an
//! image that it has).

use std::sync::Arc;

use ffe_cluster::{Cluster, Environment as Surroundings, KubernetesSettings};
use ffe_environment::{Defaults, EnvironmentResource, PresetFunction};
use ffe_session::{ProviderConfig, Session, new_run_id};
use serde_json::{Value as Json, json};
use tfplugin::{AnyResource, Context, Diagnostics, Function, Provider, async_trait};
use tfplugin_testing::Terraform;

use crate::fake::Fake;

/// The type under test.
pub(crate) const ENVIRONMENT: &str = "ffe_environment";

/// A provider with this one resource.
struct FfeProvider {
    session: Arc<Session>,
    defaults: Defaults,
}

#[async_trait]
impl Provider for FfeProvider {
    type Config = ProviderConfig;

    fn name(&self) -> &'static str {
        "ffe"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![EnvironmentResource::with_defaults(Arc::clone(&self.session), self.defaults.clone()).into()]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(PresetFunction)]
    }

    async fn configure(&self, _cx: &Context, config: ProviderConfig) -> Diagnostics {
        self.session.configure_in(&config, &Surroundings::for_tests::<String, String>([], None))
    }
}

/// Where a scenario is played.
pub(crate) enum Place {
    /// Against the fake API server.
    Fake,
    /// Against the cluster of this kubeconfig.
    Cluster(String),
}

/// A cluster, and a name that no other scenario has.
pub(crate) struct World {
    /// Of the provider.
    pub(crate) config: Json,
    /// For what happens behind Terraform's back.
    pub(crate) cluster: Cluster,
    /// Where there is no real cluster.
    pub(crate) fake: Option<Fake>,
    /// Name of the environment.
    pub(crate) name: String,
    image: String,
}

impl World {
    /// The cluster of the kubeconfig, or a fake one.
    pub(crate) async fn start(place: &Place, scenario: &str) -> World {
        match place {
            Place::Cluster(path) => {
                let settings = KubernetesSettings { config_path: Some(path.clone()), ..KubernetesSettings::default() };
                let image = Defaults::from_environment().database_image;
                World::new(scenario, settings, json!({ "kubernetes": { "config_path": path } }), None, image)
            }
            Place::Fake => World::fake(scenario).await,
        }
    }

    /// A fake cluster, for what a real one does not do when told.
    pub(crate) async fn fake(scenario: &str) -> World {
        let (fake, address) = Fake::start().await;
        let settings = KubernetesSettings { host: Some(address.clone()), ..KubernetesSettings::default() };
        World::new(scenario, settings, json!({ "kubernetes": { "host": address } }), Some(fake), None)
    }

    fn new(
        scenario: &str,
        settings: KubernetesSettings,
        config: Json,
        fake: Option<Fake>,
        image: Option<String>,
    ) -> World {
        let cluster = Cluster::connect(&settings, &Surroundings::for_tests::<String, String>([], None)).unwrap();
        let image = image.unwrap_or_else(|| "postgres:15-alpine".to_owned());
        World { config, cluster, fake, name: format!("{scenario}-{}", &new_run_id()[..6]), image }
    }

    /// Terraform with an empty state.
    pub(crate) async fn terraform(&self) -> Terraform {
        self.unconfigured().configure(self.config.clone()).await.unwrap()
    }

    /// Terraform with an empty state, on another machine, beside the fake API server.
    pub(crate) async fn terraform_elsewhere(&self) -> Terraform {
        let host = self.fake.as_ref().unwrap().elsewhere().await;
        self.unconfigured().configure(json!({ "kubernetes": { "host": host } })).await.unwrap()
    }

    /// Terraform whose provider is not configured yet.
    pub(crate) fn unconfigured(&self) -> Terraform {
        self.surrounded_by(Some(&self.image))
    }

    /// The same where FFE_DATABASE_IMAGE says this.
    pub(crate) fn surrounded_by(&self, image: Option<&str>) -> Terraform {
        let defaults = Defaults { database_image: image.map(str::to_owned) };
        Terraform::new(FfeProvider { session: Session::new(), defaults })
    }

    /// Whether the database runs.
    pub(crate) fn is_real(&self) -> bool {
        self.fake.is_none()
    }

    /// A timeout that a failure may use up.
    pub(crate) fn impatience(&self) -> &'static str {
        if self.is_real() { "40s" } else { "2s" }
    }

    /// The namespace of the environment.
    pub(crate) fn namespace(&self) -> String {
        format!("ffe-{}", self.name)
    }

    /// A configuration: name, then what is given.
    pub(crate) fn environment(&self, more: Json) -> Json {
        let mut config = json!({ "name": self.name, "timeout": "3m" });
        if let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) {
            config.extend(more);
        }
        config
    }
}
