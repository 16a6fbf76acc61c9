//! Data sources, ephemeral resources and functions.

use std::time::SystemTime;

use serde_json::Value as Json;
use tfplugin_core::{Deferred, Diagnostics, FunctionError, Path, Schema, Value};

use super::guard::{Answer, OPEN, READ, add};
use super::{Terraform, tolerate};
use crate::fail;
use crate::json::{read, show, unknown};
use crate::peer::Asked;
use crate::rules::plan_problems;
use crate::told::Told;

/// What a data source answered.
#[derive(Clone, Debug)]
pub struct Data {
    /// The values; null after an error, and where the configuration has unknowns: then it is read at apply.
    pub result: Json,
    /// Set when the provider puts it off.
    pub deferred: Option<Deferred>,
    pub(crate) diagnostics: Diagnostics,
}

impl Told for Data {
    fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }
}

/// An open ephemeral resource.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The values; null after an error, and where the configuration has unknowns: then it is opened at apply.
    pub result: Json,
    /// When it must be renewed.
    pub renew_at: Option<SystemTime>,
    /// Set when the provider puts it off.
    pub deferred: Option<Deferred>,
    kind: String,
    private: Option<Vec<u8>>,
    pub(crate) diagnostics: Diagnostics,
}

impl Told for Opened {
    fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }
}

impl Terraform {
    /// Reads a data source.
    pub async fn data(&self, kind: &str, config: Json) -> Data {
        let of = format!("data.{kind}");
        let schema = match self.engine.data_source(kind) {
            Ok(source) => source.schema().clone(),
            Err(errors) => fail(errors),
        };
        let config = self.parse(&of, &schema, &config);
        let mut told = self.configure_for_plan().await;
        add(&mut told, self.peer.validate_data(&self.cx, kind, &config).await);
        self.heed(&of, &schema, &told);
        if !told.has_errors() {
            for (which, variant) in self.variants(&config) {
                tolerate(&of, &which, &self.peer.validate_data(&self.cx, kind, &variant).await);
            }
        }
        if told.has_errors() || !config.is_wholly_known() {
            return Data { result: Json::Null, deferred: None, diagnostics: told };
        }
        let mut deferred = None;
        let result = match self.peer.read_data(&self.cx, kind, &config).await {
            Ok(Asked::Later(reason)) => {
                deferred = Some(reason);
                self.guard_deferral(&of, deferred);
                Json::Null
            }
            Ok(Asked::Now((value, more))) => {
                self.heed(&of, &schema, &more);
                add(&mut told, more);
                if told.has_errors() {
                    Json::Null
                } else {
                    self.inspect(&of, &schema, &READ, &config, &value);
                    self.guard_known(&of, &schema, &READ, &value, &[]);
                    show(&value)
                }
            }
            Err(errors) => {
                self.heed(&of, &schema, &errors);
                add(&mut told, errors);
                Json::Null
            }
        };
        Data { result, deferred, diagnostics: told }
    }

    /// Opens an ephemeral resource. Its values may be secret; the canaries listen to the messages and the private
    /// state only.
    pub async fn open(&self, kind: &str, config: Json) -> Opened {
        let of = format!("ephemeral.{kind}");
        let schema = match self.engine.ephemeral_resource(kind) {
            Ok(ephemeral) => ephemeral.schema().clone(),
            Err(errors) => fail(errors),
        };
        let config = self.parse(&of, &schema, &config);
        let mut told = self.configure_for_plan().await;
        add(&mut told, self.peer.validate_ephemeral(&self.cx, kind, &config).await);
        self.heed(&of, &schema, &told);
        if !told.has_errors() {
            for (which, variant) in self.variants(&config) {
                tolerate(&of, &which, &self.peer.validate_ephemeral(&self.cx, kind, &variant).await);
            }
        }
        let closed = |told: Diagnostics| Opened {
            result: Json::Null,
            renew_at: None,
            deferred: None,
            kind: kind.to_owned(),
            private: None,
            diagnostics: told,
        };
        if told.has_errors() || !config.is_wholly_known() {
            return closed(told);
        }
        match self.peer.open(&self.cx, kind, &config).await {
            Ok(Asked::Later(reason)) => {
                self.guard_deferral(&of, Some(reason));
                Opened { deferred: Some(reason), ..closed(told) }
            }
            Ok(Asked::Now((value, private, renew_at, more))) => {
                self.heed(&of, &schema, &more);
                add(&mut told, more);
                if told.has_errors() {
                    return closed(told);
                }
                self.inspect(&of, &schema, &OPEN, &config, &value);
                if let Some(path) = value.first_unknown() {
                    fail(format!("{}: {of}: {path} is unknown {}", OPEN.summary, OPEN.when));
                }
                self.listen(&of, "its private state", &String::from_utf8_lossy(&private));
                let kind = kind.to_owned();
                let private = Some(private);
                Opened { result: show(&value), renew_at, deferred: None, kind, private, diagnostics: told }
            }
            Err(errors) => {
                self.heed(&of, &schema, &errors);
                add(&mut told, errors);
                closed(told)
            }
        }
    }

    /// Renews an ephemeral resource. Fails the test when it is not open.
    pub async fn renew(&self, opened: &mut Opened) -> Diagnostics {
        let Some(private) = &opened.private else {
            fail(format!("ephemeral.{} is not open, so it cannot be renewed", opened.kind))
        };
        match self.peer.renew(&self.cx, &opened.kind, private).await {
            Ok((private, renew_at)) => {
                self.listen(&opened.kind, "its private state", &String::from_utf8_lossy(&private));
                opened.private = Some(private);
                opened.renew_at = renew_at;
                Diagnostics::new()
            }
            Err(told) => {
                told.iter().for_each(|one| self.listen(&opened.kind, "a message", &one.to_string()));
                told
            }
        }
    }

    /// Closes an ephemeral resource. What is not open is closed already.
    pub async fn close(&self, opened: Opened) -> Diagnostics {
        let Some(private) = &opened.private else { return Diagnostics::new() };
        let told = self.peer.close(&self.cx, &opened.kind, private).await;
        told.iter().for_each(|one| self.listen(&opened.kind, "a message", &one.to_string()));
        told
    }

    /// Calls a function, twice: it must answer the same. As core does, this refuses null and answers unknown
    /// with unknown where the parameter does not ask for them.
    ///
    /// # Errors
    /// What the function says against the arguments.
    pub async fn call(&self, name: &str, arguments: Vec<Json>) -> Result<Json, FunctionError> {
        let Some(function) = self.engine.functions().get(name) else { fail(format!("no function is named {name}")) };
        let signature = function.signature();
        let mut parameters = signature.parameters.iter().chain(signature.variadic.iter().cycle());
        if arguments.len() < signature.parameters.len() {
            fail(format!("Not enough function arguments: {name} has {} parameters", signature.parameters.len()));
        }
        let mut values = Vec::new();
        for (position, json) in arguments.iter().enumerate() {
            let Some(parameter) = parameters.next() else {
                fail(format!("Too many function arguments: {name} has {} parameters", signature.parameters.len()))
            };
            let value = read(json, &parameter.ty, &Path::root())
                .unwrap_or_else(|error| fail(format!("{name}, argument {}: {error}", parameter.name)));
            if value.is_null() && !parameter.allow_null {
                let text = format!("argument \"{}\" must not be null", parameter.name);
                return Err(FunctionError::argument(position as i64, text));
            }
            if !value.is_wholly_known() && !parameter.allow_unknown {
                return Ok(unknown());
            }
            values.push(value);
        }
        let first = self.peer.call(name, values.clone()).await;
        let second = self.peer.call(name, values).await;
        if first != second {
            fail(format!("Provider function returned inconsistent result: {name} answers differently the second time"));
        }
        first.map(|value| show(&value))
    }

    /// What is read or opened has all that the configuration says.
    fn inspect(&self, of: &str, schema: &Schema, answer: &Answer, config: &Value, value: &Value) {
        if value.is_null() {
            fail(format!("Provider produced null object: {of} is null {}", answer.when));
        }
        let problems = plan_problems(schema, &Value::Null, config, value);
        if !problems.is_empty() {
            let lines: Vec<String> = problems.iter().map(|one| format!("{}: {of}.{one}", answer.summary)).collect();
            fail(lines.join("\n"));
        }
    }
}
