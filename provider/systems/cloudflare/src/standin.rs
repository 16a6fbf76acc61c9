//! A stand-in for Cloudflare's API v4, for tests.
//!
//! It is not Cloudflare: it is written from the public contract of the endpoints for zones and DNS records (list with
//! paging, create, overwrite, change, delete, batch), and checks what the API checks: the token, the zone, the form of
//! a record, duplicates. It keeps its zones in memory, records what it got and can be told to fail. Plain HTTP on a
//! thread of its own, so tests need no runtime and a provider in another process can use it.

mod contract;
mod rules;
mod server;
mod store;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::record::Record;
use server::Server;
use store::Store;

/// The token that a stand-in takes: a text to look for where it must not be.
pub const TOKEN: &str = "hushXXstandinXXcloudflareXXtokenXX";
/// The path of the API.
const PREFIX: &str = "/client/v4";

/// What a stand-in does besides, or instead of, its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers 429 and asks to wait this long (whole seconds, rounded up).
    RateLimited(Duration),
    /// Answers with this status and a page of HTML, as a proxy in front would.
    Status(u16),
    /// Refuses with a status, a code and a message.
    Refuse {
        /// The status.
        status: u16,
        /// The code.
        code: u32,
        /// The message.
        message: String,
    },
    /// Does what was asked, and refuses it all the same: as if an earlier request for it had come through late.
    RefuseAfter {
        /// The status.
        status: u16,
        /// The code.
        code: u32,
        /// The message.
        message: String,
    },
    /// Sends the client elsewhere.
    Redirect(String),
    /// Closes the connection without doing anything.
    Disconnect,
    /// Does what was asked, and closes the connection without an answer.
    DisconnectAfter,
    /// Does what was asked, and answers with this status all the same.
    StatusAfter(u16),
    /// Never answers, and does nothing.
    Hang,
    /// Does its work, this much later.
    Slow(Duration),
}

/// A request that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The path below the base URL, with the query.
    pub path: String,
    /// The status of the answer; none where there was none.
    pub status: Option<u16>,
    /// The body, null where it was no JSON.
    pub body: Value,
    /// The headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct State {
    store: Store,
    faults: VecDeque<(Option<String>, Fault)>,
    received: Vec<Received>,
    /// Zones in which the token may only read.
    read_only: BTreeSet<String>,
    /// Not more than this on a page, whatever is asked for.
    page: Option<usize>,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running stand-in; stops when dropped.
#[derive(Debug)]
pub struct StandIn {
    shared: Arc<Shared>,
    server: Server,
}

impl StandIn {
    /// Starts one without zones, on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be listened on.
    pub fn start() -> std::io::Result<StandIn> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts one on this address.
    ///
    /// # Errors
    /// When it cannot be listened on.
    pub fn start_at(address: SocketAddr) -> std::io::Result<StandIn> {
        let shared = Arc::<Shared>::default();
        Ok(StandIn { server: Server::start(address, Arc::clone(&shared))?, shared })
    }

    /// What to configure as base URL.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}{PREFIX}", self.server.address())
    }

    /// The token that it takes; any other is refused.
    #[must_use]
    pub fn token(&self) -> &'static str {
        TOKEN
    }

    /// Makes an active zone, and says its id.
    pub fn seed_zone(&self, name: &str) -> String {
        self.shared.state().store.zone(name, "active")
    }

    /// Makes a zone with another status, such as `pending`, and says its id.
    pub fn seed_zone_with_status(&self, name: &str, status: &str) -> String {
        self.shared.state().store.zone(name, status)
    }

    /// Forgets a zone and its records, as if it had been removed from the account.
    pub fn remove_zone(&self, id: &str) {
        self.shared.state().store.remove_zone(id);
    }

    /// Makes a record of somebody else, without any checks, and says its id. None where there is no such zone.
    pub fn seed_record(
        &self,
        zone_id: &str,
        name: &str,
        kind: &str,
        content: &str,
        comment: Option<&str>,
    ) -> Option<String> {
        self.shared.state().store.seed(zone_id, name, kind, content, comment)
    }

    /// The records of a zone as they are now, in the order in which they were made.
    #[must_use]
    pub fn records(&self, zone_id: &str) -> Vec<Record> {
        self.shared.state().store.records(zone_id)
    }

    /// Takes away the token's permission to write to a zone.
    pub fn read_only(&self, zone_id: &str) {
        self.shared.state().read_only.insert(zone_id.to_owned());
    }

    /// Puts no more than this on a page, whatever is asked for.
    pub fn page_size(&self, most: usize) {
        self.shared.state().page = Some(most.max(1));
    }

    /// Fails the next `times` requests, after those that were ordered before.
    pub fn fail(&self, times: usize, fault: Fault) {
        self.shared.state().faults.extend(std::iter::repeat_n((None, fault), times));
    }

    /// Fails the next `times` requests of a method.
    pub fn fail_on(&self, method: &str, times: usize, fault: Fault) {
        let ordered = (Some(method.to_ascii_uppercase()), fault);
        self.shared.state().faults.extend(std::iter::repeat_n(ordered, times));
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    /// How many requests of a method came so far.
    #[must_use]
    pub fn count(&self, method: &str) -> usize {
        self.shared.state().received.iter().filter(|received| received.method == method).count()
    }
}

impl State {
    /// The fault for this request, where one was ordered.
    fn fault(&mut self, method: &str) -> Option<Fault> {
        let applies = |(of, _): &(Option<String>, Fault)| of.as_deref().is_none_or(|of| of == method);
        let index = self.faults.iter().position(applies)?;
        self.faults.remove(index).map(|(_, fault)| fault)
    }
}

#[cfg(test)]
mod tests;
