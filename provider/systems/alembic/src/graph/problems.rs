//! What is wrong with the graph.

use std::collections::{BTreeMap, HashMap};

use super::{Graph, GraphError, heads};
use crate::{Problem, ProblemKind, Revision, scripts::problem};

/// All that is wrong, as far as one thing does not hide another.
pub(crate) fn problems(revisions: &[Revision]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut by_id: BTreeMap<&str, Vec<&Revision>> = BTreeMap::new();
    for revision in revisions {
        by_id.entry(&revision.id).or_default().push(revision);
    }
    for (id, several) in by_id.iter().filter(|(_, several)| several.len() > 1) {
        let text = format!(
            "{} files have the identifier \"{id}\"; Alembic uses one of them and drops the others",
            several.len()
        );
        found.push(problem(ProblemKind::DuplicateId, several, text));
    }
    let mut labels: HashMap<&str, &Revision> = HashMap::new();
    for revision in revisions {
        for label in &revision.branch_labels {
            let other =
                by_id.get(label.as_str()).and_then(|several| several.first()).or_else(|| labels.get(label.as_str()));
            match other {
                Some(other) if other.id != revision.id => {
                    let text = format!("the branch label \"{label}\" is taken by revision {}", other.id);
                    found.push(problem(ProblemKind::DuplicateLabel, &[revision, other], text));
                }
                _ => {
                    labels.insert(label, revision);
                }
            }
        }
    }
    let known = |name: &str| by_id.contains_key(name) || labels.contains_key(name);
    let mut broken = false;
    for revision in revisions {
        for (what, names) in [("down_revision", &revision.down), ("depends_on", &revision.depends_on)] {
            for name in names.iter().filter(|name| !known(name)) {
                let text = format!(
                    "revision {} has {what} \"{name}\", which no file has; a file is missing from the folder, or was renamed",
                    revision.id
                );
                found.push(problem(ProblemKind::MissingParent, &[revision], text));
                broken = true;
            }
        }
    }
    if !broken && let Err(GraphError::Cycle { revisions: ids }) = Graph::new(revisions) {
        let on_it: Vec<&Revision> = ids.iter().filter_map(|id| by_id.get(id.as_str())?.last().copied()).collect();
        let text =
            format!("revisions {} come after themselves; one down_revision or depends_on is wrong", ids.join(", "));
        found.push(problem(ProblemKind::Cycle, &on_it, text));
    }
    let heads = heads(revisions);
    if heads.len() > 1 {
        let ids: Vec<&str> = heads.iter().map(|head| head.id.as_str()).collect();
        let text = format!(
            "there are {} heads: {}; \"head\" means none of them. Join them with `alembic merge heads`, or set the target to \"heads\"",
            ids.len(),
            ids.join(", ")
        );
        found.push(problem(ProblemKind::SeveralHeads, &heads, text));
    }
    found
}
