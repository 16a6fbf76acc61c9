//! What exists already: of our own after a lost state, and of somebody else's.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use crate::Stage;
use crate::tls::{
    Endpoint, Ever, SOON, Visitor, apply, ask, backend, certificate_in, expect_gone, host, objects, surroundings,
    their_issuer,
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

/// The site answers by HTTPS, and by plain HTTP as it did before: no redirect comes unasked.
fn expect_as_it_was(stage: &Stage, web: &str) -> Result<()> {
    stage.kube.until(&format!("200 of {web}, by HTTPS and without a redirect"), SOON, |_| {
        let answers =
            |scheme: &str| ask(stage, &format!("{scheme}://{web}/health")).is_ok_and(|seen| seen.status == 200);
        Ok(answers("https") && answers("http"))
    })
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
    expect_as_it_was(stage, &web)?;
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

/// An ingress of somebody else with cert-manager's annotations, and the Certificate that they make.
fn annotated(stage: &Stage, web: &str) -> Result<()> {
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
  tls: [{{ hosts: [{web}], secretName: old-tls }}]
  rules:
  - host: {web}
    http:
      paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: web, port: {{ number: 80 }} }} }} }}]
"
        ),
    )?;
    stage.kube.until("cert-manager has issued it", SOON, |kube| {
        let found = kube.get(&["certificate", "-n", &stage.name, "old-tls"])?;
        Ok(found.as_ref().is_some_and(is_ready))
    })
}

/// The road of a team that has an ingress with annotations: another Secret, another issuer. Nobody fights, nobody waits, and
/// not one certificate more is ordered.
pub(super) fn other_names(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, tls, namespace) = (host(stage, "web")?, surroundings(stage)?, stage.name.clone());
    their_issuer(stage, &tls.directory)?;
    annotated(stage, &web)?;
    let mut requests = Ever::of(stage, "certificaterequests")?;
    let authorities = std::fs::read_to_string(&tls.roots)?;
    let old = certificate_in(stage, "old-tls")?;
    for secret in ["old-tls", "web-tls"] {
        let before = requests.seen("")?.len();
        let endpoint = Endpoint::new(stage, "web", &[&web])?.more(format!("secret_name = \"{secret}\""));
        endpoint.configure(stage)?;
        let known = certificate_in(stage, "old-tls")?;
        let visitor = Visitor::of(stage, &web, &authorities)?;
        let imported =
            stage.terraform(&["import", "-no-color", "ffe_tls_endpoint.web", &format!("{namespace}/web")])?.ok()?;
        imported.says(&["cert-manager makes the certificate of ingress", "cert-manager.io/issuer: theirs"])?;
        let planned = stage.terraform(&["plan", "-no-color", "-input=false"])?.ok()?;
        planned.says(&["Annotations are taken off Ingress"])?;
        stage.apply()?.ok()?;
        let seen = visitor.end()?;
        seen.expect_no_gap("an ingress with annotations is taken over", 20, &[known, certificate_in(stage, secret)?])?;
        let orders = requests.seen("")?.len();
        ensure!(orders == before + 1, "{before} and then {orders} requests");
        for _ in 0..2 {
            std::thread::sleep(std::time::Duration::from_secs(15));
            stage.expect_empty_plan()?;
            stage.apply()?.ok()?;
        }
        ensure!(requests.seen("")?.len() == orders, "more was ordered: {:?}", requests.seen("")?);
        let ingress = stage.kube.get(&["ingress", "-n", &namespace, "web"])?.context("no Ingress")?;
        let annotations = &ingress["metadata"]["annotations"];
        ensure!(
            annotations["example.com/team"] == "web" && annotations["cert-manager.io/issuer"].is_null(),
            "{annotations:#}"
        );

        // Given back, cert-manager makes its certificate again, of the Secret that it had.
        stage.destroy()?.ok()?;
        let ingress = stage.kube.get(&["ingress", "-n", &namespace, "web"])?.context("no Ingress")?;
        ensure!(ingress["metadata"]["annotations"]["cert-manager.io/issuer"] == "theirs", "{ingress:#}");
        ensure!(ingress["spec"]["tls"][0]["secretName"] == "old-tls", "{ingress:#}");
        stage.kube.until("it is theirs again", SOON, |kube| {
            let found = kube.get(&["certificate", "-n", &namespace, "old-tls"])?;
            let asks = |found: &Json| found["spec"]["issuerRef"]["name"] == "theirs" && is_ready(found);
            Ok(found.as_ref().is_some_and(asks))
        })?;
        expect_as_it_was(stage, &web)?;
    }
    ensure!(certificate_in(stage, "old-tls")? != old, "it was issued by the endpoint's issuer once");
    Ok(())
}

/// A Certificate of somebody else's writes the endpoint's Secret: it is given up for the endpoint's own, as the refusal says.
pub(super) fn of_another_certificate(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, namespace) = (host(stage, "web")?, stage.name.clone());
    apply(
        stage,
        &format!(
            "
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{ name: theirs }}
spec: {{ selfSigned: {{}} }}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{ name: theirs }}
spec: {{ secretName: web-tls, dnsNames: [{web}], issuerRef: {{ name: theirs }} }}
"
        ),
    )?;
    stage.kube.until("theirs is issued", SOON, |kube| {
        Ok(kube.get(&["certificate", "-n", &namespace, "theirs"])?.as_ref().is_some_and(is_ready))
    })?;
    let before = certificate_in(stage, "web-tls")?;
    let mut requests = Ever::of(stage, "certificaterequests")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("name = \"theirs\"").hcl(stage)?;
    let endpoint: Vec<&str> = endpoint.lines().filter(|line| !line.contains("ca_bundle")).collect();
    stage.configure(&endpoint.join("\n"))?;
    let refused = format!("Certificate {namespace}/theirs writes the Secret web-tls already");
    stage.apply()?.failed_with(&[&refused, "or delete that Certificate", "by one order"])?;
    ensure!(objects(stage, "ingresses")?.is_empty(), "something was made");
    stage.kube.run(&["delete", "certificate", "-n", &namespace, "theirs"])?.ok()?;
    ensure!(certificate_in(stage, "web-tls")? == before, "the Secret does not stay");
    stage.apply()?.ok()?;
    ensure!(certificate_in(stage, "web-tls")? != before, "it was not issued anew");
    ensure!(requests.seen("web-tls")?.len() == 1, "{:?}", requests.seen("")?);
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(drop)
}

/// A chart with an ingress of the endpoint's name.
const CHART: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web, annotations: {{ .Values.annotations | toJson }} }
spec:
  ingressClassName: traefik
  tls: [{ hosts: [{{ .Values.host }}], secretName: old-tls }]
  rules:
  - host: {{ .Values.host }}
    http:
      paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { number: 80 } } } }]
";

/// An ingress that a Helm release would delete is not taken over; the way that the refusal names works, and it stays.
pub(super) fn of_helm(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, namespace) = (host(stage, "web")?, stage.name.clone());
    let chart = stage.side("chart")?;
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 0.1.0\n")?;
    std::fs::write(chart.join("values.yaml"), "enabled: true\nannotations: {}\n")?;
    std::fs::write(chart.join("templates/ingress.yaml"), format!("{{{{ if .Values.enabled }}}}{CHART}{{{{ end }}}}"))?;
    let (folder, host) = (chart.to_string_lossy().into_owned(), format!("host={web}"));
    let upgrade = |stage: &Stage, more: &[&str]| {
        let mut all = vec!["upgrade", "--install", "web", &folder, "-n", &namespace, "--set", &host];
        all.extend(more);
        stage.helm(&all)?.ok().map(|_| ())
    };
    upgrade(stage, &[])?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("self_signed = {}").more("adopt = true");
    endpoint.configure(stage)?;
    let release = format!("is part of the Helm release {namespace}/web");
    let said = [release.as_str(), "helm.sh/resource-policy: keep"];
    stage.apply()?.failed_with(&said)?;
    let id = format!("{namespace}/web");
    stage.terraform(&["import", "-no-color", "ffe_tls_endpoint.web", &id])?.failed_with(&said)?;

    // As it is told: the annotation by the chart, and then the endpoint.
    let keep = "annotations.helm\\.sh/resource-policy=keep";
    upgrade(stage, &["--set", keep])?;
    stage.apply()?.ok()?;
    let uid = |stage: &Stage| {
        let found = stage.kube.get(&["ingress", "-n", &namespace, "web"])?.context("no Ingress")?;
        Ok::<_, anyhow::Error>(found["metadata"]["uid"].clone())
    };
    let before = uid(stage)?;
    upgrade(stage, &["--set", "enabled=false"])?;
    ensure!(uid(stage)? == before, "Helm has deleted it");
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    ensure!(uid(stage)? == before, "it was theirs");
    Ok(())
}
