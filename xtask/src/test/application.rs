//! The example application's own tests. They need what its images consist of (Python, Alembic, PostgreSQL), so they run
//! in a pod that has it, on the sources of this checkout.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ffe_testbed::POSTGRES_IMAGE;
use serde_json::json;

use super::counts::Counts;
use crate::kubectl::Kubectl;
use crate::workspace::Workspace;
use crate::{process, tell};

const POD: &str = "application-tests";

/// The tests while they run.
#[derive(Debug)]
pub(super) struct Running {
    kubectl: Kubectl,
    namespace: String,
}

/// Starts them and does not wait: they take more than a minute, and mostly wait themselves.
pub(super) fn start(workspace: &Workspace) -> Result<Running> {
    let testbed = &workspace.testbed;
    let kubectl = Kubectl::new(testbed.binary("kubectl"), &testbed.kubeconfig());
    let namespace = format!("ffe-application-tests-{}", std::process::id());
    kubectl.output(&["create", "namespace", &namespace])?;
    let running = Running { kubectl, namespace };
    // The node is this machine: it sees the checkout.
    let checkout = workspace.root.join("examples/ffe-backend/app");
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": POD, "namespace": running.namespace },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            // The first process then collects the servers that the tests stop.
            "shareProcessNamespace": true,
            "containers": [{
                "name": POD,
                "image": POSTGRES_IMAGE,
                "command": ["python3", "-B", "-m", "unittest", "discover", "-s", "tests", "-t", "."],
                "workingDir": "/checkout",
                "volumeMounts": [{ "name": "checkout", "mountPath": "/checkout", "readOnly": true }],
            }],
            "volumes": [{ "name": "checkout", "hostPath": { "path": checkout, "type": "Directory" } }],
        },
    });
    running.wait_for_account()?;
    create(&running.kubectl, &pod.to_string())?;
    Ok(running)
}

impl Running {
    /// A pod without a controller is refused until its namespace has its service account.
    fn wait_for_account(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(120);
        let look = ["get", "serviceaccount", "default", "--namespace", &self.namespace, "-o", "name"];
        while let Err(error) = self.kubectl.output(&look) {
            if Instant::now() > deadline {
                return Err(error.context("the namespace got no service account"));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Waits for their end and adds up their counts.
    pub(super) fn finish(&self, all: &mut Counts) -> Result<()> {
        finished(&self.kubectl, &self.namespace)?;
        let said = self.kubectl.output(&["logs", "--namespace", &self.namespace, POD])?;
        tell::line(said.trim_end());
        match Counts::of_unittest(&said) {
            Some(counts) => *all += counts,
            None => bail!("no tests ran"),
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.kubectl.output(&["delete", "namespace", &self.namespace, "--wait=false"]) {
            tell::note(format!("left behind: namespace {}: {error:#}", self.namespace));
        }
    }
}

fn create(kubectl: &Kubectl, manifest: &str) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), manifest)?;
    let mut command: Command = kubectl.command(&["create", "--filename"]);
    process::output(command.arg(file.path())).map(drop)
}

/// Waits for the pod's end.
fn finished(kubectl: &Kubectl, namespace: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(300);
    loop {
        let phase = kubectl.output(&["get", "pod", POD, "--namespace", namespace, "-o", "jsonpath={.status.phase}"])?;
        if phase == "Succeeded" || phase == "Failed" {
            return Ok(());
        }
        if Instant::now() > deadline {
            let described = kubectl.output(&["describe", "pod", POD, "--namespace", namespace]);
            return Err(anyhow::anyhow!("the pod is {phase} after five minutes"))
                .with_context(|| described.unwrap_or_default());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}
