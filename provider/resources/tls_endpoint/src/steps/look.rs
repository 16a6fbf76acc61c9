//! Everything is looked at before anything is written, so that a refusal changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use ffe_cert_manager::{Certificate, certificate_ref, shim};
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::{Cluster, Kind, Ownership, Query};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use super::{dns, route};
use crate::change::Change;
use crate::claim::{self, Terms};
use crate::desired::{Found, Part, find_all, unserved};
use crate::errors::{self, cert_manager, routing};
use crate::former;
use crate::model::TlsEndpoint;
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
    refused.extend(errors::refused(&ffe_routing::refusals(&spec.route, &resolved)));
    let unmet = ffe_routing::unmet(run.cluster, &spec.route, &resolved).await;
    let unmet = unmet.map_err(|error| routing(&error, "What the route needs could not be looked at"))?;
    refused.extend(errors::refused(&unmet));
    let conflicts = conflicts.map_err(|error| routing(&error, "Other routes could not be looked at"))?;
    let installation =
        ffe_cert_manager::installation(run.cluster).await.and_then(|found| found.check().map(|()| found));
    installation.map_err(|error| cert_manager(&error, "No certificate can be ordered"))?;
    let around = Surroundings { secrets: secrets_of(run.cluster, spec).await?, resolved };
    let found = claim_all(run, &around, &mut refused).await?;
    let former_names = run.former_names();
    let hosts_before = run.prior.map(hosts_of).unwrap_or_default();
    for conflict in conflicts.into_iter().filter(|conflict| !route::is_of(&conflict.object, &former_names)) {
        let (summary, detail) = ("Another route serves the same", format!("{conflict}.\n\n{}", conflict.advice()));
        if claim::is_of_two_endpoints(&conflict, run.terms.creating, &hosts_before, spec.adopt) {
            refused.push(claim::refuse_second(&conflict));
        } else if conflict.fatal && run.terms.creating && !run.terms.adopt {
            refused.push(Diagnostic::error(summary, detail).at(Path::attribute("hosts")));
        } else {
            run.done.warnings.push(Diagnostic::warning(summary, detail).at(Path::attribute("hosts")));
            if conflict.fatal {
                run.served_beside.insert(conflict.host.clone(), conflict.object.clone());
            }
        }
    }
    let former = former::serving(run).await?;
    let prior = run.prior.and_then(Spec::of);
    let change = Change::to(run.cluster, spec, &around, &found, former.as_ref().zip(prior.as_ref())).await?;
    if change.interim {
        claim_interim(run, &change, &mut refused).await?;
    }
    refused.extend(shared_secret(run.cluster, spec).await?);
    refused.extend(foreign_secret(run).await?);
    look_at_the_certificate(run, &found).await?;
    run.done.moves = change.interim || leaves_its_kind(run) || former.is_some();
    run.hosts_first = asks_hosts(run.cluster, spec).await;
    run.around = Some(around);
    run.change = Some(change);
    dns::foresee(run, &mut refused).await?;
    refused.into_result().map_err(Stop::Failed)?;
    let first = &run.change()?.first;
    let tried = ffe_routing::try_attach(run.cluster, &first.route, &first.resolved).await;
    tried.map_err(|error| routing(&error, "The Gateway does not take the endpoint's listener"))?;
    note_beginning(run).await
}

/// The hosts of an endpoint as it was.
pub(crate) fn hosts_of(prior: &TlsEndpoint) -> Vec<String> {
    prior.hosts.known().into_iter().flatten().filter_map(|host| host.as_str().map(str::to_owned)).collect()
}

/// Whether the authority looks for the endpoint at its hosts. Where nobody knows it may.
pub(crate) async fn asks_hosts(cluster: &Cluster, spec: &Spec) -> bool {
    match &spec.own_issuer {
        Some(own) => own.what.asks_hosts(),
        None => ffe_cert_manager::asks_hosts(cluster, &spec.issuer, &spec.names.namespace).await.unwrap_or(true),
    }
}

/// Whether another kind of route takes the former one over, or a route at another Gateway.
pub(crate) fn leaves_its_kind(run: &Run<'_>) -> bool {
    let place = |spec: &Spec| route::gateway(spec).map(|gateway| (gateway.namespace, gateway.name));
    run.prior.and_then(Spec::of).is_some_and(|prior| place(&prior) != place(run.spec))
}

/// Where the issuer reads what we write.
async fn secrets_of(cluster: &Cluster, spec: &Spec) -> Result<Option<String>, Stop> {
    if objects::reads_here(spec) || !objects::has_credentials(spec) {
        return Ok(Some(spec.names.namespace.clone()));
    }
    let found = ffe_cert_manager::secret_namespace(cluster, &spec.issuer, &spec.names.namespace).await;
    found.map(Some).map_err(|error| cert_manager(&error, "The issuer's credentials cannot be placed"))
}

/// Of a record that cannot be read.
const UNKNOWN: &str = "What the endpoint has elsewhere is not known";

async fn claim_all(run: &mut Run<'_>, around: &Surroundings, refused: &mut Diagnostics) -> Result<Vec<Found>, Stop> {
    let summary = "The cluster could not be looked at";
    let mut wished = vec![objects::record(&run.spec.names, None, &Default::default()).map_err(failed(summary))?];
    wished.extend(objects::all(run.spec, around).map_err(failed(summary))?);
    let mut found = find_all(run.cluster, wished).await.map_err(failed(summary))?;
    found.extend(alert(run.cluster, run.spec).await.map_err(failed(summary))?);
    for one in &found {
        if one.desired.part == Part::Record {
            run.record = recorded(one).map_err(failed(UNKNOWN))?;
            let whose = one.ownership(&run.spec.names.owner());
            run.done.replaces = run.record.inputs.is_some() && matches!(whose, Ownership::OursUnfinished(_));
            refused.extend(former::is_taken(run, one, &run.record.memory));
            run.former.learn(&run.record.memory, &run.spec.names);
        }
        let uid = one.meta().and_then(|meta| meta.uid.clone());
        run.looked_at.insert(one.desired.reference.clone(), uid);
        let inherited = former::inherited(run, one);
        match inherited.map_or_else(|| claim::mark(one, &run.spec.names, &run.run_id, &run.terms), Ok) {
            Ok(mark) => {
                run.marks.insert(one.desired.reference.clone(), mark);
            }
            Err(diagnostic) => refused.push(diagnostic),
        }
    }
    Ok(found)
}

/// The same for what stands in for the endpoint's own ingress while its class changes.
async fn claim_interim(run: &mut Run<'_>, change: &Change, refused: &mut Diagnostics) -> Result<(), Stop> {
    let summary = "The cluster could not be looked at";
    let wished = ffe_routing::objects(&change.then.route, &change.then.resolved);
    let wished = objects::as_routes(run.spec, wished).map_err(failed(summary))?;
    // What stands there is of a run that got no further, or of somebody else.
    let terms = Terms { adopt: false, ..run.terms.clone() };
    for one in find_all(run.cluster, wished).await.map_err(failed(summary))? {
        let uid = one.meta().and_then(|meta| meta.uid.clone());
        run.looked_at.insert(one.desired.reference.clone(), uid);
        match claim::mark(&one, &run.spec.names, &run.run_id, &terms) {
            Ok(mark) => {
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

fn recorded(record: &Found) -> ffe_cluster::Result<Recorded> {
    let live = record.json();
    Ok(Recorded {
        inputs: live.as_ref().and_then(|live| live["data"][INPUTS].as_str().map(str::to_owned)),
        memory: objects::recorded(live.as_ref())?,
    })
}

/// An Ingress that was there before may have annotations by which cert-manager makes the Certificate. One that is as the
/// configuration says is used as it is; otherwise the annotations go, and what there is of it is the endpoint's.
async fn look_at_the_certificate(run: &mut Run<'_>, found: &[Found]) -> Result<(), Stop> {
    let spec = run.spec;
    let main = route::main_object(spec);
    let of_main = found.iter().find(|one| Some(&one.desired.reference) == main.as_ref());
    let Some(annotations) = of_main.filter(|one| run.mark(&one.desired.reference).adopted).and_then(Found::meta) else {
        return Ok(());
    };
    let annotations = annotations.annotations.clone().unwrap_or_default();
    let triggers = shim::triggers(&annotations);
    if triggers.is_empty() {
        return Ok(());
    }
    let there = ffe_cert_manager::certificate(run.cluster, &spec.names.namespace, &spec.certificate.secret_name).await;
    let there = there.map_err(|error| cert_manager(&error, "The certificate could not be looked at"))?;
    run.keeps_certificate = there.is_some_and(|there| is_as_wished(&there, &annotations, spec, run.planned));
    if !run.keeps_certificate {
        run.triggers = triggers;
    }
    Ok(())
}

/// Whether a Certificate that cert-manager made by itself, and keeps as the annotations of its ingress say, is what the
/// endpoint would ask for.
pub(crate) fn is_as_wished(
    there: &Certificate,
    annotations: &BTreeMap<String, String>,
    spec: &Spec,
    planned: &TlsEndpoint,
) -> bool {
    let names = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    there.made_for.is_some()
        && there.issuer.as_ref() == Some(&spec.issuer)
        && shim::asked(annotations).as_ref() == Some(&spec.issuer)
        && spec.own_issuer.is_none()
        && names(&there.dns_names) == names(&spec.hosts)
        && planned.certificate.is_null()
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
             Certificate: the endpoint's has the Secret issued anew then, by one order, and what is in it serves until that is \
             done. Where cert-manager runs with --enable-certificate-owner-ref, the Secret goes with the Certificate.",
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
    // Neither an import nor adopt is a word that a key may be lost. What the state stands for already was asked about before.
    let told = run.planned.overwrite_secret == Attr::Known(true);
    let known = run.prior.and_then(Spec::of).is_some_and(|prior| prior.certificate.secret_name == *secret);
    if by_cert_manager || told || known {
        return Ok(None);
    }
    Ok(Some(
        Diagnostic::error(
            format!("Secret {}/{secret} exists already", names.namespace),
            "It was not written by cert-manager, which would overwrite it. Nothing was changed.\n\nChoose another \
             secret_name; or, with a copy of it, set overwrite_secret = true, which lets its content be replaced by the \
             certificate that is issued.",
        )
        .at(Path::attribute("secret_name")),
    ))
}

/// The record is there before anything else, with the hosts whose records may be made, the Gateway that may get listeners,
/// and what is taken off: what dies after this is found.
async fn note_beginning(run: &mut Run<'_>) -> Result<(), Stop> {
    let mut memory = run.record.memory.clone();
    if let Some(dns) = &run.spec.dns {
        memory.provider = Some(dns.provider.clone());
        memory.records.extend(run.spec.hosts.iter().map(|host| (host.clone(), dns.zone.clone())));
    }
    memory.gateways.extend(route::managed_gateway(run.spec));
    if !run.triggers.is_empty() {
        memory.taken_off.annotations.extend(run.triggers.clone());
        let secret = run.change()?.serving.as_ref().and_then(|serving| serving.secret_name.clone());
        memory.taken_off.secret_name = memory.taken_off.secret_name.or(secret);
    }
    memory.also_named.extend(run.former_names().into_iter().map(|names| names.name));
    former::note(run).await?;
    let record = objects::record(&run.spec.names, run.record.inputs.as_deref(), &memory);
    let record = record.map_err(failed("The record could not be made"))?;
    run.record.memory = memory;
    run.apply(&record).await
}
