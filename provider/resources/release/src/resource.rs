//! `ffe_release` as Terraform drives it.

use std::sync::Arc;

use ffe_cluster::Cluster;
use ffe_session::{HelmKit, Session, Unavailable, cancellation};
use tfplugin::{
    Applied, Attr, Context, Create, Deferred, Delete, Diagnostics, Imported, MoveSource, Plan, Private, Read,
    Refreshed, Resource, StateUpgrade, Update, async_trait,
};

use crate::apply::delete;
use crate::apply::pipeline::{self, Ended};
use crate::apply::prepare::{Planned, Prepared, prepare};
use crate::apply::run::Run;
use crate::drift::correct::{self, Correction};
use crate::journal::{GoingBack, Outcome};
use crate::plan::value_changes::{Before, value_changes};
use crate::read::import;
use crate::rendering::changes::{lines, listed};
use crate::rendering::promise::Promise;
use crate::settings::inputs::Inputs;
use crate::settings::model::Release;
use crate::settings::validate;
use crate::state::moves::{self, Moved};
use crate::state::outputs::{from_journal, from_record, settle_unknown};
use crate::state::replaced::InState;
use crate::state::seen::{Seen, same_cluster};
use crate::state::{stale_plan, upgrade};
use crate::{plan, read};

/// The resource.
pub struct ReleaseResource {
    session: Arc<Session>,
    in_state: InState,
}

impl ReleaseResource {
    /// The resource, on the configured provider.
    pub fn new(session: Arc<Session>) -> ReleaseResource {
        ReleaseResource { session, in_state: InState::default() }
    }

    /// The state has this release.
    fn note(&self, state: &Release) {
        if let (Some(namespace), Some(name)) = (state.namespace.as_str(), state.name.as_str()) {
            self.in_state.note(namespace, name);
        }
    }

    fn parts(&self) -> Result<(Cluster, Arc<HelmKit>), Unavailable> {
        Ok((self.session.cluster()?, self.session.helm()?))
    }

    /// A run that creates the release.
    async fn prepare_create(&self, cx: &Context, request: &Create<Release>) -> Result<Prepared, Diagnostics> {
        let parts = self.parts().map_err(Unavailable::into_diagnostics)?;
        let inputs = Inputs::read(&request.config, request.planned.chart_version.as_str())?;
        let planned = planned(&request.planned, &request.private, Correction::None);
        prepare(parts, inputs, planned, None, self.session.notifier(), cancellation(cx)).await
    }

    /// A run that updates the release.
    async fn prepare_update(&self, cx: &Context, request: &Update<Release>) -> Result<Prepared, Diagnostics> {
        let (cluster, kit) = self.parts().map_err(Unavailable::into_diagnostics)?;
        let inputs = Inputs::read(&request.config, request.planned.chart_version.as_str())?;
        let seen = Seen::load(&request.private);
        same_cluster(&cluster, &seen, &inputs.namespace, &inputs.name).await?;
        let correction = Correction::of(&request.config, &request.prior, &request.private);
        let planned = planned(&request.planned, &request.private, correction);
        prepare((cluster, kit), inputs, planned, Some(seen), self.session.notifier(), cancellation(cx)).await
    }
}

/// What a plan has said that the run keeps to.
fn planned(planned: &Release, private: &Private, correction: Correction) -> Planned {
    let changes = (!planned.changes.is_unknown()).then(|| listed(planned.changes.as_str().unwrap_or_default()));
    let undone = (!planned.undone_revisions.is_unknown()).then(|| {
        let texts = planned.undone_revisions.known().into_iter().flatten();
        texts.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    });
    Planned { changes, promise: Promise::load(private), undone, correction }
}

/// What the plan could not know is what the run has found; what it promised stays.
fn complete(ended: &Ended, planned: &mut Release, prior: Option<&Release>) {
    let (run, checked) = (&ended.run, ended.checked.as_ref());
    if planned.changes.is_unknown() {
        planned.changes = lines(checked.map(|checked| checked.changes.as_slice()).unwrap_or_default());
    }
    if planned.unstable_fields.is_unknown() {
        planned.unstable_fields = lines(checked.map(|checked| checked.unstable.as_slice()).unwrap_or_default());
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
    if planned.undone_revisions.is_unknown() {
        let texts = |back: &GoingBack| back.undone.iter().map(|one| Attr::Known(one.undoing())).collect();
        planned.undone_revisions = run.record().back.as_ref().map(texts).into();
    }
}

/// What drift has to know of a run; `succeeded` says that it has done what was planned.
fn deployed(run: &Run, succeeded: bool) -> correct::Deployed<'_> {
    correct::Deployed {
        cluster: &run.cluster,
        records: &run.kit.records,
        before: run.before.as_ref(),
        after: run.made.as_ref().map(|made| &made.key),
        revision: run.made.as_ref().map(|made| &made.revision),
        correction: run.planned.correction,
        succeeded,
    }
}

/// The state after a run, from what is true in the cluster.
async fn state_after(ended: &Ended, mut model: Release, private: &mut Private) -> Release {
    let (run, outcome) = (&ended.run, ended.outcome);
    settle_unknown(&mut model);
    let mut seen = Seen::load(private);
    seen.chart.clear();
    Moved::forget(private);
    match run.cluster.identity().await {
        Ok(identity) => seen.cluster = identity,
        // A state that does not know its cluster is never taken for that of something that is gone.
        Err(error) => tracing::warn!(%error, "which cluster this is is not known"),
    }
    run.cluster.server().clone_into(&mut seen.server);
    if let Some(made) = &run.made {
        from_record(&mut model, &made.revision, Some(&run.inputs.redactor()));
        seen.note(&made.key);
    }
    seen.first_deployed = run.journal.content.first_deployed.or(seen.first_deployed);
    seen.adopted = run.journal.mark.adopted;
    from_journal(&mut model, &run.journal);
    match outcome {
        Outcome::Succeeded => {
            seen.applied_digest = model.manifest_digest.clone().unwrap_or_default();
            seen.applied_revision = model.revision.unwrap_or_default();
            seen.unrecorded = ended.is_unrecorded();
        }
        // The rollback made a revision of its own, which holds what was applied before.
        Outcome::RolledBack => seen.applied_revision = model.revision.unwrap_or_default(),
        _ => {}
    }
    seen.open_run = outcome == Outcome::Interrupted;
    seen.local_chart = stale_plan::local_chart(&model, &seen).await.unwrap_or_default();
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
        if let Some(prior) = &plan.prior {
            self.note(prior);
        }
        plan::plan(&self.session, &self.in_state, plan, &guard.token()).await.unwrap_or_else(|errors| errors)
    }

    async fn plan_destroy(&self, _cx: &Context, prior: &Release, private: &Private) -> Diagnostics {
        let (namespace, name) = (prior.namespace.as_str().unwrap_or_default(), prior.name.as_str().unwrap_or_default());
        match self.in_state.plan_destroy(namespace, name) {
            Err(refused) => refused,
            Ok(()) if Seen::load(private).adopted => delete::stays(namespace, name, "is left running").into(),
            Ok(()) => Diagnostics::new(),
        }
    }

    async fn create(&self, cx: &Context, request: Create<Release>) -> Applied<Release> {
        let prepared = match self.prepare_create(cx, &request).await {
            Ok(prepared) => prepared,
            Err(errors) => return Applied::failed(errors),
        };
        let mut private = request.private;
        Promise::forget(&mut private);
        let mut ended = match pipeline::carry_out(prepared).await {
            Ok(ended) => ended,
            Err(errors) => return Applied::failed(errors),
        };
        let mut diagnostics = std::mem::take(&mut ended.diagnostics);
        if ended.outcome != Outcome::Succeeded {
            return Applied::failed(diagnostics);
        }
        let mut planned = request.planned;
        complete(&ended, &mut planned, None);
        let mut state = state_after(&ended, planned, &mut private).await;
        diagnostics.extend(correct::after(deployed(&ended.run, true), &mut state, Attr::Null, &mut private).await);
        Applied { state: Some(state), private, diagnostics }
    }

    async fn read(&self, _cx: &Context, request: Read<Release>) -> Refreshed<Release> {
        self.note(&request.state);
        match self.parts() {
            Ok((cluster, kit)) => match moves::verify(&kit.records, cluster.server(), &request).await {
                Ok(()) => {
                    moves::masked(stale_plan::note_local_chart(read::read(&cluster, &kit.records, request).await).await)
                }
                Err(errors) => read::kept(request, errors),
            },
            Err(why) => read::without_cluster(request, why),
        }
    }

    async fn update(&self, cx: &Context, request: Update<Release>) -> Applied<Release> {
        let prepared = match self.prepare_update(cx, &request).await {
            Ok(prepared) => prepared,
            Err(errors) => return Applied::failed(errors),
        };
        let Update { prior, mut planned, mut private, .. } = request;
        Promise::forget(&mut private);
        let drifted = prior.drifted.clone();
        let mut ended = match pipeline::carry_out(prepared).await {
            Ok(ended) => ended,
            // Nothing was changed, so the state is true as it was.
            Err(diagnostics) => return Applied { state: Some(prior), private, diagnostics },
        };
        let mut diagnostics = std::mem::take(&mut ended.diagnostics);
        if ended.outcome == Outcome::Succeeded {
            complete(&ended, &mut planned, Some(&prior));
            let mut state = state_after(&ended, planned, &mut private).await;
            diagnostics.extend(correct::after(deployed(&ended.run, true), &mut state, drifted, &mut private).await);
            return Applied { state: Some(state), private, diagnostics };
        }
        let left = ended.outcome == Outcome::Failed && ended.run.made.is_some() && ended.run.inputs.leaves_failed();
        let mut state = if left {
            // What was asked for is there, though it failed: that is the truth, and the next plan deploys again.
            complete(&ended, &mut planned, Some(&prior));
            let state = state_after(&ended, planned, &mut private).await;
            let mut seen = Seen::load(&private);
            seen.applied_digest.clear();
            seen.store(&mut private);
            Release { status: Attr::from("failed"), ..state }
        } else {
            // What was undone leaves the inputs as they were, so that the next plan shows the change again.
            state_after(&ended, prior, &mut private).await
        };
        if ended.outcome == Outcome::Uninstalled {
            // The next refresh finds nothing, and it is planned anew.
            state.status = Attr::from("uninstalled");
        }
        diagnostics.extend(correct::after(deployed(&ended.run, false), &mut state, drifted, &mut private).await);
        Applied { state: Some(state), private, diagnostics }
    }

    async fn delete(&self, cx: &Context, request: Delete<Release>) -> Diagnostics {
        let guard = cancellation(cx);
        match self.parts() {
            Ok((cluster, kit)) => {
                let done = delete::delete(&cluster, &kit, &guard.token(), request).await;
                done.unwrap_or_else(|errors| errors)
            }
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
