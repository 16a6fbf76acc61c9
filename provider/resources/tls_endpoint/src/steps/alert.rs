//! The alert on the certificate's end, where the cluster has that kind.

use tfplugin::{Diagnostic, Path};

use super::look;
use crate::errors::cert_manager;
use crate::objects;
use crate::run::{Run, Stop, failed};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let Some(desired) = objects::alert(run.spec).map_err(failed("The alert could not be made"))? else { return Ok(()) };
    let supported = ffe_cert_manager::alerts_supported(run.cluster).await;
    if supported.map_err(|error| cert_manager(&error, "Whether there can be an alert could not be found out"))? {
        if look::alert(run.cluster, run.spec).await.map_err(failed("The alert could not be looked at"))?.is_none() {
            run.done.warnings.push(
                Diagnostic::warning(
                    "There is no alert on the certificate's end",
                    "PrometheusRules may not be looked at in the namespace. Allow get, patch and delete on \
                     prometheusrules.monitoring.coreos.com, or set alert = { enabled = false }.",
                )
                .at(Path::attribute("alert")),
            );
            return Ok(());
        }
        return run.apply(&desired).await;
    }
    if run.spec.alert.as_ref().is_some_and(|alert| alert.demanded) {
        run.done.warnings.push(
            Diagnostic::warning(
                "There is no alert on the certificate's end",
                "The cluster does not know the kind PrometheusRule. Install the Prometheus operator's custom resource \
                 definitions and apply again, or set alert = { enabled = false }.",
            )
            .at(Path::attribute("alert")),
        );
    }
    Ok(())
}
