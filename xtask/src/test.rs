//! `cargo xtask test`: everything that must pass before a change lands.
//!
//! The steps are in one visible list, [`Steps::go`]; a step that fails does not keep the others from being done.

mod acceptance;
mod application;
mod counts;
mod examples;
mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use counts::Counts;
use ffe_testbed::{POSTGRES_IMAGE, Part, ToStderr};
use report::Report;

use crate::workspace::{self, Workspace};
use crate::{process, tell, terraform};

/// Run the tests: checks of the sources, unit tests, and acceptance cases with the real terraform on the real cluster.
///
/// Starts the testbed where it does not run (as root on Debian), and stops it at the end if it did.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Every acceptance case; otherwise the subset that keeps one of every point.
    #[arg(long)]
    full: bool,
    /// Leave the testbed running also when this command started it.
    #[arg(long)]
    keep: bool,
    /// Only the acceptance cases whose names contain one of these, and nothing else.
    filter: Vec<String>,
}

pub(crate) fn go(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    // Said now and not after half an hour.
    let (_, version) = terraform::find()?;
    tell::note(format!("terraform {version}"));
    let ran_before = workspace.testbed.status().is_up();
    let mut steps = Steps { workspace: &workspace, report: Report::new(), cluster: false, provider: None };
    if args.filter.is_empty() {
        steps.go(args)
    } else {
        steps.filtered(args)
    }
    let mut report = steps.report;
    if !ran_before && !args.keep {
        report.step("stop the testbed", |_| workspace.testbed.down(&ToStderr));
    }
    let failed = report.counts().failed;
    tell::headline("What ran");
    tell::line(report.text());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Steps<'a> {
    workspace: &'a Workspace,
    report: Report,
    /// The cluster is up.
    cluster: bool,
    /// The provider, once it is built.
    provider: Option<PathBuf>,
}

impl Steps<'_> {
    fn go(&mut self, args: &Args) {
        let workspace = self.workspace;
        self.report.step("format", |_| process::run(&mut workspace.cargo(&["fmt", "--all", "--", "--check"])));
        // Everything is compiled before the cluster starts, which would take its share of the processors meanwhile.
        let testbed = self.build_testbed(&Part::ALL);
        self.build(args.full, Workspace::build_tests);
        self.report.step("lints", |_| {
            process::run(&mut workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
        });
        if testbed {
            self.testbed(&Part::ALL);
        }
        let application = self.cluster.then(|| application::start(workspace));
        self.unit_tests(args.full);
        self.dependencies();
        self.report.step("reference pages are current", |_| {
            let check = ["run", "--quiet", "--package", "ffe-reference", "--"];
            process::run(workspace.cargo(&check).arg(&workspace.root).arg("--check"))
        });
        self.chart();
        match application {
            Some(running) => {
                self.report.step("the application's own tests", |all| running?.finish(all));
            }
            None => self.report.left_out("the application's own tests", "there is no cluster"),
        }
        match self.provider.clone() {
            Some(provider) => _ = self.report.step("examples", |_| examples::check(workspace, &provider)),
            None => self.report.left_out("examples", "there is no provider"),
        }
        self.acceptance(args, None);
    }

    /// Only some acceptance cases, and only what these need.
    fn filtered(&mut self, args: &Args) {
        let workspace = self.workspace;
        let mut selected = None;
        self.report.step("acceptance cases", |_| {
            let selection = acceptance::select(workspace, &args.filter)?;
            tell::note(selection.chosen.join("\n"));
            selected = Some(selection);
            Ok(())
        });
        if let Some(selection) = selected {
            let parts = selection.parts();
            let testbed = self.build_testbed(&parts);
            self.build(args.full, Workspace::build_provider_for_tests);
            if testbed {
                self.testbed(&parts);
            }
            self.acceptance(args, Some(&selection));
        }
    }

    fn build_testbed(&mut self, parts: &[Part]) -> bool {
        let testbed = &self.workspace.testbed;
        self.report.step("the testbed is built", |_| testbed.ensure(parts, &ToStderr))
    }

    fn testbed(&mut self, parts: &[Part]) {
        let testbed = &self.workspace.testbed;
        self.cluster = self.report.step("testbed", |_| testbed.up(parts, &ToStderr));
    }

    /// The provider as it is released costs minutes more than the one that comes with the tests.
    fn build(&mut self, released: bool, with_tests: impl FnOnce(&Workspace) -> Result<PathBuf>) {
        let workspace = self.workspace;
        let mut built = None;
        if released {
            self.report.step("the provider, as it is released", |_| {
                built = Some(workspace.build_provider()?);
                Ok(())
            });
        } else {
            self.report.step("the provider, as the tests are compiled", |_| {
                built = Some(with_tests(workspace)?);
                Ok(())
            });
        }
        self.provider = built;
    }

    /// Unit and in-process tests of every crate. Those that compare with a real Helm or look at a real cluster do so;
    /// those of the testbed's own parts, which the acceptance cases lean on anyway, only when everything is asked for.
    fn unit_tests(&mut self, full: bool) {
        let workspace = self.workspace;
        let cluster = self.cluster;
        self.report.step("unit and in-process tests", |all| {
            let mut command = workspace.cargo(&["test", "--workspace", "--exclude", "acceptance", "--no-fail-fast"]);
            let binaries = [("FFE_HELM3", "helm3"), ("FFE_HELM4", "helm4"), ("FFE_TEST_REGISTRY", "registry")];
            for (variable, name) in binaries {
                let helm = workspace.testbed.binary(name);
                if helm.exists() {
                    command.env(variable, helm);
                }
            }
            if cluster {
                command
                    .env("FFE_TEST_KUBECONFIG", workspace.testbed.kubeconfig())
                    .env("FFE_DATABASE_IMAGE", POSTGRES_IMAGE);
                if full {
                    command.envs(workspace.testbed.tls_environment()?);
                }
            }
            count(&mut command, all, |_| {})
        });
    }

    /// Licences, bans and sources of dependencies; the advisories need the network and are asked elsewhere.
    fn dependencies(&mut self) {
        if workspace::in_path("cargo-deny").is_none() {
            self.report.left_out("licences and sources of dependencies", "cargo-deny is not installed");
            return;
        }
        let workspace = self.workspace;
        self.report.step("licences and sources of dependencies", |_| {
            process::run(&mut workspace.cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"]))
        });
    }

    /// What the example's chart renders, with both majors of Helm.
    fn chart(&mut self) {
        let workspace = self.workspace;
        let helms: Vec<PathBuf> =
            ["helm3", "helm4"].iter().map(|name| workspace.testbed.binary(name)).filter(|helm| helm.exists()).collect();
        if helms.is_empty() {
            self.report.left_out("the chart's own tests", "there is no Helm");
            return;
        }
        self.report.step("the chart's own tests", |all| {
            let python = python_with_yaml()?;
            let mut command = Command::new(python);
            command
                .args(["-B", "-m", "unittest", "discover", "-s", "tests", "-t", "."])
                .current_dir(workspace.root.join("examples/ffe-backend"))
                .env("HELM", std::env::join_paths(&helms)?);
            unittest(&mut command, all)
        });
    }

    fn acceptance(&mut self, args: &Args, selection: Option<&acceptance::Selection>) {
        let name = "acceptance";
        match (self.cluster, &self.provider) {
            (false, _) => self.report.left_out(name, "there is no cluster"),
            (_, None) => self.report.left_out(name, "there is no provider"),
            (true, Some(provider)) => {
                let (workspace, provider) = (self.workspace, provider.clone());
                let mut cases = Vec::new();
                self.report
                    .step(name, |all| acceptance::run(workspace, &provider, args.full, selection, all, &mut cases));
                self.report.add_cases(cases);
            }
        }
    }
}

/// Runs a `cargo test` and adds up its counts; `look` sees every line.
fn count(command: &mut Command, all: &mut Counts, mut look: impl FnMut(&str)) -> Result<()> {
    let succeeded = process::watch(command, |line| {
        if let Some(counts) = Counts::of_cargo(line) {
            *all += counts;
        }
        look(line);
    })?;
    if !succeeded && all.failed == 0 {
        bail!("cargo test failed before a test did: see above");
    }
    Ok(())
}

/// Runs a Python unittest and adds up its counts.
fn unittest(command: &mut Command, all: &mut Counts) -> Result<()> {
    let output = command.output()?;
    // It tells everything on standard error.
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    tell::line(said.trim_end());
    match Counts::of_unittest(&said) {
        Some(counts) => *all += counts,
        None => bail!("{} ran no tests", process::words(command)),
    }
    Ok(())
}

/// Debian's Python with a YAML reader, installed where root can do so.
fn python_with_yaml() -> Result<PathBuf> {
    let python = PathBuf::from("/usr/bin/python3");
    let has_yaml = |python: &Path| process::output(Command::new(python).args(["-c", "import yaml"])).is_ok();
    if !has_yaml(&python) {
        let mut install = Command::new("apt-get");
        install
            .args(["install", "--yes", "--quiet", "--no-install-recommends", "python3-yaml"])
            .env("DEBIAN_FRONTEND", "noninteractive");
        process::output(&mut install)?;
    }
    Ok(python)
}
