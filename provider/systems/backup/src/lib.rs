//! Dumps of PostgreSQL databases, taken, listed and pruned by Jobs in the cluster.
//!
//! The Jobs run the image that they are given, by default the database's own: PostgreSQL's programs and a plain shell
//! are all that it needs. Object storage is rclone's business, in a container beside it. A dump counts as a backup once it was read to its end, has its last name,
//! and its size and checksum are known. Knows neither releases nor environments, nor Terraform.
//!
//! A backup of one *series* is a file `<cluster>/<namespace>/<series>/<name>.dump` on a volume or below a prefix in a
//! bucket. Beside it lie `<name>.manifest`, which tells what the database held in the snapshot that the dump shows, and
//! `<name>.json`, its description, which is written last: what has one is a backup. Retention touches only what its
//! description says is of the series.
//!
//! A restore goes into a new database that takes the name of the old one once its rows are those of the manifest; where
//! the role may not do that, it is one transaction. What it says about its outcome is what the server says afterwards.

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
pub use place::{Place, Rclone, Request, S3, Storage, Volume};
pub use restore::{restore_command, restore_manifest};
pub use take::take;
pub use upkeep::{list, prune};

/// The scripts themselves, for the tests that play them on a real server.
#[doc(hidden)]
pub mod scripts {
    use crate::place::{Rclone, Storage, Volume};
    use crate::script::{Work, script};

    fn on_a_volume(work: Work) -> String {
        script(work, &Storage::Volume(Volume { claim: String::new(), size: String::new(), class: None }))
    }

    /// Takes a backup onto a volume.
    #[must_use]
    pub fn take() -> String {
        on_a_volume(Work::Take)
    }

    /// Takes a backup to what rclone reaches.
    #[must_use]
    pub fn take_remote() -> String {
        in_remote(Work::Take)
    }

    /// Restores one from there.
    #[must_use]
    pub fn restore_remote() -> String {
        in_remote(Work::Restore)
    }

    /// Lists what is there.
    #[must_use]
    pub fn list_remote() -> String {
        in_remote(Work::List)
    }

    /// Removes what is too old there.
    #[must_use]
    pub fn prune_remote() -> String {
        in_remote(Work::Prune)
    }

    /// What keeps rclone from making a bucket.
    pub use crate::job::NOT_MADE;

    /// What runs beside them.
    #[must_use]
    pub fn rclone() -> &'static str {
        crate::script::RCLONE
    }

    fn in_remote(work: Work) -> String {
        let (kind, path) = ("alias".to_owned(), String::new());
        script(work, &Storage::Rclone(Rclone { kind, path, options: std::collections::BTreeMap::new(), secret: None }))
    }

    /// Restores one from a volume.
    #[must_use]
    pub fn restore() -> String {
        on_a_volume(Work::Restore)
    }
}
