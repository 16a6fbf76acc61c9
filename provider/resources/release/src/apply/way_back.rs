//! The steps back, each in its own file.

pub(crate) mod ground;
pub(crate) mod old_rollout;
pub(crate) mod open_way;
pub(crate) mod pods_gone;
pub(crate) mod release_back;
pub(crate) mod schema_back;
pub(crate) mod unfinished;
