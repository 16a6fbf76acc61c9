//! The recipes of docs/guides/releases.md for the engine `command`, taken out of the guide and run as the Jobs run them, by the real
//! tools on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use answer::Facts;
use command::{answering, revisions, waiting_for_locks};
use ffe_surroundings::Needs;
use libtest_mimic::Arguments;
use support::{Image, MARK, Postgres};
use tempfile::TempDir;

/// How the release reads answers.
#[path = "../../../resources/release/src/apply/migration/answer.rs"]
#[allow(dead_code)]
mod answer;
/// How it runs commands.
#[path = "../../../resources/release/src/apply/migration/command.rs"]
#[allow(dead_code)]
mod command;
mod support;

const GUIDE: &str = include_str!("../../../../docs/guides/releases.md");
/// Where Django's packages lie.
const DJANGO: &str = "FFE_DJANGO";
/// The program of golang-migrate.
const MIGRATE: &str = "FFE_MIGRATE";
/// The folders of Flyway's and of Liquibase's jars, and the one of Prisma's `node_modules`.
const FLYWAY: &str = "FFE_FLYWAY";
const LIQUIBASE: &str = "FFE_LIQUIBASE";
const PRISMA: &str = "FFE_PRISMA";

fn main() -> ExitCode {
    let postgres = || support::postgres().map(drop);
    let alembic = support::modules(&["alembic", "psycopg2", "sqlalchemy"]).and("postgresql", postgres());
    let psycopg = Command::new("/usr/bin/python3").args(["-c", "import psycopg2"]).status();
    let psycopg = psycopg.is_ok_and(|status| status.success()).then_some(()).ok_or("there is no psycopg2".to_owned());
    let django = Needs::variables(&[DJANGO]).and("psycopg2", psycopg).and("postgresql", postgres());
    let migrate = Needs::variables(&[MIGRATE]).and("postgresql", postgres());
    let (packages, program) = (django.get(DJANGO), migrate.get(MIGRATE));
    let there =
        |program: &str| Path::new(program).exists().then_some(()).ok_or_else(|| format!("there is no {program}"));
    let run_by = |folder: &str, program: &str| {
        let needs = Needs::variables(&[folder]).and("postgresql", postgres());
        // Who leaves out the one does not need the other.
        if needs.get(folder).is_empty() { needs } else { needs.and(program, there(program)) }
    };
    type Recipe = fn(&str);
    let beside: [(&str, &str, &str, Recipe); 3] = [
        ("flyway", FLYWAY, "/usr/bin/java", with_flyway),
        ("liquibase", LIQUIBASE, "/usr/bin/java", with_liquibase),
        ("prisma", PRISMA, "/usr/bin/node", with_prisma),
    ];
    let beside = beside.map(|(name, folder, program, run)| {
        let needs = run_by(folder, program);
        let folder = needs.get(folder);
        needs.trial(name, move || {
            run(&folder);
            Ok(())
        })
    });
    let trials: Vec<_> = vec![
        alembic.trial("alembic", || {
            with_alembic();
            Ok(())
        }),
        django.trial("django", move || {
            with_django(&packages);
            Ok(())
        }),
        migrate.trial("golang_migrate", move || {
            with_golang_migrate(&program);
            Ok(())
        }),
        Needs::variables(&[]).trial("the_guides_commands_are_read_as_terraform_reads_them", || {
            the_guides_commands_are_read_as_terraform_reads_them();
            Ok(())
        }),
    ]
    .into_iter()
    .chain(beside)
    .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The commands of one recipe.
struct Recipe {
    upgrade: Vec<String>,
    current: Vec<String>,
    downgrade: Vec<String>,
}

impl Recipe {
    /// The one whose comment in the guide begins so.
    fn of(comment: &str) -> Recipe {
        let (_, block) = GUIDE.split_once(&format!("\n# {comment}")).unwrap();
        let (block, _) = block.split_once("\n}\n").unwrap();
        assert!(block.contains("engine") && block.contains("= \"command\""), "{block}");
        let list = |name: &str| list(block, name);
        Recipe {
            upgrade: list("upgrade_command"),
            current: list("current_command"),
            // Not every tool has a way back.
            downgrade: if block.contains("downgrade_command") { list("downgrade_command") } else { Vec::new() },
        }
    }
}

/// The texts of a list in a block of HCL: quoted ones, and indented heredocs.
fn list(block: &str, name: &str) -> Vec<String> {
    let line = block.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
    let mut rest = &block[line.as_ptr() as usize - block.as_ptr() as usize..];
    rest = rest.split_once('[').unwrap().1;
    let mut all = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',', '\n']);
        if rest.starts_with(']') {
            return all;
        }
        if let Some(heredoc) = rest.strip_prefix("<<-EOT\n") {
            let (text, after) = heredoc.split_once("EOT\n").unwrap();
            let text = text.trim_end_matches(' ');
            let indent = |line: &&str| line.len() - line.trim_start().len();
            let least = text.lines().filter(|line| !line.is_empty()).map(|line| indent(&line)).min().unwrap();
            all.push(text.lines().map(|line| format!("{}\n", line.get(least..).unwrap_or_default())).collect());
            rest = after;
        } else {
            let mut text = String::new();
            let mut chars = rest.strip_prefix('"').unwrap().char_indices();
            let end = loop {
                match chars.next().unwrap() {
                    (at, '"') => break at,
                    (_, '\\') => text.push(chars.next().unwrap().1),
                    (_, other) => text.push(other),
                }
            };
            all.push(text);
            rest = &rest[end + 2..];
        }
        let last = all.last().unwrap();
        assert!(!last.contains("${") && !last.contains("%{"), "Terraform would fill this in: {last}");
    }
}

fn the_guides_commands_are_read_as_terraform_reads_them() {
    let block = "  a = [\"x\", \"y \\\"z\\\"\"]\n  b = [\"sh\", \"-c\", <<-EOT\n      one\n        two\n\n      three\n  EOT\n  ]\n  c = []\n";
    assert_eq!(list(block, "a"), ["x", "y \"z\""]);
    assert_eq!(list(block, "b"), ["sh", "-c", "one\n  two\n\nthree\n"]);
    assert_eq!(list(block, "c"), Vec::<String>::new());
}

/// A tool in an application's image, and its database.
struct Tool {
    recipe: Recipe,
    root: PathBuf,
    bin: TempDir,
    url: String,
    environment: Vec<(String, String)>,
}

impl Tool {
    fn new(recipe: Recipe, root: &Path, url: &str) -> Tool {
        let url = format!("{url}?sslmode=disable");
        Tool { recipe, root: root.to_owned(), bin: tempfile::tempdir().unwrap(), url, environment: Vec::new() }
    }

    /// A program that the image has, as a script.
    fn script(self, name: &str, script: &str) -> Tool {
        let path = self.bin.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// A program that the image has.
    fn program(self, name: &str, program: &str) -> Tool {
        symlink(program, self.bin.path().join(name)).unwrap();
        self
    }

    fn env(mut self, name: &str, value: &str) -> Tool {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn run(&self, command: Vec<String>, url: &str) -> (String, Option<i32>) {
        let output = Command::new(&command[0])
            .args(&command[1..])
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", self.bin.path().display()))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DATABASE_URL", url)
            .envs(Postgres::variables(url))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        (String::from_utf8([output.stderr, output.stdout].concat()).unwrap(), output.status.code())
    }

    /// Where the database stands: as the release would know it, or why it does not.
    fn asked_at(&self, url: &str) -> Result<Vec<String>, String> {
        let command = answering(waiting_for_locks(self.recipe.current.clone(), "30000ms", false), MARK);
        let (log, code) = self.run(command, url);
        if code != Some(0) {
            return Err(format!("exit code {code:?}: {log}"));
        }
        revisions(&Facts::read(&log, MARK)?)
    }

    fn asked(&self) -> Result<Vec<String>, String> {
        self.asked_at(&self.url)
    }

    fn upgrade(&self) -> (String, Option<i32>) {
        self.run(waiting_for_locks(self.recipe.upgrade.clone(), "30000ms", false), &self.url)
    }

    fn upgraded(&self) {
        let (log, code) = self.upgrade();
        assert_eq!(code, Some(0), "{log}");
    }

    /// Whether it failed and said so, by its exit code and these words.
    fn fails(&self, words: &str) {
        let (log, code) = self.upgrade();
        assert!(code != Some(0) && log.contains(words), "{code:?}: {log}");
    }

    /// Whether a command that the guide names does what it says.
    fn remedy(&self, command: &str, named: &str) {
        assert!(GUIDE.contains(&format!("`{named}`")), "{named}");
        let (log, code) = self.run(["sh", "-c", command].map(str::to_owned).to_vec(), &self.url);
        assert_eq!(code, Some(0), "{log}");
    }

    fn back(&self, base: &[&str]) {
        let base = base.iter().map(|one| (*one).to_owned());
        let command: Vec<String> = self.recipe.downgrade.iter().cloned().chain(base).collect();
        let (log, code) = self.run(waiting_for_locks(command, "30000ms", false), &self.url);
        assert_eq!(code, Some(0), "{log}");
    }

    /// Where nobody answers, it is not "before the first migration".
    fn away(&self) {
        let why = self.asked_at(&format!("{}?sslmode=disable", Postgres::url_of_nobody())).unwrap_err();
        assert!(why.starts_with("exit code Some("), "{why}");
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn at(names: &[&str]) -> Result<Vec<String>, String> {
    Ok(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Makes a table that says how long its statement waits for a lock.
const LIMITS: &str = "CREATE TABLE limits AS SELECT current_setting('lock_timeout') AS lock_timeout";

fn with_alembic() {
    let postgres = Postgres::start();
    let image = Image::assemble("1.0.0", &[]);
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/alembic");
    let tool = Tool::new(Recipe::of("Alembic"), image.root(), &postgres.database("alembic"))
        .program("alembic", program)
        .env("APP_VERSION", "test");
    tool.away();
    assert_eq!(tool.asked(), at(&[]));
    tool.upgraded();
    assert_eq!(tool.asked(), at(&["0003_positions"]));
    tool.upgraded();
    let revision = |name: &str, statement: &str| {
        format!(
            "revision = \"{name}\"\ndown_revision = \"0003_positions\"\nfrom alembic import op\n\n\ndef upgrade():\n    \
             op.execute(\"{statement}\")\n\n\ndef downgrade():\n    op.execute(\"DROP TABLE limits\")\n"
        )
    };
    image.write("alembic/versions/0004.py", &revision("0004", &format!("{LIMITS}; SELECT nonsense")));
    tool.fails("nonsense");
    assert_eq!(tool.asked(), at(&["0003_positions"]), "its transaction is rolled back");
    image.write("alembic/versions/0004.py", &revision("0004", LIMITS));
    tool.upgraded();
    assert_eq!(tool.asked(), at(&["0004"]));
    assert_eq!(postgres.sql("alembic", "SELECT * FROM limits"), "30s");
    // An image that does not know the revision cannot tell: the one that has made it is asked instead.
    image.rename("alembic/versions/0004.py", "0004.py");
    assert!(tool.asked().unwrap_err().contains("Can't locate revision"));
    image.rename("0004.py", "alembic/versions/0004.py");
    tool.back(&["0003_positions"]);
    assert_eq!(tool.asked(), at(&["0003_positions"]));
    image.prepend("alembic/env.py", "import sys\nprint('warning: old', file=sys.stderr)");
    assert_eq!(tool.asked(), at(&["0003_positions"]));
    image.prepend("alembic/env.py", "print('Connected to the database.')");
    assert!(tool.asked().unwrap_err().contains("printed \"Connected to the database.\""));
}

fn with_golang_migrate(program: &str) {
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let tool = Tool::new(Recipe::of("golang-migrate"), folder.path(), &postgres.database("migrate"))
        .program("migrate", program);
    tool.write("migrations/1_accounts.up.sql", "CREATE TABLE accounts (id int);");
    tool.write("migrations/1_accounts.down.sql", "DROP TABLE accounts;");
    tool.away();
    assert_eq!(tool.asked(), at(&[]));
    tool.upgraded();
    assert_eq!(tool.asked(), at(&["1"]));
    tool.upgraded();
    tool.write("migrations/2_limits.up.sql", &format!("{LIMITS}; SELECT nonsense;"));
    tool.write("migrations/2_limits.down.sql", "DROP TABLE limits;");
    tool.fails("nonsense");
    // It does not count as version 2, nor as none.
    let why = tool.asked().unwrap_err();
    assert!(
        why.starts_with("exit code Some(1)") && why.contains("2 (dirty): a migration has failed half-way"),
        "{why}"
    );
    tool.fails("Dirty database version 2");
    let words = "migrate -path migrations -database \"$DATABASE_URL\" force";
    assert!(GUIDE.contains(&format!("`{words} VERSION`")));
    let force = ["sh", "-c", &format!("{words} 1")].map(str::to_owned).to_vec();
    assert_eq!(tool.run(force, &tool.url).1, Some(0));
    assert_eq!(tool.asked(), at(&["1"]));
    tool.write("migrations/2_limits.up.sql", &format!("{LIMITS};"));
    tool.upgraded();
    assert_eq!(tool.asked(), at(&["2"]));
    assert_eq!(postgres.sql("migrate", "SELECT * FROM limits"), "30s");
    tool.back(&["1"]);
    assert_eq!(tool.asked(), at(&["1"]));
    assert_eq!(postgres.sql("migrate", "SELECT to_regclass('limits') IS NULL"), "t");
}

const SETTINGS: &str = r#"
import os
from urllib.parse import unquote, urlsplit

url = urlsplit(os.environ["DATABASE_URL"])
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.contenttypes", "shop", "stock"]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username, "PASSWORD": unquote(url.password),
    "HOST": url.hostname, "PORT": url.port,
}}
"#;
const MANAGE: &str =
    "import sys\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n";

fn with_django(packages: &str) {
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let (name, module) = ("DJANGO_SETTINGS_MODULE", "config.settings");
    assert!(GUIDE.contains(&format!("env             = {{ {name} = \"{module}\" }}")));
    let tool = Tool::new(Recipe::of("Django"), folder.path(), &postgres.database("django"))
        .program("python", "/usr/bin/python3")
        .env("PYTHONPATH", packages)
        .env(name, module);
    let migration = |dependencies: &str, forwards: &str, back: &str| {
        format!(
            "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = [{dependencies}]\n    \
             operations = [migrations.RunSQL(\"{forwards}\", {back})]\n"
        )
    };
    tool.write("manage.py", MANAGE);
    tool.write("config/settings.py", SETTINGS);
    for app in ["shop", "stock"] {
        tool.write(&format!("{app}/__init__.py"), "");
        tool.write(&format!("{app}/migrations/__init__.py"), "");
    }
    tool.write(
        "shop/migrations/0001_initial.py",
        &migration("", "CREATE TABLE accounts (id int)", "\"DROP TABLE accounts\""),
    );
    tool.away();
    assert_eq!(tool.asked(), at(&[]));
    tool.upgraded();
    let base = ["contenttypes.0001_initial", "contenttypes.0002_remove_content_type_name", "shop.0001_initial"];
    assert_eq!(tool.asked(), at(&base));
    tool.upgraded();
    // Two more in two apps, of which the second stands on the first; it fails.
    tool.write(
        "shop/migrations/0002_limits.py",
        &migration("(\"shop\", \"0001_initial\")", LIMITS, "\"DROP TABLE limits\""),
    );
    let stock = |forwards: &str, back: &str| migration("(\"shop\", \"0002_limits\")", forwards, back);
    tool.write(
        "stock/migrations/0001_initial.py",
        &stock("CREATE TABLE stock (id int); SELECT nonsense", "\"DROP TABLE stock\""),
    );
    tool.fails("nonsense");
    let half = [&base[..], &["shop.0002_limits"]].concat();
    assert_eq!(tool.asked(), at(&half), "what had run before it is told");
    assert_eq!(postgres.sql("django", "SELECT * FROM limits"), "30s");
    tool.write("stock/migrations/0001_initial.py", &stock("CREATE TABLE stock (id int)", "\"DROP TABLE stock\""));
    tool.upgraded();
    let whole = [&half[..], &["stock.0001_initial"]].concat();
    assert_eq!(tool.asked(), at(&whole));
    tool.back(&base);
    assert_eq!(tool.asked(), at(&base));
    assert_eq!(postgres.sql("django", "SELECT to_regclass('limits') IS NULL AND to_regclass('stock') IS NULL"), "t");
    tool.upgraded();
    // An older image does not take the newer schema for its own.
    fs::remove_dir_all(folder.path().join("stock/migrations")).unwrap();
    fs::remove_file(folder.path().join("shop/migrations/0002_limits.py")).unwrap();
    assert_eq!(tool.asked(), at(&whole));
    tool.write("config/settings.py", &format!("{SETTINGS}\nimport warnings\nwarnings.warn('old')\n"));
    assert_eq!(tool.asked(), at(&whole));
    tool.write("config/settings.py", &format!("{SETTINGS}\nprint('Using production settings')\n"));
    assert!(tool.asked().unwrap_err().contains("printed \"Using production settings\""));
}

/// As `upgrade_command` tells Flyway and Liquibase where the database is.
const JDBC: &str = "jdbc:postgresql://$PGHOST:$PGPORT/$PGDATABASE";

fn with_flyway(jars: &str) {
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let tool = |database: &str| {
        Tool::new(Recipe::of("Flyway"), folder.path(), &postgres.database(database))
            .script("flyway", &format!("exec java -cp '{jars}/*' org.flywaydb.commandline.Main \"$@\""))
            .env("FLYWAY_LOCATIONS", "filesystem:migrations")
            .env("FLYWAY_SKIP_CHECK_FOR_UPDATE", "true")
    };
    let by_hand = |tool: &Tool, words: &str, named: &str| {
        let connected = format!("FLYWAY_USER=$PGUSER FLYWAY_PASSWORD=$PGPASSWORD FLYWAY_URL={JDBC}");
        tool.remedy(&format!("{connected} {words}"), named);
    };
    let first = tool("flyway");
    let file = |name: &str| format!("migrations/{name}.sql");
    first.write(&file("V1__accounts"), "CREATE TABLE accounts (id int);");
    first.away();
    assert_eq!(first.asked(), at(&[]));
    first.upgraded();
    assert_eq!(first.asked(), at(&["1"]));
    first.upgraded();
    first.write(&file("V3__limits"), &format!("{LIMITS}; SELECT nonsense;"));
    first.fails("nonsense");
    assert_eq!(first.asked(), at(&["1"]), "its transaction is rolled back");
    first.write(&file("V3__limits"), &format!("{LIMITS};"));
    first.upgraded();
    assert_eq!(first.asked(), at(&["1", "3"]));
    assert_eq!(postgres.sql("flyway", "SELECT * FROM limits"), "30s");
    // One that comes later, and belongs before.
    first.write(&file("V2__late"), "CREATE TABLE late (id int);");
    first.fails("Detected resolved migration not applied to database: 2");
    assert_eq!(first.asked(), at(&["1", "3"]));
    let first = first.env("FLYWAY_OUT_OF_ORDER", "true");
    first.upgraded();
    assert_eq!(first.asked(), at(&["1", "2", "3"]));
    // An older image does not take the newer schema for its own.
    fs::remove_file(folder.path().join(file("V3__limits"))).unwrap();
    assert_eq!(first.asked(), at(&["1", "2", "3"]));
    first.write(&file("V3__limits"), &format!("{LIMITS};"));
    // Half-way is not current, whether the image has the migration or not.
    postgres.sql(
        "flyway",
        "INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, installed_by, execution_time, success)
         VALUES (9, '4', 'half', 'SQL', 'V4__half.sql', 'ffe', 1, false)",
    );
    for there in [false, true] {
        if there {
            first.write(&file("V4__half"), "CREATE TABLE half (id int);");
        }
        let why = first.asked().unwrap_err();
        assert!(why.contains("4: a migration has failed half-way"), "{why}");
    }
    assert_ne!(first.upgrade().1, Some(0));
    by_hand(&first, "flyway repair", "flyway repair");
    assert_eq!(first.asked(), at(&["1", "2", "3"]));
    first.upgraded();
    assert_eq!(first.asked(), at(&["1", "2", "3", "4"]));

    // A database that was there before.
    let second = tool("flyway_before");
    postgres.sql("flyway_before", "CREATE TABLE accounts (id int); CREATE TABLE late (id int)");
    second.fails("non-empty schema");
    assert_eq!(second.asked(), at(&[]));
    by_hand(&second, "flyway baseline -baselineVersion=2", "flyway baseline -baselineVersion=VERSION");
    assert_eq!(second.asked(), at(&["2"]));
    second.upgraded();
    assert_eq!(second.asked(), at(&["2", "3", "4"]));
    assert!(second.recipe.downgrade.is_empty());
}

fn with_liquibase(jars: &str) {
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let program = format!("exec java -cp '{jars}/*' liquibase.integration.commandline.LiquibaseCommandLine \"$@\"");
    let tool = |database: &str| {
        Tool::new(Recipe::of("Liquibase"), folder.path(), &postgres.database(database))
            .script("liquibase", &program)
            .env("LIQUIBASE_COMMAND_CHANGELOG_FILE", "changelog.sql")
            .env("LIQUIBASE_SHOW_BANNER", "false")
            .env("LIQUIBASE_ANALYTICS_ENABLED", "false")
    };
    let by_hand = |tool: &Tool, words: &str| {
        let connected = format!(
            "LIQUIBASE_COMMAND_USERNAME=$PGUSER LIQUIBASE_COMMAND_PASSWORD=$PGPASSWORD LIQUIBASE_COMMAND_URL={JDBC}"
        );
        tool.remedy(&format!("{connected} {words}"), words);
    };
    let change = |id: &str, statement: &str, back: &str| format!("--changeset ffe:{id}\n{statement};\n{back}\n");
    let head = "--liquibase formatted sql\n";
    let accounts = change("1", "CREATE TABLE accounts (id int)", "--rollback DROP TABLE accounts;");
    let first = tool("liquibase");
    let changelog = |all: &[&str]| first.write("changelog.sql", &[&[head], all].concat().concat());
    changelog(&[&accounts]);
    first.away();
    assert_eq!(first.asked(), at(&[]));
    first.upgraded();
    assert_eq!(first.asked(), at(&["changelog.sql::1::ffe"]));
    first.upgraded();
    let limits = |statement: &str| change("3", statement, "--rollback DROP TABLE limits;");
    changelog(&[&accounts, &limits(&format!("{LIMITS}; SELECT nonsense"))]);
    first.fails("nonsense");
    assert_eq!(first.asked(), at(&["changelog.sql::1::ffe"]), "its transaction is rolled back");
    let limits = limits(LIMITS);
    changelog(&[&accounts, &limits]);
    first.upgraded();
    assert_eq!(first.asked(), at(&["changelog.sql::1::ffe", "changelog.sql::3::ffe"]));
    assert_eq!(postgres.sql("liquibase", "SELECT * FROM limits"), "30s");
    // One that comes later and stands before runs all the same, and goes first on the way back.
    let late = change("2", "CREATE TABLE late (id int)", "--rollback DROP TABLE late;");
    changelog(&[&accounts, &late, &limits]);
    first.upgraded();
    let all = ["changelog.sql::1::ffe", "changelog.sql::2::ffe", "changelog.sql::3::ffe"];
    assert_eq!(first.asked(), at(&all));
    first.back(&["changelog.sql::1::ffe", "changelog.sql::3::ffe"]);
    assert_eq!(first.asked(), at(&["changelog.sql::1::ffe", "changelog.sql::3::ffe"]));
    assert_eq!(postgres.sql("liquibase", "SELECT to_regclass('late') IS NULL"), "t");
    first.upgraded();
    // An older image does not take the newer schema for its own.
    changelog(&[&accounts]);
    assert_eq!(first.asked(), at(&all));
    // What has no way back is told before anything moves.
    let stuck = change("4", "INSERT INTO accounts VALUES (1)", "");
    changelog(&[&accounts, &late, &limits, &stuck]);
    first.upgraded();
    let command = [first.recipe.downgrade.clone(), vec!["changelog.sql::1::ffe".to_owned()]].concat();
    let (log, code) = first.run(command, &first.url);
    assert!(code != Some(0) && log.contains("changelog.sql::4::ffe"), "{code:?}: {log}");
    assert_eq!(first.asked(), at(&[&all[..], &["changelog.sql::4::ffe"]].concat()));
    // A run that was killed has left its lock.
    postgres
        .sql("liquibase", "UPDATE databasechangeloglock SET locked = true, lockedby = 'a pod', lockgranted = now()");
    let first = first.env("LIQUIBASE_CHANGELOG_LOCK_WAIT_TIME_IN_MINUTES", "0");
    first.write("changelog.sql", &[head, &accounts, &late, &limits, &stuck, &change("5", "SELECT 1", "")].concat());
    first.fails("Could not acquire change log lock");
    by_hand(&first, "liquibase release-locks");
    first.upgraded();

    // A database that was there before.
    first.write("changelog.sql", &[head, &accounts].concat());
    let second = tool("liquibase_before");
    postgres.sql("liquibase_before", "CREATE TABLE accounts (id int)");
    second.fails("already exists");
    assert_eq!(second.asked(), at(&[]));
    by_hand(&second, "liquibase changelog-sync");
    assert_eq!(second.asked(), at(&["changelog.sql::1::ffe"]));
    second.upgraded();
}

/// Prisma's own migrations by its engine as WebAssembly. The type of system catalogs' names, which the adapter does not pass on to it,
/// is passed on as text.
const PRISMA_CONFIG: &str = r#"
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'

const described = (pg as any).Query.prototype.handleRowDescription
;(pg as any).Query.prototype.handleRowDescription = function (message: any) {
  for (const field of message.fields) if (field.dataTypeID === 19) field.dataTypeID = 25
  return described.call(this, message)
}
export default {
  experimental: { adapter: true },
  engine: 'js' as const,
  schema: 'prisma/schema.prisma',
  adapter: async () => new PrismaPg({ connectionString: process.env.DATABASE_URL }),
}
"#;

fn with_prisma(folder_of_modules: &str) {
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    symlink(Path::new(folder_of_modules).join("node_modules"), folder.path().join("node_modules")).unwrap();
    // It would fetch the native engine, which it asks for no more than whether the database is there.
    let native = folder.path().join("native-engine");
    fs::write(&native, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&native, fs::Permissions::from_mode(0o755)).unwrap();
    let native = native.display().to_string();
    let tool = |database: &str| {
        Tool::new(Recipe::of("Prisma"), folder.path(), &postgres.database(database))
            .env("PRISMA_QUERY_ENGINE_LIBRARY", &native)
            .env("PRISMA_SCHEMA_ENGINE_BINARY", &native)
            .env("CHECKPOINT_DISABLE", "1")
            .env("HOME", &folder.path().display().to_string())
    };
    let first = tool("prisma");
    let file = |name: &str| format!("prisma/migrations/{name}/migration.sql");
    first.write("prisma.config.ts", PRISMA_CONFIG);
    first.write(
        "prisma/schema.prisma",
        "datasource db {\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}\n",
    );
    first.write("prisma/migrations/migration_lock.toml", "provider = \"postgresql\"\n");
    first.write(&file("1_accounts"), "CREATE TABLE accounts (id int);");
    first.away();
    assert_eq!(first.asked(), at(&[]));
    first.upgraded();
    assert_eq!(first.asked(), at(&["1_accounts"]));
    first.upgraded();
    first.write(&file("3_stock"), "CREATE TABLE IF NOT EXISTS stock (id int); SELECT nonsense;");
    first.fails("nonsense");
    let why = first.asked().unwrap_err();
    assert!(why.contains("3_stock: a migration has failed half-way"), "{why}");
    first.fails("3_stock");
    let resolve = "node_modules/.bin/prisma migrate resolve";
    first.remedy(&format!("{resolve} --rolled-back 3_stock"), &format!("{resolve} --rolled-back NAME"));
    assert_eq!(first.asked(), at(&["1_accounts"]));
    first.write(&file("3_stock"), "CREATE TABLE IF NOT EXISTS stock (id int);");
    first.upgraded();
    assert_eq!(first.asked(), at(&["1_accounts", "3_stock"]));
    // One that comes later, and belongs before, runs all the same.
    first.write(&file("2_late"), "CREATE TABLE late (id int);");
    first.upgraded();
    let all = ["1_accounts", "2_late", "3_stock"];
    assert_eq!(first.asked(), at(&all));
    // An older image does not take the newer schema for its own.
    fs::remove_dir_all(folder.path().join("prisma/migrations/3_stock")).unwrap();
    assert_eq!(first.asked(), at(&all));

    // A database that was there before.
    let second = tool("prisma_before");
    postgres.sql("prisma_before", "CREATE TABLE accounts (id int)");
    second.fails("P3005");
    assert_eq!(second.asked(), at(&[]));
    second.remedy(&format!("{resolve} --applied 1_accounts"), &format!("{resolve} --applied NAME"));
    assert_eq!(second.asked(), at(&["1_accounts"]));
    second.upgraded();
    assert_eq!(second.asked(), at(&["1_accounts", "2_late"]));
    assert!(second.recipe.downgrade.is_empty());
}
