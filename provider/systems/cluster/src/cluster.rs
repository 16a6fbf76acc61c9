//! The handle that everything else here hangs on.

mod client;
mod resilient;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use kube::Client;
use kube::api::GroupVersionKind;
use tokio::sync::OnceCell;

pub use resilient::Timeouts;

use crate::config::{Connection, Environment, KubernetesSettings};
use crate::discovery::Served;
use crate::error::{Error, Result};
use crate::lists::MetadataListCache;

/// One cluster. Cheap to clone; connects at the first request, so that making one never fails
/// because a cluster is not there yet. Clones share connections, discovery and lists.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    server: String,
    namespace: String,
    origin: String,
    /// None for a cluster that was made from a client (tests)
    connection: Option<Connection>,
    timeouts: Timeouts,
    client: tokio::sync::Mutex<Option<Client>>,
    /// Without user agent, timeouts and retries
    bare: tokio::sync::Mutex<Option<Client>>,
    identity: OnceCell<String>,
    version: OnceCell<String>,
    served: Mutex<HashMap<GroupVersionKind, Served>>,
    /// Held by the one who asks what is served
    asking: tokio::sync::Mutex<()>,
    lists: MetadataListCache,
}

impl Cluster {
    /// Decides how the cluster is reached; reads files, never the network.
    ///
    /// # Errors
    /// Those of [`KubernetesSettings::resolve`].
    pub fn connect(settings: &KubernetesSettings, env: &Environment) -> Result<Self> {
        Ok(Self::new(settings.resolve(env)?, Timeouts::default()))
    }

    /// The same from a connection that has been decided.
    pub fn new(connection: Connection, timeouts: Timeouts) -> Self {
        Self {
            inner: Arc::new(Inner {
                server: connection.server().to_owned(),
                namespace: connection.default_namespace().to_owned(),
                origin: connection.origin().to_owned(),
                connection: Some(connection),
                timeouts,
                client: tokio::sync::Mutex::default(),
                bare: tokio::sync::Mutex::default(),
                identity: OnceCell::new(),
                version: OnceCell::new(),
                served: Mutex::default(),
                asking: tokio::sync::Mutex::default(),
                lists: MetadataListCache::default(),
            }),
        }
    }

    /// A cluster behind a client that exists already, for tests: any tower service may stand in.
    pub fn from_client(client: Client, server: &str) -> Self {
        Self {
            inner: Arc::new(Inner {
                server: server.to_owned(),
                namespace: client.default_namespace().to_owned(),
                origin: "a given client".to_owned(),
                connection: None,
                timeouts: Timeouts::default(),
                bare: tokio::sync::Mutex::new(Some(client.clone())),
                client: tokio::sync::Mutex::new(Some(client)),
                identity: OnceCell::new(),
                version: OnceCell::new(),
                served: Mutex::default(),
                asking: tokio::sync::Mutex::default(),
                lists: MetadataListCache::default(),
            }),
        }
    }

    /// The client, with user agent, timeouts and retries inside. An exec credential plugin runs at
    /// the first call, and again when the certificate that it gave has expired.
    ///
    /// # Errors
    /// [`crate::Kind::Credentials`] and [`crate::Kind::Config`].
    pub async fn client(&self) -> Result<Client> {
        self.built(&self.inner.client, client::build).await
    }

    /// A client for the requests of others: only credentials are added to them.
    pub(crate) async fn bare_client(&self) -> Result<Client> {
        self.built(&self.inner.bare, client::build_bare).await
    }

    async fn built(
        &self,
        client: &tokio::sync::Mutex<Option<Client>>,
        build: impl AsyncFnOnce(&Connection, Timeouts) -> Result<Client>,
    ) -> Result<Client> {
        let mut client = client.lock().await;
        if let Some(client) = client.as_ref()
            && client.valid_until().is_none_or(|until| Timestamp::now() < until)
        {
            return Ok(client.clone());
        }
        let connection = self.inner.connection.as_ref().ok_or_else(|| Error::Malformed {
            what: "cluster".to_owned(),
            message: "it has no connection".to_owned(),
        })?;
        Ok(client.insert(build(connection, self.inner.timeouts).await?).clone())
    }

    /// URL of the API server.
    pub fn server(&self) -> &str {
        &self.inner.server
    }

    /// The namespace of the kubeconfig's context, or `default`.
    pub fn default_namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// Where the configuration was found, in words.
    pub fn origin(&self) -> &str {
        &self.inner.origin
    }

    /// A self-contained kubeconfig for child processes. It holds credentials: hand it over by pipe or
    /// memory file only.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a cluster that was made from a client.
    pub fn kubeconfig_document(&self) -> Result<Vec<u8>> {
        match &self.inner.connection {
            Some(connection) => connection.kubeconfig_document(),
            None => Err(Error::Malformed {
                what: "kubeconfig".to_owned(),
                message: "this cluster was made from a client and has none".to_owned(),
            }),
        }
    }

    /// The API server's version, `v1.36.3`; asked once.
    ///
    /// # Errors
    /// Those of a request.
    pub async fn server_version(&self) -> Result<String> {
        self.inner
            .version
            .get_or_try_init(|| async {
                let client = self.client().await?;
                let info = client
                    .apiserver_version()
                    .await
                    .map_err(|error| self.failed("read", &self.whole("Version"), error))?;
                Ok(info.git_version)
            })
            .await
            .cloned()
    }

    /// The lists that a burst of reads shares.
    pub fn lists(&self) -> &MetadataListCache {
        &self.inner.lists
    }

    pub(crate) fn identity_cell(&self) -> &OnceCell<String> {
        &self.inner.identity
    }

    pub(crate) fn served(&self) -> &Mutex<HashMap<GroupVersionKind, Served>> {
        &self.inner.served
    }

    pub(crate) fn asking(&self) -> &tokio::sync::Mutex<()> {
        &self.inner.asking
    }

    /// What kube reports of a request of [`Cluster::client`], as our error, with the API server's name. `operation` is a verb:
    /// `read the log of`.
    pub fn failed(&self, operation: &'static str, object: &crate::object::ObjectRef, error: kube::Error) -> Error {
        crate::error::request_error(operation, object, self.server(), error)
    }

    fn whole(&self, kind: &str) -> crate::object::ObjectRef {
        crate::object::ObjectRef::new("v1", kind, None, "")
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server()).field("origin", &self.origin()).finish()
    }
}
