//! Releases with a history. Their older revisions are copies of the record that the real Helm has made of one of them, with
//! other names and numbers: Helm itself would need minutes for them, and nobody opens them. The newest revision is made by
//! whoever is measured, which takes the releases over.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use super::stack::{Many, Stack};
use crate::process;

/// The release that Helm records: a name that is a part of no other word in a record.
const PATTERN: &str = "pattern-of-all-others";

/// Gives each release that has no history yet as many revisions; of a release that has one, nothing is changed.
pub(super) fn make(stack: &Stack<'_>, many: &Many, revisions: usize) -> Result<()> {
    stack.write(many, "hello")?;
    let namespace = many.namespaces.first().context("no namespace for the releases")?;
    ensure!(many.namespaces.len() == 1, "histories are made in one namespace");
    if recorded(stack, namespace)? >= many.size * revisions {
        return Ok(());
    }
    let pattern = pattern(stack, namespace)?;
    let mut secrets = Vec::new();
    for index in 0..many.size {
        for revision in 1..=revisions {
            secrets.push(record(&pattern, &format!("release-{index}"), revision, revision == revisions)?);
        }
    }
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": secrets }).to_string();
    let mut command = stack.kubectl.command(&["create", "--namespace", namespace, "--filename", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("kubectl")?;
    child.stdin.take().context("kubectl has no input")?.write_all(list.as_bytes())?;
    ensure!(child.wait()?.success(), "Helm's records could not be written");
    Ok(())
}

/// That each release has as many revisions.
pub(super) fn check(stack: &Stack<'_>, many: &Many, revisions: usize) -> Result<()> {
    for namespace in &many.namespaces {
        let there = recorded(stack, namespace)?;
        let expected = many.size * revisions;
        ensure!(
            there == expected,
            "Helm has {there} records in {namespace} and not {expected}: --fresh makes them anew"
        );
    }
    Ok(())
}

/// How many records Helm has there.
fn recorded(stack: &Stack<'_>, namespace: &str) -> Result<usize> {
    let records = stack.kubectl.output(&["get", "secrets", "-n", namespace, "-l", "owner=helm", "-o", "name"]);
    Ok(records.context("Helm's records")?.lines().count())
}

/// Lets Helm install one release, and takes its record.
fn pattern(stack: &Stack<'_>, namespace: &str) -> Result<Json> {
    let helm = |arguments: &[&str]| {
        let mut command = std::process::Command::new(stack.helm());
        stack.alone(&mut command);
        command.env("KUBECONFIG", stack.kubeconfig()).args(arguments).args(["--namespace", namespace]);
        process::output(&mut command)
    };
    let chart = stack.chart().to_string_lossy().into_owned();
    helm(&["upgrade", "--install", PATTERN, &chart, "--set", "greeting=before"])?;
    let secrets = ["get", "secret", "-n", namespace, &format!("sh.helm.release.v1.{PATTERN}.v1"), "-o", "json"];
    let secret = stack.kubectl.output(&secrets)?;
    helm(&["uninstall", PATTERN])?;
    serde_json::from_str(&secret).context("Helm's record")
}

/// The record of another release and revision.
fn record(pattern: &Json, name: &str, revision: usize, newest: bool) -> Result<Json> {
    let status = if newest { "deployed" } else { "superseded" };
    let content = opened(pattern["data"]["release"].as_str().context("Helm's record has no content")?)?;
    let mut content: Json = serde_json::from_str(&content.replace(PATTERN, name)).context("Helm's record")?;
    content["version"] = revision.into();
    content["info"]["status"] = status.into();
    let mut labels = pattern["metadata"]["labels"].clone();
    for (label, value) in [("name", name), ("status", status), ("version", revision.to_string().as_str())] {
        labels[label] = value.into();
    }
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": pattern["type"],
        "metadata": { "name": format!("sh.helm.release.v1.{name}.v{revision}"), "labels": labels },
        "data": { "release": closed(&content.to_string())? },
    }))
}

/// A Secret's base64 around Helm's base64 around gzip.
fn opened(content: &str) -> Result<String> {
    let inner = STANDARD.decode(content).context("Helm's record is not base64")?;
    let packed = STANDARD.decode(inner).context("Helm's record is not base64")?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text).context("Helm's record is not packed")?;
    Ok(text)
}

fn closed(text: &str) -> Result<String> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes())?;
    Ok(STANDARD.encode(STANDARD.encode(packed.finish()?)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_record_becomes_that_of_another_release_and_revision() {
        let content = format!(
            r#"{{"name":"{PATTERN}","version":1,"info":{{"status":"deployed","notes":"n"}},"manifest":"name: {PATTERN}\n"}}"#
        );
        let pattern = json!({
            "type": "helm.sh/release.v1",
            "metadata": { "labels": { "owner": "helm", "name": PATTERN, "status": "deployed", "version": "1" } },
            "data": { "release": closed(&content).unwrap() },
        });
        let record = record(&pattern, "release-7", 3, false).unwrap();
        assert_eq!(record["metadata"]["name"], "sh.helm.release.v1.release-7.v3");
        let labels = json!({ "owner": "helm", "name": "release-7", "status": "superseded", "version": "3" });
        assert_eq!(record["metadata"]["labels"], labels);
        let content: Json =
            serde_json::from_str(&opened(record["data"]["release"].as_str().unwrap()).unwrap()).unwrap();
        let expected = json!({
            "name": "release-7",
            "version": 3,
            "info": { "status": "superseded", "notes": "n" },
            "manifest": "name: release-7\n",
        });
        assert_eq!(content, expected);
    }
}
