//! A real single-node Kubernetes on this machine, built from package registries: for the demo and the acceptance tests.
//!
//! ```no_run
//! use ffe_testbed::{Part, Testbed, ToStderr};
//!
//! # fn main() -> anyhow::Result<()> {
//! let testbed = Testbed::locate()?;
//! testbed.up(&[Part::Cluster, Part::Helm4, Part::Images], &ToStderr)?;
//! let kubeconfig = testbed.kubeconfig();
//! # Ok(())
//! # }
//! ```

mod bed;
mod cgroup;
mod cluster;
mod command;
mod debian;
mod earlier;
mod ensure;
mod files;
mod go;
mod host;
mod images;
mod in_use;
mod lock;
mod node;
mod parts;
mod paths;
mod pki;
mod process;
mod progress;
mod stamp;
mod status;
mod template;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use bed::Bed;
use in_use::Alone;
use lock::Lock;
use node::Node;
use parts::in_order;
use paths::Paths;
use progress::Steps;

pub use ensure::NotBuilt;
pub use in_use::InUse;
pub use parts::{Dns, Part, S3_ACCESS_KEY, S3_BUCKET, S3_REGION, S3_SECRET_KEY};
pub use progress::{Progress, Quiet, ToStderr};
pub use status::{ProcessStatus, Status};

/// The image of PostgreSQL that every node of the testbed has.
pub const POSTGRES_IMAGE: &str = images::postgres::NAME;

/// The testbed of this checkout, in the user's cache folder.
#[derive(Debug, Clone)]
pub struct Testbed {
    paths: Paths,
}

impl Testbed {
    /// Finds the testbed's folder: `testbed` in `$FFE_CACHE_DIR`, or in `terraform-provider-ffe` in the user's cache
    /// folder (`$XDG_CACHE_HOME`, else `~/.cache`). Touches nothing.
    ///
    /// # Errors
    /// When none of the variables is set and the user has no home folder.
    pub fn locate() -> Result<Self> {
        Ok(Self { paths: Paths::locate()? })
    }

    /// The testbed in another cache folder, which may run beside this one. Touches nothing.
    ///
    /// # Errors
    /// When the folder's path cannot be made absolute.
    pub fn at(cache: &Path) -> Result<Self> {
        Ok(Self { paths: Paths::in_cache(cache)? })
    }

    /// Builds what is missing of the parts and starts what does not run; may be called at any time, by several
    /// processes at once. A cluster that did not run begins empty.
    ///
    /// # Errors
    /// When something cannot be built or does not start; the text carries the end of the log concerned.
    pub fn up(&self, parts: &[Part], progress: &dyn Progress) -> Result<()> {
        let bed = self.bed(progress);
        let _lock = Lock::take(&bed)?;
        let parts = in_order(parts);
        ensure::all(&bed, &parts)?;
        parts.iter().try_for_each(|part| part.component().start(&bed))
    }

    /// Builds what is missing of the parts, and starts nothing.
    ///
    /// # Errors
    /// As [`Testbed::up`].
    pub fn ensure(&self, parts: &[Part], progress: &dyn Progress) -> Result<()> {
        let bed = self.bed(progress);
        let _lock = Lock::take(&bed)?;
        ensure::all(&bed, &in_order(parts))
    }

    /// What [`Testbed::ensure`] would compile of these parts.
    ///
    /// # Errors
    /// When a pinned version or the compiler cannot be read.
    pub fn not_built(&self, parts: &[Part]) -> Result<NotBuilt> {
        ensure::not_built(&self.paths, &in_order(parts))
    }

    /// Stops everything of the testbed that runs: only processes that it recorded, and the containers of its own
    /// containerd. Leaves no process, mount, interface or namespace; binaries and images stay for the next start.
    ///
    /// # Errors
    /// When another command works with it ([`Testbed::in_use`]), something does not end or cannot be unmounted.
    pub fn down(&self, progress: &dyn Progress) -> Result<()> {
        self.down_alone(&Alone::take(&self.paths.in_use())?, progress)
    }

    /// Works with the testbed from now on, as others may at the same time: nobody stops it meanwhile.
    ///
    /// # Errors
    /// When the file that all agree by cannot be locked.
    pub fn in_use(&self) -> Result<InUse> {
        InUse::join(&self.paths.in_use())
    }

    /// Ends the use of the testbed, and stops it if nobody else uses it and one of its users has started it: this one
    /// (`started`), or one that ended before. Whether it was stopped.
    ///
    /// # Errors
    /// As [`Testbed::down`].
    pub fn leave(&self, in_use: InUse, started: bool, progress: &dyn Progress) -> Result<bool> {
        match in_use.end(started)? {
            Some(alone) => self.down_alone(&alone, progress).map(|()| true),
            None => Ok(false),
        }
    }

    fn down_alone(&self, _alone: &Alone, progress: &dyn Progress) -> Result<()> {
        let bed = self.bed(progress);
        let _lock = Lock::take(&bed)?;
        let mut parts = in_order(&Part::ALL);
        parts.reverse();
        parts.iter().try_for_each(|part| part.component().stop(&bed))?;
        bed.say("nothing of the testbed runs");
        Ok(())
    }

    /// Installs packages of Debian, each named with a file of it that shows that it is there. Services that they bring are
    /// neither started nor enabled.
    ///
    /// # Errors
    /// When one is missing and cannot be installed: that needs root and Debian bookworm.
    pub fn install(&self, packages: &[(&'static str, &'static str)], progress: &dyn Progress) -> Result<()> {
        let bed = self.bed(progress);
        let _lock = Lock::take(&bed)?;
        let service = |name: &str| ["postgresql", "pgbouncer"].into_iter().find(|service| name.starts_with(service));
        let package =
            |(name, file): &(&'static str, &'static str)| debian::Package { name, file, service: service(name) };
        debian::ensure(&bed, &packages.iter().map(package).collect::<Vec<_>>())
    }

    /// How it is now.
    #[must_use]
    pub fn status(&self) -> Status {
        Status::read(&self.paths)
    }

    /// The kubeconfig of the testbed's own cluster, with all rights. There once the cluster was started.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.paths.kubeconfig()
    }

    /// The kubeconfig of [`Part::OtherCluster`], with all rights. There while that part runs.
    #[must_use]
    pub fn other_kubeconfig(&self) -> PathBuf {
        self.paths.other_kubeconfig()
    }

    /// Where [`Part::Registry`] listens, in plain HTTP and open to everybody, for pods and for this machine. A test that
    /// wants one with a password starts the binary `registry` itself, with `-users`.
    #[must_use]
    pub fn registry_address(&self) -> String {
        parts::registry_address(&self.paths).to_string()
    }

    /// The URL of [`Part::S3`], for pods and for this machine: path style, plain HTTP. Its key is [`S3_ACCESS_KEY`].
    #[must_use]
    pub fn s3_endpoint(&self) -> String {
        format!("http://{}", parts::s3_address(&self.paths))
    }

    /// A command that runs on the node, in its network and among its mounts, and is the command's own process: for what
    /// must reach pods and services at their addresses, which this machine does not.
    ///
    /// # Errors
    /// When the node does not run.
    pub fn on_node(&self, program: &Path) -> Result<Command> {
        let way = Node::first(&self.paths).enter()?;
        let mut command = Command::new("nsenter");
        command.args(way.iter().skip(1)).arg(program);
        Ok(command)
    }

    /// What `NO_PROXY` has to be so that nobody asks a proxy of the user's for the node. Nothing when there is no proxy, or
    /// when it is so already.
    #[must_use]
    pub fn no_proxy(&self) -> Option<String> {
        let variable = |name: &str| {
            let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
            read(name).or_else(|| read(&name.to_lowercase()))
        };
        ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].into_iter().find_map(variable)?;
        node::exempt(Node::first(&self.paths).address(), &variable("NO_PROXY").unwrap_or_default())
    }

    /// Where the node and pods reach this machine, for instance a server that a test runs.
    #[must_use]
    pub fn host_address(&self) -> Ipv4Addr {
        Node::first(&self.paths).host_address()
    }

    /// The DNS server of [`Part::Dns`], and what its zone is changed with.
    #[must_use]
    pub fn dns(&self) -> Dns {
        Dns::of(&self.paths)
    }

    /// The URL of the directory of [`Part::Pebble`], for pods and for this machine. HTTPS, by [`Testbed::acme_ca`].
    #[must_use]
    pub fn acme_directory(&self) -> String {
        parts::acme_directory(&self.paths)
    }

    /// The same for certificates that end after six minutes. With cert-manager's shortest `renewBefore` of five
    /// minutes, they are renewed one minute after they were issued.
    #[must_use]
    pub fn acme_short_directory(&self) -> String {
        parts::acme_short_directory(&self.paths)
    }

    /// The directory of the first ACME server by way of a door that refuses in the words of Let's Encrypt's: orders for
    /// names below `limited.` of the zone have reached their limit (429, with the time from which it works again), and
    /// names below `caa.` are, when they were validated, forbidden by their CAA record.
    #[must_use]
    pub fn acme_strict_directory(&self) -> String {
        parts::acme_strict_directory(&self.paths)
    }

    /// The authority (PEM) by which the ACME servers themselves are trusted.
    #[must_use]
    pub fn acme_ca(&self) -> PathBuf {
        parts::acme_folder(&self.paths).join("ca.crt")
    }

    /// The roots (PEM) of the certificates that the ACME servers issue. Others with each of their starts.
    #[must_use]
    pub fn acme_roots(&self) -> PathBuf {
        parts::acme_folder(&self.paths).join("roots.pem")
    }

    /// What tests of [`Part::TLS`] are told by their environment: names and values.
    #[must_use]
    pub fn tls_environment(&self) -> Vec<(&'static str, String)> {
        let dns = self.dns();
        let path = |path: &Path| path.display().to_string();
        vec![
            ("FFE_NODE_IP", dns.server.ip().to_string()),
            ("FFE_ACME_DIRECTORY", self.acme_directory()),
            ("FFE_ACME_SHORT_DIRECTORY", self.acme_short_directory()),
            ("FFE_ACME_STRICT_DIRECTORY", self.acme_strict_directory()),
            ("FFE_ACME_CA", path(&self.acme_ca())),
            ("FFE_ACME_ROOTS", path(&self.acme_roots())),
            ("FFE_DNS_SERVER", dns.server.to_string()),
            ("FFE_DNS_ZONE", dns.zone.to_owned()),
            ("FFE_DNS_FOREIGN_ZONE", dns.foreign_zone.to_owned()),
            ("FFE_DNS_KEY_NAME", dns.key_name.to_owned()),
            ("FFE_DNS_SECRET_FILE", path(&dns.secret_file)),
            ("FFE_DNS_KEY_FILE", path(&dns.key_file)),
            ("FFE_RESOLV_CONF", path(&dns.resolv_conf)),
        ]
    }

    /// Where a binary lies once its part is built, for instance `helm3`, `helm4`, `kubectl`, `registry`.
    #[must_use]
    pub fn binary(&self, name: &str) -> PathBuf {
        self.paths.binary(name)
    }

    /// The folder that holds everything of the testbed.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.paths.root().to_path_buf()
    }

    fn bed<'a>(&'a self, progress: &'a dyn Progress) -> Bed<'a> {
        Bed { paths: &self.paths, steps: Steps::new(progress) }
    }
}
