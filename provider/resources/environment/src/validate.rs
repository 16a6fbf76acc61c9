//! What is wrong with a configuration beyond single attributes. Unknowns pass: they are looked at again when known.

use std::collections::BTreeMap;

use ffe_cluster::Quantity;
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::connection;
use crate::model::{Database, Environment};

pub(crate) fn validate(config: &Environment) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    too_large("config", &config.config, OBJECT, &mut diagnostics);
    too_large("secrets_wo", &config.secrets_wo, OBJECT, &mut diagnostics);
    too_large("annotations", &config.annotations, ANNOTATIONS, &mut diagnostics);
    if let Attr::Known(database) = &config.database {
        let at = Path::attribute("database");
        match database.mode.as_str() {
            Some("external") => external(database, &at, &mut diagnostics),
            _ if database.mode.is_unknown() => {}
            _ => bundled(config, database, &at, &mut diagnostics),
        }
    }
    diagnostics
}

/// What a ConfigMap or a Secret may hold, and the annotations of an object, all keys and values together (Kubernetes' own bounds,
/// less what is ours there).
const OBJECT: usize = 1 << 20;
const ANNOTATIONS: usize = (256 << 10) - (16 << 10);

fn too_large(name: &str, map: &Attr<BTreeMap<String, Attr<String>>>, bound: usize, diagnostics: &mut Diagnostics) {
    let entries = map.known().into_iter().flatten();
    let size: usize = entries.map(|(key, value)| key.len() + value.as_str().map_or(0, str::len)).sum();
    if size > bound {
        diagnostics.push(
            Diagnostic::error(
                format!("{name} is too large"),
                format!(
                    "Its keys and values have {size} bytes; Kubernetes keeps at most {bound} in one object. Put large files \
                     into the image, a volume or object storage."
                ),
            )
            .at(Path::attribute(name)),
        );
    }
}

fn external(database: &Database, at: &Path, diagnostics: &mut Diagnostics) {
    match &database.url_wo {
        Attr::Unknown => {}
        Attr::Null => diagnostics.push(
            Diagnostic::error(
                "An external database needs its URL",
                "Set database.url_wo to a URL such as postgresql://user:password@host:5432/name, or mode = \"bundled\" \
                 for a database in the namespace.",
            )
            .at(at.child("url_wo")),
        ),
        Attr::Known(url) => {
            if let Err(wrong) = connection::external(url) {
                diagnostics.push(
                    Diagnostic::error(
                        "Invalid value for database.url_wo",
                        format!(
                            "database.url_wo must be a URL such as postgresql://user:password@host:5432/name: {wrong}. \
                             Its value is not shown. Characters that mean something in a URL must be percent-encoded, \
                             for example with urlencode()."
                        ),
                    )
                    .at(at.child("url_wo")),
                );
            }
        }
    }
    let Database { version, image, run_as_user, name, user, instances, storage, .. } = database;
    for (attribute, given) in [
        ("version", !version.is_null()),
        ("image", !image.is_null()),
        ("run_as_user", !run_as_user.is_null()),
        ("name", !name.is_null()),
        ("user", !user.is_null()),
        ("instances", !instances.is_null()),
        ("storage", !storage.is_null()),
    ] {
        if given {
            diagnostics.push(
                Diagnostic::error(
                    format!("database.{attribute} is for a bundled database"),
                    format!("With mode = \"external\" the database is made elsewhere; remove database.{attribute}."),
                )
                .at(at.child(attribute)),
            );
        }
    }
}

fn bundled(config: &Environment, database: &Database, at: &Path, diagnostics: &mut Diagnostics) {
    for (attribute, given) in
        [("url_wo", !database.url_wo.is_null()), ("url_wo_version", !database.url_wo_version.is_null())]
    {
        if given {
            diagnostics.push(
                Diagnostic::error(
                    format!("database.{attribute} is for an external database"),
                    format!("Set mode = \"external\", or remove database.{attribute}."),
                )
                .at(at.child(attribute)),
            );
        }
    }
    if let (Some(image), Some(version)) = (database.image.as_str(), database.version.as_str())
        && let Some(major) = crate::image::major(image)
        && version != major.to_string()
    {
        diagnostics.push(
            Diagnostic::error(
                "database.version and database.image contradict each other",
                format!("The image {image} is PostgreSQL {major} by its tag; database.version says {version}. Remove one of them."),
            )
            .at(at.child("version")),
        );
    }
    let quantity = |text: Option<&str>| text.and_then(|text| text.parse::<Quantity>().ok());
    let storage = database.storage.known();
    let size = quantity(storage.and_then(|storage| storage.size.as_str()));
    if let Some(size) = &size
        && size.units() <= 0
    {
        let detail = format!("database.storage.size must be more than nothing; it is {size}.");
        diagnostics.push(
            Diagnostic::error("Invalid value for database.storage.size", detail).at(at.child("storage").child("size")),
        );
    }
    let bound = quantity(config.quota.known().and_then(|quota| quota.storage.as_str()));
    if let (Some(size), Some(bound)) = (size, bound)
        && size > bound
    {
        diagnostics.push(
            Diagnostic::error(
                "The quota does not admit the database's volume",
                format!("quota.storage is {bound}, and database.storage.size alone is {size}."),
            )
            .at(Path::attribute("quota").child("storage")),
        );
    }
}
