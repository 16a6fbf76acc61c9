//! Taking over what runs: ours with the inputs as they were written, a foreign one with what Helm knows.

use ffe_cluster::Cluster;
use ffe_helm::records::Records;
use ffe_session::diagnostic;
use tfplugin::{Attr, Diagnostic, Diagnostics, Field, Imported, Model, Path, Private, Redactor, Value};

use crate::journal::helm_revision::HelmRevision;
use crate::journal::{Journal, Restored};
use crate::rendering::changes::{Change, lines};
use crate::settings::model::Release;
use crate::state::outputs::{from_journal, from_record, settle_unknown};
use crate::state::seen::Seen;

/// Finds a release by `namespace/name`.
///
/// # Errors
/// When the identifier is malformed or there is no such release.
pub(crate) async fn import(cluster: &Cluster, records: &Records, id: &str) -> Result<Imported<Release>, Diagnostics> {
    let Some((namespace, name)) =
        id.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty() && !name.contains('/'))
    else {
        return Err(Diagnostics::error(
            "The import identifier is malformed",
            format!("Expected namespace/name, such as ffe/ffe-backend; got \"{id}\"."),
        ));
    };
    let history = records.history_now(namespace, name).await;
    let history =
        history.map_err(|error| Diagnostics::error(format!("The release {id} cannot be read"), error.to_string()))?;
    let Some(key) = history.last() else {
        return Err(Diagnostics::error(
            format!("There is no release {id}"),
            format!("Looked for Helm's release records on {}. helm list -A shows what is there.", cluster.server()),
        ));
    };
    let revision = HelmRevision::open(records, key)
        .await?
        .ok_or_else(|| Diagnostics::error(format!("The release {id} changed while it was read"), "Try again."))?;
    let journal = Journal::find(cluster, namespace, name).await;
    let journal = journal.map_err(|error| diagnostic(&error, "The journal cannot be read"))?;
    // What no run of ours has made was there before: a destroy leaves it, as it leaves a namespace or an ingress that was imported.
    let was_there_before = journal.as_ref().is_none_or(|journal| journal.mark.adopted);
    let journal = journal.filter(Journal::is_complete);
    let identity = cluster.identity().await.map_err(|error| diagnostic(&error, "The cluster cannot be identified"))?;

    let good = journal.as_ref().and_then(Journal::good_revision) == Some(key.revision);
    let HelmRevision { release, manifest } = &revision;
    let recorded = good.then_some(&release.config);
    let Restored { config, missing } =
        journal.as_ref().map(|journal| journal.written().restored(recorded)).unwrap_or_default();
    let mut state = Release::from_value(&config.unwrap_or_else(|| Release::schema().empty()), &Path::root())?;
    settle_unknown(&mut state);
    state.namespace = Attr::from(namespace);
    state.name = Attr::from(name);
    let mut seen = Seen { cluster: identity, server: cluster.server().to_owned(), ..Seen::default() };
    seen.note(key);
    seen.first_deployed = release.first_deployed;
    seen.adopted = was_there_before;
    let has_secrets = journal.as_ref().is_some_and(|journal| journal.content.applied.set_wo_revision.is_some());
    from_record(&mut state, &revision, (!has_secrets).then(Redactor::default).as_ref());
    if let Some(journal) = &journal {
        apply_defaults(&mut state);
        from_journal(&mut state, journal);
        let digests = cluster.find_digests(namespace, &journal.mark.owner).await;
        let digests = digests.map_err(|error| diagnostic(&error, "The key of the journal's digests cannot be read"))?;
        if journal.has_applied(manifest, digests.as_ref()) {
            seen.applied_digest = manifest.digest();
        }
        // A run that failed before it deployed has made no revision: the one before it stands.
        let deployed = journal.content.runs.iter().rev().find_map(|run| run.revision_after);
        seen.applied_revision = deployed.map_or(0, i64::from);
        let change = |(action, object): &(String, String)| Change {
            action: action.clone(),
            object: object.clone(),
            fields: Vec::new(),
            digest: None,
        };
        let changes: Vec<Change> = journal.content.applied.changes.iter().map(change).collect();
        state.changes = lines(&changes);
    }
    let mut private = Private::default();
    seen.store(&mut private);
    let diagnostics = if missing.is_empty() { Diagnostics::new() } else { not_kept(namespace, name, &missing).into() };
    Ok(Imported { state, private, diagnostics })
}

/// What a plan that follows an import would show as a change and is perhaps none.
fn not_kept(namespace: &str, name: &str, missing: &[String]) -> Diagnostic {
    Diagnostic::warning(
        format!("Parts of the configuration of the release {namespace}/{name} are not known"),
        format!(
            "Secrets are not written into the journal, and these could not be had from Helm's record: {}. The plan shows them as \
             added. An apply writes them into the state; where nothing else is changed it makes no new revision.",
            missing.join(", ")
        ),
    )
}

/// The defaults of the schema where nothing was written: they are in the state of what was applied.
fn apply_defaults(state: &mut Release) {
    let Value::Map(mut entries) = state.to_value() else { return };
    for attribute in Release::attributes() {
        if let (Some(default), Some(value)) = (attribute.default, entries.get_mut(&attribute.name))
            && value.is_null()
        {
            *value = default;
        }
    }
    if let Ok(with_defaults) = Release::from_value(&Value::Map(entries), &Path::root()) {
        *state = with_defaults;
    }
}
