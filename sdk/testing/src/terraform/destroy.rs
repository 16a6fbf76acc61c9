//! Destroy.

use tfplugin_core::{Diagnostics, PlanRequest, Value};

use super::Terraform;
use super::guard::{PLAN, add};
use crate::fail;
use crate::outcome::{Action, Change, Outcome, Planned};
use crate::state::Address;

impl Terraform {
    /// `terraform destroy`: plans with the last configuration as for an apply (which may refuse), then plans
    /// the destroy and carries it out.
    pub async fn destroy(&mut self, kind: &str, name: &str) -> Outcome {
        if let Some(config) = self.configs.get(&Address::new(kind, name)).cloned() {
            let planned = self.plan(kind, name, config).await;
            if planned.action == Action::Refused {
                let told = planned.diagnostics.clone();
                return self.outcome(planned, told);
            }
        }
        self.remove(kind, name).await
    }

    /// An apply after the resource's block was removed from the configuration: plans the destroy and carries it
    /// out.
    pub async fn remove(&mut self, kind: &str, name: &str) -> Outcome {
        let planned = self.plan_destroy(kind, name).await;
        self.destroy_planned(planned).await
    }

    /// `terraform plan -destroy`, without the configuration.
    pub async fn plan_destroy(&mut self, kind: &str, name: &str) -> Planned {
        let (address, schema) = (Address::new(kind, name), self.schema(kind));
        let seen = self.see(&address, &schema).await;
        let mut told = seen.told;
        let planned = |change: Change, told: Diagnostics| {
            Planned::new(address.clone(), schema.clone(), Value::Null, change, &seen.drift, told)
        };
        if told.has_errors() {
            let before = seen.object.map_or(Value::Null, |object| object.value);
            return planned(Change::refused(before, Diagnostics::new()), told);
        }
        let Some(object) = seen.object else {
            return planned(Change::none(Value::Null, Diagnostics::new()), told);
        };
        let request = PlanRequest {
            prior: object.value.clone(),
            proposed: Value::Null,
            config: Value::Null,
            prior_private: object.private,
        };
        let response = self.peer.plan(&self.cx, kind, request).await;
        self.heed(&address, &schema, &response.diagnostics);
        add(&mut told, response.diagnostics);
        if told.has_errors() {
            return planned(Change::refused(object.value, Diagnostics::new()), told);
        }
        if !response.planned.is_null() {
            fail(format!("{}: the provider planned a non-null destroy value for {address}", PLAN.summary));
        }
        self.guard(&address, &schema, &PLAN, &response.planned, &response.planned_private);
        let change = Change {
            action: Action::Delete,
            after: Value::Null,
            private: response.planned_private,
            deferred: response.deferred,
            ..Change::none(object.value, Diagnostics::new())
        };
        planned(change, told)
    }

    pub(super) async fn destroy_planned(&mut self, planned: Planned) -> Outcome {
        let mut told = planned.diagnostics.clone();
        if planned.action != Action::Delete || planned.deferred.is_some() {
            return self.outcome(planned, told);
        }
        let (address, schema) = (planned.address.clone(), planned.schema.clone());
        add(&mut told, self.configure_for_apply().await);
        let current = match self.load(&address, &schema).await {
            Ok(current) if !told.has_errors() => current,
            Ok(_) => return self.outcome(planned, told),
            Err(errors) => {
                add(&mut told, errors);
                return self.outcome(planned, told);
            }
        };
        let change = &planned.change;
        add(&mut told, self.carry_out_one(&address, &schema, change, &Value::Null, current.as_ref()).await);
        self.outcome(planned, told)
    }
}
