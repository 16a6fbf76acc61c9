//! The dump before a migration, in a bucket: taken, recorded, pruned, brought back; and nothing changes without it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use super::failures::{image, schema};
use super::kills::journal;
use super::lifecycle::stack;
use crate::{Case, Stage, When};

pub(super) const CASES: &[Case] = &[
    Case { name: "backups::s3_failing_changes_nothing", when: When::Always, run: failing },
    Case { name: "backups::s3_taken_pruned_and_restored", when: When::Always, run: taken },
];

/// The S3 server, from the environment (`FFE_S3_*`).
struct S3 {
    endpoint: String,
    access_key: String,
    secret_key: String,
    /// Where it keeps its objects: only a look from outside shows what is really there.
    folder: PathBuf,
}

impl S3 {
    fn find() -> Result<S3> {
        let read = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
        Ok(S3 {
            endpoint: read("FFE_S3_ENDPOINT")?,
            access_key: read("FFE_S3_ACCESS_KEY")?,
            secret_key: read("FFE_S3_SECRET_KEY")?,
            folder: read("FFE_S3_FOLDER")?.into(),
        })
    }

    /// A Secret with credentials.
    fn secret(&self, stage: &Stage, name: &str, secret_key: &str) -> Result<()> {
        let text = |value: &str| serde_json::to_string(value).unwrap_or_default();
        stage.kube.apply(&format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: {} }}\nstringData:\n  AWS_ACCESS_KEY_ID: {}\n  AWS_SECRET_ACCESS_KEY: {}\n",
            stage.name,
            text(&self.access_key),
            text(secret_key)
        ))
    }
}

/// The stack with a backup in a bucket before each migration.
fn backed_up(stage: &Stage, s3: &S3, tag: &str, bucket: &str, secret: &str) -> String {
    let backup = format!(
        r#"migration = {{
    backup    = "always"
    backup_to = {{
      retention_days = 1
      s3 = {{
        bucket             = "{bucket}"
        prefix             = "{}"
        endpoint           = "{}"
        path_style         = true
        credentials_secret = "{secret}"
      }}
    }}"#,
        stage.name, s3.endpoint
    );
    stack(stage, tag, "").replace("migration = {", &backup)
}

/// Version 1.0.0 without a backup, and two Secrets with credentials: `s3-right` and `s3-wrong`.
fn begin(stage: &mut Stage, s3: &S3) -> Result<()> {
    stage.configure(&stack(stage, "1.0.0", "").replace("migration = {", "migration = {\n    backup = \"never\""))?;
    stage.apply()?.ok()?;
    s3.secret(stage, "s3-right", &s3.secret_key)?;
    s3.secret(stage, "s3-wrong", "another-key")
}

fn failing(stage: &mut Stage) -> Result<()> {
    let s3 = S3::find()?;
    begin(stage, &s3)?;
    let before = stage.expect_state("ffe_release.backend")?;
    for (bucket, secret, says) in [
        ("no-such-bucket", "s3-right", &["NoSuchBucket", "What to do"][..]),
        ("backups", "s3-wrong", &["SignatureDoesNotMatch"]),
        ("backups", "s3-missing", &["s3-missing"]),
    ] {
        stage.configure(&backed_up(stage, &s3, "1.1.0", bucket, secret))?;
        let output = stage.apply()?.failed_with(&["The backup before the migration failed", "Nothing was changed"])?;
        let output = output.says(says)?;
        ensure!(!output.text().contains(&s3.secret_key), "the key is shown");
        ensure!(schema(stage)? == "0003_positions", "the schema is at {}", schema(stage)?);
        ensure!(image(stage)?.ends_with(":1.0.0"), "it was deployed");
        let jobs = stage.kube.names(&stage.name, "jobs")?;
        ensure!(jobs.is_empty(), "Jobs are left: {jobs:?}");
        let after = stage.expect_state("ffe_release.backend")?;
        ensure!(after["revision"] == before["revision"] && after["set"] == before["set"], "{after:#}");
        ensure!(after["last_run"].as_str().is_some_and(|run| run.starts_with("failed at ")), "{:#}", after["last_run"]);
    }
    stage.configure(&backed_up(stage, &s3, "1.1.0", "backups", "s3-right"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// The dump that the last run has taken, and the file that it is.
fn last_backup(stage: &mut Stage, s3: &S3) -> Result<(Json, PathBuf)> {
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let run = journal["runs"].as_array().and_then(|runs| runs.last()).context("no run in the journal")?;
    let backup = run["backup"].clone();
    let location = backup["location"].as_str().unwrap_or_default().to_owned();
    ensure!(stage.expect_state("ffe_release.backend")?["backup"] == location.as_str(), "the state does not name {location}");
    let begins = format!("s3://backups/{}/ffe-backend/", stage.name);
    ensure!(location.starts_with(&begins), "{backup:#}");
    let file = s3.folder.join(location.trim_start_matches("s3://"));
    ensure!(file.exists(), "{} is not there", file.display());
    Ok((backup, file))
}

fn sha256(file: &Path) -> Result<String> {
    let said = crate::run(std::process::Command::new("sha256sum").arg(file))?.ok()?.stdout;
    Ok(said.split_whitespace().next().unwrap_or_default().to_owned())
}

fn taken(stage: &mut Stage) -> Result<()> {
    let s3 = S3::find()?;
    begin(stage, &s3)?;
    stage.configure(&backed_up(stage, &s3, "1.1.0", "backups", "s3-right"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let (backup, first) = last_backup(stage, &s3)?;
    ensure!(backup["size_bytes"].as_u64() == Some(std::fs::metadata(&first)?.len()), "{backup:#}");
    ensure!(backup["sha256"].as_str() == Some(sha256(&first)?.as_str()), "{backup:#}");

    // The next one, three days later as the storage sees it, takes the place of the first. Its migration cannot be undone.
    let old = std::process::Command::new("find")
        .arg(first.parent().context("no folder")?)
        .args(["-type", "f", "-exec", "touch", "-d", "3 days ago", "{}", "+"])
        .status()?;
    ensure!(old.success(), "the files could not be made older");
    let failing = backed_up(stage, &s3, "1.3.0-irreversible", "backups", "s3-right")
        .replace("\"/database\" = \"healthy\"", "\"/database\" = \"nonsense\"")
        .replace("timeout = \"1m\"", "timeout = \"5s\"");
    stage.configure(&failing)?;
    stage.apply()?.failed_with(&["The schema cannot be taken back", "A backup was taken before the migration"])?;
    let (_, second) = last_backup(stage, &s3)?;
    ensure!(second != first && !first.exists(), "{} was not pruned", first.display());
    ensure!(schema(stage)? == "0006_drop_prompts", "the schema is at {}", schema(stage)?);

    // The command of the message brings the data back.
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let runs = journal["runs"].as_array().cloned().unwrap_or_default();
    let restore = runs.last().and_then(|run| run["restore"].as_str()).context("no restore command")?;
    stage.shell(restore)?.ok()?;
    ensure!(schema(stage)? == "0004_feedback", "the restore did not bring the schema back: {}", schema(stage)?);
    stage.configure(&backed_up(stage, &s3, "1.1.0", "backups", "s3-right"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    ensure!(second.exists(), "the last backup was removed with the release");
    Ok(())
}
