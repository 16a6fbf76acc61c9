//! The services that the plugin runner itself expects, whatever the plugin does.

mod broker;
mod controller;
mod stdio;

pub(crate) use broker::Broker;
pub(crate) use controller::Controller;
pub(crate) use stdio::Stdio;

/// The name under which the runner asks for our health.
pub(crate) const HEALTH_NAME: &str = "plugin";
