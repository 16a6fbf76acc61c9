//! Helm, stopped before it writes anything.
//!
//! An install or an upgrade writes its record first: chart, values, manifest and hooks, just as they will be deployed. Helm reaches
//! the API server through a door of ours, and there this first write waits. So what will be deployed can be looked at, and much be
//! done in between, and then the same Helm goes on with the very same thing; or it is ended, and has changed nothing. The record's
//! name holds its revision, so a revision that somebody else has made meanwhile keeps Helm from writing its own.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ffe_cluster::{Guard, Write};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::operations::done;
use super::{Call, DeployRequest, Done, Driver, Helm};
use crate::manifest::Manifest;
use crate::records::{Release, decode};
use crate::{Error, Result};

/// What is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deployment {
    /// A release that is not there yet.
    Install,
    /// A release that is there.
    Upgrade,
}

impl Deployment {
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
        }
    }
}

/// A Helm that waits. It is ended when this is dropped.
pub struct Held {
    manifest: Manifest,
    run: Running,
    /// Ends it in Helm's own time.
    stop: CancellationToken,
    go: CancellationToken,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

/// Killed, with all that it has started, when it is dropped.
struct Running(JoinHandle<Result<Done>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Running {
    async fn ended(&mut self) -> Result<Done> {
        (&mut self.0)
            .await
            .unwrap_or_else(|error| Err(Error::Internal { problem: format!("helm was not followed: {error}") }))
    }
}

impl Helm {
    /// Starts an install or an upgrade, up to where it would write for the first time. `None` where it would not begin with its
    /// record: what it would do cannot be looked at then, and has not been done.
    ///
    /// # Errors
    /// The chart does not render, or Helm refuses to deploy it; when that takes longer than `within`.
    pub async fn hold(
        &self,
        deployment: Deployment,
        request: &DeployRequest<'_>,
        within: Duration,
        cancel: &CancellationToken,
    ) -> Result<Option<Held>> {
        let operation = deployment.operation();
        let cluster = self.shared.config.cluster.as_ref().ok_or(Error::NoCluster { operation })?;
        let (go, stop) = (CancellationToken::new(), CancellationToken::new());
        let (tell, mut arrival) = mpsc::unbounded_channel();
        let door = cluster.open_door(guard(go.clone(), tell, self.driver())).await?;
        let call = Call { door: Some(door), begins: Some(go.clone()), ..self.deployment(deployment, request).await? };
        let (helm, ends) = (self.clone(), stop.clone());
        let mut run = Running(tokio::spawn(async move { helm.call(call, &ends).await.map(done) }));
        let arrived = tokio::select! {
            biased;
            ended = run.ended() => return Err(match ended {
                Err(error) => error,
                Ok(_) => Error::Internal { problem: format!("helm {operation} ended without having written a record") },
            }),
            Some(arrived) = arrival.recv() => arrived,
            () = cancel.cancelled() => return Err(Error::Cancelled { operation }),
            () = tokio::time::sleep(within) => {
                let last = "it was still rendering the chart".to_owned();
                return Err(Error::TimedOut { operation, seconds: within.as_secs(), last });
            }
        };
        let Some(release) = arrived? else { return Ok(None) };
        Ok(Some(Held { manifest: release.parsed_manifest()?, run, stop, go }))
    }
}

impl Held {
    /// What will be deployed, hooks included.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether it still waits: one that was killed has changed nothing.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.run.0.is_finished()
    }

    /// Lets it go on, to the end.
    ///
    /// # Errors
    /// As [`Helm::install`] and [`Helm::upgrade`]; [`Cause::Outrun`](super::Cause::Outrun) where somebody else has made the revision
    /// meanwhile: then nothing was done.
    pub async fn go_on(mut self, cancel: &CancellationToken) -> Result<Done> {
        self.go.cancel();
        tokio::select! {
            biased;
            ended = self.run.ended() => return ended,
            () = cancel.cancelled() => self.stop.cancel(),
        }
        self.run.ended().await
    }
}

/// Lets writes wait until `go`, and tells of the first: the release that it records, if it does.
fn guard(go: CancellationToken, tell: mpsc::UnboundedSender<Result<Option<Release>>>, driver: Driver) -> Guard {
    Arc::new(move |write| {
        let (go, tell) = (go.clone(), tell.clone());
        Box::pin(async move {
            if !go.is_cancelled() {
                // Nobody listens any more once there was a first.
                drop(tell.send(recorded(&write, driver)));
                go.cancelled().await;
            }
        })
    })
}

/// The release that a write records; `None` for any other write.
fn recorded(write: &Write, driver: Driver) -> Result<Option<Release>> {
    let place = match driver {
        Driver::Secret => "/secrets",
        Driver::ConfigMap => "/configmaps",
    };
    if write.method.as_str() != "POST" || !write.path.ends_with(place) {
        return Ok(None);
    }
    let unreadable =
        |problem: &str| Error::Internal { problem: format!("the record that helm writes cannot be read: {problem}") };
    let object = Stored::read(&write.body, driver).map_err(unreadable)?;
    if !object.name.starts_with("sh.helm.release.") || object.owner != "helm" {
        return Ok(None);
    }
    let content = object.release;
    decode(&content).map(Some).map_err(|problem| unreadable(&problem))
}

/// What is looked at of the object that holds a record.
#[derive(Debug, Default)]
struct Stored {
    name: String,
    owner: String,
    release: Vec<u8>,
}

impl Stored {
    /// Reads it in the form that Helm's client sends: Kubernetes' protobuf, of older clients JSON.
    fn read(body: &[u8], driver: Driver) -> std::result::Result<Self, &'static str> {
        match body.strip_prefix(protobuf::MAGIC) {
            Some(envelope) => protobuf::read(envelope).ok_or("it is not what Kubernetes' protobuf is"),
            None => Self::of_json(body, driver),
        }
    }

    fn of_json(body: &[u8], driver: Driver) -> std::result::Result<Self, &'static str> {
        let object: Value = serde_json::from_slice(body).map_err(|_| "it is not JSON")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let release = text(&object["data"]["release"]);
        let release = match driver {
            Driver::Secret => STANDARD.decode(release).map_err(|_| "it is not base64")?,
            Driver::ConfigMap => release.into_bytes(),
        };
        let meta = &object["metadata"];
        Ok(Self { name: text(&meta["name"]), owner: text(&meta["labels"]["owner"]), release })
    }
}

/// The few fields of a Secret or ConfigMap that matter here: `k8s.io/api/core/v1/generated.proto`.
mod protobuf {
    use std::collections::HashMap;

    use prost::Message;

    use super::Stored;

    pub(super) const MAGIC: &[u8] = b"k8s\0";

    /// `runtime.Unknown`.
    #[derive(Clone, PartialEq, Message)]
    struct Envelope {
        #[prost(bytes = "vec", tag = "2")]
        raw: Vec<u8>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Object {
        #[prost(message, optional, tag = "1")]
        metadata: Option<Meta>,
        /// Texts of a ConfigMap are bytes on the wire.
        #[prost(map = "string, bytes", tag = "2")]
        data: HashMap<String, Vec<u8>>,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Meta {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(map = "string, string", tag = "11")]
        labels: HashMap<String, String>,
    }

    pub(super) fn read(envelope: &[u8]) -> Option<Stored> {
        let envelope = Envelope::decode(envelope).ok()?;
        let mut object = Object::decode(envelope.raw.as_slice()).ok()?;
        let mut meta = object.metadata.unwrap_or_default();
        Some(Stored {
            name: meta.name,
            owner: meta.labels.remove("owner").unwrap_or_default(),
            release: object.data.remove("release").unwrap_or_default(),
        })
    }

    #[cfg(test)]
    mod tests {
        #![allow(clippy::unwrap_used)]
        use super::*;

        #[test]
        fn an_object_is_read_from_its_envelope() {
            let meta = Meta { name: "n".into(), labels: HashMap::from([("owner".into(), "helm".into())]) };
            let data = HashMap::from([("release".into(), b"x".to_vec())]);
            let raw = Object { metadata: Some(meta), data }.encode_to_vec();
            let found = read(&Envelope { raw }.encode_to_vec()).unwrap();
            assert_eq!((found.name.as_str(), found.owner.as_str(), found.release.as_slice()), ("n", "helm", &b"x"[..]));
            assert!(read(&[0xff, 0xff]).is_none());
        }
    }
}
