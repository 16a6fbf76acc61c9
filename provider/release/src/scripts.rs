//! The migration as the plan can foresee it: from the revision files on this machine.

use std::path::Path as FsPath;

use ffe_alembic::{Revision, Scripts};
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::model::{Migration, Release};

/// What the plan says of a migration.
pub(crate) struct Foreseen {
    /// The revisions that will run, in order; unknown where the database's own is not known yet.
    pub pending: Attr<Vec<Attr<String>>>,
    /// What is dangerous or impossible.
    pub warnings: Diagnostics,
}

/// Reads the files, if they are given. The database's revision is the one in state.
///
/// # Errors
/// When the folder cannot be read, or the files do not lead from the database's revision to the target.
pub(crate) fn foresee(config: &Release, prior: Option<&Release>) -> Result<Foreseen, Diagnostics> {
    let mut foreseen = Foreseen { pending: Attr::Null, warnings: Diagnostics::new() };
    let Some(settings) = config.migration.known() else {
        foreseen.pending = config.migration.as_ref().map(|_| Vec::new());
        return Ok(foreseen);
    };
    let Some(folder) = settings.scripts.as_str() else {
        foreseen.pending = settings.scripts.as_ref().map(|_| Vec::new());
        return Ok(foreseen);
    };
    if settings.target.is_unknown() {
        foreseen.pending = Attr::Unknown;
        return Ok(foreseen);
    }
    let at = || Path::attribute("migration").child("scripts");
    let unreadable = |error: &dyn std::fmt::Display| {
        Diagnostics::from(Diagnostic::error("The revision files cannot be used", error.to_string()).at(at()))
    };
    let scripts = Scripts::read(FsPath::new(folder)).map_err(|error| unreadable(&error))?;
    for problem in scripts.problems() {
        foreseen.warnings.push(Diagnostic::warning("The revision files have a problem", problem.to_string()).at(at()));
    }
    let Some(current) = prior.and_then(|prior| prior.schema_revision.known()) else {
        foreseen.pending = Attr::Unknown;
        return Ok(foreseen);
    };
    let current: Vec<String> = current.iter().filter_map(|revision| revision.as_str().map(str::to_owned)).collect();
    let target = settings.target.as_str().unwrap_or("head");
    let pending = scripts.pending(&current, target).map_err(|error| unreadable(&error))?;
    for revision in &pending {
        foreseen.warnings.extend(findings(revision, settings));
    }
    foreseen.pending = Attr::Known(pending.iter().map(|revision| Attr::Known(revision.id.clone())).collect());
    Ok(foreseen)
}

fn findings(revision: &Revision, settings: &Migration) -> Diagnostics {
    let at = || Path::attribute("migration").child("scripts");
    let file = revision.file.display();
    let dangers = revision.findings.iter().map(|finding| {
        Diagnostic::warning(format!("Revision {}: {}", revision.id, finding.rule), format!("{file}: {finding}"))
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
    dangers.chain(one_way).collect()
}
