//! What can go wrong.

use std::fmt;

use ffe_cluster::Kind;
use ffe_workloads::Diagnosis;

/// Why there is no backup, no list, or nothing was removed. Safe to show: no secrets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What was asked for cannot be.
    #[error("{field}: {message}")]
    Invalid {
        /// Of the request, for instance `storage.s3.prefix`
        field: &'static str,
        /// What is wrong with it, and what was expected
        message: String,
    },
    /// The cluster did not do it; also a timeout and a cancel, which both leave the Job running.
    #[error("{doing}: {source}")]
    Cluster {
        /// For instance `taking backup shop-1`
        doing: String,
        /// Why
        source: ffe_cluster::Error,
    },
    /// The Job failed, or cannot run.
    #[error("{0}")]
    Failed(Box<Failure>),
}

/// A Job that failed. It still exists, for people to look at and the caller to delete.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// For instance `taking backup shop-1`
    pub doing: String,
    /// Name of the Job
    pub job: String,
    /// Its namespace
    pub namespace: String,
    /// What kind of failure it is
    pub reason: Reason,
    /// The cause, in the words of the program that failed
    pub message: String,
    /// The end of the Job's log
    pub log: Vec<String>,
    /// What the cluster says about the Job
    pub diagnosis: Option<Diagnosis>,
    /// The Job existed before
    pub attached: bool,
}

/// Kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A Secret lacks what is needed
    Config,
    /// Nobody answers at the database's address
    Unreachable,
    /// The database lets the user not in
    Refused,
    /// `pg_dump` of the image is older than the server
    ImageOlder,
    /// The image lacks a program, or has it too old
    ToolMissing,
    /// There is no room for the dump
    Space,
    /// `pg_dump` failed
    Dump,
    /// The dump is not what was written
    Verification,
    /// The upload failed
    Upload,
    /// The volume or bucket cannot be used
    Storage,
    /// The container that carries dumps to the storage was killed, most likely for memory
    Memory,
    /// There is a backup of this name
    Exists,
    /// The pod never ran, was killed, or ran out of time
    Pod,
}

impl Reason {
    /// From the scripts' own word.
    pub(crate) fn parse(word: &str) -> Self {
        match word {
            "config" => Self::Config,
            "unreachable" => Self::Unreachable,
            "refused" => Self::Refused,
            "image_older" => Self::ImageOlder,
            "tool_missing" => Self::ToolMissing,
            "space" => Self::Space,
            "dump" => Self::Dump,
            "verification" => Self::Verification,
            "upload" => Self::Upload,
            "storage" => Self::Storage,
            "memory" => Self::Memory,
            "exists" => Self::Exists,
            _ => Self::Pod,
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Config => "Correct the Secret that the message names.",
            Self::Unreachable => {
                "Check the host and port in the database's Secret, that the database runs, and that network policies let the backup's pod reach it."
            }
            Self::Refused => "Check user, password and database in the database's Secret.",
            Self::ImageOlder => "Give the backup an image whose PostgreSQL is at least as new as the server.",
            Self::ToolMissing => {
                "Give the backup an image with PostgreSQL's client programs; for object storage, rclone_image is one with rclone and a shell."
            }
            Self::Space => {
                "Enlarge the volume (backup_to.storage.size; it grows where its storage class lets it), shorten the retention, or remove old backups."
            }
            Self::Dump => "The log shows where pg_dump stopped; the user must be allowed to read every table.",
            Self::Verification => "Nothing was kept as a backup. Check the storage, then run again.",
            Self::Upload | Self::Storage => {
                "Check the storage's settings and the permissions of its credentials (list, put, get, delete)."
            }
            Self::Memory => {
                "Let rclone keep less at once: chunk_size = \"8Mi\" and upload_concurrency = \"1\" in backup_to.rclone.options (with backend = \"s3\" for a bucket). Nothing was kept as a backup, and nothing was restored."
            }
            Self::Exists => "Choose another name for the backup: an existing one is never overwritten.",
            Self::Pod => "Correct what keeps the Job's pod from running to its end, then run again.",
        }
    }
}

impl Error {
    /// The next step, for people.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Invalid { .. } => None,
            Self::Cluster { source, .. } => source.advice(),
            Self::Failed(failure) => match (&failure.diagnosis, failure.reason) {
                (Some(diagnosis), Reason::Pod) if !diagnosis.advice.is_empty() => Some(diagnosis.advice.clone()),
                (_, reason) => Some(reason.advice().to_owned()),
            },
        }
    }

    /// The wait was cancelled: the Job goes on.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cluster { source, .. } if source.kind() == Kind::Cancelled)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {} (Job {}/{})", self.doing, self.message, self.namespace, self.job)?;
        for line in &self.log {
            write!(f, "\n  | {line}")?;
        }
        Ok(())
    }
}
