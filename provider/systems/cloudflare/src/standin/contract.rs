//! The endpoints and their answers.

use std::time::Duration;

use hyper::http::request::Parts;
use serde_json::{Map, Value, json};

use super::{PREFIX, State, TOKEN, rules};

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Reply {
        Reply { status, headers: vec![("content-type", "application/json".to_owned())], body: body.to_string() }
    }

    fn done(result: &Value) -> Reply {
        Reply::json(200, &json!({ "success": true, "errors": [], "messages": [], "result": result }))
    }

    fn errors(status: u16, errors: &Value) -> Reply {
        Reply::json(status, &json!({ "success": false, "errors": errors, "messages": [], "result": null }))
    }

    pub(super) fn refused(status: u16, code: u32, message: &str) -> Reply {
        Reply::errors(status, &json!([{ "code": code, "message": message }]))
    }

    /// The cause within a chain, as older answers have it.
    pub(super) fn invalid(code: u32, message: &str) -> Reply {
        let chain = json!([{ "code": code, "message": message }]);
        Reply::errors(400, &json!([{ "code": 1004, "message": "DNS Validation Error", "error_chain": chain }]))
    }

    pub(super) fn page(status: u16) -> Reply {
        let body = format!("<html><body>{status}</body></html>");
        Reply { status, headers: vec![("content-type", "text/html".to_owned())], body }
    }

    pub(super) fn rate_limited(after: Duration) -> Reply {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        Reply::refused(429, 971, "Please wait and consider throttling your request speed")
            .with("retry-after", seconds.to_string())
    }

    pub(super) fn with(mut self, name: &'static str, value: String) -> Reply {
        self.headers.push((name, value));
        self
    }
}

fn unknown_zone(path: &str) -> Reply {
    let message = format!("Could not route to {path}, perhaps your object identifier is invalid?");
    Reply::errors(
        404,
        &json!([{ "code": 7003, "message": message }, { "code": 7000, "message": "No route for that URI" }]),
    )
}

fn unknown_record() -> Reply {
    Reply::refused(404, 81_044, "Record does not exist.")
}

/// Does what is asked, and answers.
pub(super) fn reply(state: &mut State, head: &Parts, body: &Value) -> Reply {
    match answer(state, head, body) {
        Ok(reply) | Err(reply) => reply,
    }
}

fn answer(state: &mut State, head: &Parts, body: &Value) -> Result<Reply, Reply> {
    authenticate(head)?;
    let path = head.uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned();
    let query: Map<String, Value> = query.map(|(name, value)| (name, value.into())).collect();
    let method = head.method.as_str();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let (zone, rest) = match segments.as_slice() {
        ["zones"] if method == "GET" => {
            let named = |zone: &&super::store::Zone| query.get("name").is_none_or(|name| *name == zone.name.as_str());
            let zones = state.store.zones().iter().filter(named).map(super::store::Zone::shown).collect();
            return Ok(page(state, zones, &query));
        }
        ["zones", zone, rest @ ..] => ((*zone).to_owned(), rest),
        _ => return Err(unknown_zone(&path)),
    };
    if state.store.find(&zone).is_none() {
        return Err(unknown_zone(&format!("/zones/{zone}")));
    }
    if method != "GET" && state.read_only.contains(&zone) {
        return Err(Reply::refused(403, 10_000, "Authentication error"));
    }
    match (method, rest) {
        ("GET", []) => Ok(Reply::done(&state.store.find(&zone).map(super::store::Zone::shown).unwrap_or_default())),
        ("GET", ["dns_records"]) => {
            let wanted = |record: &&Value| {
                let same = |filter: &str, field: &str| query.get(filter).is_none_or(|wanted| *wanted == record[field]);
                same("name.exact", "name") && same("name", "name") && same("type", "type") && same("content", "content")
            };
            let all = state.store.find(&zone).map(|zone| zone.records.clone()).unwrap_or_default();
            let records = all.iter().filter(wanted).cloned().collect();
            Ok(page(state, records, &query))
        }
        ("POST", ["dns_records"]) => Ok(Reply::done(&create(state, &zone, body)?)),
        ("POST", ["dns_records", "batch"]) => batch(state, &zone, body),
        ("GET", ["dns_records", id]) => {
            let zone = state.store.find(&zone).ok_or_else(unknown_record)?;
            Ok(Reply::done(&zone.records[zone.position(id).ok_or_else(unknown_record)?]))
        }
        ("PATCH", ["dns_records", id]) => Ok(Reply::done(&change(state, &zone, id, body, true)?)),
        ("PUT", ["dns_records", id]) => Ok(Reply::done(&change(state, &zone, id, body, false)?)),
        ("DELETE", ["dns_records", id]) => Ok(Reply::done(&delete(state, &zone, id)?)),
        _ => Err(unknown_zone(&path)),
    }
}

fn authenticate(head: &Parts) -> Result<(), Reply> {
    let header = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    match header.strip_prefix("Bearer ") {
        Some(TOKEN) => Ok(()),
        Some(_) => Err(Reply::refused(403, 9109, "Invalid access token")),
        None => {
            let chain = json!([{ "code": 6111, "message": "Invalid format for Authorization header" }]);
            let error = json!([{ "code": 6003, "message": "Invalid request headers", "error_chain": chain }]);
            Err(Reply::errors(400, &error))
        }
    }
}

fn page(state: &State, all: Vec<Value>, query: &Map<String, Value>) -> Reply {
    let number = |name: &str| query.get(name).and_then(Value::as_str).and_then(|text| text.parse::<usize>().ok());
    let (page, asked) = (number("page").unwrap_or(1).max(1), number("per_page").unwrap_or(20).max(1));
    let per_page = state.page.unwrap_or(asked).min(asked);
    let total = all.len();
    let result: Vec<Value> = all.into_iter().skip((page - 1) * per_page).take(per_page).collect();
    let info = json!({
        "page": page, "per_page": per_page, "count": result.len(), "total_count": total,
        "total_pages": total.div_ceil(per_page),
    });
    Reply::json(200, &json!({ "success": true, "errors": [], "messages": [], "result": result, "result_info": info }))
}

fn fields(body: &Value) -> Result<Map<String, Value>, Reply> {
    let fields = body.as_object().cloned().ok_or_else(|| Reply::refused(400, 9207, "Request body is invalid."))?;
    let known = ["type", "name", "content", "proxied", "ttl", "comment", "tags", "settings", "priority", "data"];
    Ok(fields.into_iter().filter(|(name, _)| known.contains(&name.as_str())).collect())
}

fn create(state: &mut State, zone: &str, body: &Value) -> Result<Value, Reply> {
    let mut fields = fields(body)?;
    let found = state.store.find(zone).ok_or_else(|| unknown_zone(zone))?;
    rules::check(found, &mut fields, None)?;
    state.store.insert(zone, fields).ok_or_else(unknown_record)
}

/// PATCH keeps what is not sent, PUT does not.
fn change(state: &mut State, zone: &str, id: &str, body: &Value, keep: bool) -> Result<Value, Reply> {
    let sent = fields(body)?;
    let zone = state.store.find_mut(zone).ok_or_else(|| unknown_zone(zone))?;
    let index = zone.position(id).ok_or_else(unknown_record)?;
    let mut record = zone.records[index].as_object().cloned().unwrap_or_default();
    if sent.get("type").is_some_and(|kind| Some(kind) != record.get("type")) {
        // The strictest reading of the contract: whoever relies on more is found out here.
        return Err(Reply::invalid(1004, "The type of a record cannot be changed."));
    }
    if !keep {
        record.insert("comment".to_owned(), Value::Null);
    }
    record.extend(sent);
    rules::check(zone, &mut record, Some(id))?;
    zone.records[index] = record.into();
    Ok(zone.records[index].clone())
}

fn delete(state: &mut State, zone: &str, id: &str) -> Result<Value, Reply> {
    let zone = state.store.find_mut(zone).ok_or_else(|| unknown_zone(zone))?;
    let index = zone.position(id).ok_or_else(unknown_record)?;
    zone.records.remove(index);
    Ok(json!({ "id": id }))
}

/// All or nothing, in the documented order: deletes, patches, puts, posts.
fn batch(state: &mut State, zone: &str, body: &Value) -> Result<Reply, Reply> {
    let before = state.store.find(zone).map(|zone| zone.records.clone()).unwrap_or_default();
    let done = batch_steps(state, zone, body);
    if done.is_err()
        && let Some(zone) = state.store.find_mut(zone)
    {
        zone.records = before;
    }
    done.map(|result| Reply::done(&result))
}

fn batch_steps(state: &mut State, zone: &str, body: &Value) -> Result<Value, Reply> {
    let list = |name: &str| body[name].as_array().cloned().unwrap_or_default();
    let id = |item: &Value| item["id"].as_str().unwrap_or_default().to_owned();
    let mut result = json!({ "deletes": [], "patches": [], "puts": [], "posts": [] });
    let mut push = |name: &str, item: Value| {
        if let Some(items) = result[name].as_array_mut() {
            items.push(item);
        }
    };
    for item in list("deletes") {
        push("deletes", delete(state, zone, &id(&item))?);
    }
    for (name, keep) in [("patches", true), ("puts", false)] {
        for item in list(name) {
            push(name, change(state, zone, &id(&item), &item, keep)?);
        }
    }
    for item in list("posts") {
        push("posts", create(state, zone, &item)?);
    }
    Ok(result)
}
