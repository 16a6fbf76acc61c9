//! The server: settings, and one signed question at a time over TCP.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, TsigError};
use hickory_proto::rr::{Name, TSigner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::zones::Known;

/// How far the clocks may differ, in seconds: what everybody takes.
const FUDGE: u16 = 300;
/// For one question and its answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// Waits between attempts.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// hmac-sha256
    Sha256,
    /// hmac-sha384
    Sha384,
    /// hmac-sha512
    Sha512,
}

/// How a name server is reached.
#[derive(Clone)]
pub struct Settings {
    /// Name or address of the zone's primary server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// The name of the key.
    pub key_name: String,
    /// How messages are signed with it.
    pub algorithm: Algorithm,
    /// The key, in base64.
    pub secret: String,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { server, port, key_name, algorithm, .. } = self;
        write!(f, "{server}:{port} with the key {key_name} ({algorithm:?})")
    }
}

/// A name server that takes dynamic updates. Cheap to clone.
#[derive(Clone)]
pub struct Rfc2136(Arc<Inner>);

struct Inner {
    host: String,
    port: u16,
    signer: TSigner,
    zones: Mutex<Known>,
}

impl fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rfc2136").field("server", &self.server()).finish_non_exhaustive()
    }
}

impl Rfc2136 {
    /// A client with these settings. Does nothing yet.
    ///
    /// # Errors
    /// [`Error::Settings`] when they cannot be used.
    pub fn new(settings: &Settings) -> Result<Rfc2136, Error> {
        let wrong = |attribute, reason: &str| Error::Settings { attribute, reason: reason.to_owned() };
        let host = settings.server.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
            return Err(wrong("server", "expected the name or address of a name server"));
        }
        let key_name = Some(settings.key_name.trim()).filter(|name| !name.trim_end_matches('.').is_empty());
        let name = key_name.and_then(|name| Name::from_ascii(name).ok());
        let name = name.ok_or_else(|| wrong("key_name", "expected the name of a key, such as terraform"))?;
        let secret = STANDARD.decode(settings.secret.trim()).ok().filter(|secret| !secret.is_empty());
        let secret = secret.ok_or_else(|| wrong("key_secret", "expected a key in base64, as tsig-keygen prints it"))?;
        let algorithm = match settings.algorithm {
            Algorithm::Sha256 => TsigAlgorithm::HmacSha256,
            Algorithm::Sha384 => TsigAlgorithm::HmacSha384,
            Algorithm::Sha512 => TsigAlgorithm::HmacSha512,
        };
        let signer = TSigner::new(secret, algorithm, name, FUDGE);
        let signer = signer.map_err(|_| wrong("key_algorithm", "it is not supported"))?;
        Ok(Rfc2136(Arc::new(Inner { host, port: settings.port, signer, zones: Mutex::default() })))
    }

    /// The server, as messages name it.
    #[must_use]
    pub fn server(&self) -> String {
        let Inner { host, port, .. } = &*self.0;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// What is known of zones so far.
    pub(crate) fn zones(&self) -> &Mutex<Known> {
        &self.0.zones
    }

    /// Asks once, whatever comes of it.
    pub(crate) async fn once(
        &self,
        operation: &str,
        message: Message,
        cancel: &CancellationToken,
    ) -> Result<Message, Error> {
        let asked = cancel.run_until_cancelled(timeout(PATIENCE, self.exchange(operation, message)));
        match asked.await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => Err(self.unreachable(operation, "timed out")),
            None => Err(Error::Cancelled { operation: operation.to_owned() }),
        }
    }

    /// Asks for something that changes nothing until it works or the patience is at its end.
    pub(crate) async fn again(
        &self,
        operation: &str,
        message: &Message,
        cancel: &CancellationToken,
    ) -> Result<Message, Error> {
        let mut pauses = Pauses::new();
        loop {
            match self.once(operation, message.clone(), cancel).await {
                Ok(answer) => return Ok(answer),
                Err(error) => pauses.pause(error, operation, cancel).await?,
            }
        }
    }

    async fn exchange(&self, operation: &str, mut message: Message) -> Result<Message, Error> {
        let failed = |cause: std::io::Error| self.unreachable(operation, &cause.to_string());
        let unreadable =
            |why: String| Error::Unreadable { server: self.server(), operation: operation.to_owned(), why };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let verifier = message.finalize(&self.0.signer, now).map_err(|error| unreadable(error.to_string()))?;
        let bytes = message.to_vec().map_err(|error| unreadable(error.to_string()))?;
        let length = u16::try_from(bytes.len()).map_err(|_| unreadable("the request is too long".to_owned()))?;
        let mut stream = TcpStream::connect((self.0.host.as_str(), self.0.port)).await.map_err(failed)?;
        let framed = [length.to_be_bytes().as_slice(), &bytes].concat();
        stream.write_all(&framed).await.map_err(failed)?;
        let length = stream.read_u16().await.map_err(failed)?;
        let mut bytes = vec![0; usize::from(length)];
        stream.read_exact(&mut bytes).await.map_err(failed)?;

        let answer = Message::from_vec(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if answer.metadata.id != message.metadata.id || answer.metadata.message_type != MessageType::Response {
            return Err(unreadable("it is the answer to something else".to_owned()));
        }
        if let Some(why) = answer.signature().and_then(|signature| signature.data.error).and_then(bad_signature) {
            return Err(Error::Key { server: self.server(), operation: operation.to_owned(), why });
        }
        let verified =
            verifier.map(|mut verifier| verifier.verify(&bytes).map(drop).map_err(|error| error.to_string()));
        match verified {
            Some(Ok(())) => {}
            // Who refuses everybody does not look at the key.
            _ if answer.signature().is_none() && answer.metadata.response_code == ResponseCode::Refused => {}
            Some(Err(why)) => {
                return Err(Error::Unsigned { server: self.server(), operation: operation.to_owned(), why });
            }
            None => {}
        }
        if answer.metadata.response_code == ResponseCode::ServFail {
            let code = ResponseCode::ServFail.to_str().to_owned();
            return Err(Error::Trouble { server: self.server(), operation: operation.to_owned(), code });
        }
        tracing::debug!(server = self.server(), operation, code = ?answer.metadata.response_code, "the name server answered");
        Ok(answer)
    }

    fn unreachable(&self, operation: &str, cause: &str) -> Error {
        Error::Unreachable { server: self.server(), operation: operation.to_owned(), cause: cause.to_owned() }
    }
}

fn bad_signature(error: TsigError) -> Option<&'static str> {
    Some(match error {
        TsigError::BadKey => "it knows no such key (BADKEY)",
        TsigError::BadSig => "the key is another one (BADSIG)",
        TsigError::BadTime => "the clocks differ too much (BADTIME)",
        TsigError::BadTrunc => "the signature is too short for it (BADTRUNC)",
        TsigError::Unknown(0) => return None,
        TsigError::Unknown(_) => "with a code that is not known",
    })
}

/// What is left of the patience for one call.
pub(crate) struct Pauses(std::array::IntoIter<Duration, 3>);

impl Pauses {
    pub(crate) fn new() -> Pauses {
        Pauses(PAUSES.into_iter())
    }

    /// Waits before the next attempt.
    ///
    /// # Errors
    /// The error itself when it will not pass, or no attempt is left; [`Error::Cancelled`].
    pub(crate) async fn pause(
        &mut self,
        error: Error,
        operation: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let Some(pause) = self.0.next().filter(|_| error.is_transient()) else { return Err(error) };
        tracing::debug!(%error, ?pause, "the name server is asked again");
        match cancel.run_until_cancelled(tokio::time::sleep(pause)).await {
            Some(()) => Ok(()),
            None => Err(Error::Cancelled { operation: operation.to_owned() }),
        }
    }
}
