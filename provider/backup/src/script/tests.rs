//! The scripts themselves, run by this machine's shell with stand-ins for the programs of PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::job::tests::{place, s3};

const PSQL: &str = "echo \"150018 15.18 (Debian)\"; env | grep '^PG' | sort > \"$STATE/connection\"";
const PG_DUMP: &str = r#"[ "$1" != --version ] || { echo "pg_dump (PostgreSQL) 15.18 (Debian 15.18-0)"; exit; }
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
        let at = |name: &str| self.folder.path().join(name);
        // Another shell and its programs can be tried, for instance a folder with busybox under all of its names.
        let tools = std::env::var("FFE_TEST_TOOLS").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        let path = format!("{}:{tools}", at("bin").display());
        let shell = std::env::split_paths(&tools).map(|folder| folder.join("sh")).find(|shell| shell.exists());
        let output = Command::new(shell.unwrap())
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
            .output()
            .unwrap();
        let log = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let told = std::fs::read_to_string(at("told")).unwrap_or_default();
        let told = serde_json::from_str(&told).unwrap_or_else(|error| unreadable(&told, &log, &error));
        End { succeeded: output.status.success(), told, log }
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

    fn connection(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("connection")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Makes a file that old.
    fn age(&self, name: &str, days: u32) {
        let path = self.folder.path().join("backups/shop").join(name);
        let when = format!("--date={days} days ago");
        assert!(Command::new("touch").args([when.as_str()]).arg(path).status().unwrap().success());
    }
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
    assert_eq!(pod.kept(), ["one.dump", "one.json"]);
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
    for (program, body, reason, message) in [
        ("pg_dump", nothing, "verification", "wrote nothing"),
        ("pg_dump", full, "space", "No space left"),
        ("pg_restore", truncated, "verification", "unexpected end"),
        ("pg_dump", "echo 'pg_dump (PostgreSQL) 14.9'", "image_older", "14.9, the server is version 15.18"),
        ("psql", "echo 'FATAL:  password authentication failed for user \"a\\b\"' >&2; exit 2", "refused", "\"a"),
        ("psql", "echo 'could not translate host name' >&2; exit 2", "unreachable", "host name"),
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
    // Variables go before the URL.
    let pod = Pod::new().with("DATABASE_URL", "postgresql://other:x@elsewhere/y");
    assert!(pod.take().succeeded);
    assert!(pod.connection().contains(&"PGHOST=db".to_owned()));
}

#[test]
fn what_is_too_old_goes_and_the_newest_stays() {
    let pod = Pod::new();
    for (name, days) in [("one", 40), ("two", 31), ("three", 2)] {
        std::fs::create_dir_all(pod.folder.path().join("backups/shop")).unwrap();
        for end in ["dump", "json"] {
            std::fs::write(pod.folder.path().join(format!("backups/shop/{name}.{end}")), "{}").unwrap();
            pod.age(&format!("{name}.{end}"), days);
        }
    }
    std::fs::write(pod.folder.path().join("backups/shop/not ours.dump"), "").unwrap();
    pod.age("not ours.dump", 90);
    let month = (30 * 86_400).to_string();
    let pod = pod.backup("four").with("FFE_RETENTION", &month);
    let end = pod.take();
    assert_eq!(end.told["pruned"], 2, "{}", end.log);
    assert_eq!(pod.kept(), ["four.dump", "four.json", "not ours.dump", "three.dump", "three.json"]);

    let pod = pod.with("FFE_BACKUP", "").with("FFE_RETENTION", "0");
    for name in ["three", "four"] {
        for end in ["dump", "json"] {
            pod.age(&format!("{name}.{end}"), if name == "three" { 2 } else { 1 });
        }
    }
    let end = pod.run(Work::Prune, &place().storage);
    assert_eq!(end.told["pruned"], 1, "{}", end.log);
    assert_eq!(pod.kept(), ["four.dump", "four.json", "not ours.dump"]);
    let end = pod.run(Work::List, &place().storage);
    assert_eq!(end.told["outcome"], "listed");
    assert_eq!(end.log.lines().filter(|line| line.starts_with("backup {\"name\":\"four\"")).count(), 1, "{}", end.log);
}

/// A curl that writes down what it is told, and lists one page.
const CURL: &str = r#"case "$*" in *--version*) echo "curl ${CURL_VERSION:-7.88.1} (x)"; exit ;; esac
printf '%s\n' "$*" >> "$STATE/arguments"
cat >> "$STATE/input"
while [ $# -gt 0 ]; do case $1 in -o) out=$2; shift ;; esac; shift; done
echo "${CURL_ANSWER:-<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>}" > "$out"
printf '%s' "${CURL_STATUS:-200}""#;

fn bucket(pod: Pod) -> Pod {
    pod.program("curl", CURL);
    pod.with("FFE_S3_URL", "http://s3/backups")
        .with("FFE_S3_PREFIX", "a/shop")
        .with("FFE_S3_REGION", "eu")
        .with("FFE_S3_BUCKET", "backups")
        .with("AWS_ACCESS_KEY_ID", "KEY-canary")
        .with("AWS_SECRET_ACCESS_KEY", "s\"cret\\canary")
}

#[test]
fn credentials_reach_curl_through_its_input() {
    let pod = bucket(Pod::new()).with("AWS_SESSION_TOKEN", "token-canary");
    let end = pod.run(Work::List, &Storage::S3(s3()));
    assert!(end.succeeded, "{}", end.log);
    let read = |name: &str| std::fs::read_to_string(pod.folder.path().join(name)).unwrap();
    assert!(!read("arguments").contains("canary"), "{}", read("arguments"));
    assert!(read("arguments").contains("prefix=a%2Fshop%2F"), "{}", read("arguments"));
    assert!(read("input").contains(r#"user = "KEY-canary:s\"cret\\canary""#), "{}", read("input"));
    assert!(read("input").contains("x-amz-security-token: token-canary"));
    assert!(!end.log.contains("canary"));
}

#[test]
fn a_bucket_is_listed_page_by_page() {
    let pages = r#"case "$*" in *--version*) echo "curl 8.5.0 (x)"; exit ;; esac
cat > /dev/null
more=false keys=
case "$*" in
  *start-after=a%2Fshop%2Ftwo.json*) keys="three.json three.dump" ;;
  *list-type*) more=true keys="one.dump one.json strange&amp;name.dump two.dump two.json" ;;
esac
while [ $# -gt 0 ]; do case $1 in -o) out=$2; shift ;; http*) url=$1 ;; esac; shift; done
{
  case $url in *.json) echo "{\"entry\":\"${url##*/}\"}" ;; esac
  [ -z "$keys" ] || printf '<ListBucketResult><IsTruncated>%s</IsTruncated>\n' "$more"
  for key in $keys; do
    printf '<Contents><LastModified>2025-01-02T03:04:05.000Z</LastModified><Size>1</Size><Key>a/shop/%s</Key></Contents>' "$key"
  done
} > "$out"
printf 200"#;
    let pod = bucket(Pod::new());
    pod.program("curl", pages);
    let end = pod.run(Work::List, &Storage::S3(s3()));
    assert_eq!(end.told["outcome"], "listed", "{}", end.log);
    let found: Vec<&str> = end.log.lines().filter(|line| line.starts_with("backup ")).collect();
    assert_eq!(found.len(), 3, "{}", end.log);
    assert!(found.iter().any(|line| line.contains("three.json")), "{}", end.log);
}

#[test]
fn what_s3_refuses_is_told_in_its_words() {
    let answer = "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>";
    let pod = bucket(Pod::new()).with("CURL_STATUS", "404").with("CURL_ANSWER", answer);
    expect_failure(&pod.run(Work::Take, &Storage::S3(s3())), "storage", "HTTP 404 NoSuchBucket The specified bucket");
    let pod = bucket(Pod::new()).with("CURL_VERSION", "7.74.0");
    expect_failure(&pod.run(Work::Take, &Storage::S3(s3())), "tool_missing", "7.74");
    let pod = bucket(Pod::new());
    let without = pod.without("curl");
    expect_failure(&without.run(Work::Take, &Storage::S3(s3())), "tool_missing", "no curl");
}
