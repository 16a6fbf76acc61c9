//! `cargo xtask mutants`: would a test notice if the code that decides did something else?
//!
//! cargo-mutants changes one decision at a time and runs the crate's tests. What no test notices has survived: it is answered
//! by a test, or named in docs/architecture.md. It takes hours, so it is no part of `cargo xtask test`.

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};

use crate::workspace::Workspace;
use crate::{process, tell, tools};

const VERSION: &str = "27.1.0";

/// The code that decides what is changed, taken back, deleted or left alone: files, and folders of files.
const DECISIONS: [&str; 25] = [
    "provider/resources/release/src/plan.rs",
    "provider/resources/release/src/apply/pipeline.rs",
    "provider/resources/release/src/apply/recover.rs",
    "provider/resources/release/src/apply/uninstall.rs",
    "provider/resources/release/src/apply/way_back.rs",
    "provider/resources/release/src/apply/way_back/",
    "provider/resources/release/src/apply/delete.rs",
    "provider/resources/release/src/apply/going_back/",
    "provider/resources/release/src/apply/taken_over.rs",
    "provider/resources/release/src/state/replaced.rs",
    "provider/resources/release/src/rendering/promise.rs",
    "provider/resources/release/src/journal.rs",
    "provider/resources/release/src/journal/",
    "provider/resources/environment/src/delete.rs",
    "provider/resources/issuer/src/delete.rs",
    "provider/session/src/ownership/",
    "provider/systems/cluster/src/standing.rs",
    "provider/systems/cluster/src/standing/make.rs",
    "provider/resources/tls_endpoint/src/claim.rs",
    "provider/resources/tls_endpoint/src/delete.rs",
    "provider/resources/tls_endpoint/src/change.rs",
    "provider/systems/cluster/src/mark.rs",
    "provider/systems/cluster/src/absence.rs",
    "provider/systems/lease/src/",
    "sdk/core/src/plan.rs",
];

/// Change the code that decides, one decision at a time, and see whether a test notices. Takes hours.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these files of the list (a part of their path), such as `pipeline.rs`.
    files: Vec<String>,
    /// Only one of several equal parts, such as `0/8`.
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Say which mutants there are, and try none.
    #[arg(long)]
    list: bool,
}

pub(crate) fn go(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    let folder = tools::folder(&workspace, "cargo-mutants", VERSION);
    let program = folder.join("bin/cargo-mutants");
    if !program.is_file() {
        tell::headline(format!("cargo-mutants {VERSION}, compiled once into {}", folder.display()));
        let mut install = workspace.cargo(&["install", "--quiet", "cargo-mutants", "--version", VERSION, "--root"]);
        process::run(install.arg(&folder).current_dir(&workspace.cache))?;
    }
    let files = chosen(&args.files)?;
    let made = workspace.cache.join("mutants");
    std::fs::create_dir_all(&made)?;
    let mut chosen = vec!["--workspace".to_owned()];
    chosen.extend(files.into_iter().flat_map(|file| ["--file".to_owned(), pattern(file)]));
    chosen.extend(args.shard.iter().flat_map(|shard| ["--shard".to_owned(), shard.clone()]));
    // Without one that it could try it would say that all is well.
    let mut list = tools::subcommand(&workspace, &program, "mutants");
    let listed = process::output(list.arg("--list").args(&chosen))?;
    ensure!(!listed.trim().is_empty(), "cargo-mutants finds nothing to change in {}", chosen.join(" "));
    if args.list {
        tell::line(listed.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let mut command = tools::subcommand(&workspace, &program, "mutants");
    // In a copy of the checkout, which an interrupt leaves as it was; the dependencies are compiled once.
    command.args(&chosen);
    command.args(["--no-shuffle", "--colors=never", "--minimum-test-timeout=120", "--cargo-arg=--locked", "--output"]);
    command.arg(&made);
    if std::env::var_os("CARGO_TARGET_DIR").is_none() {
        command.env("CARGO_TARGET_DIR", made.join("target"));
    }
    // It says by its exit code whether something has survived.
    Ok(if command.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn chosen(words: &[String]) -> Result<Vec<&'static str>> {
    let is_meant = |file: &&str| words.is_empty() || words.iter().any(|word| file.contains(word.as_str()));
    let files: Vec<&str> = DECISIONS.into_iter().filter(is_meant).collect();
    if files.is_empty() {
        bail!("none of the files is {}; there are: {}", words.join(" or "), DECISIONS.join(", "));
    }
    Ok(files)
}

/// As cargo-mutants takes it.
fn pattern(path: &str) -> String {
    if path.ends_with('/') { format!("{path}*.rs") } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_part_of_a_path_chooses_files() {
        assert_eq!(chosen(&["mark".to_owned()]).unwrap(), ["provider/systems/cluster/src/mark.rs"]);
        assert_eq!(chosen(&[]).unwrap(), DECISIONS);
        assert!(chosen(&["nothing".to_owned()]).is_err());
    }

    #[test]
    fn every_file_of_the_list_is_there() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for path in DECISIONS {
            let there = root.join(path);
            assert!(if path.ends_with('/') { there.is_dir() } else { there.is_file() }, "{path}");
        }
        assert_eq!(pattern("a/b/"), "a/b/*.rs");
    }
}
