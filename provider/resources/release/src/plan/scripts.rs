//! The migration as the plan can know it: from the revision files on this machine.

use std::path::Path as FsPath;

use ffe_alembic::{GraphError, Revision, Scripts};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::settings::model::{Migration, Release};

/// The width of `alembic_version.version_num`, as Alembic makes it.
const VERSION_COLUMN: usize = 32;

/// What the plan says of a migration.
pub(crate) struct Preview {
    /// The revisions that will run, in order; unknown where the database's own is not known yet.
    pub pending: Attr<Vec<Attr<String>>>,
    /// What is dangerous or impossible.
    pub warnings: Diagnostics,
}

/// Reads the files, if they are given. The database's revision is the one in state.
///
/// # Errors
/// When the folder cannot be read, or the files do not lead from the database's revision to the target.
pub(crate) fn preview(config: &Release, prior: Option<&Release>) -> Result<Preview, Diagnostics> {
    let mut preview = Preview { pending: Attr::Null, warnings: Diagnostics::new() };
    let Some(settings) = config.migration.known() else {
        preview.pending = config.migration.as_ref().map(|_| Vec::new());
        return Ok(preview);
    };
    let Some(folder) = settings.scripts.as_str() else {
        preview.pending = settings.scripts.as_ref().map(|_| Vec::new());
        return Ok(preview);
    };
    if settings.target.is_unknown() {
        preview.pending = Attr::Unknown;
        return Ok(preview);
    }
    let at = || Path::attribute("migration").child("scripts");
    let unreadable = |error: &dyn std::fmt::Display| {
        Diagnostics::from(Diagnostic::error("The revision files cannot be used", error.to_string()).at(at()))
    };
    let scripts = Scripts::read(FsPath::new(folder)).map_err(|error| unreadable(&error))?;
    for problem in scripts.problems() {
        preview.warnings.push(Diagnostic::warning("The revision files have a problem", problem.to_string()).at(at()));
    }
    let Some(current) = prior.and_then(|prior| prior.schema_revision.known()) else {
        preview.pending = Attr::Unknown;
        return Ok(preview);
    };
    let current: Vec<String> = current.iter().filter_map(|revision| revision.as_str().map(str::to_owned)).collect();
    let target = settings.target.as_str().unwrap_or("head");
    let pending = match scripts.pending(&current, target) {
        Ok(pending) => pending,
        // The files are those of an older version, which has nothing to run.
        Err(GraphError::UnknownCurrent { .. }) if settings.allows_downgrade() => Vec::new(),
        Err(error @ GraphError::UnknownCurrent { .. }) => {
            return Err(unreadable(&format!(
                "{error}. To go back to the version that they are of, set migration.allow_downgrade = true"
            )));
        }
        Err(error) => return Err(unreadable(&error)),
    };
    for revision in &pending {
        preview.warnings.extend(findings(revision, settings));
    }
    preview.pending = Attr::Known(pending.iter().map(|revision| Attr::Known(revision.id.clone())).collect());
    Ok(preview)
}

fn findings(revision: &Revision, settings: &Migration) -> Diagnostics {
    let at = || Path::attribute("migration").child("scripts");
    let file = revision.file.display();
    let dangers = revision.findings.iter().map(|finding| {
        Diagnostic::warning(format!("Revision {}: {}", revision.id, finding.rule), format!("{file}: {finding}"))
            .at(at())
    });
    let long = (revision.id.chars().count() > VERSION_COLUMN).then(|| {
        Diagnostic::warning(
            format!("The identifier {} is longer than {VERSION_COLUMN} characters", revision.id),
            format!(
                "{file}: Alembic keeps the revision in a column of {VERSION_COLUMN} characters, so PostgreSQL stops the migration \
                 in the middle of its way. Give it a shorter identifier, or widen the column in an earlier revision: ALTER TABLE \
                 alembic_version ALTER COLUMN version_num TYPE varchar(255)."
            ),
        )
        .at(at())
    });
    let keeps = settings.on_failure.as_str() == Some("keep");
    let one_way = revision.undo.obstacle().filter(|_| !keeps).map(|obstacle| {
        Diagnostic::warning(
            format!("Revision {} cannot be undone", revision.id),
            format!(
                "{file}: it {obstacle}. If the release fails after this migration, the schema stays where it is and only a \
                 backup brings it back."
            ),
        )
        .at(at())
    });
    dangers.chain(long).chain(one_way).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_identifier_that_the_version_table_cannot_hold_is_told() {
        let folder = std::env::temp_dir().join(format!("ffe-ids-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for id in ["0004_agent_ownership_public_channel_model", "0003_just_as_long_as_it_may_be_x"] {
            let text = format!(
                "revision = \"{id}\"\ndown_revision = None\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"
            );
            std::fs::write(folder.join(format!("{id}.py")), text).unwrap();
        }
        let scripts = Scripts::read(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let settings = Migration::for_tests("alembic");
        let told: Vec<String> =
            scripts.revisions().iter().flat_map(|one| findings(one, &settings)).map(|one| one.summary).collect();
        assert_eq!(told, ["The identifier 0004_agent_ownership_public_channel_model is longer than 32 characters"]);
    }
}
