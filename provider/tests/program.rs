//! The program, as a person and a pipeline run it: its commands, and the option for a debugger.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn checked(arguments: &[&str], folder: &Path) -> Output {
    let program = env!("CARGO_BIN_EXE_terraform-provider-ffe");
    Command::new(program).arg("check").args(arguments).current_dir(folder).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr.clone()).unwrap()
}

const GUESSED_WRONG: &str = r#"
resource "ffe_environment" "this" {
  name     = "staging"
  preset   = "staging"
  database = { size = "500Gi", replicas = 3, storage = { storage_class = "fast" } }
}

resource "ffe_release" "backend" {
  namespace   = "staging"
  name        = "backend"
  chart       = "./chart"
  remediation = { on_failure = "keep" }
}
"#;

#[test]
fn names_that_terraform_drops_are_found_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.tf"), GUESSED_WRONG).unwrap();
    let output = checked(&[], folder.path());
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for line in [
        "main.tf:5:16: ffe_environment.this: database has no attribute \"size\": Terraform drops it without a word. Did you mean database.storage.size?",
        "main.tf:12:19: ffe_release.backend: remediation has no attribute \"on_failure\": Terraform drops it without a word. Did you mean migration.on_failure?",
    ] {
        assert!(text.contains(line), "{text}");
    }

    let output = checked(&["--json"], folder.path());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let paths: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|it| it["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"database.size") && paths.contains(&"remediation.on_failure"), "{report}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_this_project_hands_out_is_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = checked(&["--recursive", "examples/terraform"], &root);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_folder_that_cannot_be_looked_at_is_not_a_clean_one() {
    let folder = tempfile::tempdir().unwrap();
    let output = checked(&[], folder.path());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    std::fs::write(folder.path().join("main.tf"), "resource {{{").unwrap();
    let output = checked(&[], folder.path());
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("main.tf: cannot be parsed: line 1"), "{}", text(&output));
}

#[test]
fn a_word_that_is_no_command_says_which_there_are() {
    let program = env!("CARGO_BIN_EXE_terraform-provider-ffe");
    let output = Command::new(program).arg("cheque").output().unwrap();
    assert!(!output.status.success() && text(&output).contains("check"), "{}", text(&output));
}

#[test]
fn the_option_for_a_debugger_is_still_the_plugins() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    for option in ["--debug", "-debug"] {
        let mut plugin = Command::new(env!("CARGO_BIN_EXE_terraform-provider-ffe"))
            .arg(option)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(plugin.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).find(|line| line.contains("TF_REATTACH_PROVIDERS"));
        plugin.kill().unwrap();
        plugin.wait().unwrap();
        assert!(told.is_some(), "{option} does not say how terraform comes to it");
    }
}
