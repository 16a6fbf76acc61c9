//! Events as lines of a diagnosis.

use ffe_cluster::k8s_openapi::api::core::v1::Event;
use jiff::Timestamp;

use super::judge::last_seen;
use super::texts::tidy;

/// Events that a diagnosis shows.
const MOST: usize = 6;

struct Line {
    seen: Option<Timestamp>,
    count: i32,
    text: String,
}

/// Warnings, newest first, each text once, without what `said` has already.
pub(super) fn lines(events: &[Event], said: &[String]) -> Vec<String> {
    let mut lines: Vec<Line> = Vec::new();
    for event in events.iter().filter(|event| event.type_.as_deref() == Some("Warning")) {
        let object = &event.involved_object;
        let message = tidy(event.message.as_deref().unwrap_or_default());
        if said.iter().any(|line| line.contains(&message) || repeats(&message, line)) {
            continue;
        }
        let text = format!(
            "event of {} {}: {}: {}",
            object.kind.as_deref().unwrap_or_default(),
            object.name.as_deref().unwrap_or_default(),
            event.reason.as_deref().unwrap_or_default(),
            message
        );
        let count = event.series.as_ref().and_then(|series| series.count).or(event.count).unwrap_or(1).max(1);
        match lines.iter_mut().find(|line| line.text == text) {
            Some(known) => {
                known.count += count;
                known.seen = known.seen.max(last_seen(event));
            }
            None => lines.push(Line { seen: last_seen(event), count, text }),
        }
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.seen));
    lines.truncate(MOST);
    lines
        .into_iter()
        .map(|line| if line.count > 1 { format!("{} ({} times)", line.text, line.count) } else { line.text })
        .collect()
}

/// Whether a message only hands on what stands in a line, `Order ffe/api-1: errored: Failed to create …`.
fn repeats(message: &str, line: &str) -> bool {
    const TELLING: usize = 30;
    let said = line.splitn(3, ": ").nth(2).unwrap_or_default();
    said.len() > TELLING && message.contains(said)
}
