//! A throw-away server, on a socket in a folder of its own.

use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// PostgreSQL refuses to run as root: then it runs as nobody.
const NOBODY: u32 = 65534;

/// Roles that the cases share: the first of the server, one with no rights, one that may create databases, another
/// application's, and one that only reads.
const ROLES: &str =
    "CREATE ROLE app LOGIN; CREATE ROLE maker LOGIN CREATEDB; CREATE ROLE admin LOGIN; CREATE ROLE reader;";

/// The folder of the programs, the newest where there are several.
pub(crate) fn programs() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("FFE_POSTGRES_BIN") {
        return Some(folder.into());
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}

pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) bin: PathBuf,
}

impl Server {
    pub(crate) fn start(bin: &Path) -> Server {
        let server = Server { folder: tempfile::tempdir().unwrap(), bin: bin.to_owned() };
        let path = server.folder.path().to_owned();
        if is_root() {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = path.join("data");
        let data = data.to_str().unwrap();
        server.program("initdb", &["-D", data, "-U", "boss", "-A", "trust", "--encoding=UTF8", "--locale=C.UTF-8"]);
        let mut options = format!("-k {} -c listen_addresses= -c fsync=off", path.display());
        write!(options, " -c wal_level=logical -c max_prepared_transactions=5 -c max_connections=50").unwrap();
        let log = path.join("log");
        server.program("pg_ctl", &["-D", data, "-o", &options, "-l", log.to_str().unwrap(), "-w", "start"]);
        server.sql("postgres", "boss", ROLES);
        server
    }

    pub(crate) fn stop(&self) {
        let data = self.folder.path().join("data");
        self.program("pg_ctl", &["-D", data.to_str().unwrap(), "-m", "immediate", "stop"]);
    }

    /// A pooler before it, which gives each transaction or each session a connection of its own choice; it ends with its handle.
    pub(crate) fn pooler(&self, pool_mode: &str) -> Pooler {
        let folder = tempfile::tempdir().unwrap();
        let (at, server) = (folder.path().display(), self.folder.path().display());
        let settings = format!(
            "[databases]\n* = host={server}\n[pgbouncer]\nunix_socket_dir = {at}\nlisten_port = 5432\nauth_type = trust\n\
             auth_file = {at}/users\npool_mode = {pool_mode}\ndefault_pool_size = 2\n"
        );
        for (name, content) in [("settings.ini", settings.as_str()), ("users", "\"boss\" \"\"\n\"app\" \"\"\n")] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        if is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let mut command = as_nobody(Path::new("/usr/sbin/pgbouncer"));
        let child = command.arg(folder.path().join("settings.ini")).stderr(Stdio::null()).spawn().unwrap();
        while !folder.path().join(".s.PGSQL.5432").exists() {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        Pooler { folder, child }
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        let mut command = as_nobody(&self.bin.join(name));
        let said = self.folder.path().join(format!("{name}.said"));
        let file = std::fs::File::create(&said).unwrap();
        // Not a pipe: the server would hold it open.
        let status = command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .status()
            .unwrap();
        assert!(status.success(), "{name}: {}", std::fs::read_to_string(&said).unwrap());
    }

    /// Runs statements, each by itself; what the last of them says.
    pub(crate) fn sql(&self, database: &str, role: &str, statements: &str) -> String {
        let script = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(script.path(), statements).unwrap();
        let output = self
            .client("psql", role)
            .args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-f"])
            .arg(script.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Everything in a database: its schema, rights, rows and large objects, as statements.
    pub(crate) fn content(&self, database: &str) -> String {
        let output = self.client("pg_dump", "boss").args(["-d", database]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Made anew each time.
        text.lines()
            .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn client(&self, name: &str, role: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        command.env("PGHOST", self.folder.path()).env("PGUSER", role);
        command
    }
}

pub(crate) struct Pooler {
    pub(crate) folder: TempDir,
    child: std::process::Child,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// PostgreSQL's programs refuse to run as root.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new(if is_root() { Path::new("setpriv") } else { program });
    if is_root() {
        let nobody = NOBODY.to_string();
        command.args([format!("--reuid={nobody}"), format!("--regid={nobody}"), "--clear-groups".into()]).arg(program);
    }
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}
