//! `cargo xtask bench`: what a plan without changes costs, against the least that Terraform itself needs. Ratios within
//! one run; nothing is asserted, because another machine has other numbers.

mod applies;
mod plans;
mod revisions;
mod stack;
mod start;
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use ffe_testbed::{Part, ToStderr};
use stack::Stack;

use crate::tell;
use crate::terraform::Terraform;
use crate::workspace::Workspace;

/// Measure: plans without changes of many releases against as many `terraform_data`, and of releases with a history
/// against those without; the first apply of many releases against Helm's command line; start to schema, memory.
///
/// The releases are made once in the testbed and stay there for the next run, until the testbed stops.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many releases.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 400])]
    sizes: Vec<usize>,
    /// How often each plan is timed; the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// How many releases have a history, and are applied against Helm's command line. Nought leaves both out.
    #[arg(long, default_value_t = 50)]
    applied: usize,
    /// How many revisions the releases with a history have each.
    #[arg(long, default_value_t = 10)]
    revisions: usize,
}

const AIM_RATIO: f64 = 2.0;
const AIM_SCHEMA: Duration = Duration::from_millis(30);
/// Kilobytes, as the kernel counts.
const AIM_START: u64 = 15 * 1024;
const AIM_PLAN: u64 = 25 * 1024;

pub(crate) fn go(args: &Args) -> Result<ExitCode> {
    ensure!(args.runs > 0 && !args.sizes.is_empty() && !args.sizes.contains(&0), "there is nothing to measure");
    let workspace = Workspace::locate()?;
    tell::headline("The testbed");
    workspace.testbed.up(&[Part::Helm4, Part::Cluster], &ToStderr)?;
    tell::headline("The provider, as it is released");
    let provider = workspace.build_provider()?;
    let folder = workspace.cache.join("bench");
    std::fs::create_dir_all(&folder)?;
    let terraform = Terraform::with_mirror(&folder, &provider)?;

    tell::headline("Start to schema");
    let starts = start::measure(terraform.plugin(), args.runs.max(10))?;
    let mut table = Table::default();
    table.row("start to schema", &milliseconds(starts.schema), &format!("at most {}", milliseconds(AIM_SCHEMA)));
    table.row("resident after the schema", &megabytes(starts.resident), &format!("at most {}", megabytes(AIM_START)));

    let stack = Stack::new(&workspace, &terraform, &folder)?;
    for &size in &args.sizes {
        tell::headline(format!("{size} releases"));
        let plans::Timed { releases, floor, usage } = plans::measure(&stack, size, args.runs)?;
        let ratio = releases.as_secs_f64() / floor.as_secs_f64();
        let what = format!("plan of {size} releases");
        let measured = format!("{} against {}: {ratio:.2} times", seconds(releases), seconds(floor));
        table.row(&what, &measured, &format!("at most {AIM_RATIO} times"));
        table.row(
            &format!("  of it the provider's own, {size}"),
            &format!("{} on a processor", seconds(usage.processor)),
            "",
        );
        // The aim is for a hundred; more releases may need more.
        let aim = if size <= 100 { format!("at most {}", megabytes(AIM_PLAN)) } else { String::new() };
        table.row(&format!("  peak memory, {size}"), &megabytes(usage.peak), &aim);
    }
    if args.applied > 0 {
        with_history(&stack, args, &mut table)?;
        applied(&stack, args, &mut table)?;
    }
    tell::headline("Measured (medians), and what is aimed at");
    tell::line(table.text());
    Ok(ExitCode::SUCCESS)
}

fn with_history(stack: &Stack<'_>, args: &Args, table: &mut Table) -> Result<()> {
    let (size, revisions) = (args.applied, args.revisions);
    tell::headline(format!("{size} releases of {revisions} revisions"));
    let revisions::Timed { with_history, without } = revisions::measure(stack, size, revisions, args.runs)?;
    let ratio = with_history.as_secs_f64() / without.as_secs_f64();
    table.row(
        &format!("plan of {size} releases with {revisions} revisions each, against one"),
        &format!("{} against {}: {ratio:.2} times", seconds(with_history), seconds(without)),
        "the same",
    );
    Ok(())
}

fn applied(stack: &Stack<'_>, args: &Args, table: &mut Table) -> Result<()> {
    let size = args.applied;
    tell::headline(format!("The first apply of {size} releases"));
    let applies::Timed { terraform, helm_parallel, helm } = applies::measure(stack, size)?;
    for (how, time) in [("ten at a time", helm_parallel), ("one after the other", helm)] {
        let ratio = terraform.as_secs_f64() / time.as_secs_f64();
        table.row(
            &format!("apply of {size} releases, against helm {how}"),
            &format!("{} against {}: {ratio:.2} times", seconds(terraform), seconds(time)),
            "",
        );
    }
    Ok(())
}

/// The middle one.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn megabytes(kilobytes: u64) -> String {
    format!("{}.{} MB", kilobytes / 1024, kilobytes % 1024 * 10 / 1024)
}

#[derive(Debug, Default)]
struct Table(Vec<[String; 3]>);

impl Table {
    fn row(&mut self, what: &str, measured: &str, aim: &str) {
        self.0.push([what.to_owned(), measured.to_owned(), aim.to_owned()]);
    }

    fn text(&self) -> String {
        let width = |column: usize| self.0.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        let lines: Vec<String> = self
            .0
            .iter()
            .map(|[what, measured, aim]| format!("{what:first$}   {measured:second$}   {aim}").trim_end().to_owned())
            .collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_run_does_not_count() {
        assert_eq!(median([9, 1, 2].map(Duration::from_secs).to_vec()), Duration::from_secs(2));
    }

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::default();
        table.row("a", "1 ms", "at most 2 ms");
        table.row("long name", &megabytes(1536), "");
        assert_eq!(table.text(), "a           1 ms     at most 2 ms\nlong name   1.5 MB");
    }
}
