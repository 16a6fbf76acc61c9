//! Apply: the plan made again with what is known now, carried out, and looked at afterwards.

use serde_json::Value as Json;
use tfplugin_core::plan::without_write_only;
use tfplugin_core::{ApplyRequest, Diagnostics, Schema, Value};

use super::Terraform;
use super::guard::{APPLY, add, refuse};
use crate::fail;
use crate::outcome::{Action, Change, Outcome, Planned, strings};
use crate::rules::completes;
use crate::state::{Address, Object};
use crate::told::Told;

impl Terraform {
    /// `terraform apply`: plans and carries it out. After a success, reading must give the same state, and
    /// the plan with the same configuration must be empty; see [`Checks`](crate::Checks).
    pub async fn apply(&mut self, kind: &str, name: &str, config: Json) -> Outcome {
        let planned = self.plan(kind, name, config.clone()).await;
        self.apply_planned(planned, config).await
    }

    /// Plans with a configuration that has unknowns and applies with one in which they are known, as when
    /// another resource is created in between.
    pub async fn apply_resolving(&mut self, kind: &str, name: &str, at_plan: Json, at_apply: Json) -> Outcome {
        let planned = self.plan(kind, name, at_plan).await;
        self.apply_planned(planned, at_apply).await
    }

    /// `terraform apply <saved plan>`. The configuration is the one that was planned with, unknowns filled in;
    /// write-only values may be others.
    pub async fn apply_planned(&mut self, planned: Planned, config: Json) -> Outcome {
        let (address, schema) = (planned.address.clone(), planned.schema.clone());
        let mut told = planned.diagnostics.clone();
        if planned.action == Action::Refused || planned.deferred.is_some() {
            return self.outcome(planned, told);
        }
        if planned.action == Action::Delete {
            return self.destroy_planned(planned).await;
        }
        self.configs.insert(address.clone(), config.clone());
        let config = self.parse(&address.to_string(), &schema, &config);
        if let Some(path) = config.first_unknown() {
            fail(format!("Configuration contains unknown value: {address} is applied with {path} unknown"));
        }
        let stored = |config: &Value| without_write_only(&schema, config);
        let other = completes(&schema, &stored(&planned.config), &stored(&config));
        refuse("the configuration at apply is not the one that was planned with", &address, "", &other);

        add(&mut told, self.configure_for_apply().await);
        if told.has_errors() || planned.action == Action::NoOp {
            return self.outcome(planned, told);
        }
        add(&mut told, self.carry_out(&address, &schema, &planned.change, &config).await);
        if !told.has_errors() {
            self.look_again(&address, &schema, &config).await;
        }
        self.outcome(planned, told)
    }

    /// The outcome as it stands in the state file.
    pub(super) fn outcome(&self, planned: Planned, told: Diagnostics) -> Outcome {
        let Address { kind, name } = &planned.address;
        Outcome { state: self.state(kind, name), tainted: self.is_tainted(kind, name), diagnostics: told, planned }
    }

    async fn carry_out(&mut self, address: &Address, schema: &Schema, planned: &Change, config: &Value) -> Diagnostics {
        let mut current = match self.load(address, schema).await {
            Ok(current) => current,
            Err(told) => return told,
        };
        if current.as_ref().map_or(&Value::Null, |object| &object.value) != &planned.before {
            fail(format!("Saved plan is stale: the state of {address} was changed after the plan was made"));
        }
        let mut told = Diagnostics::new();
        if planned.action == Action::Replace {
            let removal = Change { action: Action::Delete, after: Value::Null, ..planned.clone() };
            add(&mut told, self.carry_out_one(address, schema, &removal, &Value::Null, current.as_ref()).await);
            if told.has_errors() {
                return told;
            }
            current = None;
        }
        // With what is known now. The private state of a planned replacement went with the old object.
        let mut change = self.change(address, schema, current.as_ref(), config).await;
        add(&mut told, change.diagnostics.clone());
        if told.has_errors() {
            return told;
        }
        if planned.action == Action::Replace && change.action == Action::Create {
            change.action = Action::Replace;
        }
        consistent(address, schema, planned, &change);
        if change.action == Action::NoOp {
            return told;
        }
        if change.action == Action::Replace {
            change = Change { action: Action::Create, before: Value::Null, ..change };
        }
        add(&mut told, self.carry_out_one(address, schema, &change, config, current.as_ref()).await);
        told
    }

    /// One call of the provider's apply, the rules for its answer, and what comes of it in the state file.
    pub(super) async fn carry_out_one(
        &mut self,
        address: &Address,
        schema: &Schema,
        change: &Change,
        config: &Value,
        current: Option<&Object>,
    ) -> Diagnostics {
        let request = ApplyRequest {
            prior: change.before.clone(),
            planned: change.after.clone(),
            config: config.clone(),
            planned_private: change.private.clone(),
        };
        let response = self.peer.apply(&self.cx, &address.kind, request).await;
        let told = response.diagnostics;
        self.heed(address, schema, &told);
        self.guard_known(address, schema, &APPLY, &response.state, &response.private);
        let failed = told.has_errors();
        if !failed {
            let wrong = "Provider returned invalid result object after apply";
            if change.action == Action::Delete && !response.state.is_null() {
                fail(format!(
                    "{wrong}: after applying a Delete plan, the provider returned a non-null object for {address}"
                ));
            }
            if change.action != Action::Delete && response.state.is_null() {
                let action = change.action;
                fail(format!(
                    "{wrong}: after applying a {action:?} plan, the provider returned a null object for {address}"
                ));
            }
            let problems = completes(schema, &change.after, &response.state);
            refuse(
                "Provider produced inconsistent result after apply",
                address,
                "when applying changes, the provider produced an unexpected new value: ",
                &problems,
            );
        }
        let object = match (failed, response.state) {
            // Nothing is known of what happened, so what was known before stays.
            (true, Value::Null) => current.cloned(),
            (_, Value::Null) => None,
            (failed, value) => {
                // What failed halfway through its creation is in a state that nobody knows.
                let tainted = failed && (change.action == Action::Create || current.is_some_and(|one| one.tainted));
                Some(Object { value, private: response.private, tainted })
            }
        };
        self.save(address, schema, object.as_ref());
        told
    }

    /// After a success: what is there is what was said, and nothing is left to do.
    async fn look_again(&self, address: &Address, schema: &Schema, config: &Value) {
        let Ok(Some(object)) = self.load(address, schema).await else {
            fail(format!("{address}: the state cannot be read back right after apply"));
        };
        let object = if self.checks.refresh_after_apply {
            let seen = self.read(address, schema, &object).await;
            seen.told.expect_ok();
            let Some(found) = seen.object else {
                fail(format!("{address}: refresh right after apply says that it is gone"));
            };
            if !seen.drift.is_empty() {
                let lines = strings(&seen.drift).join(", ");
                let change = Change {
                    action: Action::Update,
                    after: found.value,
                    ..Change::none(object.value, Diagnostics::new())
                };
                let shown =
                    Planned::new(address.clone(), schema.clone(), config.clone(), change, &[], Diagnostics::new());
                fail(format!("{address}: refresh right after apply shows drift in {lines}:\n{shown}"));
            }
            found
        } else {
            object
        };
        if self.checks.empty_plan_after_apply {
            let change = self.change(address, schema, Some(&object), config).await;
            change.diagnostics.expect_ok();
            if change.action != Action::NoOp {
                let told = change.diagnostics.clone();
                let shown = Planned::new(address.clone(), schema.clone(), config.clone(), change, &[], told);
                fail(format!("{address}: the plan right after apply is not empty:\n{shown}"));
            }
        }
    }
}

/// What was known when it was planned must be the same when it is planned again.
fn consistent(address: &Address, schema: &Schema, planned: &Change, again: &Change) {
    let summary = "Provider produced inconsistent final plan";
    let became_nothing = planned.action == Action::Update && again.action == Action::NoOp;
    if planned.action != again.action && !became_nothing {
        fail(format!(
            "{summary}: when expanding the plan for {address} to include new values learned so far during apply, the \
             provider changed the planned action from {:?} to {:?}",
            planned.action, again.action
        ));
    }
    let problems = completes(schema, &planned.after, &again.after);
    let intro = "when expanding the plan to include new values learned so far during apply, the provider produced an \
                 invalid new value for ";
    refuse(summary, address, intro, &problems);
}
