//! How to get there: by the system's resolver and TCP, or by any other connection.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, Stage, join};
use crate::target::Target;

/// Bytes in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address, where it was reached by TCP from here.
    pub address: Option<SocketAddr>,
    /// What to call it.
    pub name: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An open connection.
pub struct Connection {
    /// The bytes.
    pub stream: Box<dyn Stream>,
    /// Who is at the other end.
    pub peer: Peer,
}

/// A way to get to a target.
#[async_trait]
pub trait Connect: Send + Sync {
    /// Opens a connection; TLS and HTTP come on top of it.
    ///
    /// # Errors
    /// Why there is none.
    async fn connect(&self, target: &Target) -> Result<Connection, Failure>;

    /// What to call the other end before there is a connection.
    fn name(&self, target: &Target) -> String;
}

/// From here: the system's resolver, or [`Target::resolve_to`], and TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Direct;

/// The addresses of a host by the system's resolver, each once, in its order. An address is its own.
///
/// # Errors
/// [`Failure::Resolve`] when there is none, [`Failure::TimedOut`] after `limit`.
pub async fn resolve(host: &str, limit: Duration) -> Result<Vec<IpAddr>, Failure> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let failed = |reason: String| Failure::Resolve { host: bare.to_owned(), reason };
    let found = tokio::time::timeout(limit, lookup_host((bare, 0)))
        .await
        .map_err(|_| Failure::TimedOut { peer: bare.to_owned(), stage: Stage::Resolve })?
        .map_err(|error| failed(resolver_words(&error)))?;
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|address| address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(failed("it has no address".to_owned())) } else { Ok(addresses) }
}

fn resolver_words(error: &io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").map_or(text.clone(), str::to_owned)
}

#[async_trait]
impl Connect for Direct {
    async fn connect(&self, target: &Target) -> Result<Connection, Failure> {
        // A little before the whole look ends, so that it is told where it got stuck.
        let limit = target.timeout.mul_f64(0.95);
        let deadline = Instant::now() + limit;
        let (host, port) = match &target.resolve_to {
            Some(other) => (other.host.as_str(), other.port.unwrap_or(target.port)),
            None => (target.host.as_str(), target.port),
        };
        let addresses = resolve(host, limit).await?;
        let mut refusals = Vec::new();
        let (mut timed_out, mut without_way) = (false, false);
        for (index, address) in addresses.iter().enumerate() {
            // One address that drops packets leaves time for those behind it.
            let now = Instant::now();
            let share = deadline.saturating_duration_since(now) / u32::try_from(addresses.len() - index).unwrap_or(1);
            let address = SocketAddr::new(*address, port);
            match timeout_at(now + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let peer = Peer { address: Some(address), name: self.name_of(target, address) };
                    return Ok(Connection { stream: Box::new(stream), peer });
                }
                Ok(Err(error)) => {
                    without_way = is_without_way(&error);
                    refusals.push((address, words(&error)));
                }
                Err(_) => {
                    timed_out = true;
                    refusals.push((address, "timed out".to_owned()));
                }
            }
        }
        Err(match refusals.as_slice() {
            [(address, _)] if timed_out => {
                Failure::TimedOut { peer: self.name_of(target, *address), stage: Stage::Connect }
            }
            [(address, _)] if without_way => Failure::NoWay { peer: self.name_of(target, *address) },
            [(address, reason)] => Failure::Connect { peer: self.name_of(target, *address), reason: reason.clone() },
            several => Failure::Connect {
                peer: format!("{host} port {port} ({})", join(&addresses)),
                reason: several
                    .iter()
                    .map(|(address, reason)| format!("{}: {reason}", address.ip()))
                    .collect::<Vec<_>>()
                    .join("; "),
            },
        })
    }

    fn name(&self, target: &Target) -> String {
        match &target.resolve_to {
            Some(other) => format!("{} (at {})", target.authority(), other.host),
            None => target.authority(),
        }
    }
}

impl Direct {
    fn name_of(self, target: &Target, address: SocketAddr) -> String {
        if target.host.parse() == Ok(address.ip()) {
            address.to_string()
        } else {
            format!("{} ({address})", target.host)
        }
    }
}

/// Whether it was this machine that had no way, and nobody else was asked: no route, or no address of that family.
pub(crate) fn is_without_way(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable)
}

/// What the system says without its number.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused (nothing listens on that port)".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no way to that address".to_owned()
        }
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_owned()
        }
    }
}

struct Through<F> {
    name: String,
    open: F,
}

/// A way over connections that somebody else opens, such as a port-forward: `name` is what to call the other end.
pub fn through<F, Opening, S, E>(name: impl Into<String>, open: F) -> impl Connect
where
    F: Fn() -> Opening + Send + Sync,
    Opening: Future<Output = Result<S, E>> + Send,
    S: Stream + 'static,
    E: fmt::Display + Send,
{
    Through { name: name.into(), open }
}

#[async_trait]
impl<F, Opening, S, E> Connect for Through<F>
where
    F: Fn() -> Opening + Send + Sync,
    Opening: Future<Output = Result<S, E>> + Send,
    S: Stream + 'static,
    E: fmt::Display + Send,
{
    async fn connect(&self, _: &Target) -> Result<Connection, Failure> {
        match (self.open)().await {
            Ok(stream) => {
                Ok(Connection { stream: Box::new(stream), peer: Peer { address: None, name: self.name.clone() } })
            }
            Err(error) => Err(Failure::Connect { peer: self.name.clone(), reason: error.to_string() }),
        }
    }

    fn name(&self, _: &Target) -> String {
        self.name.clone()
    }
}
