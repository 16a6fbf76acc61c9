//! Tests by cargo-nextest, which ends those that hang and names them (`.config/nextest.toml`).

use std::process::Command;

use anyhow::{Result, bail, ensure};

use super::counts::Counts;
use crate::process;

/// Runs the tests and adds up their counts; the names of those that were ignored.
pub(super) fn run(command: &mut Command, all: &mut Counts) -> Result<Vec<String>> {
    let mut ignored = Vec::new();
    let mut counted = None;
    let succeeded = process::watch_both(command, |line| {
        ignored.extend(skipped(line).map(str::to_owned));
        counted = counts(line).or(counted);
    })?;
    match counted {
        Some(counts) => *all += counts,
        None => bail!("the tests were not run: see above"),
    }
    ensure!(succeeded || all.failed > 0, "cargo nextest failed before a test did: see above");
    ensure!(all.passed + all.failed > 0, "no test ran");
    Ok(ignored)
}

/// The name in a line of a test that was not run: `SKIP [         ] (5/9) crate::program name`.
fn skipped(line: &str) -> Option<&str> {
    line.trim().strip_prefix("SKIP [")?.rsplit(' ').next()
}

/// The counts of the line that closes a run:
/// `Summary [   9.1s] 12 tests run: 9 passed (1 slow), 1 failed, 1 timed out, 1 exec failed, 3 skipped`.
fn counts(line: &str) -> Option<Counts> {
    let (head, numbers) = line.trim().strip_prefix("Summary [")?.split_once(" run: ")?;
    if !head.contains("test") {
        return None;
    }
    let mut counts = Counts::default();
    // What stands in parentheses is counted outside of them too.
    let mut depth = 0_u32;
    let plain: String = numbers
        .chars()
        .filter(|letter| {
            depth = depth + u32::from(*letter == '(') - u32::from(*letter == ')' && depth > 0);
            depth == 0 && *letter != ')'
        })
        .collect();
    for part in plain.split(',') {
        let (number, what) = part.trim().split_once(' ')?;
        let number: u64 = number.parse().ok()?;
        match what.trim() {
            "passed" => counts.passed += number,
            "skipped" => counts.ignored += number,
            _ => counts.failed += number,
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_is_read() {
        let expected = |passed, failed, ignored| Some(Counts { passed, failed, ignored });
        assert_eq!(counts("     Summary [   0.015s] 5 tests run: 5 passed, 0 skipped"), expected(5, 0, 0));
        let line = "Summary [   9.1s] 12 tests run: 9 passed (1 slow, 2 leaky), 1 failed, 1 timed out, 1 exec failed, 3 skipped";
        assert_eq!(counts(line), expected(9, 3, 3));
        assert_eq!(counts("Summary [ 600.0s] 1 test run: 0 passed, 1 timed out, 0 skipped"), expected(0, 1, 0));
        assert_eq!(counts("running 5 tests"), None);
    }

    #[test]
    fn what_was_ignored_is_named() {
        assert_eq!(
            skipped("        SKIP [         ] ( 5/99) ffe-helm::real_helm helm3::cluster::life"),
            Some("helm3::cluster::life")
        );
        assert_eq!(skipped("        PASS [   0.004s] ( 6/99) ffe-helm::real_helm helm3::cluster::life"), None);
    }
}
