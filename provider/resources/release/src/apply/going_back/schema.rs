//! The schema's part of a run that goes back, once the older version is deployed: the pods of the newer one end, and then the
//! schema goes back under nobody.

use std::collections::BTreeSet;

use ffe_helm::manifest::Manifest;
use tfplugin::{Diagnostic, Path};

use crate::apply::going_back::GoesBack;
use crate::apply::run::Run;
use crate::apply::stop::Stop;
use crate::apply::way_back::pods_gone::{self, Version, images};
use crate::apply::way_back::schema_back;
use crate::journal::{GoingBack, Outcome};

/// Ends the newer version's pods and takes the schema back, unless this run has done so already; `older` is what is deployed.
///
/// # Errors
/// When pods stay, or the schema cannot be taken back.
pub(crate) async fn take_back(run: &mut Run, older: &Manifest, goes: &GoesBack) -> Result<Outcome, Stop> {
    let back = &goes.back;
    if run.record().schema_after.as_ref() == Some(&back.to) {
        tracing::info!("this run has taken the schema back already");
        return Ok(Outcome::Skipped);
    }
    let version = newer_version(run, older, back).await?;
    pods_gone::end_pods(run, &version).await.map_err(|why| run.check_leases().err().unwrap_or(Stop::Failed(why)))?;
    if let Some(way) = &goes.way {
        let moved = schema_back::downgrade(run, &goes.mover, way).await;
        let summary = match &moved {
            Ok(_) => "The schema went back to an older version's",
            Err(_) => "The schema was to go back to an older version's",
        };
        let warning = Diagnostic::warning(summary, goes.undoing.clone());
        run.warnings.push(warning.at(Path::attribute("migration").child("allow_downgrade")));
        moved?;
        tracing::info!(from = ?back.from, to = ?back.to, "the schema is back");
    }
    let to = back.to.clone();
    run.note(|record| record.schema_after = Some(to));
    Ok(Outcome::Succeeded)
}

/// What the newer version runs: the image that has migrated, and what Helm had deployed before this run and when the release was
/// good last.
async fn newer_version(run: &Run, older: &Manifest, back: &GoingBack) -> Result<Version, Stop> {
    let namespace = run.inputs.namespace.as_str();
    let unreadable = |error: ffe_helm::Error| Stop::helm(&error, "The release's records cannot be read");
    let history = run.kit.records.history_now(namespace, &run.inputs.name).await.map_err(unreadable)?;
    let revisions = [run.record().revision_before, run.journal.last_verified()];
    let mut newer = BTreeSet::from([back.image.clone()]);
    for key in history.iter().filter(|key| revisions.contains(&Some(key.revision))) {
        newer.extend(images(&run.manifest_of(key).await?, namespace));
    }
    Ok(Version::new(newer, &images(older, namespace)))
}
