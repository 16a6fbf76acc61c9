//! What the Jobs of a migration are made of.

use ffe_helm::manifest::{Manifest, Workload};
use serde_json::Value as Json;
use tfplugin::Diagnostic;

use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::placement::{self, Account};
use crate::apply::migration::task::{Terms, is_alembic};
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::rendering::migration_image::image;
use crate::settings::model::Migration;

/// What the Jobs of a migration are made of.
#[derive(Clone, Debug)]
pub(crate) struct Migrator {
    /// The configuration.
    pub settings: Migration,
    /// The image that knows the revisions.
    pub image: String,
    /// A pooler before the database refuses `PGOPTIONS`.
    pub without_options: bool,
    workloads: Vec<Workload>,
    /// Service accounts that the chart brings along.
    accounts: Vec<(String, Json)>,
}

/// A migration that is about to run: where preflight has found the database.
#[derive(Clone, Debug)]
pub(crate) struct Inspected {
    /// What its Jobs are made of.
    pub migrator: Migrator,
    /// Where the database stands; `None` where the engine has no way to tell.
    pub found: Option<Inspection>,
}

impl Inspected {
    /// Where the database stands, if nothing is left to migrate. Only Alembic can tell.
    pub(crate) fn nothing_pending(&self) -> Option<&Inspection> {
        self.found.as_ref().filter(|found| is_alembic(&self.migrator.settings) && found.pending.is_empty())
    }
}

impl Migrator {
    /// With the image that the configuration says, else that of the chart's one workload.
    ///
    /// # Errors
    /// When there is no one workload with one image.
    pub(crate) fn new(settings: &Migration, manifest: &Manifest, namespace: &str) -> Result<Migrator, Diagnostic> {
        let workloads = manifest.workloads(namespace);
        let image = image(settings, &workloads)?;
        let accounts = placement::accounts_of(manifest);
        Ok(Migrator { settings: settings.clone(), image, without_options: false, workloads, accounts })
    }

    /// The same with another image.
    pub(crate) fn with_image(&self, image: &str) -> Migrator {
        Migrator { image: image.to_owned(), ..self.clone() }
    }

    /// The tasks of a run; `base` is where the way back leads.
    pub(crate) fn terms<'a>(&'a self, run_id: &'a str, base: Option<&'a [String]>) -> Terms<'a> {
        Terms { run_id, settings: &self.settings, base, without_options: self.without_options }
    }

    /// Who the pods of the Jobs are.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub(crate) async fn account(&self, run: &Run) -> Result<Account, Stop> {
        placement::account(run, &self.pod_spec(), &self.accounts).await
    }

    /// The pod specification of the workload that runs the image; null where the chart has none.
    pub(crate) fn pod_spec(&self) -> Json {
        let runs = |workload: &&Workload| workload.containers.iter().any(|container| container.image == self.image);
        let workload = self.workloads.iter().find(runs).or_else(|| self.workloads.first());
        workload.map(|workload| workload.pod_spec.clone()).unwrap_or_default()
    }
}
