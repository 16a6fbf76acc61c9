//! `terraform-provider-ffe status` and `watch`: what goes on with releases, while an apply says nothing but "Still creating…".

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ffe_cluster::{Cluster, Environment, KubernetesSettings};
use ffe_helm::binary::Driver;
use ffe_helm::records::Records;
use ffe_release::status::{Status, look, names};
use jiff::Timestamp;

use super::refuse;

/// Say what goes on with the releases of a namespace, or with one: the run and its phases, Helm's revision, and each workload with what
/// keeps it from being ready. Changes nothing.
///
/// Exits with 0 where everything is ready, 1 where something is not or could not be looked at, and 2 where the cluster does not answer or there is no such release.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    what: What,
    /// JSON for machines, on standard output: a list of releases.
    #[arg(long)]
    json: bool,
}

/// Look on at a release while Terraform works on it in another terminal, until its run has ended. Where none is going on it waits for one.
///
/// Exits with 0 where the run has succeeded, 1 where it has ended otherwise, and 2 where the cluster does not answer.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    what: What,
    /// JSON for machines, on standard output: a line for each change.
    #[arg(long)]
    json: bool,
    /// How often to look, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
}

#[derive(Debug, clap::Args)]
struct What {
    /// NAMESPACE or NAMESPACE/RELEASE.
    #[arg(value_name = "NAMESPACE[/RELEASE]")]
    release: String,
    /// The kubeconfig file; otherwise KUBE_CONFIG_PATH, KUBECONFIG, and the usual file.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in it; otherwise KUBE_CTX, and the current one.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Where Helm keeps its records: secret or configmap; otherwise HELM_DRIVER.
    #[arg(long, value_name = "DRIVER")]
    helm_driver: Option<String>,
}

pub(crate) fn status(args: &StatusArgs) -> ExitCode {
    run(async {
        let place = Place::of(&args.what)?;
        let found = place.look().await?;
        if found.is_empty() {
            return Err(place.nothing());
        }
        tell(&found, args.json)?;
        let well = found.iter().all(|it| it.unknown.is_empty() && it.objects.iter().all(|it| it.ready == Some(true)));
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

pub(crate) fn watch(args: &WatchArgs) -> ExitCode {
    run(async {
        let place = Place::of(&args.what)?;
        let mut told: Option<Vec<Status>> = None;
        // Runs that were seen while they went on: what they come to is the answer.
        let mut seen: Vec<(String, String)> = Vec::new();
        let is_screen = io::stdout().is_terminal() && !args.json;
        loop {
            let found = place.look().await?;
            // A screen counts the seconds; elsewhere only what has changed is told.
            if is_screen {
                clear()?;
                tell(&found, false)?;
            } else if told.as_ref() != Some(&found) {
                tell_change(&found, args.json)?;
            }
            for one in found.iter().filter(|it| it.is_running()) {
                let run = one.run.as_ref().map(|run| run.id.clone()).unwrap_or_default();
                let key = (one.name.clone(), run);
                if !seen.contains(&key) {
                    seen.push(key);
                }
            }
            if told.is_none() && seen.is_empty() {
                let waits = writeln!(io::stderr(), "no run is going on: waiting for one (Ctrl-C ends this)");
                waits.map_err(|error| error.to_string())?;
            }
            if !seen.is_empty() && !found.iter().any(Status::is_running) {
                let succeeded = seen.iter().all(|(name, id)| {
                    found.iter().any(|it| {
                        it.name == *name
                            && it.run.as_ref().is_some_and(|run| run.id != *id || run.outcome == "succeeded")
                    })
                });
                return Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
            told = Some(found);
            tokio::time::sleep(Duration::from_secs(args.interval)).await;
        }
    })
}

fn run(work: impl Future<Output = Result<ExitCode, String>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(|error| error.to_string()).and_then(|runtime| runtime.block_on(work));
    outcome.unwrap_or_else(refuse)
}

/// What is looked at, and by which way.
struct Place {
    cluster: Cluster,
    records: Records,
    namespace: String,
    release: Option<String>,
}

impl Place {
    fn of(what: &What) -> Result<Place, String> {
        let (namespace, release) = match what.release.split_once('/') {
            None => (what.release.as_str(), None),
            Some((namespace, release)) => (namespace, Some(release)),
        };
        if namespace.is_empty() || release.is_some_and(|it| it.is_empty() || it.contains('/')) {
            return Err(format!("{:?} is neither NAMESPACE nor NAMESPACE/RELEASE", what.release));
        }
        let settings = KubernetesSettings {
            config_path: what.kubeconfig.as_ref().map(|path| path.display().to_string()),
            config_context: what.context.clone(),
            ..KubernetesSettings::default()
        };
        let environment = Environment::process();
        let cluster = Cluster::connect(&settings, &environment).map_err(|error| error.to_string())?;
        let driver = what.helm_driver.clone().or_else(|| environment.var("HELM_DRIVER")).unwrap_or_default();
        let driver: Driver = driver.parse().map_err(|error: ffe_helm::Error| error.to_string())?;
        let records = Records::new(cluster.clone(), driver);
        Ok(Place { cluster, records, namespace: namespace.to_owned(), release: release.map(str::to_owned) })
    }

    async fn look(&self) -> Result<Vec<Status>, String> {
        let names = match &self.release {
            Some(name) => [name.clone()].into(),
            None => names(&self.cluster, &self.records, &self.namespace).await.map_err(|error| error.to_string())?,
        };
        let mut found = Vec::new();
        for name in names {
            let status = look(&self.cluster, &self.records, &self.namespace, &name).await;
            found.extend(status.map_err(|error| error.to_string())?);
        }
        Ok(found)
    }

    fn nothing(&self) -> String {
        let what = self
            .release
            .as_ref()
            .map_or("no release in the namespace".to_owned(), |it| format!("no release {it} in the namespace"));
        format!(
            "there is {what} {} of {}, where Helm's records are looked for as {}s; helm list -A shows what is there",
            self.namespace,
            self.cluster.server(),
            self.records.driver().as_str()
        )
    }
}

fn tell(found: &[Status], json: bool) -> Result<(), String> {
    let mut out = io::stdout().lock();
    let written = if json {
        serde_json::to_writer_pretty(&mut out, found).map_err(io::Error::from).and_then(|()| writeln!(out))
    } else {
        let now = Timestamp::now();
        found.iter().try_for_each(|status| out.write_all(status.text(now).as_bytes()))
    };
    written.and_then(|()| out.flush()).map_err(|error| error.to_string())
}

fn tell_change(found: &[Status], json: bool) -> Result<(), String> {
    if !json {
        return tell(found, false);
    }
    let mut out = io::stdout().lock();
    let written = serde_json::to_writer(&mut out, found).map_err(io::Error::from).and_then(|()| writeln!(out));
    written.and_then(|()| out.flush()).map_err(|error| error.to_string())
}

/// The screen, from its first line on.
fn clear() -> Result<(), String> {
    let mut out = io::stdout().lock();
    out.write_all(b"\x1b[2J\x1b[H").map_err(|error| error.to_string())
}
