//! What a test gets back: plans, and what came of them.

use std::fmt;

use serde_json::Value as Json;
use tfplugin_core::{Deferred, Diagnostics, Path, Schema, Shape, Value};

use crate::json::{show, text};
use crate::rules::{changed, unknowns};
use crate::state::Address;
use crate::told::Told;

/// What a plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing differs.
    NoOp,
    /// Makes it.
    Create,
    /// Changes it in place.
    Update,
    /// Removes it and makes it anew.
    Replace,
    /// Removes it.
    Delete,
    /// There is no plan: an error was reported.
    Refused,
}

/// A planned change as core holds it between plan and apply.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) action: Action,
    pub(crate) before: Value,
    pub(crate) after: Value,
    /// The planned private state.
    pub(crate) private: Vec<u8>,
    pub(crate) requires_replace: Vec<Path>,
    pub(crate) deferred: Option<Deferred>,
    pub(crate) diagnostics: Diagnostics,
}

impl Change {
    /// No plan, and why.
    pub(crate) fn refused(before: Value, diagnostics: Diagnostics) -> Change {
        Change { action: Action::Refused, ..Change::none(before, diagnostics) }
    }

    /// Nothing to do.
    pub(crate) fn none(before: Value, diagnostics: Diagnostics) -> Change {
        Change {
            action: Action::NoOp,
            after: before.clone(),
            before,
            private: Vec::new(),
            requires_replace: Vec::new(),
            deferred: None,
            diagnostics,
        }
    }
}

/// A plan, with all that led to it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What it does.
    pub action: Action,
    /// The state before, as refreshed; null where there is none.
    pub before: Json,
    /// The state after, with [`unknown`](crate::unknown) where it is not known yet.
    pub after: Json,
    /// The changed attributes for which it is replaced.
    pub requires_replace: Vec<String>,
    /// What the refresh found to be other than in the state.
    pub drift: Vec<String>,
    /// Set when the provider puts it off.
    pub deferred: Option<Deferred>,
    pub(crate) change: Change,
    pub(crate) address: Address,
    pub(crate) schema: Schema,
    /// As it was planned with.
    pub(crate) config: Value,
    pub(crate) diagnostics: Diagnostics,
}

impl Planned {
    pub(crate) fn new(
        address: Address,
        schema: Schema,
        config: Value,
        change: Change,
        drift: &[Path],
        diagnostics: Diagnostics,
    ) -> Planned {
        Planned {
            action: change.action,
            before: show(&change.before),
            after: show(&change.after),
            requires_replace: strings(&change.requires_replace),
            drift: strings(drift),
            deferred: change.deferred,
            change,
            address,
            schema,
            config,
            diagnostics,
        }
    }

    /// Expects this action, and no errors unless it is [`Action::Refused`].
    #[track_caller]
    pub fn expect_action(&self, action: Action) -> &Planned {
        assert!(self.action == action, "expected {action:?}, found:\n{self}");
        self
    }

    /// The smallest parts of the state that change, as paths.
    pub fn changed(&self) -> Vec<String> {
        strings(&changed(&self.schema.ty(), &self.change.before, &self.change.after))
    }

    /// What is known only after apply, as paths.
    pub fn unknown(&self) -> Vec<String> {
        strings(&unknowns(&self.schema.ty(), &self.change.after))
    }
}

pub(crate) fn strings(paths: &[Path]) -> Vec<String> {
    paths.iter().map(Path::to_string).collect()
}

impl Told for Planned {
    fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }
}

impl fmt::Display for Planned {
    /// One line for what happens, one for each part that changes, then the messages. Sensitive values are
    /// not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = match self.action {
            Action::NoOp => "is as it should be",
            Action::Create => "will be created",
            Action::Update => "will be updated in-place",
            Action::Replace => "must be replaced",
            Action::Delete => "will be destroyed",
            Action::Refused => "cannot be planned",
        };
        write!(f, "# {} {fate}", self.address)?;
        if let Some(reason) = self.deferred {
            write!(f, " (deferred: {reason:?})")?;
        }
        if !matches!(self.action, Action::Delete | Action::Refused) {
            for path in changed(&self.schema.ty(), &self.change.before, &self.change.after) {
                self.line(f, &path)?;
            }
        }
        for diagnostic in self.diagnostics.iter() {
            write!(f, "\n{diagnostic}")?;
        }
        Ok(())
    }
}

impl Planned {
    fn line(&self, f: &mut fmt::Formatter<'_>, path: &Path) -> fmt::Result {
        let value = |whole: &Value| match whole.at(path) {
            Some(_) if self.is_sensitive(path) => Some("(sensitive value)".to_owned()),
            None | Some(Value::Null) => None,
            Some(value) => Some(text(value)),
        };
        match (value(&self.change.before), value(&self.change.after)) {
            (None, Some(after)) => write!(f, "\n  + {path} = {after}")?,
            (Some(before), Some(after)) => write!(f, "\n  ~ {path} = {before} -> {after}")?,
            (before, None) => write!(f, "\n  - {path} = {} -> null", before.unwrap_or_default())?,
        }
        if self.change.requires_replace.iter().any(|replaced| path.starts_with(replaced)) {
            f.write_str(" # forces replacement")?;
        }
        Ok(())
    }

    fn is_sensitive(&self, path: &Path) -> bool {
        let mut attributes = self.schema.attributes.as_slice();
        for step in path.steps() {
            let tfplugin_core::Step::Attribute(name) = step else { continue };
            let Some(attribute) = attributes.iter().find(|attribute| attribute.name == *name) else { return false };
            if attribute.sensitive {
                return true;
            }
            attributes = if let Shape::Nested(_, children) = &attribute.shape { children } else { &[] };
        }
        false
    }
}

/// What an apply or a destroy came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The plan that was carried out.
    pub planned: Planned,
    /// The state after; null where there is none.
    pub state: Json,
    /// Whether the state is marked to be replaced by the next apply.
    pub tainted: bool,
    pub(crate) diagnostics: Diagnostics,
}

impl Outcome {
    /// What the plan did.
    pub fn action(&self) -> Action {
        self.planned.action
    }
}

impl Told for Outcome {
    fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }
}

/// What a refresh came to.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// The state before.
    pub before: Json,
    /// The state after; null when it is gone.
    pub after: Json,
    /// What differs, as paths.
    pub drift: Vec<String>,
    /// Whether it was there before and is not any more.
    pub gone: bool,
    /// Set when the provider puts it off.
    pub deferred: Option<Deferred>,
    pub(crate) diagnostics: Diagnostics,
}

impl Told for Refreshed {
    fn diagnostics(&self) -> &Diagnostics {
        &self.diagnostics
    }
}
