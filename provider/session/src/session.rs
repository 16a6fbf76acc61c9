//! The configured provider, shared by its resources.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use ffe_cloudflare::Cloudflare;
use ffe_cluster::{Cluster, Environment, KubernetesSettings};
use ffe_dns::Provider;
use ffe_helm::Secret;
use ffe_helm::binary::{Config as HelmConfig, Driver, Helm, Registry as HelmRegistry};
use ffe_helm::chart::Charts;
use ffe_helm::launcher::Launcher;
use ffe_helm::records::Records;
use ffe_notify::{Channel, Notifier, RetryOptions};
use ffe_rfc2136::Rfc2136;
use tfplugin::{Attr, Deferred, Diagnostic, Diagnostics, Field, Path};

use crate::access::Access;
use crate::config::{Notification, ProviderConfig};
use crate::errors::configuration_diagnostic;
use crate::{cloudflare, rfc2136};

/// The word for a name server of one's own.
const RFC2136: &str = "rfc2136";

/// Helm's own variable for where it keeps records.
const DRIVER_VARIABLE: &str = "HELM_DRIVER";

/// Why there is no cluster, or no Cloudflare.
#[derive(Clone, Debug)]
pub enum Unavailable {
    /// The provider's configuration depends on something that is made in the same run. Plan with unknowns, keep
    /// prior state; at apply this does not happen.
    Unknown,
    /// The provider's configuration cannot be used; says why.
    Invalid(Diagnostics),
}

impl Unavailable {
    /// As an error, for operations that cannot do without.
    pub fn into_diagnostics(self) -> Diagnostics {
        match self {
            Unavailable::Invalid(diagnostics) => diagnostics,
            Unavailable::Unknown => Diagnostics::error(
                "The provider's configuration is not known yet",
                "The settings of provider \"ffe\" (kubernetes, helm, cloudflare or rfc2136) depend on values that are known only \
                 after another resource has been applied. Apply that resource first, for example with -target.",
            ),
        }
    }
}

/// Helm and what goes with it, made once a run.
pub struct HelmKit {
    /// The binary.
    pub helm: Helm,
    /// Charts, pulled at most once.
    pub charts: Charts,
    /// Release records, read natively.
    pub records: Records,
}

/// The configured provider.
#[derive(Default)]
pub struct Session {
    state: RwLock<State>,
    /// On its own: a token that is not known yet takes nothing from what needs the cluster alone.
    cloudflare: RwLock<Access<Cloudflare>>,
    rfc2136: RwLock<Access<Rfc2136>>,
}

#[derive(Default)]
enum State {
    /// Terraform has not configured the provider (validation).
    #[default]
    Unconfigured,
    Unknown,
    Ready(Arc<Ready>),
}

struct Ready {
    cluster: Cluster,
    kit: Arc<HelmKit>,
    notifier: Notifier,
}

impl Ready {
    fn new(cluster: Cluster, config: HelmConfig, channels: Vec<Channel>) -> Ready {
        let helm = Helm::new(config);
        let records = Records::new(cluster.clone(), helm.driver());
        let kit = Arc::new(HelmKit { charts: Charts::new(helm.clone(), "."), records, helm });
        Ready { kit, cluster, notifier: Notifier::new(channels, RetryOptions::default()) }
    }
}

impl Session {
    /// Not configured yet.
    pub fn new() -> Arc<Session> {
        Arc::default()
    }

    /// Takes the provider's configuration. Reads kubeconfig files, talks to nobody.
    pub fn configure(&self, config: &ProviderConfig) -> Diagnostics {
        self.configure_in(config, &Environment::process())
    }

    /// The same with environment variables given.
    pub fn configure_in(&self, config: &ProviderConfig, environment: &Environment) -> Diagnostics {
        let (access, refused) = cloudflare::access(config, environment);
        *self.cloudflare.write().unwrap_or_else(PoisonError::into_inner) = access;
        let (access, server_refused) = rfc2136::access(config, environment);
        *self.rfc2136.write().unwrap_or_else(PoisonError::into_inner) = access;
        let mut diagnostics = self.configure_cluster(config, environment);
        diagnostics.extend(refused);
        diagnostics.extend(server_refused);
        diagnostics
    }

    fn configure_cluster(&self, config: &ProviderConfig, environment: &Environment) -> Diagnostics {
        // A plan tells nobody anything: what it does not know of a channel takes nothing from it.
        let needed =
            ProviderConfig { cloudflare: Attr::Null, rfc2136: Attr::Null, notifications: Attr::Null, ..config.clone() };
        if !needed.to_value().is_wholly_known() {
            tracing::info!(
                "the provider's configuration has values that are not known yet; planning without a cluster"
            );
            self.set(State::Unknown);
            return Diagnostics::new();
        }
        let settings =
            config.kubernetes.known().map_or_else(KubernetesSettings::default, |kubernetes| kubernetes.settings());
        let configured = Cluster::connect(&settings, environment)
            .map_err(|error| configuration_diagnostic(&error))
            .and_then(|cluster| Ok((helm_config(config, &cluster, environment)?, cluster)));
        match configured {
            Ok((helm, cluster)) => {
                tracing::debug!(server = cluster.server(), origin = cluster.origin(), "cluster configured");
                let channels = config.notifications.known().into_iter().flatten();
                let channels = channels.filter_map(Notification::channel).collect();
                self.set(State::Ready(Arc::new(Ready::new(cluster, helm, channels))));
                Diagnostics::new()
            }
            Err(error) => {
                self.set(State::Unconfigured);
                error.into()
            }
        }
    }

    /// Uses this cluster and Helm: for tests of resources.
    pub fn with_cluster(cluster: Cluster, helm: HelmConfig) -> Arc<Session> {
        let session = Session::new();
        session.use_cluster(cluster, helm);
        session
    }

    /// The same for a session that resources share already.
    pub fn use_cluster(&self, cluster: Cluster, helm: HelmConfig) {
        self.set(State::Ready(Arc::new(Ready::new(cluster, helm, Vec::new()))));
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn ready(&self) -> Result<Arc<Ready>, Unavailable> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Ready(ready) => Ok(Arc::clone(ready)),
            State::Unknown => Err(Unavailable::Unknown),
            State::Unconfigured => Err(Unavailable::Invalid(Diagnostics::error(
                "The provider is not configured",
                "Terraform did not configure the provider before using it, or its configuration failed.",
            ))),
        }
    }

    /// The cluster. No call has been made to it yet.
    ///
    /// # Errors
    /// When the configuration is unknown or unusable.
    pub fn cluster(&self) -> Result<Cluster, Unavailable> {
        Ok(self.ready()?.cluster.clone())
    }

    /// Who is told about releases; nobody where the provider is not configured.
    pub fn notifier(&self) -> Notifier {
        self.ready().map_or_else(|_| Notifier::new(Vec::new(), RetryOptions::default()), |ready| ready.notifier.clone())
    }

    /// Cloudflare's API with the configured token. Nothing has been asked of it yet.
    ///
    /// # Errors
    /// When the token is not known yet, there is none, or token or URL cannot be used.
    pub fn cloudflare(&self) -> Result<Arc<Cloudflare>, Unavailable> {
        self.cloudflare.read().unwrap_or_else(PoisonError::into_inner).get(cloudflare::missing)
    }

    /// Who keeps DNS records, by the name that `dns.provider` has: `cloudflare` or `rfc2136`. Nothing has been asked of it yet.
    ///
    /// # Errors
    /// When it is not configured, not known yet, or cannot be used.
    pub fn dns(&self, provider: &str) -> Result<Arc<dyn Provider>, Unavailable> {
        if provider == RFC2136 {
            let access = self.rfc2136.read().unwrap_or_else(PoisonError::into_inner);
            return access.get(rfc2136::missing).map(|client| client as Arc<dyn Provider>);
        }
        self.cloudflare().map(|client| client as Arc<dyn Provider>)
    }

    /// Uses this one: for tests of resources.
    pub fn use_rfc2136(&self, client: Rfc2136) {
        *self.rfc2136.write().unwrap_or_else(PoisonError::into_inner) = Access::Ready(Arc::new(client));
    }

    /// Uses this one: for tests of resources.
    pub fn use_cloudflare(&self, cloudflare: Cloudflare) {
        *self.cloudflare.write().unwrap_or_else(PoisonError::into_inner) = Access::Ready(Arc::new(cloudflare));
    }

    /// Why everything is to be put off, where the client allows it: the configuration is not known yet.
    pub fn deferral(&self) -> Option<Deferred> {
        matches!(self.ready(), Err(Unavailable::Unknown)).then_some(Deferred::ProviderConfigUnknown)
    }

    /// Helm. The binary is looked for when it is first needed, which an unchanged release never does.
    ///
    /// # Errors
    /// When the configuration is unknown or unusable.
    pub fn helm(&self) -> Result<Arc<HelmKit>, Unavailable> {
        Ok(Arc::clone(&self.ready()?.kit))
    }
}

fn helm_config(
    config: &ProviderConfig,
    cluster: &Cluster,
    environment: &Environment,
) -> Result<HelmConfig, Diagnostic> {
    let given = config.helm.known();
    let text = |attribute: Option<&tfplugin::Attr<String>>| {
        attribute.and_then(|text| text.as_str()).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let path = |attribute| text(attribute).map(PathBuf::from);
    Ok(HelmConfig {
        binary: path(given.map(|helm| &helm.binary)),
        driver: driver(text(given.map(|helm| &helm.driver)), environment)?,
        registries: given
            .and_then(|helm| helm.registries.known())
            .map(|registries| {
                registries
                    .iter()
                    .map(|registry| HelmRegistry {
                        url: registry.url.clone().unwrap_or_default(),
                        username: registry.username.clone().unwrap_or_default(),
                        password: Secret::from(registry.password.clone().unwrap_or_default()),
                    })
                    .collect()
            })
            .unwrap_or_default(),
        repository_config_path: path(given.map(|helm| &helm.repository_config_path)),
        repository_cache: path(given.map(|helm| &helm.repository_cache)),
        ..HelmConfig::new(Some(cluster.clone()), Launcher::self_exec().unwrap_or(Launcher::Direct))
    })
}

/// Where release records are. A driver that is not known is refused: with another one, every release would look absent.
fn driver(given: Option<String>, environment: &Environment) -> Result<Driver, Diagnostic> {
    let (from, word) = match (given, environment.var(DRIVER_VARIABLE)) {
        (Some(word), _) => ("helm.driver", word),
        (None, Some(word)) => (DRIVER_VARIABLE, word),
        (None, None) => return Ok(Driver::default()),
    };
    word.parse().map_err(|_| {
        Diagnostic::error(
            "The Helm configuration cannot be used",
            format!(
                "{from} is \"{word}\". Release records are read from Secrets or ConfigMaps: set it to \"secret\" or \
                 \"configmap\"."
            ),
        )
        .at(Path::attribute("helm").child("driver"))
    })
}

#[cfg(test)]
mod tests;
