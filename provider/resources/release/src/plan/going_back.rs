//! What a plan says of an older version whose image does not know the schema as it is: the revisions that will be undone, and
//! what each drops.
//!
//! Which revisions an image has, a plan does not know. It knows where the database stood when the image ran last (the journal), and
//! what the revision files on this machine have; where neither tells, apply finds out before anything moves.

use std::path::Path as FsPath;

use ffe_alembic::Scripts;
use ffe_cluster::Cluster;
use ffe_helm::manifest::Manifest;
use ffe_session::diagnostic;
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::journal::{Journal, Pending, RunRecord, between, names, older};
use crate::rendering::migration_image;
use crate::settings::inputs::Inputs;
use crate::settings::model::{Migration, Release};

/// What the plan says.
#[derive(Debug)]
pub(super) struct Preview {
    /// Each revision with what is dropped, in the order in which they are undone; null where nothing is.
    pub undone: Attr<Vec<Attr<String>>>,
    /// That the schema goes back, and what cannot be said yet.
    pub warnings: Diagnostics,
}

/// Where the schema will go back to, as far as a plan can know.
#[derive(Debug, PartialEq)]
enum Aim {
    /// Nowhere.
    None,
    /// Apply finds out.
    Unknown,
    /// To these revisions, and then these are undone, where they are known; in the order in which they have run.
    To(Vec<String>, Option<Vec<Pending>>),
}

/// Reads the journal and the files, where going back is allowed. The database's revision is the one in state.
///
/// # Errors
/// When the journal cannot be read, or a revision that would have to be undone cannot be.
pub(super) async fn preview(
    cluster: &Cluster,
    inputs: &Inputs,
    prior: Option<&Release>,
    manifest: &Manifest,
) -> Result<Preview, Diagnostics> {
    let nothing = Preview { undone: Attr::Null, warnings: Diagnostics::new() };
    let Some(settings) = inputs
        .config
        .migration
        .known()
        .filter(|settings| settings.allow_downgrade.is_unknown() || settings.allows_downgrade())
    else {
        return Ok(nothing);
    };
    let current = prior.and_then(|prior| prior.schema_revision.known());
    let current: Option<Vec<String>> =
        current.map(|all| all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect());
    // The first run of a release meets whatever is there.
    let Some(current) = current.filter(|_| settings.allows_downgrade() && !settings.target.is_unknown()) else {
        return Ok(Preview { undone: Attr::Unknown, ..nothing });
    };
    let journal = Journal::find(cluster, &inputs.namespace, &inputs.name).await;
    let journal = journal.map_err(|error| diagnostic(&error, "The journal cannot be read"))?;
    let runs = journal.map(|journal| journal.content.runs).unwrap_or_default();
    let image = migration_image::image(settings, &manifest.workloads(&inputs.namespace)).ok();
    let scripts = settings.scripts.as_str().and_then(|folder| Scripts::read(FsPath::new(folder)).ok());
    match aim(&runs, image.as_deref(), &current, scripts.as_ref(), settings) {
        Aim::None => Ok(nothing),
        Aim::Unknown => Ok(Preview { undone: Attr::Unknown, ..nothing }),
        Aim::To(to, undone) => told(&current, &to, undone, settings),
    }
}

fn aim(
    runs: &[RunRecord],
    image: Option<&str>,
    current: &[String],
    scripts: Option<&Scripts>,
    settings: &Migration,
) -> Aim {
    let Some(image) = image else { return Aim::Unknown };
    let by_files = |to: &[String]| {
        let undone = scripts?.undone(current, to).ok()?;
        Some(undone.into_iter().rev().map(Pending::from).collect::<Vec<_>>())
    };
    if let Some((own, _)) = older(runs, image, current) {
        if settings.engine.as_str() == Some("command") {
            // What the commands undo nobody knows.
            let undone = current.iter().map(|one| Pending { revision: one.clone(), ..Pending::default() });
            return Aim::To(own.to_vec(), Some(undone.collect()));
        }
        let undone = by_files(own).or_else(|| between(runs, own, current)).filter(|undone| !undone.is_empty());
        return Aim::To(own.to_vec(), undone);
    }
    // Of an image that is to change not even one that ran on this schema once is known to have it: tags move.
    let stands = |run: &RunRecord| run.image.as_deref() == Some(image) && run.schema_after.as_deref() == Some(current);
    if runs.iter().rev().find(|run| run.verified).is_some_and(stands) {
        return Aim::None;
    }
    // Files that do not have the database's revisions are those of an older version.
    let behind = scripts.filter(|scripts| !current.iter().all(|one| scripts.revision(one).is_some()));
    match behind.map(|scripts| scripts.aim(settings.target.as_str().unwrap_or("head"))) {
        Some(Ok(to)) if !to.is_empty() => {
            let undone = between(runs, &to, current);
            Aim::To(to, undone)
        }
        _ => Aim::Unknown,
    }
}

fn told(
    current: &[String],
    to: &[String],
    undone: Option<Vec<Pending>>,
    settings: &Migration,
) -> Result<Preview, Diagnostics> {
    let at = || Path::attribute("migration").child("allow_downgrade");
    let mut warnings = Diagnostics::new();
    let obstacles = undone.iter().flatten().rev().filter_map(|one| Some((one, one.obstacle()?)));
    let errors: Diagnostics = obstacles
        .map(|(one, obstacle)| {
            Diagnostic::error(
                format!("Revision {} cannot be undone", one.revision),
                format!(
                    "It {obstacle}, so the schema cannot go back from {} to {}.\n\nWhat to do: Go forward with a corrected version. \
                     Or stop the application, restore a dump that was made before, and apply again.",
                    names(current),
                    names(to)
                ),
            )
            .at(at())
        })
        .collect();
    if errors.has_errors() {
        return Err(errors);
    }
    let texts: Option<Vec<String>> = undone.map(|all| all.iter().rev().map(Pending::undoing).collect());
    let list = match &texts {
        Some(texts) => format!("Undone, in this order:\n\n  {}", texts.join("\n  ")),
        None => "Which revisions are undone and what they drop, apply finds out before anything moves.".to_owned(),
    };
    let backup = match settings.backup.as_str() {
        Some("never") => "No backup is taken (migration.backup), so nothing brings back what is dropped.",
        Some("always") => "A backup is taken first.",
        _ => "A backup is taken first, unless the namespace belongs to an environment with the preset dev or staging.",
    };
    warnings.push(
        Diagnostic::warning(
            "The schema goes back to an older version's",
            format!(
                "From {} to {}. {list}\n\nApply counts the rows before anything moves. {backup} The pods of the newer version end \
                 before the schema goes back, so requests fail until the older version is ready.",
                names(current),
                names(to)
            ),
        )
        .at(at()),
    );
    let undone = texts.map_or(Attr::Unknown, |texts| Attr::Known(texts.into_iter().map(Attr::Known).collect()));
    Ok(Preview { undone, warnings })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::path::PathBuf;

    use ffe_alembic::Undo;

    use super::*;
    use crate::journal::Outcome;

    fn line(count: usize) -> Scripts {
        Scripts::from_sources((1..=count).map(|at| {
            let down = if at == 1 { "None".to_owned() } else { format!("\"000{}\"", at - 1) };
            let text = format!(
                "revision = \"000{at}\"\ndown_revision = {down}\nfrom alembic import op\n\ndef upgrade():\n    \
                 op.create_table(\"t{at}\")\n\ndef downgrade():\n    op.drop_table(\"t{at}\")\n"
            );
            (PathBuf::from(format!("000{at}.py")), text)
        }))
    }

    fn run(image: &str, before: &str, after: &str) -> RunRecord {
        let pending = (before != after).then(|| Pending { revision: after.to_owned(), ..Pending::default() });
        RunRecord {
            image: Some(image.to_owned()),
            outcome: Outcome::Succeeded,
            verified: true,
            schema_before: Some(vec![before.to_owned()]),
            schema_after: Some(vec![after.to_owned()]),
            pending: pending.into_iter().collect(),
            ..RunRecord::default()
        }
    }

    fn aims(runs: &[RunRecord], image: &str, scripts: Option<&Scripts>) -> Aim {
        aim(runs, Some(image), &["0003".to_owned()], scripts, &Migration::for_tests("alembic"))
    }

    fn undoing(aim: Aim) -> (String, Option<String>) {
        let Aim::To(to, undone) = aim else { panic!("{aim:?}") };
        let words = |all: Vec<Pending>| all.iter().map(Pending::undoing).collect::<Vec<_>>().join("; ");
        (to.join(" "), undone.map(words))
    }

    #[test]
    fn the_journal_and_the_files_tell_what_is_undone() {
        let runs = [run("app:1", "", "0001"), run("app:2", "0001", "0002"), run("app:3", "0002", "0003")];
        // The files of the newer version: with what each drops.
        let dropped = "0002: drops the table t2; 0003: drops the table t3";
        assert_eq!(undoing(aims(&runs, "app:1", Some(&line(3)))), ("0001".to_owned(), Some(dropped.to_owned())));
        // Those of the older one, or none: as the journal has it.
        let noted = "0002: what it drops is not known; 0003: what it drops is not known";
        for scripts in [Some(&line(1)), None] {
            assert_eq!(undoing(aims(&runs, "app:1", scripts)), ("0001".to_owned(), Some(noted.to_owned())));
        }
        // An image that the journal does not know, and files that are older than the database.
        assert_eq!(undoing(aims(&runs, "app:1b", Some(&line(1)))), ("0001".to_owned(), Some(noted.to_owned())));
        assert_eq!(undoing(aims(&[], "app:1b", Some(&line(1)))), ("0001".to_owned(), None), "the journal is lost");
        for scripts in [Some(&line(3)), None] {
            assert_eq!(aims(&runs, "app:1b", scripts), Aim::Unknown);
        }
        assert_eq!(aims(&runs, "app:3", Some(&line(3))), Aim::None);
        assert_eq!(aim(&runs, None, &["0003".to_owned()], None, &Migration::for_tests("alembic")), Aim::Unknown);
    }

    #[test]
    fn a_revision_that_cannot_be_undone_is_refused_by_name() {
        let pending = |undo| Pending { revision: "0003".to_owned(), undo, ..Pending::default() };
        let (from, to) = (["0003".to_owned()], ["0002".to_owned()]);
        let settings = Migration::for_tests("alembic");
        for undo in [Undo::Pass, Undo::Raises, Undo::Missing] {
            let errors = told(&from, &to, Some(vec![pending(undo)]), &settings).err().unwrap();
            assert!(errors.to_string().contains("Revision 0003 cannot be undone"), "{errors}");
        }
        let found = told(&from, &to, Some(vec![pending(Undo::Possible)]), &settings).unwrap();
        assert!(!found.undone.is_unknown() && found.warnings.to_string().contains("From 0003 to 0002"));
        assert!(told(&from, &to, None, &settings).unwrap().undone.is_unknown());
    }
}
