//! What Cloudflare checks of a record before it takes it.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

use super::contract::Reply;
use super::store::Zone;

/// The longest comment of a free zone.
const COMMENT: usize = 100;

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Checks the fields of a record that is to be written, puts them into Cloudflare's notation, and looks for records
/// that exclude it. `own` is the id of the record that they replace.
pub(super) fn check(zone: &Zone, fields: &mut Map<String, Value>, own: Option<&str>) -> Result<(), Reply> {
    form(zone, fields)?;
    let (name, kind) = (text(fields, "name"), text(fields, "type"));
    let others = zone.records.iter().filter(|record| record["name"] == name && record["id"].as_str() != own);
    let address = |kind: &str| matches!(kind, "A" | "AAAA" | "CNAME");
    for other in others {
        let theirs = other["type"].as_str().unwrap_or_default();
        if theirs == kind && other["content"] == text(fields, "content") {
            return Err(Reply::refused(400, 81_058, "An identical record already exists."));
        }
        if address(theirs) && address(kind) && (theirs == "CNAME" || kind == "CNAME") {
            return Err(Reply::refused(400, 81_053, "An A, AAAA, or CNAME record with that host already exists."));
        }
    }
    Ok(())
}

fn form(zone: &Zone, fields: &mut Map<String, Value>) -> Result<(), Reply> {
    let name = text(fields, "name").trim_end_matches('.').to_ascii_lowercase();
    let name = match name.as_str() {
        "" => return Err(invalid(9000, "DNS name is invalid.")),
        "@" => zone.name.clone(),
        full if full == zone.name || full.ends_with(&format!(".{}", zone.name)) => name,
        // A name outside of the zone is taken as one within it.
        short => format!("{short}.{}", zone.name),
    };
    fields.insert("name".to_owned(), name.into());
    let content = text(fields, "content").to_owned();
    let content = match text(fields, "type") {
        "A" => content
            .parse::<Ipv4Addr>()
            .map(|address| address.to_string())
            .map_err(|_| invalid(9005, "Content for A record must be a valid IPv4 address."))?,
        "AAAA" => content
            .parse::<Ipv6Addr>()
            .map(|address| address.to_string())
            .map_err(|_| invalid(9006, "Content for AAAA record must be a valid IPv6 address."))?,
        "CNAME" if content.is_empty() || content.contains([' ', '/']) => {
            return Err(invalid(9007, "Content for CNAME record is invalid."));
        }
        "CNAME" => content.trim_end_matches('.').to_ascii_lowercase(),
        "" => return Err(invalid(1004, "DNS Validation Error")),
        _ => content,
    };
    fields.insert("content".to_owned(), content.into());
    let proxied = match fields.get("proxied") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(proxied)) => *proxied,
        Some(_) => return Err(invalid(9004, "Invalid 'proxied' value, must be a boolean.")),
    };
    let ttl = fields.get("ttl").and_then(Value::as_u64).unwrap_or(1);
    if ttl != 1 && !(60..=86_400).contains(&ttl) {
        return Err(invalid(9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for automatic."));
    }
    // Proxied records have the automatic one, whatever was sent.
    fields.insert("ttl".to_owned(), if proxied { 1.into() } else { ttl.into() });
    if text(fields, "comment").chars().count() > COMMENT {
        return Err(invalid(1004, "DNS record comment is too long."));
    }
    Ok(())
}

fn invalid(code: u32, message: &str) -> Reply {
    Reply::invalid(code, message)
}
