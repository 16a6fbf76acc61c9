//! A DNS server with a zone that takes updates.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;

use super::{Component, Part};
use crate::bed::Bed;
use crate::command;
use crate::debian::{self, Package};
use crate::files;
use crate::host;
use crate::node::Node;
use crate::paths::Paths;
use crate::process::{self, Process};
use crate::template::fill;

pub(super) struct DnsServer;

/// The zone that takes updates.
pub(crate) const ZONE: &str = "ffe.test";
/// A zone that refuses them.
pub(crate) const FOREIGN_ZONE: &str = "foreign.test";
const KEY_NAME: &str = "ffe-testbed";
const ALGORITHM: &str = "hmac-sha256";
/// Where resolvers ask, and cert-manager asks authoritative servers: no other port can be told to them.
const PORT: u16 = 53;
const NAME: &str = "named";

const PACKAGES: &[Package] = &[
    Package { name: "bind9", file: "/usr/sbin/named", service: Some("named") },
    Package { name: "bind9-dnsutils", file: "/usr/bin/nsupdate", service: None },
];

const ZONES: &[(&str, &str)] = &[
    ("root.zone", include_str!("../../conf/tls/root.zone")),
    ("ffe.test.zone", include_str!("../../conf/tls/zone")),
    ("foreign.test.zone", include_str!("../../conf/tls/foreign.zone")),
];
const CONFIGURATION: &str = include_str!("../../conf/tls/named.conf");

/// The DNS server of the testbed, and what its zone is changed with.
///
/// Of its zone, every name has the node's address, where the ingress controller listens, except those below `closed.`
/// (the loopback address, where nobody does) and below `missing.` (they do not exist). A name with a record below it
/// is no longer covered by that wildcard.
#[derive(Debug, Clone)]
pub struct Dns {
    /// Where it answers, by UDP and TCP; from pods and from this machine.
    pub server: SocketAddrV4,
    /// The zone that takes updates, without a dot at the end.
    pub zone: &'static str,
    /// A zone that it answers for and that takes none.
    pub foreign_zone: &'static str,
    /// The name of the key (TSIG) that updates are signed with, without a dot at the end.
    pub key_name: &'static str,
    /// The algorithm of the key, as RFC 8945 calls it.
    pub algorithm: &'static str,
    /// A file with nothing but the key's secret in base64; mode 0600.
    pub secret_file: PathBuf,
    /// A file with the key for `nsupdate -k`; mode 0600.
    pub key_file: PathBuf,
    /// A `resolv.conf` that names this server.
    pub resolv_conf: PathBuf,
}

impl Dns {
    pub(crate) fn of(paths: &Paths) -> Self {
        let folder = folder(paths);
        Self {
            server: SocketAddrV4::new(Node::first(paths).address(), PORT),
            zone: ZONE,
            foreign_zone: FOREIGN_ZONE,
            key_name: KEY_NAME,
            algorithm: ALGORITHM,
            secret_file: folder.join("secret"),
            key_file: folder.join("key.conf"),
            resolv_conf: folder.join("resolv.conf"),
        }
    }

    /// Gives a name of the zone the records of one kind, instead of those of that kind that it has. `name` is a full
    /// name, for instance `app.ffe.test`; `ttl` in seconds; `kind`, for instance `A`, with values as in a zone file.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn set(&self, name: &str, ttl: u32, kind: &str, values: &[&str]) -> Result<()> {
        let mut lines = vec![format!("update delete {name}. {kind}")];
        lines.extend(values.iter().map(|value| format!("update add {name}. {ttl} {kind} {value}")));
        self.update(&lines)
    }

    /// Removes every record of a name.
    ///
    /// # Errors
    /// When the server does not take it.
    pub fn remove(&self, name: &str) -> Result<()> {
        self.update(&[format!("update delete {name}.")])
    }

    fn update(&self, lines: &[String]) -> Result<()> {
        let script = format!(
            "server {} {}\nzone {}.\n{}\nsend\n",
            self.server.ip(),
            self.server.port(),
            self.zone,
            lines.join("\n")
        );
        let mut child = host::system("nsupdate")
            .arg("-k")
            .arg(&self.key_file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run nsupdate")?;
        child.stdin.take().context("no pipe to nsupdate")?.write_all(script.as_bytes()).context("telling nsupdate")?;
        let done = child.wait_with_output().context("waiting for nsupdate")?;
        if !done.status.success() {
            bail!("`{}` was not taken: {}", lines.join("; "), String::from_utf8_lossy(&done.stderr).trim());
        }
        Ok(())
    }
}

fn folder(paths: &Paths) -> PathBuf {
    paths.root().join("dns")
}

impl Component for DnsServer {
    fn needs(&self) -> &'static [Part] {
        // It runs on the node.
        &[Part::Cluster]
    }

    fn ensure(&self, bed: &Bed<'_>) -> Result<()> {
        debian::ensure(bed, PACKAGES)?;
        // Debian lets the program at its own place into its own folders only.
        let ours = bed.paths.binary(NAME);
        let theirs = Path::new("/usr/sbin/named");
        let program = std::fs::read(theirs).with_context(|| format!("reading {}", theirs.display()))?;
        if !std::fs::read(&ours).is_ok_and(|copy| copy == program) {
            files::write_atomically(&ours, &program, 0o755)?;
        }
        Ok(())
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        let process = Process::new(bed.paths, NAME);
        let dns = Dns::of(bed.paths);
        let folder = folder(bed.paths);
        let texts = texts(&folder, IpAddr::V4(*dns.server.ip()))?;
        // Written last, and of all that the configuration depends on.
        let (made_for, wanted) = (folder.join("made-for"), files::sha256(format!("{texts:?}").as_bytes()));
        let same = std::fs::read_to_string(&made_for).is_ok_and(|made_for| made_for == wanted);
        if same && process.pid().is_some() {
            return Ok(());
        }
        if !same {
            self.stop(bed)?;
        }
        let address = SocketAddr::V4(dns.server);
        // One that ended by itself goes on with its key and its records.
        if !same {
            write(&dns, &folder, &texts)?;
            files::write_atomically(&made_for, wanted.as_bytes(), 0o644)?;
        }
        let configuration = folder.join("named.conf").display().to_string();
        process.start_on(
            &Node::first(bed.paths),
            &bed.paths.binary(NAME),
            &["-f".into(), "-g".into(), "-c".into(), configuration],
        )?;
        process.wait_until_listening(address)?;
        // It listens before it has read its zones.
        let started = Instant::now();
        while !answers(&dns) {
            process.check()?;
            if started.elapsed() > Duration::from_secs(20) {
                bail!("the DNS server on {address} does not know its zone; see {}", process.log().display());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bed.say(format!("the DNS server answers on {address} for {ZONE}"));
        Ok(())
    }

    fn stop(&self, bed: &Bed<'_>) -> Result<()> {
        process::stop(&[Process::new(bed.paths, NAME)], Duration::from_secs(5))?;
        files::remove_folder(&folder(bed.paths))
    }

    fn processes(&self) -> &'static [&'static str] {
        &[NAME]
    }
}

/// Whether it has both zones.
fn answers(dns: &Dns) -> bool {
    let server = format!("@{}", dns.server.ip());
    [dns.zone, dns.foreign_zone].iter().all(|zone| {
        let mut dig = host::system("dig");
        dig.args(["+short", "+time=1", "+tries=1", &server, &format!("x.{zone}"), "A"]);
        command::output(&mut dig).is_ok_and(|address| address.trim() == dns.server.ip().to_string())
    })
}

/// The configuration, a new key, and zones as they begin.
fn write(dns: &Dns, folder: &Path, texts: &[(&str, String)]) -> Result<()> {
    for (name, text) in texts {
        files::write_atomically(&folder.join(name), text.as_bytes(), 0o644)?;
    }
    let secret = secret()?;
    let key = format!("key \"{KEY_NAME}.\" {{\n  algorithm {ALGORITHM};\n  secret \"{secret}\";\n}};\n");
    files::write_atomically(&dns.secret_file, secret.as_bytes(), 0o600)?;
    files::write_atomically(&dns.key_file, key.as_bytes(), 0o600)?;
    files::write_atomically(&dns.resolv_conf, format!("nameserver {}\n", dns.server.ip()).as_bytes(), 0o644)
}

fn texts(folder: &Path, node_ip: IpAddr) -> Result<Vec<(&'static str, String)>> {
    let (folder, node_ip, port) = (folder.display().to_string(), node_ip.to_string(), PORT.to_string());
    let values = [
        ("FOLDER", folder.as_str()),
        ("NODE_IP", &node_ip),
        ("PORT", &port),
        ("ZONE", ZONE),
        ("FOREIGN_ZONE", FOREIGN_ZONE),
        ("KEY_NAME", KEY_NAME),
    ];
    ZONES
        .iter()
        .chain([&("named.conf", CONFIGURATION)])
        .map(|(name, template)| Ok((*name, fill(template, &values).with_context(|| format!("template {name}"))?)))
        .collect()
}

/// 256 random bits in base64.
fn secret() -> Result<String> {
    let mut bytes = [0_u8; 32];
    let path = "/dev/urandom";
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .with_context(|| format!("reading {path}"))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn every_zone_of_the_configuration_is_written_and_the_key_changes_one_of_them() {
        let texts: BTreeMap<_, _> =
            texts(Path::new("/cache/dns"), "192.0.2.1".parse().unwrap()).unwrap().into_iter().collect();
        let configuration = &texts["named.conf"];
        for name in texts.keys().filter(|name| name.ends_with(".zone")) {
            assert!(configuration.contains(&format!("file \"{name}\"")), "{name}");
        }
        assert_eq!(configuration.matches("grant ffe-testbed. zonesub ANY").count(), 1);
        assert!(configuration.contains("listen-on port 53 { 192.0.2.1; }"));
        assert!(configuration.contains("include \"/cache/dns/key.conf\""));
        assert!(texts["ffe.test.zone"].contains("$ORIGIN ffe.test.\n@ IN SOA"));
    }

    #[test]
    fn the_key_is_random_and_kept_from_others() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::at(root.path(), root.path());
        let dns = Dns::of(&paths);
        let made = || {
            let folder = folder(&paths);
            write(&dns, &folder, &texts(&folder, "192.0.2.1".parse().unwrap()).unwrap()).unwrap();
            std::fs::read_to_string(&dns.secret_file).unwrap()
        };
        let first = made();
        assert_eq!(base64::engine::general_purpose::STANDARD.decode(&first).unwrap().len(), 32);
        assert_ne!(made(), first);
        for file in [&dns.secret_file, &dns.key_file] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
