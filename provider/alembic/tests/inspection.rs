//! The release's inspection script, run as its Job runs it: in the sample application's images, against a PostgreSQL.
//! Ignored where Debian's python3-alembic, python3-psycopg2 or PostgreSQL is missing, and failing where FFE_REQUIRE says that
//! it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{ExitCode, Output};

use ffe_alembic::Scripts;
use libtest_mimic::Arguments;
use serde_json::{Value, json};
use support::{Image, PASSWORD, Postgres};

mod support;

fn main() -> ExitCode {
    let needs =
        support::modules(&["alembic", "psycopg2", "sqlalchemy"]).and("postgresql", support::postgres().map(drop));
    let trial = needs.trial("the_inspection_tells_where_the_database_stands_and_changes_nothing", || {
        the_inspection_tells_where_the_database_stands_and_changes_nothing();
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// The answer, looked for as the release does: the last line of the log that has the mark.
fn answer(output: &Output) -> Value {
    let log = text(output);
    assert!(output.status.success(), "{log}");
    let line = log.lines().rev().find_map(|line| line.trim().strip_prefix("ffe-inspect "));
    serde_json::from_str(line.unwrap_or_else(|| panic!("no answer in {log}"))).unwrap()
}

/// Both streams, one after the other as in a log.
fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The revisions that an answer lists.
fn pending(answer: &Value) -> Vec<&str> {
    answer["pending"].as_array().unwrap().iter().map(|one| one["revision"].as_str().unwrap()).collect()
}

fn the_inspection_tells_where_the_database_stands_and_changes_nothing() {
    let postgres = Postgres::start();
    let first = Image::assemble("1.0.0", &[]);

    // Before the first migration.
    let url = postgres.database("fresh");
    let found = answer(&first.inspect(&url, "alembic.ini", "head"));
    assert_eq!(found["current"], json!([]));
    assert_eq!(found["heads"], json!(["0003_positions"]));
    assert_eq!(pending(&found), ["0001_accounts", "0002_decisions", "0003_positions"]);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(postgres.sql("fresh", tables), "0", "the inspection has made a table");

    // Every later image, after the first: the same as the files say at plan.
    first.upgrade(&url);
    let all = "SELECT string_agg(version_num, ',') FROM alembic_version";
    for tag in [
        "1.0.0",
        "1.1.0",
        "1.2.0-bad-migration",
        "1.2.0-bad-autocommit",
        "1.2.0-bad-ready",
        "1.3.0-irreversible",
        "1.3.0-pass",
    ] {
        let image = Image::assemble(tag, &[]);
        let found = answer(&image.inspect(&url, "alembic.ini", "head"));
        assert_eq!(found["current"], json!(["0003_positions"]));
        assert_eq!(found["unknown"], json!([]));
        let scripts = Scripts::read(image.root()).unwrap();
        let planned: Vec<Value> = scripts
            .pending(&["0003_positions".to_owned()], "head")
            .unwrap()
            .into_iter()
            .map(|one| {
                let undo = format!("{:?}", one.undo).to_lowercase();
                json!({"revision": one.id, "message": one.message, "undo": undo, "autocommit": one.autocommit})
            })
            .collect();
        assert_eq!(found["pending"], json!(planned), "{tag}");
    }
    assert_eq!(postgres.sql("fresh", all), "0003_positions");

    // A database that a later image has migrated.
    Image::assemble("1.1.0", &[]).upgrade(&url);
    let found = answer(&first.inspect(&url, "alembic.ini", "head"));
    assert_eq!(found["unknown"], json!(["0004_feedback"]));
    assert_eq!(found["pending"], json!([]));

    several_heads(&postgres);
    env_that_prints(&postgres);
    failures(&postgres);
}

fn several_heads(postgres: &Postgres) {
    let url = postgres.database("heads");
    let lines =
        ["0001_accounts.py", "0002_decisions.py", "0003_positions.py", "0004_feedback.py", "0005_risk_limits.py"];
    let image = Image::assemble("1.3.0-pass", &[&lines[..], &["0006_stop_loss.py", "0006_drop_prompts.py"]].concat());
    let refused = image.inspect(&url, "alembic.ini", "head");
    let log = text(&refused);
    assert!(!refused.status.success());
    assert!(log.contains("FAILED: Multiple head revisions are present"), "{log}");
    assert!(!log.contains("Traceback"), "{log}");
    let found = answer(&image.inspect(&url, "alembic.ini", "heads"));
    assert_eq!(found["heads"].as_array().unwrap().len(), 2);
    assert_eq!(pending(&found).len(), 7);
    image.upgrade(&url);
    let found = answer(&image.inspect(&url, "alembic.ini", "heads"));
    assert_eq!(found["current"], json!(["0006_drop_prompts", "0006_stop_loss"]));
    assert_eq!(found["pending"], json!([]));
}

fn env_that_prints(postgres: &Postgres) {
    let url = postgres.database("printing");
    let image = Image::assemble("1.0.0", &[]);
    image.prepend("alembic/env.py", "import os\nprint('ffe-inspect hello')\nos.write(1, b'no end of line')");
    let output = image.inspect(&url, "alembic.ini", "head");
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let line = stdout.lines().find_map(|line| line.strip_prefix("ffe-inspect ")).unwrap();
    assert!(serde_json::from_str::<Value>(line).is_ok(), "{stdout}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("hello"), "what env.py prints is not lost");
}

fn failures(postgres: &Postgres) {
    let image = Image::assemble("1.0.0", &[]);
    for (url, config, said) in [
        (&Postgres::url_of_nobody(), "alembic.ini", "FAILED: the database cannot be reached"),
        (&postgres.url("missing"), "alembic.ini", "FAILED: the database cannot be reached"),
        (
            &postgres.url("printing"),
            "elsewhere.ini",
            "FAILED: No config file 'elsewhere.ini' found|No 'script_location' key found",
        ),
    ] {
        let output = image.inspect(url, config, "head");
        let log = text(&output);
        assert!(!output.status.success(), "{log}");
        assert!(said.split('|').any(|said| log.contains(said)), "{log}");
        assert!(!log.contains("Traceback") && !log.contains("ffe-inspect {"), "{log}");
        assert!(!log.contains(PASSWORD) && !log.contains("S3cret"), "{log}");
    }

    // An env.py that does not catch what SQLAlchemy raises: the reason is the last line all the same.
    let raises =
        "from sqlalchemy.exc import OperationalError\nraise OperationalError('SELECT 1', {}, Exception('server gone'))";
    image.prepend("alembic/env.py", raises);
    let output = image.inspect(&postgres.url("printing"), "alembic.ini", "head");
    let log = text(&output);
    assert_eq!(output.status.code(), Some(1));
    let last = log.trim_end().lines().last().unwrap();
    assert_eq!(last, "FAILED: OperationalError: (builtins.Exception) server gone");
    assert!(log.contains("env.py"), "where it came from is there too: {log}");
}
