//! DNS records, at a stand-in for Cloudflare's API that is written from its public contract.

use anyhow::{Context as _, Result, ensure};
use ffe_cloudflare::Record;
use ffe_cloudflare::standin::StandIn;

use crate::tls::{Endpoint, backend, expect_gone, host, surroundings};
use crate::{Stage, processes};

/// The configuration: the provider with the stand-in, and the endpoint.
pub(crate) fn configure(stage: &Stage, base_url: &str, kubeconfig: &str, endpoint: &str) -> Result<()> {
    stage.configure_with(&format!(
        r#"
variable "token" {{
  ephemeral = true
}}

provider "ffe" {{
  kubernetes = {{ config_path = "{kubeconfig}" }}
  cloudflare = {{
    api_token = var.token
    base_url  = "{base_url}"
  }}
}}
{endpoint}"#
    ))
}

struct Zone {
    standin: StandIn,
    id: String,
}

impl Zone {
    /// The records of a host.
    fn of(&self, host: &str) -> Vec<Record> {
        self.standin.records(&self.id).into_iter().filter(|record| record.name == host).collect()
    }

    /// The one record of a host.
    fn one(&self, host: &str) -> Result<Record> {
        let found = self.of(host);
        ensure!(found.len() == 1, "{host}: {found:?}");
        found.into_iter().next().context("no record")
    }
}

pub(super) fn records(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, taken) = (host(stage, "web")?, host(stage, "taken")?);
    let tls = surroundings(stage)?;
    let standin = StandIn::start()?;
    let zone = Zone { id: standin.seed_zone(&tls.zone), standin };
    zone.standin.seed_record(&zone.id, &taken, "A", "203.0.113.9", Some("the old machine")).context("no zone")?;
    let trace = stage.side("logs")?.join("trace.log");
    stage.set("TF_LOG", "TRACE");
    stage.set("TF_LOG_PATH", trace.display().to_string());
    stage.set("TF_VAR_token", zone.standin.token());

    let kubeconfig = stage.surroundings.kubeconfig.display().to_string();
    let write = |stage: &Stage, hosts: &[&str], dns: &str| {
        let endpoint = Endpoint::new(stage, "web", hosts)?.issuer("self_signed = {}").more(dns);
        configure(stage, &zone.standin.base_url(), &kubeconfig, &endpoint.hcl(stage)?)
    };
    write(stage, &[&web], "dns = {}")?;
    let mut terraform = stage.start(&["apply", "-auto-approve", "-no-color", "-input=false"])?;
    while terraform.try_wait()?.is_none() {
        for process in processes::descendants(terraform.id()) {
            ensure!(!process.arguments.contains(zone.standin.token()), "the token is an argument of a process");
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    ensure!(terraform.wait()?.success(), "the apply failed:\n{}", stage.started_log());
    let record = zone.one(&web)?;
    ensure!(record.kind.to_string() == "A" && record.content == tls.node_ip, "{record:?}");
    let owner = format!("{}/web", stage.name);
    ensure!(record.comment.as_deref().is_some_and(|comment| comment.contains(&owner)), "{record:?}");
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    ensure!(state["dns_records"][&web] == record.id.as_str(), "{state:#}");
    stage.expect_empty_plan()?;
    let written = zone.standin.received().iter().filter(|one| one.method != "GET").count();
    ensure!(written == 1, "{written} writes");

    // Changed by hand: the plan shows it, the apply puts it back, in place.
    let url = format!("{}/zones/{}/dns_records/{}", zone.standin.base_url(), zone.id, record.id);
    let token = format!("Authorization: Bearer {}", zone.standin.token());
    let change = ["--fail", "--silent", "--show-error", "--noproxy", "*", "-X", "PATCH", "-H", &token];
    let mut curl = crate::program("curl");
    curl.args(change).args(["-H", "Content-Type: application/json", "-d", "{\"content\": \"203.0.113.77\"}", &url]);
    crate::run(&mut curl)?.ok()?;
    ensure!(zone.one(&web)?.content == "203.0.113.77", "{:?}", zone.one(&web)?);
    ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.web".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    ensure!(zone.one(&web)? == record, "{:?}", zone.one(&web)?);
    stage.expect_empty_plan()?;

    // A record of somebody else is never overwritten by itself.
    let theirs = zone.one(&taken)?;
    write(stage, &[&web, &taken], "dns = {}")?;
    stage.apply()?.failed_with(&[&taken, "203.0.113.9", "adopt = true"])?;
    ensure!(zone.one(&taken)? == theirs, "{:?}", zone.one(&taken)?);
    write(stage, &[&web, &taken], "dns = { adopt = true }")?;
    stage.apply()?.ok()?;
    let adopted = zone.one(&taken)?;
    ensure!(adopted.id == theirs.id && adopted.content == tls.node_ip, "{adopted:?}");
    stage.expect_empty_plan()?;
    ensure!(zone.of(&web).len() == 1, "{:?}", zone.of(&web));

    stage.destroy()?.ok()?;
    ensure!(zone.of(&web).is_empty(), "our record stays: {:?}", zone.of(&web));
    let left = zone.one(&taken)?;
    ensure!(left.id == theirs.id && left.comment == theirs.comment, "{left:?}");
    expect_gone(stage, &["web-tls"])?;

    // The token is nowhere.
    for entry in std::fs::read_dir(&stage.folder)? {
        let path = entry?.path();
        if path.is_file() {
            let text = std::fs::read(&path)?;
            let found = String::from_utf8_lossy(&text).contains(zone.standin.token());
            ensure!(!found, "the token is in {}", path.display());
        }
    }
    let log = std::fs::read_to_string(&trace)?;
    ensure!(log.contains("step dns is done"), "the provider's own log is not in the trace");
    ensure!(!log.contains(zone.standin.token()), "the token is in the trace log");
    Ok(())
}
