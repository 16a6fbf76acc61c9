//! `cargo xtask testbed`: the real cluster of one node that the demo and the acceptance tests run on.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use ffe_testbed::{Part, Testbed, ToStderr};

use crate::tell;

/// The cluster of this machine, built from package registries. Never touches your own kubeconfig.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Action {
    /// Build what is missing, start what does not run. May be repeated at any time.
    Up {
        /// Also a DNS server, an ACME server, cert-manager and an ingress controller on ports 80 and 443.
        #[arg(long)]
        tls: bool,
    },
    /// Stop everything that `up` started. What was built stays.
    Down,
    /// What runs, in which versions. Fails when the cluster is not ready.
    Status,
    /// Print the path of the cluster's kubeconfig.
    Kubeconfig,
}

/// What the demo needs, and whoever wants to try the provider by hand.
pub(crate) const USUAL: [Part; 3] = [Part::Helm4, Part::Cluster, Part::Images];

pub(crate) fn go(args: &Args) -> Result<ExitCode> {
    let testbed = Testbed::locate()?;
    match args.action {
        Action::Up { tls } => {
            // Started by hand, it runs on also when a test that found it down comes to its end.
            let in_use = testbed.in_use()?;
            in_use.leave_running()?;
            let more: &[Part] = if tls { &Part::TLS } else { &[] };
            testbed.up(&[&USUAL[..], more].concat(), &ToStderr)?;
            tell::note(format!(
                "\nThe cluster is up. To look at it:\n  export KUBECONFIG={}",
                testbed.kubeconfig().display()
            ));
            tell::note(format!("  export PATH={}:$PATH   # kubectl, helm4", testbed.folder().join("bin").display()));
            if let Some(exempt) = testbed.no_proxy() {
                tell::note(format!("  export NO_PROXY={exempt}   # your proxy does not know the node"));
            }
            if tls {
                tell::note(format!("Names below {} lead to {}.", testbed.dns().zone, testbed.dns().server.ip()));
                for (name, value) in testbed.tls_environment() {
                    tell::note(format!("  export {name}={value}"));
                }
            }
        }
        Action::Down => testbed.down(&ToStderr)?,
        Action::Status => {
            let status = testbed.status();
            tell::line(&status);
            if !status.is_up() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Action::Kubeconfig => tell::line(testbed.kubeconfig().display()),
    }
    Ok(ExitCode::SUCCESS)
}
