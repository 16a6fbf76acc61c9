//! What the testbed consists of. A new part is a file here, a variant of [`Part`], and a line in `Part::component`.

mod cluster;
mod helm;
mod images;
mod other_cluster;
mod registry;
mod s3;

use anyhow::Result;

use crate::bed::Bed;
use crate::go::Unit;

pub use registry::REGISTRY_ADDRESS;
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
    /// `ffe-postgres:15` and the images of the example application, also on the node when it runs.
    Images,
    /// A registry for charts at [`REGISTRY_ADDRESS`].
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
}

impl Part {
    /// Every part, in the order in which they are built and started.
    pub const ALL: [Self; 7] =
        [Self::Helm4, Self::Helm3, Self::Cluster, Self::Images, Self::Registry, Self::OtherCluster, Self::S3];

    pub(crate) fn component(self) -> &'static dyn Component {
        match self {
            Self::Cluster => &cluster::Cluster,
            Self::Helm3 => &helm::HELM3,
            Self::Helm4 => &helm::HELM4,
            Self::Images => &images::Images,
            Self::Registry => &registry::Registry,
            Self::OtherCluster => &other_cluster::OtherCluster,
            Self::S3 => &s3::S3,
        }
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
    let wanted = |part: Part| parts.iter().any(|asked| *asked == part || asked.component().needs().contains(&part));
    Part::ALL.into_iter().filter(|part| wanted(*part)).collect()
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
        assert_eq!(in_order(&[Part::Registry, Part::Helm4, Part::Registry]), [Part::Helm4, Part::Registry]);
        assert_eq!(in_order(&[Part::OtherCluster]), [Part::Cluster, Part::OtherCluster]);
        assert_eq!(in_order(&[Part::Cluster]), [Part::Cluster]);
        assert_eq!(in_order(&Part::ALL), Part::ALL);
    }

    #[test]
    fn what_a_part_needs_comes_before_it_and_needs_nothing_itself() {
        for part in Part::ALL {
            for needed in part.component().needs() {
                assert!(in_order(&[part]).first() == Some(needed), "{part:?}");
                assert!(needed.component().needs().is_empty(), "{needed:?}");
            }
        }
    }
}
