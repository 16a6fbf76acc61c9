//! What a provider keeps beside a resource's state, unseen by the user.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

/// Private state: small JSON values by key. Not a place for secrets; it lies in the state file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Private(Map<String, Json>);

impl Private {
    /// The form that Terraform carries. Empty bytes are empty private state; bytes that this version cannot
    /// read count as empty, since private state is a cache and never the only record of anything.
    pub fn from_bytes(bytes: &[u8]) -> Private {
        Private(serde_json::from_slice(bytes).unwrap_or_default())
    }

    /// The form that Terraform carries; no bytes when there is nothing to keep.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.0.is_empty() { Vec::new() } else { Json::Object(self.0.clone()).to_string().into_bytes() }
    }

    /// What is kept under `key`, if it is there and of that type.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.0.get(key).and_then(|json| T::deserialize(json).ok())
    }

    /// Keeps a value under `key`. What has no JSON form is not kept.
    pub fn set<T: Serialize>(&mut self, key: &str, value: &T) {
        if let Ok(json) = serde_json::to_value(value) {
            self.0.insert(key.to_owned(), json);
        }
    }

    /// Forgets what is kept under `key`.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }
}
