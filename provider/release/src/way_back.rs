//! The steps back, each in its own file.

pub(crate) mod release_back;
