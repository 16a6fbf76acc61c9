//! The acceptance cases: the real terraform, the real provider, the real cluster.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use ffe_testbed::{Part, S3_ACCESS_KEY, S3_SECRET_KEY};

use super::count;
use super::counts::{Counts, one_test};
use crate::process;
use crate::workspace::Workspace;

/// As the other tests are compiled: for one package alone, cargo would choose other features of what all share, and
/// compile most of it again.
const CASES: [&str; 4] = ["test", "--workspace", "--test", "acceptance"];

/// Some of the cases.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) chosen: Vec<String>,
    others: Vec<String>,
}

/// The cases whose names contain one of the filters.
pub(super) fn select(workspace: &Workspace, filters: &[String]) -> Result<Selection> {
    let listed = process::output(workspace.cargo(&CASES).args(["--quiet", "--", "--list"]))?;
    let selection = among(&listed, filters);
    if selection.chosen.is_empty() {
        bail!(
            "no acceptance case has {} in its name; there are: {}",
            filters.join(" or "),
            selection.others.join(", ")
        );
    }
    Ok(selection)
}

fn among(listed: &str, filters: &[String]) -> Selection {
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test").map(str::to_owned));
    let (chosen, others) = names.partition(|name| filters.iter().any(|filter| name.contains(filter)));
    Selection { chosen, others }
}

impl Selection {
    /// What of the testbed the cases need: each group the cluster, and the images of the example.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Helm4, Part::Cluster, Part::Images];
        if self.chosen.iter().any(|name| name.contains("helm3")) {
            parts.push(Part::Helm3);
        }
        // What is not found must be answered by a registry, and not by a name that does not resolve.
        if self.chosen.iter().any(|name| name.contains("oci") || name.contains("image_not_found")) {
            parts.push(Part::Registry);
        }
        if self.chosen.iter().any(|name| name.contains("another_cluster")) {
            parts.push(Part::OtherCluster);
        }
        if self.chosen.iter().any(|name| name.contains("s3")) {
            parts.push(Part::S3);
        }
        if self.chosen.iter().any(|name| ["tls", "certificate", "https"].iter().any(|word| name.contains(word))) {
            parts.extend(Part::TLS);
        }
        parts
    }
}

/// Runs the cases; `cases` gets the name and the outcome of each.
pub(super) fn run(
    workspace: &Workspace,
    provider: &Path,
    full: bool,
    selection: Option<&Selection>,
    all: &mut Counts,
    cases: &mut Vec<(String, String)>,
) -> Result<()> {
    let testbed = &workspace.testbed;
    let mut command = workspace.cargo(&CASES);
    command
        .arg("--")
        .env(ffe_surroundings::REQUIRE, "1")
        .env("FFE_PROVIDER", provider)
        .env("FFE_KUBECONFIG", testbed.kubeconfig())
        .env("FFE_KUBECTL", testbed.binary("kubectl"))
        .env("FFE_HELM3", testbed.binary("helm3"))
        .env("FFE_HELM4", testbed.binary("helm4"))
        .env("FFE_REGISTRY", testbed.registry_address())
        .env("FFE_S3_ENDPOINT", testbed.s3_endpoint())
        .env("FFE_S3_ACCESS_KEY", S3_ACCESS_KEY)
        .env("FFE_S3_SECRET_KEY", S3_SECRET_KEY)
        .env("FFE_S3_FOLDER", testbed.folder().join("s3/objects"))
        .env("FFE_OTHER_KUBECONFIG", testbed.other_kubeconfig())
        .envs(testbed.tls_environment());
    // A case that is asked for by its name runs, also one that is not in the subset.
    if full || selection.is_some() {
        command.env("FFE_FULL", "1");
    }
    if let Some(selection) = selection {
        command.arg("--exact").args(selection.others.iter().flat_map(|name| ["--skip", name]));
    }
    count(&mut command, all, |line| {
        if let Some((name, outcome)) = one_test(line) {
            cases.push((name.to_owned(), outcome.to_owned()));
        }
    })?;
    let promised = selection.map(|selection| selection.chosen.as_slice());
    expect_all(promised, full, cases)
}

/// Every case that was chosen has run; in a full run, every case at all.
fn expect_all(chosen: Option<&[String]>, full: bool, cases: &[(String, String)]) -> Result<()> {
    let ran = |name: &String| cases.iter().any(|(case, outcome)| case == name && outcome != "ignored");
    let ignored = || cases.iter().filter(|(_, outcome)| outcome == "ignored").map(|(name, _)| name);
    let left: Vec<&String> = match chosen {
        Some(chosen) => chosen.iter().filter(|name| !ran(name)).collect(),
        None if full => ignored().collect(),
        None => Vec::new(),
    };
    ensure!(left.is_empty(), "these cases did not run: {left:?}");
    ensure!(cases.iter().any(|(name, _)| ran(name)), "no case ran");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str =
        "lifecycle::from_apply_to_destroy: test\nsources::helm3: test\nsources::oci: test\ntls::life: test\n";

    fn selected(filters: &[&str]) -> Selection {
        among(LISTED, &filters.iter().map(|filter| (*filter).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn cases_are_chosen_by_a_part_of_their_name() {
        let selection = selected(&["helm3", "lifecycle"]);
        assert_eq!(selection.chosen, ["lifecycle::from_apply_to_destroy", "sources::helm3"]);
        assert_eq!(selection.others, ["sources::oci", "tls::life"]);
    }

    #[test]
    fn a_run_without_a_case_that_was_promised_fails() {
        let cases = |outcomes: &[(&str, &str)]| -> Vec<(String, String)> {
            outcomes.iter().map(|(name, outcome)| ((*name).to_owned(), (*outcome).to_owned())).collect()
        };
        let usual = cases(&[("a", "ok"), ("b", "ignored")]);
        assert!(expect_all(None, false, &usual).is_ok());
        assert!(expect_all(None, true, &usual).is_err(), "--full ignores nothing");
        assert!(expect_all(Some(&["b".to_owned()]), false, &usual).is_err(), "b was asked for");
        assert!(expect_all(Some(&["c".to_owned()]), false, &usual).is_err(), "c is not there");
        assert!(expect_all(Some(&["a".to_owned()]), false, &usual).is_ok());
        assert!(expect_all(None, false, &cases(&[("a", "ignored"), ("b", "ignored")])).is_err());
        assert!(expect_all(None, false, &[]).is_err());
    }

    #[test]
    fn only_what_the_cases_need_is_started() {
        assert!(!selected(&["lifecycle"]).parts().contains(&Part::Registry));
        assert!(!selected(&["lifecycle"]).parts().contains(&Part::Helm3));
        assert!(selected(&["oci"]).parts().contains(&Part::Registry));
        assert!(!selected(&["sources"]).parts().contains(&Part::S3));
        assert!(selected(&["sources"]).parts().contains(&Part::Helm3));
        assert!(!selected(&["sources"]).parts().contains(&Part::Traefik));
        assert!(Part::TLS.iter().all(|part| selected(&["life"]).parts().contains(part)));
    }
}
