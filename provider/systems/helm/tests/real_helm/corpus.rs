//! The corpus of values: for every case the same chart is rendered twice, once with Helm's own `-f` and `--set…`, once
//! with the one document that [`ffe_helm::values::merge`] makes of it, and must say the same; what we refuse, Helm must
//! refuse.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ffe_helm::values::{Inputs, SetItem, SetList, merge};
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;

use crate::Helm;

#[derive(Deserialize, Clone)]
struct Case {
    name: String,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    set: Vec<Entry>,
    #[serde(default)]
    set_list: Vec<ListEntry>,
    /// We refuse what a major of Helm silently ignores.
    #[serde(default)]
    stricter: bool,
}

#[derive(Deserialize, Clone)]
struct Entry {
    name: String,
    value: String,
    r#type: String,
}

#[derive(Deserialize, Clone)]
struct ListEntry {
    name: String,
    value: Vec<String>,
}

/// A trial for each case.
pub(crate) fn trials(major: &str, helm: &Helm, trials: &mut Vec<Trial>) {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../corpus/values.json")).unwrap();
    let chart = Arc::new(chart());
    for case in cases {
        let (helm, chart) = (helm.clone(), chart.clone());
        trials.push(helm.trial(format!("{major}::corpus::{}", case.name), {
            let helm = helm.clone();
            move || compare(&helm.path(), chart.path(), &case)
        }));
    }
}

fn compare(helm: &Path, chart: &Path, case: &Case) -> Result<(), Failed> {
    let inputs = Inputs {
        values: case.values.clone(),
        set: case
            .set
            .iter()
            .map(|e| SetItem { name: e.name.clone(), value: e.value.clone(), kind: e.r#type.parse().unwrap() })
            .collect(),
        set_list: case.set_list.iter().map(|e| SetList { name: e.name.clone(), value: e.value.clone() }).collect(),
        set_wo: Vec::new(),
    };
    let theirs = render(helm, chart, case, None);
    match (merge(&inputs), theirs) {
        (Ok(values), Ok(theirs)) => {
            let ours = render(helm, chart, case, Some(values.to_document().unwrap()))
                .map_err(|e| format!("helm refuses our document: {e}"))?;
            if ours == theirs { Ok(()) } else { Err(format!("ours:\n{ours}\nhelm's own:\n{theirs}").into()) }
        }
        (Err(_), Err(_)) => Ok(()),
        (Err(_), Ok(_)) if case.stricter => Ok(()),
        (Ok(_), Err(e)) => Err(format!("helm refuses what we accept: {e}").into()),
        (Err(e), Ok(theirs)) => Err(format!("we refuse ({e}) what helm accepts:\n{theirs}").into()),
    }
}

/// Renders with Helm's own flags, or with one document on its standard input.
fn render(helm: &Path, chart: &Path, case: &Case, document: Option<String>) -> Result<String, String> {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(helm);
    command.args(["template", "x"]).arg(chart);
    for part in ["CACHE", "CONFIG", "DATA"] {
        command.env(format!("HELM_{part}_HOME"), home.path().join(part));
    }
    match &document {
        Some(_) => {
            command.args(["-f", "-"]);
        }
        None => own_flags(&mut command, home.path(), case),
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut stdin = child.stdin.take().unwrap();
    let text = document.unwrap_or_default();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn own_flags(command: &mut Command, home: &Path, case: &Case) {
    for (i, text) in case.values.iter().enumerate() {
        let file = home.join(format!("{i}.yaml"));
        std::fs::write(&file, text).unwrap();
        command.arg("-f").arg(file);
    }
    for entry in &case.set {
        let flag = match entry.r#type.as_str() {
            "string" => "--set-string",
            "literal" => "--set-literal",
            "json" => "--set-json",
            _ => "--set",
        };
        command.arg(flag).arg(format!("{}={}", entry.name, entry.value));
    }
    for entry in &case.set_list {
        command.arg("--set").arg(format!("{}={{{}}}", entry.name, entry.value.join(",")));
    }
}

/// A chart that says what its values are.
fn chart() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("templates")).unwrap();
    std::fs::write(dir.path().join("Chart.yaml"), "apiVersion: v2\nname: says\nversion: 1.0.0\n").unwrap();
    std::fs::write(dir.path().join("values.yaml"), "defaults: {keep: 1, map: {a: 1}, other: x}\n").unwrap();
    std::fs::write(dir.path().join("templates/values.yaml"), "values: {{ .Values | toJson | quote }}\n").unwrap();
    dir
}
