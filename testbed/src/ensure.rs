//! Building and installing what is missing, side by side where that fills the machine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::bed::Bed;
use crate::parts::{Component, Part};
use crate::paths::Paths;

/// Makes everything of these parts that is missing. What is compiled comes one after the other, since one `go build`
/// takes every processor; modules of the later ones are fetched meanwhile, and Debian packages and images are put
/// together.
pub(crate) fn all(bed: &Bed<'_>, parts: &[Part]) -> Result<()> {
    let (compiled, other): (Vec<&dyn Component>, Vec<&dyn Component>) =
        parts.iter().map(|part| part.component()).partition(|part| !part.units().is_empty());
    side_by_side(bed, &compiled, &other)
}

fn side_by_side(bed: &Bed<'_>, compiled: &[&dyn Component], other: &[&dyn Component]) -> Result<()> {
    let failed = &AtomicBool::new(false);
    thread::scope(|scope| {
        let units = compiled.iter().flat_map(|part| part.units());
        // What cannot be fetched here is told by the build that needs it.
        scope.spawn(move || units.for_each(|unit| _ = unit.fetch(bed)));
        let beside = scope.spawn(move || {
            let made = other.iter().try_for_each(|part| part.ensure(bed));
            failed.store(made.is_err(), Ordering::Relaxed);
            made
        });
        // Nobody waits for the rest of the compiler's work to hear of a failure.
        let built =
            compiled.iter().take_while(|_| !failed.load(Ordering::Relaxed)).try_for_each(|part| part.ensure(bed));
        let beside = beside.join().unwrap_or_else(|_| Err(anyhow!("a part of the testbed could not be made")));
        built.and(beside)
    })
}

/// What is to be compiled before parts can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotBuilt {
    /// Names of programs.
    pub programs: Vec<&'static str>,
    /// About how long this machine takes with nothing else to do.
    pub time: Duration,
}

/// Programs of these parts that are not built of what is pinned now.
pub(crate) fn not_built(paths: &Paths, parts: &[Part]) -> Result<NotBuilt> {
    let mut programs = Vec::new();
    let mut seconds = 0;
    for unit in parts.iter().flat_map(|part| part.component().units()) {
        if !unit.is_built(paths)? {
            programs.extend(unit.binaries.iter().map(|(name, _)| *name));
            seconds += unit.seconds;
        }
    }
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let processors = u32::try_from(processors).unwrap_or(1);
    // Linking is done by one processor while the others wait.
    Ok(NotBuilt { programs, time: Duration::from_secs(u64::from(seconds)) * 5 / 4 / processors })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::progress::{Quiet, Steps};

    /// Tells that it was made, once another allows it.
    struct Fake {
        made: AtomicBool,
        fails: bool,
        begin: Option<Mutex<Receiver<()>>>,
        end: Option<Mutex<Sender<()>>>,
    }

    impl Component for Fake {
        fn ensure(&self, _: &Bed<'_>) -> Result<()> {
            if let Some(begin) = &self.begin {
                let begin = begin.lock().unwrap_or_else(PoisonError::into_inner);
                begin.recv_timeout(Duration::from_secs(60)).map_err(|_| anyhow!("nothing goes on beside it"))?;
            }
            self.made.store(true, Ordering::Relaxed);
            if let Some(end) = &self.end {
                end.lock().unwrap_or_else(PoisonError::into_inner).send(()).ok();
            }
            if self.fails { Err(anyhow!("no mirror")) } else { Ok(()) }
        }
    }

    fn fake() -> Fake {
        Fake { made: AtomicBool::new(false), fails: false, begin: None, end: None }
    }

    fn run(compiled: &[&dyn Component], other: &[&dyn Component]) -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path(), folder.path());
        side_by_side(&Bed { paths: &paths, steps: Steps::new(&Quiet) }, compiled, other)
    }

    #[test]
    fn images_are_made_while_the_compiler_runs() {
        // Each waits for the other half: one after the other, neither would end.
        let (to_compiler, from_images) = channel();
        let (to_images, from_compiler) = channel();
        let first = Fake { end: Some(Mutex::new(to_images)), ..fake() };
        let second = Fake { begin: Some(Mutex::new(from_images)), ..fake() };
        let images = Fake { begin: Some(Mutex::new(from_compiler)), end: Some(Mutex::new(to_compiler)), ..fake() };
        run(&[&first, &second], &[&images]).unwrap();
        assert!([first, second, images].iter().all(|part| part.made.load(Ordering::Relaxed)));
    }

    #[test]
    fn a_failure_on_either_side_is_told() {
        let (bad, good) = (Fake { fails: true, ..fake() }, fake());
        for (compiled, other) in [(&bad, &good), (&good, &bad)] {
            assert_eq!(run(&[compiled], &[other]).unwrap_err().to_string(), "no mirror");
        }
    }
}
