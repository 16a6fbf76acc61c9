//! Mutual TLS with a client whose one certificate was named in advance.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme};
use tokio_rustls::TlsAcceptor;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// Our certificate cannot be made.
    #[error("Cannot make a certificate for the connection with Terraform: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The pieces do not fit together.
    #[error("Cannot set up TLS for the connection with Terraform: {0}")]
    Setup(#[from] Error),
}

/// Who we are for the length of this process.
pub(crate) struct Identity {
    /// Our certificate, which the client pins in its turn.
    pub(crate) certificate: CertificateDer<'static>,
    /// Takes connections of the pinned client, and of nobody else.
    pub(crate) acceptor: TlsAcceptor,
}

impl Identity {
    /// A fresh P-256 key and certificate for `localhost`, and an acceptor that lets in nobody but the
    /// holder of the key of `client`.
    ///
    /// The certificate's dates are rcgen's (the far past, the far future): the pin is what counts, the
    /// key lives as long as the process, and a clock that is wrong should not stop anyone.
    pub(crate) fn for_client(client: CertificateDer<'static>) -> Result<Identity, TlsError> {
        let key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()])?;
        params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.self_signed(&key)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));

        let crypto = Arc::new(aws_lc_rs::default_provider());
        let verifier = PinnedClient { pinned: client, crypto: Arc::clone(&crypto) };
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(verifier))
            .with_single_cert(vec![certificate.clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Nobody reconnects to a plugin: tickets would only cost.
        config.send_tls13_tickets = 0;
        Ok(Identity { certificate, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

/// Accepts one certificate, byte for byte, and whoever proves to hold its key.
///
/// The stock verifier cannot serve here: the runner's certificate is self-signed with CA:TRUE, which a
/// path builder refuses as an end entity, and an optional verifier would let the unauthenticated in.
#[derive(Debug)]
struct PinnedClient {
    pinned: CertificateDer<'static>,
    crypto: Arc<CryptoProvider>,
}

impl ClientCertVerifier for PinnedClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // Not a secret comparison: certificates are public, the proof is the signature below.
        if end_entity.as_ref() == self.pinned.as_ref() {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.crypto.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.crypto.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}
