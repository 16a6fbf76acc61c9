//! A throw-away name server in a folder of its own.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use ffe_rfc2136::{Algorithm, Rfc2136, Settings};
use tempfile::TempDir;

pub(crate) const NAMED: &str = "/usr/sbin/named";
pub(crate) const DIG: &str = "/usr/bin/dig";
pub(crate) const NSUPDATE: &str = "/usr/bin/nsupdate";

/// The key that may do everything: a text to look for where it must not be.
pub(crate) const SECRET: &str = "aHVzaFhYcmZjMjEzNlhYc2VjcmV0WFhodXNoWFg=";
const OTHER_SECRET: &str = "b3RoZXJYWHJmYzIxMzZYWHNlY3JldFhYb3RoZXI=";

/// Zones that take updates, and one that takes none.
const ZONES: [&str; 2] = ["example.com", "sub.example.com"];
pub(crate) const CLOSED: &str = "closed.example.org";

pub(crate) struct Bind {
    folder: TempDir,
    port: u16,
    child: Mutex<Child>,
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// With the key that may do everything.
pub(crate) fn settings(port: u16) -> Settings {
    Settings {
        server: "127.0.0.1".to_owned(),
        port,
        key_name: "terraform".to_owned(),
        algorithm: Algorithm::Sha256,
        secret: SECRET.to_owned(),
    }
}

impl Bind {
    pub(crate) fn start() -> Bind {
        let folder = tempfile::tempdir().unwrap();
        let (at, port) = (folder.path().display().to_string(), free_port());
        let mut config = format!(
            "options {{ directory \"{at}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no; \
             notify no; dnssec-validation no; pid-file \"{at}/pid\"; session-keyfile \"{at}/session.key\"; \
             allow-transfer {{ 127.0.0.1; }}; }};\ncontrols {{ }};\n"
        );
        for (name, algorithm, secret) in [
            ("terraform", "hmac-sha256", SECRET),
            ("large", "hmac-sha512", SECRET),
            ("reader", "hmac-sha256", OTHER_SECRET),
        ] {
            writeln!(config, "key \"{name}\" {{ algorithm {algorithm}; secret \"{secret}\"; }};").unwrap();
        }
        for zone in ZONES.into_iter().chain([CLOSED]) {
            let policy = if zone == CLOSED { "none;" } else { "key terraform; key large;" };
            writeln!(
                config,
                "zone \"{zone}\" {{ type primary; file \"{at}/{zone}.zone\"; allow-update {{ {policy} }}; }};"
            )
            .unwrap();
            let content = "$TTL 300\n@ SOA ns root 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\n";
            std::fs::write(folder.path().join(format!("{zone}.zone")), content).unwrap();
        }
        std::fs::write(folder.path().join("named.conf"), config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(NAMED);
        command.args(["-g", "-c", &format!("{at}/named.conf")]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().unwrap();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = child.try_wait().unwrap() {
                let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
                panic!("named ended with {status}: {log}");
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let bind = Bind { folder, port, child: Mutex::new(child) };
        // It listens before it has read its zones.
        while ZONES.into_iter().chain([CLOSED]).any(|zone| bind.dig(&[zone, "SOA"]).is_empty()) {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        bind
    }

    fn dig(&self, question: &[&str]) -> String {
        let port = self.port.to_string();
        let mut command = Command::new(DIG);
        command.args(["@127.0.0.1", "-p", &port, "+tcp", "+noall", "+answer"]).args(question);
        let output = command.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn stop(&self) {
        let mut child = self.child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn client(&self) -> Rfc2136 {
        Rfc2136::new(&settings(self.port)).unwrap()
    }

    /// What somebody else does, as nsupdate reads it.
    pub(crate) fn update(&self, script: &str) {
        let key = self.folder.path().join("key");
        std::fs::write(&key, format!("key \"terraform\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n"))
            .unwrap();
        let mut command = Command::new(NSUPDATE);
        command.arg("-v").arg("-k").arg(&key).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let script = format!("server 127.0.0.1 {}\n{script}\nsend\n", self.port);
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{script}");
    }

    /// All lines of a zone that are about a name or something below it, but for the zone's own; without their times.
    pub(crate) fn lines(&self, zone: &str, about: &str) -> Vec<String> {
        let text = self.dig(&["AXFR", zone]);
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let lines = lines.filter(|line| line.len() > 4 && line[0].contains(about));
        lines.map(|line| format!("{} {}", line[0].trim_end_matches('.'), line[3..].join(" "))).collect()
    }
}
