//! What an answer of the API means.
//!
//! From the public contract: an envelope with `success`, `errors` (each with `code` and `message`, older ones with the
//! cause in an `error_chain`), `result` and, for lists, `result_info`. 429 carries `Retry-After` in seconds.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Reason};

/// Cloudflare's own words are cut here.
const LONGEST: usize = 400;

#[derive(Deserialize)]
struct Envelope<T> {
    #[serde(default)]
    success: bool,
    #[serde(default = "Option::default")]
    result: Option<T>,
    result_info: Option<Paging>,
}

#[derive(Deserialize)]
struct Complaints {
    #[serde(default)]
    errors: Vec<Complaint>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
    #[serde(default)]
    error_chain: Vec<Complaint>,
}

/// Where a page stands among the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Paging {
    /// Counted from 1.
    pub(crate) page: u32,
    /// How many there are, where it says so.
    pub(crate) total_pages: Option<u32>,
}

/// A result and its page.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    pub(crate) result: T,
    pub(crate) paging: Option<Paging>,
}

/// What was asked of whom.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) operation: &'a str,
    pub(crate) host: &'a str,
}

/// Judges an answer by its status, its `Retry-After` and its body. `clean` takes secrets out of Cloudflare's words.
pub(crate) fn judge<T: DeserializeOwned>(
    asked: Asked<'_>,
    status: u16,
    retry_after: Option<&str>,
    body: &[u8],
    clean: impl Fn(&str) -> String,
) -> Result<Answer<T>, Error> {
    let operation = || asked.operation.to_owned();
    let unreadable = || Error::Unreadable { operation: operation(), host: asked.host.to_owned(), status };
    if status == 429 {
        return Err(Error::RateLimited { operation: operation(), wait: retry_after.and_then(wait) });
    }
    if status >= 500 {
        return Err(Error::Trouble { operation: operation(), status });
    }
    if (200..300).contains(&status)
        && let Ok(Envelope { success: true, result: Some(result), result_info }) = serde_json::from_slice(body)
    {
        return Ok(Answer { result, paging: result_info });
    }
    let complaints = serde_json::from_slice::<Complaints>(body).map(|body| body.errors).unwrap_or_default();
    let mut flat = Vec::new();
    flatten(&complaints, &mut flat);
    if flat.is_empty() && !matches!(status, 401 | 403) {
        return Err(unreadable());
    }
    let words = flat.iter().map(|one| format!("{} (code {})", one.message.trim_end_matches('.'), one.code));
    let words = words.collect::<Vec<_>>().join(": ");
    let (reason, code) = reason(status, &flat);
    let message = if words.is_empty() { format!("status {status}") } else { shorten(&clean(&words)) };
    Err(Error::Api { operation: operation(), reason, code, status, message })
}

/// Outer complaints first, each followed by its causes.
fn flatten<'a>(complaints: &'a [Complaint], flat: &mut Vec<&'a Complaint>) {
    for complaint in complaints {
        flat.push(complaint);
        flatten(&complaint.error_chain, flat);
    }
}

fn reason(status: u16, complaints: &[&Complaint]) -> (Reason, Option<u32>) {
    let known = complaints.iter().find_map(|one| Some((of_code(one.code)?, Some(one.code))));
    let first = complaints.first().map(|one| one.code);
    known.unwrap_or((if matches!(status, 401 | 403) { Reason::Authentication } else { Reason::Other }, first))
}

fn of_code(code: u32) -> Option<Reason> {
    Some(match code {
        // Authentication error; invalid token; wrong or missing headers of authentication.
        10_000 | 10_001 | 1000 | 6003 | 6111 | 9103 | 9106 | 9107 | 9109 => Reason::Authentication,
        81_053..=81_058 => Reason::Duplicate,
        7003 => Reason::UnknownZone,
        81_044 => Reason::UnknownRecord,
        1004 | 9000..=9999 => Reason::Validation,
        _ => return None,
    })
}

/// `Retry-After`: seconds, or the date that HTTP allows too.
fn wait(header: &str) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(header).ok()?.timestamp();
    Some(SystemTime::from(date).duration_since(SystemTime::now()).unwrap_or_default())
}

/// On one line, and not longer than anybody reads.
fn shorten(words: &str) -> String {
    let line: String =
        words.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).collect();
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
