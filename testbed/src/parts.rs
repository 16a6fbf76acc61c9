//! What the testbed consists of. A new part is a file here, a variant of [`Part`], and a line in `Part::component`.

mod cert_manager;
mod cluster;
mod dns;
mod helm;
mod images;
mod migrate;
mod other_cluster;
mod pebble;
mod prometheus_crds;
mod registry;
mod s3;
mod traefik;

use anyhow::Result;

use crate::bed::Bed;
use crate::go::Unit;

pub(crate) use cert_manager::is_ready as cert_manager_is_ready;
pub use dns::Dns;
pub(crate) use dns::{FOREIGN_ZONE, ZONE};
pub(crate) use pebble::{
    directory as acme_directory, folder as acme_folder, short_directory as acme_short_directory,
    strict_directory as acme_strict_directory,
};
pub(crate) use registry::address as registry_address;
pub(crate) use s3::address as s3_address;
pub use s3::{S3_ACCESS_KEY, S3_BUCKET, S3_REGION, S3_SECRET_KEY};

/// A part of the testbed that can be asked for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The Kubernetes cluster of one node, with DNS, a default storage class and kubectl.
    Cluster,
    /// `helm3`.
    Helm3,
    /// `helm4`.
    Helm4,
    /// `migrate`, the command of golang-migrate for PostgreSQL: a tool that migrations are tried with.
    Migrate,
    /// `ffe-postgres:15` and the images of the example application, also on the node when it runs.
    Images,
    /// A registry for charts at [`Testbed::registry_address`].
    ///
    /// [`Testbed::registry_address`]: crate::Testbed::registry_address
    Registry,
    /// A second API server that is another cluster to every client, with [`Testbed::other_kubeconfig`]: for what must
    /// notice that it was pointed at the wrong one. It has no controllers and no node, so that objects stay as they
    /// are written. Brings [`Part::Cluster`] along.
    ///
    /// [`Testbed::other_kubeconfig`]: crate::Testbed::other_kubeconfig
    OtherCluster,
    /// An S3 server at [`Testbed::s3_endpoint`], reached from pods and from this machine, with the bucket
    /// [`S3_BUCKET`] in it.
    ///
    /// [`Testbed::s3_endpoint`]: crate::Testbed::s3_endpoint
    S3,
    /// A DNS server with a zone that takes updates: [`Testbed::dns`]. The cluster's own DNS asks it too.
    ///
    /// [`Testbed::dns`]: crate::Testbed::dns
    Dns,
    /// ACME servers that validate for real: [`Testbed::acme_directory`], [`Testbed::acme_short_directory`] and
    /// [`Testbed::acme_strict_directory`]. Brings [`Part::Dns`] along.
    ///
    /// [`Testbed::acme_directory`]: crate::Testbed::acme_directory
    /// [`Testbed::acme_short_directory`]: crate::Testbed::acme_short_directory
    /// [`Testbed::acme_strict_directory`]: crate::Testbed::acme_strict_directory
    Pebble,
    /// The kinds of the Prometheus operator that alerts and scrapes are declared with. Nobody acts on them.
    PrometheusCrds,
    /// An ingress controller on ports 80 and 443 of the node's address: the ingress classes `traefik` and `nginx`, the
    /// gateway class `traefik` and the gateway `traefik/shared`.
    Traefik,
    /// cert-manager, in the namespace of that name. Brings [`Part::Dns`] along, which it checks DNS-01 with.
    CertManager,
}

impl Part {
    /// Every part, in the order in which they are built and started.
    pub const ALL: [Self; 13] = [
        Self::Helm4,
        Self::Helm3,
        Self::Migrate,
        Self::Cluster,
        Self::Images,
        Self::Registry,
        Self::OtherCluster,
        Self::S3,
        Self::Dns,
        Self::Pebble,
        Self::PrometheusCrds,
        Self::Traefik,
        Self::CertManager,
    ];

    /// What names, certificates and the way to them are tested with.
    pub const TLS: [Self; 5] = [Self::Dns, Self::Pebble, Self::PrometheusCrds, Self::Traefik, Self::CertManager];

    pub(crate) fn component(self) -> &'static dyn Component {
        match self {
            Self::Cluster => &cluster::Cluster,
            Self::Helm3 => &helm::HELM3,
            Self::Helm4 => &helm::HELM4,
            Self::Migrate => &migrate::Migrate,
            Self::Images => &images::Images,
            Self::Registry => &registry::Registry,
            Self::OtherCluster => &other_cluster::OtherCluster,
            Self::S3 => &s3::S3,
            Self::Dns => &dns::DnsServer,
            Self::Pebble => &pebble::Pebble,
            Self::PrometheusCrds => &prometheus_crds::PrometheusCrds,
            Self::Traefik => &traefik::Traefik,
            Self::CertManager => &cert_manager::CertManager,
        }
    }

    /// Whether it is the other part, or cannot do without it.
    fn brings(self, other: Self) -> bool {
        self == other || self.component().needs().iter().any(|needed| needed.brings(other))
    }
}

/// What a part has to offer. Every step may be repeated at any time.
pub(crate) trait Component: Sync {
    /// Binaries of Go modules that it needs.
    fn units(&self) -> &'static [&'static Unit] {
        &[]
    }

    /// Parts that it cannot do without; they come with it.
    fn needs(&self) -> &'static [Part] {
        &[]
    }

    /// Builds or installs what is missing, and starts nothing.
    fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        self.units().iter().try_for_each(|unit| unit.ensure(bed))
    }

    /// Starts what does not run; called after `ensure`.
    fn start(&self, _bed: &Bed<'_>) -> Result<()> {
        Ok(())
    }

    /// Stops what runs and leaves nothing but files that are worth keeping.
    fn stop(&self, _bed: &Bed<'_>) -> Result<()> {
        Ok(())
    }

    /// Names of its processes.
    fn processes(&self) -> &'static [&'static str] {
        &[]
    }
}

/// The parts asked for and those that they need, each once, in the order of [`Part::ALL`].
pub(crate) fn in_order(parts: &[Part]) -> Vec<Part> {
    Part::ALL.into_iter().filter(|part| parts.iter().any(|asked| asked.brings(*part))).collect()
}

/// Every unit of every part.
pub(crate) fn all_units() -> Vec<&'static Unit> {
    Part::ALL.iter().flat_map(|part| part.component().units().iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_once_in_their_order_and_with_what_they_need() {
        assert_eq!(in_order(&[Part::Helm3, Part::Helm4, Part::Helm3]), [Part::Helm4, Part::Helm3]);
        assert_eq!(in_order(&[Part::OtherCluster]), [Part::Cluster, Part::OtherCluster]);
        assert_eq!(in_order(&[Part::Cluster]), [Part::Cluster]);
        assert_eq!(in_order(&[Part::S3]), [Part::Cluster, Part::S3]);
        assert_eq!(in_order(&[Part::Pebble]), [Part::Cluster, Part::Dns, Part::Pebble]);
        assert_eq!(in_order(&Part::ALL), Part::ALL);
    }

    #[test]
    fn what_a_part_needs_comes_before_it() {
        for part in Part::ALL {
            let all = in_order(&[part]);
            assert_eq!(all.last(), Some(&part));
            assert!(part.component().needs().iter().all(|needed| all.contains(needed)), "{part:?}");
        }
    }
}
