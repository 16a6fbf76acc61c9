//! What a case has: a database of its own, and a volume for its backups.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::server::Server;

pub(crate) const OBJECTS: &str = include_str!("objects.sql");
pub(crate) const SUPERUSER: &str = include_str!("superuser.sql");
pub(crate) const ADMINISTRATOR: &str = include_str!("administrator.sql");
pub(crate) const SPOIL: &str = include_str!("spoil.sql");

pub(crate) struct World<'a> {
    pub(crate) server: &'a Server,
    pub(crate) database: String,
    folder: TempDir,
}

pub(crate) struct End {
    pub(crate) succeeded: bool,
    pub(crate) told: Value,
    pub(crate) log: String,
}

/// A storage, as the release has it.
#[derive(Clone)]
pub(crate) struct Store {
    options: Vec<(String, String)>,
    secret: Vec<(String, String)>,
    path: String,
}

impl Store {
    pub(crate) fn new(backend: &str, path: &str) -> Store {
        Store { options: Vec::new(), secret: Vec::new(), path: path.to_owned() }.option("type", backend)
    }

    pub(crate) fn option(mut self, name: &str, value: &str) -> Store {
        self.options.push((format!("RCLONE_CONFIG_STORE_{}", name.to_uppercase()), value.to_owned()));
        self
    }

    /// A key of its Secret.
    pub(crate) fn secret(mut self, name: &str, value: &str) -> Store {
        self.secret.retain(|(known, _)| known != name);
        self.secret.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Store {
        self.secret.retain(|(known, _)| known != name);
        self
    }
}

impl End {
    #[track_caller]
    pub(crate) fn succeeded(&self) -> &Self {
        assert!(self.succeeded, "{}", self.log);
        self
    }

    #[track_caller]
    pub(crate) fn failed_with(&self, words: &[&str]) {
        assert!(!self.succeeded, "{}", self.log);
        let message = self.told["message"].as_str().unwrap();
        for word in words {
            assert!(message.contains(word), "{word:?} is not in {message}");
        }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.told[field].as_str().unwrap()
    }
}

impl<'a> World<'a> {
    pub(crate) fn new(server: &'a Server, case: &str) -> World<'a> {
        let folder = tempfile::tempdir().unwrap();
        for name in ["bin", "tmp", "volume"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        World { server, database: case.chars().take(30).collect(), folder }
    }

    /// A database of this owner that was prepared by an administrator, with one of everything in it.
    pub(crate) fn database(&self, owner: &str, administrator: &str) {
        self.create(owner, "");
        self.boss(administrator);
        self.run(owner, OBJECTS);
    }

    pub(crate) fn create(&self, owner: &str, more: &str) {
        self.server.sql("postgres", "boss", &format!("CREATE DATABASE {} OWNER {owner} {more}", self.database));
    }

    pub(crate) fn boss(&self, statements: &str) -> String {
        self.run("boss", statements)
    }

    pub(crate) fn run(&self, role: &str, statements: &str) -> String {
        self.server.sql(&self.database, role, statements)
    }

    pub(crate) fn content(&self) -> String {
        self.server.content(&self.database)
    }

    /// Databases whose names begin with that of the case's, but for itself.
    pub(crate) fn others(&self) -> Vec<String> {
        let all = self.server.sql("postgres", "boss", "SELECT datname FROM pg_database");
        let begins = format!("{}_", self.database);
        all.lines().filter(|name| name.starts_with(&begins)).map(str::to_owned).collect()
    }

    pub(crate) fn drop_others(&self) {
        for other in self.others() {
            self.server.sql("postgres", "boss", &format!("DROP DATABASE {other}"));
        }
    }

    /// A program that the scripts find before the real one, which it can call as `$REAL/<name>`.
    pub(crate) fn program(&self, name: &str, body: &str) {
        let path = self.folder.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A file of the backup.
    pub(crate) fn file(&self, end: &str) -> PathBuf {
        self.folder.path().join(format!("volume/c0ffee/ffe/shop/one.{end}"))
    }

    /// Takes the backup away, so that another one can be taken.
    pub(crate) fn forget(&self) {
        for end in ["dump", "json", "manifest"] {
            std::fs::remove_file(self.file(end)).unwrap();
        }
    }

    fn command(&self, role: &str, script: &str) -> Command {
        let at = |name: &str| self.folder.path().join(name);
        let bin = self.server.bin.display();
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .env_clear()
            .env("PATH", format!("{}:{bin}:/usr/bin:/bin", at("bin").display()))
            .env("REAL", self.server.bin.as_os_str())
            .env("PGHOST", self.server.folder.path())
            .env("PGUSER", role)
            .env("PGDATABASE", &self.database)
            .env("FFE_TMP", at("tmp"))
            .env("FFE_ROOT", at("volume"))
            .env("FFE_SERIES", "c0ffee/ffe/shop")
            .env("FFE_BACKUP", "one")
            .env("FFE_LOCATION", "pvc/dumps/c0ffee/ffe/shop/one.dump")
            .env("FFE_TRIES", "1")
            .env("FFE_TERMINATION", at("told"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn end(&self, output: &Output) -> End {
        let log = String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned();
        let told = std::fs::read_to_string(self.folder.path().join("told")).unwrap_or_default();
        let told = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}\n{log}"));
        End { succeeded: output.status.success(), told, log }
    }

    pub(crate) fn take(&self, role: &str) -> End {
        self.end(&self.command(role, &ffe_backup::scripts::take()).output().unwrap())
    }

    pub(crate) fn take_with(&self, role: &str, env: &[(&str, &str)]) -> End {
        self.end(&self.command(role, &ffe_backup::scripts::take()).envs(env.iter().copied()).output().unwrap())
    }

    pub(crate) fn restore(&self, role: &str) -> End {
        self.restore_with(role, &[])
    }

    pub(crate) fn restore_with(&self, role: &str, env: &[(&str, &str)]) -> End {
        self.end(&self.command(role, &ffe_backup::scripts::restore()).envs(env.iter().copied()).output().unwrap())
    }

    /// Runs a script beside the real rclone, whose storage is a folder.
    pub(crate) fn beside_rclone(&self, role: &str, script: &str, env: &[(&str, &str)]) -> End {
        let remote = self.folder.path().join("volume").display().to_string();
        self.beside(role, script, env, &Store::new("alias", "").option("remote", &remote))
    }

    /// Runs a script beside the real rclone.
    pub(crate) fn beside(&self, role: &str, script: &str, env: &[(&str, &str)], store: &Store) -> End {
        let at = |name: &str| self.folder.path().join(name);
        for name in ["exchange", "settings"] {
            let _ = std::fs::remove_dir_all(at(name));
            std::fs::create_dir(at(name)).unwrap();
        }
        let exchange = at("exchange");
        let mut beside = Command::new("/bin/sh");
        beside
            .args(["-c", ffe_backup::scripts::rclone()])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &exchange)
            .env("FFE_EXCHANGE", &exchange)
            .env("FFE_SETTINGS", at("settings"))
            .env("RCLONE_CONFIG", "")
            .env("RCLONE_RETRIES", "3")
            .envs(store.options.iter().map(|(name, value)| (name, value)));
        for name in ffe_backup::scripts::NOT_MADE {
            beside.env(name, "true");
        }
        for (name, value) in &store.secret {
            std::fs::write(at("settings").join(name), value).unwrap();
            // Kubernetes leaves out what cannot be a variable.
            if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
                beside.env(name, value);
            }
        }
        let mut beside = beside.spawn().unwrap();
        let mut command = self.command(role, script);
        let remote = format!("{}/c0ffee/ffe/shop", store.path).trim_start_matches('/').to_owned();
        command.env("FFE_EXCHANGE", &exchange).env("FFE_REMOTE", remote).envs(env.iter().copied());
        let end = self.end(&command.output().unwrap());
        assert!(beside.wait().unwrap().success(), "{}", end.log);
        for (name, value) in &store.secret {
            let shown = value.lines().find(|line| line.len() >= 6 && end.log.contains(line));
            assert!(shown.is_none() || name == "known_hosts" || name == "ca.pem", "{name} is shown: {}", end.log);
        }
        end
    }

    /// A folder of the case's.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub(crate) fn begin_restore(&self, role: &str, into: &str) -> Child {
        self.command(role, &ffe_backup::scripts::restore()).env("FFE_RESTORE_INTO", into).spawn().unwrap()
    }

    pub(crate) fn finish(&self, child: Child) -> End {
        self.end(&child.wait_with_output().unwrap())
    }
}
