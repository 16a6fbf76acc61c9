//! Where one case plays: a folder with a configuration, a namespace name of its own, and terraform.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use ffe_surroundings::terraform;
use serde_json::Value as Json;

use crate::command::{Output, program, run};
use crate::kube::Kube;
use crate::limit;
use crate::surroundings::Surroundings;

/// One case's place.
pub struct Stage {
    /// The tools.
    pub surroundings: Arc<Surroundings>,
    /// The cluster.
    pub kube: Kube,
    /// The folder that terraform runs in.
    pub folder: PathBuf,
    /// A name that no other case has: for namespaces (`<name>`, or names that begin with `<name>-`).
    pub name: String,
    kept: tempfile::TempDir,
    environment: Vec<(String, String)>,
    last: Vec<String>,
    /// Held until the case is over, and what it left is removed.
    pub(crate) turn: Option<std::fs::File>,
}

impl Stage {
    /// An empty folder for the case.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(case: &str, surroundings: Arc<Surroundings>) -> Result<Stage> {
        let kept = tempfile::Builder::new().prefix("ffe-case-").tempdir()?;
        let folder = kept.path().join("main");
        std::fs::create_dir(&folder)?;
        std::fs::write(kept.path().join("terraform.rc"), terraform::configuration(&[(&surroundings.mirror, None)]))?;
        let short: String = case.rsplit("::").next().unwrap_or(case).replace('_', "-").chars().take(30).collect();
        let unique = kept.path().file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let unique = unique.trim_start_matches("ffe-case-").replace(|c: char| !c.is_ascii_alphanumeric(), "x");
        Ok(Stage {
            kube: Kube::new(&surroundings.kubectl, &surroundings.kubeconfig, &surroundings.home),
            name: format!("t-{}-{unique}", short.trim_end_matches('-')),
            folder,
            kept,
            environment: Vec::new(),
            last: Vec::new(),
            turn: None,
            surroundings,
        })
    }

    /// A folder beside `main`, for charts and files of the case.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn side(&self, name: &str) -> Result<PathBuf> {
        let path = self.kept.path().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// Writes the configuration: the provider's block for the testbed with Helm 4, and `body`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, body: &str) -> Result<()> {
        let kubeconfig = self.surroundings.kubeconfig.display().to_string();
        let helm = self.surroundings.helm4.display().to_string();
        self.configure_with(&format!(
            "provider \"ffe\" {{\n  kubernetes = {{ config_path = \"{kubeconfig}\" }}\n  helm = {{ binary = \"{helm}\" }}\n}}\n\n{body}"
        ))
    }

    /// Writes the configuration with a provider block of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure_with(&self, body: &str) -> Result<()> {
        let head = "terraform {\n  required_providers {\n    ffe = { source = \"three-rivers-tech/ffe\" }\n  }\n}\n\n";
        std::fs::write(self.folder.join("main.tf"), format!("{head}{body}"))?;
        Ok(())
    }

    /// Sets an environment variable for every terraform from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Takes an environment variable back.
    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// For a case that kills somebody: the next run waits until the lease of the dead one has expired. Not shorter: a machine
    /// that is slow for a moment would lose a lease that is held.
    pub fn shorten_leases(&mut self) {
        self.set("FFE_LEASE_DURATION", "6s");
    }

    /// A terraform command in the folder, not run yet. Nothing of the user's own configuration reaches it.
    pub fn terraform_command(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.surroundings.terraform);
        command
            .current_dir(&self.folder)
            .args(arguments)
            .env("HOME", self.kept.path())
            .env("TF_CLI_CONFIG_FILE", self.kept.path().join("terraform.rc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("FFE_DATABASE_IMAGE", "ffe-postgres:15")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs terraform; `init` is run first where it has not been.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn terraform(&mut self, arguments: &[&str]) -> Result<Output> {
        if arguments.first() != Some(&"init") && !self.folder.join(".terraform").exists() {
            self.terraform(&["init", "-no-color", "-input=false"])?.ok().context("terraform init")?;
        }
        let output = run(&mut self.terraform_command(arguments))?;
        limit::told(format!("$ terraform {}\n{}", arguments.join(" "), output.text()));
        Ok(output)
    }

    /// Starts terraform and does not wait. Its output goes to files in the case's folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&mut self, arguments: &[&str]) -> Result<Child> {
        if !self.folder.join(".terraform").exists() {
            self.terraform(&["init", "-no-color", "-input=false"])?.ok().context("terraform init")?;
        }
        limit::check()?;
        let log = std::fs::File::create(self.kept.path().join("started.log"))?;
        limit::logs_to(self.kept.path().join("started.log"));
        let mut command = self.terraform_command(arguments);
        Ok(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?)
    }

    /// What the terraform that was started has said so far.
    pub fn started_log(&self) -> String {
        std::fs::read_to_string(self.kept.path().join("started.log")).unwrap_or_default()
    }

    /// `terraform apply`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn apply(&mut self) -> Result<Output> {
        self.terraform(&["apply", "-auto-approve", "-no-color", "-input=false"])
    }

    /// `terraform apply`, ended when it takes longer than a case can.
    ///
    /// # Errors
    /// When it cannot be started, or takes longer.
    pub fn apply_for(&mut self, bound: Duration) -> Result<Output> {
        let mut child = self.start(&["apply", "-auto-approve", "-no-color", "-input=false"])?;
        let started = Instant::now();
        let _doing = limit::doing("terraform apply");
        loop {
            if let Some(status) = child.try_wait()? {
                let output =
                    Output { code: status.code().unwrap_or(-1), stdout: self.started_log(), stderr: String::new() };
                limit::told(format!("$ terraform apply\n{}", output.text()));
                return Ok(output);
            }
            if started.elapsed() > bound {
                child.kill()?;
                child.wait()?;
                bail!("terraform apply has not ended within {} s:\n{}", bound.as_secs(), self.started_log());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// `terraform destroy`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn destroy(&mut self) -> Result<Output> {
        self.terraform(&["destroy", "-auto-approve", "-no-color", "-input=false"])
    }

    /// `terraform plan`, saved; the plan as JSON.
    ///
    /// # Errors
    /// When it fails.
    pub fn plan(&mut self) -> Result<Json> {
        self.terraform(&["plan", "-no-color", "-input=false", "-out=saved.tfplan"])?.ok()?;
        let shown = run(&mut self.terraform_command(&["show", "-json", "saved.tfplan"]))?.ok()?;
        Ok(serde_json::from_str(&shown.stdout)?)
    }

    /// The plan's actions by address, without those that do nothing: `("ffe_release.backend", "update")`.
    ///
    /// # Errors
    /// When planning fails.
    pub fn planned_actions(&mut self) -> Result<Vec<(String, String)>> {
        let plan = self.plan()?;
        let changes = plan["resource_changes"].as_array().cloned().unwrap_or_default();
        Ok(changes
            .iter()
            .map(|change| {
                let actions: Vec<&str> =
                    change["change"]["actions"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
                (change["address"].as_str().unwrap_or_default().to_owned(), actions.join("/"))
            })
            .filter(|(_, actions)| actions != "no-op")
            .collect())
    }

    /// Asserts that a plan does nothing.
    ///
    /// # Errors
    /// When it does something, with what.
    pub fn expect_empty_plan(&mut self) -> Result<()> {
        let output = self.terraform(&["plan", "-detailed-exitcode", "-no-color", "-input=false"])?;
        ensure!(output.code == 0, "the plan is not empty (exit code {}):\n{}", output.code, output.text());
        Ok(())
    }

    /// The attributes of one resource in state; `None` when it is not there.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn state(&mut self, address: &str) -> Result<Option<Json>> {
        let shown = run(&mut self.terraform_command(&["show", "-json"]))?.ok()?;
        let shown: Json = serde_json::from_str(&shown.stdout)?;
        let resources = shown["values"]["root_module"]["resources"].as_array().cloned().unwrap_or_default();
        Ok(resources
            .into_iter()
            .find(|resource| resource["address"] == address)
            .map(|resource| resource["values"].clone()))
    }

    /// The attributes of one resource in state.
    ///
    /// # Errors
    /// When it is not there.
    pub fn expect_state(&mut self, address: &str) -> Result<Json> {
        self.state(address)?.with_context(|| format!("{address} is not in state"))
    }

    /// Forgets the state and everything terraform keeps beside it: a fresh checkout.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn forget_state(&self) -> Result<()> {
        for name in ["terraform.tfstate", "terraform.tfstate.backup"] {
            let path = self.folder.join(name);
            if path.exists() {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Runs helm (4) on the cluster.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn helm(&self, arguments: &[&str]) -> Result<Output> {
        self.helm_at(&self.surroundings.helm4, arguments)
    }

    /// Runs a helm on the cluster.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn helm_at(&self, helm: &Path, arguments: &[&str]) -> Result<Output> {
        let mut command = program(helm);
        command.env("KUBECONFIG", &self.surroundings.kubeconfig).env("HOME", self.kept.path()).args(arguments);
        run(&mut command)
    }

    /// Runs a command as a user would type it, with kubectl on the path.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn shell(&self, command: &str) -> Result<Output> {
        let mut shell = program("bash");
        let folder = self.surroundings.kubectl.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        shell
            .args(["-eo", "pipefail", "-c", command])
            .env("KUBECONFIG", &self.surroundings.kubeconfig)
            .env("HOME", &self.surroundings.home)
            .env("PATH", format!("{folder}:{}", std::env::var("PATH")?));
        run(&mut shell)
    }

    /// Helm's records in the case's namespace that have a status, such as `pending-install`; all of them for an empty text.
    ///
    /// # Errors
    /// When kubectl fails.
    pub fn helm_records(&self, status: &str) -> Result<Vec<String>> {
        let selector = if status.is_empty() { "owner=helm".to_owned() } else { format!("owner=helm,status={status}") };
        let found = self.kube.run(&["get", "secrets", "-n", &self.name, "-l", &selector, "-o", "name"])?.ok()?;
        Ok(found.stdout.lines().map(str::to_owned).collect())
    }

    /// The sample chart.
    pub fn chart(&self) -> PathBuf {
        self.surroundings.root.join("examples/ffe-backend/chart")
    }

    /// A command for when the case is over, also when it fails: for what does not go with its namespaces.
    pub fn afterwards(&mut self, command: &str) {
        self.last.push(command.to_owned());
    }

    /// Removes what the case left in the cluster, and its folder with this value; or says where both are kept.
    pub fn clean_up(&mut self, keep: bool) {
        if keep {
            self.kept.disable_cleanup(true);
            eprintln!("kept: {} and namespaces {}*", self.kept.path().display(), self.name);
            return;
        }
        for command in &self.last {
            let _done = self.shell(command);
        }
        let names = self.kube.run(&["get", "namespaces", "-o", "name"]).map(|output| output.stdout).unwrap_or_default();
        let prefix = format!("namespace/{}", self.name);
        for name in names.lines().filter(|name| name.starts_with(&prefix)) {
            let _removed = self.kube.run(&["delete", name, "--wait=false"]);
        }
        let hooks = ["delete", "validatingwebhookconfiguration", &self.name, "--ignore-not-found"];
        let _removed = self.kube.run(&hooks);
    }
}
