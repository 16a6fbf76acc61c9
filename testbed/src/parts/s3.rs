//! An S3 server, for backups.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Component, Part};
use crate::bed::Bed;
use crate::files;
use crate::go::{Unit, no_variables};
use crate::node::Node;
use crate::paths::Paths;
use crate::process::{self, Process};

pub(super) struct S3;

/// The key that the server takes, with its secret [`S3_SECRET_KEY`]. It can do everything.
pub const S3_ACCESS_KEY: &str = "ffe-testbed";
/// The secret of [`S3_ACCESS_KEY`].
pub const S3_SECRET_KEY: &str = "ffe-testbed-secret/with+signs";
/// The region that requests must be signed for.
pub const S3_REGION: &str = "us-east-1";
/// A bucket that is there. Others are folders beside it, made with an ordinary request.
pub const S3_BUCKET: &str = "backups";

const PORT: u16 = 17070;
const NAME: &str = "versitygw";
const FOLDER: &str = "s3";

static UNIT: Unit = Unit {
    name: NAME,
    graph: FOLDER,
    binaries: &[(NAME, "github.com/versity/versitygw/cmd/versitygw")],
    version_of: "github.com/versity/versitygw",
    tags: "",
    variables: no_variables,
    seconds: 75,
};

static UNITS: &[&Unit] = &[&UNIT];

/// Where it listens: an address that pods reach, and this machine too.
pub(crate) fn address(paths: &Paths) -> SocketAddr {
    Node::first(paths).socket(PORT)
}

impl Component for S3 {
    fn units(&self) -> &'static [&'static Unit] {
        UNITS
    }

    fn needs(&self) -> &'static [Part] {
        // It runs on the node.
        &[Part::Cluster]
    }

    fn start(&self, bed: &Bed<'_>) -> Result<()> {
        let process = Process::new(bed.paths, NAME);
        if process.pid().is_some() {
            return Ok(());
        }
        let folder = bed.paths.root().join(FOLDER);
        let (objects, metadata) = (folder.join("objects"), folder.join("metadata"));
        for path in [&objects.join(S3_BUCKET), &metadata] {
            std::fs::create_dir_all(path).with_context(|| format!("folder {}", path.display()))?;
        }
        let address = address(bed.paths);
        let arguments = [
            format!("--port={address}"),
            format!("--access={S3_ACCESS_KEY}"),
            format!("--secret={S3_SECRET_KEY}"),
            format!("--region={S3_REGION}"),
            "posix".to_owned(),
            // Not every file system has extended attributes.
            format!("--sidecar={}", metadata.display()),
            objects.display().to_string(),
        ];
        process.start_on(&Node::first(bed.paths), &bed.paths.binary(NAME), &arguments)?;
        process.wait_until_listening(address)?;
        bed.say(format!("the S3 server listens on {address}"));
        Ok(())
    }

    fn stop(&self, bed: &Bed<'_>) -> Result<()> {
        process::stop(&[Process::new(bed.paths, NAME)], Duration::from_secs(5))?;
        files::remove_folder(&bed.paths.root().join(FOLDER))
    }

    fn processes(&self) -> &'static [&'static str] {
        &[NAME]
    }
}
