//! What processes used, as the kernel counts it: memory in kilobytes, time on a processor.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

/// The kernel tells processor time in hundredths of a second there, whatever its own clock is.
const TICK: Duration = Duration::from_millis(10);

/// What is resident now.
pub(super) fn resident(pid: u32) -> Option<u64> {
    of_status(pid, "VmRSS:")
}

/// The most that was resident until now.
pub(super) fn peak(pid: u32) -> Option<u64> {
    of_status(pid, "VmHWM:")
}

fn of_status(pid: u32, name: &str) -> Option<u64> {
    field(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?, name)
}

/// `VmRSS:     12345 kB`
fn field(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// The processor time of the children that a process has waited for: fields 16 and 17 of /proc/PID/stat. The program's name
/// before them may contain blanks and parentheses.
pub(super) fn of_children(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace().skip(13).map(str::parse::<u32>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some(TICK * user.checked_add(system)?)
}

/// What one process used, from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spent {
    /// What it is called.
    pub(super) name: String,
    pub(super) wall: Duration,
    /// Its own time on a processor.
    pub(super) own: Duration,
    /// That of the processes that it started, and theirs.
    pub(super) children: Duration,
    /// The most memory that it held.
    pub(super) peak: u64,
    /// The most that one of those that it started held, where that is more.
    pub(super) children_peak: u64,
}

/// The name of terraform's own process.
pub(super) const TERRAFORM: &str = "terraform";
/// The name of the processes of a provider.
pub(super) const PROVIDER: &str = "provider";

/// What one command of terraform used, by process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Cost {
    /// From its start to its end.
    pub(super) wall: Duration,
    /// Terraform's own time on a processor.
    pub(super) terraform: Duration,
    /// The provider's own, all of its processes.
    pub(super) provider: Duration,
    /// That of the processes that the provider started: Helm.
    pub(super) helm: Duration,
    pub(super) terraform_peak: u64,
    pub(super) provider_peak: u64,
    /// Nought where no process of Helm held more than the provider.
    pub(super) helm_peak: u64,
}

impl Cost {
    /// The time of all on a processor.
    pub(super) fn processor(&self) -> Duration {
        self.terraform + self.provider + self.helm
    }

    /// Reads the accounts in a folder.
    ///
    /// # Errors
    /// When something was not counted to its end.
    pub(super) fn read(folder: &Path) -> Result<Cost> {
        let mut cost = Cost::default();
        let mut seen = false;
        for entry in std::fs::read_dir(folder).with_context(|| format!("folder {}", folder.display()))? {
            let path = entry?.path();
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            ensure!(!text.is_empty(), "a process was ended before what it used was counted: {}", path.display());
            let spent: Spent = serde_json::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
            seen |= spent.name == TERRAFORM;
            cost.add(&spent);
        }
        ensure!(seen, "what terraform used was not counted");
        Ok(cost)
    }

    fn add(&mut self, spent: &Spent) {
        if spent.name == TERRAFORM {
            self.wall = spent.wall;
            self.terraform += spent.own;
            self.terraform_peak = self.terraform_peak.max(spent.peak);
        } else {
            self.provider += spent.own;
            self.helm += spent.children;
            self.provider_peak = self.provider_peak.max(spent.peak);
            self.helm_peak = self.helm_peak.max(spent.children_peak);
        }
    }

    /// Of each figure the median.
    pub(super) fn median(costs: &[Cost]) -> Cost {
        Cost {
            wall: middle(costs, |cost| cost.wall),
            terraform: middle(costs, |cost| cost.terraform),
            provider: middle(costs, |cost| cost.provider),
            helm: middle(costs, |cost| cost.helm),
            terraform_peak: middle(costs, |cost| cost.terraform_peak),
            provider_peak: middle(costs, |cost| cost.provider_peak),
            helm_peak: middle(costs, |cost| cost.helm_peak),
        }
    }
}

/// The middle one of what is taken from each.
pub(super) fn middle<T, F: Copy + Ord + Default>(all: &[T], figure: impl Fn(&T) -> F) -> F {
    let mut figures: Vec<F> = all.iter().map(figure).collect();
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn spent(name: &str, own: u64, children: u64, peak: u64) -> Spent {
        let time = Duration::from_millis;
        let (name, wall) = (name.to_owned(), time(500));
        Spent { name, wall, own: time(own), children: time(children), peak, children_peak: 0 }
    }

    fn accounts(all: &[Spent]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (index, one) in all.iter().enumerate() {
            std::fs::write(folder.path().join(format!("{index}.json")), serde_json::to_string(one).unwrap()).unwrap();
        }
        folder
    }

    #[test]
    fn the_kernels_fields_are_read() {
        let status = "Name:\tx\nVmHWM:\t   12345 kB\nVmRSS:\t   10000 kB\n";
        assert_eq!(field(status, "VmHWM:"), Some(12345));
        assert_eq!(field(status, "VmSwap:"), None);
        assert!(resident(std::process::id()).is_some_and(|size| size > 0));
        assert!(peak(std::process::id()) >= resident(std::process::id()));
    }

    #[test]
    fn the_time_of_children_is_user_and_system_time() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 12 3 40 5 20 0 1 0 5 6 7";
        assert_eq!(of_children(stat), Some(Duration::from_millis(450)));
        assert_eq!(of_children("7 (a) S 1 7"), None);
    }

    #[test]
    fn what_each_process_used_adds_up() {
        let folder =
            accounts(&[spent("provider", 10, 0, 90), spent("terraform", 100, 40, 70), spent("provider", 20, 300, 30)]);
        let cost = Cost::read(folder.path()).unwrap();
        let time = Duration::from_millis;
        assert_eq!((cost.terraform, cost.provider, cost.helm), (time(100), time(30), time(300)));
        assert_eq!((cost.processor(), cost.wall), (time(430), time(500)));
        assert_eq!((cost.terraform_peak, cost.provider_peak), (70, 90));
    }

    #[test]
    fn what_was_not_counted_to_its_end_is_not_taken_for_nothing() {
        let folder = accounts(&[spent("terraform", 100, 40, 70)]);
        assert!(Cost::read(folder.path()).is_ok());
        std::fs::write(folder.path().join("9.json"), "").unwrap();
        assert!(Cost::read(folder.path()).is_err());
        assert!(Cost::read(accounts(&[spent("provider", 1, 0, 1)]).path()).is_err());
    }

    #[test]
    fn one_slow_run_does_not_count() {
        let runs = [9, 1, 2].map(|wall| Cost { wall: Duration::from_secs(wall), ..Cost::default() });
        assert_eq!(Cost::median(&runs).wall, Duration::from_secs(2));
    }
}
