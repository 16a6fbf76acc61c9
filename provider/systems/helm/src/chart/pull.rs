//! Getting remote charts, once per run.
//!
//! Passwords go to Helm in a registry or repository configuration of its own, handed over as a memory file; Helm's
//! `--username` and `--password` would show them to everyone on the machine.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::{Chart, ChartError, ChartRef, Source, load_local};
use crate::binary::{Helm, PullRequest};
use crate::{Error, Result};

/// The charts of one run. One per provider process: a chart that many releases use is pulled once.
#[derive(Debug)]
pub struct Charts {
    helm: Helm,
    base: PathBuf,
    pulled: Mutex<HashMap<Key, Arc<OnceCell<Arc<Chart>>>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    source: String,
    version: Option<String>,
    username: Option<String>,
    ca_file: Option<PathBuf>,
    verify: bool,
}

impl Charts {
    /// Charts by way of this Helm; relative paths start at `base`.
    #[must_use]
    pub fn new(helm: Helm, base: impl Into<PathBuf>) -> Self {
        Self { helm, base: base.into(), pulled: Mutex::default() }
    }

    /// The chart that is referred to, on this machine and checked. A local one is read afresh each time; a remote one is
    /// pulled by the first that asks, while others that want the same chart wait for it and nobody else does.
    ///
    /// # Errors
    /// The chart cannot be had ([`Error::Chart`] names what was looked for, [`Error::Failed`] has Helm's reason).
    pub async fn resolve(&self, reference: &ChartRef, cancel: &CancellationToken) -> Result<Arc<Chart>> {
        let source = reference.source(&self.base)?;
        match &source {
            Source::Directory(path) | Source::Archive(path) => {
                if reference.verify {
                    self.verify(reference, &source, path, cancel).await?;
                }
                load_local(path.clone(), reference.version.clone()).await
            }
            remote => {
                let key = Key {
                    source: format!("{remote:?}"),
                    version: reference.version.clone(),
                    username: reference.username.clone(),
                    ca_file: reference.ca_file.clone(),
                    verify: reference.verify,
                };
                let slot = {
                    let mut pulled = self.pulled.lock().unwrap_or_else(PoisonError::into_inner);
                    Arc::clone(pulled.entry(key).or_default())
                };
                slot.get_or_try_init(|| self.pull(reference, remote, cancel)).await.cloned()
            }
        }
    }

    async fn pull(&self, reference: &ChartRef, source: &Source, cancel: &CancellationToken) -> Result<Arc<Chart>> {
        let request = PullRequest {
            source,
            version: reference.version.as_deref(),
            credentials: reference.username.as_deref().zip(reference.password.as_ref()),
            ca_file: reference.ca_file.as_deref(),
            verify: reference.verify,
            keyring: reference.keyring.as_deref(),
        };
        let pulled = self.helm.pull(&request, cancel).await.map_err(|e| self.explain(e, reference, source))?;
        let chart = load_local(pulled.path, None).await?;
        let mut chart = Arc::unwrap_or_clone(chart);
        chart.source = source.clone();
        chart.registry_digest = pulled.digest;
        Ok(Arc::new(chart))
    }

    /// What was neither a path nor in a repository may have been meant as either.
    fn explain(&self, error: Error, reference: &ChartRef, source: &Source) -> Error {
        match (error, source) {
            (Error::Failed(mut failure), Source::Named(name)) => {
                let path = self.base.join(&reference.chart);
                failure.message = format!(
                    "{}. {name:?} was taken for repository/chart, since there is nothing at {}",
                    failure.message.trim_end_matches('.'),
                    path.display()
                );
                Error::Failed(failure)
            }
            (error, _) => error,
        }
    }

    async fn verify(
        &self,
        reference: &ChartRef,
        source: &Source,
        path: &Path,
        cancel: &CancellationToken,
    ) -> Result<()> {
        if matches!(source, Source::Directory(_)) {
            let problem = "provenance can be verified of packed charts only, and this is a directory".into();
            return Err(ChartError::Unreadable { path: path.to_owned(), problem }.into());
        }
        self.helm.verify(path, reference.keyring.as_deref(), cancel).await
    }
}
