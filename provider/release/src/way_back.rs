//! The steps back, each in its own file.

pub mod release_back;
