//! Certificates that cert-manager renews while nobody applies.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use crate::Stage;
use crate::tls::{Endpoint, Ever, SOON, acme, backend, expect_gone, expect_served, host, surroundings, their_issuer};

/// The serial number in the state.
fn serial(stage: &mut Stage) -> Result<String> {
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    let serial = state["certificate_status"]["serial"].as_str().context("no serial number")?;
    Ok(serial.to_owned())
}

/// The certificate, as cert-manager has it.
fn certificate(stage: &Stage) -> Result<Json> {
    Ok(stage.kube.get(&["certificate", "-n", &stage.name, "web-tls"])?.unwrap_or_default())
}

/// How many certificates there have been, as cert-manager counts.
fn revision(stage: &Stage) -> Result<i64> {
    Ok(certificate(stage)?["status"]["revision"].as_i64().unwrap_or_default())
}

/// Waits until there have been so many certificates, or more, and the last one is there.
fn wait_revision(stage: &Stage, revision: i64, limit: Duration) -> Result<()> {
    stage.kube.until(&format!("certificate {revision} is there"), limit, |kube| {
        let secret = kube.get(&["secret", "-n", &stage.name, "web-tls"])?;
        let found = certificate(stage)?;
        let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let is = |kind: &str| conditions.iter().any(|one| one["type"] == kind && one["status"] == "True");
        let made = found["status"]["revision"].as_i64().is_some_and(|made| made >= revision);
        Ok(secret.is_some() && made && is("Ready") && !is("Issuing"))
    })
}

pub(super) fn renewed(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, tls) = (host(stage, "web")?, surroundings(stage)?);
    let mut orders = Ever::of(stage, "orders.acme.cert-manager.io")?;
    // Valid for six minutes, and renewed when one of them is over.
    let endpoint = Endpoint::new(stage, "web", &[&web])?
        .issuer(acme(stage, &tls.short_directory, "http01 = {}")?)
        .more("certificate = { renew_before = \"5m\" }");
    endpoint.configure(stage)?;
    stage.apply()?.ok()?;
    let first = serial(stage)?;

    wait_revision(stage, 2, Duration::from_secs(180))?;
    expect_served(stage, &web)?;
    stage.expect_empty_plan()?;
    stage.terraform(&["apply", "-refresh-only", "-auto-approve", "-no-color", "-input=false"])?.ok()?;
    let second = serial(stage)?;
    ensure!(second != first, "the state shows the old certificate");

    // The Secret is lost: what cert-manager issues in its place is no change of ours either. It renews by itself all the while,
    // so on a slow machine there may be more certificates than these.
    let before = revision(stage)?;
    stage.kube.run(&["delete", "secret", "-n", &stage.name, "web-tls"])?.ok()?;
    wait_revision(stage, before + 1, SOON)?;
    stage.expect_empty_plan()?;
    stage.terraform(&["apply", "-refresh-only", "-auto-approve", "-no-color", "-input=false"])?.ok()?;
    ensure!(![first, second].contains(&serial(stage)?), "the state shows an old certificate");
    // The controller reads a new Secret within seconds.
    expect_served(stage, &web)?;
    let seen = orders.seen("")?.len();
    let now = usize::try_from(revision(stage)?)?;
    ensure!((3..=now + 1).contains(&seen), "{seen} orders for {now} certificates");
    stage.destroy()?.ok()?;
    expect_gone(stage, &["web-account", "web-tls"])
}

/// A certificate that should have been renewed and was not is a warning in the plan, with the reason.
pub(super) fn overdue(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, tls) = (host(stage, "web")?, surroundings(stage)?);
    their_issuer(stage, &tls.short_directory)?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?
        .issuer("name = \"theirs\"")
        .more("certificate = { renew_before = \"5m\" }");
    endpoint.configure(stage)?;
    stage.apply()?.ok()?;
    stage.kube.run(&["delete", "issuer", "-n", &stage.name, "theirs"])?.ok()?;
    let kube = stage.kube.clone();
    kube.until("the plan says that it was not renewed", Duration::from_secs(240), |_| {
        // Nothing of the configuration differs, whatever becomes of the certificate.
        let plan = stage.terraform(&["plan", "-detailed-exitcode", "-no-color", "-input=false"])?;
        ensure!(plan.code == 0, "the plan is not empty: {}", plan.text());
        let told = plan.flat().contains(&format!("The certificate {}/web-tls should have been renewed at", stage.name));
        if told {
            plan.says(&[
                "It is valid until",
                "IssuerMissing",
                "/theirs does not exist",
                "What to do: Make the issuer",
            ])?;
        } else {
            std::thread::sleep(Duration::from_secs(5));
        }
        Ok(told)
    })?;
    stage.destroy()?.ok().map(|_| ())
}
