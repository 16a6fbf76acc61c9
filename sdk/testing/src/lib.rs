//! Drives a provider in this process as Terraform core does, for the tests of resources: validate, upgrade,
//! refresh, plan, plan again, apply, replace, destroy, import, with a state file between the runs.
//!
//! Every rule that core imposes on providers is asserted at every step. A broken rule fails the test, in core's
//! words and with the attribute's path; an error that the provider *reports* does not, it is part of the
//! outcome. Values travel through the codec of the wire in both directions.
//!
//! ```no_run
//! # use serde_json::json;
//! # use tfplugin_testing::{Action, Terraform, Told};
//! # async fn test<MyProvider: tfplugin_core::Provider + Default>() {
//! let tf = Terraform::new(MyProvider::default()).canary("s3cret");
//! let mut tf = tf.configure(json!({ "host": "localhost" })).await.unwrap();
//!
//! let done = tf.apply("my_thing", "this", json!({ "name": "a", "password_wo": "s3cret" })).await;
//! done.expect_ok();
//! assert_eq!(done.action(), Action::Create);
//! assert_eq!(done.state["url"], "https://a");
//!
//! tf.apply("my_thing", "this", json!({ "name": "!" })).await.expect_error("name", "lower case letters");
//! tf.destroy("my_thing", "this").await.expect_ok();
//! # }
//! ```

// Failing a test is what this crate is for.
#![allow(clippy::panic)]

mod canary;
mod grpc;
mod json;
mod outcome;
mod peer;
mod rules;
mod state;
mod terraform;
mod told;

#[cfg(test)]
mod tests;

pub use json::{config, proposed, unknown};
pub use outcome::{Action, Outcome, Planned, Refreshed};
pub use terraform::{Checks, Data, Opened, Terraform};
pub use told::Told;

/// Fails the test.
#[track_caller]
fn fail(message: impl std::fmt::Display) -> ! {
    panic!("{message}")
}
