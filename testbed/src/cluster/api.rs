//! Asking the cluster whether it is ready.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bed::Bed;
use crate::command;
use crate::node;
use crate::paths::Paths;
use crate::process::Process;

/// kubectl with the testbed's own kubeconfig, whatever the user's environment says.
pub(crate) fn kubectl(paths: &Paths) -> Command {
    kubectl_with(paths, &paths.kubeconfig())
}

/// kubectl with that kubeconfig.
pub(crate) fn kubectl_with(paths: &Paths, kubeconfig: &Path) -> Command {
    let mut command = Command::new(paths.binary("kubectl"));
    command::without_proxies(&mut command)
        .env_remove("KUBECONFIG")
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        // No cache of the API's description in the user's home.
        .arg(format!("--cache-dir={}", paths.run().join("kubectl-cache").display()));
    command
}

/// Whether the API says of itself that it is ready.
pub(crate) fn is_ready(paths: &Paths) -> bool {
    says_ready(kubectl(paths))
}

/// Whether the API that this kubectl asks says of itself that it is ready.
pub(crate) fn says_ready(mut kubectl: Command) -> bool {
    command::output(kubectl.args(["--request-timeout=2s", "get", "--raw", "/readyz"])).is_ok_and(|text| text == "ok")
}

/// Whether the node takes pods.
pub(crate) fn node_is_ready(paths: &Paths) -> bool {
    let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
    command::output(kubectl(paths).args(["--request-timeout=2s", "get", "node", node::FIRST, "-o", path]))
        .is_ok_and(|text| text == "True")
}

/// Waits until `done`, but no longer than the processes live that it depends on.
pub(crate) fn wait(
    bed: &Bed<'_>,
    what: &str,
    needs: &[Process],
    limit: Duration,
    done: impl Fn(&Paths) -> bool,
) -> Result<()> {
    let started = Instant::now();
    while !done(bed.paths) {
        for process in needs {
            process.check()?;
        }
        if started.elapsed() > limit {
            let logs: Vec<String> = needs.iter().map(|p| p.log().display().to_string()).collect();
            bail!("{what} did not come true within {} s; see {}", limit.as_secs(), logs.join(", "));
        }
        std::thread::sleep(Duration::from_millis(150));
    }
    bed.say(what);
    Ok(())
}
