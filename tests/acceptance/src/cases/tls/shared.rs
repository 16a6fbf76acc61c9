//! One issuer for many endpoints: a platform with twenty services, and the way from issuers of their own to a shared one.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ffe_cloudflare::standin::StandIn;
use serde_json::{Value as Json, json};

use crate::tls::{
    Endpoint, Ever, SOON, Visitor, acme, apply, backend, certificate_in, expect_gone, expect_served, host, objects,
    surroundings,
};
use crate::{Stage, turn};

/// Services of the platform.
const SERVICES: usize = 20;
/// cert-manager's, where the Secrets of ClusterIssuers are.
const HOME: &str = "cert-manager";
/// Looks that there must be during a change.
const LEAST: usize = 20;

/// What a ClusterIssuer of a case leaves is removed at its end.
fn afterwards(stage: &mut Stage, issuer: &str) {
    stage.afterwards(&format!("kubectl delete clusterissuer {issuer} --ignore-not-found"));
    stage.afterwards(&format!(
        "kubectl delete -n {HOME} secret {issuer}-credentials {issuer}-account --ignore-not-found"
    ));
}

/// An `ffe_issuer.shared` by ACME.
fn issuer(stage: &Stage, name: &str, more: &str) -> Result<String> {
    let tls = surroundings(stage)?;
    Ok(format!(
        r#"
resource "ffe_issuer" "shared" {{
  name = "{name}"
  acme = {{
    server    = "{}"
    ca_bundle = file("{}")
    solvers   = [{{ http01 = {{ ingress_class = "traefik" }} }}]
  }}
  {more}
}}
"#,
        tls.directory,
        tls.authority.display()
    ))
}

/// The example with many services, as users copy it: one apply, one account, one list of zones.
pub(in crate::cases) fn twenty(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    turn::share(stage)?;
    let tls = surroundings(stage)?;
    let name = format!("{}-le", stage.name);
    afterwards(stage, &name);
    let example = stage.surroundings.root.join("examples/terraform/many-services/main.tf");
    std::fs::copy(example, stage.folder.join("main.tf"))?;
    stage.terraform(&["fmt", "-check", "-diff"])?.ok()?;
    let standin = StandIn::start()?;
    let zone = standin.seed_zone(tls.zone.trim_end_matches('.'));
    let mut services = serde_json::Map::new();
    for index in 0..SERVICES {
        let service = json!({ "namespace": stage.name, "host": host(stage, &format!("s{index}"))?, "service": "web", "path": "/health" });
        services.insert(format!("s{index}"), service);
    }
    let acme = json!({ "server": tls.directory, "ca_bundle": std::fs::read_to_string(&tls.authority)? });
    stage.set("KUBE_CONFIG_PATH", stage.surroundings.kubeconfig.display().to_string());
    stage.set("CLOUDFLARE_API_TOKEN", standin.token());
    stage.set("CLOUDFLARE_BASE_URL", standin.base_url());
    stage.set("TF_VAR_issuer", name.clone());
    stage.set("TF_VAR_acme", acme.to_string());
    stage.set("TF_VAR_services", Json::Object(services).to_string());
    stage.set("TF_VAR_dns_zone", tls.zone.trim_end_matches('.'));
    stage.set("TF_VAR_resolve_to", tls.node_ip.to_string());
    stage.set("TF_VAR_trusted_roots", std::fs::read_to_string(&tls.roots)?);
    let mut orders = Ever::of(stage, "orders.acme.cert-manager.io")?;
    stage.apply_for(Duration::from_secs(540))?.ok()?;

    let outputs = stage.terraform(&["output", "-json"])?.ok()?;
    let outputs: Json = serde_json::from_str(&outputs.stdout)?;
    let urls = outputs["urls"]["value"].as_object().context("no urls")?;
    ensure!(urls.len() == SERVICES, "{urls:#?}");
    expect_served(stage, &host(stage, "s7")?)?;
    let made = orders.seen("")?;
    ensure!(made.len() == SERVICES, "{} orders: {made:?}", made.len());

    // One account: one key, and no issuer in the namespaces.
    let account = outputs["account"]["value"].as_str().unwrap_or_default();
    let live = stage.kube.get(&["clusterissuer", &name])?.context("no ClusterIssuer")?;
    ensure!(live["status"]["acme"]["uri"] == account && !account.is_empty(), "{account}: {live:#}");
    ensure!(objects(stage, "issuers")?.is_empty(), "{:?}", objects(stage, "issuers"));
    let accounts: Vec<String> =
        stage.kube.names(&stage.name, "secrets")?.into_iter().filter(|one| one.contains("account")).collect();
    ensure!(accounts.is_empty(), "{accounts:?}");

    // terraform asks a provider for the plan and another one for the apply: each asks for the zones once.
    let zones = || standin.received().iter().filter(|one| one.path.starts_with("/zones?")).count();
    let written = || standin.received().iter().filter(|one| one.method != "GET").count();
    crate::limit::told(format!(
        "{} requests to Cloudflare for {SERVICES} services, {} of them for zones",
        standin.received().len(),
        zones()
    ));
    ensure!(zones() == 2, "{} requests for zones", zones());
    ensure!(written() == SERVICES && standin.records(&zone).len() == SERVICES, "{} writes", written());
    let before = zones();
    stage.expect_empty_plan()?;
    ensure!(zones() <= before + 2, "{} requests for zones in a plan", zones() - before);
    ensure!(written() == SERVICES, "a plan has written");
    ensure!(orders.seen("")?.len() == SERVICES, "{:?}", orders.seen(""));

    // All of it goes in the right order: the issuer last.
    stage.destroy()?.ok()?;
    ensure!(standin.records(&zone).is_empty(), "{:?}", standin.records(&zone));
    ensure!(stage.kube.get(&["clusterissuer", &name])?.is_none(), "the issuer is still there");
    let kept: Vec<String> = (0..SERVICES).map(|index| format!("s{index}-tls")).collect();
    let mut kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    kept.sort_unstable();
    expect_gone(stage, &kept)
}

/// From an issuer of the endpoint's own to a shared one: with the same name by an import, which orders nothing; with another name
/// by one order; and in both nobody is turned away.
pub(super) fn moved(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, namespace) = (host(stage, "web")?, stage.name.clone());
    let tls = surroundings(stage)?;
    let (own, other) = (format!("{namespace}-own"), format!("{namespace}-other"));
    for issuer in [&own, &other] {
        afterwards(stage, issuer);
    }
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    let owning = endpoint.clone().issuer(format!(
        "kind = \"ClusterIssuer\"\n    name = \"{own}\"\n    {}",
        acme(stage, &tls.directory, "http01 = {}")?
    ));
    let referring = endpoint.issuer("= ffe_issuer.shared.issuer_ref");
    let authorities = std::fs::read_to_string(&tls.roots)?;
    let mut orders = Ever::of(stage, "orders.acme.cert-manager.io")?;
    owning.configure(stage)?;
    stage.apply()?.ok()?;
    let account = |stage: &Stage, issuer: &str| -> Result<Json> {
        let live = stage.kube.get(&["clusterissuer", issuer])?.context("no ClusterIssuer")?;
        Ok(live["status"]["acme"]["uri"].clone())
    };
    let (before, ordered) = (account(stage, &own)?, orders.seen("")?.len());
    ensure!(ordered == 1, "{ordered} orders");

    // Another resource of that name is refused, and told how to have it.
    let both = format!("{}{}", issuer(stage, &own, "")?, referring.hcl(stage)?);
    stage.configure(&both)?;
    stage
        .apply()?
        .failed_with(&["belongs to ffe_tls_endpoint", &format!("terraform import ffe_issuer.<name> {own}")])?;

    // In one apply, with an import block: no order, the same account, no gap.
    let mut known = vec![certificate_in(stage, "web-tls")?];
    let visitor = Visitor::of(stage, &web, &authorities)?;
    stage.configure(&format!("import {{\n  to = ffe_issuer.shared\n  id = \"{own}\"\n}}\n{both}"))?;
    stage.apply()?.ok()?;
    visitor.end()?.expect_no_gap("the endpoint's own issuer is a shared one", LEAST, &known)?;
    stage.expect_empty_plan()?;
    ensure!(orders.seen("")?.len() == ordered, "{:?}", orders.seen(""));
    ensure!(account(stage, &own)? == before, "another account");
    ensure!(certificate_in(stage, "web-tls")? == known[0], "another certificate");

    // Another name: a replacement, which is refused while the endpoint uses the former one, unless it is made first.
    let renamed = |more: &str| anyhow::Ok(format!("{}{}", issuer(stage, &other, more)?, referring.hcl(stage)?));
    let (plain, first) = (renamed("")?, renamed("lifecycle { create_before_destroy = true }")?);
    stage.configure(&plain)?;
    stage.apply()?.failed_with(&[
        "is not destroyed",
        &format!("{namespace}/web-tls"),
        "create_before_destroy = true",
    ])?;
    let visitor = Visitor::of(stage, &web, &authorities)?;
    stage.configure(&first)?;
    stage.apply()?.ok()?;
    let seen = visitor.end()?;
    known.push(certificate_in(stage, "web-tls")?);
    seen.expect_no_gap("another issuer", LEAST, &known)?;
    stage.expect_empty_plan()?;
    ensure!(orders.seen("")?.len() == ordered + 1, "{:?}", orders.seen(""));
    ensure!(stage.kube.get(&["clusterissuer", &own])?.is_none(), "the former issuer is still there");

    // Somebody else's certificate keeps it, also from a destroy of everything.
    apply(
        stage,
        &format!(
            "
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{ name: theirs }}
spec: {{ secretName: theirs, dnsNames: [theirs.{web}], issuerRef: {{ kind: ClusterIssuer, name: {other} }} }}
"
        ),
    )?;
    stage
        .destroy()?
        .failed_with(&[&format!("ClusterIssuer {other} is not destroyed"), &format!("{namespace}/theirs")])?;
    ensure!(stage.kube.get(&["clusterissuer", &other])?.is_some(), "it is gone, and somebody needs it");
    stage.kube.run(&["delete", "certificate", "-n", &namespace, "theirs"])?.ok()?;
    stage.destroy()?.ok()?;
    ensure!(stage.kube.get(&["clusterissuer", &other])?.is_none(), "it stays although nobody uses it");
    let left = stage.kube.names(HOME, "secrets")?;
    ensure!(left.contains(&format!("secret/{other}-account")), "the account is gone: {left:?}");
    // Somebody else's certificate may have been issued by now.
    stage.kube.run(&["delete", "secret", "-n", &namespace, "theirs", "--ignore-not-found"])?.ok()?;
    expect_gone(stage, &["web-tls"])
}

/// An issuer with credentials, several solvers and wishes of its own: taken as cert-manager's own webhook and controller want it.
pub(super) fn solvers(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let (name, namespace) = (format!("{}-many", stage.name), stage.name.clone());
    afterwards(stage, &name);
    let (plain, wild) = (host(stage, "plain")?, host(stage, "*.wild")?);
    stage.set("TF_VAR_tsig", std::fs::read_to_string(&tls.key_secret)?.trim().to_owned());
    stage.set("TF_VAR_aws", "aws-canary-0123456789");
    let hcl = |keep: bool| {
        format!(
            r#"
variable "tsig" {{ ephemeral = true }}
variable "aws" {{ ephemeral = true }}

resource "ffe_issuer" "shared" {{
  name             = "{name}"
  keep_account_key = {keep}
  acme = {{
    server    = "{directory}"
    ca_bundle = file("{authority}")
    solvers = [
      {{ http01 = {{ ingress_class = "traefik", pod_template = {{ labels = {{ "acme-solver" = "yes" }} }} }} }},
      {{
        selector       = {{ dns_zones = ["wild.{namespace}.{zone}"] }}
        cname_strategy = "Follow"
        dns01_rfc2136 = {{ nameserver = "{dns}", tsig_key_name = "{key}", tsig_secret_wo = var.tsig }}
      }},
      {{
        selector      = {{ dns_names = ["elsewhere.example.org"] }}
        dns01_route53 = {{ region = "eu-central-1", hosted_zone_id = "Z1", access_key_id = "AKIA0", secret_access_key_wo = var.aws }}
      }},
      {{
        selector      = {{ match_labels = {{ team = "webhooks" }} }}
        dns01_webhook = {{ group_name = "acme.example.com", solver_name = "x", config = jsonencode({{ zone = "example.com" }}) }}
      }},
    ]
  }}
}}
"#,
            directory = tls.directory,
            authority = tls.authority.display(),
            zone = tls.zone.trim_end_matches('.'),
            dns = tls.dns_server,
            key = tls.key_name,
        )
    };
    let endpoint = Endpoint::new(stage, "web", &[&plain, &wild])?.issuer("= ffe_issuer.shared.issuer_ref");
    stage.configure(&format!("{}{}", hcl(false), endpoint.hcl(stage)?))?;
    stage.apply()?.ok()?;
    expect_served(stage, &plain)?;
    expect_served(stage, &wild.replace('*', "anything"))?;
    stage.expect_empty_plan()?;
    let secret = stage.kube.get(&["secret", "-n", HOME, &format!("{name}-credentials")])?.context("no Secret")?;
    let entries: Vec<&String> = secret["data"].as_object().context("no data")?.keys().collect();
    ensure!(entries == ["solver-1", "solver-2"], "{entries:?}");

    // Changed by somebody else, and put back.
    let patch = r#"{"spec":{"acme":{"email":"somebody@three-rivers-tech.com"}}}"#;
    stage.kube.run(&["patch", "clusterissuer", &name, "--type=merge", "-p", patch])?.ok()?;
    stage.expect_empty_plan().context("an address that the configuration does not name is somebody else's")?;
    let patch = r#"{"spec":{"acme":{"solvers":[]}}}"#;
    stage.kube.run(&["patch", "clusterissuer", &name, "--type=merge", "-p", patch])?.ok()?;
    ensure!(stage.planned_actions()? == [("ffe_issuer.shared".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;

    // Another secret shows, and nothing of it.
    stage.set("TF_VAR_aws", "aws-an0ther-canary");
    ensure!(stage.planned_actions()? == [("ffe_issuer.shared".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    for entry in std::fs::read_dir(&stage.folder)? {
        let path = entry?.path();
        if path.is_file() {
            let text = std::fs::read(&path)?;
            ensure!(!String::from_utf8_lossy(&text).contains("canary"), "a secret is in {}", path.display());
        }
    }

    // Lost state, and imported.
    stage.forget_state()?;
    let import = format!(
        "import {{\n  to = ffe_issuer.shared\n  id = \"{name}\"\n}}\nimport {{\n  to = ffe_tls_endpoint.web\n  id = \"{namespace}/web\"\n}}\n"
    );
    stage.configure(&format!("{import}{}{}", hcl(false), endpoint.hcl(stage)?))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    let left = |stage: &Stage| anyhow::Ok(stage.kube.names(HOME, "secrets")?.iter().any(|one| one.contains(&name)));
    stage.kube.until("its Secrets are gone", SOON, |_| Ok(!left(stage)?))?;
    expect_gone(stage, &["web-tls"])
}
