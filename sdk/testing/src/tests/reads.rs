//! Data sources, ephemeral resources and functions, right and wrong.

use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use tfplugin_core::{
    Attr, Context, DataSource, Deferred, Diagnostics, EphemeralResource, Function, FunctionError, Opened, Parameter,
    Path, Private, Renewed, Signature, Type, Value, async_trait,
};

use super::model::model;
use super::thing::{Fault, Things};
use crate::{Terraform, Told, unknown};

model!(Found, version 0, {
    name: Attr<String>, Required;
    id: Attr<String>, Computed;
});

/// Looks a thing up by its name.
pub(super) struct Lookup(pub(super) Things);

#[async_trait]
impl DataSource for Lookup {
    type Model = Found;

    fn type_name(&self) -> &'static str {
        "tiny_thing"
    }

    async fn defer(&self, _cx: &Context, _config: &Found) -> Option<Deferred> {
        self.0.does(Fault::Defers).then_some(Deferred::ProviderConfigUnknown)
    }

    async fn read(&self, _cx: &Context, config: Found) -> Result<(Found, Diagnostics), Diagnostics> {
        let found = self.0.world().things.iter().find(|(_, thing)| thing.name == config.name).map(|(id, _)| id.clone());
        let Some(id) = found else {
            return Err(Diagnostics::error("No such thing", "There is none.").below(&Path::attribute("name")));
        };
        let mut found = Found { id: id.into(), ..config };
        if self.0.does(Fault::LosesConfigured) {
            found.name = "other".into();
        }
        if self.0.does(Fault::ReturnsUnknown) {
            found.id = Attr::Unknown;
        }
        Ok((found, Diagnostics::new()))
    }
}

/// A token that must be renewed.
pub(super) struct Token(pub(super) Things);

#[async_trait]
impl EphemeralResource for Token {
    type Model = Found;

    fn type_name(&self) -> &'static str {
        "tiny_token"
    }

    async fn defer(&self, _cx: &Context, _config: &Found) -> Option<Deferred> {
        self.0.does(Fault::Defers).then_some(Deferred::ProviderConfigUnknown)
    }

    async fn open(&self, _cx: &Context, config: Found) -> Result<Opened<Found>, Diagnostics> {
        let mut private = Private::default();
        private.set("left", &2);
        if self.0.does(Fault::SecretInPrivate) {
            private.set("token", &"s3cret");
        }
        let id = if self.0.does(Fault::ReturnsUnknown) { Attr::Unknown } else { "s3cret".into() };
        let renew_at = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
        Ok(Opened { result: Found { id, ..config }, private, renew_at, diagnostics: Diagnostics::new() })
    }

    async fn renew(&self, _cx: &Context, mut private: Private) -> Result<Renewed, Diagnostics> {
        let left = private.get::<i64>("left").unwrap_or_default() - 1;
        if left < 0 {
            return Err(Diagnostics::error("Expired", "It cannot be renewed again."));
        }
        private.set("left", &left);
        Ok(Renewed { private, renew_at: None })
    }

    async fn close(&self, _cx: &Context, private: Private) -> Diagnostics {
        let left = private.get::<i64>("left").unwrap_or_default();
        self.0.world().calls.push(format!("close with {left} left"));
        Diagnostics::new()
    }
}

/// Texts, one after the other.
pub(super) struct Join(pub(super) Things);

impl Function for Join {
    fn signature(&self) -> Signature {
        let parameter = |name: &str| Parameter {
            name: name.into(),
            ty: Type::String,
            description: name.into(),
            allow_null: false,
            allow_unknown: false,
        };
        Signature {
            name: "join".into(),
            parameters: vec![parameter("between")],
            variadic: Some(parameter("text")),
            returns: Type::String,
            summary: "Joins".into(),
            description: "Joins".into(),
            deprecated: None,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let texts: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
        let Some((between, texts)) = texts.split_first() else { return Ok(Value::Null) };
        if let Some(position) = texts.iter().position(|text| text.contains(between)) {
            return Err(FunctionError::argument(position as i64 + 1, "it contains what is put between"));
        }
        let count = if self.0.does(Fault::Impure) { self.0.count().to_string() } else { String::new() };
        Ok(Value::from(texts.join(between) + &count))
    }
}

async fn start(things: &Things) -> Terraform {
    let mut tf = Terraform::new(things.clone()).canary("s3cret").configure(json!({})).await.unwrap();
    tf.apply("tiny_thing", "this", json!({ "name": "a" })).await.expect_ok();
    things.calls();
    tf
}

#[tokio::test]
async fn a_data_source_is_read() {
    let tf = start(&Things::default()).await;
    let found = tf.data("tiny_thing", json!({ "name": "a" })).await;
    found.expect_silence();
    assert_eq!(found.result, json!({ "name": "a", "id": "t1" }));
    tf.data("tiny_thing", json!({ "name": "b" })).await.expect_error("name", "There is none");
    tf.data("tiny_thing", json!({})).await.expect_error("name", "required");
    let later = tf.data("tiny_thing", json!({ "name": unknown() })).await;
    assert_eq!(later.expect_ok().result, Json::Null);
}

#[tokio::test]
async fn an_ephemeral_resource_is_opened_renewed_and_closed() {
    let things = Things::default();
    let tf = start(&things).await;
    let mut opened = tf.open("tiny_token", json!({ "name": "a" })).await;
    opened.expect_silence();
    assert_eq!(opened.result["id"], "s3cret");
    assert_eq!(opened.renew_at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1)));
    tf.renew(&mut opened).await.expect_ok();
    assert_eq!(opened.renew_at, None);
    tf.renew(&mut opened).await.expect_ok();
    tf.renew(&mut opened).await.expect_error("", "cannot be renewed again");
    tf.close(opened).await.expect_ok();
    assert_eq!(things.calls(), ["close with 0 left"]);

    let never = tf.open("tiny_token", json!({})).await;
    never.expect_error("name", "required");
    tf.close(never).await.expect_ok();
    assert!(things.calls().is_empty());
}

#[tokio::test]
async fn a_function_is_called_as_core_calls_it() {
    let tf = start(&Things::default()).await;
    assert_eq!(tf.call("join", vec![json!("-"), json!("a"), json!("b")]).await, Ok(json!("a-b")));
    assert_eq!(tf.call("join", vec![json!("-")]).await, Ok(json!("")));
    assert_eq!(tf.call("join", vec![json!("-"), unknown()]).await, Ok(unknown()));
    let refused = tf.call("join", vec![json!("-"), json!("a-b")]).await.unwrap_err();
    assert_eq!(refused, FunctionError::argument(1, "it contains what is put between"));
    let refused = tf.call("join", vec![json!("-"), json!("a"), json!(null)]).await.unwrap_err();
    assert_eq!(refused, FunctionError::argument(2, "argument \"text\" must not be null"));
}

macro_rules! caught {
    ($($name:ident: $fault:ident, $tf:ident => $call:expr, $message:literal;)*) => {
        $(
            #[tokio::test]
            #[should_panic(expected = $message)]
            async fn $name() {
                let things = Things::default();
                let $tf = start(&things).await;
                things.fault(Fault::$fault);
                let _ = $call;
            }
        )*
    };
}

caught! {
    a_data_source_that_changes_the_configuration: LosesConfigured, tf =>
        tf.data("tiny_thing", json!({ "name": "a" })).await,
        "Provider produced invalid object: data.tiny_thing.name: planned value \"other\" does not match config value \"a\"";
    a_data_source_that_knows_not: ReturnsUnknown, tf =>
        tf.data("tiny_thing", json!({ "name": "a" })).await,
        "the provider still indicated an unknown value for data.tiny_thing.id";
    an_ephemeral_resource_that_knows_not: ReturnsUnknown, tf =>
        tf.open("tiny_token", json!({ "name": "a" })).await,
        "ephemeral.tiny_token: id is unknown after opening it";
    an_ephemeral_resource_that_keeps_its_secret: SecretInPrivate, tf =>
        tf.open("tiny_token", json!({ "name": "a" })).await,
        "ephemeral.tiny_token: a secret has got into its private state, in plain text";
    a_function_with_moods: Impure, tf =>
        tf.call("join", vec![json!("-"), json!("a")]).await,
        "Provider function returned inconsistent result";
    too_few_arguments: None, tf =>
        tf.call("join", vec![]).await,
        "Not enough function arguments";
}
