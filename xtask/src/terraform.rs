//! A real terraform that finds this checkout's provider: the same one as the acceptance cases have.

pub(crate) use ffe_surroundings::terraform::{Terraform, find};
