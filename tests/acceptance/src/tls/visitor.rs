//! Somebody who asks for a host by HTTPS ten times a second while something changes: finds its address, trusts only what he
//! is told to, and remembers every failure and every certificate. Independent of the provider's own code.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use base64::Engine as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::surroundings;
use crate::Stage;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many failures a report shows.
const SHOWN: usize = 5;

/// The visitor, at work until he is asked what he has seen.
pub(crate) struct Visitor {
    client: Arc<Client>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Seen>>,
}

/// What a visitor has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    looks: usize,
    failures: Vec<(Duration, String)>,
    /// The certificates themselves, without their chains, and how often each was seen.
    certificates: BTreeMap<Vec<u8>, usize>,
}

impl Visitor {
    /// Begins to ask for a host that is served, trusting authorities (PEM).
    ///
    /// # Errors
    /// When the host is not served yet.
    pub(crate) fn of(stage: &Stage, host: &str, authorities: &str) -> Result<Visitor> {
        let client = Arc::new(Client::new(stage, host, authorities)?);
        // A controller comes to a certificate that was issued this moment a little later.
        let mut first = client.look();
        for _ in 0..60 {
            if first.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(500));
            first = client.look();
        }
        let first = first.with_context(|| format!("{host} is not served before anything changes"));
        first?;
        let over = Arc::new(AtomicBool::new(false));
        let (asking, told) = (Arc::clone(&client), Arc::clone(&over));
        let thread = std::thread::spawn(move || asking.ask_until(&told));
        Ok(Visitor { client, over, thread: Some(thread) })
    }

    /// Ends it. The host is served still, and what was seen on the way is told.
    ///
    /// # Errors
    /// When it is not served now.
    pub(crate) fn end(mut self) -> Result<Seen> {
        // A moment more: controllers read late what was changed last.
        std::thread::sleep(Duration::from_secs(4));
        self.over.store(true, Ordering::SeqCst);
        let thread = self.thread.take().context("it has ended already")?;
        let seen = thread.join().map_err(|_| anyhow!("the visitor has died"))?;
        self.client.look().with_context(|| format!("not served in the end; on the way: {seen:?}"))?;
        Ok(seen)
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

impl Seen {
    /// Nothing failed, it was looked often enough to know, and no other certificates were seen than these.
    ///
    /// # Errors
    /// With what was seen otherwise.
    pub(crate) fn expect_no_gap(&self, what: &str, least: usize, known: &[Vec<u8>]) -> Result<()> {
        let line = format!("{what}: {} of {} looks failed", self.failures.len(), self.looks);
        crate::limit::told(line.clone());
        let first: Vec<_> = self.failures.iter().take(SHOWN).collect();
        ensure!(self.failures.is_empty(), "{line}: {first:#?}");
        ensure!(self.looks >= least, "{what}: only {} looks", self.looks);
        let strange = self.certificates.iter().find(|(one, _)| !known.contains(one));
        if let Some((strange, times)) = strange {
            let pem = base64::engine::general_purpose::STANDARD.encode(strange);
            bail!("{what}: {times} times another certificate: {pem}");
        }
        Ok(())
    }

    /// As a line of a table.
    pub(crate) fn row(&self, what: &str) -> String {
        let (looks, failures, certificates) = (self.looks, self.failures.len(), self.certificates.len());
        format!("| {what} | {looks} | {failures} | {certificates} |")
    }
}

/// The certificate in a Secret, without its chain.
///
/// # Errors
/// When there is none.
pub(crate) fn certificate_in(stage: &Stage, secret: &str) -> Result<Vec<u8>> {
    certificate_at(stage, &stage.name, secret)
}

/// The same in a namespace.
///
/// # Errors
/// When there is none.
pub(crate) fn certificate_at(stage: &Stage, namespace: &str, secret: &str) -> Result<Vec<u8>> {
    let template = "go-template={{index .data \"tls.crt\" | base64decode}}";
    let found = stage.kube.run(&["get", "secret", "-n", namespace, secret, "-o", template])?.ok()?;
    let first = CertificateDer::from_pem_slice(found.stdout.as_bytes());
    Ok(first.map_err(|error| anyhow!("Secret {secret}: {error}"))?.to_vec())
}

struct Client {
    host: String,
    /// The DNS server that knows the host.
    dns: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Client {
    fn new(stage: &Stage, host: &str, authorities: &str) -> Result<Client> {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            roots.add(authority.map_err(|error| anyhow!("an authority: {error}"))?)?;
        }
        ensure!(!roots.is_empty(), "nobody is trusted");
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Client {
            host: host.to_owned(),
            dns: surroundings(stage)?.dns_server.parse().context("the DNS server's address")?,
            config: Arc::new(config),
        })
    }

    fn ask_until(&self, over: &AtomicBool) -> Seen {
        let mut seen = Seen::default();
        let began = Instant::now();
        while !over.load(Ordering::SeqCst) {
            let looked_at = Instant::now();
            seen.looks += 1;
            match self.look() {
                Ok(certificate) => *seen.certificates.entry(certificate).or_default() += 1,
                Err(error) => seen.failures.push((began.elapsed(), format!("{error:#}"))),
            }
            std::thread::sleep(EVERY.saturating_sub(looked_at.elapsed()));
        }
        seen
    }

    /// One request. The certificate that the host has shown.
    fn look(&self) -> Result<Vec<u8>> {
        let address = SocketAddr::new(self.resolve()?, 443);
        let stream = TcpStream::connect_timeout(&address, PATIENCE).context("no connection")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(self.host.clone())?;
        let connection = ClientConnection::new(Arc::clone(&self.config), name)?;
        let mut stream = StreamOwned::new(connection, stream);
        let request = format!("GET /health HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host);
        stream.write_all(request.as_bytes()).context("no TLS")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).context("no answer")?;
        ensure!(&head == b"HTTP/1.1 200", "{}", String::from_utf8_lossy(&head));
        let shown = stream.conn.peer_certificates().and_then(|all| all.first());
        Ok(shown.context("no certificate")?.to_vec())
    }

    /// The host's address, as its DNS server says it.
    fn resolve(&self) -> Result<IpAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.send_to(&question(&self.host), self.dns)?;
        let mut answer = [0; 1500];
        let (length, _) = socket.recv_from(&mut answer).context("no answer of the DNS server")?;
        address_in(answer.get(..length).unwrap_or_default()).with_context(|| format!("no address of {}", self.host))
    }
}

/// A question for A records (RFC 1035 4.1).
fn question(host: &str) -> Vec<u8> {
    let mut question = vec![0x46, 0x46, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in host.split('.') {
        question.push(u8::try_from(label.len()).unwrap_or(63));
        question.extend_from_slice(label.as_bytes());
    }
    question.extend_from_slice(&[0, 0, 1, 0, 1]);
    question
}

/// The first A record of an answer.
fn address_in(answer: &[u8]) -> Option<IpAddr> {
    let count = u16::from_be_bytes([*answer.get(6)?, *answer.get(7)?]);
    let mut at = after_name(answer, 12)? + 4;
    for _ in 0..count {
        at = after_name(answer, at)?;
        let field =
            |offset: usize| Some(u16::from_be_bytes([*answer.get(at + offset)?, *answer.get(at + offset + 1)?]));
        let (kind, length) = (field(0)?, usize::from(field(8)?));
        let data = answer.get(at + 10..at + 10 + length)?;
        if kind == 1 {
            return Some(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into());
        }
        at += 10 + length;
    }
    None
}

/// Where a name ends: after a zero, or after a pointer.
fn after_name(answer: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *answer.get(at)? {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_behind_an_alias() {
        let mut answer = question("web.example");
        answer[7] = 2;
        let alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12];
        let address = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7];
        answer.extend(alias.iter().chain(&address));
        assert_eq!(address_in(&answer), Some(IpAddr::from([192, 0, 2, 7])));
        assert_eq!(address_in(&question("web.example")), None);
        assert_eq!(address_in(&answer[..20]), None);
    }
}
