//! Looking at the cluster with kubectl and helm, as a user would: independent of the provider's own code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value as Json;

use crate::command::{Output, program, run};
use crate::limit;

/// The cluster, through kubectl.
#[derive(Clone, Debug)]
pub struct Kube {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Kube {
    /// With this kubectl and kubeconfig, and a folder for what kubectl remembers of the cluster.
    pub fn new(kubectl: &Path, kubeconfig: &Path, home: &Path) -> Kube {
        Kube { kubectl: kubectl.to_owned(), kubeconfig: kubeconfig.to_owned(), home: home.to_owned() }
    }

    /// A kubectl command, not run yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.kubectl);
        command.env("KUBECONFIG", &self.kubeconfig).env("HOME", &self.home).args(arguments);
        command
    }

    /// Runs kubectl.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        run(&mut self.command(arguments))
    }

    /// One object, or a list, as JSON; `None` when it is not found.
    ///
    /// # Errors
    /// When kubectl fails otherwise.
    pub fn get(&self, arguments: &[&str]) -> Result<Option<Json>> {
        let mut all = vec!["get", "-o", "json"];
        all.extend_from_slice(arguments);
        let output = self.run(&all)?;
        if output.code != 0 && output.stderr.contains("NotFound") {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&output.ok()?.stdout).context("kubectl's JSON")?))
    }

    /// The names of the objects of some kinds in a namespace, as `kind/name`, sorted.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn names(&self, namespace: &str, kinds: &str) -> Result<Vec<String>> {
        let output = self.run(&["get", kinds, "-n", namespace, "-o", "name"])?.ok()?;
        let mut names: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// Applies a manifest.
    ///
    /// # Errors
    /// When kubectl refuses.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), manifest)?;
        self.run(&["apply", "-f", &file.path().to_string_lossy()])?.ok().map(|_| ())
    }

    /// Asks the database of an environment, by psql in its pod.
    ///
    /// # Errors
    /// When psql fails.
    pub fn psql(&self, namespace: &str, pod: &str, user: &str, database: &str, query: &str) -> Result<String> {
        let output = self.run(&[
            "exec",
            "-n",
            namespace,
            pod,
            "--",
            "psql",
            "-h",
            "127.0.0.1",
            "-U",
            user,
            "-d",
            database,
            "-At",
            "-c",
            query,
        ])?;
        Ok(output.ok()?.stdout.trim().to_owned())
    }

    /// Waits until something holds.
    ///
    /// # Errors
    /// When it does not within the time, or the look itself fails.
    pub fn until(&self, what: &str, limit: Duration, mut holds: impl FnMut(&Kube) -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        let _doing = limit::doing(format!("waiting until {what}"));
        while !holds(self)? {
            limit::check()?;
            if started.elapsed() > limit {
                bail!("waited in vain until {what}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }
}
