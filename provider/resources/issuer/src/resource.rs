//! The resource as the SDK calls it: each call in a few lines, the work in the modules around.

use std::sync::Arc;

use ffe_cluster::Cluster;
use ffe_session::{Session, cancellation, diagnostic, diagnostic_of_recorded, new_run_id, with_detail};
use tfplugin::{
    Applied, Attr, Context, Create, Deferred, Delete, Diagnostics, Imported, Plan, Private, Read, Refreshed, Resource,
    Update, async_trait,
};
use tokio::time::Instant;

use crate::apply::{Done, Run, remains};
use crate::claim::Terms;
use crate::drift::{is_not_ready, not_ready};
use crate::model::Issuer;
use crate::names::TYPE_NAME;
use crate::settle::settle;
use crate::spec::Spec;
use crate::{delete, import, objects, plan, read, secrets, validate};

/// `ffe_issuer`.
pub struct IssuerResource {
    session: Arc<Session>,
}

impl IssuerResource {
    /// The resource, on the configured provider.
    pub fn new(session: Arc<Session>) -> IssuerResource {
        IssuerResource { session }
    }

    fn cluster(&self) -> Result<Cluster, Diagnostics> {
        self.session.cluster().map_err(ffe_session::Unavailable::into_diagnostics)
    }
}

/// What is kept beside the state.
pub(crate) mod private {
    pub(crate) use ffe_session::private::{cluster, server, set_cluster, set_taken_over, taken_over};
    use tfplugin::Private;

    const HOME: &str = "home";

    /// The namespace in which the issuer's Secrets are.
    pub(crate) fn home(private: &Private) -> Option<String> {
        private.get(HOME)
    }

    pub(crate) fn set_home(private: &mut Private, home: Option<&str>) {
        match home {
            Some(home) => private.set(HOME, &home),
            None => private.remove(HOME),
        }
    }
}

#[async_trait]
impl Resource for IssuerResource {
    type Model = Issuer;

    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    async fn validate(&self, _cx: &Context, config: &Issuer) -> Diagnostics {
        validate::validate(config)
    }

    fn settle(&self, config: &Issuer, planned: &mut Issuer) {
        settle(config, planned);
    }

    async fn plan(&self, _cx: &Context, plan: &mut Plan<Issuer>) -> Diagnostics {
        plan::plan(&self.session, plan).await
    }

    async fn plan_destroy(&self, _cx: &Context, prior: &Issuer, _private: &Private) -> Diagnostics {
        let (Some(spec), Ok(cluster)) = (Spec::of(prior), self.session.cluster()) else { return Diagnostics::new() };
        plan::destroyed(&cluster, &spec).await.into_iter().collect()
    }

    async fn create(&self, cx: &Context, request: Create<Issuer>) -> Applied<Issuer> {
        let mut done = Done::default();
        let mut terms = Terms::default();
        terms.usual.creating = true;
        match self.make(cx, &request.config, &request.planned, terms, &mut done).await {
            Ok((cluster, server)) => {
                let mut private = Private::default();
                private::set_cluster(&mut private, &cluster, &server);
                private::set_home(&mut private, done.home.as_deref());
                finished(request.planned, private, done)
            }
            Err(mut diagnostics) => {
                let remains = Spec::of(&request.planned).and_then(|spec| remains(&done, &spec));
                if let Some(remains) = remains {
                    diagnostics = with_detail(diagnostics, &remains);
                }
                Applied::failed(diagnostics).with(done.warnings)
            }
        }
    }

    async fn read(&self, _cx: &Context, request: Read<Issuer>) -> Refreshed<Issuer> {
        read::read(&self.session, request).await
    }

    async fn update(&self, cx: &Context, request: Update<Issuer>) -> Applied<Issuer> {
        let mut done = Done::default();
        let taken_over = private::taken_over(&request.private);
        let mut terms = Terms { hand_over: taken_over, ..Terms::default() };
        terms.usual.adopt = taken_over;
        terms.usual.known = Spec::of(&request.prior).map(|spec| vec![spec.names.object()]).unwrap_or_default();
        let mut private = request.private;
        let made = match self.same_cluster(&private).await {
            Ok(()) => self.make(cx, &request.config, &request.planned, terms, &mut done).await,
            Err(diagnostics) => Err(diagnostics),
        };
        if done.home.is_some() {
            private::set_home(&mut private, done.home.as_deref());
        }
        match made {
            Ok((cluster, server)) => {
                private::set_cluster(&mut private, &cluster, &server);
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

    async fn delete(&self, cx: &Context, request: Delete<Issuer>) -> Diagnostics {
        self.take_down(cx, &request).await.unwrap_or_else(|errors| errors)
    }

    async fn defer_import(&self, _cx: &Context, _id: &str) -> Option<Deferred> {
        self.session.deferral()
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Issuer>, Diagnostics> {
        import::import(&self.cluster()?, id).await
    }
}

impl IssuerResource {
    /// Makes it as planned; returns the cluster's identity and where it was reached.
    async fn make(
        &self,
        cx: &Context,
        config: &Issuer,
        planned: &Issuer,
        mut terms: Terms,
        done: &mut Done,
    ) -> Result<(String, String), Diagnostics> {
        let cluster = self.cluster()?;
        let spec = Spec::of(planned).ok_or_else(|| {
            Diagnostics::error(
                "The plan is not complete",
                "Something in it is not known. This is a bug in the provider; please report it.",
            )
        })?;
        let credentials = secrets::all(config, &self.session)?;
        secrets::unknown(&credentials).map_or(Ok(()), |missing| Err(Diagnostics::from(missing)))?;
        let identity = cluster.identity().await;
        let identity = identity.map_err(|error| diagnostic(&error, "The cluster could not be reached"))?;
        let guard = cancellation(cx);
        terms.usual.adopt |= planned.adopt == Attr::Known(true);
        let run = Run {
            cluster: &cluster,
            credentials,
            inputs: objects::inputs(config),
            run_id: new_run_id(),
            terms,
            cancel: guard.token(),
            deadline: Instant::now() + spec.timeout,
            spec: &spec,
            lock: None,
        };
        run.run(done).await?;
        Ok((identity, cluster.server().to_owned()))
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

    async fn take_down(&self, cx: &Context, request: &Delete<Issuer>) -> Result<Diagnostics, Diagnostics> {
        self.same_cluster(&request.private).await?;
        let cluster = self.cluster()?;
        // Imported and never taken over: nothing there is ours.
        let Some(spec) = Spec::of(&request.state) else { return Ok(Diagnostics::new()) };
        let guard = cancellation(cx);
        delete::delete(&cluster, &spec, private::home(&request.private), &guard.token()).await
    }
}

/// The state after a run that went through.
fn finished(planned: Issuer, private: Private, done: Done) -> Applied<Issuer> {
    let mut state = planned;
    outputs(&mut state, &done);
    Applied::done(state, private).with(done.warnings)
}

/// Fills in what a run has found out; what was promised stays.
fn outputs(state: &mut Issuer, done: &Done) {
    if state.acme_account_uri.is_unknown() {
        state.acme_account_uri = done.account_uri.clone().into();
    }
    if state.credentials_revision.is_unknown() {
        state.credentials_revision = done.credentials_revision.clone().into();
    }
}

/// The state after an update that ended half-way: as before until the issuer was written, as planned from then on, with a word
/// that it is not ready, so that the next plan shows that something is left.
fn partial(prior: Issuer, planned: Issuer, done: &Done) -> Issuer {
    let mut state = if done.is_written { planned } else { prior };
    outputs(&mut state, done);
    read::unknown_is_null(&mut state);
    if done.is_written
        && let Some(spec) = Spec::of(&state)
    {
        let mut drifted = state.drifted.into_known().unwrap_or_default();
        drifted.retain(|one| !is_not_ready(one));
        drifted.push(not_ready(spec.names.object()));
        state.drifted = drifted.into();
    }
    state
}
