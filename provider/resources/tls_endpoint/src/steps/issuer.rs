//! Who issues the certificate is there and ready. One of the endpoint's own is made, with the Secret that it reads.

use ffe_cluster::Mark;
use ffe_session::issuers::credentials::record;
use tfplugin::{Diagnostic, Path};

use crate::errors::cert_manager;
use crate::objects;
use crate::run::{Run, Stop, credentials, failed};

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let (spec, around) = (run.spec, run.around()?.clone());
    run.done.credentials_revision = write_credentials(run).await?;
    if let Some(desired) = objects::issuer(spec, &around).map_err(failed("The issuer could not be made"))? {
        run.apply_by_webhook(&desired).await?;
        let again = ffe_cert_manager::retry_issuer(run.cluster, &spec.issuer, &spec.names.namespace).await;
        if again.map_err(|error| cert_manager(&error, "The issuer could not be tried again"))? {
            tracing::info!(issuer = %spec.issuer, "the issuer had been refused, and tries again");
        }
    }
    let ready = ffe_cert_manager::wait_issuer(run.cluster, &spec.issuer, &spec.names.namespace, &run.wait()).await;
    ready.map_err(|error| cert_manager(&error, &format!("{} is not ready", spec.issuer)))
}

async fn write_credentials(run: &mut Run<'_>) -> Result<Option<String>, Stop> {
    let (spec, around) = (run.spec, run.around()?.clone());
    let names = &spec.names;
    let summary = "The digest of the issuer's credentials could not be kept";
    if !objects::has_credentials(spec) {
        // Nothing else of an endpoint has digests.
        let there = run.cluster.find_digests(&names.namespace, &names.owner()).await.map_err(failed(summary))?;
        if there.is_some() {
            run.cluster.delete_digests(&names.namespace, &names.owner()).await.map_err(failed(summary))?;
        }
        return Ok(None);
    }
    let secret = credentials(run.config, run.session).map_err(Stop::failed)?;
    let Some(secret) = secret.filter(|one| one.known().is_some()) else {
        return Err(Stop::failed(
            Diagnostic::error(
                "The solver needs its credentials",
                "They are write-only and have to be in the configuration of every apply.",
            )
            .at(Path::attribute("issuer")),
        ));
    };
    let desired =
        objects::credentials(spec, &around, Some(&secret)).map_err(failed("The credentials could not be kept"))?;
    if let Some(desired) = desired {
        run.apply(&desired).await?;
    }
    let owner = Mark::complete(names.owner(), &run.run_id);
    record(run.cluster, &names.namespace, &owner, &[secret]).await.map_err(failed(summary))
}
