//! A release that goes back to an older version: what its run undoes, as the journal holds it.

use ffe_alembic::Dropped;
use serde::{Deserialize, Serialize};

use crate::journal::{Outcome, Pending, RunRecord};

/// What a run that goes back undoes. Its page in the journal has `from` as its `schema_before`, and as its `image` the older
/// version's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct GoingBack {
    /// The image that knows the revisions: the one that has run before.
    pub image: String,
    /// The revisions that the version that has run before stands on: where the schema is brought again if going back fails.
    pub from: Vec<String>,
    /// The revisions that it leads to; never none.
    pub to: Vec<String>,
    /// What is undone, in the order in which it is.
    pub undone: Vec<Pending>,
    /// How many rows go with that, as counted before anything moved.
    pub rows: Vec<Rows>,
}

/// Where a run has found the schema that an earlier one had begun to take back when it died: behind what the version stands on that
/// had passed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Behind {
    /// The revisions that it has found.
    pub at: Vec<String>,
    /// The image that knows the way to the run's `schema_before` again: the one that had passed.
    pub image: String,
}

impl Behind {
    /// As found; `None`: the schema is not where a run that was to go so far back can have left it. `stands_on` says whether the
    /// database stands on where that run began, if the engine can tell.
    pub(crate) fn find(back: &GoingBack, found: &[String], stands_on: Option<bool>) -> Option<Behind> {
        let is_behind = match stands_on {
            Some(stands_on) => !stands_on && found != back.from,
            None => found == back.to && found != back.from,
        };
        is_behind.then(|| Behind { at: found.to_vec(), image: back.image.clone() })
    }
}

/// How many rows go with something that is dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rows {
    /// What is dropped.
    #[serde(flatten)]
    pub dropped: Dropped,
    /// The rows of a table, or those with a value in a column; absent where that is not known.
    pub rows: Option<u64>,
    /// It was not counted, but is what the server holds it for.
    pub estimate: bool,
}

impl Rows {
    /// In words: `the table feedback (12 rows)`.
    fn told(&self) -> String {
        let count = match (self.rows, self.estimate) {
            (None, _) => "rows not known".to_owned(),
            (Some(1), false) => "1 row".to_owned(),
            (Some(rows), false) => format!("{rows} rows"),
            (Some(rows), true) => format!("about {rows} rows, as the server estimates"),
        };
        format!("{} ({count})", self.dropped)
    }
}

impl GoingBack {
    /// What is lost, in words; `None` where nothing is dropped, as far as is known.
    pub(crate) fn losses(&self) -> Option<String> {
        let counted: Vec<String> = self.rows.iter().map(Rows::told).collect();
        let unread = self.undone.iter().filter(|one| one.dropped.is_none());
        let unread: Vec<String> = unread.map(|one| format!("what {} drops is not known", one.revision)).collect();
        let all = [counted, unread].concat();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

/// The schema that an image ran with last, and the run that has moved it from there to where it is now, as the runs tell.
pub(crate) fn older<'r>(
    runs: &'r [RunRecord],
    image: &str,
    current: &[String],
) -> Option<(&'r [String], &'r RunRecord)> {
    let good = |run: &RunRecord| run.outcome == Outcome::Succeeded && run.image.as_deref() == Some(image);
    let at = runs.iter().rposition(good)?;
    let own = runs[at].schema_after.as_deref().filter(|own| *own != current)?;
    let moved = |run: &&RunRecord| {
        run.schema_after.as_deref() == Some(current)
            && run.schema_before.as_deref() != Some(current)
            && run.image.as_deref() != Some(image)
            && run.back.is_none()
    };
    Some((own, runs[at + 1..].iter().rev().find(moved)?))
}

/// The revisions between an earlier schema and where it is now, in the order in which they ran; `None` where the runs do not tell
/// the whole way.
pub(crate) fn between(runs: &[RunRecord], own: &[String], current: &[String]) -> Option<Vec<Pending>> {
    let good = runs.iter().filter(|run| run.outcome == Outcome::Succeeded);
    let mut way: Vec<(&[String], &[Pending])> = Vec::new();
    for run in good {
        let (Some(before), Some(after)) = (run.schema_before.as_deref(), run.schema_after.as_deref()) else { continue };
        if run.back.is_some() {
            let left = way.iter().position(|(reached, _)| *reached == after).map_or(0, |at| at + 1);
            way.truncate(left);
        } else if before != after {
            // A first step begins at the earlier schema; each other one where the last has ended.
            if way.last().map_or(own, |(reached, _)| reached) != before {
                way.clear();
            }
            if !way.is_empty() || before == own {
                way.push((after, run.ran.as_deref().unwrap_or(&run.pending)));
            }
        }
    }
    let whole = way.last().is_some_and(|(reached, _)| *reached == current);
    whole.then(|| way.into_iter().flat_map(|(_, ran)| ran.iter().cloned()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn run(image: &str, outcome: Outcome, before: &str, after: &str) -> RunRecord {
        RunRecord {
            image: Some(image.to_owned()),
            outcome,
            schema_before: Some(vec![before.to_owned()]),
            schema_after: Some(vec![after.to_owned()]),
            pending: vec![Pending { revision: after.to_owned(), ..Pending::default() }],
            ..RunRecord::default()
        }
    }

    fn back(image: &str, before: &str, after: &str) -> RunRecord {
        let back = GoingBack { to: vec![after.to_owned()], ..GoingBack::default() };
        RunRecord { back: Some(back), pending: Vec::new(), ..run(image, Outcome::Succeeded, before, after) }
    }

    fn is_older(runs: &[RunRecord], image: &str, current: &str) -> bool {
        older(runs, image, &[current.to_owned()]).is_some()
    }

    #[test]
    fn an_image_is_older_when_a_later_run_has_moved_the_schema_on_from_it() {
        use Outcome::{Failed, RolledBack, Succeeded};
        let first = run("app:1", Succeeded, "a", "a");
        let second = run("app:2", Succeeded, "a", "b");
        assert!(is_older(&[first.clone(), second.clone()], "app:1", "b"));
        assert!(!is_older(&[first.clone(), second.clone()], "app:2", "b"));
        assert!(!is_older(&[first.clone(), second.clone()], "app:3", "b"), "never seen");
        assert!(!is_older(&[first.clone(), second.clone()], "app:1", "a"), "taken back by hand");
        assert!(!is_older(&[first.clone(), second.clone()], "app:1", "c"), "moved by somebody else");
        assert!(!is_older(&[first.clone(), run("app:2", RolledBack, "a", "a")], "app:1", "a"));
        assert!(is_older(&[first.clone(), run("app:2", Failed, "a", "b")], "app:1", "b"), "left ahead");
        let latest = [run("app:latest", Succeeded, "a", "a"), run("app:latest", Succeeded, "a", "b")];
        assert!(!is_older(&latest, "app:latest", "b"), "a tag that moves");
        // What went back does not make the newer image an older one.
        let there_and_back = [first, second, back("app:1", "b", "a")];
        assert!(!is_older(&there_and_back, "app:2", "a"));
        assert!(!is_older(&there_and_back, "app:1", "a"));
    }

    #[test]
    fn the_runs_tell_the_whole_way_or_nothing() {
        use Outcome::{Failed, Succeeded};
        let way = |runs: &[RunRecord], own: &str, current: &str| {
            let found = between(runs, &[own.to_owned()], &[current.to_owned()])?;
            Some(found.into_iter().map(|one| one.revision).collect::<Vec<_>>().join(" "))
        };
        let runs = [
            run("app:1", Succeeded, "", "a"),
            run("app:2", Succeeded, "a", "b"),
            run("app:9", Failed, "b", "b"),
            run("app:2", Succeeded, "b", "b"),
            run("app:3", Succeeded, "b", "c"),
        ];
        assert_eq!(way(&runs, "a", "c").as_deref(), Some("b c"));
        assert_eq!(way(&runs, "b", "c").as_deref(), Some("c"));
        assert_eq!(way(&runs, "a", "d"), None, "moved on by somebody else");
        assert_eq!(way(&runs[2..], "a", "c"), None, "the beginning is not kept any more");
        let gap = [runs[1].clone(), run("app:4", Succeeded, "x", "d")];
        assert_eq!(way(&gap, "a", "d"), None, "somebody else has moved it in between");
        let again = [runs.to_vec(), vec![back("app:2", "c", "b"), run("app:4", Succeeded, "b", "d")]].concat();
        assert_eq!(way(&again, "a", "d").as_deref(), Some("b d"));
    }

    #[test]
    fn what_is_lost_is_told_with_its_rows() {
        let told = |json: &str| serde_json::from_str::<Rows>(json).unwrap();
        let pending = |name: &str, dropped| Pending { revision: name.to_owned(), dropped, ..Pending::default() };
        let back = GoingBack {
            undone: vec![pending("0005", None), pending("0004", Some(Vec::new()))],
            rows: vec![
                told(r#"{"kind": "table", "name": "feedback", "column": null, "rows": 12, "estimate": false}"#),
                told(r#"{"kind": "column", "name": "a.b", "column": "c", "rows": 1, "estimate": false}"#),
                told(r#"{"kind": "rows", "name": "big", "column": null, "rows": 9000000, "estimate": true}"#),
                told(r#"{"kind": "other", "name": "schema old", "column": null, "rows": null, "estimate": false}"#),
            ],
            ..GoingBack::default()
        };
        assert_eq!(
            back.losses().unwrap(),
            "the table feedback (12 rows); the column c of a.b (1 row); all rows of big (about 9000000 rows, as the server \
             estimates); schema old (rows not known); what 0005 drops is not known"
        );
        assert_eq!(
            GoingBack { undone: vec![pending("0004", Some(Vec::new()))], ..GoingBack::default() }.losses(),
            None
        );
    }
}
