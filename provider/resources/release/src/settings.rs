//! What users write, checked and read into the terms of the systems that carry it out.

pub(crate) mod inputs;
pub mod model;
pub(crate) mod telltale;
pub(crate) mod validate;
pub(crate) mod write_only;
