//! Running one child process: secrets by pipe and memory file, its own process group, an end in time.

mod handover;
mod spawner;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

pub(crate) use handover::Handover;

use crate::launcher::Launcher;

/// How long a child may take to end after SIGTERM: Helm marks its release as failed meanwhile.
pub(crate) const GRACE: Duration = Duration::from_secs(10);
/// How long output is awaited once the child is gone: a grandchild may hold the pipe open.
const DRAIN: Duration = Duration::from_secs(2);
/// More output than any chart makes.
const MAX_STDOUT: usize = 256 << 20;
/// The end of the error output is what matters.
const MAX_STDERR: usize = 256 << 10;

/// One run of a program.
pub(crate) struct Invocation {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Set on top of what we inherit.
    pub(crate) environment: Vec<(String, OsString)>,
    /// Inherited variables that begin so are not passed on.
    pub(crate) without: Vec<&'static str>,
    pub(crate) stdin: Option<String>,
    pub(crate) files: Vec<Handover>,
    pub(crate) limit: Option<Duration>,
    /// From when on the limit counts; from the start without.
    pub(crate) begins: Option<CancellationToken>,
    /// Between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
}

/// Why the child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself.
    Exited,
    /// Because we were asked to stop.
    Cancelled,
    /// Because its time was up.
    TimedOut,
}

/// What came out of a run.
pub(crate) struct Outcome {
    pub(crate) ended: Ended,
    pub(crate) success: bool,
    /// How it ended, in words ("exit status: 1", "signal: 9").
    pub(crate) status: String,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs to the end, or until `cancel` or the limit: then SIGTERM to the child's group, a grace, SIGKILL.
pub(crate) async fn run(
    invocation: Invocation,
    launcher: &Launcher,
    cancel: &CancellationToken,
) -> io::Result<Outcome> {
    let Invocation { program, arguments, environment, without, stdin, files, limit, begins, grace } = invocation;
    let mut command = Command::from(launcher.command(&program));
    command.args(arguments).process_group(0).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| without.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command.envs(environment).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let _until_the_end = handover::attach(files, &mut command)?;

    let mut child = spawner::spawn(command).await?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    if let (Some(text), Some(mut pipe)) = (stdin, child.stdin.take()) {
        tokio::spawn(async move {
            // A child that ends early closes the pipe; its own error is the one to show.
            drop(pipe.write_all(text.as_bytes()).await);
        });
    }
    let stdout = collect(child.stdout.take(), MAX_STDOUT, false);
    let stderr = collect(child.stderr.take(), MAX_STDERR, true);

    let (status, ended) = end(&mut child, &group, until(limit, begins), grace, cancel).await;
    let status = status?;
    group.0 = None;
    let (stdout, stderr) = (drain(stdout).await?, drain(stderr).await?);
    Ok(Outcome {
        ended,
        success: status.success(),
        status: status.to_string(),
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    })
}

async fn until(limit: Option<Duration>, begins: Option<CancellationToken>) {
    if let Some(begins) = begins {
        begins.cancelled().await;
    }
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

async fn end(
    child: &mut Child,
    group: &Group,
    time_is_up: impl Future<Output = ()>,
    grace: Duration,
    cancel: &CancellationToken,
) -> (io::Result<std::process::ExitStatus>, Ended) {
    let why = tokio::select! {
        biased;
        status = child.wait() => return (status, Ended::Exited),
        () = cancel.cancelled() => Ended::Cancelled,
        () = time_is_up => Ended::TimedOut,
    };
    group.signal(Signal::TERM);
    let status = match tokio::time::timeout(grace, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            group.signal(Signal::KILL);
            child.wait().await
        }
    };
    (status, why)
}

/// The child's process group; killed when the run is dropped before the child was waited for.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // It may be gone already.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

type Collected = tokio::task::JoinHandle<io::Result<Vec<u8>>>;

/// Reads to the end. Beyond `limit` bytes: the last ones are kept when `tail`, otherwise it is an error.
fn collect(pipe: Option<impl AsyncRead + Unpin + Send + 'static>, limit: usize, tail: bool) -> Collected {
    tokio::spawn(async move {
        let Some(mut pipe) = pipe else { return Ok(Vec::new()) };
        let mut kept = Vec::new();
        let mut chunk = vec![0; 64 << 10];
        loop {
            let count = pipe.read(&mut chunk).await?;
            if count == 0 {
                return Ok(kept);
            }
            kept.extend_from_slice(&chunk[..count]);
            if kept.len() > limit {
                if !tail {
                    return Err(io::Error::other(format!("more than {limit} bytes of output")));
                }
                kept.drain(..kept.len() - limit);
            }
        }
    })
}

async fn drain(mut task: Collected) -> io::Result<Vec<u8>> {
    match tokio::time::timeout(DRAIN, &mut task).await {
        Ok(Ok(output)) => output,
        Ok(Err(joined)) => Err(io::Error::other(joined)),
        Err(_) => {
            task.abort();
            Ok(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests;
