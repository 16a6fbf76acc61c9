//! From the state file, through upgrade and read, and back into it.

use serde_json::Value as Json;
use tfplugin_core::{Deferred, Diagnostics, Path, Schema};

use super::Terraform;
use super::guard::{REFRESH, UPGRADE};
use crate::fail;
use crate::json::show;
use crate::outcome::{Refreshed, strings};
use crate::rules::changed;
use crate::state::{Address, Object};

/// What the provider found.
pub(super) struct Seen {
    /// What is there; as before where an error was reported.
    pub(super) object: Option<Object>,
    pub(super) drift: Vec<Path>,
    pub(super) deferred: Option<Deferred>,
    pub(super) told: Diagnostics,
}

impl Terraform {
    /// `terraform refresh`: looks what is there and saves it.
    pub async fn refresh(&mut self, kind: &str, name: &str) -> Refreshed {
        let (address, schema) = (Address::new(kind, name), self.schema(kind));
        let before = self.state(kind, name);
        let seen = self.see(&address, &schema).await;
        let after = seen.object.as_ref().map_or(Json::Null, |object| show(&object.value));
        Refreshed {
            gone: !before.is_null() && after.is_null() && !seen.told.has_errors(),
            after: if seen.told.has_errors() { before.clone() } else { after },
            before,
            drift: strings(&seen.drift),
            deferred: seen.deferred,
            diagnostics: seen.told,
        }
    }

    /// Loads, reads and saves. An error leaves the state file as it is.
    pub(super) async fn see(&mut self, address: &Address, schema: &Schema) -> Seen {
        let told = self.configure_for_plan().await;
        let object = match self.load(address, schema).await {
            Ok(object) if !told.has_errors() => object,
            Ok(object) => return Seen { object, drift: Vec::new(), deferred: None, told },
            Err(told) => return Seen { object: None, drift: Vec::new(), deferred: None, told },
        };
        let Some(object) = object else {
            return Seen { object: None, drift: Vec::new(), deferred: None, told };
        };
        let seen = self.read(address, schema, &object).await;
        if !seen.told.has_errors() && seen.deferred.is_none() {
            self.save(address, schema, seen.object.as_ref());
        }
        seen
    }

    /// What lies in the state file, upgraded to this version of the schema.
    pub(super) async fn load(&self, address: &Address, schema: &Schema) -> Result<Option<Object>, Diagnostics> {
        let Some(stored) = self.stored.get(address) else { return Ok(None) };
        let value = match self.peer.upgrade(&address.kind, stored.version, &stored.json).await {
            Ok(value) => value,
            Err(told) => {
                self.heed(address, schema, &told);
                return Err(told);
            }
        };
        if value.is_null() {
            fail(format!("Invalid resource state upgrade: {address}: the upgraded state is null"));
        }
        self.guard_known(address, schema, &UPGRADE, &value, &stored.private);
        Ok(Some(Object { value, private: stored.private.clone(), tainted: stored.tainted }))
    }

    /// Puts it into the state file, or removes it from there.
    pub(super) fn save(&mut self, address: &Address, schema: &Schema, object: Option<&Object>) {
        match object {
            Some(object) => {
                let stored = object.store(address, schema);
                self.listen(address, "its state", &String::from_utf8_lossy(&stored.json));
                self.stored.insert(address.clone(), stored);
            }
            None => {
                self.stored.remove(address);
            }
        }
    }

    /// Asks the provider what is there.
    pub(super) async fn read(&self, address: &Address, schema: &Schema, object: &Object) -> Seen {
        let response = self.peer.read(&self.cx, &address.kind, &object.value, &object.private).await;
        self.heed(address, schema, &response.diagnostics);
        self.guard_deferral(address, response.deferred);
        if response.diagnostics.has_errors() {
            let object = Some(object.clone());
            return Seen { object, drift: Vec::new(), deferred: None, told: response.diagnostics };
        }
        self.guard_known(address, schema, &REFRESH, &response.state, &response.private);
        let drift = changed(&schema.ty(), &object.value, &response.state);
        let found = (!response.state.is_null()).then_some(Object {
            value: response.state,
            private: response.private,
            tainted: object.tainted,
        });
        Seen { object: found, drift, deferred: response.deferred, told: response.diagnostics }
    }
}
