//! `ffe_release` as Terraform drives it.

use std::sync::Arc;

use ffe_cluster::Cluster;
use ffe_session::{HelmKit, Session, Unavailable, cancellation};
use tfplugin::{
    Applied, Attr, Context, Create, Deferred, Delete, Diagnostics, Imported, MoveSource, Plan, Private, Read,
    Refreshed, Resource, StateUpgrade, Update, async_trait,
};

use crate::apply::delete;
use crate::apply::pipeline::{self, End};
use crate::apply::run::Run;
use crate::apply::start::prepare;
use crate::drift::correct;
use crate::journal::Outcome;
use crate::plan;
use crate::plan::value_changes::{Before, value_changes};
use crate::read;
use crate::read::import;
use crate::rendering::changes::{lines, listed};
use crate::rendering::promise::Promise;
use crate::settings::inputs::Inputs;
use crate::settings::model::Release;
use crate::settings::validate;
use crate::state::moves::{self, Moved};
use crate::state::outputs::{from_journal, from_record, settle_unknown};
use crate::state::seen::{Seen, same_cluster};
use crate::state::since;
use crate::state::upgrade;

/// The resource.
pub struct ReleaseResource {
    session: Arc<Session>,
}

impl ReleaseResource {
    /// The resource, on the configured provider.
    pub fn new(session: Arc<Session>) -> ReleaseResource {
        ReleaseResource { session }
    }

    fn parts(&self) -> Result<(Cluster, Arc<HelmKit>), Unavailable> {
        Ok((self.session.cluster()?, self.session.helm()?))
    }

    async fn start_create(&self, cx: &Context, request: &Create<Release>) -> Result<Run, Diagnostics> {
        let (cluster, kit) = self.parts().map_err(Unavailable::into_diagnostics)?;
        let inputs = Inputs::read(&request.config, request.planned.chart_version.as_str())?;
        prepare(cluster, kit, inputs, self.session.notifier(), cancellation(cx)).await
    }

    async fn start_update(&self, cx: &Context, request: &Update<Release>) -> Result<Run, Diagnostics> {
        let (cluster, kit) = self.parts().map_err(Unavailable::into_diagnostics)?;
        let inputs = Inputs::read(&request.config, request.planned.chart_version.as_str())?;
        let seen = Seen::load(&request.private);
        same_cluster(&cluster, &seen, &inputs.namespace, &inputs.name).await?;
        let mut run = prepare(cluster, kit, inputs, self.session.notifier(), cancellation(cx)).await?;
        run.was_managed = true;
        run.seen = seen;
        Ok(run)
    }
}

/// What the plan could not foresee is what the run has found; what it promised stays.
fn complete(run: &Run, planned: &mut Release, prior: Option<&Release>) {
    if planned.changes.is_unknown() {
        planned.changes = lines(&run.found);
    }
    if planned.unstable_fields.is_unknown() {
        planned.unstable_fields = lines(&run.unstable);
    }
    if planned.value_changes.is_unknown() {
        let before = prior.map_or(Before::Nothing, Before::Ours);
        planned.value_changes =
            value_changes(before, &run.inputs.config, false).map_or(Attr::Null, |found| lines(&found));
    }
    if planned.pending_revisions.is_unknown() {
        let ran = run.record().pending.iter().map(|one| Attr::Known(one.revision.clone())).collect();
        let wanted = run.inputs.config.migration.known().is_some_and(|migration| migration.scripts.is_known());
        planned.pending_revisions = if wanted { Attr::Known(ran) } else { Attr::Null };
    }
}

/// What a plan has promised to change; `None` where it could not foresee it.
fn promised(planned: &Release) -> Option<Vec<(String, String)>> {
    (!planned.changes.is_unknown()).then(|| listed(planned.changes.as_str().unwrap_or_default()))
}

/// What drift has to know of a run.
fn deployed(run: &Run, succeeded: bool) -> correct::Deployed<'_> {
    correct::Deployed {
        cluster: &run.cluster,
        records: &run.kit.records,
        before: run.before.as_ref(),
        after: run.after_key.as_ref(),
        release: run.after.as_ref(),
        corrects: run.corrects,
        succeeded,
    }
}

/// The state after a run, from what is true in the cluster.
async fn state_after(run: &Run, mut model: Release, private: &mut Private, outcome: Outcome) -> Release {
    settle_unknown(&mut model);
    let mut seen = Seen::load(private);
    seen.chart.clear();
    Moved::forget(private);
    if let Ok(identity) = run.cluster.identity().await {
        seen.cluster = identity;
    }
    run.cluster.server().clone_into(&mut seen.server);
    if let Some(release) = &run.after {
        from_record(&mut model, release, Some(&run.redactor()));
    }
    if let Some(key) = &run.after_key {
        seen.note(key);
    }
    seen.first_deployed = run.journal.content.first_deployed.or(seen.first_deployed);
    seen.adopted = run.journal.mark.adopted;
    from_journal(&mut model, &run.journal);
    match outcome {
        Outcome::Succeeded => {
            seen.applied_digest = model.manifest_digest.clone().unwrap_or_default();
            seen.applied_revision = model.revision.unwrap_or_default();
            seen.unrecorded = run.unrecorded;
        }
        // The rollback made a revision of its own, which holds what was applied before.
        Outcome::RolledBack => seen.applied_revision = model.revision.unwrap_or_default(),
        _ => {}
    }
    seen.open_run = outcome == Outcome::Interrupted;
    seen.local_chart = since::local(&model, &seen).await.unwrap_or_default();
    seen.store(private);
    model
}

#[async_trait]
impl Resource for ReleaseResource {
    type Model = Release;

    fn type_name(&self) -> &'static str {
        "ffe_release"
    }

    fn upgrades(&self) -> Vec<StateUpgrade> {
        vec![upgrade::to_1]
    }

    async fn validate(&self, _cx: &Context, config: &Release) -> Diagnostics {
        validate::validate(config)
    }

    async fn plan(&self, cx: &Context, plan: &mut Plan<Release>) -> Diagnostics {
        let guard = cancellation(cx);
        plan::plan(&self.session, plan, &guard.token()).await.unwrap_or_else(|errors| errors)
    }

    async fn create(&self, cx: &Context, request: Create<Release>) -> Applied<Release> {
        let mut run = match self.start_create(cx, &request).await {
            Ok(run) => run,
            Err(errors) => return Applied::failed(errors),
        };
        let mut planned = request.planned;
        run.promised = promised(&planned);
        let mut private = request.private;
        run.promise = Promise::load(&private);
        Promise::forget(&mut private);
        let End { outcome, mut diagnostics } = pipeline::go(&mut run).await;
        if outcome == Outcome::Succeeded {
            complete(&run, &mut planned, None);
            let mut state = state_after(&run, planned, &mut private, outcome).await;
            diagnostics.extend(correct::after(deployed(&run, true), &mut state, Attr::Null, &mut private).await);
            return Applied { state: Some(state), private, diagnostics };
        }
        Applied::failed(diagnostics)
    }

    async fn read(&self, _cx: &Context, request: Read<Release>) -> Refreshed<Release> {
        match self.parts() {
            Ok((cluster, kit)) => match moves::verify(&kit.records, cluster.server(), &request).await {
                Ok(()) => moves::masked(since::noted(read::read(&cluster, &kit.records, request).await).await),
                Err(errors) => read::kept(request, errors),
            },
            Err(why) => read::without_cluster(request, why),
        }
    }

    async fn update(&self, cx: &Context, request: Update<Release>) -> Applied<Release> {
        let mut run = match self.start_update(cx, &request).await {
            Ok(run) => run,
            Err(errors) => return Applied::failed(errors),
        };
        let mut planned = request.planned;
        run.promised = promised(&planned);
        let mut private = request.private;
        run.promise = Promise::load(&private);
        Promise::forget(&mut private);
        run.corrects = correct::is_wanted(&request.config, Some(&request.prior));
        run.correction = correct::is_alone(&private);
        let drifted = request.prior.drifted.clone();
        let End { outcome, mut diagnostics } = pipeline::go(&mut run).await;
        if outcome == Outcome::Succeeded {
            complete(&run, &mut planned, Some(&request.prior));
            let mut state = state_after(&run, planned, &mut private, outcome).await;
            diagnostics.extend(correct::after(deployed(&run, true), &mut state, drifted, &mut private).await);
            return Applied { state: Some(state), private, diagnostics };
        }
        if outcome == Outcome::Failed && run.after.is_some() && run.inputs.leaves_failed() {
            // What was asked for is there, though it failed: that is the truth, and the next plan deploys again.
            complete(&run, &mut planned, Some(&request.prior));
            let mut state = state_after(&run, planned, &mut private, outcome).await;
            let mut seen = Seen::load(&private);
            seen.applied_digest.clear();
            seen.store(&mut private);
            state.status = Attr::from("failed");
            diagnostics.extend(correct::after(deployed(&run, false), &mut state, drifted, &mut private).await);
            return Applied { state: Some(state), private, diagnostics };
        }
        // What was undone leaves the inputs as they were, so that the next plan shows the change again.
        let mut state = state_after(&run, request.prior, &mut private, outcome).await;
        if outcome == Outcome::Uninstalled {
            // The next refresh finds nothing, and it is planned anew.
            state.status = Attr::from("uninstalled");
        }
        diagnostics.extend(correct::after(deployed(&run, false), &mut state, drifted, &mut private).await);
        Applied { state: Some(state), private, diagnostics }
    }

    async fn delete(&self, cx: &Context, request: Delete<Release>) -> Diagnostics {
        let guard = cancellation(cx);
        match self.parts() {
            Ok((cluster, kit)) => delete::delete(&cluster, &kit, &guard.token(), request).await,
            Err(why) => why.into_diagnostics(),
        }
    }

    async fn defer_import(&self, _cx: &Context, _id: &str) -> Option<Deferred> {
        self.session.deferral()
    }

    async fn move_from(&self, _cx: &Context, source: &MoveSource) -> Result<Option<Imported<Release>>, Diagnostics> {
        moves::move_from(source)
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Release>, Diagnostics> {
        let (cluster, kit) = self.parts().map_err(Unavailable::into_diagnostics)?;
        import::import(&cluster, &kit.records, id).await
    }
}
