//! What a plan has to ask the cluster, and what it refuses or warns of.
//!
//! What does not exist yet may be made in the same run: nothing that is missing fails a plan.

mod in_use;
mod served;

use std::collections::BTreeSet;

use ffe_cert_manager::{IssuerKind, IssuerRef, certificate_ref};
use ffe_cluster::k8s_openapi::api::core::v1::Secret;
use ffe_cluster::{Cancel, Cluster, ObjectRef, Ownership};
use ffe_dns::{Decision, Record, Zone, decide};
use ffe_session::issuers::credentials::differ;
use ffe_session::{Session, Unavailable};
use tfplugin::{Attr, Deferred, Diagnostic, Diagnostics, Path, Plan, Severity};

use crate::desired::{Desired, Found, Part, find};
use crate::errors::{dns_diagnostic, refused};
use crate::issuances::Tally;
use crate::model::TlsEndpoint;
use crate::names::Names;
use crate::resource::private;
use crate::run::credentials;
use crate::spec::Spec;
use crate::steps::{dns, look, route};
use crate::{claim, issuances, settle, taken_over};

pub(crate) async fn plan(
    session: &Session,
    tally: &Tally,
    plan: &mut Plan<TlsEndpoint>,
    cancel: &Cancel,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    // Whether something is taken over that has settings of its own is for the cluster to say, and until it does, not known.
    let may_take_over = plan.is_create() && !matches!(plan.config.adopt, Attr::Null | Attr::Known(false));
    if may_take_over {
        plan.planned.security = settle::security(&plan.config.security, Some(&taken_over::NOT_KNOWN));
        plan.planned.security_before = Attr::Unknown;
    }
    let cluster = match session.cluster() {
        Ok(cluster) => cluster,
        Err(Unavailable::Unknown) => {
            plan.deferred = Some(Deferred::ProviderConfigUnknown);
            return diagnostics;
        }
        Err(Unavailable::Invalid(errors)) => return errors,
    };
    if takes_one_listener(plan) {
        plan.requires_replace.push(Path::attribute("name"));
    }
    let replaced = !plan.is_create() && !plan.requires_replace.is_empty();
    if replaced {
        let prior = plan.prior.as_ref().and_then(Spec::of);
        if let Some(prior) = prior {
            tally.leave(&prior.names.import_id());
            diagnostics.extend(issuances::warning(&cluster, &prior, "replaced").await);
            let by_name = plan.planned.namespace.as_str() == Some(&prior.names.namespace);
            diagnostics.push(in_use::replaced(&prior, by_name));
        }
        return diagnostics;
    }
    diagnostics.extend(notice_credentials(session, &cluster, plan).await);
    if !plan.is_change() {
        return diagnostics;
    }
    keep_known(plan);
    let prior = plan.prior.as_ref().and_then(Spec::of);
    if may_take_over && plan.config.adopt.is_known() {
        diagnostics.extend(leave_as_it_is(&cluster, plan).await);
    }
    let Some(spec) = Spec::of(&plan.planned) else { return diagnostics };
    if plan.is_create() && plan.config.adopt != Attr::Known(true) && !plan.config.adopt.is_unknown() {
        diagnostics.extend(taken(&cluster, &spec, None).await);
    }
    if plan.planned.adopt == Attr::Known(true) || private::taken_over(&plan.private) {
        diagnostics.extend(foresee_loss(&cluster, &spec).await);
    }
    diagnostics.extend(foresee_issuer(&cluster, &spec).await);
    diagnostics.extend(issuances::foresee(&cluster, tally, prior.as_ref(), &spec).await);
    let creating = plan.is_create() && plan.planned.adopt != Attr::Known(true);
    let former = prior.filter(|prior| prior.names != spec.names);
    if let Some(former) = &former {
        diagnostics.extend(taken(&cluster, &spec, Some(&former.names)).await);
        let asks = |spec: &Spec| (spec.certificate.secret_name.clone(), spec.issuer.clone());
        if asks(former) != asks(&spec) {
            diagnostics.extend(issuances::warning(&cluster, former, "renamed").await);
        }
        diagnostics.extend(in_use::renamed(&cluster, former, &spec, &plan.config).await);
    }
    let former: Vec<Names> = former.into_iter().map(|former| former.names).collect();
    diagnostics.extend(impossible(&spec));
    let hosts_before = plan.prior.as_ref().map(look::hosts_of).unwrap_or_default();
    diagnostics.extend(beside_others(tally, plan, &spec));
    let beginning = Beginning { tally, creating, hosts_before };
    diagnostics.extend(foresee_route(&cluster, &spec, &beginning, &former).await);
    if !plan.is_create() || plan.planned.adopt == Attr::Known(true) {
        diagnostics.extend(in_use::told(&cluster, plan, &spec).await);
    }
    if spec.dns.is_some() {
        diagnostics.extend(foresee_dns(session, &cluster, &spec, former.first(), cancel).await);
    }
    diagnostics
}

/// Whether an endpoint gets another name at a Gateway that has a listener of its own: the Gateway takes only one for a host, so
/// that the former one has to go first.
fn takes_one_listener(plan: &Plan<TlsEndpoint>) -> bool {
    let (Some(prior), Some(spec)) = (plan.prior.as_ref().and_then(Spec::of), Spec::of(&plan.planned)) else {
        return false;
    };
    let now = route::managed_gateway(&spec);
    prior.names != spec.names && now.is_some() && route::managed_gateway(&prior) == now
}

/// A site that is taken over goes on as it does where the configuration is silent.
async fn leave_as_it_is(cluster: &Cluster, plan: &mut Plan<TlsEndpoint>) -> Option<Diagnostic> {
    let (Some(namespace), Some(name)) = (plan.config.namespace.as_str(), plan.config.name.as_str()) else {
        return None;
    };
    match taken_over::look(cluster, &Names::new(namespace, name)).await {
        Ok(before) => {
            plan.planned.security = settle::security(&plan.config.security, before.as_ref());
            plan.planned.security_before = before.into();
            None
        }
        Err(diagnostic) => Some(diagnostic),
    }
}

/// What the change does not touch stays known, so that who depends on it does not look changed: the address, which
/// belongs to the controller, while the class stays; the certificate while nobody asks for another one.
fn keep_known(plan: &mut Plan<TlsEndpoint>) {
    let (Some(prior), planned) = (&plan.prior, &mut plan.planned) else { return };
    if prior.ingress_class == planned.ingress_class && prior.gateway == planned.gateway && prior.address.is_known() {
        planned.address = prior.address.clone();
    }
    let same = prior.hosts == planned.hosts
        && prior.secret_name == planned.secret_name
        && prior.certificate == planned.certificate
        // One that is changed in place issues anew, under the same name.
        && prior.issuer == planned.issuer
        && prior.drifted.known().is_some_and(Vec::is_empty);
    let ready = prior.certificate_status.known().is_some_and(|status| status.ready == Attr::Known(true));
    if same && ready {
        planned.certificate_status = prior.certificate_status.clone();
    }
}

/// Objects that exist and belong to nobody of ours. Those with a mark of ours may be on their way out in the same run (a
/// replacement): that is looked at when they are made.
async fn taken(cluster: &Cluster, spec: &Spec, former: Option<&Names>) -> Diagnostics {
    let names = &spec.names;
    let certificate = certificate_ref(&names.namespace, &spec.certificate.secret_name);
    let routes = match ffe_routing::inspect(cluster, &spec.route).await {
        Ok(resolved) => {
            let objects = ffe_routing::objects(&spec.route, &resolved).into_iter();
            objects.filter_map(|object| ObjectRef::from_value(&object).ok()).collect()
        }
        Err(_) => route::main_object(spec).into_iter().collect::<Vec<_>>(),
    };
    let routes = routes.into_iter().map(|object| (Part::Route, object));
    let issuer = spec.own_issuer.as_ref().map(|_| (Part::Issuer, spec.issuer.object(&names.namespace)));
    let mut diagnostics = Diagnostics::new();
    for (part, reference) in routes.chain([(Part::Certificate, certificate)]).chain(issuer) {
        match find(cluster, &reference).await {
            Ok(live) => {
                let desired = Desired { part, object: serde_json::Value::Null, reference };
                let found = Found { desired, live };
                let ownership = found.ownership(&names.owner());
                let theirs = match ownership {
                    Ownership::Foreign { .. } => true,
                    Ownership::OtherResource(ref mark) => {
                        part == Part::Issuer && former.is_none_or(|former| former.owner() != mark.owner)
                    }
                    _ => false,
                };
                if theirs {
                    diagnostics.push(claim::refuse(&found, names, &ownership));
                }
            }
            // The cluster may be on its way up. What is wrong with it is said when it is needed.
            Err(error) => {
                let summary = format!("Whether {reference} exists already could not be checked");
                diagnostics.push(warning(ffe_session::diagnostic(&error, &summary)));
                return diagnostics;
            }
        }
    }
    diagnostics
}

/// What an ingress of somebody else does and the endpoint will not: rules, certificates and Middlewares are wholes.
async fn foresee_loss(cluster: &Cluster, spec: &Spec) -> Option<Diagnostic> {
    let object = route::main_object(spec).filter(|object| object.kind == "Ingress")?;
    let live = find(cluster, &object).await.ok().flatten()?;
    if !matches!(ffe_cluster::ownership(Some(&live.metadata), &spec.names.owner()), Ownership::Foreign { .. }) {
        return None;
    }
    let described = match ffe_routing::describe(cluster, &spec.names.namespace, &spec.names.name).await {
        Ok(described) => described,
        Err(error) => {
            tracing::info!(%error, %object, "what it does was not looked at");
            return None;
        }
    };
    let (theirs, ours, mut lost) = (&described.route, &spec.route, described.lost);
    lost.extend(theirs.hosts.iter().filter(|host| !ours.hosts.contains(host)).map(|host| format!("host {host}")));
    let leads = |rule: &ffe_routing::Rule| (rule.path.clone(), rule.backend.service.clone());
    let kept = |rule: &ffe_routing::Rule| ours.rules.iter().any(|one| leads(one) == leads(rule));
    let kept_middleware =
        |one: &ffe_routing::Middleware| ours.middlewares.iter().any(|known| known.reference() == one.reference());
    let middlewares = theirs.middlewares.iter().filter(|one| !kept_middleware(one));
    lost.extend(middlewares.map(|one| format!("{one}; to keep it, name it in middlewares")));
    lost.extend(theirs.rules.iter().filter(|rule| !kept(rule)).map(|rule| format!("path {rule}")));
    (!lost.is_empty()).then(|| {
        let list = lost.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n");
        Diagnostic::warning(
            format!("{object} does more than the endpoint, and will not any more"),
            format!(
                "The apply takes it over and makes it as the configuration says. Lost is then:\n{list}\n\nWhat is still \
                 needed goes into the configuration, or into an Ingress of its own before the apply."
            ),
        )
        .at(Path::attribute("adopt"))
    })
}

/// Makes the plan a change when the credentials changed and no version speaks for them. Refuses a solver without any.
async fn notice_credentials(session: &Session, cluster: &Cluster, plan: &mut Plan<TlsEndpoint>) -> Option<Diagnostic> {
    let secret = match credentials(&plan.config, session) {
        Ok(secret) => secret.filter(|one| one.version.is_null())?,
        Err(refused) => return Some(refused),
    };
    if plan.is_create() || plan.is_change() {
        return None;
    }
    let names = Spec::of(&plan.planned)?.names;
    match cluster.find_digests(&names.namespace, &names.owner()).await {
        Ok(digests) => {
            if differ(&[secret], digests.as_ref()) {
                plan.touch();
            }
            None
        }
        Err(error) => Some(warning(ffe_session::diagnostic(
            &error,
            "Whether the issuer's credentials changed could not be checked; the plan does not show it if they did",
        ))),
    }
}

/// An issuer that is referred to without its kind, which is a ClusterIssuer's mostly.
async fn foresee_issuer(cluster: &Cluster, spec: &Spec) -> Option<Diagnostic> {
    let issuer = &spec.issuer;
    if spec.own_issuer.is_some() || issuer.kind != IssuerKind::Issuer {
        return None;
    }
    let of_all = IssuerRef::cluster_issuer(&issuer.name);
    let (here, there) = (issuer.object(&spec.names.namespace), of_all.object(&spec.names.namespace));
    let is_missing = matches!(find(cluster, &here).await, Ok(None));
    let is_there = is_missing && matches!(find(cluster, &there).await, Ok(Some(_)));
    is_there.then(|| {
        Diagnostic::warning(
            format!("{here} does not exist, {there} does"),
            "If that one is meant, set issuer.kind = \"ClusterIssuer\". Otherwise the Issuer has to be there when the endpoint \
             is made.",
        )
        .at(Path::attribute("issuer").child("kind"))
    })
}

/// From where an endpoint comes to its hosts.
struct Beginning<'a> {
    tally: &'a Tally,
    creating: bool,
    hosts_before: Vec<String>,
}

impl Beginning<'_> {
    /// Whether it would be the second endpoint of a host, beside one that stays.
    fn is_second(&self, conflict: &ffe_routing::Conflict, adopt: bool) -> bool {
        claim::is_of_two_endpoints(conflict, self.creating, &self.hosts_before, adopt)
            && !self.tally.is_leaving(conflict.endpoint.as_deref())
    }
}

/// What the class cannot do, and others who serve the same.
async fn foresee_route(cluster: &Cluster, spec: &Spec, beginning: &Beginning<'_>, former: &[Names]) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let resolved = match ffe_routing::inspect(cluster, &spec.route).await {
        Ok(resolved) => resolved,
        Err(error) => {
            tracing::info!(%error, "what serves the route is not there yet");
            return diagnostics;
        }
    };
    diagnostics.extend(refused(&ffe_routing::refusals(&spec.route, &resolved)));
    match ffe_routing::unmet(cluster, &spec.route, &resolved).await {
        // It may be made, or changed, in the same run.
        Ok(unmet) => diagnostics.extend(refused(&unmet).into_iter().map(warning)),
        Err(error) => tracing::info!(%error, "what others have made for the route was not looked at"),
    }
    diagnostics.extend(served::as_one(&ffe_routing::warnings(&spec.route, &resolved)));
    diagnostics.extend(served::counted_as_one(cluster, spec, &resolved).await);
    match ffe_routing::conflicts(cluster, &spec.route, &resolved).await {
        Ok(conflicts) => {
            for conflict in conflicts.into_iter().filter(|conflict| !route::is_of(&conflict.object, former)) {
                if beginning.is_second(&conflict, spec.adopt) {
                    diagnostics.push(claim::refuse_second(&conflict));
                    continue;
                }
                let refused = if conflict.fatal && beginning.creating {
                    " It may go in the same run; as long as it is there, the endpoint is not made."
                } else {
                    ""
                };
                let detail = format!("{conflict}.{refused}\n\n{}", conflict.advice());
                diagnostics
                    .push(Diagnostic::warning("Another route serves the same", detail).at(Path::attribute("hosts")));
            }
        }
        Err(error) => tracing::info!(%error, "other routes were not looked at"),
    }
    diagnostics
}

/// What no cluster would take of the route, or the endpoint does not let be said.
fn impossible(spec: &Spec) -> Diagnostics {
    let told = ["backends", "backend_tls", "labels", "annotations", "middlewares"];
    let mut problems = spec.route.problems();
    problems.retain(|problem| told.iter().any(|one| problem.attribute.starts_with(one)));
    refused(&problems)
}

/// Two new endpoints of one run for the same host, of which the cluster knows nothing yet.
fn beside_others(tally: &Tally, plan: &Plan<TlsEndpoint>, spec: &Spec) -> Option<Diagnostic> {
    if let Some(prior) = plan.prior.as_ref().and_then(Spec::of).filter(|prior| prior.names != spec.names) {
        tally.leave(&prior.names.import_id());
    }
    let (endpoint, place) = (spec.names.import_id(), format!("{:?}", spec.route.class));
    let (other, host) = tally.serve(&endpoint, &place, &spec.hosts)?;
    (plan.is_create() && !spec.adopt).then(|| claim::refuse_second_of_run(&other, &host))
}

/// Records of somebody else's, as far as the target is known.
async fn foresee_dns(
    session: &Session,
    cluster: &Cluster,
    spec: &Spec,
    former: Option<&Names>,
    cancel: &Cancel,
) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let Some(dns) = &spec.dns else { return diagnostics };
    let client = match session.dns(&dns.provider) {
        Ok(client) => client,
        Err(Unavailable::Unknown) => return diagnostics,
        Err(why) => return dns::unavailable(why),
    };
    let target = match &dns.target {
        Some(target) => Some(target.clone()),
        None => current_address(cluster, spec).await,
    };
    let hosts_first = look::asks_hosts(cluster, spec).await && has_no_certificate(cluster, spec).await;
    let Ok(mut owner) = dns::owner(cluster, &spec.names).await else { return diagnostics };
    if let Some(former) = former {
        let Ok(of_before) = dns::owner(cluster, former).await else { return diagnostics };
        owner = owner.also_called(&of_before);
    }
    let (mut zones, mut too_deep) = (BTreeSet::new(), Vec::new());
    for host in &spec.hosts {
        let looked = async {
            let zone = client.zone_of(host, dns.zone.as_deref(), cancel).await?;
            diagnostics.extend(inactive(&zone).filter(|_| zones.insert(zone.name.clone())));
            too_deep.extend((dns.proxied && is_too_deep(host, &zone)).then_some(host.as_str()));
            let Some(target) = &target else { return Ok(None) };
            let records = client.records(&zone, host, cancel).await?;
            Ok::<_, ffe_dns::Error>(Some(decide(&records, &dns::wish(dns, host, target)?, &owner, &dns.adopt)))
        };
        match looked.await {
            Ok(Some(Decision::Update { record, .. })) if hosts_first && Some(&record.content) != target.as_ref() => {
                diagnostics.push(led_here_first(host, &record));
            }
            Ok(decision) => diagnostics.extend(decision.and_then(|decision| dns::refusal(host, decision))),
            Err(error) => {
                let told = dns_diagnostic(&error, &format!("The DNS records of {host} could not be looked at"));
                diagnostics.push(warning(told));
                break;
            }
        }
    }
    diagnostics.extend(without_edge_certificate(&too_deep));
    diagnostics
}

/// A zone whose registrar leads nobody to Cloudflare.
fn inactive(zone: &Zone) -> Option<Diagnostic> {
    (!zone.is_active()).then(|| {
        Diagnostic::warning(
            format!("The zone {} is not active at Cloudflare (it is {})", zone.name, zone.status),
            "Records can be made in it, and nobody sees them: the zone's registrar has to delegate to Cloudflare's name servers \
             first. Of several zones that hold a host an active one is taken; this one is the only one.",
        )
        .at(Path::attribute("dns").child("zone"))
    })
}

/// Whether Cloudflare's universal certificate, which has the zone and one label below it, lacks a host.
fn is_too_deep(host: &str, zone: &Zone) -> bool {
    let below = host.strip_suffix(zone.name.as_str()).unwrap_or_default().trim_end_matches('.');
    below.contains('.')
}

fn without_edge_certificate(hosts: &[&str]) -> Option<Diagnostic> {
    (!hosts.is_empty()).then(|| {
        Diagnostic::warning(
            format!("Cloudflare's edge may have no certificate for {}", hosts.join(", ")),
            "Its universal certificate has the zone and names one label below it, and fails the handshake for deeper ones. Order \
             another one for the edge (Cloudflare: Advanced Certificate Manager, or Total TLS), or set dns.proxied = false: then the \
             endpoint's own certificate is what clients see.",
        )
        .at(Path::attribute("dns").child("proxied"))
    })
}

async fn has_no_certificate(cluster: &Cluster, spec: &Spec) -> bool {
    let found = cluster.find::<Secret>(Some(&spec.names.namespace), &spec.certificate.secret_name).await;
    matches!(found, Ok(None))
}

/// HTTP-01 cannot be done before the host leads here.
fn led_here_first(host: &str, record: &Record) -> Diagnostic {
    Diagnostic::warning(
        format!("{host} leads to the endpoint before its certificate is there"),
        format!(
            "Its record says {} now. The issuer proves hosts by HTTP-01, so that the record has to change before the \
             certificate is issued; until then clients see the ingress controller's own certificate. With a DNS-01 solver the record changes when the certificate is there.",
            record.content
        ),
    )
    .at(Path::attribute("dns"))
}

async fn current_address(cluster: &Cluster, spec: &Spec) -> Option<String> {
    let resolved = ffe_routing::inspect(cluster, &spec.route).await.ok()?;
    let found = ffe_routing::current_address(cluster, &spec.route, &resolved).await.ok()?;
    crate::steps::address::texts(found).into_iter().next()
}

fn warning(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..diagnostic }
}
