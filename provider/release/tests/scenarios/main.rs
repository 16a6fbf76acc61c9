//! What a release is seen to be, without Helm and without a cluster: reading, importing, refusing, planning.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod drifted;
mod foreign;
mod imported;
mod input;
mod looked_up;
mod refresh;
mod standin;
mod trouble;
mod truth;
mod world;
