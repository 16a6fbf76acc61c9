//! wip
mod checks;
mod model;
mod names;
mod settle;
#[cfg(test)]
mod testing;
mod validate;
pub use model::*;
