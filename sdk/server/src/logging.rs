//! Log lines as the plugin runner reads them: one JSON object a line on stderr, with `@level`,
//! `@message`, `@module`, `@timestamp`; every other key is a field.
//!
//! Write them with [`tracing`]; fields of the enclosing spans appear in every line. Levels follow
//! `TF_LOG_PROVIDER_<NAME>`, `TF_LOG_PROVIDER`, `TF_LOG`, the first that is set; warnings and errors
//! otherwise. What sensitive and write-only attributes hold appears in no line, nor what was given to [`redact`].

mod layer;
mod level;

use std::io::Write as _;
use std::sync::Arc;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

pub use tfplugin_redaction::{redact, redacted};

/// Sends what this process logs to stderr. `name` is the provider's own name (`ffe`), for
/// `TF_LOG_PROVIDER_FFE`. Does nothing when something else takes the log already.
///
/// [`serve`](crate::serve()) calls it; nobody else needs to.
pub fn init(name: &str) {
    let level = level::from_env(name, |variable| std::env::var(variable).ok());
    let _ = tracing::subscriber::set_global_default(to_sink(level, to_stderr));
}

/// What this process logs, line by line, for a test that looks at it.
#[doc(hidden)]
pub fn to_sink(level: LevelFilter, sink: impl Fn(&[u8]) + Send + Sync + 'static) -> impl Subscriber + Send + Sync {
    tracing_subscriber::registry().with(layer::HclogLayer::new(level, Arc::new(sink)))
}

/// The line in one write, so that lines of several threads do not mix. A reader that has gone away
/// (Terraform was killed) is no reason to stop what is being done.
fn to_stderr(line: &[u8]) {
    let _ = std::io::stderr().lock().write_all(line);
}
