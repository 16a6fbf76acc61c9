//! Against the real thing. Trials of a major run when `FFE_HELM3` or `FFE_HELM4` names its binary; those that need a
//! cluster when `FFE_TEST_KUBECONFIG` names a kubeconfig too; those that need a chart registry when `FFE_TEST_REGISTRY`
//! names the testbed's registry binary. What cannot run is listed as ignored, and fails where FFE_REQUIRE says that it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;
mod corpus;
mod launcher;
mod remote;
mod rendering;
mod support;

use std::path::PathBuf;
use std::process::ExitCode;

use ffe_surroundings::Needs;
use libtest_mimic::{Arguments, Failed, Trial};

/// The binary of one major, by the variable that names it.
#[derive(Clone)]
pub(crate) struct Helm {
    variable: &'static str,
    needs: Needs,
}

impl Helm {
    fn of(variable: &'static str) -> Helm {
        Helm { variable, needs: Needs::variables(&[variable]) }
    }

    fn path(&self) -> PathBuf {
        self.needs.get(self.variable).into()
    }

    /// A trial that needs the binary.
    fn trial(&self, name: String, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
        self.needs.trial(name, run)
    }

    /// What a trial needs that needs the binary and something else.
    fn and(&self, variable: &'static str) -> Needs {
        Needs::variables(&[self.variable, variable])
    }
}

fn main() -> ExitCode {
    // This binary is its own launcher, as the provider's is.
    let mut args = std::env::args_os().skip(1);
    match args.next().as_ref().and_then(|arg| arg.to_str()) {
        Some(ffe_helm::launcher::ARGUMENT) => return ffe_helm::launcher::run_launcher(args),
        Some(launcher::PARENT) => return launcher::parent(args.collect()),
        _ => {}
    }
    let mut trials = launcher::trials();
    for (major, variable) in [("helm3", "FFE_HELM3"), ("helm4", "FFE_HELM4")] {
        let helm = Helm::of(variable);
        corpus::trials(major, &helm, &mut trials);
        rendering::trials(major, &helm, &mut trials);
        remote::trials(major, &helm, &mut trials);
        cluster::trials(major, &helm, &mut trials);
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
