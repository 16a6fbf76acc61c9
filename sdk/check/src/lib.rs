//! Names in a Terraform configuration that a provider does not have.
//!
//! Terraform refuses an argument that does not exist, but not inside of an object: `database = { size = "500Gi" }` is valid for an
//! attribute whose objects have no `size`, and Terraform drops it without a word while it converts the value
//! (<https://developer.hashicorp.com/terraform/language/expressions/type-constraints#conversion-of-complex-types>). The provider never gets to
//! see the name. [`check`] looks where it can still be seen: in what is written.
//!
//! The story: [`folder`] finds the files and the modules that are called, [`hcl`] and [`json`] read them into one form, [`written`],
//! [`expected`] says which names there may be, and [`compare`] holds one against the other; [`nearest`] guesses what was meant.
//!
//! What an expression is at run time is not computed. Where names cannot be told (a function's result, an output of another module), nothing
//! is said.

mod compare;
mod configuration;
mod expected;
mod folder;
mod hcl;
mod json;
mod nearest;
mod report;
mod written;

use std::path::Path;

use tfplugin_core::Engine;

pub use report::{Finding, Note, Report};

/// Which folders are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// The one folder, and the modules that it calls.
    #[default]
    Folder,
    /// Every folder below it that has a configuration, as `terraform fmt -recursive` does it.
    Recursive,
}

/// Looks through the configuration in `folder` for names that the provider's resources, data sources and ephemeral resources, its own
/// configuration, and the modules that are called do not have.
///
/// # Errors
/// The folder cannot be read, or there is no configuration in it. A single file that cannot be read is a note of the report instead.
pub fn check(engine: &Engine, folder: &Path, depth: Depth) -> Result<Report, CheckError> {
    let mut report = Report::default();
    let expected = expected::Provider::of(engine);
    let folders = match depth {
        Depth::Folder => vec![folder.to_owned()],
        Depth::Recursive => folder::below(folder)?,
    };
    let mut modules = folder::Modules::default();
    for folder in &folders {
        let root = modules.load(folder, &mut report)?;
        compare::root(&expected, &root, &mut modules, &mut report);
    }
    report.finish();
    Ok(report)
}

/// A configuration that cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The file system said no.
    #[error("{path} cannot be read: {cause}")]
    Unreadable {
        /// What was to be read.
        path: String,
        /// Why it cannot be.
        cause: std::io::Error,
    },
    /// Nothing to look at.
    #[error("there is no Terraform configuration (*.tf, *.tf.json) in {0}; name the folder that terraform runs in")]
    NoConfiguration(String),
}
