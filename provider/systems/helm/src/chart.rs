//! Charts: where they come from, what is in them, and whether they changed.
//!
//! A local chart is digested afresh each time (that is how an edit shows); a remote one is pulled once per run and kept.
//! Nothing here runs during refresh.

mod files;
mod ignore;
mod metadata;
mod pull;
mod source;
mod variation;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::secret::Secret;
use crate::yaml;
pub use metadata::{Dependency, Metadata};
pub use pull::Charts;
pub use source::Source;
pub use variation::Varies;

/// A chart as the user refers to it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ChartRef {
    /// Directory, archive, `repo/name`, OCI reference or address.
    pub chart: String,
    /// Address of the repository that `chart` is a name in.
    pub repository: Option<String>,
    /// Wanted version: exact, or a constraint. Not for local charts.
    pub version: Option<String>,
    /// User at the repository or registry.
    pub username: Option<String>,
    /// Password at the repository or registry.
    pub password: Option<Secret>,
    /// Certificates to trust at the repository or registry.
    pub ca_file: Option<PathBuf>,
    /// Whether the chart's provenance must verify.
    pub verify: bool,
    /// The keys to verify with.
    pub keyring: Option<PathBuf>,
}

impl fmt::Debug for ChartRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChartRef")
            .field("chart", &self.chart)
            .field("repository", &self.repository)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Why a chart cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChartError {
    /// The reference means nothing.
    #[error("the chart reference: {problem}")]
    Reference {
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing is at the path.
    #[error("there is no chart at {}", path.display())]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// Something is at the path that is not a chart.
    #[error("{} is not a chart: it has no Chart.yaml", path.display())]
    NotAChart {
        /// What was looked at.
        path: PathBuf,
    },
    /// A file cannot be read, or is one that Helm refuses.
    #[error("cannot read {}: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// A chart's own file is wrong.
    #[error("{} {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, as a sentence without a subject.
        problem: String,
    },
    /// Declared dependencies are not in `charts/`.
    #[error(
        "the chart at {} lacks its dependencies {}: run `helm dependency build {}`",
        path.display(), names.join(", "), path.display()
    )]
    MissingDependencies {
        /// The chart.
        path: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// A local chart is not of the wanted version.
    #[error("the chart at {} has version {found}, not {wanted}", path.display())]
    OtherVersion {
        /// The chart.
        path: PathBuf,
        /// Its version.
        found: String,
        /// The wanted one.
        wanted: String,
    },
    /// A library chart has nothing to install.
    #[error("chart {name} is a library: it can only be a dependency of others")]
    Library {
        /// Its name.
        name: String,
    },
}

/// A chart at hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Directory or archive to give to Helm.
    pub path: PathBuf,
    /// Where it came from.
    pub source: Source,
    /// `sha256:…` of its files; the same packed and unpacked.
    pub digest: String,
    /// Its description.
    pub metadata: Metadata,
    /// Its `values.yaml`.
    pub default_values: Map<String, Value>,
    /// The objects in its `crds/`, those of contained charts too.
    pub crds: Vec<Value>,
    /// Whether it may render differently each time.
    pub varies: Varies,
    /// Whether what it renders depends on what is in the cluster (`lookup`, `.Capabilities`).
    pub asks_the_cluster: bool,
    /// Digest of the registry's manifest, for charts from one.
    pub registry_digest: Option<String>,
}

impl Chart {
    /// Loads and checks a chart from this machine.
    ///
    /// # Errors
    /// Every [`ChartError`] except those about references.
    pub fn load(path: &Path) -> Result<Self, ChartError> {
        let missing = || ChartError::Missing { path: path.to_owned() };
        let is_dir = std::fs::metadata(path).map_err(|_| missing())?.is_dir();
        let (source, files) = if is_dir {
            (Source::Directory(path.to_owned()), files::from_directory(path)?)
        } else {
            (Source::Archive(path.to_owned()), files::from_archive(path)?)
        };
        let metadata = metadata::read(path, &files)?;
        if metadata.kind.as_deref() == Some("library") {
            return Err(ChartError::Library { name: metadata.name });
        }
        let names = metadata::missing_dependencies(&metadata, &files);
        if !names.is_empty() {
            return Err(ChartError::MissingDependencies { path: path.to_owned(), names });
        }
        Ok(Self {
            path: path.to_owned(),
            source,
            digest: files::digest(&files),
            metadata,
            default_values: default_values(path, &files)?,
            crds: crds(path, &files)?,
            varies: Varies::of_files(&files),
            asks_the_cluster: variation::asks_the_cluster(&files),
            registry_digest: None,
        })
    }

    fn checked(self, wanted: Option<&str>) -> Result<Self, ChartError> {
        match wanted.map(str::trim).filter(|w| !w.is_empty()) {
            // A constraint is Helm's business, and Helm does not apply it to local charts either.
            Some(wanted) if is_exact(wanted) && normal(wanted) != normal(&self.metadata.version) => {
                Err(ChartError::OtherVersion { path: self.path, found: self.metadata.version, wanted: wanted.into() })
            }
            _ => Ok(self),
        }
    }
}

fn normal(version: &str) -> &str {
    version.strip_prefix('v').unwrap_or(version)
}

/// Whether this names one version rather than a range of them.
fn is_exact(version: &str) -> bool {
    let parts: Vec<_> = normal(version).splitn(3, '.').collect();
    parts.len() == 3
        && parts[..2].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        && parts[2].starts_with(|c: char| c.is_ascii_digit())
        && !version.contains([' ', ',', '*', '|', '<', '>'])
}

fn default_values(path: &Path, files: &files::Files) -> Result<Map<String, Value>, ChartError> {
    let Some(text) = files.get("values.yaml") else { return Ok(Map::new()) };
    crate::values::merge_documents(&[String::from_utf8_lossy(text)]).map(|values| values.as_map().clone()).map_err(
        |e| ChartError::Invalid { path: path.join("values.yaml"), problem: format!("is invalid: {}", e.problem) },
    )
}

/// Helm's rule: YAML and JSON files under `crds/`, of the chart and of the charts in it. A folder of that name elsewhere, such as
/// in `templates/` or as the name of a chart, is none.
fn crds(path: &Path, files: &files::Files) -> Result<Vec<Value>, ChartError> {
    let mut found = Vec::new();
    for (name, content) in files {
        if let (Some(inner), true) = (name.strip_prefix("charts/"), name.ends_with(".tgz")) {
            if !inner.contains('/') {
                let packed = files::read_archive(&**content)
                    .map_err(|problem| ChartError::Unreadable { path: path.join(name), problem })?;
                found.extend(crds(&path.join(name), &packed)?);
            }
            continue;
        }
        let under_crds = within_its_chart(name).starts_with("crds/");
        let extension = Path::new(name).extension().and_then(|e| e.to_str()).unwrap_or_default();
        if under_crds && matches!(extension, "yaml" | "yml" | "json") {
            let documents = yaml::parse_documents(&String::from_utf8_lossy(content)).map_err(|e| {
                ChartError::Invalid { path: path.join(name), problem: format!("is not valid YAML: {e}") }
            })?;
            found.extend(documents.into_iter().filter(|document| !document.is_null()));
        }
    }
    Ok(found)
}

/// The path in the innermost chart that a file belongs to.
fn within_its_chart(mut name: &str) -> &str {
    while let Some((_, inner)) = name.strip_prefix("charts/").and_then(|rest| rest.split_once('/')) {
        name = inner;
    }
    name
}

/// A chart from this machine, read off the runtime's own threads.
async fn load_local(path: PathBuf, wanted: Option<String>) -> Result<Arc<Chart>, crate::Error> {
    let chart = tokio::task::spawn_blocking(move || Chart::load(&path)?.checked(wanted.as_deref()));
    let chart = chart.await.map_err(|e| crate::Error::Internal { problem: e.to_string() })?;
    Ok(Arc::new(chart?))
}

#[cfg(test)]
mod tests;
