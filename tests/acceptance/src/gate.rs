//! A gate before the API server that stops at one request: before it gets through, or after it was done and before it is
//! answered. So a case ends a process at exactly this point, without guessing at times.
//!
//! It speaks plain HTTP to the client and leaves credentials and TLS to `kubectl proxy` behind it. What passes is noted.

mod request;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value as Json;

use crate::kube::Kube;
pub(crate) use request::Request;

/// Where a request is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It has not reached the server.
    Before,
    /// The server has done it, and the client does not know.
    After,
}

/// What becomes of a request that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It goes on its way.
    Pass,
    /// Its connection ends.
    Drop,
}

/// A request that is looked at, and how far the release's run has come.
pub(crate) struct Look<'a> {
    /// The request.
    pub(crate) request: &'a Request,
    /// The journal that it writes, if it does.
    pub(crate) journal: Option<&'a Json>,
    /// The last journal that was written through this gate before.
    pub(crate) written: &'a Json,
}

type Test = Box<dyn Fn(&Look<'_>) -> bool + Send>;

#[derive(Default)]
struct State {
    trap: Option<(Test, Moment)>,
    held: bool,
    then: Option<Then>,
    written: Json,
    passed: Vec<String>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The gate.
pub(crate) struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
    proxy: Option<Child>,
}

impl Gate {
    /// Opens a gate before the cluster.
    ///
    /// # Errors
    /// When kubectl does not serve or no port can be had.
    pub(crate) fn open(kube: &Kube) -> Result<Gate> {
        let mut proxy = kube
            .command(&["proxy", "--port=0", "--disable-filter=true"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(proxy.stdout.take().context("no output")?).read_line(&mut line)?;
        let server: SocketAddr =
            line.trim().rsplit(' ').next().and_then(|address| address.parse().ok()).with_context(|| {
                let _ended = proxy.kill();
                format!("kubectl proxy says {line:?}")
            })?;
        Gate::listen(server, Some(proxy))
    }

    /// Opens a gate before another server that speaks HTTP/1.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub(crate) fn before(server: SocketAddr) -> Result<Gate> {
        Gate::listen(server, None)
    }

    fn listen(server: SocketAddr, proxy: Option<Child>) -> Result<Gate> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let gate = Gate { address: listener.local_addr()?, shared: Arc::default(), proxy };
        let shared = Arc::clone(&gate.shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let _ended = pass(&client, server, &shared);
                    let _closed = client.shutdown(Shutdown::Both);
                });
            }
        });
        Ok(gate)
    }

    /// Writes a kubeconfig that leads through the gate; where it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn kubeconfig_in(&self, folder: &Path) -> Result<PathBuf> {
        let text = format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{ name: gate, cluster: {{ server: \"http://{}\" }} }}]\n\
             users: [{{ name: gate, user: {{}} }}]\n\
             contexts: [{{ name: gate, context: {{ cluster: gate, user: gate }} }}]\ncurrent-context: gate\n",
            self.address
        );
        let file = folder.join("kubeconfig");
        std::fs::write(&file, text)?;
        Ok(file)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the next request that passes the test, once.
    pub(crate) fn stop_at(&self, moment: Moment, test: impl Fn(&Look<'_>) -> bool + Send + 'static) {
        let mut state = self.shared.state();
        *state = State { trap: Some((Box::new(test), moment)), ..State::default() };
    }

    /// Waits until a request is stopped.
    ///
    /// # Errors
    /// When none is within the time, or `going_on` says no more.
    pub(crate) fn wait(&self, limit: Duration, mut going_on: impl FnMut() -> bool) -> Result<()> {
        let started = Instant::now();
        let mut state = self.shared.state();
        while !state.held {
            let over = !going_on();
            if over || started.elapsed() > limit {
                let tail: Vec<&String> = state.passed.iter().rev().take(20).collect();
                bail!("the request was not made ({}); the last ones: {tail:#?}", if over { "over" } else { "waited" });
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, Duration::from_millis(100))
                .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        Ok(())
    }

    /// Says what becomes of the request that was stopped.
    pub(crate) fn let_go(&self, then: Then) {
        self.shared.state().then = Some(then);
        self.shared.changed.notify_all();
    }

    /// How many requests got through since [`Gate::stop_at`] whose line (`POST /path name`) holds all of these.
    pub(crate) fn passed(&self, parts: &[&str]) -> usize {
        let state = self.shared.state();
        state.passed.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(proxy) = &mut self.proxy {
            let _ended = proxy.kill();
            let _reaped = proxy.wait();
        }
    }
}

/// Hands one request and its answer on.
fn pass(client: &TcpStream, server: SocketAddr, shared: &Shared) -> Result<()> {
    let Some(request) = Request::read(client)? else { return Ok(()) };
    let stopped = stops(&request, shared);
    if stopped == Some(Moment::Before) && hold(shared) == Then::Drop {
        return Ok(());
    }
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(&request.onward())?;
    if request.is_upgrade() {
        return splice(client, &upstream);
    }
    if stopped == Some(Moment::After) {
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer)?;
        note(&request, shared);
        if hold(shared) == Then::Pass {
            (&*client).write_all(&answer)?;
        }
        return Ok(());
    }
    note(&request, shared);
    std::io::copy(&mut upstream, &mut &*client)?;
    Ok(())
}

/// Whether this is the request to stop at.
fn stops(request: &Request, shared: &Shared) -> Option<Moment> {
    let mut state = shared.state();
    let journal = request.journal();
    let look = Look { request, journal: journal.as_ref(), written: &state.written };
    let moment = state.trap.as_ref().filter(|(test, _)| test(&look)).map(|(_, moment)| *moment);
    if moment.is_some() {
        state.trap = None;
    }
    if let Some(journal) = journal {
        state.written = journal;
    }
    moment
}

fn note(request: &Request, shared: &Shared) {
    shared.state().passed.push(request.line());
}

/// Holds the request until it is said what becomes of it.
fn hold(shared: &Shared) -> Then {
    let mut state = shared.state();
    state.held = true;
    shared.changed.notify_all();
    loop {
        if let Some(then) = state.then {
            return then;
        }
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// Both directions, until one ends.
fn splice(client: &TcpStream, server: &TcpStream) -> Result<()> {
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _copied = std::io::copy(&mut from, &mut to);
        let _closed = to.shutdown(Shutdown::Both);
    });
    std::io::copy(&mut &*server, &mut &*client)?;
    Ok(())
}
