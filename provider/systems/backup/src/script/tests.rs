//! The scripts themselves, run by this machine's shell with stand-ins for the programs of PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::job::tests::{place, s3};

/// Tells its version, and what a small database holds; writes down how it was to connect.
const PSQL: &str = r#"case "$*" in
  *questions.sql*)
    printf '1-1\n' > "$FFE_FOLDER/snapshot"
    printf '%b' "${LEFT:-}" > "$FFE_FOLDER/left"
    : > "$FFE_FOLDER/ready"
    printf 'table\tpublic\torders\tapp\t5\t8192\nrevision\tpublic\talembic_version\t0003\t\t\n'
    while [ ! -e "$FFE_FOLDER/dumped" ]; do sleep 0.1; done
    exit ;;
esac
case "$*" in
  *"SET ffe_backup.probe = '"*) word=${*#*probe = \'}; echo "${word%%\'*}" | tee "$STATE/word"; exit ;;
  *ffe_backup.probe*) echo; exit ;;
esac
echo "150018 8000000 15.18 (Debian)"; echo "${ANSWERS:-db 5432}"; env | grep '^PG' | sort > "$STATE/connection""#;
const PG_DUMP: &str = r#"[ "$1" != --version ] || { echo "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)"; exit; }
printf '%s\n' "$*" > "$STATE/dumped_with"
for word in "$@"; do case $word in --file=*) printf content > "${word#--file=}" ;; esac; done"#;

/// A folder with stand-ins, a volume, and what the container's status would say.
struct Pod {
    folder: TempDir,
    env: Vec<(String, String)>,
}

struct End {
    succeeded: bool,
    told: Value,
    log: String,
}

impl Pod {
    fn new() -> Self {
        let pod = Self { folder: tempfile::tempdir().unwrap(), env: Vec::new() };
        for folder in ["bin", "tmp", "backups"] {
            std::fs::create_dir(pod.folder.path().join(folder)).unwrap();
        }
        pod.program("psql", PSQL);
        pod.program("pg_dump", PG_DUMP);
        pod.program("pg_restore", ":");
        pod.with("PGHOST", "db").with("PGDATABASE", "shop").backup("one")
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn backup(self, name: &str) -> Self {
        self.with("FFE_BACKUP", name).with("FFE_LOCATION", &format!("pvc/dumps/shop/{name}.dump"))
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.folder.path().join("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Without a program, also where this machine has one of its own.
    fn without(self, name: &str) -> Self {
        let tools = self.folder.path().join("tools");
        std::fs::create_dir(&tools).unwrap();
        for program in ["bin", "/usr/bin", "/bin"] {
            for entry in std::fs::read_dir(self.folder.path().join(program)).unwrap() {
                let path = entry.unwrap().path();
                let there = tools.join(path.file_name().unwrap());
                if !path.ends_with(name) && there.symlink_metadata().is_err() {
                    std::os::unix::fs::symlink(path, there).unwrap();
                }
            }
        }
        let path = tools.display().to_string();
        self.with("PATH", &path)
    }

    fn run(&self, work: Work, storage: &Storage) -> End {
        self.end(&self.command(work, storage).output().unwrap())
    }

    fn command(&self, work: Work, storage: &Storage) -> Command {
        let at = |name: &str| self.folder.path().join(name);
        // Another shell and its programs can be tried, for instance a folder with busybox under all of its names.
        let tools = std::env::var("FFE_TEST_TOOLS").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let path = format!("{}:{tools}", at("bin").display());
        let shell = std::env::split_paths(&tools).map(|folder| folder.join("sh")).find(|shell| shell.exists());
        let mut command = Command::new(shell.unwrap());
        command
            .args(["-c", &script(work, storage)])
            .env_clear()
            .env("PATH", path)
            .env("STATE", self.folder.path())
            .env("FFE_TMP", at("tmp"))
            .env("FFE_ROOT", at("backups"))
            .env("FFE_SERIES", "shop")
            .env("FFE_TRIES", "1")
            .env("FFE_TERMINATION", at("told"))
            .envs(self.env.clone())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn end(&self, output: &Output) -> End {
        let log = String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned();
        let told = std::fs::read_to_string(self.folder.path().join("told")).unwrap_or_default();
        let told = serde_json::from_str(&told).unwrap_or_else(|error| unreadable(&told, &log, &error));
        End { succeeded: output.status.success(), told, log }
    }

    /// Does it about another backup.
    fn of(&self, name: &str, work: Work) -> End {
        self.end(&self.command(work, &place().storage).env("FFE_BACKUP", name).output().unwrap())
    }

    fn take(&self) -> End {
        self.run(Work::Take, &place().storage)
    }

    /// Names in the folder of the series.
    fn kept(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("backups/shop")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// A backup as an earlier run has left it.
    fn earlier(&self, name: &str, series: &str, days: i64) {
        let folder = self.folder.path().join("backups/shop");
        std::fs::create_dir_all(&folder).unwrap();
        let entry = format!(
            r#"{{"name":"{name}","series":"{series}","location":"l","size_bytes":9000000,"sha256":"x","server_version":"15","taken_at":"{}","seconds":1}}"#,
            days_ago(days)
        );
        for (end, content) in [("dump", "x"), ("manifest", "end\t0\n"), ("json", entry.as_str())] {
            std::fs::write(folder.join(format!("{name}.{end}")), content).unwrap();
        }
    }

    /// What a run that was killed has left: a dump, and the note that says who has begun it.
    fn unfinished(&self, folder: &str, name: &str, series: &str, days: i64) {
        let folder = self.folder.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        let note = format!("{{\"name\":\"{name}\",\"series\":\"{series}\",\"begun_at\":\"{}\"}}\n", days_ago(days));
        std::fs::write(folder.join(format!("{name}.begun")), note).unwrap();
        std::fs::write(folder.join(format!("{name}.dump")), "cont").unwrap();
    }

    /// Names of the dumps.
    fn dumps(&self) -> Vec<String> {
        self.kept().iter().filter_map(|name| name.strip_suffix(".dump").map(str::to_owned)).collect()
    }

    fn connection(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("connection")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

fn days_ago(days: i64) -> String {
    let when = Command::new("date").args(["-u", "-d", &format!("{days} days ago"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8(when.unwrap().stdout).unwrap().trim().to_owned()
}

fn unreadable(told: &str, log: &str, error: &serde_json::Error) -> Value {
    Value::String(format!("{error}: {told}\n{log}"))
}

#[track_caller]
fn expect_failure(end: &End, reason: &str, message: &str) {
    assert!(!end.succeeded, "{}", end.log);
    assert_eq!(end.told["reason"], reason, "{}: {}", end.told, end.log);
    assert!(end.told["message"].as_str().unwrap().contains(message), "{}", end.told);
}

/// Kubernetes reads `$$` in a container's arguments as `$`, and `$(NAME)` as the variable of that name.
#[test]
fn nothing_means_something_to_kubernetes() {
    for storage in [place().storage, Storage::S3(s3())] {
        for work in [Work::Take, Work::List, Work::Prune, Work::Restore] {
            let script = script(work, &storage);
            assert!(!script.contains("$$"), "{work:?}");
            let calls = script.split("$(").skip(1).filter_map(|rest| rest.split_once(')'));
            for (inside, _) in calls {
                let name = !inside.is_empty()
                    && inside.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
                assert!(!name, "{work:?}: {inside}");
            }
        }
    }
}

#[test]
fn a_dump_gets_its_name_once_it_is_whole() {
    let pod = Pod::new();
    let end = pod.take();
    assert!(end.succeeded, "{}", end.log);
    let backup = &end.told["backup"];
    assert_eq!(backup["size_bytes"], 7);
    assert_eq!(backup["sha256"], "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73");
    assert_eq!(backup["server_version"], "15.18");
    assert_eq!((&backup["tables"], &backup["rows"]), (&Value::from(1), &Value::from(5)));
    assert_eq!(backup["revision"], "0003");
    assert_eq!(pod.kept(), ["one.dump", "one.json", "one.manifest"]);
    let manifest = std::fs::read_to_string(pod.folder.path().join("backups/shop/one.manifest")).unwrap();
    assert!(manifest.ends_with("version\tpg_dump\t15.18\t\t\t\nend\t3\t\t\t\t\n"), "{manifest}");
    assert!(pod.read("dumped_with").contains("--snapshot=1-1"), "{}", pod.read("dumped_with"));
    // Once more would write over it.
    expect_failure(&pod.take(), "exists", "pvc/dumps/shop/one.dump");
}

#[test]
fn what_is_not_a_whole_dump_is_not_kept() {
    let nothing = r#"[ "$1" != --version ] || { echo "pg_dump (PostgreSQL) 15.18"; exit; }
for word in "$@"; do case $word in --file=*) : > "${word#--file=}" ;; esac; done"#;
    let full = r#"[ "$1" != --version ] || { echo "pg_dump (PostgreSQL) 15.18"; exit; }
for word in "$@"; do case $word in --file=*) printf cont > "${word#--file=}" ;; esac; done
echo 'pg_dump: error: could not write: No space left on device' >&2; exit 1"#;
    let truncated = r#"case $1 in --list) ;; *) echo 'pg_restore: error: unexpected end of file' >&2; exit 1 ;; esac"#;
    // A pooler that gives each transaction another session loses what one has set, or shows it to another client.
    let loses = PSQL.replace("| tee \"$STATE/word\"", "> \"$STATE/word\"");
    let keeps = PSQL.replace("*ffe_backup.probe*) echo; exit", "*ffe_backup.probe*) cat \"$STATE/word\"; exit");
    assert!(loses != PSQL && keeps != PSQL);
    for (program, body, reason, message) in [
        ("pg_dump", nothing, "verification", "wrote nothing"),
        ("pg_dump", full, "space", "No space left"),
        ("pg_restore", truncated, "verification", "unexpected end"),
        ("pg_dump", "echo 'pg_dump (PostgreSQL) 14.9'", "image_older", "14.9, the server is version 15.18"),
        ("psql", "echo 'FATAL:  password authentication failed for user \"a\\b\"' >&2; exit 2", "refused", "\"a"),
        ("psql", "echo 'could not translate host name' >&2; exit 2", "unreachable", "host name"),
        ("psql", "echo 'FATAL:  unsupported startup parameter: options' >&2; exit 2", "config", "PgBouncer"),
        ("psql", &loses, "config", "PgBouncer"),
        ("psql", &keeps, "config", "pool_mode = session"),
    ] {
        let pod = Pod::new();
        pod.program(program, body);
        expect_failure(&pod.take(), reason, message);
        assert_eq!(pod.kept(), [""; 0]);
    }
}

#[test]
fn a_url_is_taken_apart_where_there_are_no_variables() {
    for (url, expected) in [
        (
            "postgresql+psycopg2://app:p%40ss%2F%25w%c3%b6rd@db.example.com:6432/shop?sslmode=verify-full&application_name=x",
            "PGDATABASE=shop PGHOST=db.example.com PGPASSWORD=p@ss/%wörd PGPORT=6432 PGSSLMODE=verify-full PGUSER=app",
        ),
        ("postgres://app:a:b@[::1]/shop", "PGDATABASE=shop PGHOST=::1 PGPASSWORD=a:b PGUSER=app"),
        ("postgresql://app@h:1/s%20x", "PGDATABASE=s x PGHOST=h PGPORT=1 PGUSER=app"),
        ("postgresql:///shop?host=/run/pg&port=7", "PGDATABASE=shop PGHOST=/run/pg PGPORT=7"),
        // Passwords as SQLAlchemy takes them, with nothing encoded.
        ("postgresql://app:p@ss/w#r?d%@db/shop", "PGDATABASE=shop PGHOST=db PGPASSWORD=p@ss/w#r?d% PGUSER=app"),
        (
            "postgresql://app:pa?ss@db/shop?sslmode=require",
            "PGDATABASE=shop PGHOST=db PGPASSWORD=pa?ss PGSSLMODE=require PGUSER=app",
        ),
        ("postgresql://app:'$(x)`\"\\@db/shop", "PGDATABASE=shop PGHOST=db PGPASSWORD='$(x)`\"\\ PGUSER=app"),
        (
            "postgresql+asyncpg://app:x@h1:6432,h2,[::1]:7/shop?target_session_attrs=read-write&ssl=require&options=-c%20role%3Downer&prepared_statement_cache_size=0",
            "PGDATABASE=shop PGHOST=h1,h2,::1 PGOPTIONS=-c role=owner PGPASSWORD=x PGPORT=6432,5432,7 PGSSLMODE=require PGTARGETSESSIONATTRS=read-write PGUSER=app",
        ),
    ] {
        let pod = Pod::new().with("PGHOST", "").with("PGDATABASE", "").with("DATABASE_URL", url);
        let end = pod.take();
        assert!(end.succeeded, "{}", end.log);
        let found: Vec<String> = pod
            .connection()
            .into_iter()
            .filter(|line| !line.starts_with("PGAPPNAME") && !line.starts_with("PGCONNECT_TIMEOUT"))
            .collect();
        assert_eq!(found.join(" "), expected);
        assert!(!end.log.contains("ss/") && !end.log.contains("a:b"), "{}", end.log);
    }
    let pod = Pod::new().with("PGHOST", "").with("DATABASE_URL", "mysql://a:s3cret@h/x");
    let end = pod.take();
    expect_failure(&end, "config", "postgresql://");
    assert!(!end.log.contains("s3cret"), "{}", end.log);
    // Nothing of a URL that cannot be taken apart is shown, since it may be of the password.
    for url in [
        "postgresql://app:hunter2/x",
        "postgresql://app:hunter2@db:port-hunter2/shop",
        "postgresql://app:x@db/shop?port=hunter2",
        "postgresql://hunter2",
        "postgresql://ap/hunter2:x@db/shop",
        "postgresql://app:x@db/shop#hunter2",
        "postgresql://app:x@d b hunter2/shop",
        "hunter2",
    ] {
        let pod = Pod::new().with("PGHOST", "").with("PGDATABASE", "").with("DATABASE_URL", url);
        let end = pod.take();
        expect_failure(&end, "config", "DATABASE_URL");
        assert!(!end.log.contains("hunter2"), "{url}: {}", end.log);
    }
    // Files of the application's image are not in this pod.
    let url = "postgresql://app:x@db/shop?sslmode=verify-full&sslrootcert=/etc/app/ca.pem";
    for pod in [Pod::new().with("PGHOST", "").with("DATABASE_URL", url), Pod::new().with("DATABASE_URL", url)] {
        expect_failure(&pod.take(), "config", "/etc/app/ca.pem");
    }
    // But for those that the database's Secret has under the same name.
    let pod = Pod::new().with("PGHOST", "").with("DATABASE_URL", url);
    let files = pod.folder.path().join("database");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("ca.pem"), "PEM").unwrap();
    let pod = pod.with("FFE_DATABASE_FILES", files.to_str().unwrap());
    assert!(pod.take().succeeded);
    let expected = format!("PGSSLROOTCERT={}/ca.pem", files.display());
    assert!(pod.connection().contains(&expected), "{:?}", pod.connection());
    // Variables say where, the URL how, where it speaks of the same server.
    let url = "postgresql://app:x@db:5432/shop?sslrootcert=system&options=-c%20search_path%3Dshop";
    let pod = Pod::new().with("DATABASE_URL", url);
    assert!(pod.take().succeeded);
    assert!(pod.connection().contains(&"PGOPTIONS=-c search_path=shop".to_owned()), "{:?}", pod.connection());
    assert!(pod.connection().contains(&"PGSSLROOTCERT=system".to_owned()));
    // Variables go before the URL.
    let pod = Pod::new().with("DATABASE_URL", "postgresql://other:x@elsewhere/y");
    assert!(pod.take().succeeded);
    assert!(pod.connection().contains(&"PGHOST=db".to_owned()));
}

#[test]
fn what_is_too_old_goes_and_the_newest_stays() {
    let month = (30 * 86_400).to_string();
    let pod = Pod::new().backup("four").with("FFE_RETENTION", &month);
    for (name, days) in [("one", 40), ("two", 31), ("three", 2)] {
        pod.earlier(name, "shop", days);
    }
    let end = pod.take();
    assert_eq!(end.told["pruned"], 2, "{}", end.log);
    assert_eq!(pod.dumps(), ["four", "three"]);

    let pod = pod.with("FFE_BACKUP", "").with("FFE_RETENTION", "0");
    let end = pod.run(Work::Prune, &place().storage);
    assert_eq!(end.told["pruned"], 1, "{}", end.log);
    assert_eq!(pod.kept(), ["four.dump", "four.json", "four.manifest"]);
    let end = pod.run(Work::List, &place().storage);
    assert_eq!(end.told["outcome"], "listed");
    assert_eq!(end.log.lines().filter(|line| line.starts_with("backup {\"name\":\"four\"")).count(), 1, "{}", end.log);
}

#[test]
fn retention_touches_what_its_description_says_is_of_the_series() {
    let pod = Pod::new().with("FFE_RETENTION", "86400");
    pod.earlier("ours", "shop", 40);
    pod.earlier("newer", "shop", 2);
    pod.earlier("theirs", "other/namespace/shop", 400);
    // A dump without a description, one of another's name, and one that no program of ours has named.
    std::fs::write(pod.folder.path().join("backups/shop/undescribed.dump"), "").unwrap();
    std::fs::write(pod.folder.path().join("backups/shop/not ours.json"), "").unwrap();
    let end = pod.run(Work::Prune, &place().storage);
    assert_eq!(end.told["pruned"], 1, "{}", end.log);
    assert_eq!(pod.dumps(), ["newer", "theirs", "undescribed"]);

    // What cannot be read is not nothing: nothing goes.
    pod.earlier("old", "shop", 40);
    std::fs::write(pod.folder.path().join("backups/shop/half.json"), r#"{"name":"half","series":"#).unwrap();
    expect_failure(&pod.run(Work::Prune, &place().storage), "storage", "half cannot be read");
    assert_eq!(pod.dumps(), ["newer", "old", "theirs", "undescribed"]);
    let end = pod.take();
    assert!(end.succeeded && end.told["warning"].as_str().unwrap().contains("half cannot be read"), "{}", end.log);
    assert_eq!(pod.dumps(), ["newer", "old", "one", "theirs", "undescribed"]);
}

#[test]
fn where_space_is_short_what_is_too_old_goes_first() {
    // A dump that sees what is still there.
    let looks = r#"[ "$1" != --version ] || { echo "pg_dump (PostgreSQL) 15.18"; exit; }
ls "$FFE_ROOT/shop" > "$STATE/seen"
for word in "$@"; do case $word in --file=*) printf content > "${word#--file=}" ;; esac; done"#;
    for (free, first) in [("9000", true), ("900000", false)] {
        let pod = Pod::new().with("FFE_RETENTION", "86400").with("FFE_FREE_KIB", free);
        pod.program("pg_dump", looks);
        pod.earlier("old", "shop", 40);
        pod.earlier("newer", "shop", 2);
        let end = pod.take();
        assert!(end.succeeded, "{}", end.log);
        assert_eq!(pod.read("seen").contains("old.dump"), !first, "{}", end.log);
        assert_eq!(end.told["pruned"], 2, "{}", end.log);
        assert_eq!(pod.dumps(), ["one"]);
    }
}

#[test]
fn what_the_role_may_not_read_is_left_out_and_said() {
    let pod = Pod::new().with("LEFT", "audit\\tadmin\\nodd \"name\\tadmin\\n");
    let end = pod.take();
    let warning = end.told["warning"].as_str().unwrap();
    assert!(warning.contains("audit of admin, odd \"name of admin"), "{warning}");
    let arguments = pod.read("dumped_with");
    assert!(arguments.contains(r#"--exclude-schema="audit" --exclude-schema="odd ""name""#), "{arguments}");
}

/// An rclone whose storage is a folder.
const RCLONE_STUB: &str = r#"echo "$*" >> "$STATE/rclone_asked"
env | grep RCLONE >> "$STATE/rclone_env"
[ -z "${RCLONE_SAYS:-}" ] || { echo "2026/05/08 10:00:00 ERROR : $RCLONE_SAYS" >&2; exit 1; }
work=$1; shift
while :; do case $1 in --s3-*) shift 2 ;; --files-only) shift ;; --format) shift 2; size=1 ;; *) break ;; esac; done
at=$STATE/store/${1#store:}
# The container is killed, or ends by itself, while this is being done.
[ "$work" != "${KILLED_AT:-}" ] || { kill -9 "$PPID"; exit 1; }
[ "$work $1" != "${KILLED_ALONE_AT:-}" ] || kill -9 "$$"
[ ! -e "$STATE/slow" ] || case $work:$1 in rcat:*.dump) mkdir -p "${at%/*}"; head -c 4 > "$at"; : > "$STATE/uploading"; exec sleep 60 ;; esac
case $work in
  lsf) [ -e "$at" ] || { echo "2026/05/08 10:00:00 ERROR : directory not found" >&2; exit 3; }
    if [ -n "${size:-}" ]; then wc -c < "$at"; else ls "$at"; fi ;;
  rcat) mkdir -p "${at%/*}"; cat > "$at"; [ ! -e "$STATE/full" ] || { echo "2026/05/08 10:00:00 ERROR : no room" >&2; exit 1; } ;;
  cat) cat "$at" ;;
  copyto) cp "$at" "$2" ;;
  deletefile) rm "$at" ;;
esac"#;

/// A pg_dump that writes to its output, and a pg_restore that reads all of its input.
const STREAMED: &str = r#"[ "$1" != --version ] || { echo "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)"; exit; }
printf content; [ ! -e "$STATE/breaks" ] || { echo "pg_dump: error: connection lost" >&2; exit 1; }"#;

impl Pod {
    /// With the container beside it.
    fn remote() -> Self {
        let pod = Pod::new();
        std::fs::create_dir(pod.folder.path().join("exchange")).unwrap();
        pod.program("rclone", RCLONE_STUB);
        pod.program("pg_dump", STREAMED);
        pod.program("pg_restore", "cat > /dev/null");
        let exchange = pod.folder.path().join("exchange");
        pod.with("FFE_REMOTE", "bucket/shop").with("FFE_EXCHANGE", exchange.to_str().unwrap())
    }

    fn beside(&self) -> Child {
        for entry in std::fs::read_dir(self.folder.path().join("exchange")).unwrap().flatten() {
            std::fs::remove_file(entry.path()).unwrap();
        }
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        Command::new("/bin/sh")
            .args(["-c", RCLONE])
            .env("PATH", path)
            .env("STATE", self.folder.path())
            .env("FFE_SETTINGS", self.folder.path().join("settings"))
            .envs(self.env.clone())
            .spawn()
            .unwrap()
    }

    fn run_remote(&self, work: Work) -> End {
        let mut beside = self.beside();
        let end = self.run(work, &Storage::S3(s3()));
        // It ends with the other one, and never with an error of its own.
        assert!(beside.wait().unwrap().success(), "{}", end.log);
        end
    }

    /// As a key of the storage's Secret.
    fn setting(self, name: &str, value: &str) -> Self {
        let folder = self.folder.path().join("settings");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), value).unwrap();
        // Kubernetes leaves out what cannot be a variable.
        if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') { self.with(name, value) } else { self }
    }

    fn stored(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("store/bucket/shop")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_dump_goes_through_rclone_without_lying_in_the_pod() {
    let pod = Pod::remote();
    let end = pod.run_remote(Work::Take);
    assert!(end.succeeded, "{} {}", end.told, end.log);
    assert_eq!(end.told["backup"]["size_bytes"], 7);
    assert_eq!(end.told["backup"]["sha256"], "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73");
    assert_eq!(pod.stored(), ["one.dump", "one.json", "one.manifest"]);
    assert_eq!(pod.read("store/bucket/shop/one.dump"), "content");
    expect_failure(&pod.run_remote(Work::Take), "exists", "one.dump");
    let end = pod.run_remote(Work::List);
    assert_eq!(end.log.lines().filter(|line| line.starts_with("backup {\"name\":\"one\"")).count(), 1, "{}", end.log);

    // A second one: then the first is too old.
    let pod = pod.backup("two").with("FFE_RETENTION", "0");
    let first = pod.read("store/bucket/shop/one.json").replace("\"taken_at\":\"2", "\"taken_at\":\"1");
    std::fs::write(pod.folder.path().join("store/bucket/shop/one.json"), first).unwrap();
    std::fs::write(pod.folder.path().join("store/bucket/shop/others.dump"), "").unwrap();
    let end = pod.run_remote(Work::Take);
    assert_eq!(end.told["pruned"], 1, "{} {}", end.told, end.log);
    assert_eq!(pod.stored(), ["others.dump", "two.dump", "two.json", "two.manifest"]);
}

#[test]
fn what_breaks_off_on_the_way_to_a_storage_is_no_backup() {
    let touch = |pod: &Pod, name: &str| std::fs::write(pod.folder.path().join(name), "").unwrap();
    let pod = Pod::remote();
    touch(&pod, "breaks");
    expect_failure(&pod.run_remote(Work::Take), "dump", "connection lost");
    assert_eq!(pod.stored(), [""; 0]);

    let pod = Pod::remote();
    touch(&pod, "full");
    expect_failure(&pod.run_remote(Work::Take), "upload", "ERROR : no room");
    assert_eq!(pod.stored(), [""; 0]);

    let pod = Pod::remote();
    pod.program("pg_restore", "cat > /dev/null; echo 'pg_restore: error: unexpected end of file' >&2; exit 1");
    expect_failure(&pod.run_remote(Work::Take), "verification", "unexpected end");
    assert_eq!(pod.stored(), [""; 0]);

    let pod = Pod::remote().without("rclone");
    expect_failure(&pod.run_remote(Work::Take), "tool_missing", "no rclone");

    // A list that cannot be had is not an empty one.
    let pod = Pod::remote().with("RCLONE_SAYS", "SignatureDoesNotMatch: the key is wrong").with("FFE_RETENTION", "0");
    for work in [Work::Take, Work::List, Work::Prune] {
        expect_failure(&pod.run_remote(work), "storage", "SignatureDoesNotMatch");
    }
    assert!(!pod.read("rclone_asked").contains("deletefile"));
}

const YEARS: &str = "999999999";

#[test]
fn a_dump_without_a_description_is_no_backup_and_goes_when_it_is_ours() {
    let pod = Pod::new().with("FFE_RETENTION", YEARS).backup("next");
    pod.unfinished("backups/shop", "killed", "shop", 2);
    pod.unfinished("backups/shop", "late", "shop", 0);
    pod.unfinished("backups/shop", "theirs", "shop-2", 40);
    // Nobody says whose it is; a note under another's name says nothing of it.
    pod.unfinished("backups/shop", "renamed", "shop", 40);
    let note = pod.folder.path().join("backups/shop/renamed.begun");
    std::fs::rename(&note, pod.folder.path().join("backups/shop/other.begun")).unwrap();
    pod.earlier("whole", "shop", 3);
    std::fs::write(pod.folder.path().join("backups/shop/whole.begun"), "the note was left").unwrap();

    let end = pod.run(Work::List, &place().storage);
    let listed: Vec<&str> = end.log.lines().filter(|line| line.starts_with("backup ")).collect();
    assert!(listed.len() == 1 && listed[0].contains("whole"), "{}", end.log);
    for name in ["killed", "late", "theirs", "renamed"] {
        assert!(end.log.contains(&format!("unfinished {name}: ")), "{}", end.log);
        let end = pod.of(name, Work::Restore);
        expect_failure(&end, "storage", "there is no backup");
    }
    let end = pod.take();
    assert!(end.succeeded, "{}", end.log);
    assert_eq!(end.told["pruned"], 0, "it was no backup: {}", end.log);
    let warning = end.told["warning"].as_str().unwrap();
    assert!(warning.contains("other.dump, renamed.dump, theirs.dump"), "{warning}");
    assert!(!warning.contains("late") && !warning.contains("whole") && !warning.contains("killed"), "{warning}");
    assert_eq!(pod.dumps(), ["late", "next", "renamed", "theirs", "whole"]);
    assert!(!pod.kept().contains(&"killed.begun".to_owned()), "{:?}", pod.kept());
}

#[test]
fn a_pod_that_is_killed_in_the_middle_leaves_what_the_next_one_finds() {
    let pod = Pod::remote().with("FFE_RETENTION", YEARS);
    std::fs::write(pod.folder.path().join("slow"), "").unwrap();
    let mut beside = pod.beside();
    let mut dumping = pod.command(Work::Take, &Storage::S3(s3())).spawn().unwrap();
    while !pod.folder.path().join("uploading").exists() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    for child in [&mut beside, &mut dumping] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(pod.stored(), ["one.begun", "one.dump"]);
    std::fs::remove_file(pod.folder.path().join("slow")).unwrap();
    let end = pod.run_remote(Work::List);
    assert!(!end.log.contains("backup {") && end.log.contains("unfinished one: "), "{}", end.log);
    expect_failure(&pod.run_remote(Work::Restore), "storage", "there is no backup");

    // Somebody may still be at work on it.
    let pod = pod.backup("two");
    let end = pod.run_remote(Work::Take);
    assert!(end.succeeded && end.told["warning"] == "", "{} {}", end.told, end.log);
    assert_eq!(pod.stored(), ["one.begun", "one.dump", "two.dump", "two.json", "two.manifest"]);
    pod.unfinished("store/bucket/shop", "one", "shop", 2);
    pod.unfinished("store/bucket/shop", "theirs", "shop-2", 2);
    let end = pod.backup("three").run_remote(Work::Prune);
    assert!(end.succeeded, "{} {}", end.told, end.log);
    assert!(end.log.contains("nothing says") && end.log.contains("theirs.dump"), "{}", end.log);
}

#[test]
fn a_pod_that_is_told_to_stop_takes_away_what_it_has_uploaded() {
    let pod = Pod::remote();
    std::fs::write(pod.folder.path().join("slow"), "").unwrap();
    let mut beside = pod.beside();
    let dumping = pod.command(Work::Take, &Storage::S3(s3())).spawn().unwrap();
    while !pod.folder.path().join("uploading").exists() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let stored = pod.stored();
    assert_eq!(stored, ["one.begun", "one.dump"]);
    for id in [beside.id(), dumping.id()] {
        assert!(Command::new("kill").arg(id.to_string()).status().unwrap().success());
    }
    let end = pod.end(&dumping.wait_with_output().unwrap());
    expect_failure(&end, "stopped", "told to stop");
    assert!(beside.wait().unwrap().success());
    assert_eq!(pod.stored(), [""; 0]);
}

#[test]
fn a_container_beside_that_is_killed_ends_it_at_once_and_by_name() {
    for (work, at) in [(Work::Take, "lsf"), (Work::Take, "rcat"), (Work::Restore, "copyto"), (Work::Restore, "cat")] {
        let pod = Pod::remote();
        assert!(pod.run_remote(Work::Take).succeeded);
        let pod = if work == Work::Take { pod.backup("two") } else { pod }.with("KILLED_AT", at);
        let mut beside = pod.beside();
        let end = pod.run(work, &Storage::S3(s3()));
        expect_failure(&end, "memory", "the container rclone was killed: most likely it took more memory");
        assert!(end.told["message"].as_str().unwrap().contains("kubectl describe pod "), "{}", end.told);
        assert!(!beside.wait().unwrap().success());
    }
    // One that never starts is not waited for until the deadline.
    let end = Pod::remote().with("FFE_BESIDE_WAIT", "1").run(Work::Restore, &Storage::S3(s3()));
    expect_failure(&end, "storage", "the container rclone does not start");
    // Where the kernel ends the program alone, its container goes on, and what was begun is taken away.
    let pod = Pod::remote().with("KILLED_ALONE_AT", "rcat store:bucket/shop/one.dump");
    expect_failure(&pod.run_remote(Work::Take), "upload", "rclone was killed: most likely it took more memory");
    assert_eq!(pod.stored(), [""; 0]);
}

#[test]
fn a_storages_secret_is_variables_and_files() {
    let key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXkt\n-----END OPENSSH PRIVATE KEY-----\n";
    let sftp = |pod: Pod| pod.with("RCLONE_CONFIG_STORE_TYPE", "sftp");
    let pod = sftp(Pod::remote()).setting("RCLONE_CONFIG_STORE_KEY_PEM", key).setting("known_hosts", "host key");
    let pod = pod.setting("ca.pem", "PEM").setting("rclone.conf", "[base]\n");
    assert!(pod.run_remote(Work::Take).succeeded);
    let seen = pod.read("rclone_env");
    let folder = pod.folder.path().join("settings").display().to_string();
    for (name, value) in [
        ("RCLONE_CONFIG_STORE_KEY_PEM", key.replace('\n', "\\n")),
        ("RCLONE_CONFIG_STORE_KNOWN_HOSTS_FILE", format!("{folder}/known_hosts")),
        ("RCLONE_CA_CERT", format!("{folder}/ca.pem")),
        ("RCLONE_CONFIG", format!("{folder}/rclone.conf")),
    ] {
        assert!(seen.lines().any(|line| line == format!("{name}={value}")), "{name}: {seen}");
    }
    // A server that cannot be told from others is refused, unless somebody says that it does not matter.
    expect_failure(&sftp(Pod::remote()).run_remote(Work::Take), "config", "ssh-keyscan -p PORT HOST");
    let pod = sftp(Pod::remote()).with("RCLONE_CONFIG_STORE_KNOWN_HOSTS_FILE", "");
    assert!(pod.run_remote(Work::Take).succeeded);
    let pod = sftp(Pod::remote()).setting("rclone.conf", "[store]\nknown_hosts_file = /settings/hosts\n");
    assert!(pod.run_remote(Work::Take).succeeded);
}

#[test]
fn parts_are_as_large_as_the_database_needs_unless_they_are_set() {
    let pod = Pod::remote();
    assert!(pod.run_remote(Work::Take).succeeded);
    for name in ["RCLONE_S3_CHUNK_SIZE=8Mi", "RCLONE_AZUREBLOB_CHUNK_SIZE=8Mi", "RCLONE_S3_UPLOAD_CONCURRENCY=2"] {
        assert!(pod.read("rclone_env").lines().any(|line| line == name), "{name}");
    }
    // As the advice says where memory is short.
    let pod =
        Pod::remote().with("RCLONE_CONFIG_STORE_CHUNK_SIZE", "5Mi").with("RCLONE_CONFIG_STORE_UPLOAD_CONCURRENCY", "1");
    assert!(pod.run_remote(Work::Take).succeeded);
    let seen = pod.read("rclone_env");
    assert!(!seen.contains("RCLONE_S3_") && seen.contains("STORE_CHUNK_SIZE=5Mi"), "{seen}");
}

#[test]
fn what_a_storages_secret_holds_is_in_no_message() {
    let says = "Put \"https://u:hunter2hunter2@h/c?sv=1&sig=ab%2Bc%3D&x=1\": pass hunter2 and AccountKey is \
                bG9uZ2xvbmdsb25nbG9uZ2xvbmc= line MIIEvQIBADANBgkq of it: 403";
    let pod = Pod::remote()
        .setting("RCLONE_CONFIG_STORE_PASS", "hunter2")
        .setting("RCLONE_CONFIG_STORE_CONNECTION_STRING", "Proto=https;AccountKey=bG9uZ2xvbmdsb25nbG9uZ2xvbmc=;")
        .setting("key.json", "{\n \"private_key\": \"-----BEGIN-----\\nxx\"\n}\nMIIEvQIBADANBgkq\n")
        .with("RCLONE_SAYS", says);
    let end = pod.run_remote(Work::Take);
    expect_failure(&end, "storage", "line *** of it: 403");
    for secret in ["hunter2", "ab%2B", "bG9uZ2", "MIIEv"] {
        assert!(!end.log.contains(secret) && !end.told.to_string().contains(secret), "{secret}: {}", end.log);
    }
}

#[test]
fn a_storage_that_gives_nothing_away_is_told_with_its_words() {
    let pod = Pod::remote();
    assert!(pod.run_remote(Work::Take).succeeded);
    let first = pod.read("store/bucket/shop/one.json").replace("\"taken_at\":\"2", "\"taken_at\":\"1");
    std::fs::write(pod.folder.path().join("store/bucket/shop/one.json"), first).unwrap();
    let refuses = RCLONE_STUB.replace("deletefile) rm \"$at\"", "deletefile) echo 'ERROR : AccessDenied' >&2; exit 1");
    assert_ne!(refuses, RCLONE_STUB);
    pod.program("rclone", &refuses);
    // The dump is kept, and what is too old too.
    let pod = pod.backup("two").with("FFE_RETENTION", "0");
    let end = pod.run_remote(Work::Take);
    assert!(end.succeeded, "{} {}", end.told, end.log);
    let warning = end.told["warning"].as_str().unwrap();
    assert!(warning.contains("one is too old and could not be removed: ERROR : AccessDenied"), "{warning}");
    assert!(pod.stored().contains(&"two.json".to_owned()) && pod.stored().contains(&"one.json".to_owned()));
    // What failed and could not be taken away either is found again by its note.
    std::fs::write(pod.folder.path().join("breaks"), "").unwrap();
    let pod = pod.backup("three");
    let end = pod.run_remote(Work::Take);
    expect_failure(&end, "dump", "connection lost");
    assert!(end.log.contains("could not be removed, and is no backup (three.begun tells whose it is)"), "{}", end.log);
    assert!(pod.stored().contains(&"three.begun".to_owned()), "{:?}", pod.stored());
}
