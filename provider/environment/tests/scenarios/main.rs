//! Whole lives of environments, driven as Terraform core drives them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod fake;
mod foreign;
mod life;
mod trouble;
mod world;
