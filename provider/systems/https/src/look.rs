//! Going there and looking.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{AlertDescription, ClientConfig, Error as TlsError};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::answer::{Answer, ask};
use crate::connect::{Connect, Connection, Direct, Peer, Stream};
use crate::facts::CertificateFacts;
use crate::failure::{Failure, Stage};
use crate::target::{Scheme, Target};
use crate::trust::{Distrust, Recorder, server_name};

/// What was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Of what: the URL.
    pub url: String,
    /// Who was at the other end.
    pub peer: Peer,
    /// What TLS came to; none for plain HTTP.
    pub tls: Option<Tls>,
    /// The answer to the request.
    pub answer: Result<Answer, Failure>,
}

/// What the server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The chain as the server sent it: its own certificate first.
    pub chain: Vec<CertificateFacts>,
    /// Every reason why the chain is not trusted for the host; empty when it is.
    pub distrust: Vec<Distrust>,
    /// The version that was agreed on, such as `TLSv1.3`; none where the handshake broke off after the certificate.
    pub version: Option<String>,
}

impl Tls {
    /// Whether a client would go on.
    #[must_use]
    pub fn trusted(&self) -> bool {
        self.distrust.is_empty()
    }

    /// The server's own certificate.
    #[must_use]
    pub fn leaf(&self) -> Option<&CertificateFacts> {
        self.chain.first()
    }
}

/// Looks at a target from here. Ends after [`Target::timeout`]; dropping the future ends it at once.
///
/// A chain that is not trusted is no error: it is in [`Tls::distrust`], and the request is made all the same unless it
/// has a token.
///
/// # Errors
/// When it did not come to a certificate (with TLS) or to an answer (without).
pub async fn look(target: &Target) -> Result<Seen, Failure> {
    look_through(target, &Direct).await
}

/// The same over another way.
///
/// # Errors
/// As [`look`].
pub async fn look_through(target: &Target, way: &dyn Connect) -> Result<Seen, Failure> {
    let deadline = Instant::now() + target.timeout;
    let late = |peer: &str, stage| Failure::TimedOut { peer: peer.to_owned(), stage };
    let Connection { stream, peer } =
        timeout_at(deadline, way.connect(target)).await.map_err(|_| late(&way.name(target), Stage::Connect))??;
    let url = target.to_string();
    let (stream, tls): (Box<dyn Stream>, _) = match target.scheme {
        Scheme::Http => (stream, None),
        Scheme::Https => {
            let (stream, tls) = handshake(stream, target, &peer, deadline).await?;
            match stream {
                Ok(stream) => (stream, Some(tls)),
                Err(failure) => return Ok(Seen { url, peer, tls: Some(tls), answer: Err(failure) }),
            }
        }
    };
    let answer = if target.bearer.is_some() && !tls.as_ref().is_some_and(Tls::trusted) {
        Err(Failure::Withheld)
    } else {
        timeout_at(deadline, ask(stream, target, &peer.name))
            .await
            .unwrap_or_else(|_| Err(late(&peer.name, Stage::Answer)))
    };
    match (&tls, answer) {
        (None, Err(failure)) => Err(failure),
        (_, answer) => Ok(Seen { url, peer, tls, answer }),
    }
}

type Handshake = (Result<Box<dyn Stream>, Failure>, Tls);

/// An error only where it did not come to a certificate.
async fn handshake(
    stream: Box<dyn Stream>,
    target: &Target,
    peer: &Peer,
    deadline: Instant,
) -> Result<Handshake, Failure> {
    let host = server_name(&target.host)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let recorder = Recorder::new(target.roots.store()?, Arc::clone(&provider));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<_>)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let shaken = timeout_at(deadline, TlsConnector::from(Arc::new(config)).connect(host, stream)).await;
    let shaken = match shaken {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(Failure::Tls { peer: peer.name.clone(), reason: words(&error) }),
        Err(_) => Err(Failure::TimedOut { peer: peer.name.clone(), stage: Stage::Handshake }),
    };
    match (recorder.seen(), shaken) {
        (None, Err(failure)) => Err(failure),
        (seen, shaken) => {
            // Without a certificate there is nothing to trust.
            let nothing = || (Vec::new(), vec![Distrust::Other("the server showed no certificate".to_owned())]);
            let (chain, distrust) = seen.unwrap_or_else(nothing);
            let version = shaken.as_ref().ok().and_then(|stream| stream.get_ref().1.protocol_version());
            let version = version.and_then(|version| version.as_str()).map(|name| name.replace('_', "."));
            Ok((shaken.map(|stream| Box::new(stream) as Box<dyn Stream>), Tls { chain, distrust, version }))
        }
    }
}

fn words(error: &std::io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    match tls {
        Some(TlsError::AlertReceived(AlertDescription::UnrecognisedName)) => {
            "the server does not know this host (alert unrecognized_name)".to_owned()
        }
        Some(TlsError::AlertReceived(AlertDescription::HandshakeFailure)) => {
            "the server refused it (alert handshake_failure): it has no certificate for this host, or no cipher in common"
                .to_owned()
        }
        Some(TlsError::AlertReceived(AlertDescription::ProtocolVersion)) => {
            "the server speaks no version of TLS from 1.2 on".to_owned()
        }
        Some(TlsError::InvalidMessage(_)) => "what came is not TLS; is this a port for plain HTTP?".to_owned(),
        Some(other) => other.to_string(),
        None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the connection was closed within the handshake".to_owned()
        }
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
