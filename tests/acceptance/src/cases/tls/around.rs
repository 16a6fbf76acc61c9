//! What surrounds an endpoint: the data source, the alert, and an issuer that others use.

use anyhow::{Context as _, Result, ensure};

use crate::Stage;
use crate::tls::{Endpoint, SOON, apply, backend, expect_gone, host};

pub(super) fn all(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, namespace) = (host(stage, "web")?, stage.name.clone());
    let issuer = format!("{namespace}-web");
    stage.afterwards(&format!("kubectl delete clusterissuer {issuer} --ignore-not-found"));
    let endpoint = Endpoint::new(stage, "web", &[&web])?
        .issuer("kind        = \"ClusterIssuer\"\n    self_signed = {}")
        .more("alert = { expiry_warning = \"100h\", labels = { release = \"monitoring\" } }");
    let data = r#"
data "ffe_certificate" "web" {
  namespace = ffe_tls_endpoint.web.namespace
  name      = ffe_tls_endpoint.web.secret_name
}

output "seen" { value = data.ffe_certificate.web }
"#;
    stage.configure(&format!("{}{data}", endpoint.hcl(stage)?))?;
    stage.apply()?.ok()?;
    let outputs = stage.terraform(&["output", "-json"])?.ok()?;
    let outputs: serde_json::Value = serde_json::from_str(&outputs.stdout)?;
    let (seen, state) = (&outputs["seen"]["value"], stage.expect_state("ffe_tls_endpoint.web")?);
    for field in ["serial", "not_before", "not_after", "renewal_time", "sans", "fingerprint_sha256", "ready"] {
        ensure!(seen[field] == state["certificate_status"][field], "{field}: {seen:#} and {state:#}");
    }
    let pem = seen["certificate_pem"].as_str().unwrap_or_default();
    ensure!(pem.contains("BEGIN CERTIFICATE") && !seen.to_string().contains("PRIVATE KEY"), "{seen:#}");
    ensure!(seen["diagnosis"].is_null(), "{seen:#}");

    let alert = stage.kube.get(&["prometheusrule", "-n", &namespace, "web-certificate"])?.context("no alert")?;
    ensure!(alert["metadata"]["labels"]["release"] == "monitoring", "{alert:#}");
    let rule = &alert["spec"]["groups"][0]["rules"][0];
    ensure!(rule["alert"] == "CertificateExpiryWarning" && rule["for"].is_null(), "{rule:#}");
    ensure!(rule["labels"]["severity"] == "warning", "{rule:#}");
    let expression = rule["expr"].as_str().unwrap_or_default();
    ensure!(expression.contains("certmanager_certificate_renewal_timestamp_seconds{name=\"web-tls\""), "{expression}");
    ensure!(expression.ends_with("< 360000"), "{expression}");
    stage.expect_empty_plan()?;

    // Somebody else's certificate uses the issuer, and a third one has none: the data source says why it is not ready.
    apply(
        stage,
        &format!(
            "
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{ name: other }}
spec: {{ secretName: other, dnsNames: [other.{web}], issuerRef: {{ kind: ClusterIssuer, name: {issuer} }} }}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{ name: lost }}
spec: {{ secretName: lost, dnsNames: [lost.{web}], issuerRef: {{ name: nobody }} }}
"
        ),
    )?;
    stage.kube.until("cert-manager has noticed", SOON, |kube| {
        Ok(kube.names(&namespace, "certificaterequests")?.iter().any(|name| name.contains("lost")))
    })?;
    let lost = data.replace("ffe_tls_endpoint.web.secret_name", "\"lost\"");
    stage.configure(&format!("{}{lost}", endpoint.hcl(stage)?))?;
    let kube = stage.kube.clone();
    kube.until("the data source names the cause", SOON, |_| {
        stage.apply()?.ok()?;
        let outputs = stage.terraform(&["output", "-json"])?.ok()?;
        let outputs: serde_json::Value = serde_json::from_str(&outputs.stdout)?;
        let seen = &outputs["seen"]["value"];
        let sentence = seen["diagnosis"]["sentence"].as_str().unwrap_or_default();
        Ok(seen["ready"] == false && seen["diagnosis"]["cause"] == "IssuerMissing" && sentence.contains("nobody"))
    })?;

    let other = format!("{namespace}/other");
    stage.destroy()?.ok()?.says(&[&format!("ClusterIssuer {issuer} stays"), &other, "kubectl delete clusterissuer"])?;
    ensure!(stage.kube.get(&["clusterissuer", &issuer])?.is_some(), "it is gone, and others need it");

    // Nobody else needs it any more: it goes with the endpoint.
    stage.kube.run(&["delete", "certificate", "-n", &namespace, "other", "lost"])?.ok()?;
    endpoint.configure(stage)?;
    stage.apply()?.ok()?;
    stage.destroy()?.ok()?;
    ensure!(stage.kube.get(&["clusterissuer", &issuer])?.is_none(), "it stays although nobody uses it");
    expect_gone(stage, &["other", "web-tls"])
}
