//! How many tests passed, from what test runners print.

use std::ops::AddAssign;

/// Tests by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Counts) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.ignored += more.ignored;
    }
}

impl Counts {
    /// The counts in a line of `cargo test`, which closes each of its programs with one:
    /// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s`.
    pub(super) fn of_cargo(line: &str) -> Option<Counts> {
        let (_, numbers) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let count =
            |what: &str| numbers.split(';').find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<u64>().ok());
        Some(Counts { passed: count("passed")?, failed: count("failed")?, ignored: count("ignored").unwrap_or(0) })
    }

    /// The counts of Python's unittest, which closes with `Ran 7 tests in 0.1s` and `OK (skipped=1)` or
    /// `FAILED (failures=1, errors=2)`.
    pub(super) fn of_unittest(output: &str) -> Option<Counts> {
        let mut lines = output.lines().rev().map(str::trim);
        let verdict = lines.find(|line| line.starts_with("OK") || line.starts_with("FAILED"))?;
        let all: u64 = lines.find_map(|line| line.strip_prefix("Ran ")?.split(' ').next()?.parse().ok())?;
        let named = |name: &str| -> u64 {
            let (_, list) = verdict.split_once('(').unwrap_or_default();
            let list = list.trim_end_matches(')').split(',');
            list.filter_map(|part| part.trim().strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok()).sum()
        };
        let failed = named("failures") + named("errors") + named("unexpected successes");
        let ignored = named("skipped");
        Some(Counts { passed: all.saturating_sub(failed + ignored), failed, ignored })
    }
}

/// Name and outcome in a line of one test: `test lifecycle::x ... ok`.
pub(super) fn one_test(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("test ")?.split_once(" ... ").map(|(name, outcome)| (name.trim(), outcome.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, ignored: u64) -> Option<Counts> {
        Some(Counts { passed, failed, ignored })
    }

    #[test]
    fn the_closing_line_of_cargo_test_is_read() {
        let line = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.02s";
        assert_eq!(Counts::of_cargo(line), counts(5, 0, 1));
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 9.10s";
        assert_eq!(Counts::of_cargo(line), counts(12, 3, 0));
        assert_eq!(Counts::of_cargo("test results: none. 5 passed; 0 failed"), None);
        assert_eq!(Counts::of_cargo("running 5 tests"), None);
    }

    #[test]
    fn the_close_of_unittest_is_read() {
        assert_eq!(Counts::of_unittest("...\n\nRan 7 tests in 0.1s\n\nOK\n"), counts(7, 0, 0));
        assert_eq!(Counts::of_unittest("Ran 7 tests in 0.1s\n\nOK (skipped=2)\n"), counts(5, 0, 2));
        assert_eq!(
            Counts::of_unittest("Ran 7 tests in 1s\n\nFAILED (failures=1, errors=2, skipped=1)"),
            counts(3, 3, 1)
        );
        assert_eq!(Counts::of_unittest("ModuleNotFoundError: No module named 'fastapi'"), None);
    }

    #[test]
    fn a_test_has_a_name_and_an_outcome() {
        assert_eq!(one_test("test lifecycle::first ... ok"), Some(("lifecycle::first", "ok")));
        assert_eq!(one_test("test result: ok. 5 passed; 0 failed"), None);
    }
}
