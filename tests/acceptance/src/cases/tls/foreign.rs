//! What exists already: of our own after a lost state, and of somebody else's.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use crate::Stage;
use crate::tls::{
    Endpoint, Ever, SOON, apply, backend, expect_gone, expect_served, host, objects, surroundings, their_issuer,
};

/// The state is lost: what was written is kept with the endpoint, and its import plans nothing.
pub(super) fn own(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, id) = (host(stage, "web")?, format!("{}/web", stage.name));
    let endpoint = Endpoint::new(stage, "web", &[&web])?
        .issuer("self_signed = {}")
        .verify("checks = [{ path = \"/secret\", bearer_wo = \"let-me-in\" }]")
        .more("certificate = { private_key = { algorithm = \"ECDSA\" } }\n  security = { frame_options = \"SAMEORIGIN\" }");
    endpoint.configure(stage)?;
    stage.apply()?.ok()?;
    let before = stage.expect_state("ffe_tls_endpoint.web")?["certificate_status"].clone();
    stage.forget_state()?;
    stage.apply()?.failed_with(&["exists already", &format!("terraform import ffe_tls_endpoint.<name> {id}")])?;
    stage.terraform(&["import", "-no-color", "ffe_tls_endpoint.web", &id])?.ok()?;
    stage.expect_empty_plan()?;
    let after = stage.expect_state("ffe_tls_endpoint.web")?["certificate_status"].clone();
    ensure!(after == before, "{after:#} instead of {before:#}");
    let none = stage.terraform(&["import", "-no-color", "ffe_tls_endpoint.other", "no-slash"])?;
    none.failed_with(&["ffe_tls_endpoint.other"])?;
    stage.destroy()?.ok()?;
    expect_gone(stage, &["web-tls"])
}

/// The certificate of an ingress whose annotations ask for it.
fn certificate(stage: &Stage) -> Result<Json> {
    stage.kube.get(&["certificate", "-n", &stage.name, "web-tls"])?.context("no Certificate")
}

fn is_ready(certificate: &Json) -> bool {
    let conditions = certificate["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

/// An ingress of somebody else, for which cert-manager has made a Certificate by itself: both are used as they are.
pub(super) fn taken_over(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, tls, namespace) = (host(stage, "web")?, surroundings(stage)?, stage.name.clone());
    let mut orders = Ever::of(stage, "orders.acme.cert-manager.io")?;
    their_issuer(stage, &tls.directory)?;
    apply(
        stage,
        &format!(
            "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotations: {{ cert-manager.io/issuer: theirs, example.com/team: web }}
spec:
  ingressClassName: traefik
  tls: [{{ hosts: [{web}], secretName: web-tls }}]
  rules:
  - host: {web}
    http:
      paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}]
"
        ),
    )?;
    stage.kube.until("cert-manager has issued it", SOON, |kube| {
        let found = kube.get(&["certificate", "-n", &namespace, "web-tls"])?;
        Ok(found.as_ref().is_some_and(is_ready))
    })?;
    let (before, first) = (certificate(stage)?, orders.seen("")?);
    ensure!(first.len() == 1, "{first:?}");

    // Nothing of it is touched unless somebody says so.
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("name = \"theirs\"");
    endpoint.configure(stage)?;
    let import = format!("terraform import ffe_tls_endpoint.<name> {namespace}/web");
    stage.apply()?.failed_with(&["exists already", &import, "adopt = true"])?;
    stage.terraform(&["import", "-no-color", "ffe_tls_endpoint.web", &format!("{namespace}/web")])?.ok()?;
    ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.web".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    expect_served(stage, &web)?;
    let after = certificate(stage)?;
    ensure!(after["metadata"]["uid"] == before["metadata"]["uid"], "another Certificate: {after:#}");
    ensure!(after["spec"] == before["spec"] && after["status"]["revision"] == 1, "{after:#}");
    ensure!(objects(stage, "certificates")?.len() == 1, "{:?}", objects(stage, "certificates")?);
    ensure!(orders.seen("")? == first, "it was ordered anew: {:?}", orders.seen("")?);
    let ingress = stage.kube.get(&["ingress", "-n", &namespace, "web"])?.context("no Ingress")?;
    ensure!(ingress["metadata"]["annotations"]["example.com/team"] == "web", "{ingress:#}");

    // It was theirs, and it stays.
    stage.destroy()?.ok()?;
    let left = objects(stage, "ingresses,certificates,issuers,middlewares.traefik.io,prometheusrules")?;
    let theirs =
        ["certificate.cert-manager.io/web-tls", "ingress.networking.k8s.io/web", "issuer.cert-manager.io/theirs"];
    ensure!(left == theirs, "{left:?}");
    ensure!(certificate(stage)?["metadata"]["uid"] == before["metadata"]["uid"], "another Certificate");
    ensure!(orders.seen("")? == first, "it was ordered anew: {:?}", orders.seen("")?);
    let marks = stage.kube.get(&["ingress", "-n", &namespace, "web"])?.unwrap_or_default();
    ensure!(!marks["metadata"].to_string().contains("ffe_tls_endpoint"), "our mark is left: {marks:#}");
    Ok(())
}
