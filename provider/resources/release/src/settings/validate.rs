//! What the schema's own rules cannot say.

use ffe_session::check_ignored;
use tfplugin::{Attr, Diagnostic, Diagnostics, Path};

use crate::settings::inputs::merged_values;
use crate::settings::model::{Migration, Release, Verify};

/// Checks a configuration, which may have unknowns.
pub(crate) fn validate(config: &Release) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if let Err(errors) = merged_values(config, false) {
        diagnostics.extend(errors);
    }
    if config.repository.is_known() && config.chart.as_str().is_some_and(|chart| chart.starts_with("oci://")) {
        diagnostics.push(
            Diagnostic::error(
                "repository and an OCI chart exclude each other",
                "An oci:// reference says where the chart is; remove repository.",
            )
            .at(Path::attribute("repository")),
        );
    }
    if let Some(migration) = config.migration.known() {
        diagnostics.extend(check_migration(migration).below(&Path::attribute("migration")));
    }
    if let Some(verify) = config.verify.known() {
        diagnostics.extend(check_verify(verify).below(&Path::attribute("verify")));
    }
    diagnostics.extend(check_drift(config));
    diagnostics
}

/// What rclone's settings of any kind of storage call a secret.
const SECRET_OPTIONS: &[&str] = &[
    "access_token",
    "api_key",
    "bearer_token",
    "client_secret",
    "connection_string",
    "key",
    "key_file_pass",
    "key_pem",
    "pass",
    "passphrase",
    "password",
    "password2",
    "sas_url",
    "secret_access_key",
    "service_account_credentials",
    "session_token",
    "token",
];

fn check_migration(migration: &Migration) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    let mut only = |engine: &str, set: bool, name: &str| {
        if set && migration.engine.as_str().is_some_and(|given| given != engine) {
            diagnostics.push(
                Diagnostic::error(
                    format!("{name} belongs to the engine {engine}"),
                    format!("Remove it, or set engine = \"{engine}\"."),
                )
                .at(Path::attribute(name)),
            );
        }
    };
    only("alembic", !migration.target.is_null(), "target");
    only("alembic", !migration.config.is_null(), "config");
    only("alembic", !migration.config_section.is_null(), "config_section");
    only("alembic", !migration.scripts.is_null(), "scripts");
    only("command", !migration.upgrade_command.is_null(), "upgrade_command");
    only("command", !migration.current_command.is_null(), "current_command");
    only("command", !migration.downgrade_command.is_null(), "downgrade_command");
    let is_empty = |command: &Attr<Vec<Attr<String>>>| command.known().is_some_and(Vec::is_empty);
    if migration.engine.as_str() == Some("command")
        && (migration.upgrade_command.is_null() || is_empty(&migration.upgrade_command))
    {
        diagnostics.push(
            Diagnostic::error(
                "Missing attribute migration.upgrade_command",
                "The engine command needs the command that migrates, as a list of words: [\"./migrate\", \"up\"].",
            )
            .at(Path::attribute("upgrade_command")),
        );
    }
    if migration.downgrade_command.is_known() && migration.current_command.is_null() {
        diagnostics.push(
            Diagnostic::error(
                "downgrade_command needs current_command",
                "Without it nobody knows the revision to go back to.",
            )
            .at(Path::attribute("current_command")),
        );
    }
    let is_command = migration.engine.as_str() == Some("command");
    let backwards =
        [("downgrade_command", &migration.downgrade_command), ("current_command", &migration.current_command)];
    for (name, _) in backwards.into_iter().filter(|(_, command)| command.is_null()) {
        if is_command && migration.allows_downgrade() {
            diagnostics.push(
                Diagnostic::error(
                    format!("allow_downgrade needs {name}"),
                    "With the engine command nobody else knows how to take the schema back, and where it stands. Set it, or remove \
                     allow_downgrade.",
                )
                .at(Path::attribute(name)),
            );
        }
    }
    if migration.backup.as_str() == Some("always") && migration.database_secret.is_null() {
        diagnostics.push(
            Diagnostic::error(
                "A backup needs database_secret",
                "It says which database to dump. Set it, for instance to database_secret of ffe_environment, or set \
                 backup = \"never\".",
            )
            .at(Path::attribute("database_secret")),
        );
    }
    if let Some(to) = migration.backup_to.known() {
        let given = [("storage", to.storage.is_known()), ("s3", to.s3.is_known()), ("rclone", to.rclone.is_known())];
        let given: Vec<&str> = given.into_iter().filter_map(|(name, given)| given.then_some(name)).collect();
        if let [first, second, ..] = given[..] {
            diagnostics.push(
                Diagnostic::error(
                    format!("{first} and {second} exclude each other"),
                    "Backups go to one place: a volume, a bucket, or another storage of rclone; remove the others.",
                )
                .at(Path::attribute("backup_to").child(second)),
            );
        }
    }
    if let Some(rclone) = migration.backup_to.known().and_then(|to| to.rclone.known()) {
        let options = rclone.options.known().into_iter().flatten();
        for (name, _) in options.filter(|(name, _)| SECRET_OPTIONS.contains(&name.as_str())) {
            diagnostics.push(
                Diagnostic::error(
                    format!("{name} is a secret"),
                    format!(
                        "What stands in options is kept in the state and in the Job. Put it into the Secret of \
                         backup_to.rclone.secret, under the key RCLONE_CONFIG_STORE_{}.",
                        name.to_uppercase()
                    ),
                )
                .at(Path::attribute("backup_to").child("rclone").child("options")),
            );
        }
    }
    if is_empty(&migration.current_command) {
        diagnostics.push(
            Diagnostic::error("current_command is empty", "Give the command as a list of words, or leave it out.")
                .at(Path::attribute("current_command")),
        );
    }
    diagnostics
}

fn check_verify(verify: &Verify) -> Diagnostics {
    let mut diagnostics = Diagnostics::new();
    if verify.url.is_known() && verify.service.is_known() {
        diagnostics.push(
            Diagnostic::error(
                "url and service exclude each other",
                "The checks go either to a URL or to a service of the cluster; remove one.",
            )
            .at(Path::attribute("service")),
        );
    }
    for pointer in verify
        .json
        .known()
        .into_iter()
        .flat_map(|json| json.keys())
        .filter(|pointer| !pointer.is_empty() && !pointer.starts_with('/'))
    {
        diagnostics.push(
            Diagnostic::error(
                format!("\"{pointer}\" is no JSON pointer"),
                format!("A JSON pointer begins with a slash (RFC 6901): \"/{pointer}\"."),
            )
            .at(Path::attribute("json").key(pointer.as_str())),
        );
    }
    diagnostics
}

fn check_drift(config: &Release) -> Diagnostics {
    let Some(settings) = config.drift.known() else { return Diagnostics::new() };
    let off = "to look for no drift at all, set drift.mode to \"off\"";
    check_ignored(&settings.ignore, &Path::attribute("drift").child("ignore"), off)
}
