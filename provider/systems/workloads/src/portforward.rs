//! Reaching a Service's pods from outside of the cluster, through the API server.

mod http;
mod target;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ffe_cluster::{Cluster, Error, Kind, ObjectRef, Query, Result};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::Api;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

pub use self::http::HttpAnswer;
pub use target::ServicePort;

/// A connection to one port of one pod. Closed when dropped.
pub struct Forwarded {
    pod: String,
    port: u16,
    stream: DuplexStream,
    forwarder: kube::api::Portforwarder,
    complaint: Option<Pin<Box<dyn Future<Output = Option<String>> + Send>>>,
}

impl Forwarded {
    /// The pod that was chosen.
    pub fn pod(&self) -> &str {
        &self.pod
    }

    /// The pod's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Why the connection broke, in the words of the node (`connection refused`), once it did. Waits
    /// a moment for it, because it comes on a way of its own.
    pub async fn complaint(&mut self) -> Option<String> {
        let complaint = self.complaint.take()?;
        tokio::time::timeout(Duration::from_secs(1), complaint).await.ok().flatten()
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.forwarder.abort();
    }
}

/// Connects to a port of a Service, given by number or name, at one of its ready pods.
///
/// # Errors
/// [`Kind::NotFound`] without the Service, [`Kind::Invalid`] when it has no such port,
/// [`Kind::Unavailable`] when no pod behind it is ready, and those of requests.
pub async fn forward(
    cluster: &Cluster,
    namespace: &str,
    service: &str,
    port: impl Into<ServicePort>,
) -> Result<Forwarded> {
    let port = port.into();
    let object = ObjectRef::of::<Service>(Some(namespace), service);
    let found: Service = cluster.get(Some(namespace), service).await?;
    let refuse = |kind, message: String| Error::Request {
        kind,
        operation: "connect to",
        object: Box::new(object.clone()),
        server: cluster.server().to_owned(),
        message,
        source: None,
    };
    let wanted = target::service_port(&found, &port).map_err(|message| refuse(Kind::Invalid, message))?;
    let selector = target::selector(&found).map_err(|message| refuse(Kind::Invalid, message))?;
    let pods: Vec<Pod> = cluster.list(Some(namespace), &Query::labels(selector)).await?;
    let (pod, port) = target::choose(&pods, &wanted).map_err(|message| refuse(Kind::Unavailable, message))?;
    forward_pod(cluster, namespace, &pod, port).await
}

/// Connects to a port of a pod.
///
/// # Errors
/// Those of requests.
async fn forward_pod(cluster: &Cluster, namespace: &str, pod: &str, port: u16) -> Result<Forwarded> {
    let object = ObjectRef::of::<Pod>(Some(namespace), pod);
    let api: Api<Pod> = Api::namespaced(cluster.client().await?, namespace);
    let mut forwarder = api
        .portforward(pod, &[port])
        .await
        .map_err(|error| cluster.failed("open a port-forward to", &object, error))?;
    let complaint = forwarder
        .take_error(port)
        .map(|complaint| Box::pin(complaint) as Pin<Box<dyn Future<Output = Option<String>> + Send>>);
    let stream = forwarder.take_stream(port).ok_or_else(|| Error::Malformed {
        what: format!("port-forward to {object}"),
        message: "it has no stream".to_owned(),
    })?;
    Ok(Forwarded { pod: pod.to_owned(), port, stream, forwarder, complaint })
}

/// One HTTP GET at a ready pod behind a Service. The answer may have any status; redirects are
/// not followed. Headers are taken to be secret.
///
/// # Errors
/// As [`forward`]; [`Kind::Unavailable`] when the pod does not answer (with the node's
/// own words), [`Error::Timeout`].
pub async fn http_get(
    cluster: &Cluster,
    namespace: &str,
    service: &str,
    port: impl Into<ServicePort>,
    path: &str,
    headers: &[(String, String)],
    timeout: Duration,
) -> Result<HttpAnswer> {
    let object = ObjectRef::of::<Service>(Some(namespace), service);
    let port = port.into();
    let host = format!("{service}.{namespace}");
    let asked = async {
        let mut forwarded = forward(cluster, namespace, service, port).await?;
        let pod = forwarded.pod().to_owned();
        let result = http::get(&mut forwarded, &host, path, headers).await;
        match result {
            Ok(answer) => Ok(HttpAnswer { pod, ..answer }),
            Err(error) => {
                let said = forwarded.complaint().await.map(|said| format!(": {}", said.trim())).unwrap_or_default();
                Err(Error::Request {
                    kind: Kind::Unavailable,
                    operation: "get an answer from",
                    object: Box::new(ObjectRef::of::<Pod>(Some(namespace), &pod)),
                    server: cluster.server().to_owned(),
                    message: format!("port {}: {error}{said}", forwarded.port()),
                    source: Some(Box::new(error)),
                })
            }
        }
    };
    match tokio::time::timeout(timeout, asked).await {
        Ok(result) => result,
        Err(_) => Err(Error::Timeout {
            what: format!("an answer of {object} to GET {path}"),
            object: Some(Box::new(object)),
            after: timeout,
            last: "none came".to_owned(),
            explanation: None,
        }),
    }
}

impl AsyncRead for Forwarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Forwarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
