//! Why a phase did not go on.

use ffe_cluster::{Error, Kind};
use ffe_session::diagnostic;
use tfplugin::{Diagnostic, Diagnostics};

/// Why a phase did not go on.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The user stopped it.
    Cancelled,
    /// A lease is lost: somebody else may be at work by now, so the run touches nothing more.
    LeaseLost,
    /// It failed.
    Failed(Diagnostics),
}

impl Stop {
    /// A failure.
    pub(crate) fn failed(diagnostics: impl Into<Diagnostics>) -> Stop {
        Stop::Failed(diagnostics.into())
    }

    /// An error of the cluster while doing what `summary` says.
    pub(crate) fn cluster(error: &Error, summary: &str) -> Stop {
        if error.kind() == Kind::Cancelled { Stop::Cancelled } else { Stop::failed(diagnostic(error, summary)) }
    }

    /// An error of Helm while doing what `summary` says.
    pub(crate) fn helm(error: &ffe_helm::Error, summary: &str) -> Stop {
        if error.is_cancelled() {
            Stop::Cancelled
        } else {
            Stop::failed(Diagnostic::error(summary, error.with_advice()))
        }
    }

    /// As messages to the user.
    pub(crate) fn into_diagnostics(self) -> Diagnostics {
        match self {
            Stop::Failed(diagnostics) => diagnostics,
            Stop::Cancelled => Diagnostics::error("Interrupted", "The next apply goes on from what the journal says."),
            Stop::LeaseLost => Diagnostics::error(
                "The lease on the release is lost",
                "It could not be renewed in time, so somebody else may be at work by now. Nothing more was done; the next \
                 apply goes on from what the journal says.",
            ),
        }
    }
}
