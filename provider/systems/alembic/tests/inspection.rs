//! The release's script, run as its Jobs run it: in the sample application's images, against a PostgreSQL.
//! Ignored where Debian's python3-alembic, python3-psycopg2 or PostgreSQL is missing, and failing where FFE_REQUIRE says that
//! it runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::process::{ExitCode, Output};

use answer::Facts;
use ffe_alembic::Scripts;
use libtest_mimic::Arguments;
use serde_json::{Value, json};
use support::{Image, MARK, PASSWORD, Postgres};

/// The reader that the release has.
#[path = "../../../resources/release/src/apply/migration/answer.rs"]
// Its own tests are run where it lies.
#[allow(dead_code)]
mod answer;
mod support;

fn main() -> ExitCode {
    let needs =
        support::modules(&["alembic", "psycopg2", "sqlalchemy"]).and("postgresql", support::postgres().map(drop));
    let trial = needs.trial("the_script_tells_where_the_database_stands_and_changes_nothing", || {
        the_script_tells_where_the_database_stands_and_changes_nothing();
        Ok(())
    });
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// Both streams, one after the other as in a log.
fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The answer, read as the release does.
fn facts(output: &Output) -> Facts {
    let log = text(output);
    assert!(output.status.success(), "{log}");
    Facts::read(&log, MARK).unwrap_or_else(|why| panic!("{why}: {log}"))
}

fn told(facts: &Facts, fact: &str) -> Vec<Value> {
    facts.of(fact).map(|value| serde_json::from_str(value).unwrap()).collect()
}

/// The revisions that are told of as a fact.
fn revisions(facts: &Facts, fact: &str) -> Vec<String> {
    told(facts, fact).iter().map(|one| one["revision"].as_str().unwrap().to_owned()).collect()
}

fn look(image: &Image, url: &str, target: &str) -> Facts {
    facts(&image.job(url, &json!({ "mode": "look", "target": target })))
}

fn look_since(image: &Image, url: &str, base: &[&str]) -> Facts {
    facts(&image.job(url, &json!({ "mode": "look", "base": base })))
}

fn done(image: &Image, url: &str, request: &Value) {
    let output = image.job(url, request);
    assert!(output.status.success(), "{request}: {}", text(&output));
}

/// A project of its own: revision, what it stands on, what it depends on.
fn project(revisions: &[(&str, &str, &str)]) -> Image {
    let image = Image::assemble("1.0.0", &["none"]);
    for (name, down, depends) in revisions {
        let text = format!(
            "revision = \"{name}\"\ndown_revision = {down}\ndepends_on = {depends}\nfrom alembic import op\n\n\ndef upgrade():\n    \
             op.execute(\"CREATE TABLE t_{name} (id int)\")\n\n\ndef downgrade():\n    op.execute(\"DROP TABLE t_{name}\")\n"
        );
        image.write(&format!("alembic/versions/{name}.py"), &text);
    }
    image
}

fn the_script_tells_where_the_database_stands_and_changes_nothing() {
    let postgres = Postgres::start();
    let first = Image::assemble("1.0.0", &[]);

    // Before the first migration.
    let url = postgres.database("fresh");
    let found = look(&first, &url, "head");
    assert_eq!(told(&found, "database"), [json!([])]);
    assert_eq!(told(&found, "head"), ["0003_positions"]);
    assert_eq!(revisions(&found, "pending"), ["0001_accounts", "0002_decisions", "0003_positions"]);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(postgres.sql("fresh", tables), "0", "the look has made a table");

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
        let found = look(&image, &url, "head");
        assert_eq!(told(&found, "database"), [json!(["0003_positions"])]);
        assert_eq!(told(&found, "unknown"), Vec::<Value>::new());
        let scripts = Scripts::read(image.root()).unwrap();
        let planned: Vec<Value> = scripts
            .pending(&["0003_positions".to_owned()], "head")
            .unwrap()
            .into_iter()
            .map(|one| {
                let undo = format!("{:?}", one.undo).to_lowercase();
                json!({
                    "revision": one.id, "message": one.message, "undo": undo, "autocommit": one.autocommit,
                    "dropped": one.dropped,
                })
            })
            .collect();
        assert_eq!(told(&found, "pending"), planned, "{tag}");
    }
    assert_eq!(postgres.sql("fresh", all), "0003_positions");

    // A database that a later image has migrated.
    Image::assemble("1.1.0", &[]).upgrade(&url);
    let found = look(&first, &url, "head");
    assert_eq!(told(&found, "unknown"), ["0004_feedback"]);
    assert!(told(&found, "aim").is_empty(), "nobody has asked");
    assert_eq!(revisions(&found, "pending"), Vec::<String>::new());

    several_heads(&postgres);
    a_thousand_revisions(&postgres);
    env_that_prints(&postgres);
    env_that_does_not_ask(&postgres);
    branches_and_dependencies(&postgres);
    one_way_streets(&postgres);
    aims(&postgres);
    rows(&postgres);
    forward(&postgres);
    tenants(&postgres);
    configurations(&postgres);
    sections(&postgres);
    locks(&postgres);
    invalid_indexes(&postgres);
    failures(&postgres);
}

fn several_heads(postgres: &Postgres) {
    let url = postgres.database("heads");
    let lines =
        ["0001_accounts.py", "0002_decisions.py", "0003_positions.py", "0004_feedback.py", "0005_risk_limits.py"];
    let image = Image::assemble("1.3.0-pass", &[&lines[..], &["0006_stop_loss.py", "0006_drop_prompts.py"]].concat());
    let refused = image.job(&url, &json!({ "mode": "look", "target": "head" }));
    let log = text(&refused);
    assert!(!refused.status.success());
    assert!(log.contains("FAILED: Multiple head revisions are present"), "{log}");
    assert!(!log.contains("Traceback") && Facts::read(&log, MARK).is_err(), "{log}");
    let found = look(&image, &url, "heads");
    assert_eq!(told(&found, "head").len(), 2);
    assert_eq!(revisions(&found, "pending").len(), 7);
    done(&image, &url, &json!({ "mode": "upgrade", "target": "heads" }));
    let found = look(&image, &url, "heads");
    assert_eq!(told(&found, "database"), [json!(["0006_drop_prompts", "0006_stop_loss"])]);
    assert_eq!(revisions(&found, "pending"), Vec::<String>::new());
}

/// The first deployment of an application that has been developed for years.
fn a_thousand_revisions(postgres: &Postgres) {
    let url = postgres.database("many");
    let image = project(&[]);
    for at in 0..1000 {
        let down = if at == 0 { "None".to_owned() } else { format!("\"{:012x}\"", at - 1) };
        image.write(
            &format!("alembic/versions/{at:012x}.py"),
            &format!(
                "\"\"\"A message of about fifty characters, as people write {at}\"\"\"\nrevision = \"{at:012x}\"\ndown_revision = \
                 {down}\n\n\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n"
            ),
        );
    }
    let found = look(&image, &url, "head");
    let pending = revisions(&found, "pending");
    assert_eq!((pending.len(), pending[999].as_str()), (1000, "0000000003e7"));
    done(&image, &url, &json!({ "mode": "upgrade", "target": "head" }));
    assert_eq!(revisions(&look_since(&image, &url, &["000000000000"]), "ran").len(), 999);
}

fn env_that_prints(postgres: &Postgres) {
    let url = postgres.database("printing");
    let image = Image::assemble("1.0.0", &[]);
    let noise = "import os, sys\nprint('Done')\nprint('----------')\nprint('0009_nine (head)')\nprint('ffe:0 end 0')\nos.write(1, \
                 b'no end of line')\nos.dup2(2, 1)\nsys.stdout = sys.stderr";
    image.prepend("alembic/env.py", noise);
    let output = image.job(&url, &json!({ "mode": "look", "target": "head" }));
    assert_eq!(told(&facts(&output), "database"), [json!([])]);
    assert!(text(&output).contains("Done"), "what env.py prints is not lost");
    done(&image, &url, &json!({ "mode": "upgrade", "target": "head" }));
    let found = look(&image, &url, "head");
    assert_eq!(told(&found, "database"), [json!(["0003_positions"])]);
    assert!(revisions(&found, "pending").is_empty());
}

/// What is not known is not "base".
fn env_that_does_not_ask(postgres: &Postgres) {
    let url = postgres.database("silent");
    for (text, said) in [("", "ended without context.run_migrations()"), ("import sys\nsys.exit(0)", "")] {
        let image = Image::assemble("1.0.0", &[]);
        image.write("alembic/env.py", text);
        let output = image.job(&url, &json!({ "mode": "look", "target": "head" }));
        let log = self::text(&output);
        assert!(Facts::read(&log, MARK).is_err(), "{log}");
        assert!(log.contains(said), "{log}");
    }
}

fn branches_and_dependencies(postgres: &Postgres) {
    let image = project(&[
        ("a1", "None", "None"),
        ("a2", "\"a1\"", "None"),
        ("b1", "None", "None"),
        ("b2", "\"b1\"", "\"a2\""),
        ("c1", "None", "None"),
        ("m", "(\"b2\", \"c1\")", "None"),
    ]);
    let url = postgres.database("branches");
    let up = |target: &str| done(&image, &url, &json!({ "mode": "upgrade", "target": target }));
    let at = |found: &Facts| told(found, "database").remove(0);
    let back = |base: &[&str]| {
        done(&image, &url, &json!({ "mode": "back", "base": base }));
        assert_eq!(at(&look_since(&image, &url, base)), json!(base));
    };
    up("a1");
    up("b1");
    // The version table then says b2 alone, since it stands on a2.
    up("b2");
    let found = look_since(&image, &url, &["a1", "b1"]);
    assert_eq!(at(&found), json!(["b2"]));
    assert_eq!(revisions(&found, "ran"), ["a2", "b2"]);
    assert!(revisions(&look(&image, &url, "b2"), "pending").is_empty(), "it is at its target");
    back(&["a1", "b1"]);
    // A merge, and a branch that was new.
    up("heads");
    assert_eq!(revisions(&look_since(&image, &url, &["a1", "b1"]), "ran"), ["a2", "b2", "c1", "m"]);
    back(&["a1", "b1"]);
    let tables = "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE tablename LIKE 't\\_%'";
    assert_eq!(postgres.sql("branches", tables), "t_a1 t_b1");

    // A base that the database does not stand on, or that nobody knows.
    assert_eq!(told(&look_since(&image, &url, &["b2"]), "astray"), ["a2", "b2"]);
    assert_eq!(told(&look_since(&image, &url, &["z9"]), "astray"), ["z9"]);
    let refused = image.job(&url, &json!({ "mode": "back", "base": ["b2"] }));
    assert!(!refused.status.success() && text(&refused).contains("no way back to it"), "{}", text(&refused));
}

fn one_way_streets(postgres: &Postgres) {
    for (tag, how) in [("1.3.0-pass", "pass"), ("1.3.0-irreversible", "raises")] {
        let url = postgres.database(&format!("oneway_{how}"));
        Image::assemble("1.0.0", &[]).upgrade(&url);
        let image = Image::assemble(tag, &[]);
        image.upgrade(&url);
        let before = look_since(&image, &url, &["0003_positions"]);
        assert_eq!(told(&before, "ran").last().unwrap()["undo"], how);
        let refused = image.job(&url, &json!({ "mode": "back", "base": ["0003_positions"] }));
        assert!(!refused.status.success());
        assert!(text(&refused).contains("nothing was changed"), "{}", text(&refused));
        assert_eq!(look_since(&image, &url, &["0003_positions"]), before, "not half of the way either");
    }
}

/// What a target means to an image that the database is ahead of.
fn aims(postgres: &Postgres) {
    let of = |image: &Image, url: &str, target: &str| {
        let output = image.job(url, &json!({ "mode": "look", "target": target, "aim": true }));
        if output.status.success() { Ok(told(&facts(&output), "aim")) } else { Err(text(&output)) }
    };
    let url = postgres.database("aims");
    Image::assemble("1.1.0", &[]).upgrade(&url);
    let first = Image::assemble("1.0.0", &[]);
    assert_eq!(of(&first, &url, "head").unwrap(), ["0003_positions"]);
    assert_eq!(of(&first, &url, "0002_decisions").unwrap(), ["0002_decisions"]);
    assert!(of(&first, &url, "+1").unwrap().is_empty() && of(&first, &url, "base").unwrap().is_empty());
    assert!(of(&first, &url, "nonsense").unwrap_err().contains("FAILED"));

    // Several heads of the older image, which a merge of the newer one has joined, one of them by a dependency.
    let older = [("a1", "None", "None"), ("a2", "\"a1\"", "None"), ("b1", "None", "None"), ("b2", "\"b1\"", "\"a2\"")];
    let more = [("a3", "\"a2\"", "None"), ("m", "(\"a3\", \"b2\")", "None")];
    let (older, newer) = (project(&older), project(&[&older[..], &more[..]].concat()));
    let url = postgres.database("aims_of_branches");
    done(&newer, &url, &json!({ "mode": "upgrade", "target": "heads" }));
    assert!(of(&older, &url, "head").unwrap_err().contains("Multiple head revisions"));
    let aim = of(&older, &url, "heads").unwrap();
    assert_eq!(aim, ["b2"], "as the version table will have it");
    let base: Vec<&str> = aim.iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(revisions(&look_since(&newer, &url, &base), "ran"), ["a3", "m"]);
    done(&newer, &url, &json!({ "mode": "back", "base": base }));
    assert_eq!(told(&look_since(&newer, &url, &base), "database"), [json!(["b2"])]);
    assert!(told(&look(&older, &url, "heads"), "unknown").is_empty());
    let tables = "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE tablename LIKE 't\\_%'";
    assert_eq!(postgres.sql("aims_of_branches", tables), "t_a1 t_a2 t_b1 t_b2");
}

/// How many rows go with what is dropped.
fn rows(postgres: &Postgres) {
    let counted = |image: &Image, url: &str, base: &[&str]| {
        let output = image.job(url, &json!({ "mode": "look", "base": base, "rows": true }));
        let told = told(&facts(&output), "rows");
        told.into_iter()
            .map(|one| {
                let name =
                    [one["name"].as_str(), one["column"].as_str()].into_iter().flatten().collect::<Vec<_>>().join(".");
                format!("{name} {}{}", one["rows"], if one["estimate"] == true { " estimated" } else { "" })
            })
            .collect::<Vec<_>>()
    };
    let url = postgres.database("rows");
    let image = Image::assemble("1.1.0", &[]);
    image.upgrade(&url);
    postgres.sql(
        "rows",
        "INSERT INTO decisions (account_id, instrument_id, action, confidence) SELECT 1, 1, 'BUY', 1 FROM generate_series(1, 7); \
         INSERT INTO feedback (decision_id, realised_pnl, score) SELECT id, 1, 1 FROM decisions LIMIT 5",
    );
    assert_eq!(counted(&image, &url, &["0003_positions"]), ["decisions.provider 7", "feedback 5"]);
    let found = look_since(&image, &url, &["0003_positions"]);
    assert_eq!(told(&found, "ran")[0]["dropped"][1], json!({ "kind": "table", "name": "feedback", "column": null }));

    // Names that need quotes, another schema, partitions, empty columns, what is gone, what is not known, and what is no table.
    let url = postgres.database("rows_of_all_kinds");
    let image = project(&[("a1", "None", "None")]);
    image.write(
        "alembic/versions/a2.py",
        "revision = \"a2\"\ndown_revision = \"a1\"\nfrom alembic import op\n\n\ndef upgrade():\n    op.execute('CREATE SCHEMA s; CREATE \
         TABLE s.\"A b%\" (x int, \"Y\" int); CREATE TABLE p (x int) PARTITION BY RANGE (x); CREATE TABLE p1 PARTITION OF p FOR \
         VALUES FROM (0) TO (9)')\n\n\ndef downgrade():\n    op.drop_column('A b%', 'Y', schema='s')\n    op.drop_table('A b%', \
         schema='s')\n    op.drop_table('p')\n    op.drop_table(name_of('x'))\n    op.execute('DROP TABLE IF EXISTS gone; DROP \
         SCHEMA s CASCADE')\n\n\ndef name_of(x):\n    return x\n",
    );
    done(&image, &url, &json!({ "mode": "upgrade", "target": "head" }));
    postgres.sql(
        "rows_of_all_kinds",
        "INSERT INTO s.\"A b%\" VALUES (1, NULL), (2, 3); INSERT INTO p VALUES (1), (2), (3)",
    );
    assert_eq!(
        counted(&image, &url, &["a1"]),
        [
            "s.A b%.Y 1",
            "s.A b% 2",
            "p 3",
            "{name_of('x')} null",
            "gone null",
            "schema s and all that depends on it null"
        ]
    );
    // A data-only revision drops nothing.
    assert!(counted(&image, &url, &["a2"]).is_empty());

    // A table that somebody has locked for long is estimated, and what is around the count goes on.
    let url = postgres.database("rows_of_much");
    let image = project(&[("a1", "None", "None"), ("a2", "\"a1\"", "None")]);
    let env = fs::read_to_string(image.root().join("alembic/env.py")).unwrap();
    image.write("alembic/env.py", &env.replace("transaction_per_migration=True", "transaction_per_migration=False"));
    done(&image, &url, &json!({ "mode": "upgrade", "target": "head" }));
    postgres.sql("rows_of_much", "INSERT INTO t_a2 SELECT generate_series(1, 1000)");
    postgres.sql("rows_of_much", "ANALYZE t_a2");
    let job = fs::read_to_string(&support::script()[1]).unwrap();
    for (limit, rows) in
        [("COUNTED_BYTES = 256 << 20", "COUNTED_BYTES = 0"), ("COUNTED_MS = 30_000", "COUNTED_MS = 1000")]
    {
        assert!(job.contains(limit));
        let script = format!("{}\n\n{}", fs::read_to_string(&support::script()[0]).unwrap(), job.replace(limit, rows));
        let locked = (rows == "COUNTED_MS = 1000").then(|| postgres.locked("rows_of_much", "t_a2"));
        let output = image.run_script(&script, &url, &json!({ "mode": "look", "base": ["a1"], "rows": true }));
        let found = told(&facts(&output), "rows");
        assert_eq!((&found[0]["rows"], &found[0]["estimate"]), (&json!(1000), &json!(true)), "{rows}");
        drop(locked);
    }
}

/// To where the database has stood before, and no further.
fn forward(postgres: &Postgres) {
    let image = project(&[
        ("a1", "None", "None"),
        ("a2", "\"a1\"", "None"),
        ("a3", "\"a2\"", "None"),
        ("b1", "None", "None"),
        ("b2", "\"b1\"", "None"),
    ]);
    let url = postgres.database("forward");
    let at = || told(&look_since(&image, &url, &["a1"]), "database").remove(0);
    done(&image, &url, &json!({ "mode": "forward", "to": ["a2", "b1"] }));
    assert_eq!(at(), json!(["a2", "b1"]));
    done(&image, &url, &json!({ "mode": "back", "base": ["a1"] }));
    assert_eq!(at(), json!(["a1"]));
    done(&image, &url, &json!({ "mode": "forward", "to": ["a2", "b1"] }));
    assert_eq!(at(), json!(["a2", "b1"]), "a3 and b2 were not there before");
    done(&image, &url, &json!({ "mode": "forward", "to": ["a2", "b1"] }));
    assert_eq!(at(), json!(["a2", "b1"]), "there is nothing left to do");
}

/// An env.py that migrates one schema after another.
fn tenants(postgres: &Postgres) {
    let url = postgres.database("tenants");
    let image = project(&[("a1", "None", "None"), ("a2", "\"a1\"", "None")]);
    let env = "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine, text\nengine = \
               create_engine(os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg2:'))\nonly = os.environ.get('TENANT')\nfor tenant in ([only] if only else ['one', 'two']):\n    with engine.connect() as \
               connection:\n        with connection.begin():\n            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS \
               {tenant}'))\n            connection.execute(text(f'SET search_path TO {tenant}'))\n            \
               context.configure(connection=connection, version_table_schema=tenant)\n            \
               context.run_migrations()\n";
    image.write("alembic/env.py", env);
    let found = look(&image, &url, "head");
    assert_eq!(told(&found, "database"), [json!([]), json!([])]);
    assert_eq!(revisions(&found, "pending"), ["a1", "a2"]);
    done(&image, &url, &json!({ "mode": "upgrade", "target": "a1" }));
    postgres.sql("tenants", "UPDATE two.alembic_version SET version_num = 'a2'; CREATE TABLE two.t_a2 (id int)");
    let found = look(&image, &url, "head");
    assert_eq!(told(&found, "database"), [json!(["a1"]), json!(["a2"])]);
    assert_eq!(revisions(&found, "pending"), ["a2"]);
    done(&image, &url, &json!({ "mode": "upgrade", "target": "head" }));
    assert_eq!(revisions(&look_since(&image, &url, &["a1"]), "ran"), ["a2"]);
    postgres.sql("tenants", "INSERT INTO one.t_a2 VALUES (1); INSERT INTO two.t_a2 VALUES (1), (2)");
    let counted = facts(&image.job(&url, &json!({ "mode": "look", "base": ["a1"], "rows": true })));
    assert_eq!(told(&counted, "rows")[0]["rows"], 3, "of all tenants");
    done(&image, &url, &json!({ "mode": "back", "base": ["a1"] }));
    assert_eq!(told(&look_since(&image, &url, &["a1"]), "database"), [json!(["a1"]), json!(["a1"])]);
}

/// The configuration is the one that the command `alembic` would use.
fn configurations(postgres: &Postgres) {
    let url = postgres.database("configurations");
    let image = Image::assemble("1.0.0", &[]);
    image.rename("alembic.ini", "elsewhere.ini");
    let named = image.job(&url, &json!({ "mode": "look", "config": "elsewhere.ini", "target": "head" }));
    assert_eq!(told(&facts(&named), "head"), ["0003_positions"]);
    let found = image.job_with(&url, &[("ALEMBIC_CONFIG", "elsewhere.ini")], &json!({ "mode": "look" }));
    assert_eq!(told(&facts(&found), "head"), ["0003_positions"]);
    if support::alembic_reads_pyproject() {
        image.rename("elsewhere.ini", "unused.ini");
        image.write("pyproject.toml", "[tool.alembic]\nscript_location = \"alembic\"\nprepend_sys_path = [\".\"]\n");
        assert_eq!(told(&look(&image, &url, "head"), "head"), ["0003_positions"]);
    }
}

/// Two databases in one configuration file, each by the name of its section: here two schemas, so that it shows which one has moved.
fn sections(postgres: &Postgres) {
    let url = postgres.database("sections");
    let image = Image::assemble("1.0.0", &["none"]);
    image.write(
        "alembic.ini",
        "[DEFAULT]\nprepend_sys_path = .\n\n[orders]\nscript_location = orders\nschema = sold\n\n[users]\nscript_location = \
         users\nschema = people\n",
    );
    let env = "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine, text\nschema = \
               context.config.get_main_option('schema')\nengine = \
               create_engine(os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg2:'))\nwith engine.connect() as \
               connection:\n    with connection.begin():\n        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS \
               {schema}'))\n        connection.execute(text(f'SET search_path TO {schema}'))\n        \
               context.configure(connection=connection, version_table_schema=schema)\n        context.run_migrations()\n";
    for (section, revisions) in [("orders", ["o1", "o2"]), ("users", ["u1", "u2"])] {
        fs::create_dir_all(image.root().join(section).join("versions")).unwrap();
        image.write(&format!("{section}/env.py"), env);
        for (at, name) in revisions.iter().enumerate() {
            let down = if at == 0 { "None".to_owned() } else { format!("\"{}\"", revisions[at - 1]) };
            let text = format!(
                "revision = \"{name}\"\ndown_revision = {down}\nfrom alembic import op\n\n\ndef upgrade():\n    \
                 op.execute(\"CREATE TABLE t_{name} (id int)\")\n\n\ndef downgrade():\n    op.execute(\"DROP TABLE t_{name}\")\n"
            );
            image.write(&format!("{section}/versions/{name}.py"), &text);
        }
    }
    let of = |section: &str, mut request: Value| {
        request["section"] = section.into();
        request
    };
    let at = |section: &str| {
        let found = facts(&image.job(&url, &of(section, json!({ "mode": "look", "target": "head" }))));
        (told(&found, "database"), revisions(&found, "pending"))
    };
    assert_eq!(at("orders"), (vec![json!([])], vec!["o1".to_owned(), "o2".to_owned()]));
    done(&image, &url, &of("orders", json!({ "mode": "upgrade", "target": "head" })));
    assert_eq!(at("orders"), (vec![json!(["o2"])], Vec::new()));
    assert_eq!(at("users"), (vec![json!([])], vec!["u1".to_owned(), "u2".to_owned()]), "the other one has not moved");
    done(&image, &url, &of("users", json!({ "mode": "upgrade", "target": "u1" })));
    done(&image, &url, &of("orders", json!({ "mode": "back", "base": ["o1"] })));
    assert_eq!((at("orders").0, at("users").0), (vec![json!(["o1"])], vec![json!(["u1"])]));
    done(&image, &url, &of("orders", json!({ "mode": "forward", "to": ["o2"] })));
    assert_eq!((at("orders").0, at("users").0), (vec![json!(["o2"])], vec![json!(["u1"])]));
    // As the command itself has it.
    let command = image.python(&url, &["-m", "alembic", "-n", "orders", "current"]);
    assert!(text(&command).contains("o2 (head)"), "{}", text(&command));
    // No section of that name, and none named where the file has no section `alembic`.
    for request in [of("nothing", json!({ "mode": "look" })), json!({ "mode": "look" })] {
        let output = image.job(&url, &request);
        let log = text(&output);
        let said = ["No 'script_location' key found", "No config file 'alembic.ini' found, or file has no '["];
        assert!(!output.status.success() && said.iter().any(|said| log.contains(said)), "{log}");
        assert!(!log.contains("Traceback"), "{log}");
    }
}

/// How long a statement waits for a lock reaches each transaction, with what the session has been given by others.
fn locks(postgres: &Postgres) {
    let url = postgres.database("locks");
    let image = project(&[("a1", "None", "None")]);
    let env = "import os\nfrom alembic import context\nfrom sqlalchemy import create_engine\nengine = \
               create_engine(os.environ['DATABASE_URL'].replace('postgresql:', 'postgresql+psycopg2:'))\nwith engine.connect() as connection:\n    context.configure(connection=connection, \
               transaction_per_migration=True)\n    with context.begin_transaction():\n        context.run_migrations()\n";
    image.write("alembic/env.py", env);
    let revision = |name: &str, down: &str| {
        let text = format!(
            "revision = \"{name}\"\ndown_revision = \"{down}\"\nfrom alembic import op\n\n\ndef upgrade():\n    op.execute(\"CREATE \
             TABLE t_{name} AS SELECT current_setting('lock_timeout') AS waits, current_setting('search_path') AS \
             path\")\n\n\ndef downgrade():\n    op.execute(\"DROP TABLE t_{name}\")\n"
        );
        image.write(&format!("alembic/versions/{name}.py"), &text);
    };
    done(&image, &url, &json!({ "mode": "upgrade", "target": "a1" }));
    let options = "-c search_path=public,app";
    let both = "-c search_path=public,app -c lock_timeout=7s";
    for (at, (options, limit, said, waits)) in [
        (options, json!("30000ms"), false, "30s"),
        (both, json!("30000ms"), false, "7s"),
        (both, json!("5000ms"), true, "5s"),
        (both, Value::Null, true, "7s"),
    ]
    .into_iter()
    .enumerate()
    {
        revision(&format!("a{}", at + 2), &format!("a{}", at + 1));
        let request =
            json!({ "mode": "upgrade", "target": "head", "lock_timeout": limit, "lock_timeout_is_said": said });
        let output = image.job_with(&url, &[("PGOPTIONS", options)], &request);
        assert!(output.status.success(), "{}", text(&output));
        let table = format!("SELECT waits || '|' || path FROM t_a{}", at + 2);
        assert_eq!(postgres.sql("locks", &table), format!("{waits}|public,app"), "{request}");
    }
}

fn invalid_indexes(postgres: &Postgres) {
    let url = postgres.database("indexes");
    let image = Image::assemble("1.0.0", &[]);
    image.upgrade(&url);
    assert!(told(&look(&image, &url, "head"), "invalid_index").is_empty());
    postgres.sql("indexes", "CREATE TABLE twice AS SELECT 1 AS id UNION ALL SELECT 1");
    postgres.fails("indexes", "CREATE UNIQUE INDEX CONCURRENTLY one_only ON twice (id)");
    assert_eq!(told(&look(&image, &url, "head"), "invalid_index"), ["public.one_only"]);
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
        let output = image.job(url, &json!({ "mode": "look", "config": config, "target": "head" }));
        let log = text(&output);
        assert!(!output.status.success(), "{log}");
        assert!(said.split('|').any(|said| log.contains(said)), "{log}");
        assert!(!log.contains("Traceback") && !log.contains(MARK), "{log}");
        assert!(!log.contains(PASSWORD) && !log.contains("S3cret"), "{log}");
    }

    // An env.py that does not catch what SQLAlchemy raises: the reason is the last line all the same.
    let raises =
        "from sqlalchemy.exc import OperationalError\nraise OperationalError('SELECT 1', {}, Exception('server gone'))";
    image.prepend("alembic/env.py", raises);
    let output = image.job(&postgres.url("printing"), &json!({ "mode": "look", "target": "head" }));
    let log = text(&output);
    assert_eq!(output.status.code(), Some(1));
    let last = log.trim_end().lines().last().unwrap();
    assert_eq!(last, "FAILED: OperationalError: (builtins.Exception) server gone");
    assert!(log.contains("env.py"), "where it came from is there too: {log}");
}
