//! The real terraform driving the real provider against a real cluster.
//!
//! Each case is a function in [`cases`] that gets a [`Stage`]: a folder with a configuration, a namespace name of its
//! own, and the tools. Cases run in parallel; what one leaves in the cluster is removed after it, also when it fails
//! (`FFE_KEEP=1` keeps it).
//!
//! `cargo xtask test` sets the environment: `FFE_PROVIDER` (the binary), `FFE_KUBECONFIG`, `FFE_KUBECTL`, `FFE_HELM3`,
//! `FFE_HELM4`, and `FFE_REQUIRE=1`, with which a missing one is a failure. `FFE_FULL=1` runs every case, otherwise the subset that
//! keeps one of every point. A case has 15 minutes (`FFE_CASE_TIMEOUT`, in seconds); one that takes longer is ended, and told with
//! what it did.

pub mod cases;
mod charts;
mod command;
mod gate;
mod guide;
mod kube;
mod limit;
mod processes;
mod proxy;
mod server;
mod stage;
mod surroundings;
mod tls;
mod turn;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};

pub use command::{Output, program, run};
pub use kube::Kube;
pub use proxy::Proxy;
pub use server::serve;
pub use stage::Stage;
pub use surroundings::{Surroundings, Tls};

/// When a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In every run: the subset that keeps a case of every point.
    Always,
    /// Only with `--full`.
    Full,
}

/// One acceptance case.
pub struct Case {
    /// `group::name`.
    pub name: &'static str,
    /// When it runs.
    pub when: When,
    /// What it does; an error fails it.
    pub run: fn(&mut Stage) -> Result<()>,
}

/// Runs the cases that the arguments and `FFE_FULL` select; closes with the counts of `cargo test`.
///
/// Without surroundings every case is ignored; where `FFE_REQUIRE` says that they run, that is a failure.
pub fn main() -> ExitCode {
    match prepare() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}\nRun the acceptance cases with: cargo xtask test");
            ExitCode::FAILURE
        }
    }
}

fn prepare() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    // The cases mostly wait for the cluster: more of them at once than there are cores.
    arguments.test_threads.get_or_insert(4);
    let full = std::env::var_os("FFE_FULL").is_some();
    // Several filters, joined by commas: each selects the cases whose names hold it.
    let filters: Vec<String> =
        arguments.filter.take().map(|all| all.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let selected = |case: &Case| filters.is_empty() || filters.iter().any(|filter| case.name.contains(filter.as_str()));
    let mut folder = tempfile::Builder::new().prefix("ffe-cases-").tempdir()?;
    folder.disable_cleanup(is_kept());
    let surroundings = match Surroundings::from_environment(folder.path()) {
        Ok(surroundings) => Arc::new(surroundings),
        Err(missing) if arguments.list || !ffe_surroundings::is_required() => {
            eprintln!("{missing:#}\nRun the acceptance cases with: cargo xtask test");
            // `cargo test --workspace` without a cluster: nothing to run is said, not hidden.
            let missing = format!("{missing:#}");
            let ignored = |case: Case| {
                let missing = missing.clone();
                Trial::test(case.name, || Err(Failed::from(missing))).with_ignored_flag(true)
            };
            let trials = cases::all().into_iter().filter(selected).map(ignored).collect();
            return Ok(libtest_mimic::run(&arguments, trials).exit_code());
        }
        Err(missing) => return Err(missing),
    };
    let limit = limit::limit()?;
    let trials = cases::all()
        .into_iter()
        .filter(selected)
        .map(|case| {
            let surroundings = Arc::clone(&surroundings);
            let left_out = case.when == When::Full && !full;
            Trial::test(case.name, move || play(case, surroundings, limit)).with_ignored_flag(left_out)
        })
        .collect();
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// Whether what the cases make is kept, for somebody who wants to look at it.
fn is_kept() -> bool {
    std::env::var_os("FFE_KEEP").is_some()
}

fn play(case: Case, surroundings: Arc<Surroundings>, limit: Duration) -> Result<(), Failed> {
    limit::within(limit, case.name, move || on_stage(&case, surroundings)).map_err(Failed::from)
}

fn on_stage(case: &Case, surroundings: Arc<Surroundings>) -> Result<(), String> {
    let mut stage = Stage::new(case.name, surroundings).map_err(|error| format!("{error:#}"))?;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)(&mut stage)));
    let failure = match result {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(panic) => Some(format!("panicked: {}", said(panic.as_ref()))),
    };
    let report = failure.map(|text| format!("{text}\n\n{}", limit::story()));
    limit::leave();
    stage.clean_up(is_kept());
    report.map_or(Ok(()), Err)
}

/// What a panic says.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}
