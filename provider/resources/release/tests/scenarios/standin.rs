//! Stands for Helm: a program that hands each call over to the test, which does to the API in memory what Helm would do to
//! a cluster. A chart renders to one ConfigMap with the value `text`, or to the value `manifest` as it is.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ffe_cluster_testing::FakeApi;
use ffe_helm::manifest::Manifest;
use serde_json::{Value as Json, json};

use crate::world::{
    NAMESPACE, ORDINARY, manifest, put_objects, put_record_of, read_record, record, record_of, reference,
};

const SCRIPT: &str = r#"
if [ "$1" = version ]; then echo v4.3.1; exit 0; fi
at="$(dirname "$0")/call.$$"
cat > "$at.in"
before=
for word; do [ "$before" = --kubeconfig ] && cat "$word" > "$at.kubeconfig"; before=$word; done
printf '%s\n' "$@" > "$at.tmp" && mv "$at.tmp" "$at.args"
while [ ! -e "$at.code" ]; do sleep 0.01; done
cat "$at.out"; cat "$at.err" >&2
code=$(cat "$at.code"); rm -f "$at".*; exit "$code"
"#;

/// The stand-in; it ends when this is dropped.
pub(crate) struct StandIn {
    folder: tempfile::TempDir,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    over: AtomicBool,
    /// Calls, without those that render.
    calls: Mutex<Vec<String>>,
    /// Operations that fail, with what they say.
    failing: Mutex<Vec<(String, String)>>,
    /// What happens right after an operation.
    after: Mutex<Vec<(String, After)>>,
    /// What the chart looks up in the cluster.
    looked_up: Arc<Mutex<Option<String>>>,
    /// Whoever waits is killed.
    kills: AtomicBool,
}

type After = Box<dyn Fn(&FakeApi) + Send>;

impl StandIn {
    /// One that works on this API.
    pub(crate) fn new(api: &FakeApi) -> StandIn {
        let folder = tempfile::tempdir().unwrap();
        // A link to a program that was there before: one that is written and run at once may still be open elsewhere.
        let player = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systems/helm/tests/fake-helm");
        symlink(player, folder.path().join("helm")).unwrap();
        std::fs::write(folder.path().join("helm.script"), SCRIPT).unwrap();
        let state = Arc::new(State::default());
        let (api, place, shared) = (api.clone(), folder.path().to_owned(), Arc::clone(&state));
        let thread = std::thread::spawn(move || {
            while !shared.over.load(Ordering::Relaxed) {
                answer_all(&api, &place, &shared);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        StandIn { folder, state, thread: Some(thread) }
    }

    /// The program.
    pub(crate) fn binary(&self) -> PathBuf {
        self.folder.path().join("helm")
    }

    /// The next call of this operation fails and says this; a deployment leaves a record that says so.
    pub(crate) fn fail(&self, operation: &str, words: &str) {
        self.state.failing.lock().unwrap().push((operation.to_owned(), words.to_owned()));
    }

    /// Does this right after the next call of this operation, before Helm itself has ended.
    pub(crate) fn on(&self, operation: &str, then: impl Fn(&FakeApi) + Send + 'static) {
        self.state.after.lock().unwrap().push((operation.to_owned(), Box::new(then)));
    }

    /// The chart looks this up from now on, and renders it.
    pub(crate) fn look_up(&self, text: &str) {
        *self.state.looked_up.lock().unwrap() = Some(text.to_owned());
    }

    /// The same after the next call of an operation.
    pub(crate) fn look_up_after(&self, operation: &str, text: &'static str) {
        let looked_up = Arc::clone(&self.state.looked_up);
        self.on(operation, move |_| *looked_up.lock().unwrap() = Some(text.to_owned()));
    }

    /// Kills the Helm that waits before its first write, and comes back once it is dead.
    pub(crate) fn kill_waiting(&self) {
        self.state.kills.store(true, Ordering::Relaxed);
        while self.state.kills.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it was called for since the last time, without rendering.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.calls.lock().unwrap())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer_all(api: &FakeApi, place: &Path, state: &Arc<State>) {
    let calls = std::fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path());
    for call in calls.filter(|path| path.extension().is_some_and(|extension| extension == "args")) {
        let read = |extension: &str| std::fs::read_to_string(call.with_extension(extension)).unwrap_or_default();
        let arguments: Vec<String> = read("args").lines().map(str::to_owned).collect();
        let values = serde_json::from_str(&read("in")).unwrap_or_else(|_| json!({}));
        let server = server(&read("kubeconfig"));
        std::fs::remove_file(&call).unwrap();
        let (api, state) = (api.clone(), Arc::clone(state));
        // Another call may come while this one waits.
        std::thread::spawn(move || answer(&api, &state, &call, &arguments, &values, &server));
    }
}

fn answer(api: &FakeApi, state: &State, call: &Path, arguments: &[String], values: &Json, server: &str) {
    let (operation, name) = (arguments[0].as_str(), arguments[1].as_str());
    let deploys = matches!(operation, "install" | "upgrade") && !arguments.iter().any(|one| one == "--dry-run=server");
    // Helm writes its record before anything else; where it is led through a door, it may be told to wait with that, for ever.
    if deploys
        && server.starts_with("http://")
        && !announce(state, server, &record(name, 99, "pending", &rendered(state, values), values, ORDINARY))
    {
        std::fs::write(call.with_extension("code"), "137").unwrap();
        return;
    }
    let (code, out, err) = match carry_out(api, state, arguments, values) {
        Ok(out) => (0, out, String::new()),
        Err(words) => (1, String::new(), format!("Error: {words}\n")),
    };
    std::fs::write(call.with_extension("out"), out).unwrap();
    std::fs::write(call.with_extension("err"), err).unwrap();
    std::fs::write(call.with_extension("writing"), code.to_string()).unwrap();
    std::fs::rename(call.with_extension("writing"), call.with_extension("code")).unwrap();
}

/// The address in a kubeconfig.
fn server(kubeconfig: &str) -> String {
    let json: Json = serde_json::from_str(kubeconfig).unwrap_or_default();
    json["clusters"][0]["cluster"]["server"].as_str().unwrap_or_default().to_owned()
}

/// Sends a record; whether it was let through, whatever became of it. It waits for ever, or is killed.
fn announce(state: &State, server: &str, record: &Json) -> bool {
    let (address, key) = server.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let body = record.to_string();
    let head = format!(
        "POST /{key}/api/v1/namespaces/{NAMESPACE}/secrets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    if stream.write_all((head + &body).as_bytes()).is_err() {
        return false;
    }
    let mut answer = Vec::new();
    loop {
        let mut piece = [0; 1024];
        match stream.read(&mut piece) {
            Ok(0) => return answer.starts_with(b"HTTP/1.1"),
            Ok(count) => answer.extend_from_slice(&piece[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if state.kills.swap(false, Ordering::Relaxed) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
}

fn rendered(state: &State, values: &Json) -> String {
    let found = state.looked_up.lock().unwrap().as_ref().map(|text| format!("  found: {text}\n")).unwrap_or_default();
    match values["manifest"].as_str() {
        Some(text) => text.to_owned(),
        None => manifest(values["text"].as_str().unwrap_or("hello")) + &found,
    }
}

fn carry_out(api: &FakeApi, state: &State, arguments: &[String], values: &Json) -> Result<String, String> {
    let (operation, name) = (arguments[0].as_str(), arguments[1].as_str());
    if arguments.iter().any(|argument| argument == "--dry-run=server") {
        return Ok(json!({ "manifest": rendered(state, values), "hooks": [], "info": { "notes": "" } }).to_string());
    }
    state.calls.lock().unwrap().push(operation.to_owned());
    let mut failing = state.failing.lock().unwrap();
    let words = failing.iter().position(|(failing, _)| failing == operation).map(|at| failing.remove(at).1);
    let newest = (1..100).rev().find(|revision| api.get(&record_of(name, *revision)).is_some()).unwrap_or(0);
    let done = match operation {
        "install" | "upgrade" => {
            let described = arguments.iter().skip_while(|argument| *argument != "--description").nth(1);
            let described = described.map_or("Upgrade complete", String::as_str);
            deploy(api, name, newest, &rendered(state, values), values, (described, words))
        }
        "rollback" => {
            let to: u32 = arguments[2].parse().unwrap();
            let old = read_record(api, name, to);
            let described = format!("Rollback to {to}");
            deploy(api, name, newest, old["manifest"].as_str().unwrap(), &old["config"], (&described, words))
        }
        "uninstall" => {
            // What the newest revision names, and no more.
            if newest > 0 {
                remove_objects(api, read_record(api, name, newest)["manifest"].as_str().unwrap());
            }
            (1..=newest).for_each(|revision| api.remove(&record_of(name, revision)));
            Ok(String::new())
        }
        other => Err(format!("the stand-in does not know {other}")),
    };
    let mut after = state.after.lock().unwrap();
    if let Some(at) = after.iter().position(|(wanted, _)| wanted == operation) {
        after.remove(at).1(api);
    }
    done
}

fn deploy(
    api: &FakeApi,
    name: &str,
    newest: u32,
    text: &str,
    values: &Json,
    (described, fails): (&str, Option<String>),
) -> Result<String, String> {
    // As Helm does it: an install has its own time, which all that comes after it carries on.
    let first = match newest {
        0 => jiff::Timestamp::now().to_string(),
        newest => read_record(api, name, newest)["info"]["first_deployed"].as_str().unwrap().to_owned(),
    };
    if let Some(words) = fails {
        put_record_of(api, name, newest + 1, "failed", text, values, (&first, &words));
        return Err(words);
    }
    if newest > 0 {
        remove_objects(api, read_record(api, name, newest)["manifest"].as_str().unwrap());
    }
    for revision in 1..=newest {
        if api.get(&record_of(name, revision)).is_some() {
            let old = read_record(api, name, revision);
            let info = (first.as_str(), old["info"]["description"].as_str().unwrap());
            put_record_of(api, name, revision, "superseded", old["manifest"].as_str().unwrap(), &old["config"], info);
        }
    }
    put_objects(api, text);
    put_record_of(api, name, newest + 1, "deployed", text, values, (&first, described));
    Ok(String::new())
}

fn remove_objects(api: &FakeApi, text: &str) {
    // What a test has made unreadable names no object.
    for object in Manifest::parse(text).unwrap_or_default().objects {
        api.remove(&reference(&object.id, NAMESPACE));
    }
}
