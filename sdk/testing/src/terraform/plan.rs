//! Validate and plan.

use serde_json::Value as Json;
use tfplugin_core::{Diagnostics, Path, PlanRequest, PlanResponse, Schema, Value};

use super::guard::{PLAN, add, exists, refuse};
use super::{Terraform, tolerate};
use crate::fail;
use crate::outcome::{Action, Change, Planned};
use crate::rules::{plan_problems, proposed_new};
use crate::state::{Address, Object};
use crate::told::Told;

impl Terraform {
    /// `terraform validate`: with the configuration as given, and where that is valid, with parts of it
    /// unknown.
    pub async fn validate(&self, kind: &str, config: Json) -> Diagnostics {
        let schema = self.schema(kind);
        let config = self.parse(kind, &schema, &config);
        self.check(&kind, kind, &schema, &config).await
    }

    /// `terraform plan`: refreshes the state, then plans. The refreshed state is saved, as an apply does.
    pub async fn plan(&mut self, kind: &str, name: &str, config: Json) -> Planned {
        let (address, schema) = (Address::new(kind, name), self.schema(kind));
        let config = self.parse(&address.to_string(), &schema, &config);
        let mut told = self.configure_for_plan().await;
        if !told.has_errors() {
            add(&mut told, self.check(&address, kind, &schema, &config).await);
        }
        if told.has_errors() {
            let change = Change::refused(Value::Null, Diagnostics::new());
            return Planned::new(address, schema, config, change, &[], told);
        }
        let seen = self.see(&address, &schema).await;
        add(&mut told, seen.told);
        let before = seen.object.as_ref().map_or(Value::Null, |object| object.value.clone());
        if told.has_errors() {
            let change = Change::refused(before, Diagnostics::new());
            return Planned::new(address, schema, config, change, &seen.drift, told);
        }
        if seen.deferred.is_some() {
            let change = Change { deferred: seen.deferred, ..Change::none(before, Diagnostics::new()) };
            return Planned::new(address, schema, config, change, &seen.drift, told);
        }
        let change = self.change(&address, &schema, seen.object.as_ref(), &config).await;
        add(&mut told, change.diagnostics.clone());
        Planned::new(address, schema, config, change, &seen.drift, told)
    }

    /// Fails the test unless the plan is empty.
    pub async fn assert_empty_plan(&mut self, kind: &str, name: &str, config: Json) {
        let planned = self.plan(kind, name, config).await;
        planned.expect_ok();
        if planned.action != Action::NoOp {
            fail(format!("expected an empty plan, found:\n{planned}"));
        }
    }

    async fn check(&self, of: &impl std::fmt::Display, kind: &str, schema: &Schema, config: &Value) -> Diagnostics {
        let told = self.peer.validate(&self.cx, kind, config).await;
        self.heed(of, schema, &told);
        if !told.has_errors() {
            for (which, variant) in self.variants(config) {
                let errors = self.peer.validate(&self.cx, kind, &variant).await;
                tolerate(&of.to_string(), &which, &errors);
            }
        }
        told
    }

    /// What core decides to do, given the state and the configuration.
    pub(super) async fn change(
        &self,
        address: &Address,
        schema: &Schema,
        current: Option<&Object>,
        config: &Value,
    ) -> Change {
        let before = current.map_or(Value::Null, |object| object.value.clone());
        // What is tainted is planned as if nothing were there, and replaced.
        let alive = current.filter(|object| !object.tainted);
        let prior = alive.map_or(Value::Null, |object| object.value.clone());
        let private = alive.map(|object| object.private.clone()).unwrap_or_default();

        let mut told = self.peer.validate(&self.cx, &address.kind, config).await;
        self.heed(address, schema, &told);
        if told.has_errors() {
            return Change::refused(before, told);
        }
        let mut response = self.ask(address, schema, &prior, config, private).await;
        add(&mut told, response.diagnostics.clone());
        if told.has_errors() {
            return Change::refused(before, told);
        }
        let requires_replace = replaced(address, &prior, &response);
        let mut action = if prior.is_null() {
            Action::Create
        } else if response.planned == prior {
            Action::NoOp
        } else if requires_replace.is_empty() {
            Action::Update
        } else {
            Action::Replace
        };
        if action == Action::Replace {
            // What will be there then is made of nothing but the configuration.
            let private = std::mem::take(&mut response.planned_private);
            response = self.ask(address, schema, &Value::Null, config, private).await;
            if response.diagnostics.has_errors() {
                add(&mut told, response.diagnostics);
                return Change::refused(before, told);
            }
        }
        if action == Action::Create && !before.is_null() {
            action = Action::Replace;
        }
        Change {
            action,
            before,
            after: response.planned,
            private: response.planned_private,
            requires_replace,
            deferred: response.deferred,
            diagnostics: told,
        }
    }

    /// One call of the provider's plan, and the rules for its answer.
    async fn ask(
        &self,
        address: &Address,
        schema: &Schema,
        prior: &Value,
        config: &Value,
        prior_private: Vec<u8>,
    ) -> PlanResponse {
        let proposed = proposed_new(schema, prior, config);
        let request = PlanRequest { prior: prior.clone(), proposed, config: config.clone(), prior_private };
        let response = self.peer.plan(&self.cx, &address.kind, request).await;
        self.heed(address, schema, &response.diagnostics);
        if response.diagnostics.has_errors() {
            return response;
        }
        self.guard_deferral(address, response.deferred);
        self.guard(address, schema, &PLAN, &response.planned, &response.planned_private);
        let problems = plan_problems(schema, prior, config, &response.planned);
        refuse(PLAN.summary, address, "the provider planned an invalid value for ", &problems);
        response
    }
}

/// The paths for which it is replaced: those of the provider at which something changes.
fn replaced(address: &Address, prior: &Value, response: &PlanResponse) -> Vec<Path> {
    if prior.is_null() {
        return Vec::new();
    }
    let planned = &response.planned;
    if let Some(path) = response.requires_replace.iter().find(|path| !exists(prior, path) && !exists(planned, path)) {
        fail(format!(
            "{}: the provider has indicated \"requires replacement\" on {address} for a non-existent attribute path {path}",
            PLAN.summary
        ));
    }
    let changes = |path: &&Path| {
        let at = |whole: &Value| whole.at(path).cloned().unwrap_or_default();
        at(prior) != at(planned) || !at(planned).is_wholly_known()
    };
    response.requires_replace.iter().filter(changes).cloned().collect()
}
