//! The driver against a tiny provider that can be told to break each rule.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod faults;
mod grpc;
mod life;
mod model;
mod reads;
mod secrets;
mod tampered;
mod thing;
