//! Whether the schema has a way back, and where it leads.
//!
//! What moves the schema takes an [`OpenWay`], and only a known base and a known standing make one.

use crate::apply::migration::inspection::Inspection;
use crate::apply::migration::task::is_alembic;
use crate::journal::RunRecord;
use crate::settings::model::Migration;

/// A way back that is open: its base is known, the database stands on it, and all that has run since can be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenWay {
    base: Vec<String>,
}

impl OpenWay {
    /// The way from where the database stands to the base of a run.
    ///
    /// # Errors
    /// With the reason why it is closed.
    pub(crate) fn find(settings: &Migration, record: &RunRecord, found: &Inspection) -> Result<OpenWay, String> {
        match record.schema_before.clone() {
            Some(base) => OpenWay::to(settings, base, record.apart, found),
            None => Err("Where it stood before is not known.".to_owned()),
        }
    }

    /// The way from where the database stands to these revisions; `apart`: several databases were at different ones.
    ///
    /// # Errors
    /// With the reason why it is closed.
    pub(crate) fn to(
        settings: &Migration,
        base: Vec<String>,
        apart: bool,
        found: &Inspection,
    ) -> Result<OpenWay, String> {
        if base.is_empty() {
            return Err("This was the first migration: undoing it would drop every table.".to_owned());
        }
        if apart {
            return Err(
                "The databases that env.py migrates stood at different revisions, and only a backup brings those \
                        back."
                    .to_owned(),
            );
        }
        if !is_alembic(settings) {
            if settings.downgrade_command.is_null() {
                return Err("The engine has no downgrade_command.".to_owned());
            }
            if base.len() > 1 {
                return Err("It stood at several revisions, and downgrade_command takes one.".to_owned());
            }
            return Ok(OpenWay { base });
        }
        if !found.unknown.is_empty() {
            return Err(format!("The image does not have {}, at which the database is.", found.unknown.join(", ")));
        }
        if !found.astray.is_empty() {
            return Err(format!(
                "The database does not stand on {} any more: something else has moved the schema.",
                found.astray.join(", ")
            ));
        }
        match found.ran.iter().find_map(|one| Some((one, one.obstacle()?))) {
            Some((one, obstacle)) => Err(format!("Revision {} {obstacle}.", one.revision)),
            None => Ok(OpenWay { base }),
        }
    }

    /// The revisions that it leads to; never none.
    pub(crate) fn base(&self) -> &[String] {
        &self.base
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use ffe_alembic::Undo;

    use super::*;
    use crate::journal::Pending;

    fn settings(engine: &str) -> Migration {
        let down = vec![tfplugin::Attr::Known("down".to_owned())];
        Migration { downgrade_command: tfplugin::Attr::Known(down), ..Migration::for_tests(engine) }
    }

    fn record(base: &[&str]) -> RunRecord {
        RunRecord { schema_before: Some(base.iter().map(|one| (*one).to_owned()).collect()), ..RunRecord::default() }
    }

    fn found(ran: &[(&str, Undo)]) -> Inspection {
        let ran =
            ran.iter().map(|(name, undo)| Pending { revision: (*name).to_owned(), undo: *undo, ..Pending::default() });
        Inspection { ran: ran.collect(), ..Inspection::default() }
    }

    #[test]
    fn only_a_known_base_that_the_database_stands_on_can_be_gone_back_to() {
        let alembic = settings("alembic");
        let ran = found(&[("b", Undo::Possible), ("c", Undo::Possible)]);
        let way = |record: &RunRecord, found: &Inspection| OpenWay::find(&alembic, record, found);
        assert_eq!(way(&record(&["a"]), &ran).unwrap().base(), ["a"]);
        assert_eq!(way(&record(&["a", "x"]), &ran).unwrap().base(), ["a", "x"], "several heads");
        for (record, found, why) in [
            (RunRecord::default(), ran.clone(), "not known"),
            (record(&[]), ran.clone(), "first migration"),
            (RunRecord { apart: true, ..record(&["a", "b"]) }, ran.clone(), "different revisions"),
            (record(&["a"]), Inspection { astray: vec!["a".to_owned()], ..ran.clone() }, "does not stand on a"),
            (record(&["a"]), Inspection { unknown: vec!["z".to_owned()], ..ran.clone() }, "does not have z"),
            (record(&["a"]), found(&[("b", Undo::Pass), ("c", Undo::Possible)]), "Revision b has an empty"),
            (record(&["a"]), found(&[("b", Undo::Possible), ("c", Undo::Raises)]), "Revision c has a downgrade"),
        ] {
            let error = way(&record, &found).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_command_takes_one_revision() {
        let command = settings("command");
        let way = |record: &RunRecord| OpenWay::find(&command, record, &Inspection::default());
        assert_eq!(way(&record(&["a"])).unwrap().base(), ["a"]);
        assert!(way(&record(&["a", "b"])).unwrap_err().contains("takes one"));
        let none = Migration { downgrade_command: tfplugin::Attr::Null, ..command.clone() };
        assert!(
            OpenWay::find(&none, &record(&["a"]), &Inspection::default()).unwrap_err().contains("no downgrade_command")
        );
    }
}
