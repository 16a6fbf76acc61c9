//! A resource's life as the engine guards it: the order of a plan, what may be stored, upgrade, import, errors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "life/apply.rs"]
mod apply;
#[path = "life/machine.rs"]
mod machine;
#[path = "life/others.rs"]
mod others;
#[path = "life/plan.rs"]
mod plan;
#[path = "life/upgrade.rs"]
mod upgrade;
