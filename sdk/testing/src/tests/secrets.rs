//! A secret, wherever it stands in a schema and whatever a provider says of it, is in no message and no log line.
//!
//! The provider here thinks of nothing: in every call it logs and tells every secret that it was ever given, in every form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use tfplugin_core::{
    AnyDataSource, AnyEphemeralResource, AnyResource, Applied, Attr, Context, Create, DataSource, Delete, Diagnostic,
    Diagnostics, EphemeralResource, Function, FunctionError, Imported, MoveSource, Opened, Plan, Private, Provider,
    Read, Refreshed, Renewed, Resource, Signature, Type, Update, Value, async_trait,
};
use tfplugin_server::logging;
use tracing::level_filters::LevelFilter;

use super::model::model;
use crate::canary::Canary;
use crate::{Terraform, Told};

/// A part of every secret, and of nothing else.
const MARK: &str = "c4naryMark";

/// A secret of its own for each driver and place, so that nothing but that place makes it known.
fn secret(over: &str, place: &str) -> String {
    format!("{MARK}-{over}-{place}@/?#%\"\n ü'\\$-{MARK}-{place}-{over}")
}

model!(Inner, version 0, {
    open: Attr<String>, Optional;
    hidden: Attr<String>, Optional, sensitive = true;
    hidden_wo: Attr<String>, Optional, write_only = true;
});

model!(Item, version 0, {
    name: Attr<String>, Required, not_secret = true;
    value: Attr<String>, Required;
});

model!(Leak, version 0, {
    name: Attr<String>, Required;
    text: Attr<String>, Optional, sensitive = true;
    text_wo: Attr<String>, Optional, write_only = true;
    list: Attr<Vec<Attr<String>>>, Optional, sensitive = true;
    set: Attr<BTreeSet<Attr<String>>>, Optional, sensitive = true;
    map_wo: Attr<BTreeMap<String, Attr<String>>>, Optional, write_only = true;
    any: Attr<Value>, Optional, sensitive = true;
    any_wo: Attr<Value>, Optional, write_only = true;
    one: Attr<Inner>, Optional;
    many: Attr<Vec<Inner>>, Optional;
    named: Attr<BTreeMap<String, Inner>>, Optional;
    items_wo: Attr<Vec<Item>>, Optional, write_only = true, sensitive = true;
    made: Attr<String>, Computed, sensitive = true, keep = true;
});

model!(Key, version 0, {
    name: Attr<String>, Required;
    key: Attr<String>, Optional, sensitive = true;
    made: Attr<String>, Computed, sensitive = true;
});

model!(Config, version 0, {
    token: Attr<String>, Optional, sensitive = true;
    inner: Attr<Inner>, Optional;
});

/// A provider that tells what it was told to tell, as errors or as warnings.
#[derive(Clone)]
struct Gossip {
    over: &'static str,
    about: Arc<Mutex<(Vec<String>, bool)>>,
}

impl Gossip {
    fn new(over: &'static str) -> Gossip {
        Gossip { over, about: Arc::default() }
    }

    fn about(&self, secrets: &[String], errors: bool) {
        *self.about.lock().unwrap_or_else(PoisonError::into_inner) = (secrets.to_vec(), errors);
    }

    fn errors(&self) -> bool {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Everything, told and logged.
    fn tell(&self) -> Diagnostics {
        let (secrets, errors) = self.about.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut told = Diagnostics::new();
        for text in secrets.iter().flat_map(|secret| texts(secret)) {
            tracing::error!(text, debug = ?text, "told {text}");
            let cause = std::io::Error::other(text.clone());
            tracing::warn!(error = &cause as &(dyn std::error::Error + 'static), "failed");
            let one =
                if errors { Diagnostic::error(text.clone(), text) } else { Diagnostic::warning(text.clone(), text) };
            told.push(one);
        }
        told
    }

    /// A result, or everything as an error.
    fn result<T>(&self, make: impl FnOnce(Diagnostics) -> T) -> Result<T, Diagnostics> {
        let told = self.tell();
        if self.errors() { Err(told) } else { Ok(make(told)) }
    }
}

/// A secret as it may stand in a text.
fn texts(secret: &str) -> Vec<String> {
    let json = json!({ "password": secret }).to_string();
    let percent = |upper: bool| -> String {
        let one = |byte: u8| match byte {
            byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        };
        secret.bytes().map(one).collect()
    };
    let mut texts = vec![
        format!("plain {secret} it is"),
        format!("debug {secret:?}"),
        format!("json {json} in json {:?}", json!(json).to_string()),
        format!("postgresql://user:{}@host/database?x=1", percent(true)),
        format!("lower {} and form {}", percent(false), percent(true).replace("%20", "+")),
        format!("in hex {}", hex::encode(secret)),
    ];
    texts.extend(secret.lines().map(|line| format!("| {line}")));
    for before in ["", "a", "ab"] {
        let whole = format!("{before}{secret}");
        texts.push(format!("base64 {} and {}", STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)));
        texts.push(format!("base64 of JSON {}", STANDARD.encode(format!("{before}{json}"))));
    }
    texts
}

#[async_trait]
impl Provider for Gossip {
    type Config = Config;

    fn name(&self) -> &'static str {
        "tiny"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![LeakResource(self.clone()).into()]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![KeySource(self.clone()).into()]
    }

    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        vec![KeyEphemeral(self.clone()).into()]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(Fails(self.clone()))]
    }

    async fn validate(&self, _cx: &Context, _config: &Config) -> Diagnostics {
        if self.errors() { Diagnostics::new() } else { self.tell() }
    }

    async fn configure(&self, _cx: &Context, _config: Config) -> Diagnostics {
        self.tell()
    }
}

struct LeakResource(Gossip);

#[async_trait]
impl Resource for LeakResource {
    type Model = Leak;

    fn type_name(&self) -> &'static str {
        "tiny_leak"
    }

    async fn validate(&self, _cx: &Context, _config: &Leak) -> Diagnostics {
        if self.0.errors() { Diagnostics::new() } else { self.0.tell() }
    }

    async fn plan(&self, _cx: &Context, _plan: &mut Plan<Leak>) -> Diagnostics {
        if self.0.errors() { Diagnostics::new() } else { self.0.tell() }
    }

    async fn plan_destroy(&self, _cx: &Context, _prior: &Leak, _private: &Private) -> Diagnostics {
        if self.0.errors() { Diagnostics::new() } else { self.0.tell() }
    }

    async fn create(&self, _cx: &Context, request: Create<Leak>) -> Applied<Leak> {
        let made = Attr::Known(secret(self.0.over, "made"));
        Applied::done(Leak { made, ..request.planned }, request.private).with(self.0.tell())
    }

    async fn read(&self, _cx: &Context, request: Read<Leak>) -> Refreshed<Leak> {
        let mut read = Refreshed::present(request.state, request.private);
        read.diagnostics = if self.0.errors() { Diagnostics::new() } else { self.0.tell() };
        read
    }

    async fn update(&self, _cx: &Context, request: Update<Leak>) -> Applied<Leak> {
        Applied::done(request.planned, request.private).with(self.0.tell())
    }

    async fn delete(&self, _cx: &Context, _request: Delete<Leak>) -> Diagnostics {
        self.0.tell()
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Leak>, Diagnostics> {
        let state = Leak { name: "a".into(), text: secret(self.0.over, id).into(), ..Leak::default() };
        Ok(Imported { state, private: Private::default(), diagnostics: self.0.tell() })
    }

    async fn move_from(&self, _cx: &Context, source: &MoveSource) -> Result<Option<Imported<Leak>>, Diagnostics> {
        let place = source.state["place"].as_str().unwrap_or_default();
        let state = Leak { name: "a".into(), text: secret(self.0.over, place).into(), ..Leak::default() };
        Ok(Some(Imported { state, private: Private::default(), diagnostics: self.0.tell() }))
    }
}

struct KeySource(Gossip);

#[async_trait]
impl DataSource for KeySource {
    type Model = Key;

    fn type_name(&self) -> &'static str {
        "tiny_key"
    }

    async fn validate(&self, _cx: &Context, _config: &Key) -> Diagnostics {
        if self.0.errors() { Diagnostics::new() } else { self.0.tell() }
    }

    async fn read(&self, _cx: &Context, config: Key) -> Result<(Key, Diagnostics), Diagnostics> {
        self.0.result(|told| (Key { made: "made".into(), ..config }, told))
    }
}

struct KeyEphemeral(Gossip);

#[async_trait]
impl EphemeralResource for KeyEphemeral {
    type Model = Key;

    fn type_name(&self) -> &'static str {
        "tiny_key"
    }

    async fn open(&self, _cx: &Context, config: Key) -> Result<Opened<Key>, Diagnostics> {
        let made = secret(self.0.over, "opened").into();
        let open = |told| Opened {
            result: Key { made, ..config },
            private: Private::default(),
            renew_at: None,
            diagnostics: told,
        };
        self.0.result(open)
    }

    async fn renew(&self, _cx: &Context, _private: Private) -> Result<Renewed, Diagnostics> {
        Err(self.0.tell())
    }

    async fn close(&self, _cx: &Context, _private: Private) -> Diagnostics {
        self.0.tell()
    }
}

/// A function that fails with everything: it is given no secrets, but knows some.
struct Fails(Gossip);

impl Function for Fails {
    fn signature(&self) -> Signature {
        Signature {
            name: "fails".into(),
            parameters: Vec::new(),
            variadic: None,
            returns: Type::String,
            summary: "Fails.".into(),
            description: String::new(),
            deprecated: None,
        }
    }

    fn call(&self, _arguments: Vec<Value>) -> Result<Value, FunctionError> {
        Err(FunctionError { text: self.0.tell().to_string(), argument: None })
    }
}

/// A configuration with a secret in one place, and that place.
fn places(over: &str) -> Vec<(&'static str, Json)> {
    let with = |place: &'static str, value: fn(String) -> Json| {
        let mut config = json!({ "name": "a" });
        config[place.split('.').next().unwrap_or(place)] = value(secret(over, place));
        (place, config)
    };
    vec![
        with("text", |secret| json!(secret)),
        with("text_wo", |secret| json!(secret)),
        with("list", |secret| json!(["open", secret])),
        with("set", |secret| json!(["open", secret])),
        with("map_wo", |secret| json!({ "key": secret })),
        with("any", |secret| json!({ "deep": [1, { "deeper": secret }] })),
        with("any_wo", |secret| json!(secret)),
        with("one.hidden", |secret| json!({ "open": "open", "hidden": secret })),
        with("one.hidden_wo", |secret| json!({ "hidden_wo": secret })),
        with("many.hidden", |secret| json!([{ "open": "open" }, { "hidden": secret }])),
        with("many.hidden_wo", |secret| json!([{ "hidden_wo": secret }])),
        with("named.hidden", |secret| json!({ "key": { "hidden": secret } })),
        with("named.hidden_wo", |secret| json!({ "key": { "hidden_wo": secret } })),
        with("items_wo.value", |secret| json!([{ "name": "open", "value": secret }])),
    ]
}

/// What is listened to.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<u8>>>);

impl Ear {
    /// Fails the test when a secret is heard, and when nothing was said.
    #[track_caller]
    fn quiet(&self, what: &str, told: &Diagnostics) {
        assert!(!told.is_empty(), "{what}: nothing was told");
        self.quiet_text(what, &told.to_string());
    }

    #[track_caller]
    fn quiet_text(&self, what: &str, text: &str) {
        let canary = Canary::new(MARK);
        let logged = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let logged = String::from_utf8_lossy(&logged);
        assert!(logged.contains("told "), "{what}: nothing was logged");
        for (place, text) in [("a message", text), ("a log line", &*logged)] {
            assert!(text.contains("(redacted)"), "{what}: nothing is masked in {place}");
            if let Some(form) = canary.heard(text) {
                let line = text.lines().find(|line| canary.heard(line).is_some()).unwrap_or_default();
                crate::fail(format!("{what}: a secret has got into {place}, {form}: {line}"));
            }
        }
    }
}

const LEAK: &str = "tiny_leak";

/// All in one test: `tracing` remembers for the whole process whether anybody listens to a place in the code.
#[tokio::test]
async fn a_secret_of_any_place_is_in_no_message_and_no_log_line() {
    let ear = Ear::default();
    let sink = Arc::clone(&ear.0);
    let subscriber = logging::to_sink(LevelFilter::TRACE, move |line| {
        sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
    });
    let _listening = tracing::subscriber::set_default(subscriber);
    for (over, new) in [
        ("memory", Terraform::new as fn(Gossip) -> Terraform),
        ("grpc", Terraform::over_grpc as fn(Gossip) -> Terraform),
    ] {
        of_resources(over, new, &ear).await;
        of_the_rest(over, new, &ear).await;
    }
    let open = "auto is the type of a value, tiny_leak.this of type a";
    assert_eq!(logging::redacted(open), open);
}

async fn of_resources(over: &'static str, new: fn(Gossip) -> Terraform, ear: &Ear) {
    for (place, config) in places(over) {
        let gossip = Gossip::new(over);
        let mut tf = new(gossip.clone()).without_unknown_validation().configure(json!({})).await.unwrap();
        // Errors take the same way as warnings, so that one place is enough.
        for errors in [false, true].into_iter().take(if place == "text" { 2 } else { 1 }) {
            gossip.about(&[secret(over, place)], errors);
            let what = format!("{over}, {place}, as errors: {errors}");
            ear.quiet(&format!("{what}, create"), tf.apply(LEAK, "this", config.clone()).await.diagnostics());
            let mut other = config.clone();
            other["name"] = json!("b");
            tf.set_state(LEAK, "that", 0, json!({ "name": "a", "made": "made" }), &Private::default());
            ear.quiet(&format!("{what}, update"), tf.apply(LEAK, "that", other).await.diagnostics());
            ear.quiet(&format!("{what}, destroy"), tf.destroy(LEAK, "this").await.diagnostics());
            tf.forget(LEAK, "this");
        }
    }
    // What is in no configuration: of a prior state, made by the provider, imported, moved.
    let gossip = Gossip::new(over);
    let mut tf = new(gossip.clone()).without_unknown_validation().configure(json!({})).await.unwrap();
    let bare = json!({ "name": "a" });
    tf.set_state(LEAK, "old", 0, json!({ "name": "a", "made": secret(over, "prior") }), &Private::default());
    gossip.about(&[secret(over, "prior")], false);
    ear.quiet(&format!("{over}, a prior state"), tf.refresh(LEAK, "old").await.diagnostics());
    gossip.about(&[], false);
    tf.apply(LEAK, "made", bare.clone()).await.expect_ok();
    gossip.about(&[secret(over, "made")], false);
    ear.quiet(&format!("{over}, what was made"), tf.refresh(LEAK, "made").await.diagnostics());
    gossip.about(&[], false);
    tf.import(LEAK, "imported", "import", bare.clone()).await.expect_ok();
    gossip.about(&[secret(over, "import")], false);
    ear.quiet(&format!("{over}, what was imported"), tf.refresh(LEAK, "imported").await.diagnostics());
    let source = |place: &str| MoveSource {
        provider_address: "registry.terraform.io/x/old".into(),
        type_name: "old_leak".into(),
        schema_version: 0,
        state: json!({ "place": place }),
    };
    gossip.about(&[], false);
    tf.moved(LEAK, "moved", source("move"), bare).await.expect_ok();
    gossip.about(&[secret(over, "move")], false);
    ear.quiet(&format!("{over}, what was moved"), tf.refresh(LEAK, "moved").await.diagnostics());
}

async fn of_the_rest(over: &'static str, new: fn(Gossip) -> Terraform, ear: &Ear) {
    for (place, config) in [
        ("token", json!({ "token": secret(over, "token") })),
        ("inner.hidden", json!({ "inner": { "hidden": secret(over, "inner.hidden") } })),
    ] {
        for errors in [false, true] {
            let gossip = Gossip::new(over);
            gossip.about(&[secret(over, place)], errors);
            match new(gossip.clone()).without_unknown_validation().configure(config.clone()).await {
                Ok(tf) => {
                    // What was told of the configuration itself is not given to a test; a function tells it again.
                    let error = tf.call("fails", Vec::new()).await.unwrap_err();
                    if over == "grpc" {
                        ear.quiet_text(&format!("{over}, {place}, a function"), &error.text);
                    }
                }
                Err(told) => ear.quiet(&format!("{over}, {place}, configuration"), &told),
            }
        }
    }
    for errors in [false, true] {
        let gossip = Gossip::new(over);
        let tf = new(gossip.clone()).without_unknown_validation().configure(json!({})).await.unwrap();
        gossip.about(&[secret(over, "data")], errors);
        let config = json!({ "name": "a", "key": secret(over, "data") });
        ear.quiet(&format!("{over}, data source"), tf.data("tiny_key", config).await.diagnostics());
        gossip.about(&[secret(over, "ephemeral")], errors);
        let config = json!({ "name": "a", "key": secret(over, "ephemeral") });
        ear.quiet(&format!("{over}, ephemeral resource"), tf.open("tiny_key", config).await.diagnostics());
        gossip.about(&[], false);
        let mut opened = tf.open("tiny_key", json!({ "name": "a" })).await;
        gossip.about(&[secret(over, "opened")], errors);
        if errors {
            // There is no room for a warning in the answer.
            ear.quiet(&format!("{over}, renewing it"), &tf.renew(&mut opened).await);
        }
        ear.quiet(&format!("{over}, closing it"), &tf.close(opened).await);
    }
}
