//! What Slack and Discord answer to what, from their public references.

use std::time::Duration;

use hyper::Method;
use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::SECRET;
use crate::channel::Kind;
use crate::text::units;
use crate::{discord, slack};

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn status(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Reply {
        self.headers.push((name, value));
        self
    }

    fn text(status: u16, text: &str) -> Reply {
        Reply { body: text.to_owned(), ..Reply::status(status).with("content-type", "text/plain".to_owned()) }
    }

    fn json(status: u16, body: &Value) -> Reply {
        Reply { body: body.to_string(), ..Reply::status(status).with("content-type", "application/json".to_owned()) }
    }

    fn error(status: u16, code: u32, message: &str) -> Reply {
        Reply::json(status, &json!({ "message": message, "code": code }))
    }
}

/// The path of the one webhook that there is.
pub(super) fn path(kind: Kind) -> String {
    match kind {
        Kind::Slack => format!("/services/T00000000/B00000000/{SECRET}"),
        Kind::Discord => format!("/api/webhooks/100000000000000001/{SECRET}"),
        Kind::Webhook => format!("/hooks/{SECRET}"),
    }
}

pub(super) fn rate_limited(kind: Kind, after: Duration) -> Reply {
    let body = match kind {
        Kind::Slack => Reply::text(429, "rate_limited"),
        Kind::Discord => Reply::json(
            429,
            &json!({ "message": "You are being rate limited.", "retry_after": after.as_secs_f64(), "global": false }),
        ),
        Kind::Webhook => Reply::status(429),
    };
    body.with("retry-after", format!("{}", after.as_secs_f64().ceil()))
}

pub(super) fn reply(kind: Kind, head: &Parts, body: &[u8]) -> Reply {
    if head.method != Method::POST {
        return Reply::status(405);
    }
    let is_json =
        head.headers.get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let body = serde_json::from_slice::<Value>(body).ok().filter(|body| is_json && body.is_object());
    let wanted = path(kind);
    let given = head.uri.path();
    // All but the token: the webhook is known, the token is wrong.
    let known = given.rsplit_once('/').map(|(start, _)| start) == wanted.rsplit_once('/').map(|(start, _)| start);
    match kind {
        Kind::Slack if !known => Reply::text(404, "no_service"),
        Kind::Slack if given != wanted => Reply::text(403, "invalid_token"),
        Kind::Slack => slack_reply(body.as_ref()),
        Kind::Discord if !known => Reply::error(404, 10_015, "Unknown Webhook"),
        Kind::Discord if given != wanted => Reply::error(401, 50_027, "Invalid Webhook Token"),
        Kind::Discord => discord_reply(body.as_ref()),
        Kind::Webhook if given != wanted => Reply::status(404),
        Kind::Webhook if body.is_none() => Reply::status(400),
        Kind::Webhook => Reply::status(202),
    }
}

fn within(text: &Value, limit: usize) -> bool {
    text.as_str().is_some_and(|text| !text.is_empty() && units(text) <= limit)
}

fn slack_reply(body: Option<&Value>) -> Reply {
    let Some(body) = body else { return Reply::text(400, "invalid_payload") };
    let blocks = &body["blocks"];
    if blocks.is_null() && body["text"].as_str().is_none_or(str::is_empty) {
        return Reply::text(400, "no_text");
    }
    let fine = blocks.is_null()
        || blocks.as_array().is_some_and(|blocks| (1..=50).contains(&blocks.len()) && blocks.iter().all(slack_block));
    if fine { Reply::text(200, "ok") } else { Reply::text(400, "invalid_blocks") }
}

fn slack_block(block: &Value) -> bool {
    let text = |text: &Value, limit| {
        matches!(text["type"].as_str(), Some("mrkdwn" | "plain_text")) && within(&text["text"], limit)
    };
    let texts = |list: &Value, limit| {
        list.as_array()
            .is_some_and(|list| (1..=slack::FIELDS).contains(&list.len()) && list.iter().all(|item| text(item, limit)))
    };
    match block["type"].as_str() {
        Some("header") => block["text"]["type"] == "plain_text" && within(&block["text"]["text"], slack::HEADER),
        Some("section") => {
            let (one, many) = (&block["text"], &block["fields"]);
            (one.is_null() || text(one, slack::TEXT))
                && (many.is_null() || texts(many, slack::FIELD))
                && !(one.is_null() && many.is_null())
        }
        Some("context") => texts(&block["elements"], slack::FIELD),
        Some("divider") => true,
        _ => false,
    }
}

fn discord_reply(body: Option<&Value>) -> Reply {
    let Some(body) = body else { return Reply::error(400, 50_109, "The request body contains invalid JSON.") };
    let content = body["content"].as_str().unwrap_or_default();
    let embeds = body["embeds"].as_array().map(Vec::as_slice).unwrap_or_default();
    if content.is_empty() && embeds.is_empty() {
        return Reply::error(400, 50_006, "Cannot send an empty message");
    }
    let sizes: Option<Vec<usize>> = embeds.iter().map(discord_embed).collect();
    let fine = units(content) <= 2000
        && embeds.len() <= 10
        && sizes.is_some_and(|sizes| sizes.iter().sum::<usize>() <= discord::TOTAL);
    if fine { Reply::status(204) } else { Reply::error(400, 50_035, "Invalid Form Body") }
}

/// The characters of an embed that count towards the total; `None` where a part is missing or too long.
fn discord_embed(embed: &Value) -> Option<usize> {
    let part = |text: &Value, limit| match text {
        Value::Null => Some(0),
        text => within(text, limit).then(|| text.as_str().map_or(0, units)),
    };
    let fields = embed["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    if fields.len() > discord::FIELDS || embed["color"].as_u64().is_some_and(|colour| colour > 0xFF_FF_FF) {
        return None;
    }
    let mut total = part(&embed["title"], discord::TITLE)?
        + part(&embed["description"], discord::DESCRIPTION)?
        + part(&embed["footer"]["text"], discord::FOOTER)?;
    for field in fields {
        if !(within(&field["name"], discord::FIELD_NAME) && within(&field["value"], discord::FIELD_VALUE)) {
            return None;
        }
        total += part(&field["name"], discord::FIELD_NAME)? + part(&field["value"], discord::FIELD_VALUE)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(kind: Kind, path: &str, body: &str) -> (u16, String) {
        let request = hyper::Request::post(path).header("content-type", "application/json").body(()).unwrap();
        let reply = reply(kind, &request.into_parts().0, body.as_bytes());
        (reply.status, reply.body)
    }

    #[test]
    fn slack_refuses_what_slack_refuses() {
        let long = json!({ "blocks": [{ "type": "section", "text": { "type": "mrkdwn", "text": "x".repeat(3001) } }] });
        let header = json!({ "blocks": [{ "type": "header", "text": { "type": "mrkdwn", "text": "x" } }] });
        for (body, status, word) in [
            ("{", 400, "invalid_payload"),
            ("[]", 400, "invalid_payload"),
            ("{}", 400, "no_text"),
            (r#"{"text":"hello"}"#, 200, "ok"),
            (long.to_string().as_str(), 400, "invalid_blocks"),
            (header.to_string().as_str(), 400, "invalid_blocks"),
            (r#"{"blocks":[{"type":"section"}]}"#, 400, "invalid_blocks"),
        ] {
            assert_eq!(told(Kind::Slack, &path(Kind::Slack), body), (status, word.to_owned()), "{body}");
        }
        assert_eq!(told(Kind::Slack, "/services/T1/B1/x", "{}"), (404, "no_service".to_owned()));
    }

    #[test]
    fn discord_refuses_what_discord_refuses() {
        let field = json!({ "name": "n", "value": "v".repeat(1000) });
        let total = json!({ "embeds": [{ "fields": vec![field.clone(); 7] }] });
        let some = json!({ "embeds": [{ "fields": vec![field; 5] }] });
        let title = json!({ "embeds": [{ "title": "x".repeat(257) }] });
        for (body, status, code) in [
            ("{", 400, 50_109),
            ("{}", 400, 50_006),
            (r#"{"embeds":[]}"#, 400, 50_006),
            (total.to_string().as_str(), 400, 50_035),
            (title.to_string().as_str(), 400, 50_035),
            (r#"{"embeds":[{"fields":[{"name":"n","value":""}]}]}"#, 400, 50_035),
            (some.to_string().as_str(), 204, 0),
        ] {
            let (given, answer) = told(Kind::Discord, &path(Kind::Discord), body);
            let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
            assert_eq!((given, answer["code"].as_u64().unwrap_or(0)), (status, code), "{body}");
        }
        assert_eq!(told(Kind::Discord, "/api/webhooks/2/x", "{}").0, 404);
    }
}
