//! Zones and records in memory.

use serde_json::{Map, Value, json};

use crate::record::Record;

#[derive(Debug, Default)]
pub(super) struct Store {
    zones: Vec<Zone>,
    made: u64,
}

#[derive(Debug)]
pub(super) struct Zone {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: String,
    /// As the API shows them.
    pub(super) records: Vec<Value>,
}

impl Zone {
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "paused": false,
            "type": "full",
            "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
        })
    }

    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.records.iter().position(|record| record["id"] == id)
    }
}

impl Store {
    /// 32 hexadecimal digits, as Cloudflare's identifiers are.
    fn new_id(&mut self, kind: u8) -> String {
        self.made += 1;
        format!("{kind:02x}{:030x}", self.made)
    }

    pub(super) fn zone(&mut self, name: &str, status: &str) -> String {
        let id = self.new_id(0xaa);
        self.zones.push(Zone { id: id.clone(), name: name.to_owned(), status: status.to_owned(), records: Vec::new() });
        id
    }

    pub(super) fn remove_zone(&mut self, id: &str) {
        self.zones.retain(|zone| zone.id != id);
    }

    pub(super) fn zones(&self) -> &[Zone] {
        &self.zones
    }

    pub(super) fn find(&self, id: &str) -> Option<&Zone> {
        self.zones.iter().find(|zone| zone.id == id)
    }

    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Zone> {
        self.zones.iter_mut().find(|zone| zone.id == id)
    }

    pub(super) fn seed(
        &mut self,
        zone_id: &str,
        name: &str,
        kind: &str,
        content: &str,
        comment: Option<&str>,
    ) -> Option<String> {
        let fields = json!({ "name": name, "type": kind, "content": content, "comment": comment });
        self.insert(zone_id, fields.as_object()?.clone())
            .map(|record| record["id"].as_str().unwrap_or_default().to_owned())
    }

    /// Adds a record that was checked before, and shows it.
    pub(super) fn insert(&mut self, zone_id: &str, fields: Map<String, Value>) -> Option<Value> {
        let id = self.new_id(0xbb);
        let mut record = json!({
            "id": id, "proxied": false, "ttl": 1, "comment": null, "tags": [], "settings": {}, "meta": {},
            "proxiable": matches!(fields.get("type").and_then(Value::as_str), Some("A" | "AAAA" | "CNAME")),
            "created_on": "2026-01-01T00:00:00Z", "modified_on": "2026-01-01T00:00:00Z",
        });
        record.as_object_mut()?.extend(fields);
        self.find_mut(zone_id)?.records.push(record.clone());
        Some(record)
    }

    pub(super) fn records(&self, zone_id: &str) -> Vec<Record> {
        let records = self.find(zone_id).map(|zone| zone.records.as_slice()).unwrap_or_default();
        records.iter().filter_map(|record| serde_json::from_value(record.clone()).ok()).collect()
    }
}
