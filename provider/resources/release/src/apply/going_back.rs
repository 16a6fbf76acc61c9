//! A release that had passed goes back to an older version, whose image does not know the schema as it is by now.
//!
//! The order is that of the way back, so that a version that insists on its own schema comes up: the older version is deployed
//! without waiting for it, the pods of the newer one end, the schema goes back by the image that has run before, since only that
//! one knows how, and then the rollout is awaited. `find` is a part of preflight; `schema` takes the place of the phase migrate;
//! `ahead_again` is the schema's part of the way back of such a run.

pub(crate) mod ahead_again;
pub(crate) mod find;
mod refusals;
pub(crate) mod schema;

use crate::apply::migration::migrator::Migrator;
use crate::apply::way_back::open_way::OpenWay;
use crate::journal::GoingBack;

/// How the schema goes back, as preflight has found it.
#[derive(Clone, Debug)]
pub(crate) struct GoesBack {
    /// What is undone, as the journal has it too.
    pub back: GoingBack,
    /// The way; `None` where the schema is back already.
    pub way: Option<OpenWay>,
    /// What its Jobs are made of: the image that has run before.
    pub mover: Migrator,
    /// From where to where, and what is dropped, in words.
    pub undoing: String,
}
