//! Data sources, ephemeral resources, and the provider around everything.

use futures::executor::block_on;
use tfplugin_core::{
    AnyDataSource, AnyEphemeralResource, AnyResource, Attr, Cancel, ClientCapabilities, Context, DataSource,
    Diagnostics, Engine, EphemeralResource, MoveSource, Opened, Path, Private, Provider, Value, async_trait,
};
use tfplugin_derive::Model;

use crate::machine::{Machines, context, summaries};

/// Something looked up.
#[derive(Model, Clone, Debug)]
#[model(crate = tfplugin_core)]
struct Lookup {
    /// What.
    #[attr(required)]
    what: Attr<String>,
    /// How far.
    #[attr(default = 3)]
    depth: Attr<i64>,
    /// Found.
    #[attr(computed)]
    found: Attr<String>,
}

struct Looking;

fn found(config: Lookup) -> Lookup {
    let found = format!("{}/{}", config.what.as_str().unwrap(), config.depth.unwrap_or(0));
    Lookup { found: found.into(), ..config }
}

#[async_trait]
impl DataSource for Looking {
    type Model = Lookup;

    fn type_name(&self) -> &'static str {
        "test_lookup"
    }

    async fn read(&self, _cx: &Context, config: Lookup) -> Result<(Lookup, Diagnostics), Diagnostics> {
        Ok((found(config), Diagnostics::new()))
    }
}

#[async_trait]
impl EphemeralResource for Looking {
    type Model = Lookup;

    fn type_name(&self) -> &'static str {
        "test_lookup"
    }

    async fn open(&self, _cx: &Context, config: Lookup) -> Result<Opened<Lookup>, Diagnostics> {
        let mut private = Private::default();
        private.set("open", &true);
        Ok(Opened { result: found(config), private, renew_at: None, diagnostics: Diagnostics::new() })
    }
}

/// The provider's configuration.
#[derive(Model, Clone, Debug)]
#[model(crate = tfplugin_core)]
struct Config {
    /// Token.
    #[attr(required, write_only, sensitive)]
    token_wo: Attr<String>,
}

struct Test;

#[async_trait]
impl Provider for Test {
    type Config = Config;

    fn name(&self) -> &'static str {
        "test"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![Machines::default().into()]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![AnyDataSource::new(Looking)]
    }

    fn ephemeral_resources(&self) -> Vec<AnyEphemeralResource> {
        vec![AnyEphemeralResource::new(Looking)]
    }

    async fn configure(&self, _cx: &Context, config: Config) -> Diagnostics {
        if config.token_wo.is_unknown() {
            Diagnostics::error("unknown at plan must not fail", "")
        } else {
            Diagnostics::new()
        }
    }
}

fn lookup() -> Value {
    Value::map([("what", "x".into()), ("depth", Value::Null), ("found", Value::Null)])
}

fn expected() -> Value {
    Value::map([("what", "x".into()), ("depth", Value::from(3)), ("found", "x/3".into())])
}

#[test]
fn data_sources_and_ephemeral_resources_see_their_defaults() {
    let engine = Engine::new(Test);
    let source = engine.data_source("test_lookup").unwrap();
    assert_eq!(block_on(source.read(&context(), &lookup())).unwrap().0, expected());
    let resource = engine.ephemeral_resource("test_lookup").unwrap();
    let (result, private, renew_at, _) = block_on(resource.open(&context(), &lookup())).unwrap();
    assert_eq!((result, renew_at), (expected(), None));
    assert_eq!(private.get("open"), Some(true));
    assert!(block_on(resource.close(&context(), private)).is_empty());
}

#[test]
fn what_a_provider_does_not_have_is_named() {
    let engine = Engine::new(Test);
    for (kind, errors) in [
        ("resource", engine.resource("test_gone").err().unwrap()),
        ("data source", engine.data_source("test_gone").err().unwrap()),
        ("ephemeral resource", engine.ephemeral_resource("test_gone").err().unwrap()),
    ] {
        assert_eq!(summaries(&errors), [format!("Unknown {kind} test_gone")]);
    }
    assert!(engine.resource("test_machine").is_ok());
}

/// The same with one resource twice, and one that is called as if it were another provider's.
struct Twice;

#[async_trait]
impl Provider for Twice {
    type Config = Config;

    fn name(&self) -> &'static str {
        "test"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![Machines::default().into(), Machines::default().into()]
    }

    fn data_sources(&self) -> Vec<AnyDataSource> {
        vec![Misnamed.into()]
    }

    async fn configure(&self, _cx: &Context, _config: Config) -> Diagnostics {
        Diagnostics::new()
    }
}

struct Misnamed;

#[async_trait]
impl DataSource for Misnamed {
    type Model = Lookup;

    fn type_name(&self) -> &'static str {
        "other_lookup"
    }

    async fn read(&self, _cx: &Context, config: Lookup) -> Result<(Lookup, Diagnostics), Diagnostics> {
        Ok((found(config), Diagnostics::new()))
    }
}

#[test]
fn what_cannot_work_is_found_in_the_provider_as_a_whole() {
    assert_eq!(Engine::new(Test).problems(), Vec::<String>::new());
    assert_eq!(
        Engine::new(Twice).problems(),
        ["resource test_machine: there are two of it", "data source other_lookup: its name does not begin with test_"]
    );
}

#[test]
fn a_provider_may_be_configured_with_write_only_values_by_any_client() {
    let engine = Engine::new(Test);
    let old = Context { client: ClientCapabilities::default(), ..Context::default() };
    let config = Value::map([("token_wo", Value::from("canary"))]);
    assert!(block_on(engine.validate(&old, &config)).is_empty());
    assert!(block_on(engine.configure(&old, &config)).is_empty());
    let missing = block_on(engine.validate(&old, &Value::map([("token_wo", Value::Null)])));
    assert_eq!(summaries(&missing), ["Missing attribute token_wo"]);
}

#[test]
fn a_state_that_nobody_takes_over_is_refused_with_the_way_out() {
    let source = MoveSource {
        provider_address: "registry.example/other/other".into(),
        type_name: "other_machine".into(),
        schema_version: 0,
        state: serde_json::json!({}),
    };
    let errors = block_on(Engine::new(Test).move_state(&context(), "test_machine", &source)).unwrap_err();
    assert!(errors.to_string().contains("import the object instead"), "{errors}");
}

#[test]
fn a_cancel_reaches_everyone_who_waits_and_who_comes_later() {
    let cancel = Cancel::new();
    let other = cancel.clone();
    let waiting = std::thread::spawn({
        let cancel = cancel.clone();
        move || block_on(cancel.cancelled())
    });
    assert!(!other.is_cancelled());
    cancel.cancel();
    waiting.join().unwrap();
    block_on(other.cancelled());
    assert!(other.is_cancelled());
}

#[test]
fn private_state_that_cannot_be_read_is_empty() {
    for bytes in [&b""[..], b"{", b"[1]", &[0xff, 0x00]] {
        assert_eq!(Private::from_bytes(bytes), Private::default());
    }
    let mut private = Private::default();
    private.set("a", &vec![1, 2]);
    private.set("b", &"x");
    private.remove("b");
    assert_eq!(private.to_bytes(), br#"{"a":[1,2]}"#);
    assert_eq!(Private::from_bytes(&private.to_bytes()).get::<Vec<i64>>("a"), Some(vec![1, 2]));
    assert_eq!(private.get::<String>("a"), None, "of another type");
}

#[test]
fn messages_about_a_part_are_put_below_the_whole() {
    let mut messages = Diagnostics::error("wrong", "");
    messages.push(tfplugin_core::Diagnostic::warning("odd", "why").at(Path::attribute("size")));
    let messages = messages.below(&Path::attribute("disk"));
    let paths: Vec<String> = messages.iter().map(|one| one.path.clone().unwrap().to_string()).collect();
    assert_eq!(paths, ["disk", "disk.size"]);
    assert_eq!(messages.to_string(), "Error: wrong (at disk)\nWarning: odd (at disk.size)\nwhy");
    assert!(messages.into_result().is_err());
}
