//! What was changed in the cluster behind the release's back.
//!
//! Nearly free while nothing has: objects of one kind and namespace are listed once, metadata only, for all releases that
//! are read at about the same time, and only an object whose uid or resource version is another than the one noted
//! in the private state is fetched and compared (`check`). What it is compared with is the manifest in Helm's record: exactly
//! what was applied, contents of Secrets too, kept in the cluster and nowhere else.
//!
//! `watch` knows which objects have moved, `check` what differs in one, `shown` how that is told without telling secrets,
//! `correct` what a plan and an apply make of it.

mod check;
pub(crate) mod correct;
mod shown;
mod watch;

use ffe_cluster::{Cluster, Kind};
use ffe_helm::records::{RecordKey, Records, Release as HelmRelease, Status};
use ffe_session::{Ignored, diagnostic};
use tfplugin::{Attr, Diagnostic, Diagnostics, Private, Redactor};

use crate::journal::helm_revision::HelmRevision;
use crate::settings::inputs::merged_values;
use crate::settings::model::{Drifted, Release};
use check::Check;
use watch::{Watched, list_moved};

/// Differences that are shown; more are counted.
const SHOWN: usize = 20;

/// What is done about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It is not looked for.
    Off,
    /// It is told.
    Warn,
    /// It is planned to be put right.
    Correct,
}

impl Mode {
    /// As the configuration or the state says; `None` where that is not known yet.
    pub(crate) fn of(model: &Release) -> Option<Mode> {
        if model.drift.is_unknown() {
            return None;
        }
        let Some(settings) = model.drift.known() else { return Some(Mode::Warn) };
        match &settings.mode {
            Attr::Unknown => None,
            mode => Some(match mode.as_str() {
                Some("off") => Mode::Off,
                Some("correct") => Mode::Correct,
                _ => Mode::Warn,
            }),
        }
    }
}

/// What others may change.
fn ignored(model: &Release) -> Ignored {
    model.drift.known().map(|settings| Ignored::of(&settings.ignore)).unwrap_or_default()
}

/// What was applied, as Helm's newest record has it.
pub(crate) struct AppliedRecord<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Helm's records.
    pub records: &'a Records,
    /// The newest record.
    pub key: &'a RecordKey,
    /// The same, where it was opened already.
    pub opened: Option<HelmRevision>,
}

/// Looks for drift, and notes it in the state. What cannot be looked at is a warning, and stays as it was found last.
pub(crate) async fn find_drift(applied: AppliedRecord<'_>, state: &mut Release, private: &mut Private) -> Diagnostics {
    let mut warnings = Diagnostics::new();
    let mode = Mode::of(state).unwrap_or(Mode::Warn);
    if mode == Mode::Off {
        state.drifted = Attr::Null;
        Watched::forget(private);
        return warnings;
    }
    if applied.key.status != Status::Deployed {
        // It is planned to be deployed anyway.
        state.drifted = Attr::Known(Vec::new());
        return warnings;
    }
    match compare(applied, state, private).await {
        Ok(more) => warnings.extend(more),
        Err(why) => warnings.push(why),
    }
    if mode == Mode::Warn {
        warnings.extend(drift_warning(state));
    }
    warnings
}

async fn compare(
    applied: AppliedRecord<'_>,
    state: &mut Release,
    private: &mut Private,
) -> Result<Diagnostics, Diagnostic> {
    let AppliedRecord { cluster, records, key, mut opened } = applied;
    let ignored = ignored(state);
    let namespace = state.namespace.clone().unwrap_or_default();
    let name = state.name.clone().unwrap_or_default();
    let mut watched = match Watched::load(private, &key.uid, &ignored) {
        Some(watched) => watched,
        None => {
            let revision = the_record(records, key, &mut opened, &name).await?;
            Watched::of(&key.uid, &ignored, &revision.manifest, &namespace)
        }
    };
    let listed = list_moved(cluster, &watched).await;
    let mut warnings = blind(&name, &listed.unlisted);
    if !listed.moved.is_empty() {
        let HelmRevision { release, manifest } = the_record(records, key, &mut opened, &name).await?;
        let check = Check::new(cluster, manifest, &namespace, redactor(state, release), &ignored);
        let doubts = check.compare_all(&mut watched, listed.moved).await;
        warnings.extend(unread(&name, &doubts.unread));
        warnings.extend(plainly(&name, &doubts.unresolved));
    }
    state.drifted = Attr::Known(watched.found(&namespace));
    watched.store(private);
    Ok(warnings)
}

async fn the_record<'a>(
    records: &Records,
    key: &RecordKey,
    opened: &'a mut Option<HelmRevision>,
    name: &str,
) -> Result<&'a HelmRevision, Diagnostic> {
    if opened.is_none() {
        let found = HelmRevision::open(records, key).await;
        *opened = found.map_err(|error| unreadable(name, &format!("{}. {}", error.summary, error.detail)))?;
    }
    opened.as_ref().ok_or_else(|| unreadable(name, "Its record was replaced meanwhile."))
}

fn unreadable(name: &str, why: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("Drift of the release {name} was not looked for"),
        format!("What was applied cannot be read. {why}"),
    )
}

/// What must not be shown: values that are in Helm's record and in no attribute of the state. They came from `set_wo`.
fn redactor(state: &Release, release: &HelmRelease) -> Redactor {
    let written = merged_values(state, false).map(|values| values.as_map().clone()).unwrap_or_default();
    Redactor::new(shown::unwritten(&written, &release.config))
}

/// The warning about what could not be looked at.
fn blind(name: &str, unseen: &[(String, std::sync::Arc<ffe_cluster::Error>)]) -> Diagnostics {
    let Some((_, first)) = unseen.first() else { return Diagnostics::new() };
    let kinds: Vec<&str> = unseen.iter().map(|(kind, _)| kind.as_str()).collect();
    let told = diagnostic(first, &format!("Drift of some objects of the release {name} was not looked for"));
    let advice = match first.kind() {
        Kind::Forbidden => " Grant it, or leave them out with drift.ignore.",
        Kind::NotServed => " Helm cannot put them right either until their kind is served again.",
        _ => "",
    };
    let detail = format!("{} could not be listed.{advice}\n\n{}", kinds.join(", "), told.detail);
    Diagnostic::warning(told.summary, detail).into()
}

/// The warning about objects that could be listed and not read.
fn unread(name: &str, unread: &[(String, ffe_cluster::Error)]) -> Diagnostics {
    let Some((_, first)) = unread.first() else { return Diagnostics::new() };
    let objects: Vec<&str> = unread.iter().map(|(object, _)| object.as_str()).collect();
    let told = diagnostic(first, &format!("Drift of some objects of the release {name} was not looked for"));
    Diagnostic::warning(told.summary, format!("{} could not be read.\n\n{}", objects.join(", "), told.detail)).into()
}

/// The warning about objects whose fields were compared without the API server's help.
fn plainly(name: &str, unresolved: &[(String, ffe_cluster::Error)]) -> Diagnostics {
    let Some((_, first)) = unresolved.first() else { return Diagnostics::new() };
    let objects: Vec<&str> = unresolved.iter().map(|(object, _)| object.as_str()).collect();
    Diagnostic::warning(
        format!("Drift of the release {name} may be only another way of writing"),
        format!(
            "Whether fields of {} differ in more than form was to be asked of the API server by a server-side apply that \
             changes nothing, and could not: {first}\n\nThey were compared as they are written.",
            objects.join(", ")
        ),
    )
    .into()
}

/// The warning about drift, where there is some.
fn drift_warning(state: &Release) -> Diagnostics {
    let drifted = state.drifted.known().map(Vec::as_slice).unwrap_or_default();
    if drifted.is_empty() {
        return Diagnostics::new();
    }
    let name = state.name.as_str().unwrap_or_default();
    let namespace = state.namespace.as_str().unwrap_or_default();
    let mut detail = lines(drifted);
    detail.push_str(
        "\n\ndrift = { mode = \"correct\" } puts it right with the next apply; drift.ignore leaves out what others may \
         change; mode \"off\" looks no more.",
    );
    Diagnostic::warning(format!("The release {namespace}/{name} is not in the cluster as it was applied"), detail)
        .into()
}

/// Each difference on a line.
pub(crate) fn lines(drifted: &[Drifted]) -> String {
    let mut lines: Vec<String> = drifted.iter().take(SHOWN).map(shown::line).collect();
    if drifted.len() > SHOWN {
        lines.push(format!("and {} more", drifted.len() - SHOWN));
    }
    lines.join("\n")
}
