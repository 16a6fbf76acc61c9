//! Names and zones.

use anyhow::{Result, ensure};
use ffe_cloudflare::standin::StandIn;

use super::{WEB, converges, creation_fails};
use crate::Stage;
use crate::cases::tls::configure as configure_with_cloudflare;
use crate::tls::{Endpoint, acme, backend, expect_gone, host, objects, set_address, surroundings};

/// A solver by updates of the zone, with the key of the variable.
pub(super) fn updates(stage: &Stage) -> Result<String> {
    let tls = surroundings(stage)?;
    Ok(format!(
        "dns01_rfc2136 = {{ nameserver = \"{}\", tsig_key_name = \"{}\", tsig_secret_wo = var.tsig }}",
        tls.dns_server, tls.key_name
    ))
}

/// Writes a configuration whose solver has the variable.
pub(super) fn configure(stage: &Stage, endpoint: &Endpoint) -> Result<()> {
    stage.configure(&format!("variable \"tsig\" {{ ephemeral = true }}\n{}", endpoint.hcl(stage)?))
}

/// The key as the name server has it.
pub(super) fn key(stage: &Stage) -> Result<String> {
    Ok(std::fs::read_to_string(surroundings(stage)?.key_secret)?.trim().to_owned())
}

/// The name server knows the key's name, and another content of it.
pub(super) fn token_refused(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let web = host(stage, "web")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer(acme(stage, &tls.directory, &updates(stage)?)?);
    configure(stage, &endpoint)?;
    stage.set("TF_VAR_tsig", "YW5vdGhlciBrZXk=");
    let (server, secret) = (&tls.dns_server, format!("Secret {}/web-credentials", stage.name));
    let sentence = format!("the name server {server} refuses the update signed with key {} ({secret})", tls.key_name);
    creation_fails(
        stage,
        "TokenRefused",
        &[
            &sentence,
            "What to do: Compare the key's name, algorithm and content with the name server's configuration",
            &format!("it may update TXT records of _acme-challenge.{web}; then begin a new attempt."),
        ],
    )?;
    let key = key(stage)?;
    stage.set("TF_VAR_tsig", key);
    // While the record of the challenge is there, the zone's wildcard does not cover the name.
    set_address(stage, &web, &tls.node_ip)?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}

/// The name server has the zone, and lets nobody change it.
pub(super) fn wrong_zone(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let web = format!("web.{}.{}", stage.name, tls.foreign_zone);
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    let key = key(stage)?;
    stage.set("TF_VAR_tsig", key);
    configure(stage, &endpoint.clone().issuer(acme(stage, &tls.directory, &updates(stage)?)?))?;
    let server = format!("the name server {}", tls.dns_server);
    creation_fails(
        stage,
        "WrongZone",
        &[
            &format!("{server} has no zone for {web} that the solver may change: "),
            "REFUSED",
            &format!("See that {server} is the one that serves the zone of {web}, and that key {}", tls.key_name),
        ],
    )?;
    // Another way to show that the name is ours.
    endpoint.configure(stage)?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok()?;
    expect_gone(stage, &["web-account", "web-tls"])
}

/// The name has no address.
pub(super) fn missing(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let web = format!("web.{}.missing.{}", stage.name, tls.zone);
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    endpoint.configure(stage)?;
    creation_fails(
        stage,
        "DnsMissing",
        &[
            &format!("{web} does not resolve: "),
            "no such host",
            &format!("Make an A, AAAA or CNAME record for {web} that leads to the ingress controller"),
        ],
    )?;
    set_address(stage, &web, &tls.node_ip)?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}

/// Cloudflare does not know the token, and then not the zone: nothing is made in the cluster before that is clear.
pub(super) fn refused_by_cloudflare(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, tls) = (host(stage, "web")?, surroundings(stage)?);
    let standin = StandIn::start()?;
    let kubeconfig = stage.surroundings.kubeconfig.display().to_string();
    let endpoint = Endpoint::new(stage, "web", &[&web])?.more("dns = {}");
    configure_with_cloudflare(stage, &standin.base_url(), &kubeconfig, &endpoint.hcl(stage)?)?;
    stage.set("TF_VAR_token", "0123456789abcdef0123456789abcdef01234567");
    let refused = stage.apply()?.failed_with(&[
        "Check the token in cloudflare.api_token or CLOUDFLARE_API_TOKEN: it must be valid, not expired",
        "permissions Zone / Zone / Read and Zone / DNS / Edit for the zone",
    ])?;
    ensure!(!refused.text().contains("0123456789abcdef"), "the token is in the error:\n{}", refused.text());
    nothing_made(stage)?;

    stage.set("TF_VAR_token", standin.token());
    stage.apply()?.failed_with(&[
        &web,
        "Check dns.zone, and that the token has the permission Zone / Zone / Read for that zone",
    ])?;
    nothing_made(stage)?;

    let zone = standin.seed_zone(&tls.zone);
    converges(stage, &endpoint)?;
    let records = standin.records(&zone);
    ensure!(records.len() == 1 && records[0].name == web && records[0].content == tls.node_ip, "{records:?}");
    stage.destroy()?.ok()?;
    ensure!(standin.records(&zone).is_empty(), "{:?}", standin.records(&zone));
    expect_gone(stage, &["web-account", "web-tls"])
}

fn nothing_made(stage: &mut Stage) -> Result<()> {
    ensure!(stage.state(WEB)?.is_none(), "a failed create is in the state");
    let made = objects(stage, "ingresses,certificates,issuers,middlewares.traefik.io,prometheusrules")?;
    ensure!(made.is_empty(), "made although it was refused: {made:?}");
    Ok(())
}
