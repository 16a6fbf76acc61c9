//! Broken rules that no resource can break behind the engine, which keeps them itself: caught all the same, when
//! the answer is altered on its way.

use serde_json::json;
use tfplugin_core::{
    ApplyRequest, Context, Deferred, Diagnostics, FunctionError, MoveSource, Path, PlanRequest, PlanResponse,
    StateResponse, Value, async_trait,
};

use super::thing::Things;
use crate::peer::{Asked, Found, Open, Peer};
use crate::{Terraform, Told};

const THING: &str = "tiny_thing";

/// What to alter in the answers.
#[derive(Clone, Copy)]
struct Alter {
    plan: fn(&mut PlanResponse),
    apply: fn(&mut StateResponse),
    read: fn(&mut StateResponse),
    found: fn(&mut Found),
    upgrade: fn(&mut Value),
}

const NOTHING: Alter = Alter { plan: |_| {}, apply: |_| {}, read: |_| {}, found: |_| {}, upgrade: |_| {} };

struct Tampered {
    real: Box<dyn Peer>,
    alter: Alter,
}

#[async_trait]
impl Peer for Tampered {
    async fn validate_provider(&self, cx: &Context, config: &Value) -> Diagnostics {
        self.real.validate_provider(cx, config).await
    }

    async fn configure(&self, cx: &Context, config: &Value) -> Diagnostics {
        self.real.configure(cx, config).await
    }

    async fn validate(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        self.real.validate(cx, kind, config).await
    }

    async fn upgrade(&self, kind: &str, version: i64, state: &[u8]) -> Result<Value, Diagnostics> {
        let mut value = self.real.upgrade(kind, version, state).await?;
        (self.alter.upgrade)(&mut value);
        Ok(value)
    }

    async fn plan(&self, cx: &Context, kind: &str, request: PlanRequest) -> PlanResponse {
        let mut response = self.real.plan(cx, kind, request).await;
        (self.alter.plan)(&mut response);
        response
    }

    async fn apply(&self, cx: &Context, kind: &str, request: ApplyRequest) -> StateResponse {
        let mut response = self.real.apply(cx, kind, request).await;
        (self.alter.apply)(&mut response);
        response
    }

    async fn read(&self, cx: &Context, kind: &str, state: &Value, private: &[u8]) -> StateResponse {
        let mut response = self.real.read(cx, kind, state, private).await;
        (self.alter.read)(&mut response);
        response
    }

    async fn import(&self, cx: &Context, kind: &str, id: &str) -> Result<Asked<Found>, Diagnostics> {
        let mut found = self.real.import(cx, kind, id).await?;
        if let Asked::Now(found) = &mut found {
            (self.alter.found)(found);
        }
        Ok(found)
    }

    async fn move_state(&self, cx: &Context, kind: &str, source: &MoveSource) -> Result<Found, Diagnostics> {
        let mut found = self.real.move_state(cx, kind, source).await?;
        (self.alter.found)(&mut found);
        Ok(found)
    }

    async fn validate_data(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        self.real.validate_data(cx, kind, config).await
    }

    async fn read_data(
        &self,
        cx: &Context,
        kind: &str,
        config: &Value,
    ) -> Result<Asked<(Value, Diagnostics)>, Diagnostics> {
        self.real.read_data(cx, kind, config).await
    }

    async fn validate_ephemeral(&self, cx: &Context, kind: &str, config: &Value) -> Diagnostics {
        self.real.validate_ephemeral(cx, kind, config).await
    }

    async fn open(&self, cx: &Context, kind: &str, config: &Value) -> Result<Asked<Open>, Diagnostics> {
        self.real.open(cx, kind, config).await
    }

    async fn renew(
        &self,
        cx: &Context,
        kind: &str,
        private: &[u8],
    ) -> Result<(Vec<u8>, Option<std::time::SystemTime>), Diagnostics> {
        self.real.renew(cx, kind, private).await
    }

    async fn close(&self, cx: &Context, kind: &str, private: &[u8]) -> Diagnostics {
        self.real.close(cx, kind, private).await
    }

    async fn call(&self, name: &str, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        self.real.call(name, arguments).await
    }
}

fn set(whole: &mut Value, name: &str, value: Value) {
    if let Value::Map(entries) = whole {
        entries.insert(name.into(), value);
    }
}

/// Import, update and destroy of a thing, with altered answers.
async fn life_with(alter: Alter) {
    let things = Things::default();
    let mut tf = Terraform::new(things.clone()).configure(json!({})).await.unwrap();
    tf.apply(THING, "this", json!({ "name": "a" })).await.expect_ok();
    let tf = Terraform::new(things).with_peer(|real| Box::new(Tampered { real, alter }));
    let mut tf = tf.configure(json!({})).await.unwrap();
    tf.import(THING, "this", "t1", json!({ "name": "a" })).await.expect_ok();
    tf.apply(THING, "this", json!({ "name": "a", "size": "large" })).await.expect_ok();
    tf.apply(THING, "this", json!({ "name": "b" })).await.expect_ok();
    tf.remove(THING, "this").await.expect_ok();
}

#[tokio::test]
async fn unaltered_all_is_well() {
    life_with(NOTHING).await;
}

macro_rules! caught {
    ($($name:ident: $call:ident => $alter:expr, $message:literal;)*) => {
        $(
            #[tokio::test]
            #[should_panic(expected = $message)]
            async fn $name() {
                life_with(Alter { $call: $alter, ..NOTHING }).await;
            }
        )*
    };
}

caught! {
    a_write_only_value_in_a_plan: plan => |plan| set(&mut plan.planned, "secret_wo", "x".into()),
        "Provider produced invalid plan: the provider returned a value for the write-only attribute \
         \"tiny_thing.this.secret_wo\" during planning";
    a_write_only_value_in_a_state: apply => |done| set(&mut done.state, "secret_wo", "x".into()),
        "Provider produced invalid object: the provider returned a value for the write-only attribute \
         \"tiny_thing.this.secret_wo\" after apply";
    a_write_only_value_read_back: read => |seen| set(&mut seen.state, "secret_wo", "x".into()),
        "write-only attribute \"tiny_thing.this.secret_wo\" during refresh";
    a_write_only_value_imported: found => |found| set(&mut found.0, "secret_wo", "x".into()),
        "write-only attribute \"tiny_thing.this.secret_wo\" during import";
    a_write_only_value_upgraded: upgrade => |value| set(value, "secret_wo", "x".into()),
        "write-only attribute \"tiny_thing.this.secret_wo\" during the upgrade of its state";
    an_unknown_after_apply: apply => |done| set(&mut done.state, "url", Value::Unknown),
        "Provider returned invalid result object after apply: the provider still indicated an unknown value for \
         tiny_thing.this.url";
    an_unknown_after_refresh: read => |seen| set(&mut seen.state, "url", Value::Unknown),
        "the provider still indicated an unknown value for tiny_thing.this.url";
    an_unknown_after_import: found => |found| set(&mut found.0, "url", Value::Unknown),
        "Provider returned invalid result object during import";
    nothing_imported: found => |found| found.0 = Value::Null,
        "the provider returned no state for tiny_thing.this during import";
    nothing_upgraded: upgrade => |value| *value = Value::Null,
        "Invalid resource state upgrade: tiny_thing.this: the upgraded state is null";
    nothing_planned: plan => |plan| plan.planned = Value::Null,
        "tiny_thing.this: planned for absence but config wants existence";
    something_planned_for_a_destroy: plan => |plan| {
        if plan.planned.is_null() {
            plan.planned = Value::map([("name", Value::from("a"))]);
        }
    }, "the provider planned a non-null destroy value for tiny_thing.this";
    nothing_after_an_update: apply => |done| done.state = Value::Null,
        "after applying a Update plan, the provider returned a null object for tiny_thing.this";
    something_after_a_delete: apply => |done| {
        if done.state.is_null() {
            done.state = Value::map([("name", Value::from("a"))]);
        }
    }, "after applying a Delete plan, the provider returned a non-null object for tiny_thing.this";
    replacement_for_nothing: plan => |plan| plan.requires_replace.push(Path::attribute("disk").child("kind")),
        "the provider has indicated \"requires replacement\" on tiny_thing.this for a non-existent attribute path disk.kind";
    deferral_of_a_plan_unasked_for: plan => |plan| plan.deferred = Some(Deferred::AbsentPrerequisite),
        "Provider deferred changes when Terraform did not allow deferrals: tiny_thing.this";
    deferral_of_a_read_unasked_for: read => |seen| seen.deferred = Some(Deferred::AbsentPrerequisite),
        "Provider deferred changes when Terraform did not allow deferrals: tiny_thing.this";
}
