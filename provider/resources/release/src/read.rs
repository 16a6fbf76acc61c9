//! Looking what is there: nearly free while nothing has changed.
//!
//! One metadata list of the namespace's release records is shared by all releases that are read at about the same
//! time. A record is opened only when it is another one than was seen last, or when an object of the release has moved.

pub(crate) mod data_source;
pub(crate) mod import;

use ffe_cluster::Cluster;
use ffe_helm::records::Records;
use ffe_session::Unavailable;
use tfplugin::{Deferred, Diagnostic, Diagnostics, Read, Redactor, Refreshed};

use crate::drift::{self, AppliedRecord};
use crate::journal::helm_revision::HelmRevision;
use crate::journal::ownership;
use crate::journal::remains;
use crate::journal::{is_run_open, secret_name};
use crate::settings::model::Release;
use crate::state::outputs::from_record;
use crate::state::seen::{Seen, not_proven_gone, same_cluster};

/// The answer where the release cannot be looked at: what was known, and why.
pub(crate) fn kept(request: Read<Release>, diagnostics: Diagnostics) -> Refreshed<Release> {
    Refreshed { state: Some(request.state), private: request.private, diagnostics, deferred: None }
}

/// The answer where there is no cluster to ask.
pub(crate) fn without_cluster(request: Read<Release>, why: Unavailable) -> Refreshed<Release> {
    match why {
        Unavailable::Unknown => {
            let warning = Diagnostic::warning(
                format!("The release {} was not refreshed", request.state.name.as_str().unwrap_or_default()),
                "The provider's configuration is not known yet; the state of the last run is kept.",
            );
            Refreshed { deferred: Some(Deferred::ProviderConfigUnknown), ..kept(request, warning.into()) }
        }
        Unavailable::Invalid(errors) => kept(request, errors),
    }
}

/// Notes which cluster the release is in, where that could not be read when it was deployed.
async fn note_cluster(cluster: &Cluster, seen: &mut Seen) {
    match cluster.identity().await {
        Ok(identity) => seen.cluster = identity,
        Err(error) => tracing::warn!(%error, "which cluster this is is not known"),
    }
}

/// Looks at the records.
pub(crate) async fn read(cluster: &Cluster, records: &Records, request: Read<Release>) -> Refreshed<Release> {
    let namespace = request.state.namespace.clone().unwrap_or_default();
    let name = request.state.name.clone().unwrap_or_default();
    let mut seen = Seen::load(&request.private);
    if let Err(error) = same_cluster(cluster, &seen, &namespace, &name).await {
        return kept(request, error.into());
    }
    let unreadable = |error: ffe_helm::Error| {
        Diagnostics::error(
            format!("The release {namespace}/{name} cannot be read"),
            format!("{error}\n\nThe state of the last run is kept."),
        )
    };
    let key = match records.latest(&namespace, &name).await {
        Ok(Some(key)) => key,
        Ok(None) => {
            // The shared list may be a moment old: absence is confirmed by a list of its own.
            match records.history_now(&namespace, &name).await {
                Ok(mut history) => match history.pop() {
                    Some(key) => key,
                    None => match remains::refusal(cluster, records, &namespace, &name, false).await {
                        Ok(None) => {
                            if let Some(unknown) = not_proven_gone(&seen, &namespace, &name) {
                                return kept(request, unknown.into());
                            }
                            tracing::warn!(%namespace, %name, "the release is gone");
                            return Refreshed::gone();
                        }
                        Ok(Some(lost)) => return kept(request, lost.into()),
                        Err(errors) => return kept(request, errors),
                    },
                },
                Err(error) => return kept(request, unreadable(error)),
            }
        }
        Err(error) => return kept(request, unreadable(error)),
    };
    let (mut state, mut private) = (request.state.clone(), request.private.clone());
    let was_seen = seen.is_current(&key) || seen.first_deployed.is_some();
    let mut opened = None;
    if !seen.is_current(&key) {
        opened = match HelmRevision::open(records, &key).await {
            Ok(Some(revision)) => {
                let release = &revision.release;
                seen.replaced = seen.first_deployed.is_some() && seen.first_deployed != release.first_deployed;
                seen.first_deployed = seen.first_deployed.or(release.first_deployed);
                // Write-only values are not known here, so notes of a release that has some are not shown.
                let redactor = state.set_wo_revision.is_null().then(Redactor::default);
                from_record(&mut state, &revision, redactor.as_ref());
                seen.note(&key);
                seen.store(&mut private);
                Some(revision)
            }
            // It was replaced between list and read: the next refresh sees the newer one.
            Ok(None) => return Refreshed::present(request.state, request.private),
            Err(why) => {
                return kept(
                    request,
                    Diagnostic::error(why.summary, format!("{}\n\nThe state of the last run is kept.", why.detail))
                        .into(),
                );
            }
        };
    }
    // A release that is known by its record or its time is in one cluster only.
    if seen.cluster.is_empty() && was_seen && !seen.replaced {
        note_cluster(cluster, &mut seen).await;
        seen.store(&mut private);
    }
    let mut warnings =
        drift::find_drift(AppliedRecord { cluster, records, key: &key, opened }, &mut state, &mut private).await;
    // Helm's record may be as it was, and the database is not: then the next apply has something to do.
    seen = Seen::load(&private);
    match records.beside(&namespace, &secret_name(&name)).await {
        Ok(journal) => seen.open_run = journal.as_ref().is_some_and(is_run_open),
        Err(error) => tracing::info!(%error, "whether a run is open was not looked at"),
    }
    seen.store(&mut private);
    if seen.replaced {
        let replaced = ownership::replaced(&namespace, &name);
        warnings.push(Diagnostic::warning(replaced.summary, replaced.detail));
    }
    if seen.open_run {
        warnings.push(Diagnostic::warning(
            format!("A run of the release {namespace}/{name} is not finished"),
            "It was interrupted, or it is going on elsewhere. The next apply goes on with it, or takes back what it has left.",
        ));
    }
    Refreshed::present(state, private).with(warnings)
}
