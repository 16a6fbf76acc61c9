//! What is looked at in every answer of the provider.

use std::fmt::Display;

use tfplugin_core::{Deferred, Diagnostics, Path, Schema, Value};

use super::Terraform;
use crate::json::show;
use crate::rules::{Problem, in_schema, write_only_set};
use crate::state::Address;
use crate::{fail, rules};

/// An answer: core's summary for what is wrong with it, and where it came from.
pub(super) struct Answer {
    pub(super) summary: &'static str,
    pub(super) when: &'static str,
}

pub(super) const PLAN: Answer = Answer { summary: "Provider produced invalid plan", when: "during planning" };
pub(super) const APPLY: Answer = Answer { summary: "Provider produced invalid object", when: "after apply" };
pub(super) const REFRESH: Answer = Answer { summary: "Provider produced invalid object", when: "during refresh" };
pub(super) const UPGRADE: Answer =
    Answer { summary: "Invalid resource state upgrade", when: "during the upgrade of its state" };
pub(super) const IMPORT: Answer = Answer { summary: "Provider returned invalid value", when: "during import" };
pub(super) const MOVE: Answer =
    Answer { summary: "Provider returned invalid value", when: "during an across type move operation" };
pub(super) const READ: Answer = Answer { summary: "Provider produced invalid object", when: "after reading it" };
pub(super) const OPEN: Answer = Answer { summary: "Provider produced invalid object", when: "after opening it" };

impl Terraform {
    /// Secrets and write-only attributes in a value.
    pub(super) fn guard(&self, of: &impl Display, schema: &Schema, answer: &Answer, value: &Value, private: &[u8]) {
        let (summary, when) = (answer.summary, answer.when);
        if let Some(path) = write_only_set(schema, value).first() {
            fail(format!(
                "{summary}: the provider returned a value for the write-only attribute \"{of}.{path}\" {when}. \
                 Write-only attributes cannot be read back from the provider."
            ));
        }
        self.listen(of, &format!("its value {when}"), &show(value).to_string());
        self.listen(of, &format!("its private state {when}"), &String::from_utf8_lossy(private));
    }

    /// The same, and nothing unknown.
    pub(super) fn guard_known(
        &self,
        of: &impl Display,
        schema: &Schema,
        answer: &Answer,
        value: &Value,
        private: &[u8],
    ) {
        self.guard(of, schema, answer, value, private);
        if let Some(path) = rules::unknowns(&schema.ty(), value).first() {
            let at = if path.is_root() { String::new() } else { format!(".{path}") };
            fail(format!(
                "Provider returned invalid result object {}: the provider still indicated an unknown value for \
                 {of}{at}. All values must be known then.",
                answer.when
            ));
        }
    }

    /// A deferral is an answer only for a client that allows it.
    pub(super) fn guard_deferral(&self, of: &impl Display, deferred: Option<Deferred>) {
        if deferred.is_some() && !self.cx.client.deferral_allowed {
            fail(format!("Provider deferred changes when Terraform did not allow deferrals: {of}"));
        }
    }

    /// Messages: no secrets, and paths that exist.
    pub(super) fn heed(&self, of: &impl Display, schema: &Schema, told: &Diagnostics) {
        for diagnostic in told.iter() {
            self.listen(of, "a message", &diagnostic.to_string());
            if let Some(path) = diagnostic.path.as_ref().filter(|path| !in_schema(schema, path)) {
                fail(format!("{of}: a message is about {path}, which the schema does not have:\n{diagnostic}"));
            }
        }
    }

    /// Fails the test when a canary is heard in some text.
    pub(super) fn listen(&self, of: &impl Display, place: &str, text: &str) {
        if let Some(form) = self.canaries.iter().find_map(|canary| canary.heard(text)) {
            // Not shown: a test's output is kept somewhere too.
            fail(format!("{of}: a secret has got into {place}, {form}"));
        }
    }
}

/// Fails the test with every broken rule, one a line.
pub(super) fn refuse(summary: &str, address: &Address, intro: &str, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let separator = if problem.path.is_root() { ": " } else { "." };
            format!("{summary}: {intro}{address}{separator}{problem}")
        })
        .collect();
    fail(lines.join("\n"));
}

/// Adds the messages that are not there yet: core calls the provider several times with one
/// configuration, and a warning that comes each time is one warning.
pub(super) fn add(told: &mut Diagnostics, more: Diagnostics) {
    for diagnostic in more {
        if !told.iter().any(|one| *one == diagnostic) {
            told.push(diagnostic);
        }
    }
}

/// Whether a path exists in a value: what `requires_replace` may name.
pub(super) fn exists(value: &Value, path: &Path) -> bool {
    value.at(path).is_some()
}
