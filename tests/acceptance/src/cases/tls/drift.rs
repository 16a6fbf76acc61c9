//! What somebody changes or removes behind an endpoint's back.

use anyhow::{Context as _, Result, ensure};
use ffe_cloudflare::standin::StandIn;

use super::cloudflare::configure;
use crate::Stage;
use crate::tls::{Endpoint, Ever, backend, expect_served, host, surroundings};

pub(super) fn drift(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, namespace) = (host(stage, "web")?, stage.name.clone());
    let standin = StandIn::start()?;
    let zone = standin.seed_zone(&surroundings(stage)?.zone);
    stage.set("TF_VAR_token", standin.token());
    let kubeconfig = stage.surroundings.kubeconfig.display().to_string();
    let mut orders = Ever::of(stage, "orders.acme.cert-manager.io")?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?.more("dns = {}");
    configure(stage, &standin.base_url(), &kubeconfig, &endpoint.hcl(stage)?)?;
    stage.apply()?.ok()?;
    let serial = stage.expect_state("ffe_tls_endpoint.web")?["certificate_status"]["serial"].clone();

    // Each is seen, named, and put right, and nothing is ordered for it.
    let remove = |kind: &'static str, name: &'static str| vec!["delete", kind, name];
    let headers = r#"[{"op": "replace", "path": "/spec/headers/customFrameOptionsValue", "value": "ALLOWALL"}]"#;
    let backends =
        r#"[{"op": "replace", "path": "/spec/rules/0/http/paths/0/backend/service/name", "value": "other"}]"#;
    let label = r#"[{"op": "replace", "path": "/spec/groups/0/rules/0/labels/severity", "value": "none"}]"#;
    for change in [
        remove("ingress", "web-http"),
        vec!["patch", "middlewares.traefik.io", "web-headers", "--type=json", "-p", headers],
        vec!["patch", "ingress", "web", "--type=json", "-p", backends],
        vec!["patch", "prometheusrule", "web-certificate", "--type=json", "-p", label],
        remove("issuer", "web"),
        remove("certificate", "web-tls"),
    ] {
        let told = change.join(" ");
        stage.kube.run(&[&["-n", &namespace][..], &change].concat())?.ok()?;
        let plan = stage.plan()?;
        let of_it = &plan["resource_changes"][0]["change"];
        ensure!(of_it["actions"] == serde_json::json!(["update"]), "{told}: {of_it:#}");
        let drifted = of_it["before"]["drifted"].to_string();
        ensure!(drifted.contains(change[2]), "{told}: {drifted}");
        stage.apply()?.ok().with_context(|| told.clone())?;
        stage.expect_empty_plan().with_context(|| told.clone())?;
        expect_served(stage, &web).with_context(|| told.clone())?;
    }
    let answer = expect_served(stage, &web)?;
    ensure!(answer.header("x-frame-options") == Some("DENY"), "{answer:?}");
    let now = stage.expect_state("ffe_tls_endpoint.web")?["certificate_status"]["serial"].clone();
    ensure!(now == serial && orders.seen("")?.len() == 1, "it was ordered anew: {:?}", orders.seen("")?);

    // All of it is gone with its namespace: the destroy takes away what lies elsewhere.
    ensure!(standin.records(&zone).len() == 1, "{:?}", standin.records(&zone));
    stage.kube.run(&["delete", "namespace", &namespace, "--wait=true"])?.ok()?;
    stage.destroy()?.ok()?;
    ensure!(standin.records(&zone).is_empty(), "{:?}", standin.records(&zone));
    Ok(())
}
