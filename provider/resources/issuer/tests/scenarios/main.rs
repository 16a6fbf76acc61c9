//! Whole lives of issuers, driven as Terraform core drives them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod credentials;
mod foreign;
mod gone;
mod life;
mod together;
mod trouble;
mod world;
