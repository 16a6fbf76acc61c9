//! Servers and certificates for the tests: real sockets, real handshakes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SerialNumber,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{Bundle, Roots, Target};

pub(crate) const HOST: &str = "ffe.example.com";

/// A certificate and its key.
pub(crate) struct Certified {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    pub(crate) key: String,
}

impl Certified {
    pub(crate) fn roots(&self) -> Roots {
        Roots::Bundle(Bundle::from_pem(self.pem.as_bytes()).unwrap())
    }
}

/// A certificate to be made: for [`HOST`], valid now.
pub(crate) struct Wanted {
    pub(crate) cn: &'static str,
    pub(crate) names: Vec<&'static str>,
    pub(crate) from: SignedDuration,
    pub(crate) until: SignedDuration,
    pub(crate) ca: bool,
    pub(crate) client_only: bool,
}

pub(crate) const fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(days * 24)
}

impl Wanted {
    pub(crate) fn server() -> Wanted {
        Wanted { cn: HOST, names: vec![HOST], from: days(-1), until: days(60), ca: false, client_only: false }
    }

    pub(crate) fn ca(cn: &'static str) -> Wanted {
        Wanted { cn, names: vec![], ca: true, until: days(3650), ..Wanted::server() }
    }

    pub(crate) fn params(&self) -> CertificateParams {
        let names: Vec<String> = self.names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Three Rivers");
        params.distinguished_name.push(DnType::CommonName, self.cn);
        let at =
            |offset: SignedDuration| std::time::SystemTime::from(Timestamp::now().checked_add(offset).unwrap()).into();
        params.not_before = at(self.from);
        params.not_after = at(self.until);
        params.serial_number = Some(SerialNumber::from_slice(&[0x0a, 0xbc, 0x12]));
        if self.ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        }
        if self.client_only {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        }
        params
    }

    pub(crate) fn self_signed(&self) -> Certified {
        let key = KeyPair::generate().unwrap();
        let params = self.params();
        let pem = params.self_signed(&key).unwrap().pem();
        Certified { key: key.serialize_pem(), issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn signed_by(&self, authority: &Certified) -> Certified {
        let key = KeyPair::generate().unwrap();
        let params = self.params();
        let pem = params.signed_by(&key, &authority.issuer).unwrap().pem();
        Certified { key: key.serialize_pem(), issuer: Issuer::new(params, key), pem }
    }
}

/// What a server answers.
#[derive(Clone, Default)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Page {
    pub(crate) fn new(status: u16, headers: &[(&'static str, &str)]) -> Page {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Page { status, headers, body: b"hello".to_vec() }
    }
}

/// A server that answers every request with one page and keeps the requests.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Request<()>>>>,
}

impl Server {
    pub(crate) async fn https(chain: &[&Certified], page: Page) -> Server {
        let certificates =
            chain.iter().map(|one| CertificateDer::from_pem_slice(one.pem.as_bytes()).unwrap()).collect();
        let key = PrivateKeyDer::from_pem_slice(chain[0].key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .unwrap();
        Server::start(Some(TlsAcceptor::from(Arc::new(config))), page).await
    }

    pub(crate) async fn http(page: Page) -> Server {
        Server::start(None, page).await
    }

    async fn start(acceptor: Option<TlsAcceptor>, page: Page) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<_>>> = Arc::default();
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, page, kept) = (acceptor.clone(), page.clone(), Arc::clone(&kept));
                tokio::spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        kept.lock().unwrap().push(request.map(|_| ()));
                        let mut response = Response::builder().status(page.status);
                        for (name, value) in &page.headers {
                            response = response.header(*name, value);
                        }
                        let response = response.body(Full::<Bytes>::from(page.body.clone()));
                        async move { response }
                    });
                    let server = http1::Builder::new();
                    match acceptor {
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            let _ = server.serve_connection(TokioIo::new(stream), service).await;
                        }
                        None => {
                            let _ = server.serve_connection(TokioIo::new(stream), service).await;
                        }
                    }
                });
            }
        });
        Server { address, requests }
    }

    pub(crate) fn target(&self) -> Target {
        Target::https(HOST).resolve_to(self.address).timeout(Duration::from_secs(30))
    }

    pub(crate) fn plain(&self) -> Target {
        Target::http(HOST).resolve_to(self.address).timeout(Duration::from_secs(30))
    }

    pub(crate) fn requests(&self) -> Vec<Request<()>> {
        self.requests.lock().unwrap().clone()
    }
}
