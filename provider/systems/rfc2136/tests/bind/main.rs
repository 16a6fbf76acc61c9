//! The client at a real name server, BIND. Where it is not installed the trials are ignored, and fail where FFE_REQUIRE says that
//! they run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bind;
mod cases;
mod proxy;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use ffe_surroundings::Needs;
use libtest_mimic::Arguments;

use crate::bind::Bind;

fn main() -> ExitCode {
    let there = |path: &str| if Path::new(path).exists() { Ok(()) } else { Err(format!("{path} is not installed")) };
    let programs = [bind::NAMED, bind::DIG, bind::NSUPDATE];
    let needs = programs.iter().fold(Needs::variables(&[]), |needs, path| needs.and(path, there(path)));
    let shared: Arc<OnceLock<Arc<Bind>>> = Arc::default();
    let trials = cases::ALL.iter().map(|(name, case)| {
        let shared = Arc::clone(&shared);
        needs.trial(*name, move || {
            tokio::runtime::Runtime::new()?.block_on(case(shared.get_or_init(|| Arc::new(Bind::start()))));
            Ok(())
        })
    });
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials.collect());
    if let Some(bind) = shared.get() {
        bind.stop();
    }
    conclusion.exit_code()
}
