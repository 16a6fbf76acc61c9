//! An endpoint that gets another name: it is the same one, which has been made under a former name.
//!
//! What has the former name serves until what has the new one is known to its controller. Both records name each other from
//! the beginning until nothing of the former one is left, so that whoever goes on, goes back, or destroys finds all of it.

use std::collections::BTreeSet;

use ffe_cluster::{ApplyOptions, Cluster, Mark, MarkState, Ownership, ownership};
use ffe_routing::{Class, Former};
use serde_json::Value as Json;
use tfplugin::{Diagnostic, Diagnostics};

use crate::claim;
use crate::delete::{self, Doomed};
use crate::desired::{Found, find};
use crate::names::Names;
use crate::objects::{self, INPUTS, Memory};
use crate::remove;
use crate::resource::private::Successor;
use crate::run::{Run, Stop, failed};
use crate::spec::Spec;
use crate::steps::{dns, route};

const SUMMARY: &str = "What has the former name could not be looked at";

/// What the endpoint was called before, and may still be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FormerNames(BTreeSet<String>);

impl FormerNames {
    /// From the state: the name that it has, where that is another one than is planned.
    pub(crate) fn of(prior: Option<&Spec>, spec: &Spec) -> FormerNames {
        let prior = prior.filter(|prior| prior.names.namespace == spec.names.namespace);
        FormerNames(
            prior.map(|prior| prior.names.name.clone()).filter(|name| *name != spec.names.name).into_iter().collect(),
        )
    }

    /// What the record knows beside it.
    pub(crate) fn learn(&mut self, memory: &Memory, names: &Names) {
        self.0.extend(memory.also_named.iter().filter(|name| **name != names.name).cloned());
    }

    /// All of them, in a namespace.
    pub(crate) fn all(&self, namespace: &str) -> Vec<Names> {
        self.0.iter().map(|name| Names::new(namespace, name)).collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The mark of what has a former name's mark: it is the same endpoint's.
pub(crate) fn inherited(run: &Run<'_>, found: &Found) -> Option<Mark> {
    let owner = run.spec.names.owner();
    let Ownership::OtherResource(mark) = found.ownership(&owner) else { return None };
    let is_former = run.former_names().iter().any(|names| names.owner() == mark.owner);
    is_former.then_some(Mark { owner, state: MarkState::Complete, ..mark })
}

/// The refusal of a name that is another endpoint's already: a rename takes nothing over.
pub(crate) fn is_taken(run: &Run<'_>, record: &Found, memory: &Memory) -> Option<Diagnostic> {
    let names = &run.spec.names;
    let prior = run.prior.and_then(Spec::of).filter(|prior| prior.names != *names)?;
    let ownership = record.ownership(&names.owner());
    let begun = memory.also_named.contains(&prior.names.name);
    (!begun && !matches!(ownership, Ownership::Absent)).then(|| claim::refuse(record, names, &ownership))
}

/// What has a former name and serves now: its main object.
pub(crate) async fn serving(run: &Run<'_>) -> Result<Option<Json>, Stop> {
    for names in run.former_names() {
        if let Some(live) = main_object(run.cluster, &names).await.map_err(failed(SUMMARY))? {
            return Ok(Some(live));
        }
    }
    Ok(None)
}

async fn main_object(cluster: &Cluster, names: &Names) -> ffe_cluster::Result<Option<Json>> {
    for object in ffe_routing::names(&names.namespace, &names.name) {
        if object.name != names.name {
            continue;
        }
        let found = find(cluster, &object).await?;
        let whose = ownership(found.as_ref().map(|found| &found.metadata), &names.owner());
        if matches!(whose, Ownership::OursComplete(_) | Ownership::OursUnfinished(_)) {
            return Ok(found.and_then(|found| serde_json::to_value(found).ok()));
        }
    }
    Ok(None)
}

/// The former names' records say that the endpoint may have this one too.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn note(run: &Run<'_>) -> Result<(), Stop> {
    let names = &run.spec.names;
    for former in run.former_names() {
        let object = remove::record_object(&former);
        let Some(live) = find(run.cluster, &object).await.map_err(failed(SUMMARY))? else { continue };
        let Some(mark) = Mark::read(&live.metadata).filter(|mark| mark.owner == former.owner()) else { continue };
        let live = serde_json::to_value(&live).unwrap_or_default();
        let mut memory = objects::recorded(Some(&live)).map_err(failed(SUMMARY))?;
        if !memory.also_named.insert(names.name.clone()) {
            continue;
        }
        let record = objects::record(&former, live["data"][INPUTS].as_str(), &memory);
        let summary = "That the endpoint gets another name could not be written down";
        let record = record.map_err(failed(summary))?.marked(&mark);
        run.cluster.apply_value(&record, ApplyOptions::forced()).await.map_err(failed(summary))?;
    }
    Ok(())
}

/// How what has a former name and what has the new one get on with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Together {
    /// The controller takes only one of them.
    Never,
    /// They serve beside each other at one controller: what is seen of the one shows nothing of the other.
    AtOneController,
    /// They are reached at different places.
    Apart,
}

/// How they get on, as far as it is known by then: `reached` is where the new one is.
///
/// # Errors
/// Those of requests.
pub(crate) async fn together(run: &Run<'_>, former: &Names, reached: &[String]) -> Result<Option<Together>, Stop> {
    let Some(live) = main_object(run.cluster, former).await.map_err(failed(SUMMARY))? else { return Ok(None) };
    let resolved = &run.around()?.resolved;
    let serving = ffe_routing::Serving::of(&live, resolved);
    let found = match &run.spec.route.class {
        Class::Gateway(gateway) if live["kind"] == "HTTPRoute" => {
            let mut parents = live["spec"]["parentRefs"].as_array().into_iter().flatten();
            let is_there = parents.any(|parent| {
                let namespace = parent["namespace"].as_str().unwrap_or(&former.namespace);
                parent["name"] == gateway.name.as_str() && namespace == gateway.namespace
            });
            if is_there { Together::AtOneController } else { Together::Apart }
        }
        Class::Ingress(_) if live["kind"] == "Ingress" => {
            let of_one_class = !crate::change::is_of_another_class(&serving, resolved);
            let former = Former::of(run.cluster, &live, &serving).await.ok();
            if of_one_class && !ffe_routing::can_serve_beside(resolved) {
                Together::Never
            } else if of_one_class || former.is_some_and(|former| former.is_the_same_as(resolved, reached)) {
                Together::AtOneController
            } else {
                Together::Apart
            }
        }
        _ => Together::Apart,
    };
    Ok(Some(found))
}

/// Takes away what serves by a former name, where that is of one of these kinds.
///
/// # Errors
/// When the cluster refuses.
pub(crate) async fn leave_routes(run: &mut Run<'_>, which: &[Together]) -> Result<(), Stop> {
    for former in run.former_names() {
        let together = together(run, &former, &run.done.addresses).await?;
        let Some(together) = together.filter(|together| which.contains(together)) else { continue };
        if together != Together::Never {
            route::until_gathered(run).await?;
        }
        tracing::info!(former = %former.import_id(), "what has the former name serves no more");
        route::remove_all_of(run, &former).await?;
    }
    Ok(())
}

/// Takes down what is left of the former names.
///
/// # Errors
/// When something could not be removed.
pub(crate) async fn leave(run: &mut Run<'_>) -> Result<(), Stop> {
    let prior = run.prior.and_then(Spec::of);
    let successor = Successor {
        namespace: run.spec.names.namespace.clone(),
        name: run.spec.names.name.clone(),
        records: run.spec.dns.iter().flat_map(|_| run.spec.hosts.iter().cloned()).collect(),
        provider: run.spec.dns.as_ref().map(|dns| dns.provider.clone()),
        zone: run.spec.dns.as_ref().and_then(|dns| dns.zone.clone()),
    };
    route::until_forgotten(run).await?;
    leave_routes(run, &[Together::Apart]).await?;
    for former in run.former_names() {
        run.stop_here()?;
        let as_it_was = prior.as_ref().filter(|prior| prior.names == former).unwrap_or(run.spec);
        let spec = Spec { names: former, ..as_it_was.clone() };
        let state = run.prior.unwrap_or(run.planned);
        let what = Doomed { state, spec: &spec, successor: Some(&successor) };
        let taken_down: Result<Diagnostics, Diagnostics> =
            delete::delete(run.session, run.cluster, what, &run.cancel).await;
        run.done.warnings.extend(taken_down.map_err(Stop::Failed)?);
    }
    Ok(())
}

/// How comments of DNS records name the endpoint: by its own name, and by the former one.
///
/// # Errors
/// Those of a request.
pub(crate) async fn dns_owner(run: &Run<'_>) -> ffe_cluster::Result<ffe_dns::Owner> {
    let owner = dns::owner(run.cluster, &run.spec.names).await?;
    match run.former_names().first() {
        Some(former) => Ok(owner.also_called(&dns::owner(run.cluster, former).await?)),
        None => Ok(owner),
    }
}
