//! What an answer means: delivered, try again, or never.
//!
//! From the public contracts. Slack and Discord answer 429 with `Retry-After` in seconds, Discord with a finer
//! `retry_after` in its JSON besides; refusals are a word of text (Slack) or a JSON with a `code` (Discord). Only
//! words and codes that are known are passed on: an answer may repeat the request, and with it the secret.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::channel::Kind;
use crate::failure::Problem;

/// What to do after an answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It arrived.
    Delivered,
    /// It may go well later.
    Again {
        /// What is wrong now.
        problem: Problem,
        /// How long the other end asked to wait.
        after: Option<Duration>,
    },
    /// It never will.
    Never(Problem),
}

/// Judges an answer by its status, its `Retry-After` and, where it is no success, the beginning of its body.
pub(crate) fn judge(kind: Kind, status: u16, retry_after: Option<&str>, body: &[u8]) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        429 => {
            let after = finer(kind, body).or_else(|| retry_after.and_then(wait));
            Verdict::Again { problem: Problem::RateLimited { after }, after }
        }
        500.. => Verdict::Again { problem: Problem::ServerError { status }, after: retry_after.and_then(wait) },
        _ => Verdict::Never(Problem::Rejected { status, reason: reason(kind, body) }),
    }
}

/// `Retry-After`: seconds, or the date that HTTP allows too.
fn wait(header: &str) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::parse(header).ok()?.timestamp();
    Some(SystemTime::from(date).duration_since(SystemTime::now()).unwrap_or_default())
}

fn finer(kind: Kind, body: &[u8]) -> Option<Duration> {
    let body: Value = serde_json::from_slice(body).ok().filter(|_| kind == Kind::Discord)?;
    Duration::try_from_secs_f64(body["retry_after"].as_f64()?).ok()
}

const SLACK: [&str; 16] = [
    "action_prohibited",
    "channel_is_archived",
    "channel_not_found",
    "invalid_attachments",
    "invalid_blocks",
    "invalid_payload",
    "invalid_token",
    "missing_text_or_fallback_or_attachments",
    "no_active_hooks",
    "no_service",
    "no_service_id",
    "no_team",
    "no_text",
    "posting_to_general_channel_denied",
    "team_disabled",
    "too_many_attachments",
];

const DISCORD: [(u64, &str); 9] = [
    (10_003, "10003, unknown channel"),
    (10_015, "10015, unknown webhook"),
    (40_005, "40005, request too large"),
    (50_006, "50006, empty message"),
    (50_013, "50013, missing permissions"),
    (50_027, "50027, invalid webhook token"),
    (50_035, "50035, invalid form body"),
    (50_109, "50109, invalid JSON"),
    (220_001, "220001, a forum channel needs ?thread_id=… in the URL"),
];

fn reason(kind: Kind, body: &[u8]) -> Option<&'static str> {
    match kind {
        Kind::Slack => {
            let word = std::str::from_utf8(body).ok()?.trim();
            SLACK.into_iter().find(|known| *known == word)
        }
        Kind::Discord => {
            let code = serde_json::from_slice::<Value>(body).ok()?["code"].as_u64()?;
            DISCORD.into_iter().find(|(known, _)| *known == code).map(|(_, reason)| reason)
        }
        Kind::Webhook => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(seconds: Option<f64>) -> Verdict {
        let after = seconds.map(Duration::from_secs_f64);
        Verdict::Again { problem: Problem::RateLimited { after }, after }
    }

    #[test]
    fn any_success_is_delivered() {
        for (kind, status) in [(Kind::Slack, 200), (Kind::Discord, 204), (Kind::Webhook, 202)] {
            assert_eq!(judge(kind, status, None, b""), Verdict::Delivered);
        }
    }

    #[test]
    fn rate_limits_say_how_long_to_wait() {
        assert_eq!(judge(Kind::Slack, 429, Some("30"), b"rate_limited"), limited(Some(30.0)));
        let body = br#"{"message":"You are being rate limited.","retry_after":0.337,"global":false}"#;
        assert_eq!(judge(Kind::Discord, 429, Some("1"), body), limited(Some(0.337)));
        // Discord's front answers without JSON.
        assert_eq!(judge(Kind::Discord, 429, Some("600"), b"error code: 1015"), limited(Some(600.0)));
        assert_eq!(judge(Kind::Webhook, 429, None, body), limited(None));
        for nonsense in ["soon", "-1", "NaN", "1e400", ""] {
            assert_eq!(judge(Kind::Webhook, 429, Some(nonsense), b""), limited(None), "{nonsense}");
        }
    }

    #[test]
    fn a_date_to_wait_for_is_understood() {
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert!(wait("Tue, 31 Dec 2999 23:59:59 GMT").is_some_and(|wait| wait > Duration::from_secs(1 << 32)));
    }

    #[test]
    fn trouble_at_the_other_end_passes() {
        assert_eq!(
            judge(Kind::Slack, 503, Some("5"), b""),
            Verdict::Again { problem: Problem::ServerError { status: 503 }, after: Some(Duration::from_secs(5)) }
        );
        assert_eq!(
            judge(Kind::Discord, 500, None, b""),
            Verdict::Again { problem: Problem::ServerError { status: 500 }, after: None }
        );
    }

    #[test]
    fn refusals_are_final_and_only_known_reasons_are_passed_on() {
        let rejected = |status, reason| Verdict::Never(Problem::Rejected { status, reason });
        assert_eq!(judge(Kind::Slack, 404, None, b"no_service"), rejected(404, Some("no_service")));
        assert_eq!(judge(Kind::Slack, 400, None, b"invalid_payload\n"), rejected(400, Some("invalid_payload")));
        assert_eq!(judge(Kind::Slack, 404, None, b"no such path: /services/T0/s3cret"), rejected(404, None));
        let body = br#"{"message":"Cannot send an empty message","code":50006}"#;
        assert_eq!(judge(Kind::Discord, 400, None, body), rejected(400, Some("50006, empty message")));
        assert_eq!(judge(Kind::Discord, 404, None, br#"{"code":"s3cret"}"#), rejected(404, None));
        assert_eq!(judge(Kind::Webhook, 302, None, b"no_service"), rejected(302, None));
    }
}
