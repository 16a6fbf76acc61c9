//! Each rule of core, broken by the provider, fails the test.

use std::marker::PhantomData;

use serde_json::{Value as Json, json};
use tfplugin_core::{
    AnyResource, Applied, Attr, Context, Create, Delete, Diagnostics, Field, Model, Path, Provider, Read, Refreshed,
    Resource, Update, Value, async_trait,
};

use super::model::model;
use super::thing::{Config, Fault, Things};
use crate::{Checks, Terraform, Told};

const THING: &str = "tiny_thing";

fn config(size: &str) -> Json {
    json!({ "name": "a", "size": size, "disk": { "speed": 3 }, "secret_wo": "s3cret" })
}

/// A create and an update by a provider with this fault.
async fn life_with(fault: Fault) {
    let things = Things::default();
    things.fault(fault);
    let mut tf = Terraform::new(things).canary("s3cret").canary("l3arned").configure(json!({})).await.unwrap();
    tf.apply(THING, "this", config("small")).await.expect_ok();
    tf.apply(THING, "this", config("large")).await.expect_ok();
}

macro_rules! caught {
    ($($name:ident: $fault:ident => $message:literal;)*) => {
        $(
            #[tokio::test]
            #[should_panic(expected = $message)]
            async fn $name() {
                life_with(Fault::$fault).await;
            }
        )*
    };
}

caught! {
    intolerance_of_unknowns: RefusesUnknown =>
        "tiny_thing.this: validation must tolerate unknowns, and fails with size unknown:\nError: No size (at size)";
    a_message_about_nothing: MessageElsewhere =>
        "tiny_thing.this: a message is about disk.colour, which the schema does not have";
    a_secret_in_a_message: SecretInMessage =>
        "tiny_thing.this: a secret has got into a message, in plain text";
    a_configured_value_planned_otherwise: PlansOtherSize =>
        "Provider produced invalid plan: the provider planned an invalid value for tiny_thing.this.size: planned value \
         \"huge\" does not match config value \"small\"";
    a_value_planned_where_nothing_may_be: PlansTags =>
        "tiny_thing.this.tags: planned value {} for a non-computed attribute";
    a_configured_object_planned_away: PlansNoDisk =>
        "tiny_thing.this.disk: planned for absence but config wants existence";
    a_configured_value_inside_an_object_planned_otherwise: PlansOtherSpeed =>
        "tiny_thing.this.disk.speed: planned value 99 does not match config value 3";
    a_plan_that_differs_at_apply: ChangesItsMind =>
        "Provider produced inconsistent final plan: when expanding the plan to include new values learned so far during \
         apply, the provider produced an invalid new value for tiny_thing.this.label: was \"label ";
    a_plan_that_never_ends: AlwaysChanges =>
        "tiny_thing.this: the plan right after apply is not empty:\n# tiny_thing.this will be updated in-place\n  \
         ~ url = \"https://a/small\" -> (known after apply)";
    a_secret_in_a_plan: SecretInPlan =>
        "tiny_thing.this: a secret has got into its value during planning, in base64";
    a_secret_in_private_state: SecretInPrivate =>
        "tiny_thing.this: a secret has got into its private state after apply, in plain text";
    a_result_other_than_planned: ReturnsOtherSize =>
        "Provider produced inconsistent result after apply: when applying changes, the provider produced an unexpected \
         new value: tiny_thing.this.size: was \"small\", but now \"huge\"";
    an_unknown_result: ReturnsUnknown => "returned an unknown value (at url)";
    drift_right_after_apply: DriftsAtOnce =>
        "tiny_thing.this: refresh right after apply shows drift in size:\n# tiny_thing.this will be updated in-place\n  \
         ~ size = \"small\" -> \"smaller\"";
    absence_right_after_apply: LosesIt => "tiny_thing.this: refresh right after apply says that it is gone";
    an_error_right_after_apply: ReadFails => "expected no error, found:\nError: Unreachable";
}

#[tokio::test]
async fn without_a_fault_nothing_is_caught() {
    life_with(Fault::None).await;
}

#[tokio::test]
#[should_panic(expected = "Provider produced inconsistent final plan: when expanding the plan for tiny_thing.this to \
                           include new values learned so far during apply, the provider changed the planned action \
                           from Update to Replace")]
async fn an_action_that_differs_at_apply() {
    let things = Things::default();
    let mut tf = Terraform::new(things.clone()).configure(json!({})).await.unwrap();
    tf.apply(THING, "this", json!({ "name": "a" })).await.expect_ok();
    let planned = tf.plan(THING, "this", json!({ "name": "a", "size": "large" })).await;
    things.fault(Fault::ChangesTheAction);
    tf.apply_planned(planned, json!({ "name": "a", "size": "large" })).await;
}

#[tokio::test]
async fn the_additional_checks_can_be_switched_off() {
    for (fault, off) in [
        (Fault::DriftsAtOnce, Checks { refresh_after_apply: false, ..Checks::default() }),
        (Fault::AlwaysChanges, Checks { empty_plan_after_apply: false, ..Checks::default() }),
        (Fault::RefusesUnknown, Checks { validate_unknowns: false, ..Checks::default() }),
    ] {
        let things = Things::default();
        things.fault(fault);
        let mut tf = Terraform::new(things).configure(json!({})).await.unwrap();
        tf.set_checks(off);
        tf.apply(THING, "this", config("small")).await.expect_ok();
    }
}

#[tokio::test]
#[should_panic(expected = "expected an empty plan, found:\n# tiny_thing.this will be created")]
async fn a_plan_that_should_be_empty() {
    let mut tf = Terraform::new(Things::default()).configure(json!({})).await.unwrap();
    tf.assert_empty_plan(THING, "this", config("small")).await;
}

#[tokio::test]
#[should_panic(expected = "an argument named \"colour\" is not expected here")]
async fn a_configuration_that_terraform_refuses() {
    let mut tf = Terraform::new(Things::default()).configure(json!({})).await.unwrap();
    tf.plan(THING, "this", json!({ "name": "a", "colour": "red" })).await;
}

model!(Odd, version 0, {
    made: Attr<String>, Optional, default = Some("x".into());
});

model!(Liar, version 1, {
    name: Odder, Optional;
});

#[tokio::test]
#[should_panic(expected = "the provider's schema has problems:\n\
                           resource thing_odd: its name does not begin with odd_\n\
                           resource thing_odd: made: a default needs an optional, computed attribute")]
async fn a_schema_with_problems() {
    let _ = Terraform::new(OddProvider::<Odd>(PhantomData));
}

#[tokio::test]
#[should_panic(
    expected = "Provider produced invalid object: the planned state is not of the schema: at name: expected \
                           string, found a number"
)]
async fn a_value_of_another_type() {
    let tf = Terraform::new(OddProvider::<Liar>(PhantomData)).configure(json!({})).await.unwrap();
    tf.without_unknown_validation().plan("odd_thing", "this", json!({ "name": "a" })).await;
}

/// Says that it is text and is a number.
#[derive(Clone, Debug, Default)]
pub(super) struct Odder;

impl Field for Odder {
    fn shape() -> tfplugin_core::Shape {
        String::shape()
    }

    fn from_value(_value: &Value, _path: &Path) -> Result<Odder, tfplugin_core::Diagnostic> {
        Ok(Odder)
    }

    fn to_value(&self) -> Value {
        Value::from(1_i64)
    }
}

/// A provider of one resource with that model.
struct OddProvider<M>(PhantomData<M>);

struct OddResource<M>(PhantomData<M>);

#[async_trait]
impl<M: Model + Send + Sync + Clone + 'static> Provider for OddProvider<M> {
    type Config = Config;

    fn name(&self) -> &'static str {
        "odd"
    }

    fn resources(&self) -> Vec<AnyResource> {
        vec![OddResource(self.0).into()]
    }

    async fn configure(&self, _cx: &Context, _config: Config) -> Diagnostics {
        Diagnostics::new()
    }
}

#[async_trait]
impl<M: Model + Send + Sync + Clone + 'static> Resource for OddResource<M> {
    type Model = M;

    fn type_name(&self) -> &'static str {
        if M::schema().version == 0 { "thing_odd" } else { "odd_thing" }
    }

    async fn create(&self, _cx: &Context, _request: Create<M>) -> Applied<M> {
        Applied::failed(Diagnostics::new())
    }

    async fn read(&self, _cx: &Context, _request: Read<M>) -> Refreshed<M> {
        Refreshed::gone()
    }

    async fn update(&self, _cx: &Context, _request: Update<M>) -> Applied<M> {
        Applied::failed(Diagnostics::new())
    }

    async fn delete(&self, _cx: &Context, _request: Delete<M>) -> Diagnostics {
        Diagnostics::new()
    }
}
