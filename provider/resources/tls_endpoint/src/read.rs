//! Looking at an endpoint: how its certificate is, and what differs from what was applied.
//!
//! Nothing is written. Whatever is no proof of absence keeps the prior state, and says why.

mod outside;

use ffe_cert_manager::{Certificate, certificate_ref, shim};
use ffe_cluster::drift::Difference;
use ffe_cluster::k8s_openapi::api::core::v1::{ConfigMap, Secret};
use ffe_cluster::{Cancel, Cluster, Error, ObjectRef, Ownership, Presence, ownership};
use ffe_dns::{Decision, decide};
use ffe_https::CertificateFacts;
use ffe_session::issuers::credentials::{is_as_recorded, revision};
use ffe_session::{Ignored, Session};
use tfplugin::{Attr, Diagnostic, Diagnostics, Read, Refreshed};

use crate::authority::Authority;
use crate::desired::{Found, Part, find, find_all};
use crate::drift::{self, FORMER_ISSUER, MARK, MISSING, drift, field, given_up, is_not_done};
use crate::errors::{dns_diagnostic, routing_diagnostic};
use crate::model::{Drift, TlsEndpoint};
use crate::objects::{self, INPUTS, Surroundings};
use crate::resource::private;
use crate::spec::Spec;
use crate::status::{self, Pair};
use crate::steps::{address, dns, look, route};

/// The state as it is now.
pub(crate) async fn read(session: &Session, request: Read<TlsEndpoint>, cancel: &Cancel) -> Refreshed<TlsEndpoint> {
    let what = format!("Endpoint {}", request.state.name.as_str().unwrap_or_default());
    let cluster = match ffe_session::cluster_to_read(session, &what, &request) {
        Ok(cluster) => cluster,
        Err(kept) => return *kept,
    };
    look(session, &cluster, &request, cancel)
        .await
        .unwrap_or_else(|error| ffe_session::not_refreshed(&what, &request, &error))
}

async fn look(
    session: &Session,
    cluster: &Cluster,
    request: &Read<TlsEndpoint>,
    cancel: &Cancel,
) -> Result<Refreshed<TlsEndpoint>, Error> {
    let (mut state, mut private) = (request.state.clone(), request.private.clone());
    let recorded = match private::cluster(&private) {
        Some(recorded) => recorded,
        None => cluster.identity().await?,
    };
    cluster.check_same(&recorded).await?;
    private::set_cluster(&mut private, &recorded, cluster.server());
    // Imported and not taken over yet: nothing of ours is there to be looked at.
    let Some(spec) = Spec::of(&state) else { return Ok(Refreshed::present(state, private)) };
    if is_gone(cluster, &spec, &recorded).await? && !outside::is_left(session, cluster, (&spec, &state), cancel).await?
    {
        return Ok(Refreshed::gone());
    }
    let mut eye = Eye {
        cluster,
        spec: &spec,
        state: &request.state,
        ignored: drift::ignored(&request.state),
        drifted: Vec::new(),
        warnings: Diagnostics::new(),
    };
    if let Some(around) = eye.surroundings().await? {
        eye.objects(&around).await?;
        eye.routes(&around, &mut state).await?;
    }
    eye.certificate(&mut state).await?;
    eye.credentials(&mut state).await?;
    if spec.dns.is_some() {
        eye.records(session, &mut state, cancel).await;
    }
    // An apply that failed is not over: as long as no other one went through, a plan says so.
    let pending = request.state.drifted.known().into_iter().flatten().filter(|one| is_not_done(one));
    eye.drifted.extend(pending.cloned());
    state.drifted = eye.drifted.into();
    Ok(Refreshed::present(state, private).with(eye.warnings))
}

/// Gone is an endpoint of which neither the record nor the route nor the certificate is there.
async fn is_gone(cluster: &Cluster, spec: &Spec, recorded: &str) -> Result<bool, Error> {
    let names = &spec.names;
    if let Presence::Present(_) =
        cluster.confirm::<ConfigMap>(Some(&names.namespace), &names.record(), recorded).await?
    {
        return Ok(false);
    }
    let certificate = certificate_ref(&names.namespace, &spec.certificate.secret_name);
    for object in route::main_object(spec).into_iter().chain([certificate]) {
        let found = find(cluster, &object).await?;
        // What is another endpoint's by now, as after a rename whose answer was lost, is none of this one.
        if !matches!(
            ownership(found.as_ref().map(|found| &found.metadata), &names.owner()),
            Ownership::Absent | Ownership::OtherResource(_)
        ) {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Eye<'a> {
    cluster: &'a Cluster,
    spec: &'a Spec,
    /// What was applied.
    state: &'a TlsEndpoint,
    /// What others may change.
    ignored: Ignored,
    drifted: Vec<Drift>,
    warnings: Diagnostics,
}

impl Eye<'_> {
    /// What the cluster has for the route. A class or Gateway that is gone is a warning: the plan need not fail for it.
    async fn surroundings(&mut self) -> Result<Option<Surroundings>, Error> {
        let secrets = if objects::reads_here(self.spec) {
            Some(self.spec.names.namespace.clone())
        } else if objects::has_credentials(self.spec) {
            ffe_cert_manager::secret_namespace(self.cluster, &self.spec.issuer, &self.spec.names.namespace).await.ok()
        } else {
            None
        };
        match ffe_routing::inspect(self.cluster, &self.spec.route).await {
            Ok(resolved) => Ok(Some(Surroundings { resolved, secrets })),
            Err(ffe_routing::Error::Cluster(error)) => Err(error),
            Err(error) => {
                let summary = format!("The route of endpoint {} has nothing to serve it", self.spec.names.name);
                let told = routing_diagnostic(&error, &summary);
                self.warnings.push(Diagnostic { severity: tfplugin::Severity::Warning, ..told });
                Ok(None)
            }
        }
    }

    /// All objects but the routes.
    async fn objects(&mut self, around: &Surroundings) -> Result<(), Error> {
        let spec = self.spec;
        let mut wished = vec![objects::record(&spec.names, None, &Default::default())?];
        wished.extend(objects::all(spec, around)?.into_iter().filter(|one| one.part != Part::Route));
        let supported = match ffe_cert_manager::alerts_supported(self.cluster).await {
            Ok(supported) => supported,
            Err(error) => {
                tracing::info!(%error, "whether there can be an alert is not known");
                false
            }
        };
        let mut all = find_all(self.cluster, wished).await?;
        if supported {
            all.extend(look::alert(self.cluster, spec).await?);
        }
        for found in all {
            self.compare(&found).await?;
        }
        Ok(())
    }

    async fn compare(&mut self, found: &Found) -> Result<(), Error> {
        let object = &found.desired.reference;
        let ignored = self.ignored.clone();
        let counts = |pointer: &str| drift::counts(&ignored, object, pointer);
        if !counts("") {
            return Ok(());
        }
        let Some(live) = found.json() else {
            self.drifted.push(drift(object, MISSING));
            return Ok(());
        };
        let ownership = found.ownership(&self.spec.names.owner());
        if found.desired.part == Part::Record {
            // An unfinished one is of a create that failed and of nothing else.
            if !matches!(ownership, Ownership::OursComplete(_)) {
                self.drifted.push(drift(object, &field(MARK)));
            }
            if live["data"][INPUTS].is_null() {
                self.drifted.push(drift(object, &format!("data.{INPUTS}")));
            }
            return Ok(());
        }
        let adopted = match &ownership {
            Ownership::OursComplete(mark) | Ownership::OursUnfinished(mark) => mark.adopted,
            _ => {
                if counts(MARK) {
                    self.drifted.push(drift(object, &field(MARK)));
                }
                false
            }
        };
        if found.desired.part == Part::Certificate && adopted && is_cert_managers(&live) && self.is_kept().await? {
            return Ok(());
        }
        let wished = found.desired.wished(adopted);
        let found = self.cluster.drift(&wished, &live, |difference| counts(&difference.pointer())).await;
        if let Some(error) = found.unresolved {
            tracing::info!(%error, %object, "it was compared as it is written");
        }
        let given_up = given_up(&wished, &live).into_iter().filter(|pointer| counts(pointer));
        let pointers = found.differences.iter().map(Difference::pointer).chain(given_up);
        let drifted: Vec<Drift> = pointers.map(|pointer| drift(object, &field(&pointer))).collect();
        self.drifted.extend(drifted);
        Ok(())
    }

    /// Whether a Certificate that cert-manager made for the ingress is used as it is. Annotations by which cert-manager would
    /// undo what the endpoint says of it are no business of the ingress any more.
    async fn is_kept(&mut self) -> Result<bool, Error> {
        let Some(main) = route::main_object(self.spec) else { return Ok(false) };
        let annotations = find(self.cluster, &main).await?.and_then(|ingress| ingress.metadata.annotations);
        let annotations = annotations.unwrap_or_default();
        let triggers = shim::triggers(&annotations);
        if triggers.is_empty() {
            return Ok(false);
        }
        let (namespace, name) = (&self.spec.names.namespace, &self.spec.certificate.secret_name);
        let there = match ffe_cert_manager::certificate(self.cluster, namespace, name).await {
            Ok(there) => there,
            Err(ffe_cert_manager::Error::Cluster(error)) => return Err(error),
            Err(error) => {
                tracing::info!(%error, "the certificate was not compared");
                return Ok(true);
            }
        };
        let is_kept = there.is_some_and(|there| look::is_as_wished(&there, &annotations, self.spec, self.state));
        if !is_kept {
            let fields = triggers.keys().map(|key| format!("metadata.annotations[{key:?}]"));
            self.drifted.extend(fields.map(|field| drift(&main, &field)));
        }
        Ok(is_kept)
    }

    async fn routes(&mut self, around: &Surroundings, state: &mut TlsEndpoint) -> Result<(), Error> {
        let counts = |object: &ObjectRef, pointer: &str| drift::counts(&self.ignored, object, pointer);
        match ffe_routing::drift(self.cluster, &self.spec.route, &around.resolved, counts).await {
            Ok(found) => {
                self.drifted.extend(found.iter().map(|one| drift(&one.object, &field(&one.path))));
            }
            Err(ffe_routing::Error::Cluster(error)) => return Err(error),
            Err(error) => tracing::info!(%error, "the routes were not compared"),
        }
        match ffe_routing::current_address(self.cluster, &self.spec.route, &around.resolved).await {
            Ok(found) => {
                if let Some(address) = address::texts(found).into_iter().next() {
                    state.address = address.into();
                }
            }
            Err(ffe_routing::Error::Cluster(error)) => return Err(error),
            Err(error) => tracing::info!(%error, "the address is not known now"),
        }
        Ok(())
    }

    /// How the certificate is; one that should have been renewed is said.
    async fn certificate(&mut self, state: &mut TlsEndpoint) -> Result<(), Error> {
        let (namespace, name) = (&self.spec.names.namespace, &self.spec.certificate.secret_name);
        let found = match ffe_cert_manager::certificate(self.cluster, namespace, name).await {
            Ok(found) => found,
            Err(ffe_cert_manager::Error::Cluster(error)) => return Err(error),
            Err(error) => {
                self.warnings.push(Diagnostic::warning(
                    format!("The certificate of endpoint {} was not looked at", self.spec.names.name),
                    error.to_string(),
                ));
                return Ok(());
            }
        };
        let pair = status::pair(self.cluster, namespace, name).await?;
        match found {
            Some(certificate) => {
                state.certificate_status = status::status(&certificate, pair.as_ref()).into();
                self.judge(&certificate).await;
                if let Some(leaf) = pair.as_ref().and_then(Pair::leaf).filter(|_| certificate.status.ready) {
                    self.follows_issuer(&certificate, leaf).await;
                }
            }
            None => state.certificate_status = Attr::Null,
        }
        Ok(())
    }

    /// cert-manager goes by the issuer's name: of one that was made another one in place the certificate has to be ordered
    /// anew, which the next apply does.
    async fn follows_issuer(&mut self, certificate: &Certificate, leaf: &CertificateFacts) {
        let spec = self.spec;
        if certificate.issuer.as_ref() != Some(&spec.issuer) || !Authority::may_contradict(leaf) {
            return;
        }
        if Authority::find(self.cluster, spec).await.contradicts(leaf) {
            let object = certificate_ref(&spec.names.namespace, &spec.certificate.secret_name);
            self.drifted.push(drift(&object, FORMER_ISSUER));
            self.warnings.push(Diagnostic::warning(
                format!("{object} was not issued by what {} asks now", spec.issuer.object(&spec.names.namespace)),
                format!(
                    "\"{}\" has signed it, and the issuer was changed since. The next apply orders it anew.",
                    leaf.issuer
                ),
            ));
        }
    }

    async fn judge(&mut self, certificate: &Certificate) {
        let (namespace, name) = (&self.spec.names.namespace, &self.spec.certificate.secret_name);
        let is_overdue = certificate.status.overdue(jiff::Timestamp::now());
        if certificate.status.ready && !is_overdue {
            return;
        }
        let diagnosis = ffe_cert_manager::diagnose(self.cluster, namespace, name).await;
        let summary = if is_overdue {
            let since = status::text(certificate.status.renewal_time).unwrap_or_default();
            format!("The certificate {namespace}/{name} should have been renewed at {since}")
        } else {
            format!("The certificate {namespace}/{name} is not ready")
        };
        let end = status::text(certificate.status.not_after).into_known();
        let end = end.map(|end| format!("It is valid until {end}. ")).unwrap_or_default();
        self.warnings.push(Diagnostic::warning(summary, format!("{end}{diagnosis}")));
    }

    /// The digest that stays in the cluster says whether the Secret is what was applied.
    async fn credentials(&mut self, state: &mut TlsEndpoint) -> Result<(), Error> {
        let Some(key) = objects::credentials_key(self.spec) else { return Ok(()) };
        let names = &self.spec.names;
        let digests = self.cluster.find_digests(&names.namespace, &names.owner()).await?;
        // Known in every state: nothing recorded is a revision too.
        let recorded = digests.as_ref().map(|digests| revision(digests, [key.key.as_str()]));
        state.credentials_revision = recorded.unwrap_or_default().into();
        let (Some(digests), true) = (digests, objects::reads_here(self.spec)) else { return Ok(()) };
        let found: Option<Secret> = self.cluster.find(Some(&names.namespace), &key.name).await?;
        let content = found.and_then(|found| found.data).and_then(|mut data| data.remove(&key.key));
        if !is_as_recorded(&digests, &key.key, content.as_ref().map(|content| content.0.as_slice())) {
            let object = ffe_cluster::ObjectRef::of::<Secret>(Some(&names.namespace), &key.name);
            if !self.drifted.contains(&drift(&object, MISSING)) {
                self.drifted.push(drift(&object, &format!("data.{}", key.key)));
            }
        }
        Ok(())
    }

    /// The DNS records. What cannot be looked at is a warning: the rest was.
    async fn records(&mut self, session: &Session, state: &mut TlsEndpoint, cancel: &Cancel) {
        let Some(dns) = &self.spec.dns else { return };
        let client = match session.dns(&dns.provider) {
            Ok(client) => client,
            Err(why) => {
                let detail = dns::unavailable(why).to_string();
                self.warnings.push(Diagnostic::warning("The DNS records were not looked at", detail));
                return;
            }
        };
        let Ok(owner) = dns::owner(self.cluster, &self.spec.names).await else { return };
        let target = dns.target.clone().or_else(|| state.address.as_str().map(str::to_owned));
        let mut ids = std::collections::BTreeMap::new();
        for host in &self.spec.hosts {
            let found = async {
                let zone = client.zone_of(host, dns.zone.as_deref(), cancel).await?;
                client.records(&zone, host, cancel).await
            };
            let records = match found.await {
                Ok(records) => records,
                Err(error) => {
                    let told = dns_diagnostic(&error, &format!("The DNS record of {host} was not looked at"));
                    self.warnings.push(Diagnostic { severity: tfplugin::Severity::Warning, ..told });
                    return;
                }
            };
            let wish = target.as_deref().and_then(|target| dns::wish(dns, host, target).ok());
            let decision = wish.map(|wish| decide(&records, &wish, &owner, &dns.adopt));
            match &decision {
                Some(Decision::Nothing(_)) | None => {}
                Some(Decision::Create { .. }) => self.drifted.push(drift(format!("DNS record {host}"), MISSING)),
                Some(_) => self.drifted.push(drift(format!("DNS record {host}"), "content")),
            }
            // One of ours that somebody has edited is ours still: a destroy has to find it.
            let ours = match decision {
                Some(
                    Decision::Nothing(record)
                    | Decision::Update { record, adopts: false, .. }
                    | Decision::Tidy { keep: record, .. },
                ) => Some(record.id),
                Some(Decision::Replace { mut records, adopts: false, .. }) => records.pop().map(|record| record.id),
                Some(_) => None,
                None => state.dns_records.known().and_then(|ids| ids.get(host)?.as_str().map(str::to_owned)),
            };
            ids.extend(ours.map(|id| (host.clone(), Attr::Known(id))));
        }
        state.dns_records = ids.into();
    }
}

fn is_cert_managers(live: &serde_json::Value) -> bool {
    let owners = live["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.into_iter().any(|owner| matches!(owner["kind"].as_str(), Some("Ingress" | "Gateway" | "HTTPRoute")))
}
