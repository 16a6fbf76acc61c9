//! An endpoint as a list of steps.
//!
//! The lists are the order. What serves goes on serving until what takes its place was seen to work; only the last step takes
//! something away. Each step leaves alone what is as it shall be already, so that a run that died anywhere is
//! finished by the next one.

pub(crate) mod accepted;
pub(crate) mod address;
pub(crate) mod alert;
pub(crate) mod certificate;
pub(crate) mod dns;
pub(crate) mod issued;
pub(crate) mod issuer;
pub(crate) mod lock;
pub(crate) mod look;
pub(crate) mod record;
pub(crate) mod resolved;
pub(crate) mod route;
pub(crate) mod serve;
pub(crate) mod verify;

use ffe_session::lock::Lock;
use tfplugin::{Diagnostic, Diagnostics};

use crate::run::{Run, Stop};

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Nobody else is at work on the endpoint.
    Lock,
    /// Everything is there that it needs, and nothing stands in its way that is not ours.
    Look,
    /// The ingress or the routes, beside those that serve already, and with the certificate that is served already.
    Route,
    /// The controller's address for it.
    Address,
    /// The DNS records point to it.
    Dns,
    /// The issuer is ready.
    Issuer,
    /// The certificate is asked for.
    Certificate,
    /// It is there.
    Issued,
    /// The routes refer to it.
    Serve,
    /// The controller serves the routes with it.
    Accepted,
    /// The hosts lead to the address.
    Resolved,
    /// HTTPS works as a client sees it.
    Verify,
    /// The alert on the certificate's end.
    Alert,
    /// What was superseded is gone, and the record says that all is done.
    Record,
}

/// How every way begins. What the cluster has decides how it goes on.
const BEGINNING: [Step; 2] = [Step::Lock, Step::Look];

/// The way where the authority looks for the endpoint at its hosts (HTTP-01): they lead here before there is a certificate.
const HOSTS_FIRST: [Step; 12] = [
    Step::Route,
    Step::Address,
    Step::Dns,
    Step::Issuer,
    Step::Certificate,
    Step::Issued,
    Step::Serve,
    Step::Accepted,
    Step::Resolved,
    Step::Verify,
    Step::Alert,
    Step::Record,
];

/// Every other way: nobody is led here before the certificate is there.
const CERTIFICATE_FIRST: [Step; 12] = [
    Step::Route,
    Step::Address,
    Step::Issuer,
    Step::Certificate,
    Step::Issued,
    Step::Serve,
    Step::Accepted,
    Step::Dns,
    Step::Resolved,
    Step::Verify,
    Step::Alert,
    Step::Record,
];

impl Step {
    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::Lock => "lock",
            Step::Look => "look",
            Step::Route => "route",
            Step::Address => "address",
            Step::Dns => "dns",
            Step::Issuer => "issuer",
            Step::Certificate => "certificate",
            Step::Issued => "issued",
            Step::Serve => "serve",
            Step::Accepted => "accepted",
            Step::Resolved => "resolved",
            Step::Verify => "verify",
            Step::Alert => "alert",
            Step::Record => "record",
        }
    }

    async fn go(self, run: &mut Run<'_>) -> Result<(), Stop> {
        match self {
            Step::Lock => lock::go(run).await,
            Step::Look => look::go(run).await,
            Step::Route => route::go(run).await,
            Step::Address => address::go(run).await,
            Step::Dns => dns::go(run).await,
            Step::Issuer => issuer::go(run).await,
            Step::Certificate => certificate::go(run).await,
            Step::Issued => issued::go(run).await,
            Step::Serve => serve::go(run).await,
            Step::Accepted => accepted::go(run).await,
            Step::Resolved => resolved::go(run).await,
            Step::Verify => verify::go(run).await,
            Step::Alert => alert::go(run).await,
            Step::Record => record::go(run).await,
        }
    }
}

/// Goes through the steps; what was done is in the run.
///
/// # Errors
/// What went wrong, in the step that the run names as failed.
pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Diagnostics> {
    let ended = forward(run).await;
    let warning = lock::let_go(run).await;
    run.done.warnings.extend(warning);
    ended
}

async fn forward(run: &mut Run<'_>) -> Result<(), Diagnostics> {
    for step in BEGINNING {
        take(run, step).await?;
    }
    let way = if run.hosts_first { HOSTS_FIRST } else { CERTIFICATE_FIRST };
    for step in way {
        take(run, step).await?;
    }
    Ok(())
}

async fn take(run: &mut Run<'_>, step: Step) -> Result<(), Diagnostics> {
    let endpoint = run.spec.names.import_id();
    tracing::info!(%endpoint, run = %run.run_id, "step {} begins", step.name());
    let gone = if run.cancel.is_cancelled() { Err(Stop::Cancelled) } else { step.go(run).await };
    match gone {
        Ok(()) => {
            tracing::info!(%endpoint, "step {} is done", step.name());
            run.done.steps.push(step);
            Ok(())
        }
        Err(stop) => {
            run.done.failed = Some(step);
            let lost = run.lock.as_ref().and_then(Lock::loss);
            Err(explain(stop, step, &endpoint, lost))
        }
    }
}

fn explain(stop: Stop, step: Step, endpoint: &str, lost: Option<String>) -> Diagnostics {
    match (stop, lost) {
        (Stop::Failed(diagnostics), _) => diagnostics,
        (Stop::Cancelled, Some(why)) => Diagnostic::error(
            "The lease on the endpoint is lost",
            format!("{why} In the step {}, nothing more was done; the next apply goes on from there.", step.name()),
        )
        .into(),
        (Stop::Cancelled, None) => Diagnostic::error(
            format!("The endpoint {endpoint} was interrupted"),
            format!(
                "Terraform was told to stop in the step {}. What was done so far stays; the next apply goes on from there.",
                step.name()
            ),
        )
        .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_story() {
        let names = |way: [Step; 12]| way.map(Step::name).join(" ");
        assert!(HOSTS_FIRST.is_sorted());
        assert_eq!(
            names(HOSTS_FIRST),
            "route address dns issuer certificate issued serve accepted resolved verify alert record"
        );
        assert_eq!(
            names(CERTIFICATE_FIRST),
            "route address issuer certificate issued serve accepted dns resolved verify alert record"
        );
    }
}
