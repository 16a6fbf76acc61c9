//! The cases.

use std::process::Command;
use std::time::Duration;

use crate::world::{ADMINISTRATOR, OBJECTS, SPOIL, SUPERUSER, World};

pub(crate) type Case = fn(&World<'_>);

pub(crate) const ALL: &[(&str, Case)] = &[
    ("a_superuser_swaps", superuser),
    ("a_role_that_may_create_swaps", maker),
    ("a_plain_role_replaces", plain),
    ("a_new_database_of_another_owner", another_owner),
    ("a_database_without_public", no_public),
    ("another_encoding", encoding),
    ("settings_of_the_database_stay", settings),
    ("those_who_are_connected_leave", connected),
    ("newer_programs_than_the_server", newer_programs),
    ("others_depend_on_what_goes", dependants),
    ("a_transaction_keeps_the_name", prepared),
    ("rows_that_are_missing", missing_rows),
    ("a_dump_that_breaks_off", broken),
    ("an_extension_that_is_missing", extension),
    ("told_to_stop", stopped),
    ("a_manifest_of_one_snapshot", snapshot),
    ("a_table_that_is_locked", locked),
    ("a_table_that_would_be_emptied", emptied),
    ("a_volume_that_is_full", full),
    ("several_hosts", several_hosts),
];

/// Takes, spoils and restores; what was there is there again.
fn comes_back(world: &World<'_>, role: &str, env: &[(&str, &str)]) -> crate::world::End {
    let before = world.content();
    world.take(role).succeeded();
    world.run(role, SPOIL);
    let spoilt = world.content();
    assert_ne!(spoilt, before);
    let end = world.restore_with(role, env);
    end.succeeded();
    assert_same(&world.content(), &before);
    // Nothing is lost either: what was there until then is kept.
    for other in world.others() {
        assert_same(&world.server.content(&other), &spoilt);
    }
    end
}

#[track_caller]
pub(crate) fn assert_same(now: &str, before: &str) {
    let differs: Vec<(&str, &str)> = now.lines().zip(before.lines()).filter(|(a, b)| a != b).take(5).collect();
    assert!(now == before, "{} and {} lines: {differs:#?}", now.lines().count(), before.lines().count());
}

fn superuser(world: &World<'_>) {
    world.database("boss", "");
    world.boss(SUPERUSER);
    let end = comes_back(world, "boss", &[]);
    let kept = world.others();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let message = end.text("message");
    assert!(message.contains(&format!("DROP DATABASE \"{}\";", kept[0])), "{message}");
    assert!(message.contains("all 13 tables") && message.contains("the schema is at 0003_positions"), "{message}");
    // And once more, in one transaction.
    world.drop_others();
    world.forget();
    comes_back(world, "boss", &[("FFE_RESTORE_INTO", "same")]);
    assert_eq!(world.others(), [""; 0]);
}

fn maker(world: &World<'_>) {
    world.database("maker", "");
    comes_back(world, "maker", &[]);
    assert_eq!(world.others().len(), 1);
}

fn plain(world: &World<'_>) {
    world.database("app", ADMINISTRATOR);
    world.run(
        "app",
        "CREATE TABLE emails (a ext.citext); INSERT INTO emails VALUES ('X'); GRANT SELECT ON orders TO reader",
    );
    world.boss("CREATE VIEW audit.free AS SELECT 1 AS x");
    let taken = world.take("app");
    assert!(taken.succeeded().text("warning").contains("audit of admin"), "{}", taken.log);
    world.forget();
    let end = comes_back(world, "app", &[]);
    assert_eq!(world.others(), [""; 0]);
    assert!(end.text("notes").contains("left as they are: audit"), "{}", end.log);
}

fn another_owner(world: &World<'_>) {
    let gone = "CREATE ROLE gone LOGIN; CREATE ROLE gone_reader;";
    world.server.sql("postgres", "boss", gone);
    world.database("gone", "");
    world.run("gone", "GRANT SELECT ON orders TO gone_reader; GRANT SELECT ON words TO reader");
    let rows = "SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o";
    let before = world.boss(rows);
    world.take("gone").succeeded();
    let drop = format!("DROP DATABASE {}; DROP ROLE gone; DROP ROLE gone_reader;", world.database);
    world.server.sql("postgres", "boss", &drop);
    for owner in ["maker", "app"] {
        world.create(owner, "");
        let end = world.restore(owner);
        let notes = end.succeeded().text("notes");
        assert!(notes.contains("gone belongs to") && notes.contains("gone_reader"), "{notes}");
        assert_eq!(world.boss(rows), before);
        assert_eq!(world.boss("SELECT tableowner FROM pg_tables WHERE tablename = 'orders'"), owner);
        assert_eq!(world.boss("SELECT has_table_privilege('reader', 'words', 'SELECT')"), "t");
        for database in world.others().iter().chain([&world.database]) {
            world.server.sql("postgres", "boss", &format!("DROP DATABASE {database}"));
        }
    }
}

fn no_public(world: &World<'_>) {
    world.create("boss", "");
    world.boss("DROP SCHEMA public; CREATE SCHEMA app; CREATE TABLE app.t AS SELECT generate_series(1, 9) AS x");
    let before = world.content();
    world.take("boss").succeeded();
    world.boss("DELETE FROM app.t; CREATE SCHEMA public");
    world.restore("boss").succeeded();
    assert_same(&world.content(), &before);
    assert_eq!(world.boss("SELECT count(*) FROM pg_namespace WHERE nspname = 'public'"), "0");
}

fn encoding(world: &World<'_>) {
    world.create("boss", "TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
    world.boss("CREATE TABLE t (x text); INSERT INTO t VALUES (chr(228))");
    world.take("boss").succeeded();
    world.server.sql("postgres", "boss", &format!("DROP DATABASE {}", world.database));
    world.create("boss", "");
    world.restore("boss").succeeded();
    assert_eq!(world.boss("SHOW server_encoding"), "LATIN1");
    assert_eq!(world.boss("SELECT ascii(x) FROM t"), "228");
}

fn settings(world: &World<'_>) {
    world.database("boss", "");
    let name = &world.database;
    world.boss(&format!(
        "ALTER DATABASE {name} SET search_path = billing, \"$user\", public; ALTER DATABASE {name} SET work_mem = '7MB';
         ALTER ROLE app IN DATABASE {name} SET statement_timeout = '5s'; ALTER DATABASE {name} CONNECTION LIMIT 17;
         REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO app;
         COMMENT ON DATABASE {name} IS 'it''s ours';"
    ));
    let look = format!(
        "SELECT datconnlimit, datdba::regrole, (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(datacl) a),
           shobj_description(d.oid, 'pg_database'), (SELECT string_agg(setrole::text || setconfig::text, ' ' ORDER BY setrole)
             FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = '{name}'"
    );
    let before = world.boss(&look);
    world.take("boss").succeeded();
    world.restore("boss").succeeded();
    assert_eq!(world.others().len(), 1);
    assert_eq!(world.boss(&look), before);
}

fn connected(world: &World<'_>) {
    world.database("boss", "");
    world.take("boss").succeeded();
    let mut application = Command::new(world.server.bin.join("psql"))
        .args(["-X", "-d", &world.database, "-c", "SELECT pg_sleep(600)"])
        .env("PGHOST", world.server.folder.path())
        .env("PGUSER", "app")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let there =
        format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND usename = 'app'", world.database);
    while world.server.sql("postgres", "boss", &there) == "0" {
        std::thread::sleep(Duration::from_millis(50));
    }
    world.restore("boss").succeeded();
    assert!(!application.wait().unwrap().success());
    assert_eq!(world.boss("SELECT count(*) FROM orders"), "500");
}

/// Those of 17 and later set a parameter that a server of 16 or earlier does not know.
fn newer_programs(world: &World<'_>) {
    world.program(
        "pg_restore",
        "\"$REAL/pg_restore\" \"$@\" | sed 's/^SET lock_timeout = 0;$/&\\nSET transaction_timeout = 0;/'",
    );
    world.database("boss", "");
    comes_back(world, "boss", &[]);
    assert_eq!(world.boss("SELECT count(*) FROM words WHERE word = 'SET transaction_timeout = 0;'"), "1");
    world.drop_others();
    world.forget();
    comes_back(world, "boss", &[("FFE_RESTORE_INTO", "same")]);
}

fn dependants(world: &World<'_>) {
    world.database("app", ADMINISTRATOR);
    world.take("app").succeeded();
    world.run("app", "GRANT SELECT ON words TO admin");
    world.run("app", SPOIL);
    world.run("admin", "CREATE VIEW audit.report AS SELECT * FROM words");
    let before = world.content();
    world.restore("app").failed_with(&["nothing was changed, as the server says", "audit.report"]);
    assert_same(&world.content(), &before);
}

fn prepared(world: &World<'_>) {
    world.database("boss", "");
    world.take("boss").succeeded();
    world.boss("INSERT INTO words VALUES ('newer')");
    world.boss(&format!("BEGIN; CREATE TABLE later (x int); PREPARE TRANSACTION '{}'", world.database));
    let before = world.content();
    let said = world.restore("boss");
    said.failed_with(&["is what it was", "prepared transaction"]);
    assert_eq!(world.others(), [""; 0]);
    assert_same(&world.content(), &before);
    world.boss(&format!("ROLLBACK PREPARED '{}'", world.database));
}

fn missing_rows(world: &World<'_>) {
    world.database("boss", "");
    world.take("boss").succeeded();
    let manifest = std::fs::read_to_string(world.file("manifest")).unwrap();
    let more = manifest.replace("table\tpublic\torders\tboss\t500\t", "table\tpublic\torders\tboss\t501\t");
    assert_ne!(more, manifest);
    std::fs::write(world.file("manifest"), more).unwrap();
    world.boss("INSERT INTO words VALUES ('newer')");
    let before = world.content();
    let words = "public.orders: 501 rows in the dump, 500 rows after the restore";
    world.restore("boss").failed_with(&[words, "is what it was"]);
    assert_eq!(world.others(), [""; 0]);
    assert_same(&world.content(), &before);
    // Large objects end no transaction.
    world.restore_with("boss", &[("FFE_RESTORE_INTO", "same")]).failed_with(&[words, "nothing was changed"]);
    assert_same(&world.content(), &before);
}

/// In the middle of a table's rows.
fn broken(world: &World<'_>) {
    world.database("boss", "");
    world.take("boss").succeeded();
    let before = world.content();
    // Only when the statements are made: the looks beforehand find nothing.
    world.program(
        "pg_restore",
        "case \"$*\" in *--file=-*) \"$REAL/pg_restore\" \"$@\" | sed '/^COPY public.orders/,$ { /x/q }'; exit 1 ;; esac\nexec \"$REAL/pg_restore\" \"$@\"",
    );
    world.restore("boss").failed_with(&["is what it was"]);
    assert_eq!(world.others(), [""; 0]);
    world.restore_with("boss", &[("FFE_RESTORE_INTO", "same")]).failed_with(&["nothing was changed"]);
    assert_same(&world.content(), &before);
    let mut dump = std::fs::read(world.file("dump")).unwrap();
    dump.truncate(dump.len() - 1000);
    std::fs::write(world.file("dump"), dump).unwrap();
    world.restore("boss").failed_with(&["another checksum"]);
}

fn extension(world: &World<'_>) {
    world.database("app", "CREATE EXTENSION pg_stat_statements");
    world.take("app").succeeded();
    world.boss("DROP EXTENSION pg_stat_statements");
    let before = world.content();
    world.restore("app").failed_with(&["nothing was changed", "pg_stat_statements", "CREATE EXTENSION"]);
    assert_same(&world.content(), &before);
    world.boss("CREATE EXTENSION pg_stat_statements");
    comes_back_again(world);
}

fn comes_back_again(world: &World<'_>) {
    world.run("app", SPOIL);
    world.restore("app").succeeded();
    assert_eq!(world.boss("SELECT count(*) FROM orders"), "500");
}

/// A pod that is deleted, or runs out of time, while the backup is being restored.
fn stopped(world: &World<'_>) {
    world.create("boss", "");
    world.boss(OBJECTS);
    world.boss("CREATE FUNCTION slow() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE MATERIALIZED VIEW late AS SELECT public.slow()");
    world.boss("CREATE OR REPLACE FUNCTION slow() RETURNS int LANGUAGE sql AS 'SELECT 1 FROM pg_sleep(120)'");
    world.take("boss").succeeded();
    let before = world.content();
    let busy = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE '{}%' AND query LIKE 'REFRESH%' AND state = 'active'",
        world.database
    );
    for (into, words) in
        [("new", &["told to stop"][..]), ("same", &["told to stop", "nothing was changed, as the server"])]
    {
        let restore = world.begin_restore("boss", into);
        while world.server.sql("postgres", "boss", &busy) == "0" {
            std::thread::sleep(Duration::from_millis(100));
        }
        let told = Command::new("kill").arg(restore.id().to_string()).status().unwrap();
        assert!(told.success());
        world.finish(restore).failed_with(words);
        assert_eq!(world.others(), [""; 0]);
        assert_same(&world.content(), &before);
    }
}

/// By another session's lock, for longer than is waited for.
fn locked(world: &World<'_>) {
    world.database("boss", "");
    let hold = "BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)";
    let mut other = Command::new(world.server.bin.join("psql"))
        .args(["-X", "-d", &world.database, "-c", hold])
        .env("PGHOST", world.server.folder.path())
        .env("PGUSER", "boss")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let held = "SELECT count(*) FROM pg_locks WHERE relation = 'orders'::regclass AND mode = 'AccessExclusiveLock' AND granted";
    while world.boss(held) == "0" {
        std::thread::sleep(Duration::from_millis(50));
    }
    world.take_with("boss", &[("FFE_LOCK_WAIT", "1")]).failed_with(&["lock timeout", "orders"]);
    assert!(!world.file("dump").exists() && !world.file("begun").exists());
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'BEGIN; LOCK%'",
        world.database
    );
    world.server.sql("postgres", "boss", &end);
    other.wait().unwrap();
    world.take("boss").succeeded();
}

/// TRUNCATE is seen by older snapshots too: what is being counted and dumped is held.
fn emptied(world: &World<'_>) {
    world.create("boss", "");
    world.boss("CREATE TABLE t AS SELECT generate_series(1, 100) AS x");
    world.program(
        "pg_dump",
        "[ \"$1\" = --version ] || ! \"$REAL/psql\" -Xqc \"SET lock_timeout = '500ms'\" -c 'TRUNCATE t' || exit 77\nexec \"$REAL/pg_dump\" \"$@\"",
    );
    let taken = world.take("boss");
    assert_eq!(taken.succeeded().told["backup"]["rows"], 100, "{}", taken.log);
}

/// The device that is always full stands for the volume.
fn full(world: &World<'_>) {
    world.database("boss", "");
    let dump = world.file("dump");
    let folder = dump.parent().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.join("one.dump.partial")).unwrap();
    let end = world.take("boss");
    end.failed_with(&["the dump does not fit", "No space left on device"]);
    assert_eq!(end.text("reason"), "space");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    world.take("boss").succeeded();
}

/// The first of them is away.
fn several_hosts(world: &World<'_>) {
    world.database("boss", "");
    let hosts = format!("/nowhere,{}", world.server.folder.path().display());
    // All that follows asks the one that has answered.
    world.program("pg_dump", "[ \"$1\" = --version ] || echo \"at $PGHOST\" >&2\nexec \"$REAL/pg_dump\" \"$@\"");
    let taken = world.take_with("boss", &[("PGHOST", &hosts)]);
    let at = format!("at {}\n", world.server.folder.path().display());
    assert!(taken.succeeded().log.contains(&at), "{}", taken.log);
    world.boss(SPOIL);
    world.restore_with("boss", &[("PGHOST", &hosts)]).succeeded();
    assert_eq!(world.boss("SELECT count(*) FROM orders"), "500");
}

/// Needs PgBouncer besides.
pub(crate) const POOLER: (&str, Case) = ("a_pooler", |world| {
    world.database("boss", "");
    let through = |pooler: &crate::server::Pooler| pooler.folder.path().display().to_string();
    let transactions = world.server.pooler("transaction");
    let host = through(&transactions);
    let application = || {
        let mut psql = Command::new(world.server.bin.join("psql"));
        psql.args(["-XAtq", "-d", &world.database, "-c", "SELECT count(*) FROM orders"]);
        let output = psql.env("PGHOST", &host).env("PGPORT", "5432").env("PGUSER", "boss").output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    assert_eq!(application(), "500\n");
    world.take_with("boss", &[("PGHOST", &host)]).failed_with(&["transaction mode", "pool_mode = session"]);
    // The application's sessions are what they were.
    for _ in 0..5 {
        assert_eq!(application(), "500\n");
    }
    // As the message says: the server itself, or a pool of sessions.
    let sessions = world.server.pooler("session");
    let host = through(&sessions);
    world.take_with("boss", &[("PGHOST", &host)]).succeeded();
    let before = world.content();
    world.boss(SPOIL);
    world.restore_with("boss", &[("PGHOST", &host)]).succeeded();
    assert_same(&world.content(), &before);
});

/// Needs rclone besides.
pub(crate) const RCLONE: (&str, Case) = ("through_rclone", |world| {
    world.database("boss", "");
    let before = world.content();
    let taken = world.beside_rclone("boss", &ffe_backup::scripts::take_remote(), &[]);
    let dump = std::fs::metadata(world.file("dump")).unwrap();
    assert_eq!(taken.succeeded().told["backup"]["size_bytes"], dump.len(), "{}", taken.log);
    world.boss(SPOIL);
    world.beside_rclone("boss", &ffe_backup::scripts::restore_remote(), &[]).succeeded();
    assert_same(&world.content(), &before);
    // The newest stays whatever its age, and what is not described stays too.
    std::fs::write(world.file("other"), "").unwrap();
    let pruned = world.beside_rclone("boss", &ffe_backup::scripts::prune_remote(), &[("FFE_RETENTION", "0")]);
    assert_eq!(pruned.succeeded().told["pruned"], 0, "{}", pruned.log);
    assert!(world.file("dump").exists() && world.file("other").exists());
});

/// Rows that come while the dump is being taken are in neither of the two.
fn snapshot(world: &World<'_>) {
    world.create("boss", "");
    world.boss("CREATE TABLE t AS SELECT generate_series(1, 100) AS x");
    // Between the snapshot and the dump.
    world.program(
        "pg_dump",
        "[ \"$1\" = --version ] || \"$REAL/psql\" -Xqc 'INSERT INTO t SELECT generate_series(1, 50); CREATE TABLE later (x int)'\nexec \"$REAL/pg_dump\" \"$@\"",
    );
    let taken = world.take("boss");
    assert_eq!(taken.succeeded().told["backup"]["rows"], 100, "{}", taken.log);
    assert_eq!(world.boss("SELECT count(*) FROM t"), "150");
    world.restore("boss").succeeded();
    assert_eq!(world.boss("SELECT count(*) FROM t"), "100");
}
