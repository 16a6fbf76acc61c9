//! What ran, how it ended and how long it took.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::counts::Counts;
use crate::tell;

/// How a step ended.
#[derive(Debug)]
enum End {
    Done,
    Failed(String),
    LeftOut(String),
}

#[derive(Debug)]
struct Step {
    name: String,
    end: End,
    counts: Counts,
    took: Duration,
}

/// The steps so far.
#[derive(Debug)]
pub(super) struct Report {
    began: Instant,
    steps: Vec<Step>,
    cases: Vec<(String, String)>,
}

impl Report {
    pub(super) fn new() -> Report {
        Report { began: Instant::now(), steps: Vec::new(), cases: Vec::new() }
    }

    /// Does a step under a headline. An error counts as one failed test if the step counted none.
    /// Says whether the step succeeded.
    pub(super) fn step(&mut self, name: &str, work: impl FnOnce(&mut Counts) -> Result<()>) -> bool {
        tell::headline(format!("{name}   ({} so far)", tell::time(self.began.elapsed())));
        let started = Instant::now();
        let mut counts = Counts::default();
        let end = match work(&mut counts) {
            Ok(()) if counts.failed == 0 => End::Done,
            Ok(()) => End::Failed(format!("{} failed", counts.failed)),
            Err(error) => {
                tell::problem(&error);
                counts.failed = counts.failed.max(1);
                End::Failed(error.to_string().lines().next().unwrap_or_default().to_owned())
            }
        };
        let done = matches!(end, End::Done);
        self.steps.push(Step { name: name.to_owned(), end, counts, took: started.elapsed() });
        done
    }

    /// Notes a step that could not be done. Nothing may be left out: it counts as one failed test.
    pub(super) fn left_out(&mut self, name: &str, why: &str) {
        tell::headline(format!("{name}: left out, {why}"));
        let end = End::LeftOut(why.to_owned());
        let counts = Counts { failed: 1, ..Counts::default() };
        self.steps.push(Step { name: name.to_owned(), end, counts, took: Duration::ZERO });
    }

    /// Names of acceptance cases, and how each ended.
    pub(super) fn add_cases(&mut self, cases: Vec<(String, String)>) {
        self.cases.extend(cases);
    }

    /// The counts over all steps.
    pub(super) fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for step in &self.steps {
            all += step.counts;
        }
        all
    }

    /// Everything, ending with the line of the counts.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let ran: Vec<_> = self.cases.iter().filter(|(_, outcome)| outcome != "ignored").collect();
        if !self.cases.is_empty() {
            text.push_str(&format!("acceptance cases that ran: {}\n", ran.len()));
            for (name, outcome) in &ran {
                text.push_str(&format!("  {outcome:<7} {name}\n"));
            }
            let rest: Vec<_> = self.cases.iter().filter(|(_, outcome)| outcome == "ignored").collect();
            if !rest.is_empty() {
                text.push_str(&format!("left to `cargo xtask test --full`, for their time: {}\n", rest.len()));
                for (name, _) in rest {
                    text.push_str(&format!("          {name}\n"));
                }
            }
            text.push('\n');
        }
        for Step { name, end, counts, took } in &self.steps {
            let verdict = match end {
                End::Done => "ok".to_owned(),
                End::Failed(why) => format!("FAILED: {why}"),
                End::LeftOut(why) => format!("LEFT OUT: {why}"),
            };
            let tests = match counts {
                Counts { passed: 0, ignored: 0, failed: 0 | 1 } => String::new(),
                Counts { passed, failed, ignored } => {
                    format!("  ({passed} passed, {failed} failed, {ignored} ignored)")
                }
            };
            text.push_str(&format!("{:>13}  {name}: {verdict}{tests}\n", tell::time(*took)));
        }
        let all = self.counts();
        text.push_str(&format!("{:>13}  in all\n\n", tell::time(self.began.elapsed())));
        text.push_str(&format!("{} passed, {} failed", all.passed, all.failed));
        text
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn the_last_line_counts_all_steps_and_a_step_that_fails_otherwise() {
        let mut report = Report::new();
        assert!(report.step("unit tests", |counts| {
            *counts += Counts { passed: 5, failed: 0, ignored: 1 };
            Ok(())
        }));
        assert!(!report.step("format", |_| bail!("cargo fmt --check failed")));
        assert!(!report.step("acceptance", |counts| {
            *counts += Counts { passed: 1, failed: 2, ignored: 0 };
            bail!("exit code 101")
        }));
        assert_eq!(report.text().lines().last(), Some("6 passed, 3 failed"));
    }

    #[test]
    fn what_is_left_out_is_no_success() {
        let mut report = Report::new();
        report.left_out("acceptance", "there is no cluster");
        assert_eq!(report.counts().failed, 1);
        assert!(report.text().contains("acceptance: LEFT OUT: there is no cluster\n"), "{}", report.text());
    }

    #[test]
    fn cases_that_ran_are_named_and_so_are_the_others() {
        let mut report = Report::new();
        report.add_cases(vec![("a::b".to_owned(), "ok".to_owned()), ("c::d".to_owned(), "ignored".to_owned())]);
        let text = report.text();
        assert!(text.contains("cases that ran: 1\n  ok      a::b\n"), "{text}");
        assert!(text.contains("--full`, for their time: 1\n          c::d\n"), "{text}");
    }
}
