//! Where the database stands, what is pending and what has run: asked of the application's own engine.

use ffe_alembic::{Dropped, Undo};
use serde::Deserialize;
use tfplugin::{Diagnostic, Path};

use crate::apply::migration::answer::Facts;
use crate::apply::migration::command;
use crate::journal::{Pending, Rows};

/// The Python script that asks, migrates and undoes; runs in the application's image.
pub(crate) const SCRIPT: &str = concat!(include_str!("alembic_drops.py"), "\n\n", include_str!("alembic_job.py"));

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inspection {
    /// The database's revisions, in order; none before the first migration.
    pub current: Vec<String>,
    /// `env.py` migrates several databases or schemas, and they stand at different revisions.
    pub apart: bool,
    /// The heads that the image has.
    pub heads: Vec<String>,
    /// In the order in which they will run; empty where no target was given.
    pub pending: Vec<Pending>,
    /// What has run since the base that was asked about, in order.
    pub ran: Vec<Pending>,
    /// Revisions of that base that the database does not stand on, or that the image does not have.
    pub astray: Vec<String>,
    /// Revisions of the database that the image does not have.
    pub unknown: Vec<String>,
    /// Where there are such: the revisions that the target means to the image, if it was asked for them.
    pub aim: Vec<String>,
    /// How many rows go with what undoing `ran` drops, if it was asked for them.
    pub rows: Vec<Rows>,
    /// Indexes that are there and enforce nothing.
    pub invalid_indexes: Vec<String>,
}

/// Where the database stands, or why that is not known. What is not known is neither "base" nor "nothing", and moves
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// As a Job has told it.
    Known(Inspection),
    /// It could not be found out, for this reason; another Job may find it out.
    Unknown(String),
    /// What the Job has told is not what was asked for.
    Malformed(String),
}

impl Standing {
    /// What Alembic has told.
    pub(crate) fn of_alembic(facts: &Facts) -> Standing {
        match alembic(facts) {
            Ok(found) => Standing::Known(found),
            Err(error) => Standing::Malformed(format!("its answer cannot be read: {error}")),
        }
    }

    /// What the lines of a `current_command` say: one revision a line.
    pub(crate) fn of_command(facts: &Facts) -> Standing {
        match command::revisions(facts) {
            Ok(current) => Standing::Known(Inspection { current, ..Inspection::default() }),
            Err(why) => Standing::Malformed(why),
        }
    }

    /// What was found; else why it is not known.
    ///
    /// # Errors
    /// With that reason.
    pub(crate) fn known(self) -> Result<Inspection, String> {
        match self {
            Standing::Known(found) => Ok(found),
            Standing::Unknown(why) | Standing::Malformed(why) => Err(why),
        }
    }
}

/// The warning about indexes that are there and enforce nothing.
pub(crate) fn invalid_indexes(found: &Inspection) -> Option<Diagnostic> {
    let names = &found.invalid_indexes;
    let first = names.first()?;
    Some(
        Diagnostic::warning(
            format!("Indexes of the database are INVALID: {}", names.join(", ")),
            format!(
                "A CREATE INDEX CONCURRENTLY that failed or was interrupted leaves an index that is there, is kept up to date \
                 and enforces and speeds up nothing; IF NOT EXISTS takes it for done. Remove it and build it again: DROP INDEX \
                 CONCURRENTLY {first};"
            ),
        )
        .at(Path::attribute("migration")),
    )
}

/// A revision as the script tells it: what it leaves out is not taken for harmless.
#[derive(Deserialize)]
struct Told {
    revision: String,
    message: String,
    undo: Undo,
    autocommit: bool,
    dropped: Option<Vec<Dropped>>,
}

fn alembic(facts: &Facts) -> Result<Inspection, serde_json::Error> {
    let names =
        |fact: &str| -> Result<Vec<String>, serde_json::Error> { facts.of(fact).map(serde_json::from_str).collect() };
    let revisions = |fact: &str| -> Result<Vec<Pending>, serde_json::Error> {
        let told = facts.of(fact).map(serde_json::from_str::<Told>);
        told.map(|one| {
            let Told { revision, message, undo, autocommit, dropped } = one?;
            Ok(Pending { revision, message, undo, autocommit, dropped })
        })
        .collect()
    };
    let databases: Vec<Vec<String>> = facts.of("database").map(serde_json::from_str).collect::<Result<_, _>>()?;
    let apart = databases.windows(2).any(|pair| pair[0] != pair[1]);
    let mut current = databases.concat();
    current.sort();
    current.dedup();
    Ok(Inspection {
        current,
        apart,
        heads: names("head")?,
        pending: revisions("pending")?,
        ran: revisions("ran")?,
        astray: names("astray")?,
        unknown: names("unknown")?,
        aim: names("aim")?,
        rows: facts.of("rows").map(serde_json::from_str).collect::<Result<_, _>>()?,
        invalid_indexes: names("invalid_index")?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn facts(log: &str) -> Facts {
        let lines: Vec<String> = log.lines().map(|line| format!("M {line}\n")).collect();
        Facts::read(&format!("{}M end {}", lines.concat(), lines.len()), "M").unwrap_or_default()
    }

    #[test]
    fn what_alembic_tells_is_read() {
        let found = Standing::of_alembic(&facts(
            "database [\"0003\"]\nhead \"0005\"\npending {\"revision\": \"0004\", \"message\": \"x\", \"undo\": \"pass\", \
             \"autocommit\": true}\nran {\"revision\": \"0003\", \"message\": \"\", \"undo\": \"possible\", \"autocommit\": \
             false}\ninvalid_index \"public.i\"",
        ));
        let found = found.known().unwrap_or_default();
        assert_eq!(found.current, ["0003"]);
        assert_eq!(found.heads, ["0005"]);
        assert_eq!(found.pending[0].undo, Undo::Pass);
        assert!(found.pending[0].obstacle().is_some_and(|text| text.contains("empty downgrade()")));
        assert_eq!(found.ran[0].revision, "0003");
        assert_eq!(found.invalid_indexes, ["public.i"]);
        assert!(!found.apart);
    }

    #[test]
    fn tenants_behind_each_other_are_seen() {
        let apart = |log: &str| Standing::of_alembic(&facts(log)).known().map(|found| (found.current, found.apart));
        let names = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        assert_eq!(apart("database [\"2\"]\ndatabase [\"1\"]"), Ok((names(&["1", "2"]), true)));
        assert_eq!(apart("database []\ndatabase [\"1\"]"), Ok((names(&["1"]), true)));
        assert_eq!(apart("database [\"1\", \"b\"]\ndatabase [\"1\", \"b\"]"), Ok((names(&["1", "b"]), false)));
    }

    #[test]
    fn a_fact_that_cannot_be_read_is_not_left_out() {
        assert!(matches!(Standing::of_alembic(&facts("database [\"00…")), Standing::Malformed(_)));
        for ran in ["{\"undo\": \"perhaps\"}", "{\"revision\": \"2\", \"message\": \"\", \"autocommit\": false}"] {
            assert!(matches!(Standing::of_alembic(&facts(&format!("database []\nran {ran}"))), Standing::Malformed(_)));
        }
    }
}
