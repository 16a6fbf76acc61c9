//! Whether a write-only value has changed, without keeping the value.
//!
//! A random key and the keyed digests (HMAC-SHA256) live in one Secret for each resource, in the
//! cluster, and never leave it: neither can be guessed at from the state. What the state may hold is
//! a random revision token that is renewed whenever the digest changes.

use std::collections::BTreeMap;
use std::fmt;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;
use rand::RngExt;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cluster::Cluster;
use crate::delete::DeleteOptions;
use crate::error::{Error, Kind, Result};
use crate::mark::{Mark, Owner};
use crate::object::ObjectRef;

const KEY: &str = "key";
const KEY_BYTES: usize = 32;
const DIGEST: &str = "digest.";
const REVISION: &str = "revision.";

/// How given values compare with those that were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The same values
    Same,
    /// Other values, or other names
    Changed,
    /// Nothing was recorded for this attribute
    NotRecorded,
}

/// The key and the recorded digests of one resource.
#[derive(Clone)]
pub struct Digests {
    namespace: String,
    name: String,
    key: [u8; KEY_BYTES],
    recorded: BTreeMap<String, String>,
    revisions: BTreeMap<String, String>,
}

impl Digests {
    /// The keyed digest of named values; the same whatever their order, of the same length whatever
    /// theirs. Two attributes with the same values have different digests.
    pub fn digest(&self, attribute: &str, values: &BTreeMap<String, Vec<u8>>) -> String {
        let mut bytes = Vec::new();
        for part in [b"ffe-digest-v1".as_slice(), attribute.as_bytes()] {
            append(&mut bytes, part);
        }
        for (name, value) in values {
            append(&mut bytes, name.as_bytes());
            append(&mut bytes, value);
        }
        keyed(&self.key, &bytes)
    }

    /// Compares with what was recorded.
    pub fn compare(&self, attribute: &str, values: &BTreeMap<String, Vec<u8>>) -> Comparison {
        match self.recorded.get(&entry(attribute)) {
            None => Comparison::NotRecorded,
            Some(recorded) if *recorded == self.digest(attribute, values) => Comparison::Same,
            Some(_) => Comparison::Changed,
        }
    }

    /// The token that changes when the values do. Random: safe in the state.
    pub fn revision(&self, attribute: &str) -> Option<&str> {
        self.revisions.get(&entry(attribute)).map(String::as_str)
    }

    /// Records the values' digest, and returns the revision: the same one when nothing changed.
    ///
    /// # Errors
    /// Those of a patch.
    pub async fn record(
        &mut self,
        cluster: &Cluster,
        attribute: &str,
        values: &BTreeMap<String, Vec<u8>>,
    ) -> Result<String> {
        let entry = entry(attribute);
        let known = self.revisions.get(&entry).cloned();
        if let (Comparison::Same, Some(revision)) = (self.compare(attribute, values), known) {
            return Ok(revision);
        }
        let digest = self.digest(attribute, values);
        let revision = hex::encode(rand::rng().random::<[u8; 8]>());
        let patch = json!({"stringData": {
            format!("{DIGEST}{entry}"): &digest,
            format!("{REVISION}{entry}"): &revision,
        }});
        let _: Secret = cluster.merge(Some(&self.namespace), &self.name, &patch).await?;
        self.recorded.insert(entry.clone(), digest);
        self.revisions.insert(entry, revision.clone());
        Ok(revision)
    }

    /// Drops what was recorded for an attribute that is no longer set.
    ///
    /// # Errors
    /// Those of a patch.
    pub async fn forget(&mut self, cluster: &Cluster, attribute: &str) -> Result<()> {
        let entry = entry(attribute);
        if self.recorded.remove(&entry).is_none() {
            return Ok(());
        }
        self.revisions.remove(&entry);
        let patch = json!({"data": {format!("{DIGEST}{entry}"): null, format!("{REVISION}{entry}"): null}});
        let _: Secret = cluster.merge(Some(&self.namespace), &self.name, &patch).await?;
        Ok(())
    }

    fn read(namespace: &str, secret: &Secret) -> Result<Self> {
        let name = secret.metadata.name.clone().unwrap_or_default();
        let nothing = BTreeMap::new();
        let data = secret.data.as_ref().unwrap_or(&nothing);
        let key = data.get(KEY).and_then(|key| <[u8; KEY_BYTES]>::try_from(key.0.as_slice()).ok());
        let key = key.ok_or_else(|| Error::Malformed {
            what: ObjectRef::of::<Secret>(Some(namespace), &name).to_string(),
            message: format!("its entry {KEY:?} is not {KEY_BYTES} bytes long; delete the Secret, and the values count as changed once"),
        })?;
        let under = |prefix: &str| {
            data.iter()
                .filter_map(|(name, value)| {
                    Some((name.strip_prefix(prefix)?.to_owned(), String::from_utf8(value.0.clone()).ok()?))
                })
                .collect()
        };
        Ok(Self { namespace: namespace.to_owned(), recorded: under(DIGEST), revisions: under(REVISION), name, key })
    }
}

/// Shows where it is kept, nothing of what.
impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digests").field("namespace", &self.namespace).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Cluster {
    /// The digests of a resource; made with a new key at first use.
    ///
    /// # Errors
    /// Those of reading and creating a Secret.
    pub async fn digests(&self, namespace: &str, mark: &Mark) -> Result<Digests> {
        if let Some(found) = self.find_digests(namespace, &mark.owner).await? {
            return Ok(found);
        }
        let mut metadata = ObjectMeta {
            name: Some(secret_name(&mark.owner)),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        };
        mark.write(&mut metadata);
        let key: [u8; KEY_BYTES] = rand::rng().random();
        let secret = Secret {
            metadata,
            data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(key.to_vec()))])),
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        };
        match self.create(&secret).await {
            Ok(made) => Digests::read(namespace, &made),
            // somebody was faster: theirs counts
            Err(error) if error.kind() == Kind::AlreadyExists => {
                let found: Secret = self.get(Some(namespace), &secret_name(&mark.owner)).await?;
                Digests::read(namespace, &found)
            }
            // it may have been made, and the answer was lost
            Err(error) if error.kind() == Kind::Unavailable => {
                self.find_digests(namespace, &mark.owner).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The digests of a resource, None when none were recorded. Writes nothing: for plan and read.
    ///
    /// # Errors
    /// Those of reading a Secret.
    pub async fn find_digests(&self, namespace: &str, owner: &Owner) -> Result<Option<Digests>> {
        let found: Option<Secret> = self.find(Some(namespace), &secret_name(owner)).await?;
        found.map(|secret| Digests::read(namespace, &secret)).transpose()
    }

    /// Removes key and digests of a resource.
    ///
    /// # Errors
    /// Those of a delete; one that is gone is no error.
    pub async fn delete_digests(&self, namespace: &str, owner: &Owner) -> Result<()> {
        let object = ObjectRef::of::<Secret>(Some(namespace), &secret_name(owner));
        self.delete(&object, &DeleteOptions::default()).await.map(drop)
    }
}

/// Name of the Secret that holds the digests of a resource.
pub fn secret_name(owner: &Owner) -> String {
    format!("ffe-digests-{}", owner.label_value())
}

/// SHA-256 over named values that are no secrets, as hexadecimal digits.
pub fn public_digest<'a>(values: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let sorted: BTreeMap<&str, &str> = values.into_iter().collect();
    let mut bytes = Vec::new();
    for (name, value) in sorted {
        append(&mut bytes, name.as_bytes());
        append(&mut bytes, value.as_bytes());
    }
    hex::encode(Sha256::digest(bytes))
}

/// With its length, so that no two lists of parts run together to the same bytes.
fn append(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u64).to_be_bytes());
    bytes.extend(part);
}

fn keyed(key: &[u8; KEY_BYTES], bytes: &[u8]) -> String {
    // a key shorter than a block is padded with zeros: the same as a shorter key to HMAC
    let mut block = [0; 64];
    block[..KEY_BYTES].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(bytes);
    hex::encode(mac.finalize().into_bytes())
}

/// An attribute's name as a key of a Secret: `database.url_wo` stays, anything else is replaced.
fn entry(attribute: &str) -> String {
    attribute.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn digests(key: u8) -> Digests {
        let secret = Secret {
            data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(vec![key; KEY_BYTES]))])),
            ..Secret::default()
        };
        Digests::read("ffe", &secret).unwrap()
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec())).collect()
    }

    #[test]
    fn digests_tell_values_apart_and_hide_their_length() {
        let digests = digests(7);
        let short = digests.digest("a", &values(&[("K", "v")]));
        let long = digests.digest("a", &values(&[("K", &"v".repeat(10_000))]));
        assert_eq!(short.len(), long.len());
        let all = [
            short,
            long,
            digests.digest("b", &values(&[("K", "v")])),
            digests.digest("a", &values(&[("Kv", "")])),
            digests.digest("a", &values(&[("K", "v"), ("L", "")])),
            digests.digest("a", &values(&[])),
        ];
        let distinct: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }

    #[test]
    fn without_the_key_the_digest_is_another() {
        let same = values(&[("K", "v")]);
        assert_eq!(digests(7).digest("a", &same), digests(7).digest("a", &same));
        assert_ne!(digests(7).digest("a", &same), digests(8).digest("a", &same));
    }

    #[test]
    fn the_mac_is_the_standard_one() {
        // RFC 4231, test case 2, with its key padded to 32 bytes of zeros, which HMAC does anyway
        let mut key = [0; KEY_BYTES];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            keyed(&key, b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn comparison_needs_a_record() {
        let mut digests = digests(1);
        let a = values(&[("K", "v")]);
        assert_eq!(digests.compare("secrets_wo", &a), Comparison::NotRecorded);
        digests.recorded.insert("secrets_wo".into(), digests.digest("secrets_wo", &a));
        assert_eq!(digests.compare("secrets_wo", &a), Comparison::Same);
        assert_eq!(digests.compare("secrets_wo", &values(&[("K", "w")])), Comparison::Changed);
    }

    #[test]
    fn a_broken_key_is_named() {
        let secret =
            Secret { data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(vec![1]))])), ..Secret::default() };
        let error = Digests::read("ffe", &secret).unwrap_err();
        assert!(error.to_string().contains("32 bytes"), "{error}");
    }

    #[test]
    fn public_digests_do_not_depend_on_order() {
        assert_eq!(public_digest([("a", "1"), ("b", "2")]), public_digest([("b", "2"), ("a", "1")]));
        assert_ne!(public_digest([("a", "12")]), public_digest([("a1", "2")]));
    }
}
