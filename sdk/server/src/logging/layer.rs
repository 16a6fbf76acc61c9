//! From tracing's events to the plugin runner's log lines.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::{level, redacted};

/// Takes a finished line, its end included.
type Sink = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// Writes every event as one line.
pub(super) struct HclogLayer {
    level: LevelFilter,
    sink: Sink,
}

impl HclogLayer {
    pub(super) fn new(level: LevelFilter, sink: Sink) -> HclogLayer {
        HclogLayer { level, sink }
    }
}

/// The fields of an event or a span; the message under `message`.
#[derive(Default)]
struct Fields(Map<String, Json>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for HclogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        level::enabled(self.level, metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();

        let metadata = event.metadata();
        let mut line = Map::new();
        line.insert("@level".to_owned(), name(metadata.level()).into());
        line.insert("@message".to_owned(), clean(message));
        line.insert("@module".to_owned(), metadata.target().replace("::", ".").into());
        line.insert("@timestamp".to_owned(), format!("{:.6}", jiff::Timestamp::now()).into());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.extend(fields.0.iter().map(|(key, value)| (key.clone(), clean(value.clone()))));
            }
        }
        line.extend(fields.0.into_iter().map(|(key, value)| (key, clean(value))));

        let mut bytes = Json::Object(line).to_string().into_bytes();
        bytes.push(b'\n');
        (self.sink)(&bytes);
    }
}

fn name(level: &Level) -> &'static str {
    match *level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Secrets are looked for before the text is escaped for JSON, and numbers hold none.
fn clean(value: Json) -> Json {
    match value {
        Json::String(text) => redacted(&text).into_owned().into(),
        Json::Null => Json::String(String::new()),
        other => other,
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    /// An error with its causes.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.0.insert(field.name().to_owned(), text.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// What `work` logs at `level`, each line parsed.
    fn logged(level: LevelFilter, work: impl FnOnce()) -> Vec<Map<String, Json>> {
        let written = Arc::new(Mutex::new(Vec::<u8>::new()));
        let sink = Arc::clone(&written);
        let layer = HclogLayer::new(level, Arc::new(move |line| sink.lock().unwrap().extend_from_slice(line)));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(written.is_empty() || written.ends_with('\n'));
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_the_runners_keys_and_the_fields_of_event_and_spans() {
        let lines = logged(LevelFilter::DEBUG, || {
            let span = tracing::error_span!("call", tf_rpc = "ReadResource", late = tracing::field::Empty);
            span.record("late", 7);
            let _entered = span.enter();
            tracing::debug!(target: "a::b", count = 3, good = true, text = "x\ny", "hello {}", "world");
        });
        let [line] = lines.as_slice() else { unreachable!("one line, found {lines:?}") };
        let timestamp = line["@timestamp"].as_str().unwrap();
        assert!(timestamp.parse::<jiff::Timestamp>().is_ok());
        assert_eq!((timestamp.len(), timestamp.ends_with('Z')), (27, true), "micros, in UTC: {timestamp}");
        let mut rest = line.clone();
        rest.remove("@timestamp");
        let expected = serde_json::json!({
            "@level": "debug", "@message": "hello world", "@module": "a.b",
            "tf_rpc": "ReadResource", "late": 7, "count": 3, "good": true, "text": "x\ny",
        });
        assert_eq!(Json::Object(rest), expected);
    }

    #[test]
    fn what_is_below_the_level_or_chatty_is_not_logged() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::trace!(target: "h2::codec", "frame");
            tracing::warn!(target: "h2::codec", "odd frame");
            tracing::trace!(target: "h2o", "not that library");
            tracing::warn!(target: "kube_client::client", "the whole body of an answer");
            tracing::error!(target: "kube_client::client", "an error");
        });
        let messages: Vec<_> = lines.iter().map(|line| line["@message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["odd frame", "not that library", "an error"]);
        assert!(logged(LevelFilter::WARN, || tracing::info!("quiet")).is_empty());
        assert!(logged(LevelFilter::OFF, || tracing::error!("quiet")).is_empty());
    }

    #[test]
    fn secrets_are_in_no_line() {
        crate::logging::redact("hunter2\"quoted\"");
        let lines = logged(LevelFilter::INFO, || {
            let _span = tracing::error_span!("call", url = "https://u:hunter2\"quoted\"@host").entered();
            let cause = std::io::Error::other("bad password hunter2\"quoted\"");
            tracing::info!(
                debug = ?"hunter2\"quoted\"",
                error = &cause as &(dyn Error + 'static),
                "using hunter2\"quoted\""
            );
        });
        let text = Json::Object(lines[0].clone()).to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(text.matches("(redacted)").count(), 4, "{text}");
    }
}
