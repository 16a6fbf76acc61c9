//! The HTTP of the stand-in.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::contract::{self, Reply};
use super::{Fault, PREFIX, Received, Shared};

/// A listener on a thread of its own.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(address: SocketAddr, shared: Arc<Shared>) -> io::Result<Server> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("cloudflare-standin".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = listen(listener, shared) => {}
                }
            });
        })?;
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

async fn listen(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| take(request, Arc::clone(&shared)));
    // A client that goes away, or a fault that closes the connection, is no matter.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// What becomes of the connection.
enum Outcome {
    Answer(Reply, Duration),
    Close,
    Hang,
}

async fn take(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let outcome = {
        let mut state = shared.state();
        let fault = state.fault(head.method.as_str());
        let mut work = || contract::reply(&mut state, &head, &body);
        let outcome = match fault {
            None => Outcome::Answer(work(), Duration::ZERO),
            Some(Fault::Slow(delay)) => Outcome::Answer(work(), delay),
            Some(Fault::Hang) => Outcome::Hang,
            Some(Fault::Disconnect) => Outcome::Close,
            Some(Fault::DisconnectAfter) => {
                let _ = work();
                Outcome::Close
            }
            Some(Fault::StatusAfter(status)) => {
                let _ = work();
                Outcome::Answer(Reply::page(status), Duration::ZERO)
            }
            Some(Fault::Status(status)) => Outcome::Answer(Reply::page(status), Duration::ZERO),
            Some(Fault::Redirect(url)) => Outcome::Answer(Reply::page(302).with("location", url), Duration::ZERO),
            Some(Fault::Refuse { status, code, message }) => {
                Outcome::Answer(Reply::refused(status, code, &message), Duration::ZERO)
            }
            Some(Fault::RefuseAfter { status, code, message }) => {
                let _ = work();
                Outcome::Answer(Reply::refused(status, code, &message), Duration::ZERO)
            }
            Some(Fault::RateLimited(after)) => Outcome::Answer(Reply::rate_limited(after), Duration::ZERO),
        };
        let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        state.received.push(Received {
            method: head.method.to_string(),
            path: path.strip_prefix(PREFIX).unwrap_or(&path).to_owned(),
            status: match &outcome {
                Outcome::Answer(reply, _) => Some(reply.status),
                Outcome::Close | Outcome::Hang => None,
            },
            body,
            headers: head
                .headers
                .iter()
                .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
        });
        outcome
    };
    match outcome {
        Outcome::Answer(reply, delay) => {
            tokio::time::sleep(delay).await;
            reply.response()
        }
        Outcome::Hang => std::future::pending().await,
        Outcome::Close => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

impl Reply {
    fn response(self) -> io::Result<Response<Full<Bytes>>> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(Full::from(self.body)).map_err(io::Error::other)
    }
}
