//! Dumps of PostgreSQL databases, taken, listed and pruned by Jobs in the cluster.
//!
//! The Jobs run the image that they are given, by default the database's own: PostgreSQL's programs and a plain shell
//! are all that it needs (curl too, for S3). A dump counts as a backup once it was read to its end, has its last name,
//! and its size and checksum are known. Knows neither releases nor environments, nor Terraform.
//!
//! A backup of one *series* is a file `<series>/<name>.dump`, with a description `<series>/<name>.json` beside it, on a
//! volume or below a prefix in a bucket. Retention touches one series only.

mod claim;
mod error;
mod image;
mod job;
mod names;
mod outcome;
mod place;
mod restore;
mod script;
mod take;
mod upkeep;

pub use error::{Error, Failure, Reason};
pub use image::image_user;
pub use outcome::{Backup, Taken};
pub use place::{Place, PodShape, Request, S3, Storage, Volume};
pub use restore::{restore_command, restore_manifest};
pub use take::take;
pub use upkeep::{list, prune};
