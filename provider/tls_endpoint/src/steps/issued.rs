//! The certificate is there; where it is over, the chain from Certificate to Challenge says why.

use crate::errors::cert_manager;
use crate::run::{Run, Stop};
use crate::status;

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let spec = run.spec;
    let (namespace, name) = (&spec.names.namespace, &spec.certificate.secret_name);
    let issued = ffe_cert_manager::wait_certificate(run.cluster, namespace, name, None, &run.wait()).await;
    let issued =
        issued.map_err(|error| cert_manager(&error, &format!("The certificate {namespace}/{name} is not issued")))?;
    let pair = status::pair(run.cluster, namespace, &issued.secret_name).await;
    let pair = pair.map_err(crate::run::failed("The certificate could not be read"))?;
    run.done.status = Some(status::status(&issued, pair.as_ref()));
    Ok(())
}
