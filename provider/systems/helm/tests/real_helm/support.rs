//! What several trials need.

use std::future::Future;
use std::path::Path;

use ffe_helm::binary::{Config, Helm};
use ffe_helm::launcher::Launcher;
use libtest_mimic::Failed;

/// Runs a trial on a runtime of its own.
pub(crate) fn on_runtime(trial: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(trial)
}

/// Helm by way of the launcher, as the provider runs it.
pub(crate) fn config(binary: &Path) -> Config {
    let mut config = Config::new(None, Launcher::self_exec().unwrap());
    config.binary = Some(binary.to_owned());
    config
}

pub(crate) fn helm(binary: &Path) -> Helm {
    Helm::new(config(binary))
}

/// Writes a chart: `Chart.yaml` and whatever else.
pub(crate) fn chart(name: &str, version: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let own = ("Chart.yaml", format!("apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: '7'\n"));
    let files = files.iter().map(|(path, text)| (*path, (*text).to_owned()));
    for (path, text) in std::iter::once(own).chain(files) {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

/// Fails with a sentence.
pub(crate) fn ensure(condition: bool, otherwise: impl Into<String>) -> Result<(), Failed> {
    if condition { Ok(()) } else { Err(otherwise.into().into()) }
}
