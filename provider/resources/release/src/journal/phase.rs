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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Phase::{self, Backup, Deploy, Lock, Migrate, Preflight, Record, Rollout, Verify};

    #[test]
    fn the_order_is_that_of_the_story() {
        let story = [Lock, Preflight, Backup, Migrate, Deploy, Rollout, Verify, Record];
        assert!(story.is_sorted());
        let names = ["lock", "preflight", "backup", "migrate", "deploy", "rollout", "verify", "record"];
        assert_eq!(story.map(Phase::name), names);
    }
}
