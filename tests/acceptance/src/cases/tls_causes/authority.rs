//! The authority does not want to.

use anyhow::{Result, ensure};

use super::{WEB, converges, creation_fails, fails};
use crate::Stage;
use crate::tls::{Endpoint, acme, backend, expect_gone, expect_served, host, surroundings};

/// A name below one of the zone that the ACME servers treat in their own way.
fn special(stage: &Stage, label: &str) -> Result<String> {
    Ok(format!("web.{}.{label}.{}", stage.name, surroundings(stage)?.zone))
}

/// Too many certificates of late: said with the time from which it works again. What is served stays served.
pub(super) fn rate_limited(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let (web, limited) = (host(stage, "web")?, special(stage, "limited")?);
    let strict = acme(stage, &tls.strict_directory, "http01 = {}")?;
    Endpoint::new(stage, "web", &[&web])?.issuer(&strict).configure(stage)?;
    stage.apply()?.ok()?;
    let before = stage.expect_state(WEB)?;

    Endpoint::new(stage, "web", &[&web, &limited])?.issuer(&strict).configure(stage)?;
    let output = fails(
        stage,
        "RateLimited",
        &[
            &format!("the ACME server {} takes no order for {web}, {limited} before ", tls.strict_directory),
            "too many certificates (5) already issued for this exact set of identifiers",
            "What to do: Wait until ",
            "then begin a new attempt; each one before only fails again. Keep the certificate and its Secret.",
        ],
    )?;
    let flat = output.flat();
    let after = |mark: &str| flat.split(mark).nth(1).and_then(|rest| rest.get(..23)).map(str::to_owned);
    let (told, said) = (after("What to do: Wait until "), after("retry after "));
    ensure!(told.is_some() && told == said, "until {told:?}, and the server says {said:?}:\n{flat}");

    // The old certificate is served, and the state says that something is left to do.
    expect_served(stage, &web)?;
    let state = stage.expect_state(WEB)?;
    let serial = &state["certificate_status"]["serial"];
    ensure!(serial == &before["certificate_status"]["serial"], "{state:#}");
    ensure!(state["drifted"].to_string().contains("issued"), "{state:#}");
    ensure!(stage.planned_actions()? == [(WEB.to_owned(), "update".to_owned())]);

    let mended = Endpoint::new(stage, "web", &[&web, &limited])?;
    mended.configure(stage)?;
    converges(stage, &mended)?;
    stage.destroy()?.ok()?;
    expect_gone(stage, &["web-account", "web-tls"])
}

/// The zone names another authority.
pub(super) fn caa(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let web = special(stage, "caa")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    endpoint.clone().issuer(acme(stage, &tls.strict_directory, "http01 = {}")?).configure(stage)?;
    creation_fails(
        stage,
        "Caa",
        &[
            &format!("a CAA record forbids this authority to issue for {web}: "),
            &format!("CAA record for {web} prevents issuance"),
            "Add a CAA record that allows it at the name that the message gives, or remove the one that forbids it",
        ],
    )?;
    // An authority that the record does not keep away.
    endpoint.configure(stage)?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}

/// The authority does not issue for such names. What remains is removed by the commands that the error has.
pub(super) fn name_refused(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let web = special(stage, "blocked")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    endpoint.configure(stage)?;
    let commands = creation_fails(
        stage,
        "NameRefused",
        &[
            &format!("the ACME server {} does not issue for {web}: ", tls.directory),
            "Use a public name, or an internal authority for names that are not.",
        ],
    )?;
    for command in commands {
        stage.shell(&command)?.ok()?;
    }
    expect_gone(stage, &["web-account"])?;
    endpoint.clone().issuer("self_signed = {}").configure(stage)?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}
