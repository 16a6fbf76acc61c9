//! Changes that cannot be made safely: refused when they are planned, never planned as a replacement.
//!
//! A pure function of prior state and plan. It runs again at apply, when everything is known.

use ffe_cluster::Quantity;
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::image::{self, Base};
use crate::model::{Database, Environment};

/// Everything that is refused about going from `prior` to `planned` in place.
pub(crate) fn refusals(prior: &Environment, planned: &Environment) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let at = Path::attribute("database");
    let Some(before) = prior.database.known() else { return diagnostics };
    match &planned.database {
        Attr::Unknown => {}
        Attr::Null if is_bundled(before) => diagnostics.push(
            Diagnostic::error(
                "The bundled database cannot be removed from an environment",
                "Removing it would delete its data. Keep the database block, or destroy the whole environment. To move \
                 the data elsewhere, dump it first and make another environment with mode = \"external\".",
            )
            .at(at),
        ),
        Attr::Null => {}
        Attr::Known(after) => changes(before, after, prior, &at, &mut diagnostics),
    }
    diagnostics
}

/// Why a destroy or a replacement is refused, if it is.
pub(crate) fn protection(prior: &Environment, replaced_for: &[Path]) -> Option<Diagnostic> {
    if prior.deletion_protection != Attr::Known(true) {
        return None;
    }
    let name = prior.name.as_str().unwrap_or_default();
    let what = match replaced_for {
        [] => "destroyed".to_owned(),
        paths => format!(
            "replaced, which a change of {} asks for",
            paths.iter().map(Path::to_string).collect::<Vec<_>>().join(" and ")
        ),
    };
    Some(
        Diagnostic::error(
            format!("Environment {name} is protected from deletion"),
            format!(
                "It cannot be {what}. If that is what you want, set deletion_protection = false, apply that alone, and \
                 then try again."
            ),
        )
        .at(replaced_for.first().cloned().unwrap_or_else(|| Path::attribute("deletion_protection"))),
    )
}

fn is_bundled(database: &Database) -> bool {
    database.mode.as_str() != Some("external")
}

fn changes(before: &Database, after: &Database, prior: &Environment, at: &Path, diagnostics: &mut Diagnostics) {
    if let (Some(old), Some(new)) = (before.mode.as_str(), after.mode.as_str())
        && old != new
    {
        diagnostics.push(
            Diagnostic::error(
                format!("database.mode cannot change from {old} to {new}"),
                "The data would stay behind. Make another environment with the new mode, move the data there, and \
                 destroy this one.",
            )
            .at(at.child("mode")),
        );
        return;
    }
    if !is_bundled(before) {
        return;
    }
    major_version(before, after, prior, at, diagnostics);
    flavour(before, after, at, diagnostics);
    for (attribute, old, new) in [("name", &before.name, &after.name), ("user", &before.user, &after.user)] {
        if let (Some(old), Some(new)) = (old.as_str(), new.as_str())
            && old != new
        {
            diagnostics.push(
                Diagnostic::error(
                    format!("database.{attribute} cannot change from {old} to {new}"),
                    "It was given to the server when the database was made. Keep it, or rename inside the database and \
                     import the environment anew.",
                )
                .at(at.child(attribute)),
            );
        }
    }
    if let (Some(old), Some(new)) = (before.storage.known(), after.storage.known()) {
        let at = at.child("storage");
        if let (Some(old_size), Some(new_size)) = (quantity(&old.size), quantity(&new.size))
            && new_size < old_size
        {
            diagnostics.push(
                Diagnostic::error(
                    format!("The database's volume cannot shrink from {old_size} to {new_size}"),
                    format!("Kubernetes lets volumes grow only. Set database.storage.size = \"{old_size}\" to keep what there is."),
                )
                .at(at.child("size")),
            );
        }
        if old.class != new.class && !new.class.is_unknown() {
            let name = |class: &Attr<String>| class.as_str().unwrap_or("the cluster's default").to_owned();
            diagnostics.push(
                Diagnostic::error(
                    format!("database.storage.class cannot change from {} to {}", name(&old.class), name(&new.class)),
                    "A volume stays in the class that it was made in. Keep the class; to move the data, make another \
                     environment.",
                )
                .at(at.child("class")),
            );
        }
    }
}

/// A server of another major version does not start on the data folder. By the version attribute, and by what the tag
/// of the new image says about itself where it says something.
fn major_version(before: &Database, after: &Database, prior: &Environment, at: &Path, diagnostics: &mut Diagnostics) {
    let refuse = |attribute: &str, old: &str, new: &str| {
        Diagnostic::error(
            format!("database.{attribute} cannot change from PostgreSQL {old} to {new}"),
            "A major version changes the format of the data, so the new server would not start. Keep the version; to \
             upgrade, make another environment, restore a dump there, and destroy this one.",
        )
        .at(at.child(attribute))
    };
    if let (Some(old), Some(new)) = (before.version.as_str(), after.version.as_str())
        && old != new
    {
        diagnostics.push(refuse("version", old, new));
        return;
    }
    let running = prior
        .database_status
        .known()
        .and_then(|status| status.server_version.as_str()?.split('.').next()?.parse().ok())
        .or_else(|| before.image.as_str().and_then(image::major));
    if before.image != after.image
        && let (Some(old), Some(new)) = (running, after.image.as_str().and_then(image::major))
        && old != new
    {
        diagnostics.push(refuse("image", &old.to_string(), &new.to_string()));
    }
}

/// A server that runs as another user does not start on the data, and one on another C library sorts texts differently, so
/// that indexes lie. By the user, and by what the tags of both images tell.
fn flavour(before: &Database, after: &Database, at: &Path, diagnostics: &mut Diagnostics) {
    let (Some(old), Some(new)) = (before.image.as_str(), after.image.as_str()) else { return };
    if let (Some(old_user), Some(new_user)) = (before.run_as_user.known(), after.run_as_user.known())
        && old_user != new_user
    {
        let attribute = if old == new { "run_as_user" } else { "image" };
        diagnostics.push(other_user((old, *old_user), (new, *new_user), at.child(attribute)));
    } else if old != new
        && let Some(doubt) = other_collations(old, new)
    {
        diagnostics.push(doubt.at(at.child("image")));
    }
}

/// The refusal of an image whose server runs as another user than the one that the data belongs to.
pub(crate) fn other_user((old, old_user): (&str, i64), (new, new_user): (&str, i64), at: Path) -> Diagnostic {
    let detail = format!(
        "The data belongs to user {old_user}, as the image {old} has it, and {new} runs as user {new_user}: the server would not \
         start. Alpine's images and Debian's also sort texts differently, so that indexes of texts would be wrong.\n\nKeep the \
         flavour: set database.image to one like {old}. Where {new} is of the same flavour and its tag does not tell, set \
         database.run_as_user = {old_user}. To change the flavour, make another environment, restore a dump there, and destroy \
         this one."
    );
    Diagnostic::error(format!("The database cannot go from user {old_user} to user {new_user}"), detail).at(at)
}

/// The warning for an image whose C library may be another one.
fn other_collations(old: &str, new: &str) -> Option<Diagnostic> {
    let (Base::Debian(before), Base::Debian(after)) = (image::base(old), image::base(new)) else {
        let differ = (image::base(old) == Base::Alpine) != (image::base(new) == Base::Alpine);
        return differ.then(|| collations(format!("{old} says Alpine and {new} does not, or the other way round")));
    };
    (before != after).then(|| collations(format!("{old} is made from Debian {before}, {new} from Debian {after}")))
}

fn collations(cause: String) -> Diagnostic {
    Diagnostic::warning(
        "The database's new image may sort texts differently",
        format!(
            "By their tags {cause}. Where the C library is another one, indexes of texts are wrong until they are built anew. \
             After the apply, in the database:\n\n  REINDEX DATABASE;\n  ALTER DATABASE <name> REFRESH COLLATION VERSION;"
        ),
    )
}

fn quantity(text: &Attr<String>) -> Option<Quantity> {
    text.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value as Json, json};
    use tfplugin::{Field, Model, Unexpected, from_json};

    use super::*;

    fn environment(database: Json, server_version: Option<&str>) -> Environment {
        let schema = Environment::schema();
        let status = server_version.map(|version| json!({ "server_version": version }));
        let json = json!({ "name": "shop", "database": database, "database_status": status });
        let value = from_json(json.to_string().as_bytes(), &schema.ty(), Unexpected::Refuse).unwrap();
        Environment::from_value(&value, &Path::root()).unwrap()
    }

    fn bundled(changes: Json) -> Json {
        let mut database = json!({
            "mode": "bundled", "version": "15", "image": "postgres:15-alpine", "name": "ffe", "user": "ffe",
            "storage": { "size": "1Gi" },
        });
        database.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        if database["run_as_user"].is_null() {
            database["run_as_user"] = image::user(database["image"].as_str().unwrap()).into();
        }
        database
    }

    fn refused(before: Json, after: Json) -> Vec<String> {
        let (prior, planned) = (environment(before, Some("15.4")), environment(after, None));
        refusals(&prior, &planned).iter().map(|one| one.path.clone().unwrap_or_default().to_string()).collect()
    }

    #[test]
    fn what_is_safe_is_not_refused() {
        for after in [
            json!({}),
            json!({ "pool_size": 9 }),
            json!({ "storage": { "size": "1024Mi" } }),
            json!({ "storage": { "size": "2Gi" } }),
            json!({ "image": "registry:5000/postgres:15.6-alpine3.20" }),
        ] {
            assert_eq!(refused(bundled(json!({})), bundled(after.clone())), Vec::<String>::new(), "{after}");
        }
        assert!(refused(json!({ "mode": "external" }), json!(null)).is_empty());
        assert!(refused(json!(null), bundled(json!({}))).is_empty());
    }

    #[test]
    fn an_image_of_another_major_is_refused_by_what_the_server_said_of_itself() {
        let before = bundled(json!({ "image": "ours:stable", "run_as_user": 999 }));
        assert_eq!(refused(before.clone(), bundled(json!({ "image": "postgres:16" }))), ["database.image"]);
        assert!(refused(before, bundled(json!({ "image": "postgres:15" }))).is_empty());
    }

    #[test]
    fn an_image_of_another_flavour_is_refused_or_doubted() {
        let alpine = || json!({ "image": "postgres:15-alpine" });
        let refused = |before: Json, after: Json| {
            let (prior, planned) = (environment(bundled(before), None), environment(bundled(after), None));
            let told: Vec<Diagnostic> = refusals(&prior, &planned).into_iter().collect();
            told.iter()
                .map(|one| (one.path.clone().unwrap_or_default().to_string(), one.is_error()))
                .collect::<Vec<_>>()
        };
        let (image, user) =
            (|error: bool| vec![("database.image".to_owned(), error)], "database.run_as_user".to_owned());
        assert_eq!(refused(alpine(), json!({ "image": "postgres:15.6" })), image(true));
        assert_eq!(refused(json!({ "image": "postgres:15" }), alpine()), image(true));
        assert_eq!(refused(alpine(), json!({ "image": "postgis:latest-of-ours" })), image(true));
        // A mirror whose tags do not tell, and the word of whoever knows it.
        assert_eq!(refused(alpine(), json!({ "image": "mirror/postgres:15", "run_as_user": 70 })), image(false));
        assert_eq!(refused(alpine(), json!({ "image": "postgres:15-alpine", "run_as_user": 999 })), [(user, true)]);
        assert_eq!(
            refused(json!({ "image": "postgres:15-bullseye" }), json!({ "image": "postgres:15-bookworm" })),
            image(false)
        );
        assert_eq!(refused(json!({ "image": "postgres:15.4" }), json!({ "image": "postgres:15.6" })), []);
        assert_eq!(refused(alpine(), json!({ "image": "postgres:15.6-alpine3.20" })), []);
    }

    #[test]
    fn every_refusal_is_at_its_attribute() {
        let after =
            bundled(json!({ "version": "16", "name": "a", "user": "b", "storage": { "size": "1", "class": "x" } }));
        let expected =
            ["database.version", "database.name", "database.user", "database.storage.size", "database.storage.class"];
        assert_eq!(refused(bundled(json!({})), after), expected);
        assert_eq!(refused(bundled(json!({})), json!(null)), ["database"]);
    }
}
