//! `cargo xtask account`: runs one program to its end and writes down what it used. The benchmark puts it before terraform and
//! before each provider, so that what the kernel counts is known by process and to the end: nothing has to be looked at in time.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::usage::{self, Spent};

/// Run a program, and write down what it used.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder that what was used is written to.
    #[arg(long)]
    into: PathBuf,
    /// What the program is called there.
    #[arg(long)]
    name: String,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// How often is looked how much memory the program has held. The kernel keeps the most, so only what is added between the
/// last look and the end is missed.
const EVERY: Duration = Duration::from_millis(10);

pub(crate) fn go(args: &Args) -> Result<ExitCode> {
    // A signal for the group is the program's to answer; this waits for it.
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    let (program, arguments) = args.command.split_first().context("no program was named")?;
    // An account that was begun and has no end shows that something was not counted.
    let account = args.into.join(format!("{}.json", std::process::id()));
    std::fs::write(&account, "").with_context(|| format!("writing {}", account.display()))?;

    let started = Instant::now();
    let mut child = Command::new(program)
        .args(arguments)
        .spawn()
        .with_context(|| format!("cannot start {}", program.to_string_lossy()))?;
    let pid = child.id();
    let peak = Peak::watch(pid);
    let id = Pid::from_raw(i32::try_from(pid).context("a process of this number")?);
    // It stays there, dead, until the kernel's last counts are read.
    while let Err(error) = waitid(Id::Pid(id), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
        ensure!(error == nix::Error::EINTR, "waiting for {}: {error}", program.to_string_lossy());
    }
    let wall = started.elapsed();
    let peak = peak.end();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("what the kernel counted")?;
    let children = usage::of_children(&stat).with_context(|| format!("what the kernel counted is {stat:?}"))?;
    let status = child.wait()?;

    let all = getrusage(UsageWho::RUSAGE_CHILDREN).context("what the kernel counted")?;
    let together = duration(all.user_time()) + duration(all.system_time());
    let largest = u64::try_from(all.max_rss()).unwrap_or_default();
    let spent = Spent {
        name: args.name.clone(),
        wall,
        own: together.saturating_sub(children),
        children,
        // Without children the kernel's own maximum is exact. It begins with what this process holds, a few megabytes.
        peak: if children.is_zero() { largest } else { peak },
        children_peak: if children.is_zero() || largest <= peak { 0 } else { largest },
    };
    let text = serde_json::to_string(&spent)?;
    std::fs::write(&account, text).with_context(|| format!("writing {}", account.display()))?;
    // As a shell says it, for one that a signal has ended.
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(128).into())
}

fn duration(time: TimeVal) -> Duration {
    let microseconds = time.tv_sec().saturating_mul(1_000_000).saturating_add(time.tv_usec());
    Duration::from_micros(u64::try_from(microseconds).unwrap_or_default())
}

/// The most memory that a process held.
struct Peak {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<u64>,
}

impl Peak {
    fn watch(pid: u32) -> Peak {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut most = 0;
            while !stopped.load(Ordering::Relaxed) {
                most = most.max(usage::peak(pid).unwrap_or_default());
                std::thread::sleep(EVERY);
            }
            most
        });
        Peak { stop, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}
