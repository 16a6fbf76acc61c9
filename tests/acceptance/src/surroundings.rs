//! What the cases work with, from the environment.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ffe_surroundings::terraform;

/// Paths of the tools and of the cluster's kubeconfig.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The provider's binary.
    pub provider: PathBuf,
    /// A kubeconfig with all rights on the cluster.
    pub kubeconfig: PathBuf,
    /// kubectl.
    pub kubectl: PathBuf,
    /// Helm 3.
    pub helm3: PathBuf,
    /// Helm 4.
    pub helm4: PathBuf,
    /// terraform.
    pub terraform: PathBuf,
    /// The repository.
    pub root: PathBuf,
    /// A filesystem mirror with the provider in it, so that `terraform init` finds it as it would in a registry.
    pub mirror: PathBuf,
    /// The home folder of what is run: empty but for what kubectl remembers of the cluster.
    pub home: PathBuf,
    /// Names, certificates and the way to them, where the testbed runs those parts.
    pub tls: Option<Tls>,
}

/// What the cases about HTTPS work with.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The address of this machine that pods reach too; the ingress controller listens there at 80 and 443.
    pub node_ip: String,
    /// The ACME server's directory; it issues certificates of 90 days.
    pub directory: String,
    /// The same of a server that issues certificates of six minutes.
    pub short_directory: String,
    /// The first one behind a proxy that keeps to limits and to CAA records.
    pub strict_directory: String,
    /// The authority of the servers' own certificates, PEM.
    pub authority: PathBuf,
    /// The roots of the certificates that they issue, PEM.
    pub roots: PathBuf,
    /// The DNS server: `address:port`.
    pub dns_server: String,
    /// Its zone that takes updates. Every name in it has the node's address.
    pub zone: String,
    /// The name of the key (TSIG) that signs updates.
    pub key_name: String,
    /// A file with the key's secret, base64.
    pub key_secret: PathBuf,
    /// The key as `nsupdate -k` takes it.
    pub key_file: PathBuf,
    /// A zone of the same server that takes no updates. Every name in it has the node's address.
    pub foreign_zone: String,
    /// A resolv.conf that leads to the DNS server.
    pub resolv_conf: PathBuf,
}

impl Tls {
    fn from_environment() -> Option<Tls> {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Some(Tls {
            node_ip: text("FFE_NODE_IP")?,
            directory: text("FFE_ACME_DIRECTORY")?,
            short_directory: text("FFE_ACME_SHORT_DIRECTORY")?,
            strict_directory: text("FFE_ACME_STRICT_DIRECTORY")?,
            authority: text("FFE_ACME_CA")?.into(),
            roots: text("FFE_ACME_ROOTS")?.into(),
            dns_server: text("FFE_DNS_SERVER")?,
            zone: text("FFE_DNS_ZONE")?,
            key_name: text("FFE_DNS_KEY_NAME")?,
            key_secret: text("FFE_DNS_SECRET_FILE")?.into(),
            key_file: text("FFE_DNS_KEY_FILE")?.into(),
            foreign_zone: text("FFE_DNS_FOREIGN_ZONE")?,
            resolv_conf: text("FFE_RESOLV_CONF")?.into(),
        })
    }
}

impl Surroundings {
    /// Reads the environment and lays out the mirror in a folder that goes with the run.
    ///
    /// # Errors
    /// When a variable is missing or the mirror cannot be written.
    pub fn from_environment(folder: &Path) -> Result<Surroundings> {
        let path = |name: &str| {
            let value = std::env::var_os(name).filter(|value| !value.is_empty());
            value.map(PathBuf::from).with_context(|| format!("{name} is not set"))
        };
        let provider = path("FFE_PROVIDER")?;
        let (kubeconfig, kubectl) = (path("FFE_KUBECONFIG")?, path("FFE_KUBECTL")?);
        let (helm3, helm4) = (path("FFE_HELM3")?, path("FFE_HELM4")?);
        let (mirror, home) = (folder.join("mirror"), folder.join("home"));
        std::fs::create_dir_all(&home)?;
        Ok(Surroundings {
            provider: terraform::lay(&mirror, terraform::ADDRESS, terraform::VERSION, &provider)?,
            kubeconfig,
            kubectl,
            helm3,
            helm4,
            terraform: std::env::var_os("FFE_TERRAFORM").map_or_else(|| PathBuf::from("terraform"), PathBuf::from),
            root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?,
            mirror,
            home,
            tls: Tls::from_environment(),
        })
    }
}
