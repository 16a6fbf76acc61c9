//! What a release is seen to be, without a cluster: reading, importing, refusing, planning; and what comes of an apply, with a
//! stand-in for Helm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod drifted;
mod foreign;
mod going_back;
mod imported;
mod input;
mod journalled;
mod looked_up;
mod migrations;
mod refresh;
mod replaced;
mod schema;
mod standin;
mod status;
mod trouble;
mod truth;
mod unreadable;
mod whose;
mod world;
