//! What a plan and an apply make of drift.
//!
//! A correction deploys what is deployed already, waits for it and checks it. It never takes a backup and never migrates: the
//! database is none of what Helm applied.

use ffe_cluster::Cluster;
use ffe_helm::records::{RecordKey, Records, Status};
use tfplugin::{Attr, Diagnostic, Diagnostics, Plan, Private};

use super::{AppliedRecord, Mode, find_drift, ignored, lines, shown};
use crate::journal::helm_revision::HelmRevision;
use crate::rendering::changes::Change;
use crate::settings::model::{Drifted, Release};

const KEY: &str = "correction.v1";

/// The drift that a configuration wants to be put right.
fn wanted<'a>(config: &Release, prior: Option<&'a Release>) -> Vec<&'a Drifted> {
    if Mode::of(config) != Some(Mode::Correct) {
        return Vec::new();
    }
    let ignored = ignored(config);
    let counts = |drifted: &&Drifted| {
        let (kind, name) = shown::parts(drifted.object.as_str().unwrap_or_default());
        let pointer = drifted.path.as_str().unwrap_or_default();
        !ignored.object(kind, name) && !ignored.field(kind, name, pointer)
    };
    prior.and_then(|prior| prior.drifted.known()).into_iter().flatten().filter(counts).collect()
}

/// Whether a run is to put drift right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Correction {
    /// There is none, or it is not to be put right.
    None,
    /// Beside other changes.
    Beside,
    /// There is nothing else to do: the run neither takes a backup nor migrates.
    Alone,
}

impl Correction {
    /// As the plan says, which travels in private state.
    pub(crate) fn of(config: &Release, prior: &Release, private: &Private) -> Correction {
        match is_wanted(config, Some(prior)) {
            false => Correction::None,
            true if private.get(KEY).unwrap_or_default() => Correction::Alone,
            true => Correction::Beside,
        }
    }

    /// Whether the run deploys also where what is deployed is as wanted.
    pub(crate) fn is_wanted(self) -> bool {
        self != Correction::None
    }
}

/// Whether there is drift to be put right.
pub(crate) fn is_wanted(config: &Release, prior: Option<&Release>) -> bool {
    !wanted(config, prior).is_empty()
}

/// Writes into a plan that changes something what becomes of the drift; `alone` says that nothing else is the reason for it.
pub(crate) fn plan_drift(plan: &mut Plan<Release>, alone: bool) {
    plan.planned.drifted = match Mode::of(&plan.config) {
        None | Some(Mode::Warn) => Attr::Unknown,
        Some(Mode::Off) => Attr::Null,
        Some(Mode::Correct) => Attr::Known(Vec::new()),
    };
    if alone {
        plan.private.set(KEY, &true);
    } else {
        plan.private.remove(KEY);
    }
}

/// Lists what is put right among the changes, where it is not listed for another reason.
pub(crate) fn add_changes(config: &Release, prior: Option<&Release>, changes: &mut Vec<Change>) {
    for drifted in wanted(config, prior) {
        let (object, path) = (drifted.object.clone().unwrap_or_default(), drifted.path.clone().unwrap_or_default());
        match changes.iter_mut().find(|change| change.object == object) {
            // One that is made anew, or removed, names no fields.
            Some(change) if path.is_empty() || change.fields.is_empty() || change.fields.contains(&path) => {}
            Some(change) => change.fields.push(path),
            None => changes.push(Change {
                action: if path.is_empty() { "create" } else { "change" }.to_owned(),
                object,
                fields: Some(path).filter(|path| !path.is_empty()).into_iter().collect(),
                digest: None,
            }),
        }
    }
}

/// What a run has done, as far as it matters to drift.
pub(crate) struct Deployed<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Helm's records.
    pub records: &'a Records,
    /// The record before the run.
    pub before: Option<&'a RecordKey>,
    /// The record after it.
    pub after: Option<&'a RecordKey>,
    /// The same, opened.
    pub revision: Option<&'a HelmRevision>,
    /// Whether the run was to put drift right.
    pub correction: Correction,
    /// The run has done what was planned.
    pub succeeded: bool,
}

/// What the state says of drift after a run, and a warning where a correction did not help. `prior` is what had drifted
/// before.
pub(crate) async fn after(
    run: Deployed<'_>,
    state: &mut Release,
    prior: Attr<Vec<Drifted>>,
    private: &mut Private,
) -> Diagnostics {
    private.remove(KEY);
    let mode = Mode::of(state).unwrap_or(Mode::Warn);
    if mode == Mode::Off {
        state.drifted = Attr::Null;
        return Diagnostics::new();
    }
    let before = run.before.map(|key| key.revision);
    let deployed = |key: &&RecordKey| Some(key.revision) != before && key.status == Status::Deployed;
    let Some(key) = run.after.filter(deployed) else {
        // Nothing was deployed: what had drifted still has. Where it was to be put right and is not, it does not count.
        let none = run.succeeded && mode == Mode::Correct || !prior.is_known();
        state.drifted = if none { Attr::Known(Vec::new()) } else { prior };
        return Diagnostics::new();
    };
    state.drifted = Attr::Known(Vec::new());
    if !run.correction.is_wanted() || !run.succeeded {
        // The next refresh looks at all of it.
        return Diagnostics::new();
    }
    let (mut found, mut noted) = (state.clone(), private.clone());
    let applied = AppliedRecord { cluster: run.cluster, records: run.records, key, opened: run.revision.cloned() };
    let mut warnings = find_drift(applied, &mut found, &mut noted).await;
    match found.drifted.known().map(Vec::as_slice) {
        Some(left @ [_, ..]) => warnings.push(Diagnostic::warning(
            format!("The drift of the release {} was not put right", state.name.as_str().unwrap_or_default()),
            format!(
                "Helm has deployed it again, and this is still not as it was applied:\n\n{}\n\nSomething writes it anew, or \
                 Helm does not compare objects of this kind with what is in the cluster. Put it right by hand, or leave it \
                 out with drift.ignore; until then every plan wants to correct it.",
                lines(left)
            ),
        )),
        _ => *private = noted,
    }
    warnings
}
