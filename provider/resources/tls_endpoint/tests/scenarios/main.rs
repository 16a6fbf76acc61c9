//! Whole lives of endpoints, driven as Terraform core drives them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod controllers;
mod dns;
mod drift;
mod foreign;
mod gateways;
mod handed_on;
mod in_use;
mod issuers;
mod kills;
mod life;
mod many;
mod renamed;
mod shared;
mod trouble;
mod verified;
mod visitor;
mod world;
