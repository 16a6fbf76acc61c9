//! `ffe_release` as Terraform drives it.

use std::sync::Arc;

use ffe_cluster::Cluster;
use ffe_session::{HelmKit, Session, Unavailable, cancellation, diagnostic};
use tfplugin::{
    Applied, Attr, Context, Create, Delete, Diagnostics, Imported, Plan, Private, Read, Refreshed, Resource, Update,
    async_trait,
};

use crate::inputs::Inputs;
use crate::journal::{Journal, Outcome};
use crate::model::Release;
use crate::outputs::{Seen, from_journal, from_record, settle_unknown};
use crate::pipeline::{self, End};
use crate::run::Run;
use crate::start::{Claim, begin, look};
use crate::{delete, import, plan, read, validate};

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

    async fn start_create(&self, cx: &Context, config: &Release) -> Result<Run, Diagnostics> {
        let (cluster, kit) = self.parts().map_err(Unavailable::into_diagnostics)?;
        let inputs = Inputs::read(config)?;
        let adopt = config.adopt.known() == Some(&true);
        let claim = look(&cluster, &kit, &inputs.namespace, &inputs.name, adopt).await?;
        let (journal, adopted) = match claim {
            Claim::Ours(journal) => (
                journal.map(|journal| if journal.is_complete() { crate::start::anew(journal) } else { journal }),
                false,
            ),
            Claim::Adopt(journal) => (journal, true),
            Claim::Refused(refusal) => return Err(refusal.into()),
        };
        begin(cluster, kit, inputs, journal, adopted, cancellation(cx)).await
    }

    async fn start_update(&self, cx: &Context, request: &Update<Release>) -> Result<Run, Diagnostics> {
        let (cluster, kit) = self.parts().map_err(Unavailable::into_diagnostics)?;
        let inputs = Inputs::read(&request.config)?;
        let seen = Seen::load(&request.private);
        read::same_cluster(&cluster, &seen, &inputs.namespace, &inputs.name).await?;
        let journal = Journal::find(&cluster, &inputs.namespace, &inputs.name).await;
        let journal = journal.map_err(|error| diagnostic(&error, "The journal cannot be read"))?;
        begin(cluster, kit, inputs, journal, false, cancellation(cx)).await
    }
}

/// The state after a run, from what is true in the cluster.
async fn state_after(run: &Run, mut model: Release, private: &mut Private, succeeded: bool) -> Release {
    settle_unknown(&mut model);
    let mut seen = Seen::load(private);
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
    from_journal(&mut model, &run.journal);
    if succeeded {
        seen.applied_digest = model.manifest_digest.clone().unwrap_or_default();
    }
    seen.store(private);
    model
}

#[async_trait]
impl Resource for ReleaseResource {
    type Model = Release;

    fn type_name(&self) -> &'static str {
        "ffe_release"
    }

    async fn validate(&self, _cx: &Context, config: &Release) -> Diagnostics {
        validate::validate(config)
    }

    async fn plan(&self, cx: &Context, plan: &mut Plan<Release>) -> Diagnostics {
        let guard = cancellation(cx);
        plan::plan(&self.session, plan, &guard.token()).await.unwrap_or_else(|errors| errors)
    }

    async fn create(&self, cx: &Context, request: Create<Release>) -> Applied<Release> {
        let mut run = match self.start_create(cx, &request.config).await {
            Ok(run) => run,
            Err(errors) => return Applied::failed(errors),
        };
        let mut planned = request.planned;
        run.promised = planned.changes.known().cloned();
        let mut private = request.private;
        let End { outcome, diagnostics } = pipeline::go(&mut run).await;
        let keeps = matches!(
            run.inputs.config.remediation.known().and_then(|remediation| remediation.strategy.as_str()),
            Some("none")
        );
        if outcome == Outcome::Succeeded {
            planned.changes = Attr::Known(run.changes().to_vec());
            let state = state_after(&run, planned, &mut private, true).await;
            return Applied { state: Some(state), private, diagnostics };
        }
        if outcome == Outcome::Failed && keeps && run.after.is_some() {
            tracing::warn!("remediation is none: the failed release is left, and the next create resumes it");
        }
        Applied::failed(diagnostics)
    }

    async fn read(&self, _cx: &Context, request: Read<Release>) -> Refreshed<Release> {
        match self.parts() {
            Ok((cluster, kit)) => read::read(&cluster, &kit.records, request).await,
            Err(why) => read::without_cluster(request, why),
        }
    }

    async fn update(&self, cx: &Context, request: Update<Release>) -> Applied<Release> {
        let mut run = match self.start_update(cx, &request).await {
            Ok(run) => run,
            Err(errors) => return Applied::failed(errors),
        };
        let mut planned = request.planned;
        run.promised = planned.changes.known().cloned();
        let mut private = request.private;
        let End { outcome, diagnostics } = pipeline::go(&mut run).await;
        if outcome == Outcome::Succeeded {
            planned.changes = Attr::Known(run.changes().to_vec());
            let state = state_after(&run, planned, &mut private, true).await;
            return Applied { state: Some(state), private, diagnostics };
        }
        // What was undone leaves the inputs as they were, so that the next plan shows the change again.
        let state = state_after(&run, request.prior, &mut private, false).await;
        Applied { state: Some(state), private, diagnostics }
    }

    async fn delete(&self, cx: &Context, request: Delete<Release>) -> Diagnostics {
        let guard = cancellation(cx);
        match self.parts() {
            Ok((cluster, kit)) => delete::delete(&cluster, &kit, &guard.token(), request).await,
            Err(why) => why.into_diagnostics(),
        }
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Release>, Diagnostics> {
        let (cluster, kit) = self.parts().map_err(Unavailable::into_diagnostics)?;
        import::import(&cluster, &kit.records, id).await
    }
}
