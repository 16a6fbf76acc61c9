//! Stand-ins for Slack, Discord and a receiver of webhooks.
//!
//! They are written from the public contracts and check what the services check: the URL, the form of a message and
//! its limits. They record what they got and can be told to fail. Plain HTTP on the loopback address, on a thread of
//! their own, so tests need no runtime.

mod contract;
mod server;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::channel::Kind;
use server::Server;

/// The secret part of every stand-in's URL: a text to look for where it must not be.
pub const SECRET: &str = "hushXXstandinXXwebhookXXsecretXX";

/// What a stand-in does instead of its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers 429 and asks to wait this long: in whole seconds, rounded up, for Slack and webhooks; in fractions for
    /// Discord.
    RateLimited(Duration),
    /// Answers with this status and no reason.
    Status(u16),
    /// Sends the client elsewhere.
    Redirect(String),
    /// Closes the connection without an answer.
    Disconnect,
    /// Never answers.
    Hang,
}

/// A request that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The status of the answer; none where there was no answer.
    pub status: Option<u16>,
    /// The body, null where it was no JSON.
    pub body: Value,
    /// The headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Received {
    /// A header by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Whether the message was taken.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

#[derive(Debug)]
struct Shared {
    kind: Kind,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<Fault>,
    received: Vec<Received>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running stand-in; stops when dropped.
#[derive(Debug)]
pub struct Standin {
    shared: Arc<Shared>,
    server: Server,
}

impl Standin {
    /// A stand-in for Slack.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub fn slack() -> std::io::Result<Standin> {
        Self::start(Kind::Slack)
    }

    /// A stand-in for Discord.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub fn discord() -> std::io::Result<Standin> {
        Self::start(Kind::Discord)
    }

    /// A receiver of webhooks that takes any JSON.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub fn webhook() -> std::io::Result<Standin> {
        Self::start(Kind::Webhook)
    }

    fn start(kind: Kind) -> std::io::Result<Standin> {
        let shared = Arc::new(Shared { kind, state: Mutex::default() });
        Ok(Standin { server: Server::start(Arc::clone(&shared))?, shared })
    }

    /// What it stands for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.shared.kind
    }

    /// The URL to configure: a secret, as the real one.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}", self.host(), contract::path(self.shared.kind))
    }

    /// Host and port of the URL.
    #[must_use]
    pub fn host(&self) -> String {
        self.server.address().to_string()
    }

    /// The part of the URL that must appear nowhere.
    #[must_use]
    pub fn secret(&self) -> &'static str {
        SECRET
    }

    /// Fails the next `times` requests, after those that were ordered before.
    pub fn fail(&self, times: usize, fault: Fault) {
        self.shared.state().faults.extend(std::iter::repeat_n(fault, times));
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    /// The bodies of those that were taken.
    #[must_use]
    pub fn accepted(&self) -> Vec<Value> {
        self.received().into_iter().filter(Received::accepted).map(|received| received.body).collect()
    }

    /// Stops listening and says what came.
    #[must_use]
    pub fn stop(self) -> Vec<Received> {
        let Standin { shared, server } = self;
        drop(server);
        std::mem::take(&mut shared.state().received)
    }
}
