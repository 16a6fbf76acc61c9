//! A folder of Alembic revision files, read without Python: which revisions there are, in which order those that are
//! pending would run, whether each can be undone, what is dropped when it is, and what in it is dangerous to a database with
//! rows in it.
//!
//! Pure but for [`Scripts::read`]. Nothing is executed; what cannot be known without executing (a computed table name)
//! is shown as it is written. The order of revisions is Alembic's own (`ScriptDirectory._upgrade_revs`), and is tested
//! against it.

mod dropped;
mod graph;
mod lint;
mod problem;
mod python;
mod revision;
mod scripts;
mod undo;

pub use dropped::{Dropped, DroppedKind};
pub use graph::GraphError;
pub use lint::{Finding, Rule};
pub use problem::{Location, Problem, ProblemKind};
pub use revision::{Revision, Undo};
pub use scripts::{Scripts, ScriptsError};
