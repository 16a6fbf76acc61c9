//! The real terraform driving the real provider against a real cluster.
//!
//! Each case is a function in [`cases`] that gets a [`Stage`]: a folder with a configuration, a namespace name of its
//! own, and the tools. Cases run in parallel; what one leaves in the cluster is removed after it, also when it fails
//! (`FFE_KEEP=1` keeps it).
//!
//! `cargo xtask test` sets the environment: `FFE_PROVIDER` (the binary), `FFE_KUBECONFIG`, `FFE_KUBECTL`, `FFE_HELM3`,
//! `FFE_HELM4`. `FFE_FULL=1` runs every case, otherwise the subset that keeps one of every point.

pub mod cases;
mod charts;
mod command;
mod gate;
mod guide;
mod kube;
mod processes;
mod proxy;
mod server;
mod stage;
mod surroundings;
mod tls;
mod turn;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

pub use command::{Output, run};
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
    pub run: fn(&mut Stage) -> anyhow::Result<()>,
}

/// Runs the cases that the arguments and `FFE_FULL` select; closes with the counts of `cargo test`.
pub fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // The cases mostly wait for the cluster: more of them at once than there are cores.
    arguments.test_threads.get_or_insert(4);
    let full = std::env::var_os("FFE_FULL").is_some();
    // Several filters, joined by commas: each selects the cases whose names hold it.
    let filters: Vec<String> =
        arguments.filter.take().map(|all| all.split(',').map(str::to_owned).collect()).unwrap_or_default();
    let selected = |case: &Case| filters.is_empty() || filters.iter().any(|filter| case.name.contains(filter.as_str()));
    let surroundings = match Surroundings::from_environment() {
        Ok(surroundings) => Arc::new(surroundings),
        Err(missing) => {
            eprintln!("{missing:#}\nRun the acceptance cases with: cargo xtask test");
            // `cargo test --workspace` without a cluster: nothing to run is said, not hidden.
            let trials = cases::all()
                .into_iter()
                .map(|case| Trial::test(case.name, || Ok(())).with_ignored_flag(true))
                .collect();
            return libtest_mimic::run(&arguments, trials).exit_code();
        }
    };
    let trials = cases::all()
        .into_iter()
        .filter(selected)
        .map(|case| {
            let surroundings = Arc::clone(&surroundings);
            let left_out = case.when == When::Full && !full;
            Trial::test(case.name, move || play(&case, surroundings)).with_ignored_flag(left_out)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn play(case: &Case, surroundings: Arc<Surroundings>) -> Result<(), Failed> {
    let mut stage = Stage::new(case.name, surroundings).map_err(|error| Failed::from(format!("{error:#}")))?;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| (case.run)(&mut stage)));
    let failure = match result {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(format!("{error:#}")),
        Err(panic) => Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "panicked".to_owned())),
    };
    let report = failure.map(|text| format!("{text}\n\n{}", stage.story()));
    stage.clean_up();
    report.map_or(Ok(()), |text| Err(Failed::from(text)))
}
