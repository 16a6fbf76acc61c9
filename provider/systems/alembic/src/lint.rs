//! What is dangerous in an `upgrade()`, and what a `downgrade()` drops.
//!
//! A migration runs before the rollout, so the version that serves now meets the new schema for a while, and meets it
//! again when the release is rolled back. Dangerous is what loses data, what fails on rows that are there, what locks
//! a table for long, and what the version that serves now cannot live with.

mod columns;
mod operations;
mod rule;
mod sql;
mod statements;
mod types;
mod types_left;
mod walk;

use crate::Dropped;
use crate::python::Module;

pub use rule::Rule;

/// Something dangerous.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The line in the revision's file, from 1.
    pub line: usize,
    /// What kind it is.
    pub rule: Rule,
    /// What it does, why that is dangerous, and what to do instead.
    pub text: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.rule, self.text)
    }
}

/// All findings of a file, by line.
pub(crate) fn findings(module: &Module<'_>) -> Vec<Finding> {
    let mut findings = walk::Walk::of(module, "upgrade").findings;
    findings.extend(types_left::findings(module));
    findings.sort();
    findings.dedup();
    findings
}

/// What `downgrade()` drops, in order. `None`: it is not in this file, so that is not known.
pub(crate) fn dropped(module: &Module<'_>) -> Option<Vec<Dropped>> {
    if module.function("downgrade").is_none() {
        return (!module.binds("downgrade")).then(Vec::new);
    }
    let mut dropped = Vec::new();
    for one in walk::Walk::of(module, "downgrade").dropped {
        if !dropped.contains(&one) {
            dropped.push(one);
        }
    }
    Some(dropped)
}
