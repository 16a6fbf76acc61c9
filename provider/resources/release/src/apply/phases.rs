//! The steps forward, each in its own file.

pub(crate) mod backup;
pub(crate) mod deploy;
pub(crate) mod lock;
pub(crate) mod migrate;
pub(crate) mod notify;
pub(crate) mod preflight;
pub(crate) mod record;
pub(crate) mod rollout;
pub(crate) mod verify;
