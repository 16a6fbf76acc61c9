//! What the testbed consists of. A new part is a file here, a variant of [`Part`], and a line in `Part::component`.

mod cluster;
mod helm;
mod images;
mod registry;

use anyhow::Result;

use crate::bed::Bed;
use crate::go::Unit;

pub use registry::REGISTRY_ADDRESS;

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
}

impl Part {
    /// Every part, in the order in which they are built and started.
    pub const ALL: [Self; 5] = [Self::Helm4, Self::Helm3, Self::Cluster, Self::Images, Self::Registry];

    pub(crate) fn component(self) -> &'static dyn Component {
        match self {
            Self::Cluster => &cluster::Cluster,
            Self::Helm3 => &helm::HELM3,
            Self::Helm4 => &helm::HELM4,
            Self::Images => &images::Images,
            Self::Registry => &registry::Registry,
        }
    }
}

/// What a part has to offer. Every step may be repeated at any time.
pub(crate) trait Component: Sync {
    /// Binaries of Go modules that it needs.
    fn units(&self) -> &'static [&'static Unit] {
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

/// Every unit of every part.
pub(crate) fn all_units() -> Vec<&'static Unit> {
    Part::ALL.iter().flat_map(|part| part.component().units().iter().copied()).collect()
}
