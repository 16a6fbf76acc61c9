//! The certificate is asked for. One that cert-manager made for an ingress's annotations is used as it is.

use ffe_cert_manager::Renewal;

use crate::authority::Authority;
use crate::errors::cert_manager;
use crate::run::{Run, Stop, failed};
use crate::spec::Spec;
use crate::status::Pair;
use crate::{objects, reissue, status};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let spec = run.spec;
    let desired = objects::certificate(spec).map_err(failed("The certificate could not be asked for"))?;
    let (namespace, name) = (&spec.names.namespace, &spec.certificate.secret_name);
    let prior = run.prior.and_then(Spec::of);
    let mut another = prior.as_ref().is_some_and(|prior| reissue::is_another(prior, spec));
    if another {
        // Its order is one at the former server.
        let thrown_away = ffe_cert_manager::abandon(run.cluster, namespace, name).await;
        thrown_away.map_err(|error| cert_manager(&error, "The former issuance could not be thrown away"))?;
    }
    if prior.is_some_and(|prior| reissue::is_changed_in_place(&prior, spec)) {
        // A Secret that was kept from before is good for cert-manager, which goes by the issuer's name.
        let kept = status::pair(run.cluster, namespace, name).await;
        another |= kept.map_err(failed("The certificate could not be read"))?.is_some();
    }
    if run.keeps_certificate {
        run.stop_here()?;
        let mark = run.mark(&desired.reference);
        let summary = format!("{} could not be taken over", desired.reference);
        run.cluster.write_mark(&desired.reference, &mark).await.map_err(failed(&summary))?;
        run.note(&desired.reference);
    } else {
        run.apply_by_webhook(&desired).await?;
    }
    // After a failure cert-manager waits for an hour and more: what was mended is tried at once.
    let again = ffe_cert_manager::retry(run.cluster, namespace, name).await;
    let mut again = again.map_err(|error| cert_manager(&error, "The certificate could not be tried again"))?;
    if again == Renewal::Unneeded && is_to_be_anew(run, another).await? {
        run.stop_here()?;
        let renewed = ffe_cert_manager::renew(run.cluster, namespace, name).await;
        again =
            renewed.map_err(|error| cert_manager(&error, "The certificate could not be issued by the new issuer"))?;
    }
    tracing::debug!(certificate = %desired.reference, ?again, "asked for");
    Ok(())
}

/// Whether the issuer that is asked has changed, or cannot have issued what is there.
async fn is_to_be_anew(run: &Run<'_>, another: bool) -> Result<bool, Stop> {
    let spec = run.spec;
    let (namespace, name) = (&spec.names.namespace, &spec.certificate.secret_name);
    let found = ffe_cert_manager::certificate(run.cluster, namespace, name).await;
    let found = found.map_err(|error| cert_manager(&error, "The certificate could not be looked at"))?;
    // One that was made for an ingress may ask somebody else.
    let Some(found) = found.filter(|found| found.issuer.as_ref() == Some(&spec.issuer)) else { return Ok(false) };
    if another {
        return Ok(true);
    }
    // What failed lately is not begun by us: whether it is worth it was decided before.
    if found.status.last_failure.is_some() {
        return Ok(false);
    }
    let pair = status::pair(run.cluster, namespace, &found.secret_name).await;
    let pair = pair.map_err(failed("The certificate could not be read"))?;
    let Some(leaf) = pair.as_ref().and_then(Pair::leaf) else { return Ok(false) };
    Ok(Authority::find(run.cluster, spec).await.contradicts(leaf))
}
