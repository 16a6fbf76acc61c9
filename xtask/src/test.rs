//! `cargo xtask test`: everything that must pass before a change lands.
//!
//! The steps are in one visible list, [`Steps::go`]; a step that fails does not keep the others from being done.

mod acceptance;
mod application;
mod counts;
mod examples;
mod nextest;
mod report;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail, ensure};
use counts::Counts;
use ffe_testbed::{POSTGRES_IMAGE, Part, ToStderr};
use report::Report;

use crate::workspace::Workspace;
use crate::{build, process, tell, terraform, tools};

/// Run the tests: checks of the sources, unit tests, and acceptance cases with the real terraform on the real cluster.
///
/// Starts the testbed where it does not run (as root on Debian), and stops it at the end if it did.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Every acceptance case, otherwise the subset that keeps one of every point; and the build of what is published.
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
    // Nobody stops it under this run, and this run not under another.
    let in_use = workspace.testbed.in_use()?;
    let ran_before = workspace.testbed.status().is_up();
    let mut steps = Steps { workspace: &workspace, report: Report::new(), cluster: false, provider: None };
    if args.filter.is_empty() {
        steps.go(args)
    } else {
        steps.filtered(args)
    }
    let mut report = steps.report;
    if args.keep {
        in_use.leave_running()?;
    } else {
        report.step("the testbed is left", |_| {
            if !workspace.testbed.leave(in_use, !ran_before, &ToStderr)? {
                tell::note("It runs on: it ran before, or somebody else uses it.");
            }
            Ok(())
        });
    }
    let failed = report.counts().failed;
    tell::headline("What ran");
    tell::line(report.text());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Packages of Debian, by a file of each: what the tests compare with, and what the chart's tests read YAML by.
const COMPARED_WITH: [(&str, &str); 11] = [
    ("python3-alembic", "/usr/lib/python3/dist-packages/alembic/__init__.py"),
    ("python3-psycopg2", "/usr/lib/python3/dist-packages/psycopg2/__init__.py"),
    ("python3-sqlalchemy", "/usr/lib/python3/dist-packages/sqlalchemy/__init__.py"),
    ("python3-yaml", "/usr/lib/python3/dist-packages/yaml/__init__.py"),
    ("postgresql-15", "/usr/lib/postgresql/15/bin/initdb"),
    ("rclone", "/usr/bin/rclone"),
    ("pgbouncer", "/usr/sbin/pgbouncer"),
    ("openssh-client", "/usr/bin/ssh-keyscan"),
    ("openssl", "/usr/bin/openssl"),
    ("bind9", "/usr/sbin/named"),
    ("bind9-dnsutils", "/usr/bin/nsupdate"),
];

/// The same of what acceptance cases call.
const CALLED_BY_CASES: [(&str, &str); 1] = [("openssh-client", "/usr/bin/ssh-keygen")];

/// What takes minutes to fetch and to run is left to `--full`: the variable that leads to it, what it is, and the tests that need it.
const LONG: [(&str, &tools::Fetched, &[&str]); 4] = [
    ("FFE_FLYWAY", &tools::FLYWAY, &["flyway"]),
    ("FFE_LIQUIBASE", &tools::LIQUIBASE, &["liquibase"]),
    ("FFE_PRISMA", &tools::PRISMA, &["prisma"]),
    ("FFE_AZURITE", &tools::AZURITE, &["azure_blob_storage"]),
];

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
            let reference = workspace.build_beside("ffe-reference", &["--tests"])?;
            process::run(Command::new(reference).arg(&workspace.root).arg("--check").current_dir(&workspace.root))
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
            self.build(args.full, Workspace::build_cases);
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

    /// The provider as it is published costs minutes more than the one that comes with the tests.
    fn build(&mut self, published: bool, with_tests: impl FnOnce(&Workspace) -> Result<PathBuf>) {
        let workspace = self.workspace;
        let mut built = None;
        if published {
            self.report.step("the provider, as it is published", |_| {
                built = Some(build::provider(workspace)?);
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

    /// Unit and in-process tests of every crate. Those that compare with a real Helm, Alembic or PostgreSQL or look at a real
    /// cluster do so: what they need and do not find is a failure.
    fn unit_tests(&mut self, full: bool) {
        let (workspace, cluster) = (self.workspace, self.cluster);
        self.report.step("unit and in-process tests", |all| {
            workspace.testbed.install(&COMPARED_WITH, &ToStderr)?;
            let nextest = tools::NEXTEST.program(workspace)?;
            // All but the acceptance cases, compiled as they are.
            let mut command = tools::subcommand(workspace, &nextest, "nextest");
            command.args(["run", "--locked", "--workspace", "-E", "not binary_id(acceptance::acceptance)"]);
            command.env_remove(ffe_surroundings::LEFT_OUT).env_remove("FFE_WRITE_DOCS");
            let programs = [
                ("FFE_HELM3", "helm3"),
                ("FFE_HELM4", "helm4"),
                ("FFE_MIGRATE", "migrate"),
                ("FFE_TEST_REGISTRY", "registry"),
            ];
            command.env("FFE_DJANGO", tools::DJANGO.folder(workspace)?);
            command.env("FFE_GCS", tools::GCS.folder(workspace)?);
            if full {
                for (variable, tool, _) in LONG {
                    command.env(variable, tool.folder(workspace)?);
                }
            } else {
                command.env(ffe_surroundings::LEFT_OUT, LONG.map(|(variable, ..)| variable).join(","));
            }
            for (variable, name) in programs {
                let binary = workspace.testbed.binary(name);
                command.envs(binary.exists().then_some((variable, binary)));
            }
            if cluster {
                // What is not found now is not for want of a cluster.
                command
                    .env(ffe_surroundings::REQUIRE, "1")
                    .env("FFE_TEST_KUBECONFIG", workspace.testbed.kubeconfig())
                    .env("FFE_DATABASE_IMAGE", POSTGRES_IMAGE)
                    .envs(workspace.testbed.tls_environment());
            }
            let mut ignored = nextest::run(&mut command, all)?;
            if !full {
                let long: Vec<&str> = LONG.iter().flat_map(|(_, _, tests)| tests.iter().copied()).collect();
                ignored.retain(|name| !long.contains(&name.as_str()));
                tell::note(format!("left to --full: {}", long.join(", ")));
            }
            ensure!(ignored.is_empty(), "ignored, and nothing may be: {}", ignored.join(", "));
            Ok(())
        });
        self.report.step("examples in the documentation of the code", |all| {
            let mut command =
                workspace.cargo(&["test", "--doc", "--workspace", "--exclude", "acceptance", "--no-fail-fast"]);
            count(&mut command, all, |_| {})
        });
    }

    /// Licences, bans and sources of dependencies; the advisories need the network and are asked elsewhere.
    fn dependencies(&mut self) {
        let workspace = self.workspace;
        self.report.step("licences and sources of dependencies", |_| {
            let deny = tools::DENY.program(workspace)?;
            // It looks at the dependencies of every platform; what builds here has fetched those of this one.
            process::run(&mut workspace.cargo(&["fetch"]))?;
            let mut command = Command::new(deny);
            command.current_dir(&workspace.root).args([
                "--locked",
                "--offline",
                "check",
                "bans",
                "licenses",
                "sources",
            ]);
            process::run(&mut command)
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
            workspace.testbed.install(&COMPARED_WITH, &ToStderr)?;
            let mut command = Command::new("/usr/bin/python3");
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
                self.report.step(name, |all| {
                    workspace.testbed.install(&CALLED_BY_CASES, &ToStderr)?;
                    acceptance::run(workspace, &provider, args.full, selection, all, &mut cases)
                });
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
    ensure!(all.passed + all.failed > 0, "no test ran");
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
