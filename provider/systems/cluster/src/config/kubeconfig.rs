//! Reading kubeconfig files, and picking context, cluster and user out of them.

use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Cluster, Kubeconfig, KubeconfigError};

use super::KubernetesSettings;
use crate::error::{Error, Result};

/// What one kubeconfig, or several merged, say about the chosen context.
pub(super) struct Picked {
    pub(super) cluster: Cluster,
    pub(super) user: AuthInfo,
    pub(super) namespace: Option<String>,
    pub(super) context: Option<String>,
}

/// Reads and merges files; the first one that sets something wins, as with kubectl.
pub(super) fn read(attribute: &str, files: &[PathBuf]) -> Result<Kubeconfig> {
    let mut merged = Kubeconfig::default();
    for file in files {
        let next = Kubeconfig::read_from(file).map_err(|error| unreadable(attribute, file, &error))?;
        merged = merged.merge(next).map_err(|error| {
            Error::config(
                attribute,
                format!("the kubeconfig {} does not fit the ones before it: {error}", file.display()),
            )
        })?;
    }
    Ok(merged)
}

/// Which parser message is shown: never the one that quotes the file, a token may stand there.
fn unreadable(attribute: &str, file: &Path, error: &KubeconfigError) -> Error {
    let name = file.display();
    match error {
        KubeconfigError::ReadConfig(source, _) => {
            Error::config(attribute, format!("the kubeconfig {name} cannot be read: {source}"))
        }
        _ => {
            let place = std::fs::read_to_string(file)
                .ok()
                .and_then(|text| serde_norway::from_str::<serde_norway::Value>(&text).err())
                .and_then(|error| error.location())
                .map_or_else(
                    || "it is YAML, but its fields do not have the shape of a kubeconfig".to_owned(),
                    |place| format!("it is not YAML at line {}, column {}", place.line(), place.column()),
                );
            Error::config(attribute, format!("the kubeconfig {name} is malformed: {place}"))
        }
    }
}

/// True when there is nothing in it that could be chosen.
pub(super) fn is_empty(config: &Kubeconfig) -> bool {
    config.clusters.is_empty() && config.contexts.is_empty()
}

/// Applies `config_context`, `config_context_cluster` and `config_context_auth_info`.
pub(super) fn pick(config: &Kubeconfig, settings: &KubernetesSettings, origin: &str) -> Result<Picked> {
    let wanted = settings.config_context.as_ref().or(config.current_context.as_ref()).filter(|name| !name.is_empty());
    let overridden = settings.config_context_cluster.is_some() || settings.host.is_some();
    let context = match wanted {
        Some(name) => {
            let found =
                config.contexts.iter().find(|named| &named.name == name).and_then(|named| named.context.clone());
            let Some(found) = found else {
                let said = if settings.config_context.is_some() { "config_context" } else { "config_path" };
                return Err(Error::config(
                    said,
                    format!(
                        "{origin} has no context {name:?}; it has {}",
                        list(config.contexts.iter().map(|named| named.name.as_str()))
                    ),
                ));
            };
            Some(found)
        }
        None if overridden => None,
        None => {
            return Err(Error::config(
                "config_context",
                format!(
                    "{origin} has no current context: set `config_context` to one of {}",
                    list(config.contexts.iter().map(|named| named.name.as_str()))
                ),
            ));
        }
    };

    let cluster_name = settings
        .config_context_cluster
        .as_deref()
        .or(context.as_ref().map(|context| context.cluster.as_str()))
        .filter(|name| !name.is_empty());
    let cluster = match cluster_name {
        Some(name) => {
            config.clusters.iter().find(|named| named.name == name).and_then(|named| named.cluster.clone()).ok_or_else(
                || {
                    Error::config(
                        "config_context_cluster",
                        format!(
                            "{origin} has no cluster {name:?}; it has {}",
                            list(config.clusters.iter().map(|named| named.name.as_str()))
                        ),
                    )
                },
            )?
        }
        None => Cluster::default(),
    };

    let user_name = settings
        .config_context_auth_info
        .as_deref()
        .or(context.as_ref().and_then(|context| context.user.as_deref()))
        .filter(|name| !name.is_empty());
    let user = match user_name {
        Some(name) => config
            .auth_infos
            .iter()
            .find(|named| named.name == name)
            .map(|named| named.auth_info.clone().unwrap_or_default())
            .ok_or_else(|| {
                Error::config(
                    "config_context_auth_info",
                    format!(
                        "{origin} has no user {name:?}; it has {}",
                        list(config.auth_infos.iter().map(|named| named.name.as_str()))
                    ),
                )
            })?,
        None => AuthInfo::default(),
    };

    Ok(Picked {
        cluster,
        user,
        namespace: context.and_then(|context| context.namespace).filter(|namespace| !namespace.is_empty()),
        context: wanted.cloned(),
    })
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
