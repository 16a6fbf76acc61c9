//! Everything is looked at before anything is written, so that a refusal changes nothing.

use ffe_cert_manager::certificate_ref;
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::{Cluster, Kind, Mark, Query};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::dns;
use crate::claim;
use crate::desired::{Found, Part, find_all, unserved};
use crate::errors::{cert_manager, routing};
use crate::objects::{self, INPUTS, Surroundings};
use crate::run::{Recorded, Run, Stop, failed};
use crate::spec::Spec;

/// cert-manager's note on a Secret: whose Certificate it is.
const CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";

pub(crate) async fn go(run: &mut Run<'_>) -> Result<(), Stop> {
    let spec = run.spec;
    let resolved = ffe_routing::resolve(run.cluster, &spec.route).await;
    let resolved = resolved.map_err(|error| routing(&error, "The route cannot be made"))?;
    let conflicts = ffe_routing::conflicts(run.cluster, &spec.route, &resolved).await;
    let mut refused = Diagnostics::new();
    for conflict in conflicts.map_err(|error| routing(&error, "Other routes could not be looked at"))? {
        let (summary, detail) = ("Another route serves the same", format!("{conflict}.\n\n{}", conflict.advice()));
        if conflict.fatal && run.terms.creating && !run.terms.adopt {
            refused.push(Diagnostic::error(summary, detail).at(Path::attribute("hosts")));
        } else {
            run.done.warnings.push(Diagnostic::warning(summary, detail).at(Path::attribute("hosts")));
        }
    }
    let installation =
        ffe_cert_manager::installation(run.cluster).await.and_then(|found| found.check().map(|()| found));
    installation.map_err(|error| cert_manager(&error, "No certificate can be ordered"))?;
    let around = Surroundings { secrets: secrets_of(run.cluster, spec).await?, resolved };
    claim_all(run, &around, &mut refused).await?;
    refused.extend(shared_secret(run.cluster, spec).await?);
    refused.extend(foreign_secret(run).await?);
    run.around = Some(around);
    dns::foresee(run, &mut refused).await?;
    refused.into_result().map_err(Stop::Failed)?;
    note_beginning(run).await
}

/// Where the issuer reads what we write.
async fn secrets_of(cluster: &Cluster, spec: &Spec) -> Result<Option<String>, Stop> {
    if objects::reads_here(spec) || !objects::has_credentials(spec) {
        return Ok(Some(spec.names.namespace.clone()));
    }
    let found = ffe_cert_manager::secret_namespace(cluster, &spec.issuer, &spec.names.namespace).await;
    found.map(Some).map_err(|error| cert_manager(&error, "The issuer's credentials cannot be placed"))
}

async fn claim_all(run: &mut Run<'_>, around: &Surroundings, refused: &mut Diagnostics) -> Result<(), Stop> {
    let summary = "The cluster could not be looked at";
    let mut wished = vec![objects::record(&run.spec.names, None, &Default::default()).map_err(failed(summary))?];
    wished.extend(objects::all(run.spec, around).map_err(failed(summary))?);
    let mut found = find_all(run.cluster, wished).await.map_err(failed(summary))?;
    found.extend(alert(run.cluster, run.spec).await.map_err(failed(summary))?);
    for one in &found {
        if one.desired.part == Part::Record {
            run.record = recorded(one);
        }
        if one.live.is_some() {
            run.present.insert(one.desired.reference.clone());
        }
        match claim::mark(one, &run.spec.names, &run.run_id, &run.terms) {
            Ok(mark) => {
                if one.desired.part == Part::Certificate {
                    run.keeps_certificate = is_kept(run.cluster, run.spec, &mark).await?;
                }
                run.marks.insert(one.desired.reference.clone(), mark);
            }
            Err(diagnostic) => refused.push(diagnostic),
        }
    }
    Ok(())
}

/// The alert. One that nobody has asked for is no reason to fail where such kinds may not be looked at.
pub(crate) async fn alert(cluster: &Cluster, spec: &Spec) -> ffe_cluster::Result<Option<Found>> {
    let Some(desired) = objects::alert(spec)? else { return Ok(None) };
    match desired.find(cluster).await {
        Err(error) if error.kind() == Kind::Forbidden && !spec.alert.as_ref().is_some_and(|alert| alert.demanded) => {
            tracing::info!(%error, "there will be no alert");
            Ok(None)
        }
        found => found.map(Some),
    }
}

fn recorded(record: &Found) -> Recorded {
    let live = record.json();
    Recorded {
        inputs: live.as_ref().and_then(|live| live["data"][INPUTS].as_str().map(str::to_owned)),
        records: objects::recorded(live.as_ref()),
    }
}

/// Whether the Certificate was made by cert-manager for an ingress's annotations: cert-manager would undo every change
/// of it.
pub(crate) async fn is_kept(cluster: &Cluster, spec: &Spec, mark: &Mark) -> Result<bool, Stop> {
    if !mark.adopted {
        return Ok(false);
    }
    let found = ffe_cert_manager::certificate(cluster, &spec.names.namespace, &spec.certificate.secret_name).await;
    let found = found.map_err(|error| cert_manager(&error, "The certificate could not be looked at"))?;
    Ok(found.is_some_and(|certificate| certificate.made_for.is_some()))
}

/// Two Certificates that write one Secret undo each other's work for ever, and cert-manager issues neither.
async fn shared_secret(cluster: &Cluster, spec: &Spec) -> Result<Option<Diagnostic>, Stop> {
    let (names, secret) = (&spec.names, &spec.certificate.secret_name);
    let kind = certificate_ref(&names.namespace, "");
    let all =
        unserved(cluster.list_ref(&kind.api_version, &kind.kind, Some(&names.namespace), &Query::default()).await);
    let all = all.map_err(failed("The certificates of the namespace could not be looked at"))?;
    let other = all.iter().find(|one| {
        one.data["spec"]["secretName"].as_str() == Some(secret) && one.metadata.name.as_deref() != Some(secret)
    });
    Ok(other.map(|other| {
        let other = other.metadata.name.as_deref().unwrap_or_default();
        Diagnostic::error(
            format!("Certificate {}/{other} writes the Secret {secret} already", names.namespace),
            "Two certificates cannot share a Secret: cert-manager issues neither. Choose another secret_name, or delete that \
             Certificate; its Secret stays and is used.",
        )
        .at(Path::attribute("secret_name"))
    }))
}

/// A Secret of that name that cert-manager did not write would be lost.
async fn foreign_secret(run: &Run<'_>) -> Result<Option<Diagnostic>, Stop> {
    let (names, secret) = (&run.spec.names, &run.spec.certificate.secret_name);
    let found: Option<Secret> = run
        .cluster
        .find(Some(&names.namespace), secret)
        .await
        .map_err(failed("The Secret for the certificate could not be looked at"))?;
    let Some(found) = found else { return Ok(None) };
    let by_cert_manager =
        found.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(CERTIFICATE_NAME));
    // An import is no word that a key may be lost. What the state stands for already was asked about before.
    let told = run.planned.adopt == Attr::Known(true);
    let known = run.prior.and_then(Spec::of).is_some_and(|prior| prior.certificate.secret_name == *secret);
    if by_cert_manager || told || known {
        return Ok(None);
    }
    Ok(Some(
        Diagnostic::error(
            format!("Secret {}/{secret} exists already", names.namespace),
            "It was not written by cert-manager, which would overwrite it. Nothing was changed.\n\nChoose another \
             secret_name, or set adopt = true, which lets its content be replaced by the certificate that is issued.",
        )
        .at(Path::attribute("secret_name")),
    ))
}

/// The record is there before anything else, with the hosts whose records may be made: what dies after this is found.
async fn note_beginning(run: &mut Run<'_>) -> Result<(), Stop> {
    let mut records = run.record.records.clone();
    if let Some(dns) = &run.spec.dns {
        records.extend(run.spec.hosts.iter().map(|host| (host.clone(), dns.zone.clone())));
    }
    let record = objects::record(&run.spec.names, run.record.inputs.as_deref(), &records);
    let record = record.map_err(failed("The record could not be made"))?;
    run.record.records = records;
    run.apply(&record).await
}
