//! The resource as the SDK calls it: each call in a few lines, the work in the modules around.

use std::sync::Arc;

use ffe_cluster::Cluster;
use ffe_session::{Session, cancellation, diagnostic, diagnostic_of_recorded, new_run_id, with_detail};
use tfplugin::{
    Applied, Attr, Context, Create, Deferred, Delete, Diagnostics, Field, Imported, Model, Plan, Private, Read,
    Refreshed, Resource, Update, async_trait,
};
use tokio::time::Instant;

use crate::claim::Terms;
use crate::drift::not_done;
use crate::former::FormerNames;
use crate::issuances::Tally;
use crate::model::TlsEndpoint;
use crate::names::TYPE_NAME;
use crate::remove::known_objects;
use crate::run::{Done, Recorded, Run, bug};
use crate::settle::settle;
use crate::spec::Spec;
use crate::steps::{self, Step};
use crate::{delete, import, issuances, plan, read, validate};

/// `ffe_tls_endpoint`.
pub struct TlsEndpointResource {
    session: Arc<Session>,
    tally: Tally,
}

impl TlsEndpointResource {
    /// The resource, on the configured provider.
    pub fn new(session: Arc<Session>) -> TlsEndpointResource {
        TlsEndpointResource { session, tally: Tally::default() }
    }

    fn cluster(&self) -> Result<Cluster, Diagnostics> {
        self.session.cluster().map_err(ffe_session::Unavailable::into_diagnostics)
    }
}

/// What is kept beside the state.
pub(crate) mod private {
    pub(crate) use ffe_session::private::{cluster, server, set_cluster, set_taken_over, taken_over};
    use tfplugin::Private;

    use crate::spec::CLOUDFLARE;

    const SUCCESSOR: &str = "successor";

    /// What comes in the place of what is deleted.
    #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Successor {
        /// Its namespace and name.
        pub(crate) namespace: String,
        pub(crate) name: String,
        /// The hosts whose records it manages, who keeps them, and the zone that is configured for them.
        pub(crate) records: Vec<String>,
        #[serde(default)]
        pub(crate) provider: Option<String>,
        pub(crate) zone: Option<String>,
    }

    impl Successor {
        /// Whether the record of a host is its own.
        pub(crate) fn manages(&self, host: &str, zone: Option<&str>, provider: &str) -> bool {
            self.records.iter().any(|one| one == host)
                && self.zone.as_deref() == zone
                && self.provider.as_deref().unwrap_or(CLOUDFLARE) == provider
        }
    }

    /// Notes which cluster a run was in.
    pub(crate) fn note_cluster(private: &mut Private, done: &super::Done) {
        if let Some((cluster, server)) = &done.reached {
            set_cluster(private, cluster, server);
        }
    }

    /// Notes in the plan of a create what is to be there then. When something is replaced, Terraform hands the private state of
    /// that plan to the delete, which so knows who comes after it. A state never has it.
    pub(crate) fn set_successor(private: &mut Private, successor: &Successor) {
        private.set(SUCCESSOR, successor);
    }

    /// What comes in the place of what is deleted.
    pub(crate) fn successor(private: &Private) -> Option<Successor> {
        private.get(SUCCESSOR)
    }
}

#[async_trait]
impl Resource for TlsEndpointResource {
    type Model = TlsEndpoint;

    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    async fn validate(&self, _cx: &Context, config: &TlsEndpoint) -> Diagnostics {
        validate::validate(config)
    }

    fn settle(&self, config: &TlsEndpoint, planned: &mut TlsEndpoint) {
        settle(config, planned);
    }

    async fn plan(&self, cx: &Context, plan: &mut Plan<TlsEndpoint>) -> Diagnostics {
        if let Some(successor) = successor(&plan.planned).filter(|_| plan.is_create()) {
            private::set_successor(&mut plan.private, &successor);
        }
        let guard = cancellation(cx);
        plan::plan(&self.session, &self.tally, plan, &guard.token()).await
    }

    async fn plan_destroy(&self, _cx: &Context, prior: &TlsEndpoint, _private: &Private) -> Diagnostics {
        let (Some(spec), Ok(cluster)) = (Spec::of(prior), self.session.cluster()) else { return Diagnostics::new() };
        self.tally.leave(&spec.names.import_id());
        issuances::warning(&cluster, &spec, "destroyed").await.into_iter().collect()
    }

    async fn create(&self, cx: &Context, request: Create<TlsEndpoint>) -> Applied<TlsEndpoint> {
        let mut done = Done::default();
        let wish = Wish { config: &request.config, planned: &request.planned, prior: None };
        let terms = Terms { creating: true, ..Terms::default() };
        match self.make(cx, wish, terms, &mut done).await {
            Ok(()) => {
                let mut private = Private::default();
                private::note_cluster(&mut private, &done);
                finished(request.planned, private, done)
            }
            Err(mut diagnostics) => {
                // What it was to replace is there, and serves; records lie where nobody would find them without a state.
                let is_kept = done.replaces || !done.dns_records.is_empty();
                let spec = Spec::of(&request.planned);
                if let Some(remains) = spec.as_ref().and_then(|spec| remains(&done, spec)).filter(|_| !is_kept) {
                    diagnostics = with_detail(diagnostics, &remains);
                } else if !done.replaces && is_kept {
                    diagnostics = with_detail(diagnostics, KEPT);
                }
                let mut applied = Applied::failed(diagnostics);
                if is_kept {
                    applied.state = Some(as_far_as_known(request.planned, &done));
                    private::note_cluster(&mut applied.private, &done);
                }
                applied.with(done.warnings)
            }
        }
    }

    async fn read(&self, cx: &Context, request: Read<TlsEndpoint>) -> Refreshed<TlsEndpoint> {
        let guard = cancellation(cx);
        read::read(&self.session, request, &guard.token()).await
    }

    async fn update(&self, cx: &Context, request: Update<TlsEndpoint>) -> Applied<TlsEndpoint> {
        let mut done = Done::default();
        let terms = Terms {
            creating: false,
            adopt: private::taken_over(&request.private),
            known: Spec::of(&request.prior).map(|spec| known_objects(&spec)).unwrap_or_default(),
        };
        let mut private = request.private;
        let wish = Wish { config: &request.config, planned: &request.planned, prior: Some(&request.prior) };
        let made = match self.same_cluster(&private).await {
            Ok(()) => self.make(cx, wish, terms, &mut done).await,
            Err(diagnostics) => Err(diagnostics),
        };
        match made {
            Ok(()) => {
                private::note_cluster(&mut private, &done);
                private::set_taken_over(&mut private, false);
                finished(request.planned, private, done)
            }
            Err(diagnostics) => {
                let mut applied = Applied::failed(diagnostics).with(std::mem::take(&mut done.warnings));
                applied.state = Some(partial(request.prior, request.planned, &done));
                applied.private = private;
                applied
            }
        }
    }

    async fn delete(&self, cx: &Context, request: Delete<TlsEndpoint>) -> Diagnostics {
        self.take_down(cx, &request).await.unwrap_or_else(|errors| errors)
    }

    async fn defer_import(&self, _cx: &Context, _id: &str) -> Option<Deferred> {
        self.session.deferral()
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<TlsEndpoint>, Diagnostics> {
        import::import(&self.cluster()?, id).await
    }
}

/// What an apply is about.
#[derive(Clone, Copy)]
struct Wish<'a> {
    config: &'a TlsEndpoint,
    planned: &'a TlsEndpoint,
    prior: Option<&'a TlsEndpoint>,
}

impl TlsEndpointResource {
    /// Goes through the steps.
    async fn make(&self, cx: &Context, wish: Wish<'_>, terms: Terms, done: &mut Done) -> Result<(), Diagnostics> {
        let cluster = self.cluster()?;
        let spec =
            Spec::of(wish.planned).ok_or_else(|| Diagnostics::from(bug("something in the plan is not known")))?;
        let identity = cluster.identity().await;
        let identity = identity.map_err(|error| diagnostic(&error, "The cluster could not be reached"))?;
        done.reached = Some((identity, cluster.server().to_owned()));
        let guard = cancellation(cx);
        let mut run = Run {
            cluster: &cluster,
            session: &self.session,
            spec: &spec,
            config: wish.config,
            planned: wish.planned,
            prior: wish.prior,
            inputs: ffe_session::inputs::to_text(&wish.config.to_value(), &TlsEndpoint::schema()),
            run_id: new_run_id(),
            terms: Terms { adopt: terms.adopt || wish.planned.adopt == Attr::Known(true), ..terms },
            cancel: guard.token(),
            deadline: Instant::now() + spec.timeout,
            lock: None,
            around: None,
            change: None,
            hosts_first: true,
            triggers: Default::default(),
            marks: Default::default(),
            looked_at: Default::default(),
            record: Recorded::default(),
            former: FormerNames::of(wish.prior.and_then(Spec::of).as_ref(), &spec),
            served_beside: Default::default(),
            keeps_certificate: false,
            done: std::mem::take(done),
        };
        let ended = steps::go(&mut run).await;
        *done = run.done;
        ended
    }

    async fn same_cluster(&self, private: &Private) -> Result<(), Diagnostics> {
        let cluster = self.cluster()?;
        match private::cluster(private) {
            Some(recorded) => cluster.check_same(&recorded).await.map_err(|error| {
                diagnostic_of_recorded(&error, "Nothing was changed", private::server(private).as_deref()).into()
            }),
            None => Ok(()),
        }
    }

    async fn take_down(&self, cx: &Context, request: &Delete<TlsEndpoint>) -> Result<Diagnostics, Diagnostics> {
        self.same_cluster(&request.private).await?;
        let cluster = self.cluster()?;
        // Imported and never taken over: nothing there is ours.
        let Some(spec) = Spec::of(&request.state) else { return Ok(Diagnostics::new()) };
        let guard = cancellation(cx);
        let successor = private::successor(&request.private);
        if successor.as_ref().is_some_and(|one| one.namespace == spec.names.namespace && one.name == spec.names.name) {
            return delete::hand_over(&cluster, &spec, &guard.token()).await;
        }
        let what = delete::Doomed { state: &request.state, spec: &spec, successor: successor.as_ref() };
        delete::delete(&self.session, &cluster, what, &guard.token()).await
    }
}

/// The state after a run that went through.
fn finished(planned: TlsEndpoint, private: Private, done: Done) -> Applied<TlsEndpoint> {
    let mut state = planned;
    outputs(&mut state, &done);
    Applied::done(state, private).with(done.warnings)
}

/// Fills in what a run has found out; what was promised stays.
fn outputs(state: &mut TlsEndpoint, done: &Done) {
    if state.address.is_unknown() {
        state.address = done.address().map(str::to_owned).into();
    }
    if state.dns_records.is_unknown() {
        let records = done.dns_records.iter().map(|(host, id)| (host.clone(), Attr::Known(id.clone())));
        state.dns_records = Attr::Known(records.collect());
    }
    if state.verify_results.is_unknown() {
        state.verify_results = Attr::Known(done.results.clone());
    }
    if state.certificate_status.is_unknown() {
        state.certificate_status = done.status.clone().into();
    }
    if state.credentials_revision.is_unknown() {
        state.credentials_revision = done.credentials_revision.clone().into();
    }
}

/// What a plan makes, for the delete of what it replaces; none where it is not known yet.
fn successor(planned: &TlsEndpoint) -> Option<private::Successor> {
    let dns = planned.dns.known();
    let hosts = planned.hosts.known().filter(|_| dns.is_some()).into_iter().flatten();
    Some(private::Successor {
        namespace: planned.namespace.as_str()?.to_owned(),
        name: planned.name.as_str()?.to_owned(),
        records: hosts.filter_map(|host| host.as_str().map(str::to_owned)).collect(),
        provider: dns.and_then(|dns| dns.provider.as_str()).map(str::to_owned),
        zone: dns.and_then(|dns| dns.zone.as_str()).map(str::to_owned),
    })
}

/// The state of a replacement that ended half-way: what is not known is not there.
fn as_far_as_known(planned: TlsEndpoint, done: &Done) -> TlsEndpoint {
    let mut state = planned;
    outputs(&mut state, done);
    state
}

/// The state after an update that ended half-way: what it got through is as planned, the rest as before, and it says
/// where it ended, so that the next plan shows that something is left.
fn partial(prior: TlsEndpoint, planned: TlsEndpoint, done: &Done) -> TlsEndpoint {
    let begun = done.failed.is_some_and(|step| step > Step::Look);
    if begun && Spec::of(&prior).is_none() {
        // An import's first apply: the prior state knows too little to be looked at, or destroyed, by. What is not done
        // yet is said all the same, and a destroy finds what there is.
        let mut state = planned.clone();
        outputs(&mut state, done);
        return unfinished(state, &planned, done);
    }
    if begun && prior.name != planned.name {
        // Under its former name it is what it was, until nothing of that is left but its end.
        let state = if done.failed == Some(Step::Record) { as_far_as_known(planned.clone(), done) } else { prior };
        return unfinished(state, &planned, done);
    }
    unfinished(as_far_as(prior, &planned, done), &planned, done)
}

/// The prior state, with what the steps that are through have brought.
fn as_far_as(prior: TlsEndpoint, planned: &TlsEndpoint, done: &Done) -> TlsEndpoint {
    let mut state = prior;
    for step in &done.steps {
        match step {
            // Beside a class or a Gateway that is left at the end, the endpoint's own route is as it was.
            Step::Route if done.moves => {}
            Step::Route => {
                state.backend = planned.backend.clone();
                state.backends = planned.backends.clone();
                state.path = planned.path.clone();
                state.path_type = planned.path_type.clone();
                state.ingress_class = planned.ingress_class.clone();
                state.gateway = planned.gateway.clone();
                state.security = planned.security.clone();
                state.middlewares = planned.middlewares.clone();
                state.annotations = planned.annotations.clone();
                state.labels = planned.labels.clone();
                state.backend_tls = planned.backend_tls.clone();
            }
            Step::Address if done.moves => {}
            Step::Address => state.address = done.address().map(str::to_owned).into(),
            Step::Dns => {
                state.dns = planned.dns.clone();
                let records = done.dns_records.iter().map(|(host, id)| (host.clone(), Attr::Known(id.clone())));
                state.dns_records = if planned.dns.is_null() { Attr::Null } else { Attr::Known(records.collect()) };
            }
            Step::Issuer => state.credentials_revision = done.credentials_revision.clone().into(),
            Step::Certificate => {
                // Not before: until it has been asked for anew, the next run has to see that the issuer is another one.
                state.issuer = planned.issuer.clone();
                state.hosts = planned.hosts.clone();
                state.url = planned.url.clone();
                state.urls = planned.urls.clone();
                state.secret_name = planned.secret_name.clone();
                state.certificate = planned.certificate.clone();
            }
            Step::Issued => state.certificate_status = done.status.clone().into(),
            Step::Verify => {
                state.verify = planned.verify.clone();
                state.verify_results = Attr::Known(done.results.clone());
            }
            Step::Alert => state.alert = planned.alert.clone(),
            Step::Lock | Step::Look | Step::Serve | Step::Accepted | Step::Resolved | Step::Record => {}
        }
    }
    state
}

/// The state says where the run ended, so that the next plan is a change.
fn unfinished(mut state: TlsEndpoint, planned: &TlsEndpoint, done: &Done) -> TlsEndpoint {
    if let Some(step) = done.failed.filter(|step| *step > Step::Look) {
        let names = Spec::of(planned).map(|spec| spec.names.import_id()).unwrap_or_default();
        let pending = not_done(&format!("{TYPE_NAME} {names}"), step.name());
        let mut drifted = state.drifted.into_known().unwrap_or_default();
        drifted.retain(|one| !crate::drift::is_not_done(one));
        drifted.push(pending);
        state.drifted = drifted.into();
    }
    state
}

/// A create that failed after it had made records.
const KEPT: &str = "The endpoint is in the state, as tainted, because it has DNS records already: the next apply goes on with what \
                    is there, and a destroy removes all of it.";

/// What a create that failed leaves behind, and how to be rid of it.
fn remains(done: &Done, spec: &Spec) -> Option<String> {
    if done.objects.is_empty() {
        return None;
    }
    let mut list: Vec<String> = done.objects.iter().map(|object| format!("  {object}")).collect();
    list.push(format!("  Lease {}/{}", spec.names.namespace, spec.names.lease()));
    let mut places: Vec<Option<&str>> = done.objects.iter().map(|object| object.namespace.as_deref()).collect();
    places.sort_unstable();
    places.dedup();
    let commands = places.into_iter().map(|place| {
        let there = done.objects.iter().rev().filter(|object| object.namespace.as_deref() == place);
        let objects = there.map(|object| {
            let group = object.api_version.split_once('/').map(|(group, _)| format!(".{group}")).unwrap_or_default();
            format!(" {}{group}/{}", object.kind.to_lowercase(), object.name)
        });
        let lease = format!(" lease.coordination.k8s.io/{}", spec.names.lease());
        let lease = if place == Some(spec.names.namespace.as_str()) { lease } else { String::new() };
        let place = place.map(|place| format!(" --namespace {place}")).unwrap_or_default();
        format!("  kubectl delete{place}{}{lease}", objects.collect::<String>())
    });
    let commands = commands.collect::<Vec<_>>().join("\n");
    let adopted: Vec<String> = done.adopted.iter().map(ToString::to_string).collect();
    let adopted = if adopted.is_empty() {
        String::new()
    } else {
        format!("\n\nTaken over already, and not to be removed: {}.", adopted.join(", "))
    };
    Some(format!(
        "Nothing is in the state. These remain, marked as an unfinished endpoint {}:\n{}\n\nThe next apply finds them and \
         goes on from there. To remove them instead:\n\n{commands}{adopted}",
        spec.names.import_id(),
        list.join("\n"),
    ))
}
