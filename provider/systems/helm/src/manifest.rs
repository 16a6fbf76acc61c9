//! What a chart rendered: objects, hooks, and what can be known of them before they are in a cluster.

mod objects;
mod references;
mod secrets;
mod stability;
mod workloads;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::yaml;
pub use references::{Reference, Referenced};
pub use stability::{Digests, UnstableField, changed_fields};
pub use workloads::{Container, PortTarget, Service, ServicePort, Workload};

/// The annotation that makes an object a hook.
pub const HOOK: &str = "helm.sh/hook";
const HOOK_WEIGHT: &str = "helm.sh/hook-weight";
const HOOK_DELETE_POLICY: &str = "helm.sh/hook-delete-policy";

/// Names one object within a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectId {
    /// Kind.
    pub kind: String,
    /// Namespace as rendered; `None`: the release's, or no namespace at all.
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// `apiVersion` in full.
    pub api_version: String,
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// One rendered object. `Debug` shows no content: it may be a Secret.
#[derive(Clone, PartialEq)]
pub struct Object {
    /// Its name.
    pub id: ObjectId,
    /// The template that rendered it, where Helm said so.
    pub source: Option<String>,
    /// All of it.
    pub body: Value,
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("id", &self.id).field("source", &self.source).finish_non_exhaustive()
    }
}

/// An object that Helm creates at certain moments and does not count to the release.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// The object.
    pub object: Object,
    /// When it runs (`pre-install`, `post-upgrade`, `test`, …).
    pub events: Vec<String>,
    /// Its place among hooks of the same event.
    pub weight: i64,
    /// When it is deleted.
    pub delete_policies: Vec<String>,
}

/// A rendered chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manifest {
    /// The objects, in Helm's order.
    pub objects: Vec<Object>,
    /// The hooks, in Helm's order.
    pub hooks: Vec<Hook>,
}

/// A manifest that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", source_name.as_ref().map(|s| format!("{s}: ")).unwrap_or_default())]
pub struct ManifestError {
    /// The template that rendered it.
    pub source_name: Option<String>,
    /// What is wrong; quotes no content.
    pub problem: String,
}

impl Manifest {
    /// Reads a rendered manifest: YAML documents, each after `# Source: template`. Objects with the hook annotation
    /// become hooks; lists are taken apart.
    ///
    /// # Errors
    /// Documents that are no objects; says which template made them.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        for (source, document) in documents(text) {
            manifest.add(source, document)?;
        }
        Ok(manifest)
    }

    /// Adds one text, which may hold several documents.
    pub(crate) fn add(&mut self, source: Option<&str>, text: &str) -> Result<(), ManifestError> {
        let fail = |problem: String| ManifestError { source_name: source.map(str::to_owned), problem };
        for body in yaml::parse_documents(text).map_err(|e| fail(format!("not valid YAML: {e}")))? {
            for object in objects::unpack(body, source).map_err(fail)? {
                match objects::hook(&object) {
                    Some((events, weight, delete_policies)) => {
                        self.hooks.push(Hook { object, events, weight, delete_policies });
                    }
                    None => self.objects.push(object),
                }
            }
        }
        Ok(())
    }

    /// The names of all objects, hooks not among them.
    pub fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.objects.iter().map(|object| &object.id)
    }
}

/// A rendered manifest without the objects that are left out; every other document stays as it is written.
///
/// # Errors
/// As [`Manifest::parse`].
pub(crate) fn without(text: &str, left_out: &dyn Fn(&ObjectId) -> bool) -> Result<String, ManifestError> {
    let mut kept = String::new();
    for (source, document) in documents(text) {
        let mut of_it = Manifest::default();
        of_it.add(source, document)?;
        let hooks = of_it.hooks.iter().map(|hook| &hook.object);
        let objects: Vec<&Object> = of_it.objects.iter().chain(hooks).collect();
        if !objects.iter().any(|object| left_out(&object.id)) {
            kept.push_str("---");
            kept.push_str(document);
            if !document.ends_with('\n') {
                kept.push('\n');
            }
            continue;
        }
        // Of a list, the others. JSON is YAML.
        for object in objects.into_iter().filter(|object| !left_out(&object.id)) {
            let source = source.map(|source| format!("# Source: {source}\n")).unwrap_or_default();
            kept.push_str(&format!("---\n{source}{}\n", object.body));
        }
    }
    Ok(kept)
}

/// Splits at lines that are `---`, as Helm does, and finds each document's `# Source:`.
fn documents(text: &str) -> Vec<(Option<&str>, &str)> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with("---") {
            parts.push(&text[start..at]);
            start = at + 3;
        }
        at += line.len();
    }
    parts.push(&text[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).map(|part| (source_of(part), part)).collect()
}

fn source_of(document: &str) -> Option<&str> {
    let comment = document.lines().map(str::trim).find(|line| !line.is_empty())?;
    comment.strip_prefix("# Source:").map(str::trim)
}

#[cfg(test)]
mod tests;
