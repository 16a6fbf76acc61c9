//! Debian's Python with the application's libraries, a private PostgreSQL, and images assembled as folders.
#![allow(dead_code, unreachable_pub)]

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use ffe_surroundings::Needs;
use serde_json::Value;
use tempfile::TempDir;

/// Debian's, which has the application's libraries; `FFE_PYTHON` names another, to compare with another Alembic.
fn python() -> String {
    std::env::var("FFE_PYTHON").unwrap_or_else(|_| "/usr/bin/python3".to_owned())
}

const NOBODY: u32 = 65534;
/// Has to be percent-encoded, and must never be seen anywhere.
pub const PASSWORD: &str = "c@nary/S3cret:9";
const PASSWORD_IN_URL: &str = "c%40nary%2FS3cret%3A9";

/// Needs these modules of Python.
pub fn modules(modules: &[&str]) -> Needs {
    modules.iter().fold(Needs::variables(&[]), |needs, module| needs.and(module, installed(module)))
}

fn installed(module: &str) -> Result<(), String> {
    let found = Command::new(python()).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) { Ok(()) } else { Err(format!("{} has no {module}", python())) }
}

/// Where PostgreSQL's programs lie.
pub fn postgres() -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|entry| entry.path().join("bin")).find(|bin| bin.join("initdb").exists());
    found.ok_or_else(|| "PostgreSQL is not installed".to_owned())
}

/// Whether this Alembic reads its configuration from pyproject.toml.
pub fn alembic_reads_pyproject() -> bool {
    let probe = "import inspect, sys\nfrom alembic.config import Config\nsys.exit('toml_file' not in inspect.signature(Config).parameters)";
    Command::new(python()).args(["-c", probe]).status().is_ok_and(|status| status.success())
}

/// What the answers of the script begin with here.
pub const MARK: &str = "ffe:0123456789abcdef";

/// The parts of the script of the release's Jobs, in the order in which they stand in it.
pub fn script() -> [PathBuf; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../resources/release/src/apply/migration");
    [folder.join("alembic_drops.py"), folder.join("alembic_job.py")]
}

/// Asks `compare.py`.
pub fn ask(questions: &Value) -> Value {
    let asker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/compare.py");
    let mut child = Command::new(python())
        .arg("-B")
        .arg(asker)
        .args(script())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(questions.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// A server of its own, which ends with the value.
pub struct Postgres {
    folder: TempDir,
    bin: PathBuf,
    port: u16,
}

impl Postgres {
    /// Of the PostgreSQL that is installed.
    pub fn start() -> Postgres {
        let bin = postgres().unwrap();
        let folder = tempfile::Builder::new().prefix("ffe-postgres-").tempdir().unwrap();
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Postgres { folder, bin, port };
        let password = server.folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
        let (data, log) = (server.folder.path().join("data"), server.folder.path().join("log"));
        let file = format!("--pwfile={}", password.display());
        server.run(
            "initdb",
            &[&"-D", &data, &"-U", &"ffe", &"-A", &"scram-sha-256", &file, &"-E", &"UTF8", &"--no-sync"],
        );
        let options = format!("-p {port} -h 127.0.0.1 -k {} -c fsync=off", server.folder.path().display());
        server.run("pg_ctl", &[&"-D", &data, &"-w", &"-l", &log, &"-o", &options, &"start"]);
        server
    }

    fn run(&self, program: &str, arguments: &[&dyn AsRef<OsStr>]) {
        let mut command = as_user(self.bin.join(program).as_os_str(), NOBODY);
        command.args(arguments).current_dir("/").stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "{program}");
    }

    /// A new, empty database, and its URL.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgresql://ffe:{PASSWORD_IN_URL}@127.0.0.1:{}/{database}", self.port)
    }

    /// A URL that nobody answers at.
    pub fn url_of_nobody() -> String {
        format!("postgresql://ffe:{PASSWORD_IN_URL}@127.0.0.1:1/nobody")
    }

    /// The same as a URL of one of these says, in the variables that libpq reads.
    pub fn variables(url: &str) -> Vec<(&'static str, String)> {
        let (_, place) = url.rsplit_once('@').unwrap();
        let (address, database) = place.split_once('/').unwrap();
        let (host, port) = address.split_once(':').unwrap();
        let database = database.split('?').next().unwrap();
        let plain =
            [("PGHOST", host), ("PGPORT", port), ("PGUSER", "ffe"), ("PGPASSWORD", PASSWORD), ("PGDATABASE", database)];
        plain.map(|(name, value)| (name, value.to_owned())).to_vec()
    }

    /// A statement that is refused.
    pub fn fails(&self, database: &str, statement: &str) {
        assert!(!self.psql(database, statement).status.success(), "{statement}");
    }

    fn psql(&self, database: &str, statement: &str) -> Output {
        Command::new(self.bin.join("psql"))
            .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement])
            .env("PGPASSWORD", PASSWORD)
            .args(["-h", "127.0.0.1", "-U", "ffe", "-d", database, "-p", &self.port.to_string()])
            .output()
            .unwrap()
    }

    /// Locks a table until it is dropped.
    pub fn locked(&self, database: &str, table: &str) -> Locked {
        let mut child = Command::new(self.bin.join("psql"))
            .args([
                "-X",
                "-A",
                "-t",
                "-q",
                "-h",
                "127.0.0.1",
                "-U",
                "ffe",
                "-d",
                database,
                "-p",
                &self.port.to_string(),
            ])
            .env("PGPASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let statement = format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n\\echo locked\n");
        child.stdin.as_mut().unwrap().write_all(statement.as_bytes()).unwrap();
        let mut said = [0; 7];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        Locked(child)
    }

    /// What a statement answers.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let output = self.psql(database, statement);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.path().join("data");
        let mut command = as_user(self.bin.join("pg_ctl").as_os_str(), NOBODY);
        command.arg("-D").arg(data).args(["-w", "-m", "immediate", "stop"]).current_dir("/").stdout(Stdio::null());
        let _ = command.status();
    }
}

/// A session that holds a lock.
pub struct Locked(Child);

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program as another user when the tests are root.
fn as_user(program: &OsStr, user: u32) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".to_owned()]).arg(program);
    command
}

/// An image of the sample application, as `images.toml` says, in a folder.
pub struct Image {
    folder: TempDir,
}

impl Image {
    /// With these revisions instead of its own, when some are given.
    pub fn assemble(tag: &str, revisions: &[&str]) -> Image {
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../examples/ffe-backend/app");
        let images: toml::Value = toml::from_str(&fs::read_to_string(app.join("images.toml")).unwrap()).unwrap();
        let image =
            images["image"].as_array().unwrap().iter().find(|image| image["tag"].as_str() == Some(tag)).unwrap();
        let own: Vec<&str> = image["revisions"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let revisions = if revisions.is_empty() { &own } else { revisions };
        let excluded: Vec<&str> =
            images["exclude"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let folder = tempfile::Builder::new().prefix("ffe-image-").tempdir().unwrap();
        copy(&app, folder.path(), &|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let revision = path.parent().is_some_and(|parent| parent.ends_with("alembic/versions"));
            !excluded.contains(&name) && (!revision || revisions.contains(&name))
        });
        if let Some(overlay) = image.get("overlay") {
            copy(&app.join(overlay.as_str().unwrap()), folder.path(), &|_| true);
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Image { folder }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Puts text before a file.
    pub fn prepend(&self, file: &str, text: &str) {
        let path = self.root().join(file);
        let old = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}\n{old}")).unwrap();
    }

    /// Writes a file.
    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.root().join(file), text).unwrap();
    }

    /// Gives a file another name.
    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.root().join(from), self.root().join(to)).unwrap();
    }

    /// Runs Python in it, with this database.
    pub fn python(&self, url: &str, arguments: &[&str]) -> Output {
        self.python_with(url, &[], arguments)
    }

    fn python_with(&self, url: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
        as_user(OsStr::new(&python()), 10001)
            .args(arguments)
            .current_dir(self.root())
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("PYTHONDONTWRITEBYTECODE", "1"), ("APP_VERSION", "test")])
            .env("DATABASE_URL", url)
            .envs(environment.iter().copied())
            .output()
            .unwrap()
    }

    pub fn upgrade(&self, url: &str) {
        let output = self.python(url, &["-m", "alembic", "upgrade", "heads"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs the release's script as its Job does.
    pub fn job(&self, url: &str, request: &Value) -> Output {
        self.job_with(url, &[], request)
    }

    /// The same with more environment.
    pub fn job_with(&self, url: &str, environment: &[(&str, &str)], request: &Value) -> Output {
        let script = script().map(|part| fs::read_to_string(part).unwrap()).join("\n\n");
        self.python_with(url, environment, &["-c", &script, MARK, &request.to_string()])
    }

    /// The same with another script.
    pub fn run_script(&self, script: &str, url: &str, request: &Value) -> Output {
        self.python(url, &["-c", script, MARK, &request.to_string()])
    }
}

fn copy(from: &Path, to: &Path, takes: &dyn Fn(&Path) -> bool) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if !takes(&path) {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target, takes);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
