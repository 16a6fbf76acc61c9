//! Certificates by other ways than HTTP-01.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Stage;
use crate::tls::{
    Endpoint, SOON, acme, apply, ask_trusting, backend, expect_gone, expect_outcomes, expect_served, host, surroundings,
};

/// By updates of the zone, also for a name that stands for many.
pub(super) fn dns01(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let tls = surroundings(stage)?;
    let (app, wild) = (host(stage, "app")?, host(stage, "*.wild")?);
    let secret = std::fs::read_to_string(&tls.key_secret)?.trim().to_owned();
    stage.set("TF_VAR_tsig", secret.clone());
    let solver = format!(
        "dns01_rfc2136 = {{ nameserver = \"{}\", tsig_key_name = \"{}\", tsig_secret_wo = var.tsig }}",
        tls.dns_server, tls.key_name
    );
    let endpoint = Endpoint::new(stage, "web", &[&app, &wild])?.issuer(acme(stage, &tls.directory, &solver)?);
    // The same by an issuer for all namespaces, whose credentials are where cert-manager reads them.
    let (all, issuer) = (host(stage, "*.all")?, format!("{}-all", stage.name));
    let for_all = Endpoint::new(stage, "all", &[&all])?
        .issuer(format!("kind = \"ClusterIssuer\"\n    {}", acme(stage, &tls.directory, &solver)?))
        .more("keep_secret = false");
    let secrets = format!("secret/{issuer}-credentials secret/{issuer}-account");
    stage.afterwards(&format!("kubectl delete clusterissuer {issuer} --ignore-not-found"));
    stage.afterwards(&format!("kubectl delete -n cert-manager {secrets} --ignore-not-found"));
    let variable = "variable \"tsig\" { ephemeral = true }";
    stage.configure(&format!("{variable}\n{}{}", endpoint.hcl(stage)?, for_all.hcl(stage)?))?;
    stage.apply()?.ok()?;
    expect_served(stage, &all.replace('*', "anything"))?;
    let theirs = stage.kube.names("cert-manager", "secrets")?;
    let of_issuer = |names: &[String]| names.iter().filter(|name| name.contains(&issuer)).count();
    ensure!(of_issuer(&theirs) == 2, "{theirs:?}");
    stage.configure(&format!("{variable}\n{}", endpoint.hcl(stage)?))?;
    stage.apply()?.ok()?;
    ensure!(stage.kube.get(&["clusterissuer", &issuer])?.is_none(), "the ClusterIssuer is still there");
    let left = stage.kube.names("cert-manager", "secrets")?;
    ensure!(of_issuer(&left) == 0, "{left:?}");
    for host in [app.clone(), wild.replace('*', "anything"), wild.replace('*', "else")] {
        expect_served(stage, &host)?;
    }
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    ensure!(state["certificate_status"]["sans"] == json!([app, wild]), "{state:#}");
    ensure!(state["urls"] == json!([format!("https://{app}")]), "a wildcard is no address: {state:#}");
    let revision = state["credentials_revision"].clone();
    ensure!(revision.is_string(), "{state:#}");
    stage.expect_empty_plan()?;

    // Another key is noticed without being shown, and kept where the issuer reads it.
    stage.set("TF_VAR_tsig", "YW5vdGhlciBrZXk=");
    ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.web".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    ensure!(state["credentials_revision"] != revision, "{state:#}");
    let kept = stage.kube.get(&["secret", "-n", &stage.name, "web-credentials"])?.context("no Secret")?;
    ensure!(kept["data"]["tsig-secret"] == "WVc1dmRHaGxjaUJyWlhrPQ==", "{}", kept["data"]);
    for name in ["terraform.tfstate", "terraform.tfstate.backup", "saved.tfplan"] {
        let text = std::fs::read(stage.folder.join(name))?;
        ensure!(!String::from_utf8_lossy(&text).contains(&secret), "the key is in {name}");
    }
    stage.destroy()?.ok()?;
    expect_gone(stage, &["web-account", "web-tls"])
}

/// The authority that one of the endpoints uses.
pub(super) const AUTHORITY: &str = "
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: { name: root }
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
  issuerRef: { name: root }
";

/// For services that are not public: an authority of one's own, and certificates that sign themselves.
pub(super) fn internal(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    apply(stage, AUTHORITY)?;
    let namespace = stage.name.clone();
    stage.kube.until("the authority is there", SOON, |kube| {
        Ok(kube.get(&["secret", "-n", &namespace, "authority"])?.is_some())
    })?;
    let (inner, own) = (host(stage, "inner")?, host(stage, "own")?);
    let by_ca = Endpoint::new(stage, "inner", &[&inner])?
        .issuer("ca = { secret_name = \"authority\" }")
        .verify("issuer = \"The case's authority\"")
        .more(
            "certificate = { duration = \"24h\", renew_before = \"8h\", private_key = { algorithm = \"ECDSA\", size = 384 } }",
        );
    let by_itself = Endpoint::new(stage, "own", &[&own])?.issuer("self_signed = {}");
    stage.configure(&format!("{}{}", by_ca.hcl(stage)?, by_itself.hcl(stage)?))?;
    stage.apply()?.ok()?;

    // With the authorities as a client has them.
    for (host, secret) in [(&inner, "inner-tls"), (&own, "own-tls")] {
        let template = "go-template={{index .data \"ca.crt\" | base64decode}}";
        let found = stage.kube.run(&["get", "secret", "-n", &namespace, secret, "-o", template])?.ok()?;
        let roots = stage.side("roots")?.join(secret);
        std::fs::write(&roots, found.stdout)?;
        let answer = ask_trusting(stage, &roots.to_string_lossy(), &format!("https://{host}/health"))?;
        ensure!(answer.status == 200, "{answer:?}");
    }
    let state = stage.expect_state("ffe_tls_endpoint.inner")?;
    expect_outcomes(&state, &inner, "passed", &["chain", "names", "issuer", "status", "redirect", "certificate"])?;
    let spec = stage.kube.get(&["certificate", "-n", &namespace, "inner-tls"])?.context("no Certificate")?;
    ensure!(spec["spec"]["privateKey"]["size"] == 384 && spec["spec"]["duration"] == "24h", "{spec:#}");
    let status = &spec["status"];
    ensure!(state["certificate_status"]["not_after"] == status["notAfter"], "{state:#}");
    ensure!(state["certificate_status"]["renewal_time"] == status["renewalTime"], "{state:#}");
    let state = stage.expect_state("ffe_tls_endpoint.own")?;
    expect_outcomes(&state, &own, "passed", &["names", "status", "redirect", "certificate"])?;
    expect_outcomes(&state, &own, "skipped", &["chain"])?;
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    ensure!(stage.kube.get(&["secret", "-n", &namespace, "authority"])?.is_some(), "the authority is not ours");
    stage.kube.run(&["delete", "-n", &namespace, "issuer/root", "certificate/authority"])?.ok()?;
    expect_gone(stage, &["authority", "inner-tls", "own-tls"])
}
