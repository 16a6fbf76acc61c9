//! A resource with one attribute of every kind, whose behaviour each test decides.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use tfplugin_core::{
    AnyResource, Applied, ApplyRequest, Attr, Check, ClientCapabilities, Context, Create, Delete, Diagnostic,
    Diagnostics, Imported, Model as _, Path, Plan, PlanRequest, PlanResponse, Private, Read, Refreshed, Resource,
    StateResponse, StateUpgrade, Update, Value, async_trait,
};
use tfplugin_derive::Model;

/// A machine.
#[derive(Model, Clone, Debug, PartialEq)]
#[model(version = 2, crate = tfplugin_core)]
pub(crate) struct Machine {
    /// Name.
    #[attr(required, replace)]
    pub(crate) name: Attr<String>,
    /// Level.
    #[attr(default = "info", one_of("info", "debug"))]
    pub(crate) level: Attr<String>,
    /// Size.
    #[attr(optional, computed)]
    pub(crate) size: Attr<i64>,
    /// Zone: the configuration's, or else after the name.
    #[attr(optional, computed)]
    pub(crate) zone: Attr<String>,
    /// Token.
    #[attr(optional, write_only, sensitive, check = Check::text("long", |text| if text.len() > 3 { Ok(()) } else { Err(text.to_owned()) }))]
    pub(crate) token_wo: Attr<String>,
    /// Disk.
    #[attr(optional)]
    pub(crate) disk: Attr<Disk>,
    /// Identifier.
    #[attr(computed, keep)]
    pub(crate) id: Attr<String>,
    /// URL.
    #[attr(computed)]
    pub(crate) url: Attr<String>,
}

/// A disk.
#[derive(Model, Clone, Debug, PartialEq)]
#[model(crate = tfplugin_core)]
pub(crate) struct Disk {
    /// Size.
    #[attr(required, replace)]
    pub(crate) size: Attr<i64>,
    /// Key.
    #[attr(optional, write_only)]
    pub(crate) key_wo: Attr<String>,
}

type Hook<A, R> = Box<dyn Fn(A) -> R + Send + Sync>;
type PlanHook = Box<dyn Fn(&mut Plan<Machine>) -> Diagnostics + Send + Sync>;

/// What the machine does; each call also leaves a line in `log`.
pub(crate) struct Machines {
    pub(crate) plan: PlanHook,
    pub(crate) create: Hook<Create<Machine>, Applied<Machine>>,
    pub(crate) read: Hook<Read<Machine>, Refreshed<Machine>>,
    pub(crate) update: Hook<Update<Machine>, Applied<Machine>>,
    pub(crate) delete: Hook<Delete<Machine>, Diagnostics>,
    pub(crate) upgrades: Vec<StateUpgrade>,
    pub(crate) log: Log,
}

/// What was called, in order.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Default for Machines {
    fn default() -> Machines {
        Machines {
            plan: Box::new(|_| Diagnostics::new()),
            create: Box::new(|request| Applied::done(made(request.planned), request.private)),
            read: Box::new(|request| Refreshed::present(request.state, request.private)),
            update: Box::new(|request| Applied::done(made(request.planned), request.private)),
            delete: Box::new(|_| Diagnostics::new()),
            upgrades: vec![|state| Ok(state), |state| Ok(state)],
            log: Log::default(),
        }
    }
}

/// The machine with what was unknown filled in.
pub(crate) fn made(mut machine: Machine) -> Machine {
    if machine.id.is_unknown() {
        machine.id = "id-1".into();
    }
    if machine.url.is_unknown() {
        machine.url = "https://a".into();
    }
    if machine.size.is_unknown() {
        machine.size = Attr::Known(8);
    }
    machine
}

pub(crate) fn refused(summary: &str) -> Diagnostics {
    Diagnostics::error(summary, "")
}

#[async_trait]
impl Resource for Machines {
    type Model = Machine;

    fn type_name(&self) -> &'static str {
        "test_machine"
    }

    async fn validate(&self, _cx: &Context, config: &Machine) -> Diagnostics {
        self.log.add("validate");
        match config.name.as_str() {
            Some("forbidden") => Diagnostic::error("forbidden", "").at(Path::attribute("name")).into(),
            _ => Diagnostics::new(),
        }
    }

    fn settle(&self, config: &Machine, planned: &mut Machine) {
        self.log.add("settle");
        planned.zone = config.zone.clone().or(config.name.clone().map(|name| format!("zone-{name}")));
    }

    async fn plan(&self, _cx: &Context, plan: &mut Plan<Machine>) -> Diagnostics {
        self.log.add("plan");
        (self.plan)(plan)
    }

    async fn plan_destroy(&self, _cx: &Context, prior: &Machine, private: &Private) -> Diagnostics {
        self.log.add(format!("plan_destroy {:?}", private.get::<String>("note")));
        match prior.name.as_str() {
            Some("protected") => refused("protected"),
            _ => Diagnostics::new(),
        }
    }

    async fn create(&self, _cx: &Context, request: Create<Machine>) -> Applied<Machine> {
        self.log.add("create");
        (self.create)(request)
    }

    async fn read(&self, _cx: &Context, request: Read<Machine>) -> Refreshed<Machine> {
        self.log.add("read");
        (self.read)(request)
    }

    async fn update(&self, _cx: &Context, request: Update<Machine>) -> Applied<Machine> {
        self.log.add("update");
        (self.update)(request)
    }

    async fn delete(&self, _cx: &Context, request: Delete<Machine>) -> Diagnostics {
        self.log.add("delete");
        (self.delete)(request)
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Machine>, Diagnostics> {
        let state = Machine { token_wo: "canary".into(), ..machine(id) };
        Ok(Imported { state, private: Private::default(), diagnostics: Diagnostics::new() })
    }

    fn upgrades(&self) -> Vec<StateUpgrade> {
        self.upgrades.clone()
    }
}

/// A machine as it is in state.
pub(crate) fn machine(name: &str) -> Machine {
    Machine {
        name: name.into(),
        level: "info".into(),
        size: Attr::Known(8),
        zone: format!("zone-{name}").into(),
        token_wo: Attr::Null,
        disk: Attr::Null,
        id: "id-1".into(),
        url: "https://a".into(),
    }
}

/// An object of the machine's type with these attributes, everything else null.
pub(crate) fn object(entries: &[(&str, Value)]) -> Value {
    let mut whole = Machine::schema().empty();
    if let Value::Map(map) = &mut whole {
        map.extend(entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    whole
}

/// Terraform's proposal: the configuration, and the prior values of computed attributes that it leaves out.
pub(crate) fn proposed(prior: &Value, config: &Value) -> Value {
    if config.is_null() {
        return Value::Null;
    }
    let entries = Machine::attributes().into_iter().map(|attribute| {
        let configured = config.attribute(&attribute.name);
        let value = if configured.is_null() && attribute.mode.is_computed() {
            prior.attribute(&attribute.name)
        } else {
            configured
        };
        (attribute.name, value.clone())
    });
    Value::Map(entries.collect())
}

/// What a client of today can do.
pub(crate) fn context() -> Context {
    let client = ClientCapabilities { deferral_allowed: false, write_only_attributes_allowed: true };
    Context { client, ..Context::default() }
}

/// Plans a change of `prior` to `config`; null for none.
pub(crate) fn plan(machines: Machines, prior: &Value, config: &Value) -> PlanResponse {
    plan_with(&AnyResource::new(machines), &context(), prior, config, &[])
}

pub(crate) fn plan_with(
    resource: &AnyResource,
    cx: &Context,
    prior: &Value,
    config: &Value,
    private: &[u8],
) -> PlanResponse {
    let request = PlanRequest {
        prior: prior.clone(),
        proposed: proposed(prior, config),
        config: config.clone(),
        prior_private: private.to_vec(),
    };
    block_on(resource.plan(cx, request))
}

/// Applies a change.
pub(crate) fn apply(machines: Machines, prior: &Value, planned: &Value, config: &Value) -> StateResponse {
    let request = ApplyRequest {
        prior: prior.clone(),
        planned: planned.clone(),
        config: config.clone(),
        planned_private: br#"{"note":"planned"}"#.to_vec(),
    };
    block_on(AnyResource::new(machines).apply(&context(), request))
}

pub(crate) fn summaries(diagnostics: &Diagnostics) -> Vec<&str> {
    diagnostics.iter().map(|one| one.summary.as_str()).collect()
}
