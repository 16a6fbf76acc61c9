//! `cargo xtask demo`: what a newcomer watches. The example `examples/terraform/single-node`, applied by the real
//! terraform to a real Kubernetes.

mod https;
mod place;
mod plan;
mod result;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use ffe_testbed::{InUse, POSTGRES_IMAGE, Part, ToStderr};
use https::Https;
use place::{Chosen, Place};

use crate::kubectl::Kubectl;
use crate::terraform::{self, Terraform};
use crate::workspace::{self, Workspace};
use crate::{process, tell};

/// Bring up the example on a real Kubernetes with one `terraform apply`, and show what it answers.
///
/// Without options it builds and starts the testbed on this machine (as root on Debian). A second run finds that
/// nothing is to be done.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove what the demo made. The testbed goes on running.
    #[arg(long)]
    destroy: bool,
    /// Use the cluster of this kubeconfig instead of the testbed.
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,
    /// The application's image on that cluster, with its tag. Default: that of the last run there.
    #[arg(long, value_name = "NAME:TAG", requires = "kubeconfig")]
    image: Option<String>,
    /// The host name of the application on that cluster, for HTTPS; what else that needs is said by `TF_VAR_…`, as the example's
    /// README tells. Default: that of the last run there, else there is none.
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    host: Option<String>,
    /// The image of PostgreSQL on that cluster. Default: that of the last run there, else the official one.
    #[arg(long, value_name = "NAME:TAG", requires = "kubeconfig")]
    database_image: Option<String>,
}

pub(crate) fn go(args: &Args) -> Result<ExitCode> {
    let began = Instant::now();
    let workspace = Workspace::locate()?;
    let (_, version) = terraform::find()?;
    let other = args
        .kubeconfig
        .as_ref()
        .map(|path| path.canonicalize().with_context(|| format!("there is no kubeconfig {}", path.display())));
    let other = other.transpose()?;
    // Nobody stops the testbed under the demo, and it runs on afterwards.
    let in_use = if other.is_none() { Some(workspace.testbed.in_use()?) } else { None };
    in_use.iter().try_for_each(InUse::leave_running)?;
    let place = Place::prepare(&workspace, other.as_deref())?;
    let chosen = place.chosen(Chosen {
        image: args.image.clone(),
        database_image: args.database_image.clone(),
        host: args.host.clone(),
    })?;
    let image = chosen.image.as_deref().map(name_and_tag).transpose()?;
    if other.is_some() && image.is_none() {
        bail!("which image is the application's on that cluster? Say it with --image NAME:TAG");
    }

    plan::tell(&workspace, args)?;
    if other.is_none() {
        tell::headline("The testbed is built");
        workspace.testbed.ensure(&plan::PARTS.concat(), &ToStderr)?;
    }
    // Before the cluster starts, which would take its share of the processors from the compiler.
    tell::headline("The provider");
    let provider = workspace.build_for_demo()?;
    let (kubeconfig, kubectl) = match &other {
        None => {
            tell::headline("The testbed: a Kubernetes of one node on this machine");
            workspace.testbed.up(&plan::PARTS.concat(), &ToStderr)?;
            (workspace.testbed.kubeconfig(), Some(workspace.testbed.binary("kubectl")))
        }
        Some(path) => (path.clone(), workspace::in_path("kubectl")),
    };
    let kubectl = kubectl.map(|program| Kubectl::new(program, &kubeconfig));
    if let (None, Some(kubectl)) = (&args.kubeconfig, &kubectl) {
        place.forget_other_cluster(&kubectl.cluster_identity()?)?;
    }
    let terraform = Terraform::with_mirror(place.folder(), &provider)?;
    let helm = helm(&workspace, args)?;
    let key = place.api_key()?;
    let https = if other.is_none() { Some(Https::of(&workspace)?) } else { None };
    let run = |arguments: &[&str]| -> Command {
        let mut command = terraform.watched(&place.configuration(), arguments, other.is_some());
        command
            .env("TF_VAR_kubeconfig", &kubeconfig)
            .env("TF_VAR_chart", workspace.chart())
            .env("TF_VAR_api_key", &key)
            .envs(helm.iter().map(|helm| ("TF_VAR_helm_binary", helm)));
        if let Some((name, tag)) = &image {
            command.env("TF_VAR_image", name).env("TF_VAR_image_tag", tag);
        }
        match &https {
            Some(https) => command.env("FFE_DATABASE_IMAGE", POSTGRES_IMAGE).envs(https.variables()),
            None => command
                .envs(chosen.database_image.iter().map(|image| ("TF_VAR_database_image", image)))
                .envs(chosen.host.iter().map(|host| ("TF_VAR_host", host))),
        };
        command
    };

    // An interrupt reaches terraform too, which then ends in order; this process waits for it.
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::new(AtomicBool::new(false)))?;
    tell::headline(format!("terraform init   (terraform {version}, in {})", place.configuration().display()));
    terraform.init(&place.configuration())?;

    // Terraform writes colours into files too.
    let plain = (!std::io::stdout().is_terminal()).then_some("-no-color");

    if args.destroy {
        tell::headline("terraform destroy");
        process::run(run(&["destroy", "-auto-approve"]).args(plain))?;
        if args.kubeconfig.is_none() {
            tell::note("\nThe testbed goes on running; `cargo xtask testbed down` stops it.");
        }
        return Ok(ExitCode::SUCCESS);
    }
    tell::headline("terraform apply");
    process::run(run(&["apply", "-auto-approve"]).args(plain))?;
    let outputs = process::output(&mut run(&["output", "-json"]))?;
    result::show(&outputs, kubectl.as_ref(), &key, https.as_ref())?;
    tell::note(format!(
        "\nDone in {}. To remove it: cargo xtask demo --destroy{}",
        tell::time(began.elapsed()),
        again(args)
    ));
    Ok(ExitCode::SUCCESS)
}

/// The option that a later call must repeat.
fn again(args: &Args) -> String {
    args.kubeconfig.as_ref().map(|kubeconfig| format!(" --kubeconfig {}", kubeconfig.display())).unwrap_or_default()
}

/// The helm for the provider: the testbed's, or the user's own with the user's own cluster. `None` where the provider
/// finds one by itself.
fn helm(workspace: &Workspace, args: &Args) -> Result<Option<PathBuf>> {
    if std::env::var_os("FFE_HELM_BINARY").is_some()
        || (args.kubeconfig.is_some() && workspace::in_path("helm").is_some())
    {
        return Ok(None);
    }
    workspace.testbed.ensure(&[Part::Helm4], &ToStderr)?;
    Ok(Some(workspace.testbed.binary("helm4")))
}

/// `registry:5000/name:tag` as name and tag.
fn name_and_tag(image: &str) -> Result<(String, String)> {
    match image.rsplit_once(':') {
        Some((name, tag)) if !name.is_empty() && !tag.is_empty() && !tag.contains('/') && !image.contains('@') => {
            Ok((name.to_owned(), tag.to_owned()))
        }
        _ => bail!("--image {image}: expected a name and a tag, such as registry.example.com/ffe-backend:1.0.0"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_image_is_a_name_and_a_tag() {
        let split = |image| name_and_tag(image).ok();
        let both = |name: &str, tag: &str| Some((name.to_owned(), tag.to_owned()));
        assert_eq!(split("ffe-backend:1.0.0"), both("ffe-backend", "1.0.0"));
        assert_eq!(split("registry:5000/ffe-backend:1.0.0"), both("registry:5000/ffe-backend", "1.0.0"));
        assert_eq!(split("registry:5000/ffe-backend"), None);
        assert_eq!(split("ffe-backend"), None);
        assert_eq!(split("ffe-backend:"), None);
    }
}
