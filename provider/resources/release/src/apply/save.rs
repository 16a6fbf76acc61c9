//! Writing the journal under the leases.

use std::time::Duration;

use ffe_cluster::{Cluster, Kind};

use crate::apply::leases::Leases;
use crate::apply::stop::Stop;
use crate::journal::{CaughtUp, Journal};

/// How long a run waits before it writes the journal once more.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(3)];
/// What a write may end with that has been carried out all the same, or can be once the journal's version is known.
const UNSURE: [Kind; 4] = [Kind::Conflict, Kind::AlreadyExists, Kind::Unavailable, Kind::Protocol];

/// Writes the journal. The answer may be lost, and somebody may put a label on the Secret meanwhile: the run catches up with both.
///
/// # Errors
/// When the cluster refuses, somebody else wrote in between, or a lease is lost: then nothing may be written.
pub(crate) async fn save(journal: &mut Journal, cluster: &Cluster, leases: &Leases) -> Result<(), Stop> {
    let mut pauses = PAUSES.into_iter();
    loop {
        leases.check()?;
        let Err(error) = journal.save(cluster).await else { return Ok(()) };
        let there =
            if UNSURE.contains(&error.kind()) { journal.catch_up(cluster).await } else { Ok(CaughtUp::Foreign) };
        let pause = match there {
            Ok(CaughtUp::Written) => return Ok(()),
            Ok(CaughtUp::Foreign) => None,
            Ok(CaughtUp::Before) | Err(_) => pauses.next(),
        };
        let Some(pause) = pause else { return Err(Stop::cluster(&error, "The journal cannot be written")) };
        tracing::warn!(%error, "the journal was not written, and is written once more");
        tokio::time::sleep(pause).await;
    }
}
