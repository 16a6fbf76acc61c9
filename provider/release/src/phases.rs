//! The steps forward, each in its own file.

pub mod deploy;
pub mod migrate;
pub mod preflight;
pub mod record;
pub mod rollout;
pub mod verify;
