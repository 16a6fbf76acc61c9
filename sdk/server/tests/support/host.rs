//! The plugin runner's side of the conversation: starts a provider process and connects to it.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "helpers of the process tests")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

pub const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");
/// Makes this very test program the provider.
pub const BE_THE_PROVIDER: &str = "TINY_PROVIDER";
/// Only so that a test that would hang fails instead.
const LIMIT: Duration = Duration::from_secs(30);

/// A client's certificate as the plugin runner makes it: P-521, CA:TRUE, self-signed, for localhost.
pub struct Identity {
    pub pem: String,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub fn new() -> Identity {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
        let certificate = params.self_signed(&key).unwrap();
        Identity {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        }
    }
}

/// This program, about to be a provider, without what Terraform would say to it.
pub fn command() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env_clear().env(BE_THE_PROVIDER, "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same with what Terraform says; `client` is pinned.
pub fn invited(client: Option<&Identity>) -> Command {
    let mut command = command();
    command.env(COOKIE.0, COOKIE.1).env("PLUGIN_PROTOCOL_VERSIONS", "5,6");
    if let Some(client) = client {
        command.env("PLUGIN_CLIENT_CERT", &client.pem);
    }
    command
}

/// A provider that runs.
pub struct Host {
    pub child: Child,
    /// The first line of its standard output.
    pub line: String,
    stdout: BufReader<std::process::ChildStdout>,
    stderr: Arc<Mutex<String>>,
    /// Its directory for temporary files: a provider that is killed cannot clean up.
    _temp: tempfile::TempDir,
}

impl Host {
    /// Starts it and waits for its first line.
    pub fn start(command: &mut Command) -> Host {
        let temp = tempfile::tempdir().unwrap();
        let mut child = command.env("TMPDIR", temp.path()).spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let (collected, pipe) = (Arc::clone(&stderr), BufReader::new(child.stderr.take().unwrap()));
        std::thread::spawn(move || {
            for line in pipe.lines().map_while(Result::ok) {
                let mut collected = collected.lock().unwrap();
                collected.push_str(&line);
                collected.push('\n');
            }
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        Host { child, line: line.trim_end().to_owned(), stdout, stderr, _temp: temp }
    }

    /// Field `number` of the handshake line, from zero.
    pub fn field(&self, number: usize) -> &str {
        self.line.split('|').nth(number).unwrap_or_else(|| panic!("no field {number} in \"{}\"", self.line))
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        PathBuf::from(self.field(3))
    }

    /// A connection as `client`; without one, TLS without a certificate of our own.
    pub async fn connect(&self, client: Option<&Identity>) -> Result<Channel, Box<dyn std::error::Error>> {
        let der = base64::engine::general_purpose::STANDARD_NO_PAD.decode(self.field(5))?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(der))?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match client {
            Some(client) => config.with_client_auth_cert(vec![client.certificate.clone()], client.key.clone_key())?,
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        let socket = self.socket();
        let connect = tower::service_fn(move |_| {
            let (connector, socket) = (connector.clone(), socket.clone());
            async move {
                let stream = UnixStream::connect(socket).await?;
                let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        Ok(Endpoint::from_static("http://localhost").connect_with_connector(connect).await?)
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Waits for a line of the log that has `text` in it.
    pub fn wait_for_log(&self, text: &str) -> String {
        until(&format!("\"{text}\" in the log"), || {
            self.log().lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and for its standard output after the first line.
    pub fn end(&mut self) -> (ExitStatus, String) {
        let status = until("the end of the provider", || self.child.try_wait().unwrap());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (status, rest)
    }

    /// Waits until nobody holds its standard output any more.
    pub fn end_of_output(&mut self) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection without TLS.
pub async fn connect_plain(socket: &Path) -> Result<Channel, tonic::transport::Error> {
    let socket = socket.to_owned();
    let connect = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connect).await
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < LIMIT, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
