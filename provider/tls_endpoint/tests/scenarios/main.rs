//! Whole lives of endpoints, driven as Terraform core drives them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;
mod controllers;
mod dns;
mod foreign;
mod gateways;
mod issuers;
mod kills;
mod life;
mod trouble;
mod verified;
mod world;
