//! Building and installing what is missing, side by side where that fills the machine.

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
    thread::scope(|scope| {
        let units = compiled.iter().flat_map(|part| part.units());
        // What cannot be fetched here is told by the build that needs it.
        scope.spawn(move || units.for_each(|unit| _ = unit.fetch(bed)));
        let beside = scope.spawn(move || other.iter().try_for_each(|part| part.ensure(bed)));
        let built = compiled.iter().try_for_each(|part| part.ensure(bed));
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
    Ok(NotBuilt { programs, time: Duration::from_secs(u64::from(seconds)) / processors })
}
