//! What a verification that passes has looked at, and what it does not let pass.

use anyhow::{Context as _, Result, ensure};

use crate::Stage;
use crate::tls::{Endpoint, SOON, apply, ask, backend, expect_outcomes, expect_own_policy, host};

/// An authority, an issuer of somebody else that signs by itself, and a Service that leads nowhere.
const SURROUNDINGS: &str = "
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: theirs }
spec: { selfSigned: {} }
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: authority }
spec:
  isCA: true
  commonName: The case's authority
  secretName: authority
  privateKey: { algorithm: ECDSA, size: 256 }
  issuerRef: { name: theirs }
---
apiVersion: v1
kind: Service
metadata: { name: nowhere }
spec: { selector: { app: nobody }, ports: [{ port: 80 }] }
";

pub(super) fn all(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    apply(stage, SURROUNDINGS)?;
    let namespace = stage.name.clone();

    // Nothing but a wildcard, and nobody behind it.
    let wild = host(stage, "*.wild")?;
    let endpoint = Endpoint::new(stage, "web", &[&wild])?.issuer("self_signed = {}");
    let broken = endpoint.hcl(stage)?.replace("service = \"web\"", "service = \"nowhere\"");
    stage.configure(&broken.replace("timeout    = \"1m\"", "timeout    = \"10s\""))?;
    // Traefik leaves out what has no pod.
    stage.apply()?.failed_with(&["answered 404", "has no pod that is ready", "verify.wildcard_label"])?;
    endpoint.configure(stage)?;
    stage.apply()?.ok()?;
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    expect_outcomes(&state, &wild, "passed", &["reachable", "names", "certificate", "status", "redirect"])?;
    ensure!(state["verify_results"].to_string().contains("as ffe-verify-"), "{state:#}");
    stage.expect_empty_plan()?;

    // A part of a host: it is asked for what the endpoint serves, which the backend answers by 401.
    let part = host(stage, "part")?;
    let of_part = Endpoint::new(stage, "part", &[&part])?.issuer("name = \"theirs\"").more("path = \"/v1\"");
    // Whom to trust is for the issuer to say.
    let of_part: Vec<String> =
        of_part.hcl(stage)?.lines().filter(|line| !line.contains("ca_bundle")).map(str::to_owned).collect();
    stage.configure(&format!("{}{}", endpoint.hcl(stage)?, of_part.join("\n")))?;
    stage.apply()?.ok()?;
    let state = stage.expect_state("ffe_tls_endpoint.part")?;
    expect_outcomes(&state, &part, "passed", &["status", "certificate"])?;
    expect_outcomes(&state, &part, "skipped", &["chain"])?;
    let itself = state["certificate_status"]["issuer"].clone();
    stage.expect_empty_plan()?;

    // Somebody makes the issuer another one: cert-manager goes by its name and does nothing. The plan sees it.
    stage.kube.until("the authority is there", SOON, |kube| {
        Ok(kube.get(&["secret", "-n", &namespace, "authority"])?.is_some())
    })?;
    let patch = r#"{"spec":{"selfSigned":null,"ca":{"secretName":"authority"}}}"#;
    stage.kube.run(&["patch", "issuer", "-n", &namespace, "theirs", "--type=merge", "-p", patch])?.ok()?;
    ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.part".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    let state = stage.expect_state("ffe_tls_endpoint.part")?;
    let issuer = state["certificate_status"]["issuer"].as_str().unwrap_or_default();
    ensure!(issuer.contains("The case's authority") && itself != *issuer, "{state:#}");
    expect_outcomes(&state, &part, "passed", &["chain", "certificate"])?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok().map(|_| ())
}

/// A site that runs already is taken over, and its clients see no other headers and no redirect that nobody asked for.
pub(super) fn running_site(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, namespace) = (host(stage, "web")?, stage.name.clone());
    apply(
        stage,
        &format!(
            "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{ name: web }}
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
    let plain = format!("http://{web}/health");
    stage.kube.until("the site runs", SOON, |_| Ok(ask(stage, &plain).is_ok_and(|answer| answer.status == 200)))?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("self_signed = {}").more("secret_name = \"web-tls\"");
    endpoint.configure(stage)?;
    stage.terraform(&["import", "-no-color", "ffe_tls_endpoint.web", &format!("{namespace}/web")])?.ok()?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let answer = ask(stage, &plain)?;
    ensure!(answer.status == 200, "it is redirected unasked: {answer:?}");
    expect_own_policy(&answer)?;
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    ensure!(state["security"]["hsts_max_age"] == 0 && state["security_before"]["ssl_redirect"] == false, "{state:#}");
    let middlewares = stage.kube.names(&namespace, "middlewares.traefik.io")?;
    ensure!(middlewares.is_empty(), "{middlewares:?}");
    stage.destroy()?.ok()?;
    stage.kube.get(&["ingress", "-n", &namespace, "web"])?.context("the site is gone").map(|_| ())
}
