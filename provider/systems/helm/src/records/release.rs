//! A release record: base64 of gzip of JSON, as `helm.sh/helm/pkg/storage/driver` writes it.

use std::fmt;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Status;
use crate::chart::Metadata;
use crate::manifest::{Manifest, ManifestError, ObjectId, without};

const GZIP: [u8; 3] = [0x1f, 0x8b, 0x08];
/// More than any record that fits into a Secret unpacks to in earnest.
const MAX_RECORD: u64 = 256 << 20;

/// What Helm recorded of one revision. `Debug` shows neither values nor manifest.
#[derive(Clone, PartialEq)]
pub struct Release {
    /// Name of the release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: u32,
    /// What became of it.
    pub status: Status,
    /// The chart.
    pub chart: Metadata,
    /// When the release was first deployed.
    pub first_deployed: Option<Timestamp>,
    /// When this revision was.
    pub last_deployed: Option<Timestamp>,
    /// When it was uninstalled.
    pub deleted: Option<Timestamp>,
    /// What Helm says of it; the reason when it failed.
    pub description: String,
    /// The chart's notes.
    pub notes: String,
    /// What was applied, as rendered.
    pub manifest: String,
    /// The values that were given (not the chart's defaults).
    pub config: Map<String, Value>,
    /// The chart's defaults.
    pub default_values: Map<String, Value>,
    /// The hooks.
    pub hooks: Vec<HookRecord>,
    /// `ssa` or `csa` by Helm 4; `None` by Helm 3, which means client side.
    pub apply_method: Option<String>,
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release")
            .field("name", &self.name)
            .field("namespace", &self.namespace)
            .field("revision", &self.revision)
            .field("status", &self.status)
            .field("chart", &self.chart.name)
            .field("version", &self.chart.version)
            .finish_non_exhaustive()
    }
}

impl Release {
    /// The chart's version of what it installs.
    #[must_use]
    pub fn app_version(&self) -> Option<&str> {
        self.chart.app_version.as_deref().filter(|version| !version.is_empty())
    }

    /// Objects and hooks of this revision.
    ///
    /// # Errors
    /// The recorded text is no manifest.
    pub fn parsed_manifest(&self) -> Result<Manifest, ManifestError> {
        let mut manifest = Manifest::parse(&self.manifest)?;
        for hook in &self.hooks {
            manifest.add(Some(&hook.path), &hook.manifest)?;
        }
        Ok(manifest)
    }
}

/// A hook as recorded.
#[derive(Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(default)]
pub struct HookRecord {
    /// Name of its object.
    pub name: String,
    /// Kind of its object.
    pub kind: String,
    /// The template that made it.
    pub path: String,
    /// Its object, as rendered.
    pub manifest: String,
    /// When it runs.
    #[serde(deserialize_with = "nullable")]
    pub events: Vec<String>,
    /// How it last went.
    #[serde(deserialize_with = "nullable")]
    pub last_run: HookRun,
}

impl fmt::Debug for HookRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookRecord").field("name", &self.name).field("events", &self.events).finish_non_exhaustive()
    }
}

/// How a hook went.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(default)]
pub struct HookRun {
    /// When it began.
    #[serde(deserialize_with = "time")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(deserialize_with = "time")]
    pub completed_at: Option<Timestamp>,
    /// `Unknown`, `Running`, `Succeeded` or `Failed`; empty when it did not run.
    pub phase: String,
}

#[derive(Deserialize)]
struct Raw {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    version: u32,
    #[serde(default)]
    info: Info,
    #[serde(default, deserialize_with = "nullable")]
    chart: RawChart,
    #[serde(default, deserialize_with = "nullable")]
    config: Map<String, Value>,
    #[serde(default)]
    manifest: String,
    #[serde(default, deserialize_with = "nullable")]
    hooks: Vec<HookRecord>,
    #[serde(default)]
    apply_method: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Info {
    #[serde(deserialize_with = "time")]
    first_deployed: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    last_deployed: Option<Timestamp>,
    #[serde(deserialize_with = "time")]
    deleted: Option<Timestamp>,
    description: String,
    status: String,
    notes: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawChart {
    #[serde(deserialize_with = "nullable")]
    metadata: Metadata,
    #[serde(deserialize_with = "nullable")]
    values: Map<String, Value>,
}

/// Go writes `null` for what it never filled.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Go's zero time and an empty text mean none.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    if text.is_empty() || text.starts_with("0001-") {
        return Ok(None);
    }
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Decodes the content of a record (`data.release`, after Kubernetes' own base64 is off).
///
/// # Errors
/// What is wrong with it, as a sentence without a subject; quotes no content.
pub fn decode(data: &[u8]) -> Result<Release, String> {
    let json = unpack(data)?;
    let raw: Raw = serde_json::from_slice(&json).map_err(|e| format!("its content is not a release: {}", place(&e)))?;
    let status = raw.info.status.parse().unwrap_or(Status::Unknown);
    Ok(Release {
        name: raw.name,
        namespace: raw.namespace,
        revision: raw.version,
        status,
        chart: raw.chart.metadata,
        first_deployed: raw.info.first_deployed,
        last_deployed: raw.info.last_deployed,
        deleted: raw.info.deleted,
        description: raw.info.description,
        notes: raw.info.notes,
        manifest: raw.manifest,
        config: raw.config,
        default_values: raw.chart.values,
        hooks: raw.hooks,
        apply_method: raw.apply_method.filter(|method| !method.is_empty()),
    })
}

/// The record with another status and description, everything else as it was.
///
/// # Errors
/// As [`decode`].
pub(super) fn with_status(data: &[u8], status: Status, description: &str) -> Result<Vec<u8>, String> {
    rewritten(data, |release| {
        let info = release.get_mut("info").and_then(Value::as_object_mut).ok_or("it has no info")?;
        info.insert("status".into(), status.as_str().into());
        info.insert("description".into(), description.into());
        Ok(())
    })
}

/// The record without some of its objects, everything else as it was.
///
/// # Errors
/// As [`decode`].
pub(super) fn without_objects(data: &[u8], left_out: &dyn Fn(&ObjectId) -> bool) -> Result<Vec<u8>, String> {
    rewritten(data, |release| {
        let text = release.get("manifest").and_then(Value::as_str).unwrap_or_default();
        let kept = without(text, left_out).map_err(|error| error.to_string())?;
        release.insert("manifest".into(), kept.into());
        Ok(())
    })
}

fn rewritten(
    data: &[u8],
    change: impl FnOnce(&mut Map<String, Value>) -> Result<(), String>,
) -> Result<Vec<u8>, String> {
    let mut release: Map<String, Value> = serde_json::from_slice(&unpack(data)?).map_err(|e| place(&e))?;
    change(&mut release)?;
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    let packed = serde_json::to_vec(&release).map_err(|e| e.to_string()).and_then(|json| {
        packer.write_all(&json).map_err(|e| e.to_string())?;
        packer.finish().map_err(|e| e.to_string())
    })?;
    Ok(STANDARD.encode(packed).into_bytes())
}

fn unpack(data: &[u8]) -> Result<Vec<u8>, String> {
    let packed = STANDARD.decode(data).map_err(|_| "it is not base64".to_owned())?;
    // Helm reads what was stored before it compressed records.
    if !packed.starts_with(&GZIP) {
        return Ok(packed);
    }
    let mut json = Vec::new();
    let read = GzDecoder::new(&*packed).take(MAX_RECORD + 1).read_to_end(&mut json);
    match read {
        Ok(count) if count as u64 > MAX_RECORD => Err(format!("it unpacks to more than {MAX_RECORD} bytes")),
        Ok(_) => Ok(json),
        Err(e) => Err(format!("it cannot be unpacked: {e}")),
    }
}

/// Where JSON is wrong; its own message would quote what is there.
fn place(error: &serde_json::Error) -> String {
    format!("{:?} error at line {}, column {}", error.classify(), error.line(), error.column())
}
