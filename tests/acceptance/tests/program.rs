//! The program that plays the cases, as a program: that it fails where it must, keeps what it is told to keep, leaves nothing else
//! behind, and lets nothing of the user's environment through. A script stands in for the provider; no cluster is needed. This
//! program is that one when `FFE_BE_THE_CASES` is set.
#![allow(clippy::unwrap_used, missing_docs)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use libtest_mimic::{Arguments, Trial};

const BE_THE_CASES: &str = "FFE_BE_THE_CASES";

fn main() -> ExitCode {
    if std::env::var_os(BE_THE_CASES).is_some() {
        return acceptance::main();
    }
    let run = |test: fn()| {
        move || {
            test();
            Ok(())
        }
    };
    let trials = vec![
        Trial::test("without_surroundings_every_case_is_ignored", run(ignored)),
        Trial::test("without_surroundings_that_were_promised_it_fails", run(promised)),
        Trial::test("a_case_that_hangs_is_ended_and_told", run(hangs)),
        Trial::test("a_provider_does_not_outlive_the_case_that_started_it", run(outlives)),
        Trial::test("nothing_is_left_behind_unless_it_is_to_be_kept", run(kept)),
        Trial::test("nothing_of_the_users_environment_reaches_a_provider", run(environment)),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A machine with a temporary folder of its own, and a script in the provider's place.
struct Machine(tempfile::TempDir);

impl Machine {
    fn with(provider: &str) -> Machine {
        let machine = Machine(tempfile::tempdir().unwrap());
        std::fs::create_dir(machine.temporary()).unwrap();
        machine.script("provider", provider);
        machine.script("kubectl", "exit 0");
        std::fs::write(machine.path("kubeconfig"), "").unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn temporary(&self) -> PathBuf {
        self.path("tmp")
    }

    fn script(&self, name: &str, body: &str) {
        std::fs::write(self.path(name), format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The program with the surroundings, for one case.
    fn cases(&self, case: &str) -> Command {
        let mut command = self.bare();
        command
            .args(["--exact", case])
            .env("FFE_REQUIRE", "1")
            .env("FFE_PROVIDER", self.path("provider"))
            .env("FFE_KUBECONFIG", self.path("kubeconfig"))
            .env("FFE_KUBECTL", self.path("kubectl"))
            .env("FFE_HELM3", self.path("kubectl"))
            .env("FFE_HELM4", self.path("kubectl"));
        command
    }

    /// The program with nothing.
    fn bare(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env_clear().env(BE_THE_CASES, "1").env("TMPDIR", self.temporary()).env("PATH", "/usr/bin:/bin");
        command
    }

    fn left(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.temporary()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// Whether a process whose id a script has noted is there.
fn lives(noted: &Path) -> bool {
    let pid = std::fs::read_to_string(noted).unwrap();
    Path::new("/proc").join(pid.trim()).exists()
}

const REFUSE: &str = "echo 'this is for Terraform' >&2; exit 1";

fn ignored() {
    let output = Machine::with(REFUSE).bare().output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("FFE_PROVIDER is not set") && text.contains("0 passed; 0 failed"), "{text}");
}

fn promised() {
    let machine = Machine::with(REFUSE);
    let output = machine.bare().env("FFE_REQUIRE", "1").output().unwrap();
    assert!(!output.status.success() && text(&output).contains("FFE_PROVIDER is not set"), "{}", text(&output));
    let output = machine.cases("plugin::wrong_cookie").env_remove("FFE_KUBECTL").output().unwrap();
    assert!(!output.status.success() && text(&output).contains("FFE_KUBECTL is not set"), "{}", text(&output));
    // One that is renamed is one that is not there.
    let output = machine.cases("plugin::wrong_cookie").env("FFE_HELM4", "").output().unwrap();
    assert!(!output.status.success() && text(&output).contains("FFE_HELM4 is not set"), "{}", text(&output));
}

fn hangs() {
    let machine = Machine::with("echo so far; exec sleep 3216");
    let output = machine.cases("plugin::wrong_cookie").env("FFE_CASE_TIMEOUT", "1").output().unwrap();
    let text = text(&output);
    assert!(!output.status.success(), "{text}");
    for part in ["not over after 1 s", "terraform-provider-ffe", "sleep 3216", "so far"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(machine.left(), Vec::<PathBuf>::new());
    let output = machine.cases("plugin::wrong_cookie").env("FFE_CASE_TIMEOUT", "soon").output().unwrap();
    assert!(
        !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("expected a number of seconds")
    );
}

fn outlives() {
    let machine = Machine::with("");
    let noted = machine.path("pid");
    machine.script("provider", &format!("echo $$ > {}; echo hello; exec sleep 3215 >/dev/null", noted.display()));
    let output = machine.cases("plugin::reattach").output().unwrap();
    assert!(text(&output).contains("printed no TF_REATTACH_PROVIDERS"), "{}", text(&output));
    assert!(!lives(&noted));
}

fn kept() {
    let machine = Machine::with(REFUSE);
    let output = machine.cases("plugin::wrong_cookie").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(machine.left(), Vec::<PathBuf>::new());
    let output = machine.cases("plugin::wrong_cookie").env("FFE_KEEP", "1").output().unwrap();
    let text = text(&output);
    let folder = text.split("kept: ").nth(1).unwrap().split(" and ").next().unwrap();
    assert!(Path::new(folder).join("terraform.rc").is_file(), "{text}");
    assert_eq!(machine.left().len(), 2, "the case's folder, and that of the mirror that its configuration leads to");
}

fn environment() {
    let machine = Machine::with("");
    let noted = machine.path("environment");
    machine.script("provider", &format!("env >> {}; {REFUSE}", noted.display()));
    let hostile = [
        "TF_CLI_ARGS",
        "TF_CLI_ARGS_apply",
        "TF_REATTACH_PROVIDERS",
        "TF_VAR_image_tag",
        "TF_WORKSPACE",
        "TF_DATA_DIR",
        "TF_LOG_PROVIDER",
        "FFE_LEASE_DURATION",
        "CLOUDFLARE_API_TOKEN",
        "HELM_NAMESPACE",
        "KUBE_CTX",
        "KUBECONFIG",
        "HTTPS_PROXY",
        "TF_PLUGIN_MAGIC_COOKIE",
    ];
    let output = machine.cases("plugin::wrong_cookie").envs(hostile.map(|name| (name, "hostile"))).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let seen = std::fs::read_to_string(&noted).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains("hostile"), "{seen}");
}
