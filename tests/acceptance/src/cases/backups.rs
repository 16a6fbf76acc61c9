//! The dump before a migration, in a bucket: taken, recorded, pruned, brought back; and nothing changes without it.

mod sftp;

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
    Case { name: "backups::sftp_with_host_keys", when: When::Always, run: sftp::with_host_keys },
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
      rclone_image   = "ffe-postgres:15"
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

/// Rows in the application's tables, and kinds of objects that a restore might forget.
const SEED: &str = "insert into decisions (account_id, instrument_id, action, confidence) \
      select 1, id, 'BUY', 50 from instruments; \
    create table ticks (at date not null, n int) partition by range (at); \
    create table ticks_2024 partition of ticks for values from ('2024-01-01') to ('2025-01-01'); \
    create table ticks_rest partition of ticks default; \
    insert into ticks select date '2024-06-01' + n, n from generate_series(1, 400) n; \
    create collation plain (locale = 'C'); create text search configuration en (copy = english); \
    create publication changes for table ticks; select lo_from_bytea(4711, 'a large object')";

/// Everything in the database: every row, every relation, and what the seed has made besides.
const CONTENT: &str = "select md5(schema_to_xml('public', true, false, '')::text) || ' ' || \
    (select string_agg(relname::text || relkind::text, ',' order by relname) from pg_class where relnamespace = 'public'::regnamespace) || \
    (select string_agg(collname, ',') from pg_collation where collnamespace = 'public'::regnamespace) || \
    (select string_agg(cfgname, ',') from pg_ts_config where cfgnamespace = 'public'::regnamespace) || \
    (select string_agg(pubname, ',') from pg_publication) || convert_from(lo_get(4711), 'UTF8')";

fn ask(stage: &Stage, query: &str) -> Result<String> {
    stage.kube.psql(&stage.name, "ffe-dev-database-0", "ffe", "ffe", query)
}

/// Fills the database, and tells everything that is in it.
pub(super) fn filled(stage: &Stage) -> Result<String> {
    ask(stage, SEED)?;
    let content = ask(stage, CONTENT)?;
    ensure!(content.contains("ticks_2024r") && content.contains("a large object"), "{content}");
    Ok(content)
}

/// Refuses a database that holds anything else, or that has not kept what was there before it was restored.
pub(super) fn is_as(stage: &Stage, content: &str) -> Result<()> {
    let now = ask(stage, CONTENT)?;
    ensure!(now == content, "the database holds\n{now}\ninstead of\n{content}");
    let kept = ask(stage, "select string_agg(datname, ' ') from pg_database where datname like 'ffe_before_%'")?;
    ensure!(kept.split_whitespace().count() == 1, "kept: {kept}");
    Ok(())
}

/// The dump that the last run has taken, and the file that it is.
fn last_backup(stage: &mut Stage, s3: &S3) -> Result<(Json, PathBuf)> {
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let run = journal["runs"].as_array().and_then(|runs| runs.last()).context("no run in the journal")?;
    let backup = run["backup"].clone();
    let location = backup["location"].as_str().unwrap_or_default().to_owned();
    ensure!(
        stage.expect_state("ffe_release.backend")?["backup"] == location.as_str(),
        "the state does not name {location}"
    );
    // By cluster, namespace and release.
    let begins = format!("s3://backups/{}/", stage.name);
    ensure!(location.starts_with(&begins), "{backup:#}");
    ensure!(location.contains(&format!("/{}/ffe-backend/", stage.name)), "{backup:#}");
    let file = s3.folder.join(location.trim_start_matches("s3://"));
    ensure!(file.exists(), "{} is not there", file.display());
    Ok((backup, file))
}

/// A text of a backup's description.
fn backup_field(description: &str, field: &str) -> Result<String> {
    let description: Json = serde_json::from_str(description)?;
    Ok(description[field].as_str().with_context(|| format!("no {field}"))?.to_owned())
}

fn sha256(file: &Path) -> Result<String> {
    let said = crate::run(crate::program("sha256sum").arg(file))?.ok()?.stdout;
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

    // The next one takes the place of the first, whose description says that it is three days old. Its migration cannot be
    // undone. A dump of another release's that lies in the same folder stays.
    let folder = first.parent().context("no folder")?.to_owned();
    let description = first.with_extension("json");
    let text = std::fs::read_to_string(&description)?;
    let taken_at = backup_field(&text, "taken_at")?;
    let old = text.replace(&taken_at, "2020-01-01T00:00:00Z");
    std::fs::write(&description, &old)?;
    let series = backup_field(&text, "series")?;
    let others = old.replace(&series, "other/cluster/ffe-backend").replace(&backup_field(&text, "name")?, "others");
    std::fs::write(folder.join("others.json"), others)?;
    std::fs::write(folder.join("others.dump"), "")?;
    let content = filled(stage)?;
    let failing = backed_up(stage, &s3, "1.3.0-irreversible", "backups", "s3-right")
        .replace("\"/database\" = \"healthy\"", "\"/database\" = \"nonsense\"")
        .replace("timeout = \"1m\"", "timeout = \"5s\"");
    stage.configure(&failing)?;
    stage.apply()?.failed_with(&["The schema cannot be taken back", "A backup was taken before the migration"])?;
    let (_, second) = last_backup(stage, &s3)?;
    ensure!(second != first && !first.exists(), "{} was not pruned", first.display());
    ensure!(
        folder.join("others.dump").exists() && folder.join("others.json").exists(),
        "another release's dump is gone"
    );
    ensure!(schema(stage)? == "0006_drop_prompts", "the schema is at {}", schema(stage)?);

    // The command of the message brings the data back: the rows, too.
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let runs = journal["runs"].as_array().cloned().unwrap_or_default();
    let restore = runs.last().and_then(|run| run["restore"].as_str()).context("no restore command")?;
    stage.shell(restore)?.ok()?;
    ensure!(schema(stage)? == "0004_feedback", "the restore did not bring the schema back: {}", schema(stage)?);
    is_as(stage, &content)?;
    stage.configure(&backed_up(stage, &s3, "1.1.0", "backups", "s3-right"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    ensure!(second.exists(), "the last backup was removed with the release");
    Ok(())
}
