//! Where a chart comes from, decided from what the user wrote.

use std::path::{Path, PathBuf};

use super::{ChartError, ChartRef};

/// A place that a chart comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An unpacked chart on this machine.
    Directory(PathBuf),
    /// A packed chart on this machine.
    Archive(PathBuf),
    /// A chart in a repository (an `index.yaml` over HTTP).
    Repository {
        /// The repository's address.
        url: String,
        /// The chart's name in it.
        name: String,
    },
    /// `repo/name`, with the repository from the user's own Helm configuration.
    Named(String),
    /// An OCI reference, `oci://…`, with or without `:tag` or `@digest`.
    Oci(String),
    /// The address of an archive.
    Url(String),
}

impl Source {
    /// Whether everything is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Directory(_) | Self::Archive(_))
    }

    /// Whether it says itself which version it is, by a tag or a digest. Helm refuses a version beside it that is spelt
    /// differently.
    #[must_use]
    pub fn names_its_version(&self) -> bool {
        let last = |reference: &str| reference.rsplit('/').next().is_some_and(|last| last.contains(['@', ':']));
        matches!(self, Self::Oci(reference) if last(reference))
    }
}

impl ChartRef {
    /// Decides what `chart` and `repository` mean; relative paths start at `base`. Looks at the file system only.
    ///
    /// # Errors
    /// A path where there is nothing, or a combination that means nothing; both say what was looked for.
    pub fn source(&self, base: &Path) -> Result<Source, ChartError> {
        let chart = self.chart.trim();
        if chart.is_empty() {
            return Err(ChartError::Reference { problem: "it is empty".into() });
        }
        if chart.starts_with("oci://") {
            return Ok(Source::Oci(chart.to_owned()));
        }
        if let Some(repository) = self.repository.as_deref().map(str::trim).filter(|r| !r.is_empty()) {
            return in_repository(repository, chart);
        }
        if chart.starts_with("http://") || chart.starts_with("https://") {
            return Ok(Source::Url(chart.to_owned()));
        }
        if let Some((scheme, _)) = chart.split_once("://") {
            return Err(ChartError::Reference {
                problem: format!("{scheme}:// is no address that charts come from; use oci://, https:// or http://"),
            });
        }
        on_this_machine(chart, base)
    }
}

fn in_repository(repository: &str, name: &str) -> Result<Source, ChartError> {
    if repository.starts_with("oci://") {
        return Ok(Source::Oci(format!("{}/{}", repository.trim_end_matches('/'), name.trim_matches('/'))));
    }
    if !(repository.starts_with("http://") || repository.starts_with("https://")) {
        return Err(ChartError::Reference {
            problem: format!("repository {repository:?} is no address; expected https://…, http://… or oci://…"),
        });
    }
    Ok(Source::Repository { url: repository.to_owned(), name: name.to_owned() })
}

fn on_this_machine(chart: &str, base: &Path) -> Result<Source, ChartError> {
    let path = match (chart.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => base.join(chart),
    };
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => Ok(Source::Directory(path)),
        Ok(_) => Ok(Source::Archive(path)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let is_a_path = chart.starts_with(['.', '/', '~']) || chart.ends_with(".tgz");
            let mut parts = chart.split('/');
            let named = !is_a_path && parts.next().is_some() && parts.next().is_some_and(|p| !p.is_empty());
            if named && parts.next().is_none() {
                // What is no path may be repo/name; Helm will say when there is no such repository.
                return Ok(Source::Named(chart.to_owned()));
            }
            Err(ChartError::Missing { path })
        }
        Err(e) => Err(ChartError::Unreadable { path, problem: e.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn source(chart: &str, repository: Option<&str>) -> Result<Source, String> {
        let reference = ChartRef { chart: chart.into(), repository: repository.map(Into::into), ..ChartRef::default() };
        reference.source(Path::new("/nonexistent")).map_err(|e| e.to_string())
    }

    #[test]
    fn addresses() {
        assert_eq!(source("oci://r.example/c/x:1.0.0", None), Ok(Source::Oci("oci://r.example/c/x:1.0.0".into())));
        assert_eq!(source("x", Some("oci://r.example/c/")), Ok(Source::Oci("oci://r.example/c/x".into())));
        for (reference, names) in [
            ("oci://r.example:5000/c/x", false),
            ("oci://r.example/c/x:1.0.0", true),
            ("oci://r.example/c/x@sha256:aa", true),
            ("https://r.example/x-1.0.0.tgz", false),
        ] {
            assert_eq!(source(reference, None).unwrap().names_its_version(), names, "{reference}");
        }
        let repository = Source::Repository { url: "https://r.example".into(), name: "x".into() };
        assert_eq!(source("x", Some("https://r.example")), Ok(repository));
        assert_eq!(source("https://r.example/x.tgz", None), Ok(Source::Url("https://r.example/x.tgz".into())));
        assert_eq!(source("repo/x", None), Ok(Source::Named("repo/x".into())));
    }

    #[test]
    fn what_exists_is_a_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("charts/x")).unwrap();
        std::fs::write(dir.path().join("x.tgz"), "").unwrap();
        let source = |chart: &str| ChartRef { chart: chart.into(), ..ChartRef::default() }.source(dir.path()).unwrap();
        assert_eq!(source("charts/x"), Source::Directory(dir.path().join("charts/x")));
        assert_eq!(source("./x.tgz"), Source::Archive(dir.path().join("./x.tgz")));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(source("./charts/x", None).unwrap_err().contains("/nonexistent/./charts/x"));
        assert!(source("x", None).unwrap_err().contains("/nonexistent/x"));
        assert!(source("a/b/c", None).unwrap_err().contains("/nonexistent/a/b/c"));
        assert!(source("repo/x.tgz", None).unwrap_err().contains("/nonexistent/repo/x.tgz"));
        assert!(source("s3://b/x", None).unwrap_err().contains("s3://"));
        assert!(source("x", Some("stable")).unwrap_err().contains("no address"));
        assert!(source(" ", None).unwrap_err().contains("empty"));
    }
}
