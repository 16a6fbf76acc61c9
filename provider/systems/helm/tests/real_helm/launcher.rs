//! A child must not outlive a parent that is killed. These need no Helm.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use ffe_helm::binary::RenderRequest;
use ffe_helm::values::Values;
use libtest_mimic::{Failed, Trial};
use tokio_util::sync::CancellationToken;

use crate::support::{ensure, helm, on_runtime};

/// Asks this binary to be a provider that runs a very slow Helm.
pub(crate) const PARENT: &str = "__parent";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("launcher::a_killed_parent_takes_its_child_along", killed_parent),
        Trial::test("launcher::an_idle_runtime_does_not_kill_children", idle_threads),
        Trial::test("launcher::helm_inherits_no_secrets_and_no_settings", inherited),
    ]
}

/// A helm that says its process id and then sleeps.
const SLOW: &str = "if [ \"$1\" = version ]; then echo v4.3.1; exit 0; fi\necho $$ > \"$0.pid.new\"; mv \"$0.pid.new\" \"$0.pid\"; exec sleep 300\n";

fn slow_helm() -> tempfile::TempDir {
    played_helm(SLOW)
}

fn played_helm(script: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let player = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake-helm");
    std::os::unix::fs::symlink(player, dir.path().join("helm")).unwrap();
    std::fs::write(dir.path().join("helm.script"), script).unwrap();
    dir
}

/// The parent: renders with the helm that is named, which never ends.
pub(crate) fn parent(args: Vec<std::ffi::OsString>) -> ExitCode {
    let result = on_runtime(async {
        let values = Values::empty();
        let request = RenderRequest::new("r", "ns", std::path::Path::new("/c"), &values);
        helm(args[0].as_ref()).render(&request, &CancellationToken::new()).await?;
        Ok(())
    });
    ExitCode::from(u8::from(result.is_err()))
}

fn killed_parent() -> Result<(), Failed> {
    let dir = slow_helm();
    let mut parent = Command::new(std::env::current_exe()?)
        .arg(PARENT)
        .arg(dir.path().join("helm"))
        .stdout(Stdio::null())
        .spawn()?;
    let file = dir.path().join("helm.pid");
    while !file.exists() {
        ensure(parent.try_wait()?.is_none(), "the parent ended by itself")?;
        std::thread::sleep(Duration::from_millis(10));
    }
    let child = std::fs::read_to_string(&file)?.trim().to_owned();
    ensure(is_running(&child), "the child is not there")?;
    parent.kill()?;
    ensure(parent.wait()?.signal() == Some(9), "the parent was not killed")?;
    // Ends only when the child is gone; a child that stays makes this trial hang, which is a failure that shows.
    while is_running(&child) {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The runtime lets a thread expire that was blocked once; a child that it had started must live on.
fn idle_threads() -> Result<(), Failed> {
    let dir = slow_helm();
    let path = dir.path().join("helm");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_keep_alive(Duration::from_millis(1))
        .enable_all()
        .build()?;
    let cancel = CancellationToken::new();
    let run = runtime.spawn({
        let (path, cancel) = (path.clone(), cancel.clone());
        async move {
            // Turns this worker into a thread that will expire.
            tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(5)));
            let values = Values::empty();
            let request = RenderRequest::new("r", "ns", std::path::Path::new("/c"), &values);
            helm(&path).render(&request, &cancel).await.map(drop).map_err(|e| e.is_cancelled())
        }
    });
    let file = dir.path().join("helm.pid");
    while !file.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let child = std::fs::read_to_string(&file)?.trim().to_owned();
    std::thread::sleep(Duration::from_millis(300));
    ensure(is_running(&child), "the child died with a thread")?;
    cancel.cancel();
    ensure(runtime.block_on(run)? == Err(true), "the run was not cancelled")?;
    ensure(!is_running(&child), "the child outlived its cancellation")
}

/// Helm hands its environment on to credential plugins: what Terraform and the provider were given is none of theirs.
fn inherited() -> Result<(), Failed> {
    let dir = played_helm("if [ \"$1\" = version ]; then echo v4.3.1; exit 0; fi\nenv > \"$0.env\"; exit 1\n");
    let withheld = [
        "TF_VAR_password",
        "TF_CLI_ARGS",
        "PLUGIN_CLIENT_CERT",
        "CLOUDFLARE_API_TOKEN",
        "FFE_HELM_BINARY",
        "HELM_NAMESPACE",
        "KUBECONFIG",
        "KUBECACHEDIR",
        "KUBERNETES_SERVICE_HOST",
    ];
    let status = Command::new(std::env::current_exe()?)
        .arg(PARENT)
        .arg(dir.path().join("helm"))
        .envs(withheld.map(|name| (name, "canary")))
        .envs([("AWS_PROFILE", "kept"), ("HTTPS_PROXY", "kept")])
        .status()?;
    ensure(status.code() == Some(1), "the helm that fails did not")?;
    let environment = std::fs::read_to_string(dir.path().join("helm.env"))?;
    ensure(!environment.contains("canary"), format!("helm has inherited:\n{environment}"))?;
    let kept = |line: &str| environment.lines().any(|other| other == line);
    ensure(kept("AWS_PROFILE=kept") && kept("HTTPS_PROXY=kept"), "a credential plugin would miss its own")?;
    // What is noted of the API server lies in our private folder.
    let cache = environment.lines().find_map(|line| line.strip_prefix("KUBECACHEDIR="));
    ensure(cache.is_some_and(|path| path.contains("/ffe-helm-")), environment.clone())
}

fn is_running(pid: &str) -> bool {
    let Ok(file) = std::fs::File::open(format!("/proc/{pid}/stat")) else { return false };
    let mut line = String::new();
    drop(BufReader::new(file).read_line(&mut line));
    !line.is_empty() && !line.contains(") Z ")
}
