//! Notices about releases: to Slack and Discord by their incoming webhooks, and to a generic webhook as JSON.
//!
//! [`Notice`] says what happened, [`Notifier`] tells every [`Channel`] that wants to know. All channels are told at the
//! same time, each retried on its own. What does not work is a [`Failure`]: a value for a warning, never an error that
//! could stop a release.
//!
//! Invariants: the URL of a webhook is its secret, so nothing here shows more of it than the host; what others may
//! answer is never repeated, only recognised. Nothing here knows Terraform, Kubernetes or Helm.

mod answer;
mod channel;
mod discord;
mod failure;
mod message;
mod notice;
mod notifier;
mod slack;
#[cfg(any(test, feature = "testing"))]
pub mod standin;
mod text;
mod webhook;

pub use channel::{Channel, InvalidUrl, Kind, WebhookUrl};
pub use failure::{Failure, Problem};
pub use notice::{Event, Notice, UnknownName};
pub use notifier::{Notifier, RetryOptions};
