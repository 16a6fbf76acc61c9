//! The certificate is asked for. One that cert-manager made for an ingress's annotations is used as it is.

use tfplugin::{Diagnostic, Path};

use crate::errors::cert_manager;
use crate::objects;
use crate::run::{Run, Stop, failed};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let spec = run.spec;
    let desired = objects::certificate(spec).map_err(failed("The certificate could not be asked for"))?;
    if run.keeps_certificate {
        run.stop_here()?;
        let mark = run.mark(&desired.reference);
        let summary = format!("{} could not be taken over", desired.reference);
        run.cluster.write_mark(&desired.reference, &mark).await.map_err(failed(&summary))?;
        run.note(&desired.reference);
        let differing = differing(run).await?;
        run.done.warnings.extend(differing);
    } else {
        run.apply_by_webhook(&desired).await?;
    }
    // After a failure cert-manager waits for an hour and more: what was mended is tried at once.
    let again = ffe_cert_manager::retry(run.cluster, &spec.names.namespace, &spec.certificate.secret_name).await;
    let again = again.map_err(|error| cert_manager(&error, "The certificate could not be tried again"))?;
    tracing::debug!(certificate = %desired.reference, ?again, "asked for");
    Ok(())
}

/// What the configuration says otherwise than a Certificate that is kept.
async fn differing(run: &Run<'_>) -> Result<Option<Diagnostic>, Stop> {
    let spec = run.spec;
    let found = ffe_cert_manager::certificate(run.cluster, &spec.names.namespace, &spec.certificate.secret_name).await;
    let found = found.map_err(|error| cert_manager(&error, "The certificate could not be looked at"))?;
    let Some(found) = found else { return Ok(None) };
    let mut wrong = Vec::new();
    if found.issuer.as_ref() != Some(&spec.issuer) {
        let theirs = found.issuer.map_or_else(|| "an issuer of another kind".to_owned(), |issuer| issuer.to_string());
        wrong.push(format!("it asks {theirs}, not {}", spec.issuer));
    }
    let missing: Vec<&str> =
        spec.hosts.iter().filter(|host| !found.dns_names.contains(host)).map(String::as_str).collect();
    if !missing.is_empty() {
        wrong.push(format!("it is not for {}", missing.join(", ")));
    }
    if wrong.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        Diagnostic::warning(
            format!("Certificate {}/{} is kept as it is", spec.names.namespace, spec.certificate.secret_name),
            format!(
                "cert-manager made it for the annotations of the ingress and undoes other changes; {}. To have it as the \
                 configuration says, remove the annotations cert-manager.io/issuer and cert-manager.io/cluster-issuer from \
                 the ingress.",
                wrong.join("; ")
            ),
        )
        .at(Path::attribute("certificate")),
    ))
}
