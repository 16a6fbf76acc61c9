//! A notice as an embed of Discord.
//!
//! Limits are those of Discord's public reference: title 256, description 4096, 25 fields with names of 256 and values
//! of 1024, footer 2048, and 6000 characters in all of them together.

use serde_json::{Value, json};

use crate::message::Message;
use crate::notice::Event;
use crate::text::{code_block, fit, units};

pub(crate) const TITLE: usize = 256;
pub(crate) const DESCRIPTION: usize = 4096;
pub(crate) const FIELDS: usize = 25;
pub(crate) const FIELD_NAME: usize = 256;
pub(crate) const FIELD_VALUE: usize = 1024;
pub(crate) const FOOTER: usize = 2048;
pub(crate) const TOTAL: usize = 6000;

/// What the cause is sure to get, however much there is beside it.
const CAUSE: usize = 1500;
/// A footer says little.
const SMALL_PRINT: usize = 256;

/// The body of the request.
pub(crate) fn payload(message: &Message, event: Event) -> Value {
    let title = fit(&message.headline, TITLE, escape);
    // A footer is plain text.
    let footer = fit(&message.footer, SMALL_PRINT.min(FOOTER), |_| None);
    let mut room = TOTAL - units(&title) - units(&footer);
    let kept = if message.cause.is_some() { CAUSE } else { 0 };
    let mut fields = Vec::new();
    for (label, value) in message.details.iter().take(FIELDS) {
        let (name, value) = (fit(label, FIELD_NAME, escape), fit(value, FIELD_VALUE, escape));
        let size = units(&name) + units(&value);
        if size + kept > room {
            break;
        }
        room -= size;
        fields.push(json!({ "name": name, "value": value, "inline": true }));
    }
    let mut embed = json!({
        "title": title,
        "color": colour(event),
        "fields": fields,
        "footer": { "text": footer },
    });
    if let Some(cause) = &message.cause {
        // Nothing is escaped within a code block.
        embed["description"] = code_block(cause, DESCRIPTION.min(room), |_| None).into();
    }
    // Nobody is called, whatever the texts say.
    json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
}

fn colour(event: Event) -> u32 {
    match event {
        Event::Started => 0x34_98_DB,
        Event::Succeeded => 0x2E_CC_71,
        Event::Failed => 0xE7_4C_3C,
        Event::RolledBack => 0xE6_7E_22,
    }
}

fn escape(c: char) -> Option<&'static str> {
    Some(match c {
        '\\' => "\\\\",
        '*' => "\\*",
        '_' => "\\_",
        '~' => "\\~",
        '`' => "\\`",
        '|' => "\\|",
        '<' => "\\<",
        '>' => "\\>",
        '[' => "\\[",
        ']' => "\\]",
        '(' => "\\(",
        ')' => "\\)",
        '#' => "\\#",
        '@' => "\\@",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::notice::Notice;

    #[test]
    fn a_failure_in_full() {
        let field = |name: &str, value: &str| json!({ "name": name, "value": value, "inline": true });
        assert_eq!(
            payload(&Message::new(&Notice::example(Event::Failed)), Event::Failed),
            json!({
                "embeds": [{
                    "title": "❌ ffe-backend: release failed in migrate \\(production\\)",
                    "color": 15_158_332,
                    "fields": [
                        field("Environment", "production"),
                        field("Release", "ffe/ffe-backend"),
                        field("Revision", "3 → 4"),
                        field("Version", "1.4.0 → 1.5.0"),
                        field("Schema", "a1b2 → c3d4"),
                        field("Duration", "1 min 32 s"),
                        field("author", "A\\_B \\<a\\@b.c\\>"),
                        field("commit", "9f8e7d6"),
                    ],
                    "footer": { "text": "terraform-provider-ffe · run 0123456789ab" },
                    "description": "```\nJob ffe/ffe-migrate-1 failed\ncolumn \"a\" <int> & more\n```",
                }],
                "allowed_mentions": { "parse": [] },
            })
        );
    }

    #[test]
    fn events_differ_in_colour() {
        let mut colours = Event::ALL.map(colour).to_vec();
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), Event::ALL.len());
    }

    #[test]
    fn markdown_is_shown_not_obeyed() {
        let mut notice = Notice::new(Event::Started, "ffe", "a", "r");
        notice.fields.insert("x".into(), "**b** __u__ ~~s~~ ||h|| `c` [t](u) <@1> # \\".into());
        let body = payload(&Message::new(&notice), Event::Started);
        assert_eq!(
            body["embeds"][0]["fields"][1]["value"],
            "\\*\\*b\\*\\* \\_\\_u\\_\\_ \\~\\~s\\~\\~ \\|\\|h\\|\\| \\`c\\` \\[t\\]\\(u\\) \\<\\@1\\> \\# \\\\"
        );
        assert!(body["embeds"][0].get("description").is_none());
    }

    #[test]
    fn everything_stays_within_the_limits() {
        let mut notice = Notice::example(Event::Failed);
        notice.environment = Some("*".repeat(9000));
        notice.release = "_".repeat(9000);
        notice.run_id = "🚀".repeat(9000);
        notice.cause = Some("*** 🚀 ```\n".repeat(9000));
        for fields in [0, 3, 40] {
            notice.fields = (0..fields).map(|n| (format!("{n}{}", "*".repeat(5000)), "~".repeat(5000))).collect();
            let body = payload(&Message::new(&notice), Event::Failed);
            let embed = &body["embeds"][0];
            let of = |value: &Value| units(value.as_str().unwrap());
            let sizes = [of(&embed["title"]), of(&embed["description"]), of(&embed["footer"]["text"])];
            assert!(sizes[0] <= TITLE && sizes[1] <= DESCRIPTION && sizes[2] <= FOOTER, "{sizes:?}");
            assert!(sizes[1] > CAUSE / 2);
            let fields = embed["fields"].as_array().unwrap();
            assert!(fields.len() <= FIELDS);
            assert!(fields.iter().all(|field| of(&field["name"]) <= FIELD_NAME && of(&field["value"]) <= FIELD_VALUE));
            let all: usize = fields.iter().map(|field| of(&field["name"]) + of(&field["value"])).sum();
            assert!(all + sizes.iter().sum::<usize>() <= TOTAL);
        }
    }
}
