//! What a notice says to people, before it is put into the form of Slack or Discord.

use std::time::Duration;

use crate::notice::{Event, Notice};
use crate::text::{clean, fit, one_line};

/// More of the user's fields than this are counted, not shown.
const USER_FIELDS: usize = 12;
/// Names and values beside each other are read at a glance or not at all.
const LABEL: usize = 60;
const VALUE: usize = 300;

/// Plain texts: clean, on one line save the cause, and not yet escaped.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    /// One line that says it all.
    pub headline: String,
    /// The same without the symbol, and with where it happened.
    pub summary: String,
    /// Names and values.
    pub details: Vec<(String, String)>,
    /// Why.
    pub cause: Option<String>,
    /// The small print.
    pub footer: String,
}

impl Message {
    /// What the notice says.
    pub(crate) fn new(notice: &Notice) -> Message {
        let release = one_line(&notice.release);
        let place = format!("{}/{release}", one_line(&notice.namespace));
        let phase = notice.phase.as_deref().map(one_line).filter(|_| notice.event != Event::Succeeded);
        let (symbol, happened) = match notice.event {
            Event::Started => ("🚀", "release started".to_owned()),
            Event::Succeeded => ("✅", "release succeeded".to_owned()),
            Event::Failed => {
                ("❌", phase.map_or("release failed".to_owned(), |phase| format!("release failed in {phase}")))
            }
            Event::RolledBack => (
                "↩️",
                phase.map_or("release rolled back".to_owned(), |phase| {
                    format!("release failed in {phase}, rolled back")
                }),
            ),
        };
        let environment = notice.environment.as_deref().map(one_line).filter(|text| !text.is_empty());
        let whereabouts = environment.as_ref().map_or_else(String::new, |environment| format!(" ({environment})"));
        let left_out = notice.fields.len().saturating_sub(USER_FIELDS);
        let more = match left_out {
            0 => String::new(),
            1 => " · 1 more field".to_owned(),
            _ => format!(" · {left_out} more fields"),
        };
        Message {
            headline: format!("{symbol} {release}: {happened}{whereabouts}"),
            summary: format!("{place}: {happened}{whereabouts}"),
            details: details(notice, environment, &place),
            cause: notice.cause.as_deref().map(clean).filter(|cause| !cause.is_empty()),
            footer: format!("terraform-provider-ffe · run {}{more}", one_line(&notice.run_id)),
        }
    }
}

fn details(notice: &Notice, environment: Option<String>, place: &str) -> Vec<(String, String)> {
    let own = [
        ("Environment", environment),
        ("Release", Some(place.to_owned())),
        ("Revision", change(notice.revision_from.map(|n| n.to_string()), notice.revision_to.map(|n| n.to_string()))),
        ("Version", change(notice.app_version_from.clone(), notice.app_version_to.clone())),
        ("Schema", schema(&notice.schema_from, &notice.schema_to)),
        ("Duration", notice.duration.map(duration)),
    ];
    own.into_iter()
        .filter_map(|(label, value)| Some((label.to_owned(), value?)))
        .chain(notice.fields.iter().take(USER_FIELDS).map(|(name, value)| (name.clone(), value.clone())))
        .map(|(label, value)| (fit(&one_line(&label), LABEL, |_| None), fit(&one_line(&value), VALUE, |_| None)))
        .filter(|(label, value)| !label.is_empty() && !value.is_empty())
        .collect()
}

fn change(from: Option<String>, to: Option<String>) -> Option<String> {
    match (from, to) {
        (Some(from), Some(to)) if from != to => Some(format!("{from} → {to}")),
        (from, to) => to.or(from),
    }
}

fn schema(from: &[String], to: &[String]) -> Option<String> {
    let names = |heads: &[String]| if heads.is_empty() { "base".to_owned() } else { heads.join(", ") };
    match (from, to) {
        ([], []) => None,
        (from, to) if from == to => Some(format!("{} (unchanged)", names(to))),
        (from, to) => Some(format!("{} → {}", names(from), names(to))),
    }
}

/// Whole seconds, as people say them.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => format!("{} ms", duration.as_millis()),
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_says_it_all() {
        let headlines = Event::ALL.map(|event| Message::new(&Notice::example(event)).headline);
        assert_eq!(
            headlines,
            [
                "🚀 ffe-backend: release started (production)",
                "✅ ffe-backend: release succeeded (production)",
                "❌ ffe-backend: release failed in migrate (production)",
                "↩️ ffe-backend: release failed in migrate, rolled back (production)",
            ]
        );
        let bare = Message::new(&Notice::new(Event::Failed, "ffe", "api", "r1"));
        assert_eq!(bare.headline, "❌ api: release failed");
        assert_eq!(bare.summary, "ffe/api: release failed");
        assert_eq!(bare.details, [("Release".to_owned(), "ffe/api".to_owned())]);
    }

    #[test]
    fn what_changed_is_told_as_a_change() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(change(text("3"), text("4")), text("3 → 4"));
        assert_eq!(change(text("3"), text("3")), text("3"));
        assert_eq!(change(None, text("1")), text("1"));
        assert_eq!(change(text("3"), None), text("3"));
        assert_eq!(change(None, None), None);
        let heads = |heads: &[&str]| heads.iter().map(|&head| head.to_owned()).collect::<Vec<_>>();
        assert_eq!(schema(&[], &[]), None);
        assert_eq!(schema(&[], &heads(&["a"])), text("base → a"));
        assert_eq!(schema(&heads(&["a"]), &heads(&["a"])), text("a (unchanged)"));
        assert_eq!(schema(&heads(&["a", "b"]), &heads(&["c"])), text("a, b → c"));
    }

    #[test]
    fn durations_are_those_of_people() {
        let told = [40, 5_000, 92_400, 3_600_000, 7_390_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(told, ["40 ms", "5 s", "1 min 32 s", "1 h 0 min", "2 h 3 min"]);
    }

    #[test]
    fn many_fields_are_counted() {
        let mut notice = Notice::new(Event::Started, "ffe", "api", "r1");
        notice.fields = (0..20).map(|n| (format!("f{n:02}"), "x\ny".to_owned())).collect();
        notice.fields.insert("f00".into(), String::new());
        let message = Message::new(&notice);
        // The release, and those shown that are not empty.
        assert_eq!(message.details.len(), 1 + USER_FIELDS - 1);
        assert_eq!(message.details[1], ("f01".to_owned(), "x y".to_owned()));
        assert_eq!(message.footer, "terraform-provider-ffe · run r1 · 8 more fields");
    }
}
