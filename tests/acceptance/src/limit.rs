//! How long a case may take. One that takes longer is ended, and told with what it did: the commands that it ran, what it
//! was doing, and the last output of what it had started.
//!
//! A case plays in a thread of its own; what it runs, says and waits for is noted for that thread here ([`doing`], [`told`]), and
//! every command that it starts carries the case's mark in its environment ([`mark`]), so that it is found.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::processes;

/// What a case may take where `FFE_CASE_TIMEOUT` (in seconds) says nothing else.
const USUAL: Duration = Duration::from_secs(15 * 60);

/// What a case whose processes were ended has to come to its end.
const GRACE: Duration = Duration::from_secs(60);

/// The variable that marks a case's commands.
const MARK: &str = "FFE_CASE";

thread_local! {
    static CURRENT: RefCell<Option<Arc<Course>>> = const { RefCell::new(None) };
}

/// The limit of this run.
///
/// # Errors
/// When `FFE_CASE_TIMEOUT` is no number of seconds.
pub(crate) fn limit() -> Result<Duration> {
    match std::env::var("FFE_CASE_TIMEOUT") {
        Ok(seconds) => seconds
            .parse()
            .map(Duration::from_secs)
            .with_context(|| format!("FFE_CASE_TIMEOUT is {seconds:?}, expected a number of seconds")),
        Err(_) => Ok(USUAL),
    }
}

/// The course of one case.
struct Course {
    mark: String,
    over: AtomicBool,
    /// Milliseconds in which it waited for other cases: that is not its own time.
    excused: AtomicU64,
    noted: Mutex<Noted>,
}

#[derive(Default)]
struct Noted {
    story: Vec<String>,
    /// What is being done, the innermost last.
    doing: Vec<(String, Instant)>,
    /// Where a command that runs in the background writes to.
    log: Option<PathBuf>,
}

impl Course {
    fn new() -> Course {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Course { mark, over: AtomicBool::new(false), excused: AtomicU64::new(0), noted: Mutex::default() }
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is left of the limit.
    fn left(&self, began: Instant, limit: Duration) -> Duration {
        (limit + Duration::from_millis(self.excused.load(Ordering::Relaxed))).saturating_sub(began.elapsed())
    }

    /// What it was doing.
    fn at(&self) -> String {
        let noted = self.noted();
        let doing = noted.doing.iter().map(|(what, since)| format!("{what}, for {} s", since.elapsed().as_secs()));
        let doing = doing.collect::<Vec<_>>().join("\n  in it: ");
        if doing.is_empty() { "between two commands".to_owned() } else { doing }
    }

    /// Ends every process that the case has started, and what these have.
    fn end_processes(&self) -> Vec<String> {
        let own = std::process::id();
        let marked =
            processes::descendants(own).into_iter().filter(|process| processes::has(process.pid, MARK, &self.mark));
        let mut all: Vec<_> =
            marked.flat_map(|process| [vec![process.clone()], processes::descendants(process.pid)].concat()).collect();
        // A child carries the mark too.
        all.sort_by_key(|process| process.pid);
        all.dedup_by_key(|process| process.pid);
        let ended = all.iter().filter(|process| processes::kill(process.pid).is_ok());
        ended
            .map(|process| format!("{} {}", process.pid, process.arguments.chars().take(200).collect::<String>()))
            .collect()
    }
}

/// Plays a case in a thread of its own, and ends it when it takes longer.
///
/// # Errors
/// What it failed with; or that it took too long, with all that is known of it.
pub(crate) fn within(
    limit: Duration,
    name: &str,
    case: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    let course = Arc::new(Course::new());
    let (sender, receiver) = mpsc::channel();
    let its = Arc::clone(&course);
    let began = Instant::now();
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        CURRENT.set(Some(its));
        // Nobody listens any more to a case that was given up.
        let _heard = sender.send(case());
    });
    thread.map_err(|error| format!("no thread for the case: {error}"))?;
    loop {
        match receiver.recv_timeout(course.left(began, limit)) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Timeout) if !course.left(began, limit).is_zero() => {}
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return Err("the case's thread has ended without a word".to_owned()),
        }
    }
    let at = course.at();
    let story = story_of(&course);
    course.over.store(true, Ordering::SeqCst);
    let ended = course.end_processes();
    let mut report = format!(
        "not over after {} s (FFE_CASE_TIMEOUT), and ended.\nIt was at: {at}\nEnded with it:\n  {}\n",
        limit.as_secs(),
        ended.join("\n  ")
    );
    match receiver.recv_timeout(GRACE) {
        // Its own report has what its last commands had said.
        Ok(Err(last)) => report.push_str(&format!("\n{last}")),
        Ok(Ok(())) => report.push_str(&format!("\n{story}")),
        Err(_) => report
            .push_str(&format!("\nIt went on all the same; what it made in the cluster is left there.\n\n{story}")),
    }
    Err(report)
}

/// Notes what the case of this thread does, until the value is dropped.
pub(crate) fn doing(what: impl Into<String>) -> Doing {
    let course = CURRENT.with_borrow(Clone::clone);
    if let Some(course) = &course {
        course.noted().doing.push((what.into(), Instant::now()));
    }
    Doing(course)
}

/// As long as something is done.
pub(crate) struct Doing(Option<Arc<Course>>);

impl Drop for Doing {
    fn drop(&mut self) {
        if let Some(course) = &self.0 {
            course.noted().doing.pop();
        }
    }
}

/// Adds to the story of the case of this thread.
pub(crate) fn told(text: String) {
    CURRENT.with_borrow(|course| course.iter().for_each(|course| course.noted().story.push(text.clone())));
}

/// A command that runs in the background writes there.
pub(crate) fn logs_to(path: PathBuf) {
    CURRENT.with_borrow(|course| course.iter().for_each(|course| course.noted().log = Some(path.clone())));
}

/// What the case of this thread has done and heard so far.
pub(crate) fn story() -> String {
    CURRENT.with_borrow(|course| course.as_ref().map(|course| story_of(course))).unwrap_or_default()
}

fn story_of(course: &Course) -> String {
    let noted = course.noted();
    let mut story = noted.story.join("\n");
    let background = noted.log.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    if !background.is_empty() {
        story.push_str(&format!("\n(started in the background)\n{background}"));
    }
    let skip = story.chars().count().saturating_sub(20_000);
    story.chars().skip(skip).collect()
}

/// The variable by which the commands of the case of this thread are found.
pub(crate) fn mark() -> Option<(&'static str, String)> {
    CURRENT.with_borrow(|course| course.as_ref().map(|course| (MARK, course.mark.clone())))
}

/// What the case of this thread waited for others is not taken from its time.
pub(crate) fn excuse(waited: Duration) {
    let waited = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    CURRENT
        .with_borrow(|course| course.iter().for_each(|course| _ = course.excused.fetch_add(waited, Ordering::Relaxed)));
}

/// Nothing more is begun by a case that was ended.
///
/// # Errors
/// When it was.
pub(crate) fn check() -> Result<()> {
    let over = CURRENT.with_borrow(|course| course.as_ref().is_some_and(|course| course.over.load(Ordering::SeqCst)));
    ensure!(!over, "the case has taken too long and was ended");
    Ok(())
}

/// From here on the thread tidies up after its case: nothing of it is noted or held back any more.
pub(crate) fn leave() {
    CURRENT.set(None);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::command::{program, run};

    #[test]
    fn a_case_in_time_ends_as_it_does() {
        assert_eq!(within(USUAL, "a", || Ok(())), Ok(()));
        assert_eq!(within(USUAL, "a", || Err("no".to_owned())), Err("no".to_owned()));
    }

    #[test]
    fn a_command_that_hangs_is_ended_and_told_with_what_it_had_said() {
        let report = within(Duration::from_secs(1), "hangs", || {
            told("$ terraform init\nInitialized".to_owned());
            // The shell's child hangs, not the shell.
            let output = run(program("bash").args(["-c", "echo so far; sleep 3217 & wait"])).unwrap();
            told(output.text());
            let next = run(&mut program("true"));
            Err(format!("{:#}\n{}", next.unwrap_err(), story()))
        })
        .unwrap_err();
        for part in [
            "not over after 1 s",
            "It was at: bash -c echo so far; sleep 3217 & wait, for ",
            "sleep 3217",
            "taken too long",
            "Initialized",
            "so far\n",
        ] {
            assert!(report.contains(part), "{part}: {report}");
        }
        let left = processes::descendants(std::process::id());
        assert!(!left.iter().any(|process| process.arguments.contains("sleep 3217")), "{left:?}");
    }

    #[test]
    fn commands_of_other_cases_go_on() {
        let (sender, receiver) = mpsc::channel();
        let other = std::thread::spawn(move || {
            within(USUAL, "other", move || {
                let mut child = program("sleep").arg("3218").spawn().unwrap();
                sender.send(child.id()).unwrap();
                let ended = child.wait().unwrap();
                Err(format!("{ended}"))
            })
        });
        let pid = receiver.recv().unwrap();
        within(Duration::from_millis(200), "hangs", || {
            run(program("sleep").arg("3219")).map(drop).map_err(|e| e.to_string())
        })
        .unwrap_err();
        assert!(processes::is_alive(pid));
        processes::kill(pid).unwrap();
        assert!(other.join().unwrap().unwrap_err().contains("signal"));
    }

    #[test]
    fn waiting_for_other_cases_takes_nothing_of_the_time() {
        let outcome = within(Duration::from_millis(300), "waits", || {
            for _ in 0..5 {
                std::thread::sleep(Duration::from_millis(150));
                excuse(Duration::from_millis(150));
            }
            Ok(())
        });
        assert_eq!(outcome, Ok(()));
    }
}
