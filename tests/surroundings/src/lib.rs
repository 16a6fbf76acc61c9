//! What tests find around them, for every crate whose tests need more than the crate.
//!
//! [`Needs`] decides whether a test runs: it never passes without having run. [`environment`] keeps the user's own settings
//! away from the programs that a test starts. [`terraform`] is a real terraform that finds one build of the provider.

pub mod environment;
mod needs;
pub mod terraform;

pub use needs::{LEFT_OUT, Needs, REQUIRE, is_required};
