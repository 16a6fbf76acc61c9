//! A notice in Slack's Block Kit.
//!
//! Limits and escaping are those of Slack's public reference: `header` is plain text of at most 150 characters, a
//! `section` has at most ten fields of 2000 characters or a text of 3000, `&`, `<` and `>` are written as entities.

use serde_json::{Value, json};

use crate::message::Message;
use crate::text::{code_block, fit};

pub(crate) const HEADER: usize = 150;
pub(crate) const TEXT: usize = 3000;
pub(crate) const FIELD: usize = 2000;
pub(crate) const FIELDS: usize = 10;

/// The body of the request.
pub(crate) fn payload(message: &Message) -> Value {
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": fit(&message.headline, HEADER, escape), "emoji": true } }),
    ];
    for details in message.details.chunks(FIELDS) {
        let fields: Vec<_> = details
            .iter()
            .map(|(label, value)| {
                let label = fit(label, FIELD / 2, escape);
                mrkdwn(format!("*{label}*\n{}", fit(value, FIELD / 2 - 3, escape)))
            })
            .collect();
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    if let Some(cause) = &message.cause {
        blocks.push(json!({ "type": "section", "text": mrkdwn(code_block(cause, TEXT, escape)) }));
    }
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(fit(&message.footer, FIELD, escape))] }));
    json!({
        // What notifications and screen readers say.
        "text": fit(&message.summary, TEXT, escape),
        "blocks": blocks,
        "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// `verbatim`: names of channels and people in it stay text and call nobody.
fn mrkdwn(text: String) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

fn escape(c: char) -> Option<&'static str> {
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::notice::{Event, Notice};
    use crate::text::units;

    #[test]
    fn a_failure_in_full() {
        let field = |text: &str| json!({ "type": "mrkdwn", "text": text, "verbatim": true });
        let body = payload(&Message::new(&Notice::example(Event::Failed)));
        assert_eq!(
            body,
            json!({
                "text": "ffe/ffe-backend: release failed in migrate (production)",
                "blocks": [
                    { "type": "header", "text": {
                        "type": "plain_text", "text": "❌ ffe-backend: release failed in migrate (production)", "emoji": true } },
                    { "type": "section", "fields": [
                        field("*Environment*\nproduction"),
                        field("*Release*\nffe/ffe-backend"),
                        field("*Revision*\n3 → 4"),
                        field("*Version*\n1.4.0 → 1.5.0"),
                        field("*Schema*\na1b2 → c3d4"),
                        field("*Duration*\n1 min 32 s"),
                        field("*author*\nA_B &lt;a@b.c&gt;"),
                        field("*commit*\n9f8e7d6"),
                    ] },
                    { "type": "section", "text": field(
                        "```\nJob ffe/ffe-migrate-1 failed\ncolumn \"a\" &lt;int&gt; &amp; more\n```") },
                    { "type": "context", "elements": [field("terraform-provider-ffe · run 0123456789ab")] },
                ],
                "unfurl_links": false,
                "unfurl_media": false,
            })
        );
    }

    #[test]
    fn nothing_in_a_notice_is_a_mention_or_a_link() {
        let mut notice = Notice::example(Event::Failed);
        notice.release = "<!channel>".into();
        notice.cause = Some("<!here> <https://a.b|c>".into());
        notice.fields.insert("<@U1>".into(), "<!everyone> & <#C1>".into());
        let body = payload(&Message::new(&notice)).to_string();
        assert!(!body.contains('<') && !body.contains('>'), "{body}");
        assert!(body.contains("&lt;!channel&gt;") && body.contains("&amp; &lt;#C1&gt;"), "{body}");
    }

    #[test]
    fn everything_stays_within_the_limits() {
        let mut notice = Notice::example(Event::Failed);
        notice.environment = Some("&".repeat(9000));
        notice.release = "<".repeat(9000);
        notice.run_id = "🚀>".repeat(9000);
        notice.cause = Some("&&& 🚀 ```\n".repeat(9000));
        notice.fields = (0..40).map(|n| (format!("{n}{}", "<".repeat(5000)), "&".repeat(5000))).collect();
        let body = payload(&Message::new(&notice));
        assert!(units(body["text"].as_str().unwrap()) <= TEXT);
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50);
        assert!(units(blocks[0]["text"]["text"].as_str().unwrap()) <= HEADER);
        for block in &blocks[1..] {
            let fields = block["fields"].as_array().or(block["elements"].as_array());
            assert!(fields.is_none_or(|fields| fields.len() <= FIELDS));
            for field in fields.into_iter().flatten() {
                assert!(units(field["text"].as_str().unwrap()) <= FIELD);
            }
            if let Some(text) = block["text"]["text"].as_str() {
                assert!(units(text) <= TEXT && text.ends_with(" more lines)\n```"), "{text}");
            }
        }
    }
}
