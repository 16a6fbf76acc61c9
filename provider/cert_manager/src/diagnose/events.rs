//! Events as lines of a diagnosis.

use ffe_cluster::k8s_openapi::api::core::v1::Event;
use jiff::Timestamp;

use super::judge::last_seen;
use super::texts::tidy;

/// Events that a diagnosis shows.
const MOST: usize = 6;

struct Line {
    warning: bool,
    seen: Option<Timestamp>,
    count: i32,
    text: String,
}

/// Warnings before the rest, newest first, each text once.
pub(super) fn lines(events: &[Event]) -> Vec<String> {
    let mut lines: Vec<Line> = Vec::new();
    for event in events {
        let object = &event.involved_object;
        let text = format!(
            "event of {} {}: {}: {}",
            object.kind.as_deref().unwrap_or_default(),
            object.name.as_deref().unwrap_or_default(),
            event.reason.as_deref().unwrap_or_default(),
            tidy(event.message.as_deref().unwrap_or_default())
        );
        let count = event.series.as_ref().and_then(|series| series.count).or(event.count).unwrap_or(1).max(1);
        match lines.iter_mut().find(|line| line.text == text) {
            Some(known) => {
                known.count += count;
                known.seen = known.seen.max(last_seen(event));
            }
            None => lines.push(Line {
                warning: event.type_.as_deref() == Some("Warning"),
                seen: last_seen(event),
                count,
                text,
            }),
        }
    }
    lines.sort_by(|a, b| b.warning.cmp(&a.warning).then(b.seen.cmp(&a.seen)));
    lines.truncate(MOST);
    lines
        .into_iter()
        .map(|line| if line.count > 1 { format!("{} ({} times)", line.text, line.count) } else { line.text })
        .collect()
}
