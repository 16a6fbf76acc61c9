//! `Chart.yaml`.

use serde::Deserialize;

use super::ChartError;
use super::files::{self, Files};
use crate::yaml;

/// What a chart says of itself. Fields that Helm knows and nobody here needs are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Name of the chart.
    pub name: String,
    /// Version of the chart, semantic.
    pub version: String,
    /// Version of what it installs; free text.
    pub app_version: Option<String>,
    /// `v1` or `v2`; empty means `v1`.
    pub api_version: String,
    /// `application` (default) or `library`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The Kubernetes versions it supports, as a constraint.
    pub kube_version: Option<String>,
    /// One line about it.
    pub description: Option<String>,
    /// Whether its authors gave it up.
    pub deprecated: bool,
    /// The charts that it contains.
    #[serde(deserialize_with = "null_is_empty")]
    pub dependencies: Vec<Dependency>,
}

/// A chart inside a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Dependency {
    /// Name of the chart.
    pub name: String,
    /// Wanted version, as a constraint.
    pub version: String,
    /// Where it comes from.
    pub repository: String,
    /// The name under which it is used here.
    pub alias: Option<String>,
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Dependency>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Metadata {
    /// Reads a `Chart.yaml`.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without a subject.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut value = yaml::parse(text).map_err(|e| format!("is not valid YAML: {e}"))?;
        // A version such as 1.10 written without quotes is a number to YAML; Helm takes its text all the same.
        for field in ["version", "appVersion", "name"] {
            if let Some(field) = value.get_mut(field)
                && (field.is_number() || field.is_boolean())
            {
                *field = serde_json::Value::String(field.to_string());
            }
        }
        if !value.is_object() {
            return Err("is not a chart's description".into());
        }
        let metadata: Self = serde_json::from_value(value).map_err(|e| format!("is not a chart's description: {e}"))?;
        if metadata.name.is_empty() {
            return Err("has no name".into());
        }
        if metadata.version.is_empty() {
            return Err("has no version".into());
        }
        Ok(metadata)
    }
}

/// Reads the metadata of loaded files, with the dependencies of an old `requirements.yaml`.
pub(super) fn read(at: &std::path::Path, files: &Files) -> Result<Metadata, ChartError> {
    let invalid = |file: &str, problem: String| ChartError::Invalid { path: at.join(file), problem };
    let chart = files.get("Chart.yaml").ok_or_else(|| ChartError::NotAChart { path: at.to_owned() })?;
    let mut metadata = Metadata::parse(&String::from_utf8_lossy(chart)).map_err(|e| invalid("Chart.yaml", e))?;
    if let (true, Some(old)) = (metadata.dependencies.is_empty(), files.get("requirements.yaml")) {
        #[derive(Deserialize)]
        struct Requirements {
            #[serde(default, deserialize_with = "null_is_empty")]
            dependencies: Vec<Dependency>,
        }
        let old = yaml::parse(&String::from_utf8_lossy(old)).map_err(|e| e.to_string());
        let old = old.and_then(|value| serde_json::from_value::<Requirements>(value).map_err(|e| e.to_string()));
        metadata.dependencies = old.map_err(|e| invalid("requirements.yaml", e))?.dependencies;
    }
    Ok(metadata)
}

/// Names of declared dependencies that are not in `charts/`: Helm refuses a chart without them.
pub(super) fn missing_dependencies(metadata: &Metadata, files: &Files) -> Vec<String> {
    if metadata.dependencies.is_empty() {
        return Vec::new();
    }
    let mut present = Vec::new();
    for (path, content) in files {
        let Some(inner) = path.strip_prefix("charts/") else { continue };
        if inner.ends_with(".tgz") && !inner.contains('/') {
            present.extend(files::read_archive(&**content).ok().and_then(|files| name(files.get("Chart.yaml")?)));
        } else if inner.split('/').count() == 2 && inner.ends_with("/Chart.yaml") {
            present.extend(name(content));
        }
    }
    let mut missing: Vec<String> =
        metadata.dependencies.iter().map(|d| d.name.clone()).filter(|name| !present.contains(name)).collect();
    missing.dedup();
    missing
}

fn name(chart_yaml: &[u8]) -> Option<String> {
    Metadata::parse(&String::from_utf8_lossy(chart_yaml)).ok().map(|metadata| metadata.name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_without_quotes_keep_a_text() {
        let metadata =
            Metadata::parse("apiVersion: v2\nname: x\nversion: 1.2.3\nappVersion: 16\ndependencies:\n").unwrap();
        assert_eq!(metadata.app_version.as_deref(), Some("16"));
        assert_eq!(metadata.dependencies, []);
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(Metadata::parse("version: 1.0.0").unwrap_err(), "has no name");
        assert_eq!(Metadata::parse("name: x").unwrap_err(), "has no version");
        assert!(Metadata::parse("- x").unwrap_err().contains("not a chart's description"));
        assert!(Metadata::parse("a: [").unwrap_err().contains("not valid YAML"));
    }

    #[test]
    fn dependencies_are_looked_for_by_their_own_name() {
        let mut files = Files::new();
        files.insert("charts/pg-dir/Chart.yaml".into(), b"name: postgresql\nversion: 1.0.0\n".to_vec());
        let wanted = |name: &str| Dependency { name: name.into(), ..Dependency::default() };
        let metadata = Metadata { dependencies: vec![wanted("postgresql"), wanted("redis")], ..Metadata::default() };
        assert_eq!(missing_dependencies(&metadata, &files), ["redis"]);
    }
}
