//! Where a configuration may come from, in order, and the account of what was tried.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster};

use super::kubeconfig::{self, Picked};
use super::{Environment, KubernetesSettings};
use crate::error::{Error, Result};

/// What was found, and where, in words.
pub(super) struct Found {
    pub(super) picked: Picked,
    pub(super) origin: String,
}

/// The first of: named kubeconfigs; `host`; KUBECONFIG; `~/.kube/config`; in-cluster.
///
/// With `host` given and no file named, no file is looked for: half of one cluster's configuration
/// with half of another's is worse than an error.
pub(super) fn find(settings: &KubernetesSettings, env: &Environment) -> Result<Found> {
    if let Some(path) = &settings.config_path {
        return from_files("config_path", &[env.expand(path)], settings);
    }
    if !settings.config_paths.is_empty() {
        let files: Vec<PathBuf> = settings.config_paths.iter().map(|path| env.expand(path)).collect();
        return from_files("config_paths", &files, settings);
    }
    let names_a_part = settings.config_context.is_some()
        || settings.config_context_cluster.is_some()
        || settings.config_context_auth_info.is_some();
    if settings.host.is_some() && !names_a_part {
        return Ok(Found {
            picked: Picked { cluster: Cluster::default(), user: AuthInfo::default(), namespace: None, context: None },
            origin: "the provider's attributes".to_owned(),
        });
    }

    let mut tried = vec![
        "`host` (or KUBE_HOST) is not set".to_owned(),
        "`config_path` and `config_paths` (or KUBE_CONFIG_PATH, KUBE_CONFIG_PATHS) are not set".to_owned(),
    ];
    if let Some(list) = env.var("KUBECONFIG") {
        let named: Vec<PathBuf> = Environment::split_paths(&list).iter().map(|path| env.expand(path)).collect();
        let (present, missing): (Vec<PathBuf>, Vec<PathBuf>) = named.into_iter().partition(|file| file.exists());
        tried.extend(missing.iter().map(|file| format!("KUBECONFIG names {}, which does not exist", file.display())));
        if let Some(found) = try_files(&present, "KUBECONFIG", settings, &mut tried)? {
            return Ok(found);
        }
        return Err(nothing_usable(&tried));
    }
    tried.push("KUBECONFIG is not set".to_owned());

    match env.default_kubeconfig() {
        Some(file) if file.exists() => {
            if let Some(found) = try_files(&[file], "the default", settings, &mut tried)? {
                return Ok(found);
            }
        }
        Some(file) => tried.push(format!("{} does not exist", file.display())),
        None => tried.push("there is no home directory to look for .kube/config in".to_owned()),
    }

    if gives_something(settings) || settings.host.is_some() {
        tried.push("in-cluster credentials are not used, because other attributes are set".to_owned());
        return Err(nothing_usable(&tried));
    }
    match in_cluster(env) {
        Ok(picked) => Ok(Found { picked, origin: "the pod's service account".to_owned() }),
        Err(why) => {
            tried.push(format!("in-cluster credentials: {why}"));
            Err(nothing_usable(&tried))
        }
    }
}

fn from_files(attribute: &str, files: &[PathBuf], settings: &KubernetesSettings) -> Result<Found> {
    let config = kubeconfig::read(attribute, files)?;
    let origin = name(files);
    let picked = kubeconfig::pick(&config, settings, &origin)?;
    Ok(Found { origin: with_context(origin, &picked), picked })
}

/// Like [`from_files`], but files that hold nothing are only noted.
fn try_files(
    files: &[PathBuf],
    whose: &str,
    settings: &KubernetesSettings,
    tried: &mut Vec<String>,
) -> Result<Option<Found>> {
    if files.is_empty() {
        return Ok(None);
    }
    let config = kubeconfig::read("", files)?;
    let origin = format!("{} ({whose})", name(files));
    if kubeconfig::is_empty(&config) {
        tried.push(format!("{origin} defines neither clusters nor contexts"));
        return Ok(None);
    }
    let picked = kubeconfig::pick(&config, settings, &origin)?;
    Ok(Some(Found { origin: with_context(origin, &picked), picked }))
}

fn name(files: &[PathBuf]) -> String {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    format!("kubeconfig {}", names.join(", "))
}

fn with_context(origin: String, picked: &Picked) -> String {
    match &picked.context {
        Some(context) => format!("{origin}, context {context}"),
        None => origin,
    }
}

fn gives_something(settings: &KubernetesSettings) -> bool {
    *settings != KubernetesSettings::default()
}

/// Host and port from the variables that the kubelet sets, token and CA from the mounted files.
fn in_cluster(env: &Environment) -> std::result::Result<Picked, String> {
    let folder = env.service_account();
    let token = folder.join("token");
    if !token.exists() {
        return Err(format!("{} does not exist", token.display()));
    }
    let (Some(host), Some(port)) = (env.var("KUBERNETES_SERVICE_HOST"), env.var("KUBERNETES_SERVICE_PORT")) else {
        return Err("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set".to_owned());
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let authority = folder.join("ca.crt");
    let ca = std::fs::read(&authority).map_err(|error| format!("{}: {error}", authority.display()))?;
    let namespace = std::fs::read_to_string(folder.join("namespace")).ok();
    Ok(Picked {
        cluster: Cluster {
            server: Some(format!("https://{host}:{port}")),
            certificate_authority_data: Some(STANDARD.encode(ca)),
            ..Cluster::default()
        },
        // a path, not the token: the kubelet renews it
        user: AuthInfo { token_file: Some(token.to_string_lossy().into_owned()), ..AuthInfo::default() },
        namespace: namespace.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        context: None,
    })
}

fn nothing_usable(tried: &[String]) -> Error {
    Error::config(
        "",
        format!("no usable Kubernetes configuration was found. Tried in this order:\n  - {}", tried.join("\n  - ")),
    )
}
