//! cert-manager itself is away. Others cannot work meanwhile: these cases wait until they are alone.

use anyhow::Result;

use super::{converges, creation_fails};
use crate::tls::{Endpoint, backend, host};
use crate::{Stage, turn};

/// Takes one of cert-manager's parts away; it comes back in any case.
fn without(stage: &mut Stage, part: &str) -> Result<()> {
    turn::alone(stage)?;
    stage.afterwards(&back(part));
    let deployment = format!("deployment/{part}");
    stage.kube.run(&["-n", "cert-manager", "scale", &deployment, "--replicas=0"])?.ok()?;
    let selector = format!("app.kubernetes.io/name={}", part.trim_start_matches("cert-manager-"));
    let gone = ["-n", "cert-manager", "wait", "--for=delete", "pod", "-l", &selector, "--timeout=60s"];
    stage.kube.run(&gone)?.ok().map(|_| ())
}

fn back(part: &str) -> String {
    format!(
        "kubectl -n cert-manager scale deployment/{part} --replicas=1 && \
         kubectl -n cert-manager rollout status deployment/{part} --timeout=120s"
    )
}

/// The API server cannot ask the webhook.
pub(super) fn webhook(stage: &mut Stage) -> Result<()> {
    without(stage, "cert-manager-webhook")?;
    backend(stage)?;
    let endpoint = Endpoint::new(stage, "web", &[&host(stage, "web")?])?;
    endpoint.configure(stage)?;
    creation_fails(
        stage,
        "WebhookAway",
        &[
            "cert-manager's webhook does not answer, so the API server takes no change of its objects: ",
            "See why the pods of the webhook do not run or cannot be reached from the API server, and that the CA injector",
        ],
    )?;
    stage.shell(&back("cert-manager-webhook"))?.ok()?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}

/// Nobody looks at what is asked for.
pub(super) fn controller(stage: &mut Stage) -> Result<()> {
    without(stage, "cert-manager")?;
    backend(stage)?;
    let endpoint = Endpoint::new(stage, "web", &[&host(stage, "web")?])?;
    endpoint.configure(stage)?;
    creation_fails(
        stage,
        "ControllerAway",
        &[
            "cert-manager's controller is not at work, so nothing is issued: ",
            "See why the pods of cert-manager's controller do not run, or scale it up",
        ],
    )?;
    stage.shell(&back("cert-manager"))?.ok()?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}
