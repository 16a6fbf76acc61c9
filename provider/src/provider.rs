//! What the provider consists of.

use std::sync::Arc;

use ffe_environment::{DatabaseCredentialsResource, EnvironmentResource, PresetFunction};
use ffe_issuer::IssuerResource;
use ffe_release::{MergeValuesFunction, ReleaseDataSource, ReleaseResource};
use ffe_session::{ProviderConfig, Session};
use ffe_tls_endpoint::{CertificateDataSource, TlsEndpointResource};
use tfplugin::{
    AnyDataSource, AnyEphemeralResource, AnyResource, Context, Diagnostics, Function, Provider, async_trait,
};

/// The ffe provider.
pub struct Ffe {
    session: Arc<Session>,
}

impl Default for Ffe {
    fn default() -> Ffe {
        Ffe::new()
    }
}

impl Ffe {
    /// Not configured yet.
    pub fn new() -> Ffe {
        Ffe { session: Session::new() }
    }
}

#[async_trait]
impl Provider for Ffe {
    type Config = ProviderConfig;

    fn name(&self) -> &'static str {
        "ffe"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![
            AnyResource::new(EnvironmentResource::new(Arc::clone(&self.session))),
            AnyResource::new(IssuerResource::new(Arc::clone(&self.session))),
            AnyResource::new(ReleaseResource::new(Arc::clone(&self.session))),
            AnyResource::new(TlsEndpointResource::new(Arc::clone(&self.session))),
        ]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![
            AnyDataSource::new(CertificateDataSource::new(Arc::clone(&self.session))),
            AnyDataSource::new(ReleaseDataSource::new(Arc::clone(&self.session))),
        ]
    }

    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        vec![AnyEphemeralResource::new(DatabaseCredentialsResource::new(Arc::clone(&self.session)))]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(PresetFunction), Arc::new(MergeValuesFunction)]
    }

    async fn configure(&self, _cx: &Context, config: ProviderConfig) -> Diagnostics {
        self.session.configure(&config)
    }
}
