//! Who keeps records, as far as an endpoint asks for it.

use std::fmt;

use async_trait::async_trait;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::decision::Adopt;
use crate::error::Error;
use crate::owner::Owner;
use crate::record::{Record, Wish};

/// A zone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Zone {
    /// The provider's identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How far it is set up: `active` once the world asks the provider about it.
    #[serde(default)]
    pub status: String,
}

impl Zone {
    /// Whether the world asks the provider about it. Records of another one can be made but are seen by nobody.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }
}

/// What was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it was as wished.
    Nothing,
    /// There was none; one was made.
    Created,
    /// Ours was changed.
    Updated,
    /// One of somebody else was taken over.
    Adopted,
}

/// A record that is as wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensured {
    /// The record as it is now.
    pub record: Record,
    /// What had to be changed for that.
    pub change: Change,
}

/// What became of a host's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// Those that we had made: deleted.
    pub deleted: Vec<Record>,
    /// Those that we had adopted: they stay, with the comment that they had.
    pub let_go: Vec<Record>,
    /// Those of others: untouched.
    pub left: Vec<Record>,
}

/// Who keeps records.
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync {
    /// The zone of a host: the one of this name, or without a name the longest that holds the host.
    ///
    /// # Errors
    /// [`Error::NoZone`] when there is none, [`Error::Wish`] when host or zone are no names or the host is not within the zone;
    /// and what the provider says.
    async fn zone_of(&self, host: &str, zone: Option<&str>, cancel: &CancellationToken) -> Result<Zone, Error>;

    /// All records of exactly this name that say where it is, and such others as the provider tells of.
    ///
    /// # Errors
    /// What the provider says.
    async fn records(&self, zone: &Zone, name: &str, cancel: &CancellationToken) -> Result<Vec<Record>, Error>;

    /// Brings about that the host has the one record that is wished, and that it is ours. Looks before every write, so a write
    /// whose answer did not come is not repeated where it was done.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is one of somebody else; and what the provider says.
    async fn ensure(
        &self,
        zone: &Zone,
        wish: &Wish,
        owner: &Owner,
        adopt: &Adopt,
        cancel: &CancellationToken,
    ) -> Result<Ensured, Error>;

    /// Deletes the records of a host that this owner made, lets go those that it adopted, leaves all others. What is gone
    /// already is fine.
    ///
    /// # Errors
    /// What the provider says.
    async fn release(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Released, Error>;

    /// Writes an owner's present name into those records of a host that know it by its former one ([`Owner::also_called`]).
    /// What they say stays, and so do those of others.
    ///
    /// # Errors
    /// What the provider says.
    async fn rename(
        &self,
        zone: &Zone,
        name: &str,
        owner: &Owner,
        cancel: &CancellationToken,
    ) -> Result<Vec<Record>, Error>;
}
