//! `cargo xtask bench`: what plans and applies cost, against the least that Terraform itself needs and against the Helm
//! provider. Ratios within one run; nothing is asserted, because another machine has other numbers.

pub(crate) mod account;
mod applies;
mod helm_provider;
mod history;
mod plans;
mod report;
mod side;
mod stack;
mod start;
mod usage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use ffe_testbed::{Part, ToStderr};
use report::Report;
use stack::Stack;

use crate::terraform::{self, Terraform};
use crate::workspace::Workspace;
use crate::{build, tell};

/// Measure plans without changes and applies of many small releases: wall, time on a processor and peak memory, by process.
///
/// Beside ours, as many `terraform_data` are measured in the same run (what Terraform itself needs), and the Helm provider
/// where `FFE_BENCH_HELM_PROVIDER` names its binary. A release is a `ConfigMap`, a Service and a Deployment without replicas.
/// Those of the plans are applied once and stay in the testbed for the next run, until the testbed stops.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure: everything without it.
    #[arg(value_enum)]
    what: Vec<What>,
    /// How many releases are planned. Applies and histories are measured with the least of them.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
    releases: Vec<usize>,
    /// How many revisions each release has that is planned.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10])]
    revisions: Vec<usize>,
    /// How often each plan is timed: an odd number, the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// How often each apply is timed: an odd number, the median counts.
    #[arg(long, default_value_t = 3)]
    applies: usize,
    /// Make everything that is planned anew.
    #[arg(long)]
    fresh: bool,
    /// A file for what was measured, in JSON.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// From the start of the provider's process to its schema.
    Start,
    /// Plans without changes.
    Plan,
    /// The first apply, and an upgrade.
    Apply,
}

impl Args {
    fn wants(&self, what: What) -> bool {
        self.what.is_empty() || self.what.contains(&what)
    }

    /// The least number of releases, where there is anything to measure.
    fn least(&self) -> Result<usize> {
        let something = self.releases.iter().chain(&self.revisions).all(|&number| number > 0);
        ensure!(something && !self.revisions.is_empty(), "there is nothing to measure");
        ensure!(self.runs % 2 == 1 && self.applies % 2 == 1, "only an odd number of runs has one in the middle");
        self.releases.iter().copied().min().context("there is nothing to measure")
    }
}

pub(crate) fn go(args: &Args) -> Result<ExitCode> {
    let least = args.least()?;
    let workspace = Workspace::locate()?;
    tell::headline("The testbed");
    // What was applied for the plans is for the next run too: the cluster stays.
    let in_use = workspace.testbed.in_use()?;
    in_use.leave_running()?;
    workspace.testbed.up(&[Part::Helm4, Part::Cluster], &ToStderr)?;
    tell::headline("The provider, as it is released");
    let provider = build::provider(&workspace)?;
    let folder = workspace.cache.join("bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("folder {}", folder.display()))?;
    let terraform = Terraform::with_mirror(&folder, &provider)?;
    let stack = Stack::new(&workspace, terraform, &provider, &folder)?;
    let mut report = Report { about: about(&stack, &provider)?, ..Report::default() };

    if args.wants(What::Start) {
        tell::headline("Start to schema");
        report.start = Some(start::measure(&provider, args.runs.max(11))?);
    }
    if args.wants(What::Plan) {
        for (size, revisions) in plans_of(args, least) {
            tell::headline(format!("Plans of {size} releases, revisions: {revisions}"));
            report.rows.extend(plans::measure(&stack, size, revisions, args)?);
        }
    }
    if args.wants(What::Apply) {
        tell::headline(format!("Applies of {least} releases"));
        report.rows.extend(applies::measure(&stack, least, args)?);
    }
    report.about.push(("load at the end", load()));

    tell::headline("Measured: medians");
    tell::line(report.markdown().trim_end());
    if let Some(path) = &args.json {
        std::fs::write(path, format!("{:#}\n", report.json()))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Each number of releases, and the least of them with each history.
fn plans_of(args: &Args, least: usize) -> Vec<(usize, usize)> {
    let mut sizes = args.releases.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let mut revisions = args.revisions.clone();
    revisions.sort_unstable();
    revisions.dedup();
    let young = revisions.first().copied().unwrap_or(1);
    let old = revisions.into_iter().skip(1).map(|revisions| (least, revisions));
    sizes.into_iter().map(|size| (size, if size == least { young } else { 1 })).chain(old).collect()
}

/// What the figures belong to.
fn about(stack: &Stack<'_>, provider: &Path) -> Result<Vec<(&'static str, String)>> {
    let (_, version) = terraform::find()?;
    let size = std::fs::metadata(provider).with_context(|| format!("there is no {}", provider.display()))?.len();
    let processors = std::thread::available_parallelism().map(std::num::NonZero::get).unwrap_or_default();
    let helm_provider = match &stack.helm_provider {
        None => format!("not measured: {} names no binary", helm_provider::VARIABLE),
        Some(peer) => {
            let version = peer.version.as_ref().map_or_else(|| "of unknown version".to_owned(), ToString::to_string);
            format!("{version}, {}", peer.program.display())
        }
    };
    Ok(vec![
        ("processors", processors.to_string()),
        ("terraform", version.to_string()),
        ("provider", format!("{}, {}", provider.display(), build::megabytes(size))),
        ("Helm provider", helm_provider),
        ("a release", "a ConfigMap, a Service, a Deployment without replicas, applied by terraform".to_owned()),
        (
            "revisions",
            "the newest is applied by terraform; older ones are copies of one record that Helm has made, with other names \
             and numbers"
                .to_owned(),
        ),
        ("CPU", "user and system time of all processes; the cluster's own is not in it".to_owned()),
        ("load at the start", load()),
    ])
}

/// How many wanted to run in the last one, five and fifteen minutes.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let words: Vec<&str> = text.split(' ').take(3).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        Cli::try_parse_from([&["bench"], words].concat()).unwrap().args
    }

    #[test]
    fn everything_is_measured_unless_something_is_chosen() {
        let all = args(&[]);
        assert!([What::Start, What::Plan, What::Apply].into_iter().all(|what| all.wants(what)));
        assert_eq!(plans_of(&all, all.least().unwrap()), [(100, 1), (1000, 1), (100, 10)]);
        let quick = args(&["plan", "--releases", "20", "--revisions", "1"]);
        assert!(quick.wants(What::Plan) && !quick.wants(What::Apply) && !quick.wants(What::Start));
        assert_eq!(plans_of(&quick, quick.least().unwrap()), [(20, 1)]);
    }

    #[test]
    fn what_has_no_median_is_refused() {
        for words in [["--runs", "4"], ["--applies", "0"], ["--releases", "0"], ["--revisions", "0"]] {
            assert!(args(&words).least().is_err(), "{words:?}");
        }
    }
}
