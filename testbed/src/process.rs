//! The processes that the testbed starts: recorded by id and start time, so that nothing else is ever stopped.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::command::{self, SYSTEM_PATH};
use crate::files;
use crate::host;
use crate::node::Node;
use crate::paths::Paths;

/// Of the caller's environment, beside the proxies.
const NOT_HANDED_ON: &[&str] = &["NOTIFY_SOCKET", "KUBECONFIG"];

/// Who was started. Ids are used again by the kernel; the start time within one boot tells whether it is still the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pid: i32,
    /// Clock ticks after boot, field 22 of /proc/PID/stat.
    started: u64,
    /// The kernel's random id of this boot.
    boot: String,
    program: String,
}

impl Record {
    /// The record of a process that runs now.
    fn of(pid: i32, program: &str) -> Result<Self> {
        let (_, started) = read_stat(pid).with_context(|| format!("{program} (process {pid}) is gone already"))?;
        Ok(Self { pid, started, boot: boot_id()?, program: program.to_owned() })
    }

    /// Whether this very process still runs. One that ended and was not waited for does not.
    fn runs(&self) -> bool {
        boot_id().is_ok_and(|boot| boot == self.boot)
            && read_stat(self.pid)
                .is_some_and(|(state, started)| started == self.started && state != 'Z' && state != 'X')
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.runs()) {
            // It may end between the look and the signal; then there is nothing to do.
            let _ = kill_process(pid, signal);
        }
    }
}

/// The state letter and the start time of a process.
fn read_stat(pid: i32) -> Option<(char, u64)> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The program's name stands in parentheses and may itself contain blanks and parentheses.
fn parse_stat(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    // The state is field 3, the start time field 22.
    let started = fields.nth(18)?.parse().ok()?;
    Some((state, started))
}

fn boot_id() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    Ok(std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?.trim().to_owned())
}

/// One process of the testbed by its name, for instance `etcd`.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    name: String,
    record: PathBuf,
    log: PathBuf,
    bin: PathBuf,
}

impl Process {
    pub(crate) fn new(paths: &Paths, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            record: paths.records().join(format!("{name}.json")),
            log: paths.log(name),
            bin: paths.bin(),
        }
    }

    /// Every process of which there is a record, running or not.
    pub(crate) fn recorded(paths: &Paths) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(paths.records()) else { return Vec::new() };
        let mut all: Vec<Self> = entries
            .flatten()
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()))
            .map(|name| Self::new(paths, &name))
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    fn read(&self) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(&self.record).ok()?).ok()
    }

    /// Its id while it runs.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.read().filter(Record::runs).map(|record| record.pid)
    }

    /// Starts it in a session of its own, away from the caller's terminal, with its output in a log.
    pub(crate) fn start(&self, program: &Path, arguments: &[String]) -> Result<()> {
        self.launch(&[], program, arguments, &[])
    }

    /// Starts it so on a node.
    pub(crate) fn start_on(&self, node: &Node, program: &Path, arguments: &[String]) -> Result<()> {
        self.start_on_with(node, program, arguments, &[])
    }

    /// Starts it on a node with variables beside those of the caller.
    pub(crate) fn start_on_with(
        &self,
        node: &Node,
        program: &Path,
        arguments: &[String],
        variables: &[(&str, &str)],
    ) -> Result<()> {
        self.launch(&node.enter()?, program, arguments, variables)
    }

    /// `way` is the beginning of a command line that ends by replacing itself with the program.
    fn launch(&self, way: &[String], program: &Path, arguments: &[String], variables: &[(&str, &str)]) -> Result<()> {
        let start = || -> Result<()> {
            for folder in [self.log.parent(), self.record.parent()].into_iter().flatten() {
                std::fs::create_dir_all(folder).with_context(|| format!("folder {}", folder.display()))?;
            }
            let log = File::create(&self.log).with_context(|| format!("log {}", self.log.display()))?;
            // setsid too replaces itself with the program, so that the id stays.
            let mut command = Command::new("setsid");
            command::without_proxies(&mut command);
            for name in NOT_HANDED_ON {
                command.env_remove(name);
            }
            let child = command
                .args(way)
                .arg(program)
                .args(arguments)
                .envs(variables.iter().copied())
                .env("PATH", format!("{}:{SYSTEM_PATH}", self.bin.display()))
                .current_dir("/")
                .stdin(Stdio::null())
                .stdout(log.try_clone().context("sharing a log file")?)
                .stderr(log)
                .spawn()
                .context("cannot run setsid")?;
            let pid = i32::try_from(child.id()).context("an impossible process id")?;
            let record = serde_json::to_vec(&Record::of(pid, &program.display().to_string())?)?;
            files::write_atomically(&self.record, &record, 0o644)
        };
        start().with_context(|| format!("starting {}", self.name))
    }

    /// Waits, up to 20 seconds, until somebody listens on an address that this process is to listen on.
    pub(crate) fn wait_until_listening(&self, address: SocketAddr) -> Result<()> {
        let started = Instant::now();
        while !host::is_taken_at(address) {
            self.check()?;
            if started.elapsed() > Duration::from_secs(20) {
                bail!("{} does not listen on {address}; see {}", self.name, self.log.display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// An error with the end of the log when it does not run.
    pub(crate) fn check(&self) -> Result<()> {
        if self.pid().is_none() {
            bail!("{} has ended; the end of {}:\n{}", self.name, self.log.display(), files::tail(&self.log, 15));
        }
        Ok(())
    }
}

/// Ends the processes, all at once: asks, waits up to `grace`, then insists. What does not run is forgotten.
pub(crate) fn stop(processes: &[Process], grace: Duration) -> Result<()> {
    let records: Vec<(&Process, Record)> = processes.iter().filter_map(|p| Some((p, p.read()?))).collect();
    for (_, record) in &records {
        record.signal(Signal::TERM);
    }
    wait_for_end(&records, grace);
    for (_, record) in &records {
        record.signal(Signal::KILL);
    }
    wait_for_end(&records, Duration::from_secs(5));
    for (process, record) in &records {
        if record.runs() {
            bail!("{} (process {}) does not end", process.name, record.pid);
        }
        files::remove_file(&process.record).with_context(|| format!("removing {}", process.record.display()))?;
    }
    Ok(())
}

fn wait_for_end(records: &[(&Process, Record)], limit: Duration) {
    let deadline = Instant::now() + limit;
    while records.iter().any(|(_, record)| record.runs()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stat_line_with_parentheses_in_the_name_is_read() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 20";
        assert_eq!(parse_stat(&format!("42 (a) b (c) {rest}")), Some(('S', 987_654)));
        assert_eq!(parse_stat("42 (short) S 1"), None);
    }

    fn process(folder: &Path) -> (Paths, Process) {
        let paths = Paths::at(folder, folder);
        let process = Process::new(&paths, "sleeper");
        (paths, process)
    }

    #[test]
    fn a_process_is_recorded_and_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (paths, process) = process(folder.path());
        assert_eq!(process.pid(), None);
        process.start(Path::new("sleep"), &["600".to_owned()]).unwrap();
        let pid = process.pid().unwrap();
        process.check().unwrap();
        assert_eq!(Process::recorded(&paths).len(), 1);
        stop(std::slice::from_ref(&process), Duration::from_secs(5)).unwrap();
        assert_eq!(process.pid(), None);
        assert!(Process::recorded(&paths).is_empty());
        assert!(read_stat(pid).is_none_or(|(state, _)| state == 'Z'));
    }

    #[test]
    fn a_process_that_only_has_the_same_id_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (_, process) = process(folder.path());
        let mut stranger = Command::new("sleep").arg("600").spawn().unwrap();
        let mut record = Record::of(i32::try_from(stranger.id()).unwrap(), "sleep").unwrap();
        record.started -= 1;
        files::write_atomically(&process.record, &serde_json::to_vec(&record).unwrap(), 0o644).unwrap();
        assert_eq!(process.pid(), None);
        stop(&[process], Duration::from_millis(10)).unwrap();
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }

    #[test]
    fn the_end_of_the_log_explains_why_it_does_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let (_, process) = process(folder.path());
        process.start(Path::new("sh"), &["-c".to_owned(), "echo no such flag; sleep 0.05; exit 1".to_owned()]).unwrap();
        while process.pid().is_some() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(process.check().unwrap_err().to_string().contains("no such flag"));
    }
}
