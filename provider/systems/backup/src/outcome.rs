//! What a Job tells: one line of JSON in its termination message, and the same at the end of its log.

use ffe_workloads::{JobOutcome, tidy_log_line};
use serde::{Deserialize, Serialize};
use tfplugin_redaction::redacted;

use crate::error::{Error, Failure, Reason};

/// Lines of the log that an error carries.
const LINES: usize = 20;

/// A backup that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backup {
    /// Its name, the only one in its series
    pub name: String,
    /// `pvc/<claim>/<file>` or `s3://<bucket>/<key>`
    pub location: String,
    /// Bytes of the dump
    pub size_bytes: u64,
    /// SHA-256 of the dump, in hexadecimal
    pub sha256: String,
    /// The server's own word for its version, for instance `16.4`
    pub server_version: String,
    /// The moment that the dump shows: RFC 3339, UTC
    pub taken_at: String,
    /// How long it took
    pub seconds: f64,
    /// Tables in it
    #[serde(default)]
    pub tables: u64,
    /// Rows of all of its tables
    #[serde(default)]
    pub rows: u64,
    /// The revision of Alembic that its schema is at; empty where there is none
    #[serde(default)]
    pub revision: String,
}

/// A backup that was just taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// The backup
    pub backup: Backup,
    /// The Job existed already
    pub attached: bool,
    /// Older backups that were removed
    pub pruned: u64,
    /// Older backups could not be removed; this one is kept all the same
    pub warning: Option<String>,
}

/// What the scripts say at their end.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Told {
    Taken { backup: Backup, pruned: u64, warning: String },
    Listed,
    Pruned { pruned: u64 },
    Failed { reason: String, message: String },
}

/// Reads a Job's end; one that failed is an error.
pub(crate) fn read(outcome: &JobOutcome, doing: &str, namespace: &str, job: &str) -> Result<Told, Error> {
    let said = outcome.termination_message.as_deref().and_then(parse);
    let told = said.or_else(|| outcome.log.iter().rev().find_map(|line| parse(line)));
    let (reason, message) = match told {
        Some(Told::Failed { reason, message }) => (Reason::parse(&reason), redacted(message.trim()).into_owned()),
        Some(told) if outcome.succeeded => return Ok(told),
        _ => (Reason::Pod, silent(outcome)),
    };
    let log: Vec<&String> = outcome.log.iter().filter(|line| parse(line).is_none()).collect();
    Err(Error::Failed(Box::new(Failure {
        doing: doing.to_owned(),
        job: job.to_owned(),
        namespace: namespace.to_owned(),
        reason,
        message,
        log: log[log.len().saturating_sub(LINES)..].iter().map(|line| tidy_log_line(line)).collect(),
        diagnosis: outcome.diagnosis.clone(),
        attached: outcome.attached,
    })))
}

fn parse(line: &str) -> Option<Told> {
    serde_json::from_str(line.trim()).ok()
}

/// Why a Job ended without a word.
fn silent(outcome: &JobOutcome) -> String {
    match &outcome.diagnosis {
        Some(diagnosis) => format!("{}: {}", diagnosis.reason, diagnosis.message),
        None if outcome.succeeded => "it ended without telling what it made".to_owned(),
        None => "it ended without telling why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    const TAKEN: &str = r#"{"outcome":"taken","backup":{"name":"shop-1","location":"pvc/dumps/shop/shop-1.dump","size_bytes":2048,"sha256":"ab","server_version":"15.18","taken_at":"2025-01-02T03:04:05Z","seconds":3},"pruned":2,"warning":""}"#;

    fn outcome(succeeded: bool, message: Option<&str>, log: &[&str]) -> JobOutcome {
        JobOutcome {
            uid: "u".to_owned(),
            attached: false,
            succeeded,
            finished: true,
            exit_code: Some(i32::from(!succeeded)),
            termination_message: message.map(str::to_owned),
            log: log.iter().map(|line| (*line).to_owned()).collect(),
            diagnosis: None,
        }
    }

    fn failure(outcome: &JobOutcome) -> Failure {
        match read(outcome, "taking backup shop-1", "ffe", "job").unwrap_err() {
            Error::Failed(failure) => *failure,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_backup_is_read_from_the_message_or_else_the_log() {
        for outcome in [outcome(true, Some(TAKEN), &[]), outcome(true, None, &["dumping", TAKEN])] {
            let Told::Taken { backup, pruned, warning } = read(&outcome, "", "ffe", "job").unwrap() else { panic!() };
            assert_eq!((backup.size_bytes, pruned, warning.as_str()), (2048, 2, ""));
        }
    }

    #[test]
    fn a_failure_has_its_reason_and_the_log_without_our_own_line() {
        let told = r#"{"outcome":"failed","reason":"refused","message":"FATAL:  password authentication failed for user \"app\""}"#;
        let failure = failure(&outcome(false, Some(told), &["psql: FATAL", told]));
        assert_eq!(failure.reason, Reason::Refused);
        assert_eq!(failure.log, ["psql: FATAL"]);
        let text = failure.to_string();
        assert!(text.contains("taking backup shop-1 failed: FATAL") && text.contains("Job ffe/job"), "{text}");
    }

    #[test]
    fn a_job_that_says_nothing_made_nothing() {
        assert_eq!(failure(&outcome(true, None, &["dumping"])).reason, Reason::Pod);
        assert_eq!(failure(&outcome(false, Some("Killed"), &[])).reason, Reason::Pod);
        // Not even what it said counts when it failed afterwards.
        assert_eq!(failure(&outcome(false, Some(TAKEN), &[])).reason, Reason::Pod);
    }
}
