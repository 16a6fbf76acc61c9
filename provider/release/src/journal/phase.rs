//! The steps of a run, as the journal names them.

/// A step forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Nobody else is at work on the release or its database.
    Lock,
    /// The chart renders, and everything that it refers to exists.
    Preflight,
    /// A dump of the database, before anything changes.
    Backup,
    /// The database's schema, by a Job with the image that is being deployed.
    Migrate,
    /// Helm installs or upgrades.
    Deploy,
    /// Every workload is ready, or it is known why not.
    Rollout,
    /// Health and smoke checks.
    Verify,
    /// The journal says that the release is what the configuration says.
    Record,
    /// Who it concerns is told.
    Notify,
}

impl Phase {
    /// Its name in the journal, in state and in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Lock => "lock",
            Phase::Preflight => "preflight",
            Phase::Backup => "backup",
            Phase::Migrate => "migrate",
            Phase::Deploy => "deploy",
            Phase::Rollout => "rollout",
            Phase::Verify => "verify",
            Phase::Record => "record",
            Phase::Notify => "notify",
        }
    }
}
