//! The certificate is there; where it is over, the chain from Certificate to Challenge says why.

use ffe_cert_manager::Certificate;

use crate::errors::cert_manager;
use crate::run::{Run, Stop};
use crate::status;

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let spec = run.spec;
    let (namespace, name) = (&spec.names.namespace, &spec.certificate.secret_name);
    let issued = ffe_cert_manager::wait_certificate(run.cluster, namespace, name, None, &run.wait()).await;
    let issued =
        issued.map_err(|error| cert_manager(&error, &format!("The certificate {namespace}/{name} is not issued")))?;
    state(run, &issued).await
}

/// The certificate as it is by now, which may be another one than it was.
pub(crate) async fn note(run: &mut Run<'_>) -> Result<(), Stop> {
    let (namespace, name) = (&run.spec.names.namespace, &run.spec.certificate.secret_name);
    let found = ffe_cert_manager::certificate(run.cluster, namespace, name).await;
    let found = found.map_err(|error| cert_manager(&error, "The certificate could not be looked at"))?;
    match found {
        Some(found) => state(run, &found).await,
        None => Ok(()),
    }
}

async fn state(run: &mut Run<'_>, certificate: &Certificate) -> Result<(), Stop> {
    let pair = status::pair(run.cluster, &run.spec.names.namespace, &certificate.secret_name).await;
    let pair = pair.map_err(crate::run::failed("The certificate could not be read"))?;
    run.done.status = Some(status::status(certificate, pair.as_ref()));
    Ok(())
}
