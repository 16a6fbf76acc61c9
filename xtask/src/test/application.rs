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

/// Runs them and adds up their counts.
pub(super) fn tests(workspace: &Workspace, all: &mut Counts) -> Result<()> {
    let testbed = &workspace.testbed;
    let kubectl = Kubectl::new(testbed.binary("kubectl"), &testbed.kubeconfig());
    let namespace = format!("ffe-application-tests-{}", std::process::id());
    kubectl.output(&["create", "namespace", &namespace])?;
    let result = in_pod(workspace, &kubectl, &namespace, all);
    kubectl.output(&["delete", "namespace", &namespace, "--wait=false"])?;
    result
}

fn in_pod(workspace: &Workspace, kubectl: &Kubectl, namespace: &str, all: &mut Counts) -> Result<()> {
    // The node is this machine: it sees the checkout.
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": POD, "namespace": namespace },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "containers": [{
                "name": POD,
                "image": POSTGRES_IMAGE,
                "command": ["python3", "-B", "-m", "unittest", "discover", "-s", "tests", "-t", "."],
                "workingDir": "/checkout",
                "volumeMounts": [{ "name": "checkout", "mountPath": "/checkout", "readOnly": true }],
            }],
            "volumes": [{
                "name": "checkout",
                "hostPath": { "path": workspace.root.join("examples/ffe-backend/app"), "type": "Directory" },
            }],
        },
    });
    create(kubectl, &pod.to_string())?;
    finished(kubectl, namespace)?;
    let said = kubectl.output(&["logs", "--namespace", namespace, POD])?;
    tell::line(said.trim_end());
    match Counts::of_unittest(&said) {
        Some(counts) => *all += counts,
        None => bail!("no tests ran"),
    }
    Ok(())
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
