//! Import, and a move from another type.

use serde_json::Value as Json;
use tfplugin_core::{Diagnostics, MoveSource, Schema, Value};

use super::Terraform;
use super::guard::{Answer, IMPORT, MOVE, add};
use crate::fail;
use crate::outcome::{Change, Planned, strings};
use crate::peer::{Asked, Found};
use crate::state::{Address, Object};

impl Terraform {
    /// An `import` block: finds it, reads it, saves it, and plans with the configuration.
    pub async fn import(&mut self, kind: &str, name: &str, id: &str, config: Json) -> Planned {
        let address = Address::new(kind, name);
        let mut told = self.configure_for_plan().await;
        if !told.has_errors() {
            add(&mut told, self.validate(kind, config.clone()).await);
        }
        if told.has_errors() {
            return self.refused(&address, &config, told);
        }
        let found = match self.peer.import(&self.cx, kind, id).await {
            Ok(Asked::Now(found)) => Ok(found),
            Ok(Asked::Later(reason)) => {
                self.guard_deferral(&address, Some(reason));
                let schema = self.schema(kind);
                let config = self.parse(&address.to_string(), &schema, &config);
                let change = Change { deferred: Some(reason), ..Change::none(Value::Null, Diagnostics::new()) };
                return Planned::new(address, schema, config, change, &[], told);
            }
            Err(errors) => Err(errors),
        };
        self.take_in(&address, &IMPORT, found, config, told).await
    }

    /// A `moved` block from another resource type: takes over its state, reads it, saves it, and plans
    /// with the configuration.
    pub async fn moved(&mut self, kind: &str, name: &str, source: MoveSource, config: Json) -> Planned {
        let address = Address::new(kind, name);
        let mut told = self.configure_for_plan().await;
        if !told.has_errors() {
            add(&mut told, self.validate(kind, config.clone()).await);
        }
        if told.has_errors() {
            return self.refused(&address, &config, told);
        }
        let found = self.peer.move_state(&self.cx, kind, &source).await;
        self.take_in(&address, &MOVE, found, config, told).await
    }

    fn refused(&self, address: &Address, config: &Json, told: Diagnostics) -> Planned {
        let schema = self.schema(&address.kind);
        let config = self.parse(&address.to_string(), &schema, config);
        Planned::new(address.clone(), schema, config, Change::refused(Value::Null, Diagnostics::new()), &[], told)
    }

    async fn take_in(
        &mut self,
        address: &Address,
        answer: &Answer,
        found: Result<Found, Diagnostics>,
        config: Json,
        mut told: Diagnostics,
    ) -> Planned {
        let schema = self.schema(&address.kind);
        if self.stored.contains_key(address) {
            fail(format!("Resource already managed by Terraform: {address} is in the state already"));
        }
        let (value, private) = match found {
            Ok((value, private, more)) => {
                self.heed(address, &schema, &more);
                add(&mut told, more);
                (value, private)
            }
            Err(errors) => {
                self.heed(address, &schema, &errors);
                add(&mut told, errors);
                return self.refused(address, &config, told);
            }
        };
        if value.is_null() {
            fail(format!("{}: the provider returned no state for {address} {}", answer.summary, answer.when));
        }
        self.guard_known(address, &schema, answer, &value, &private);
        if let Err(errors) = self.first_read(address, &schema, Object { value, private, tainted: false }).await {
            add(&mut told, errors);
            return self.refused(address, &config, told);
        }
        self.configs.insert(address.clone(), config.clone());
        let mut planned = self.plan(&address.kind, &address.name, config).await;
        add(&mut told, std::mem::take(&mut planned.diagnostics));
        planned.diagnostics = told;
        planned
    }

    /// Reads what was just found, and once more from the state file: a read completes, and then stays.
    async fn first_read(&mut self, address: &Address, schema: &Schema, object: Object) -> Result<(), Diagnostics> {
        let seen = self.read(address, schema, &object).await;
        if seen.told.has_errors() {
            return Err(seen.told);
        }
        let Some(found) = seen.object else {
            return Err(Diagnostics::error(
                "Cannot import non-existent remote object",
                format!(
                    "While attempting to import an existing object to {address}, the provider detected that no object \
                     exists with the given id."
                ),
            ));
        };
        self.save(address, schema, Some(&found));
        if self.checks.refresh_after_apply
            && let Some(stored) = self.load(address, schema).await?
        {
            let again = self.read(address, schema, &stored).await;
            if !again.told.has_errors() && !again.drift.is_empty() {
                let paths = strings(&again.drift).join(", ");
                fail(format!("{address}: a second refresh after import shows drift in {paths}"));
            }
        }
        Ok(())
    }
}
