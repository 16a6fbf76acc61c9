//! The resource as the SDK calls it: each call in a few lines, the work in the modules around.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ffe_cluster::{Cluster, parse_duration};
use ffe_session::{Session, cancellation, diagnostic_of_recorded, new_run_id, with_detail};
use ffe_workloads::WaitOptions;
use tfplugin::{
    Applied, Attr, Context, Create, Deferred, Delete, Diagnostics, Field, Imported, Model, Plan, Private, Read,
    Refreshed, Resource, Update, async_trait,
};

use crate::apply::{Done, Run, Step, failed, remains};
use crate::claim::Terms;
use crate::drift::{NOT_READY, drift};
use crate::model::Environment;
use crate::names::TYPE_NAME;
use crate::refusals::{protection, refusals};
use crate::settle::{Defaults, pod_security, settle};
use crate::spec::Spec;
use crate::{delete, import, objects, plan, read, validate};

/// `ffe_environment`.
pub struct EnvironmentResource {
    session: Arc<Session>,
    defaults: Defaults,
}

impl EnvironmentResource {
    /// With defaults from this process's environment variables.
    pub fn new(session: Arc<Session>) -> EnvironmentResource {
        EnvironmentResource::with_defaults(session, Defaults::from_environment())
    }

    /// With these defaults.
    pub fn with_defaults(session: Arc<Session>, defaults: Defaults) -> EnvironmentResource {
        EnvironmentResource { session, defaults }
    }

    fn cluster(&self) -> Result<Cluster, Diagnostics> {
        self.session.cluster().map_err(ffe_session::Unavailable::into_diagnostics)
    }
}

/// What is kept beside the state.
pub(crate) mod private {
    pub(crate) use ffe_session::private::{cluster, server, set_cluster, set_taken_over, taken_over};
    use tfplugin::Private;

    const DATABASE_REVISION: &str = "database_revision";

    /// The StatefulSet's revision whose server said its version.
    pub(crate) fn database_revision(private: &Private) -> Option<String> {
        private.get(DATABASE_REVISION)
    }

    pub(crate) fn set_database_revision(private: &mut Private, revision: Option<&str>) {
        match revision {
            Some(revision) => private.set(DATABASE_REVISION, &revision),
            None => private.remove(DATABASE_REVISION),
        }
    }
}

#[async_trait]
impl Resource for EnvironmentResource {
    type Model = Environment;

    fn type_name(&self) -> &'static str {
        TYPE_NAME
    }

    async fn validate(&self, _cx: &Context, config: &Environment) -> Diagnostics {
        validate::validate(config)
    }

    fn settle(&self, config: &Environment, planned: &mut Environment) {
        settle(config, planned, &self.defaults);
    }

    async fn plan(&self, _cx: &Context, plan: &mut Plan<Environment>) -> Diagnostics {
        plan::plan(&self.session, plan).await
    }

    async fn plan_destroy(&self, _cx: &Context, prior: &Environment, _private: &Private) -> Diagnostics {
        protection(prior, &[]).into_iter().collect()
    }

    async fn create(&self, cx: &Context, request: Create<Environment>) -> Applied<Environment> {
        let mut done = Done::default();
        let terms = Terms { creating: true, ..Terms::default() };
        let planned = match self.with_level(&request.config, request.planned).await {
            Ok(planned) => planned,
            Err(diagnostics) => return Applied::failed(diagnostics),
        };
        match self.make(cx, &request.config, &planned, terms, &mut done).await {
            Ok((cluster, server)) => {
                let mut private = Private::default();
                private::set_cluster(&mut private, &cluster, &server);
                finished(planned, private, done)
            }
            Err(mut diagnostics) => {
                let remains = Spec::of(&planned).and_then(|spec| remains(&done, &spec));
                if let Some(remains) = remains {
                    diagnostics = with_detail(diagnostics, &remains);
                }
                Applied::failed(diagnostics).with(done.warnings)
            }
        }
    }

    async fn read(&self, _cx: &Context, request: Read<Environment>) -> Refreshed<Environment> {
        read::read(&self.session, request).await
    }

    async fn update(&self, cx: &Context, request: Update<Environment>) -> Applied<Environment> {
        let refused = refusals(&request.prior, &request.planned);
        if refused.has_errors() {
            return Applied::failed(refused);
        }
        let mut done = Done::default();
        let known = Spec::of(&request.prior).map(|spec| objects::all(&spec)).unwrap_or_default();
        let terms = Terms {
            creating: false,
            adopt: private::taken_over(&request.private),
            known: known.into_iter().map(|desired| desired.reference).collect(),
        };
        let mut private = request.private;
        let checked = self.same_cluster(&private).await;
        let made = match checked {
            Ok(()) => self.make(cx, &request.config, &request.planned, terms, &mut done).await,
            Err(diagnostics) => Err(diagnostics),
        };
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

    async fn delete(&self, cx: &Context, request: Delete<Environment>) -> Diagnostics {
        self.take_down(cx, &request).await.unwrap_or_else(|errors| errors)
    }

    async fn defer_import(&self, _cx: &Context, _id: &str) -> Option<Deferred> {
        self.session.deferral()
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Environment>, Diagnostics> {
        import::import(&self.cluster()?, &self.defaults, id).await
    }
}

impl EnvironmentResource {
    /// Runs the steps; returns the cluster's identity and where it was reached.
    async fn make(
        &self,
        cx: &Context,
        config: &Environment,
        planned: &Environment,
        terms: Terms,
        done: &mut Done,
    ) -> Result<(String, String), Diagnostics> {
        let cluster = self.cluster()?;
        let spec = Spec::of(planned).ok_or_else(|| {
            Diagnostics::error(
                "The plan is not complete",
                "Something in it is not known. This is a bug in the provider; please report it.",
            )
        })?;
        let identity = cluster.identity().await.map_err(failed("The cluster could not be reached"))?;
        let guard = cancellation(cx);
        let run = Run {
            cluster: &cluster,
            spec: &spec,
            config,
            // The content of the ConfigMap is there itself.
            inputs: {
                let is_empty = config.config.known().is_some_and(std::collections::BTreeMap::is_empty);
                let kept = if is_empty { config.config.clone() } else { Attr::Null };
                let config = Environment { config: kept, ..config.clone() };
                ffe_session::inputs::to_text(&config.to_value(), &Environment::schema())
            },
            run_id: new_run_id(),
            terms: Terms { adopt: terms.adopt || planned.adopt == Attr::Known(true), ..terms },
            cancel: guard.token(),
            deadline: Instant::now() + timeout(planned),
            lock: None,
        };
        run.run(done).await?;
        Ok((identity, cluster.server().to_owned()))
    }

    /// A level that the plan left open: what the namespace has by now, or the preset's where there is none.
    async fn with_level(&self, config: &Environment, planned: Environment) -> Result<Environment, Diagnostics> {
        if !planned.pod_security_before.is_unknown() {
            return Ok(planned);
        }
        let name = planned.namespace.as_str().unwrap_or_default();
        let found = self.cluster()?.namespace(name).await.map_err(failed("The namespace could not be looked at"))?;
        let found = found.filter(|found| !ffe_cluster::namespace::is_terminating(found));
        let before = Attr::from(found.as_ref().map(plan::told::level_before));
        Ok(Environment { pod_security: pod_security(config, &before), pod_security_before: before, ..planned })
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

    async fn take_down(&self, cx: &Context, request: &Delete<Environment>) -> Result<Diagnostics, Diagnostics> {
        // The plan of a tainted object does not ask.
        protection(&request.state, &[]).map_or(Ok(()), Err)?;
        self.same_cluster(&request.private).await?;
        let cluster = self.cluster()?;
        // Imported and never taken over: nothing there is ours.
        let Some(spec) = Spec::of(&request.state) else { return Ok(Diagnostics::new()) };
        let guard = cancellation(cx);
        let wait = WaitOptions::new(timeout(&request.state), guard.token());
        delete::delete(&cluster, &spec, &wait).await
    }
}

fn timeout(model: &Environment) -> Duration {
    // Validated; the default is there for a state without one.
    model.timeout.as_str().and_then(|text| parse_duration(text).ok()).unwrap_or(Duration::from_secs(600))
}

/// The state after a run that went through.
fn finished(planned: Environment, mut private: Private, done: Done) -> Applied<Environment> {
    private::set_database_revision(&mut private, done.database_revision.as_deref());
    // What was promised stays; the next refresh says what has become of it.
    let kept = planned.database_status.is_known();
    let state = Environment {
        secrets_revision: done.secrets_revision.unwrap_or_default().into(),
        database_status: if kept { planned.database_status } else { done.database_status.into() },
        ..planned
    };
    Applied::done(state, private).with(done.warnings)
}

/// The state after an update that ended half-way: what it got through is as planned, the rest as before, so that the
/// next plan shows what is left.
fn partial(prior: Environment, planned: Environment, done: &Done) -> Environment {
    let mut state = prior;
    for step in &done.steps {
        match step {
            Step::Namespace => {
                state.labels = planned.labels.clone();
                state.annotations = planned.annotations.clone();
                state.pod_security = planned.pod_security.clone();
                state.pod_security_before = planned.pod_security_before.clone();
            }
            Step::Quota => state.quota = planned.quota.clone(),
            Step::Config => {
                state.config = planned.config.clone();
                state.config_revision = planned.config_revision.clone();
            }
            Step::Secrets => {
                state.secrets_wo_version = planned.secrets_wo_version.clone();
                state.secrets_revision = done.secrets_revision.clone().into();
            }
            Step::Database => {}
        }
    }
    if done.database_status.is_some() {
        // Applied, ready or not.
        state.database = planned.database.clone();
        state.database_secret = planned.database_secret.clone();
        state.database_status = done.database_status.clone().into();
    }
    if let Some(object) = &done.not_ready {
        let pending = drift(object, NOT_READY);
        let mut drifted = state.drifted.into_known().unwrap_or_default();
        if !drifted.contains(&pending) {
            drifted.push(pending);
        }
        state.drifted = drifted.into();
    }
    state
}
