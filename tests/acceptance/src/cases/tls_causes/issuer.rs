//! Nobody is there who could issue.

use anyhow::Result;

use super::{converges, creation_fails, issuer_of_theirs};
use crate::Stage;
use crate::tls::{Endpoint, acme, backend, host, surroundings};

/// The configuration refers to an issuer that does not exist.
pub(super) fn missing(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let web = host(stage, "web")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("name = \"theirs\"");
    endpoint.configure(stage)?;
    let sentence = format!("Issuer {}/theirs does not exist", stage.name);
    creation_fails(
        stage,
        "IssuerMissing",
        &[
            "Issuer theirs is not ready",
            &sentence,
            "What to do: Make the issuer, or refer to one that exists; an Issuer must be in the certificate's namespace.",
        ],
    )?;
    issuer_of_theirs(stage, "theirs", "")?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}

/// The ACME server cannot be reached, and then is not who it should be.
pub(super) fn not_ready(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, tls) = (host(stage, "web")?, surroundings(stage)?);
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    let nowhere = format!("https://{}:9/dir", tls.node_ip);
    endpoint.clone().issuer(acme(stage, &nowhere, "http01 = {}")?).configure(stage)?;
    creation_fails(
        stage,
        "AcmeUnreachable",
        &[
            "Issuer web is not ready",
            &format!("the ACME server {nowhere} cannot be reached by cert-manager, or does not work: "),
            "connect: connection refused",
            "See that the URL is that of an ACME directory, that the server is up, and that cert-manager's pods may connect",
        ],
    )?;

    // The roots of what it issues are not the authority of its own certificate.
    let other = acme(stage, &tls.directory, "http01 = {}")?
        .replace(&tls.authority.display().to_string(), &tls.roots.display().to_string());
    endpoint.clone().issuer(other).configure(stage)?;
    creation_fails(
        stage,
        "AcmeUntrusted",
        &[
            &format!("cert-manager does not trust the certificate of the ACME server {}: ", tls.directory),
            "certificate signed by unknown authority",
            "Give the issuer the bundle of the authorities that signed the server's certificate",
        ],
    )?;
    endpoint.configure(stage)?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}

/// An internal authority whose key pair is not there.
pub(super) fn without_its_secret(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let web = host(stage, "web")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    endpoint.clone().issuer("ca = { secret_name = \"authority\" }").configure(stage)?;
    let (issuer, secret) = (format!("Issuer {}/web", stage.name), format!("Secret {}/authority", stage.name));
    creation_fails(
        stage,
        "SecretMissing",
        &[
            &format!("a Secret that {issuer} reads is missing: {secret} with entry tls.crt"),
            "Make the Secret with this entry: a ClusterIssuer reads it in cert-manager's cluster resource namespace",
        ],
    )?;
    endpoint.configure(stage)?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}
