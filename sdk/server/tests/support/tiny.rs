//! A provider made by hand, as small as one can be that uses everything the server hands on.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::panic, reason = "each test uses its own part")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tfplugin_core::{
    AnyDataSource, AnyEphemeralResource, AnyResource, Applied, Attr, Attribute, Context, Create, DataSource, Deferred,
    Delete, Diagnostic, Diagnostics, EphemeralResource, Field, Function, FunctionError, Imported, Mode, Model,
    MoveSource, Opened, Parameter, Path, Plan, Private, Provider, Read, Refreshed, Resource, Schema, Shape, Signature,
    Type, Update, Value, async_trait,
};

pub const ADDRESS: &str = "registry.terraform.io/three-rivers-tech/tiny";
/// What the provider is configured with, and what it panics over.
pub const SECRET: &str = "open-sesame-77";

/// `name` (required, a change replaces), `size` (optional), `id` (computed).
#[derive(Clone, Debug, Default)]
pub struct Thing {
    pub name: Attr<String>,
    pub size: Attr<i64>,
    pub id: Attr<String>,
}

impl Field for Thing {
    fn shape() -> Shape {
        Shape::Nested(tfplugin_core::Nesting::Single, Thing::attributes())
    }

    fn from_value(value: &Value, path: &Path) -> Result<Thing, Diagnostic> {
        Ok(Thing {
            name: Attr::from_value(value.attribute("name"), &path.child("name"))?,
            size: Attr::from_value(value.attribute("size"), &path.child("size"))?,
            id: Attr::from_value(value.attribute("id"), &path.child("id"))?,
        })
    }

    fn to_value(&self) -> Value {
        Value::map([("name", self.name.to_value()), ("size", self.size.to_value()), ("id", self.id.to_value())])
    }
}

impl Model for Thing {
    fn attributes() -> Vec<Attribute> {
        let mut name = Attribute::new("name", Shape::Plain(Type::String), Mode::Required);
        name.replace = true;
        let mut id = Attribute::new("id", Shape::Plain(Type::String), Mode::Computed);
        id.keep = true;
        vec![name, Attribute::new("size", Shape::Plain(Type::Number), Mode::Optional), id]
    }

    fn schema() -> Schema {
        Schema { version: 1, attributes: Thing::attributes(), description: "A thing.".to_owned(), deprecated: None }
    }
}

/// `token` (optional, sensitive): what the provider is configured with.
#[derive(Clone, Debug, Default)]
pub struct Config {
    token: Attr<String>,
}

impl Field for Config {
    fn shape() -> Shape {
        Shape::Nested(tfplugin_core::Nesting::Single, Config::attributes())
    }

    fn from_value(value: &Value, path: &Path) -> Result<Config, Diagnostic> {
        Ok(Config { token: Attr::from_value(value.attribute("token"), &path.child("token"))? })
    }

    fn to_value(&self) -> Value {
        Value::map([("token", self.token.to_value())])
    }
}

impl Model for Config {
    fn attributes() -> Vec<Attribute> {
        let token = Attribute::new("token", Shape::Plain(Type::String), Mode::Optional);
        vec![Attribute { sensitive: true, ..token }]
    }

    fn schema() -> Schema {
        Schema { attributes: Config::attributes(), ..Schema::default() }
    }
}

pub struct Tiny;

#[async_trait]
impl Provider for Tiny {
    type Config = Config;

    fn name(&self) -> &'static str {
        "tiny"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![Things.into()]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![Lookup.into()]
    }

    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        vec![Ticket.into()]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(Join)]
    }

    async fn configure(&self, _cx: &Context, config: Config) -> Diagnostics {
        if let Some(token) = config.token.as_str() {
            tracing::info!(token, "configured");
            if token == "forbidden" {
                return Diagnostic::error("Bad token", "It is \"forbidden\".").at(Path::attribute("token")).into();
            }
        }
        Diagnostics::new()
    }
}

/// A thing is whatever its name says: `panic` panics, `wait` waits for a cancel, `defer` is deferred,
/// `bad` fails, `gone` is not there.
struct Things;

fn made(mut thing: Thing) -> Thing {
    thing.id = format!("id-{}", thing.name.as_str().unwrap_or_default()).into();
    thing
}

#[async_trait]
impl Resource for Things {
    type Model = Thing;

    fn type_name(&self) -> &'static str {
        "tiny_thing"
    }

    async fn plan(&self, _cx: &Context, plan: &mut Plan<Thing>) -> Diagnostics {
        if plan.planned.name.as_str() == Some("defer") {
            plan.deferred = Some(Deferred::AbsentPrerequisite);
        }
        plan.private.set("planned", &true);
        Diagnostics::new()
    }

    async fn create(&self, cx: &Context, request: Create<Thing>) -> Applied<Thing> {
        match request.planned.name.as_str() {
            Some("panic") => panic!("tiny panicked over {SECRET}"),
            Some("wait") => {
                tracing::warn!("waiting");
                cx.cancel.cancelled().await;
                tracing::warn!("cancelled");
                Applied::failed(Diagnostics::error("Cancelled", "As the user wished."))
            }
            Some("bad") => {
                Applied::failed(Diagnostic::error("Bad", format!("{SECRET} is wrong.")).at(Path::attribute("name")))
            }
            _ => Applied::done(made(request.planned), request.private),
        }
    }

    async fn read(&self, _cx: &Context, request: Read<Thing>) -> Refreshed<Thing> {
        if request.state.name.as_str() == Some("gone") {
            return Refreshed::gone();
        }
        Refreshed::present(request.state, request.private)
    }

    async fn update(&self, _cx: &Context, request: Update<Thing>) -> Applied<Thing> {
        Applied::done(made(request.planned), request.private)
    }

    async fn delete(&self, _cx: &Context, _request: Delete<Thing>) -> Diagnostics {
        Diagnostics::new()
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<Imported<Thing>, Diagnostics> {
        let state = made(Thing { name: id.into(), ..Thing::default() });
        Ok(Imported { state, private: Private::default(), diagnostics: Diagnostics::new() })
    }

    fn upgrades(&self) -> Vec<tfplugin_core::StateUpgrade> {
        // Version 0 called the name "title".
        vec![|mut state| {
            if let Some(object) = state.as_object_mut()
                && let Some(title) = object.remove("title")
            {
                object.insert("name".to_owned(), title);
            }
            Ok(state)
        }]
    }

    async fn move_from(&self, _cx: &Context, source: &MoveSource) -> Result<Option<Imported<Thing>>, Diagnostics> {
        if source.type_name != "terraform_data" {
            return Ok(None);
        }
        let name = source.state.get("input").and_then(serde_json::Value::as_str).unwrap_or("moved");
        let state = made(Thing { name: name.into(), ..Thing::default() });
        Ok(Some(Imported { state, private: Private::default(), diagnostics: Diagnostics::new() }))
    }
}

/// Knows the id of every name.
struct Lookup;

#[async_trait]
impl DataSource for Lookup {
    type Model = Thing;

    fn type_name(&self) -> &'static str {
        "tiny_lookup"
    }

    async fn read(&self, _cx: &Context, config: Thing) -> Result<(Thing, Diagnostics), Diagnostics> {
        Ok((made(config), Diagnostics::new()))
    }
}

/// Valid for a minute, renewed once.
struct Ticket;

#[async_trait]
impl EphemeralResource for Ticket {
    type Model = Thing;

    fn type_name(&self) -> &'static str {
        "tiny_ticket"
    }

    async fn open(&self, _cx: &Context, config: Thing) -> Result<Opened<Thing>, Diagnostics> {
        let mut private = Private::default();
        private.set("name", &config.name.as_str());
        let renew_at = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60));
        Ok(Opened { result: made(config), private, renew_at, diagnostics: Diagnostics::new() })
    }

    async fn close(&self, _cx: &Context, private: Private) -> Diagnostics {
        match private.get::<String>("name") {
            Some(name) => Diagnostic::warning("Closed", name).into(),
            None => Diagnostics::error("Not closed", "The private state did not arrive."),
        }
    }
}

/// `join(separator, parts...)`
struct Join;

impl Function for Join {
    fn signature(&self) -> Signature {
        let parameter = |name: &str| Parameter {
            name: name.to_owned(),
            ty: Type::String,
            description: String::new(),
            allow_null: false,
            allow_unknown: false,
        };
        Signature {
            name: "join".to_owned(),
            parameters: vec![parameter("separator")],
            variadic: Some(parameter("parts")),
            returns: Type::String,
            summary: "Joins.".to_owned(),
            description: "Joins texts.".to_owned(),
            deprecated: None,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let texts: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
        match texts.as_slice() {
            [] | [_] => Err(FunctionError::argument(1, "at least one part is needed")),
            [separator, parts @ ..] => Ok(parts.join(separator).into()),
        }
    }
}

/// The value of a whole thing.
pub fn thing(name: Value, size: Value, id: Value) -> Value {
    Value::Map(BTreeMap::from([("name".to_owned(), name), ("size".to_owned(), size), ("id".to_owned(), id)]))
}
