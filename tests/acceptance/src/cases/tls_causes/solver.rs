//! The authority, or cert-manager before it, does not find the answer.

use anyhow::Result;

use super::dns::{configure, key, updates};
use super::{converges, creation_fails, issuer_of_theirs};
use crate::Stage;
use crate::tls::{Endpoint, acme, backend, host, set_address, surroundings};

/// Nothing listens at port 80 of the name. Then by DNS-01, which does not need it.
pub(super) fn port_closed(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let web = format!("web.{}.closed.{}", stage.name, tls.zone);
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    endpoint.configure(stage)?;
    creation_fails(
        stage,
        "Port80Closed",
        &[
            &format!("port 80 of {web} cannot be reached: "),
            "connect: connection refused",
            &format!(
                "See that {web} leads to the controller of ingress class traefik and that port 80 is open all the way"
            ),
            "Where it must stay closed, use a DNS-01 solver.",
        ],
    )?;
    set_address(stage, &web, "127.0.0.1")?;
    let key = key(stage)?;
    stage.set("TF_VAR_tsig", key);
    let mended = endpoint.issuer(acme(stage, &tls.directory, &updates(stage)?)?);
    configure(stage, &mended)?;
    converges(stage, &mended)?;
    stage.destroy()?.ok().map(|_| ())
}

/// The solver names an ingress class that the cluster does not have.
pub(super) fn no_class(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, tls) = (host(stage, "web")?, surroundings(stage)?);
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    let wrong = acme(stage, &tls.directory, "http01 = { ingress_class = \"nobody\" }")?;
    endpoint.clone().issuer(wrong).configure(stage)?;
    let issuer = format!("Issuer {}/web", stage.name);
    creation_fails(
        stage,
        "WrongSolver",
        &[
            &format!("the solver of {issuer} cannot work here: the cluster has no ingress class nobody (it has "),
            &format!("What to do: Name an ingress class that exists in the solver of {issuer}"),
        ],
    )?;
    endpoint.configure(stage)?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}

/// It names one that no controller serves: at port 80 the backend answers, which knows nothing of the challenge.
pub(super) fn nobody_serves(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, tls) = (host(stage, "web")?, surroundings(stage)?);
    let class = stage.name.clone();
    stage.afterwards(&format!("kubectl delete ingressclass {class} --ignore-not-found"));
    stage.kube.apply(&format!(
        "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{ name: {class} }}\nspec: {{ controller: example.com/nobody }}\n"
    ))?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    let wrong = acme(stage, &tls.directory, &format!("http01 = {{ ingress_class = \"{class}\" }}"))?;
    endpoint.clone().issuer(wrong).configure(stage)?;
    creation_fails(
        stage,
        "Port80WrongAnswer",
        &[
            &format!("port 80 of {web} answers, but not with the challenge: wrong status code '401', expected '200'"),
            &format!(
                "See that {web} leads to the controller of ingress class {class}, that this one serves the solver's Ingress"
            ),
        ],
    )?;
    endpoint.configure(stage)?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}

/// The issuer's only solver is for another zone.
pub(super) fn other_names(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let web = host(stage, "web")?;
    issuer_of_theirs(stage, "theirs", "selector: { dnsZones: [another.test] }, ")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("name = \"theirs\"");
    endpoint.configure(stage)?;
    let issuer = format!("Issuer {}/theirs", stage.name);
    creation_fails(
        stage,
        "NoSolver",
        &[
            &format!("no solver of {issuer} fits {web}: "),
            &format!("Give {issuer} a solver without selector, or one whose dnsNames or dnsZones cover {web}"),
        ],
    )?;
    issuer_of_theirs(stage, "theirs", "")?;
    converges(stage, &endpoint)?;
    stage.destroy()?.ok().map(|_| ())
}
