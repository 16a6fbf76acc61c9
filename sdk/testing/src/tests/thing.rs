//! A provider of things that live in memory, and all the ways in which it can do wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use serde_json::json;
use tfplugin_core::{
    AnyDataSource, AnyEphemeralResource, AnyResource, Applied, Attr, Check, Context, Create, Deferred, Delete,
    Diagnostic, Diagnostics, Function, Imported, MoveSource, Path, Plan, Private, Provider, Read, Refreshed, Resource,
    StateUpgrade, Update, async_trait,
};

use super::model::model;
use super::reads;

/// What it does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    // while validating
    RefusesUnknown,
    MessageElsewhere,
    SecretInMessage,
    // while planning
    PlansOtherSize,
    PlansTags,
    PlansNoDisk,
    PlansOtherSpeed,
    ChangesItsMind,
    ChangesTheAction,
    AlwaysChanges,
    SecretInPlan,
    SecretInPrivate,
    Defers,
    Protects,
    // while applying
    ReturnsOtherSize,
    ReturnsUnknown,
    CreateFails,
    CreateFailsHalfway,
    UpdateFails,
    UpdateFailsHalfway,
    DeleteFails,
    Panics,
    Waits,
    // while reading
    DriftsAtOnce,
    LosesIt,
    ReadFails,
    // while importing
    ImportsNothing,
    // what it is
    FailsOnUnknownProvider,
    Impure,
    LosesConfigured,
}

model!(Disk, version 0, {
    kind: Attr<String>, Optional;
    speed: Attr<i64>, OptionalComputed;
});

model!(Thing, version 1, {
    name: Attr<String>, Required, replace = true;
    size: Attr<String>, Optional, checks = vec![Check::one_of(&["small", "large", "huge"])];
    level: Attr<String>, OptionalComputed, default = Some("info".into());
    label: Attr<String>, OptionalComputed;
    tags: Attr<BTreeMap<String, Attr<String>>>, Optional;
    disk: Attr<Disk>, Optional;
    secret_wo: Attr<String>, Optional, write_only = true, sensitive = true;
    id: Attr<String>, Computed, keep = true;
    url: Attr<String>, Computed;
});

model!(Config, version 0, {
    host: Attr<String>, Optional;
});

/// Where the things are.
#[derive(Default)]
pub(super) struct World {
    pub(super) things: BTreeMap<String, Thing>,
    /// What was called, with who had written the private state that came with it.
    pub(super) calls: Vec<String>,
    /// The hosts that the provider was configured with.
    pub(super) hosts: Vec<Attr<String>>,
    /// Whether a create waits for an interrupt.
    pub(super) waiting: bool,
    fault: Option<Fault>,
    count: i64,
}

/// The provider; clones share the world.
#[derive(Clone, Default)]
pub(super) struct Things(Arc<Mutex<World>>);

impl Things {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// From now on it does this wrong.
    pub(super) fn fault(&self, fault: Fault) {
        self.world().fault = Some(fault);
    }

    pub(super) fn does(&self, fault: Fault) -> bool {
        self.world().fault == Some(fault)
    }

    /// The calls since the last time.
    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.world().calls)
    }

    pub(super) fn count(&self) -> i64 {
        let mut world = self.world();
        world.count += 1;
        world.count
    }

    fn called(&self, what: &str, private: &Private) {
        let by: String = private.get("by").unwrap_or_else(|| "nobody".to_owned());
        self.world().calls.push(format!("{what} by {by}"));
    }
}

#[async_trait]
impl Provider for Things {
    type Config = Config;

    fn name(&self) -> &'static str {
        "tiny"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![ThingResource(self.clone()).into()]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![reads::Lookup(self.clone()).into()]
    }

    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        vec![reads::Token(self.clone()).into()]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(reads::Join(self.clone()))]
    }

    async fn configure(&self, _cx: &Context, config: Config) -> Diagnostics {
        if self.does(Fault::FailsOnUnknownProvider) && config.host.is_unknown() {
            return Diagnostics::error("No host", "The host is not known.").below(&Path::attribute("host"));
        }
        self.world().hosts.push(config.host);
        Diagnostics::new()
    }
}

struct ThingResource(Things);

impl ThingResource {
    /// The thing as it is after an apply.
    fn finished(&self, planned: Thing, by: &str, secret: &Attr<String>) -> (Thing, Private) {
        let mut thing = planned;
        if thing.id.is_unknown() {
            thing.id = format!("t{}", self.0.count()).into();
        }
        let (name, size) = (thing.name.as_str().unwrap(), thing.size.as_str().unwrap_or("none"));
        thing.url = format!("https://{name}/{size}").into();
        if let Some(disk) = thing.disk.known_mut() {
            disk.speed = disk.speed.known().copied().unwrap_or(7).into();
        }
        if self.0.does(Fault::ReturnsOtherSize) {
            thing.size = "huge".into();
        }
        let mut private = Private::default();
        private.set("by", &by);
        if self.0.does(Fault::SecretInPrivate) {
            private.set("was", secret.known().unwrap());
        }
        self.0.world().things.insert(thing.id.as_str().unwrap().to_owned(), thing.clone());
        if self.0.does(Fault::ReturnsUnknown) {
            thing.url = Attr::Unknown;
        }
        (thing, private)
    }
}

#[async_trait]
impl Resource for ThingResource {
    type Model = Thing;

    fn type_name(&self) -> &'static str {
        "tiny_thing"
    }

    async fn validate(&self, _cx: &Context, config: &Thing) -> Diagnostics {
        let mut told = Diagnostics::new();
        if self.0.does(Fault::RefusesUnknown) && config.size.known().is_none() {
            told.push(Diagnostic::error("No size", "A size is needed.").at(Path::attribute("size")));
        }
        if self.0.does(Fault::MessageElsewhere) {
            told.push(Diagnostic::warning("Look", "there").at(Path::attribute("disk").child("colour")));
        }
        if self.0.does(Fault::SecretInMessage) && config.secret_wo.is_known() {
            // Not one of an attribute, which never gets so far.
            told.push(Diagnostic::warning("Found", "the secret l3arned"));
        }
        if config.name.as_str() == Some("admin") {
            told.push(Diagnostic::error("Reserved name", "admin is taken.").at(Path::attribute("name")));
        }
        told
    }

    fn settle(&self, config: &Thing, planned: &mut Thing) {
        if config.label.is_null() {
            planned.label = config.name.clone().map(|name| name.to_uppercase());
        }
        if self.0.does(Fault::ChangesItsMind) && config.label.is_null() {
            planned.label = format!("label {}", self.0.count()).into();
        }
    }

    async fn plan(&self, _cx: &Context, plan: &mut Plan<Thing>) -> Diagnostics {
        self.0.called(if plan.is_create() { "plan create" } else { "plan change" }, &plan.private);
        plan.private.set("by", &"plan");
        let fault = self.0.world().fault.unwrap_or(Fault::None);
        match fault {
            Fault::PlansOtherSize => plan.planned.size = "huge".into(),
            Fault::PlansTags => plan.planned.tags = BTreeMap::new().into(),
            Fault::PlansNoDisk => plan.planned.disk = Attr::Null,
            Fault::PlansOtherSpeed => {
                if let Some(disk) = plan.planned.disk.known_mut() {
                    disk.speed = 99.into();
                }
            }
            Fault::AlwaysChanges => plan.touch(),
            Fault::ChangesTheAction if plan.is_change() => {
                plan.requires_replace.push(Path::attribute("size"));
            }
            Fault::SecretInPlan => {
                let secret = plan.config.secret_wo.clone().unwrap_or_default();
                let hidden = base64::engine::general_purpose::STANDARD.encode(format!("u:{secret}@db"));
                plan.planned.url = hidden.into();
            }
            Fault::Defers => plan.deferred = Some(Deferred::AbsentPrerequisite),
            Fault::Protects if plan.prior.is_some() && !plan.requires_replace.is_empty() => {
                return Diagnostics::error("Protected", "It must not be replaced.").below(&Path::attribute("name"));
            }
            _ => {}
        }
        Diagnostics::new()
    }

    async fn plan_destroy(&self, _cx: &Context, _prior: &Thing, private: &Private) -> Diagnostics {
        self.0.called("plan destroy", private);
        if self.0.does(Fault::Protects) {
            return Diagnostics::error("Protected", "It must not be destroyed.");
        }
        Diagnostics::new()
    }

    async fn create(&self, cx: &Context, request: Create<Thing>) -> Applied<Thing> {
        self.0.called("create", &request.private);
        assert!(!self.0.does(Fault::Panics), "as it was told");
        if self.0.does(Fault::Waits) {
            self.0.world().waiting = true;
            cx.cancel.cancelled().await;
            return Applied::failed(Diagnostics::error("Stopped", "It was interrupted."));
        }
        if self.0.does(Fault::CreateFails) {
            return Applied::failed(Diagnostics::error("No room", "There is no room."));
        }
        let (state, private) = self.finished(request.planned, "create", &request.config.secret_wo);
        let done = Applied::done(state, private);
        if self.0.does(Fault::CreateFailsHalfway) {
            return done.with(Diagnostics::error("Stuck", "It did not start."));
        }
        done
    }

    async fn read(&self, _cx: &Context, request: Read<Thing>) -> Refreshed<Thing> {
        self.0.called("read", &request.private);
        if self.0.does(Fault::ReadFails) {
            let mut gone = Refreshed::gone();
            gone.diagnostics = Diagnostics::error("Unreachable", "Nobody answers.");
            return gone;
        }
        let id = request.state.id.as_str().unwrap_or_default().to_owned();
        let found = self.0.world().things.get(&id).cloned();
        let Some(mut thing) = found.filter(|_| !self.0.does(Fault::LosesIt)) else { return Refreshed::gone() };
        if self.0.does(Fault::DriftsAtOnce) {
            thing.size = format!("{}er", thing.size.unwrap_or_default()).into();
        }
        Refreshed::present(thing, request.private)
    }

    async fn update(&self, _cx: &Context, request: Update<Thing>) -> Applied<Thing> {
        self.0.called("update", &request.private);
        if self.0.does(Fault::UpdateFails) {
            return Applied::failed(Diagnostics::error("No room", "There is no room."));
        }
        if self.0.does(Fault::UpdateFailsHalfway) {
            let half = Thing { tags: request.planned.tags, ..request.prior };
            self.0.world().things.insert(half.id.clone().unwrap_or_default(), half.clone());
            return Applied::done(half, request.private).with(Diagnostics::error("Stuck", "Only the tags changed."));
        }
        let (state, private) = self.finished(request.planned, "update", &request.config.secret_wo);
        Applied::done(state, private)
    }

    async fn delete(&self, _cx: &Context, request: Delete<Thing>) -> Diagnostics {
        self.0.called("delete", &request.private);
        if self.0.does(Fault::DeleteFails) {
            return Diagnostics::error("In use", "Somebody uses it.");
        }
        self.0.world().things.remove(request.state.id.as_str().unwrap());
        Diagnostics::new()
    }

    async fn defer_import(&self, _cx: &Context, _id: &str) -> Option<Deferred> {
        self.0.does(Fault::Defers).then_some(Deferred::AbsentPrerequisite)
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Thing>, Diagnostics> {
        let known = self.0.world().things.contains_key(id);
        if !known && !self.0.does(Fault::ImportsNothing) {
            return Err(Diagnostics::error("No such thing", format!("There is no {id}.")));
        }
        let mut private = Private::default();
        private.set("by", &"import");
        let state = Thing { id: id.into(), ..Thing::default() };
        Ok(Imported { state, private, diagnostics: Diagnostics::new() })
    }

    fn upgrades(&self) -> Vec<StateUpgrade> {
        vec![|mut state| {
            state["name"] = state["title"].take();
            state["level"] = json!("info");
            Ok(state)
        }]
    }

    async fn move_from(&self, _cx: &Context, source: &MoveSource) -> Result<Option<Imported<Thing>>, Diagnostics> {
        let Some(id) = source.state["thing_id"].as_str().filter(|_| source.type_name == "old_thing") else {
            return Ok(None);
        };
        let state = Thing { id: id.into(), ..Thing::default() };
        Ok(Some(Imported { state, private: Private::default(), diagnostics: Diagnostics::new() }))
    }
}
