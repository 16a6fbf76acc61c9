//! From nothing to nothing, and again: a certificate by HTTP-01 through the ingress controller.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::Stage;
use crate::tls::{
    Endpoint, Ever, SOON, ask, backend, expect_gone, expect_headers, expect_outcomes, expect_own_policy, expect_served,
    host, objects, surroundings,
};

pub(super) fn http01(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, api) = (host(stage, "web")?, host(stage, "api")?);
    let (node, mut orders) = (surroundings(stage)?.node_ip, Ever::of(stage, "orders.acme.cert-manager.io")?);
    let checks = "checks = [{ path = \"/secret\", bearer_wo = \"let-me-in\" }, { path = \"/secret\", status = 401 }]";
    let endpoint = Endpoint::new(stage, "web", &[&web, &api])?.verify(checks);
    endpoint.configure(stage)?;
    stage.apply()?.ok()?;

    // As a client sees it, without the provider's eyes.
    for host in [&web, &api] {
        let answer = expect_served(stage, host)?;
        expect_headers(&answer).and_then(|()| expect_own_policy(&answer)).with_context(|| host.clone())?;
    }
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    let urls = json!([format!("https://{web}"), format!("https://{api}")]);
    ensure!(state["url"] == urls[0] && state["urls"] == urls && state["address"] == json!(node), "{state:#}");
    let certificate = &state["certificate_status"];
    ensure!(certificate["ready"] == true && certificate["sans"] == json!([web, api]), "{certificate:#}");
    ensure!(certificate["issuer"].as_str().is_some_and(|issuer| issuer.contains("Pebble")), "{certificate:#}");
    for text in ["not_before", "not_after", "renewal_time", "serial", "fingerprint_sha256"] {
        ensure!(certificate[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {certificate:#}");
    }
    let headers = ["Strict-Transport-Security", "X-Content-Type-Options"];
    let headers = headers.map(|name| format!("header {name}"));
    let mut expected = vec!["chain", "names", "status", "redirect", "certificate"];
    expected.extend(headers.iter().map(String::as_str));
    expect_outcomes(&state, &api, "passed", &expected)?;
    expected.push("check /secret");
    expect_outcomes(&state, &web, "passed", &expected)?;
    stage.expect_empty_plan()?;

    // Other settings: in place, and without another order.
    let limited = endpoint.more(
        "security = { hsts_max_age = 3600, hsts_subdomains = true, frame_options = \"SAMEORIGIN\", requests_per_minute = 20 }",
    );
    limited.configure(stage)?;
    ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.web".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let answer = expect_served(stage, &web)?;
    ensure!(answer.header("strict-transport-security") == Some("max-age=3600; includeSubDomains"), "{answer:?}");
    ensure!(answer.header("x-frame-options") == Some("SAMEORIGIN"), "{answer:?}");
    let mut seen = None;
    let refused = stage.kube.until("a refusal of 40 requests at once", SOON, |_| {
        Ok((0..40).any(|_| {
            let answer = ask(stage, &format!("https://{web}/health"));
            let refused = answer.as_ref().is_ok_and(|answer| answer.status == 429);
            seen = Some(answer);
            refused
        }))
    });
    refused.with_context(|| format!("{seen:?}"))?;
    let now = stage.expect_state("ffe_tls_endpoint.web")?["certificate_status"].clone();
    ensure!(now["serial"] == certificate["serial"], "another certificate: {now:#}");
    ensure!(orders.seen("")?.len() == 1, "{:?}", orders.seen("")?);

    // What is ours goes; the certificate and the account's key stay, and an endpoint made anew orders nothing.
    stage.destroy()?.ok()?;
    expect_gone(stage, &["web-account", "web-tls"])?;
    endpoint.more("keep_secret = false").configure(stage)?;
    stage.apply()?.ok()?;
    let again = stage.expect_state("ffe_tls_endpoint.web")?["certificate_status"].clone();
    ensure!(again["serial"] == certificate["serial"], "another certificate: {again:#}");
    expect_served(stage, &web)?;
    ensure!(orders.seen("")?.len() == 1, "it was ordered anew: {:?}", orders.seen("")?);
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    expect_gone(stage, &[])
}

/// The dialect of ingress-nginx, as far as Traefik speaks it: the certificate and the redirect. What it cannot do is in the
/// plan; so it is for a class that ingress-nginx itself serves, whose administrator can.
pub(super) fn nginx(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, class) = (host(stage, "web")?, stage.name.clone());
    stage.afterwards(&format!("kubectl delete ingressclass {class} --ignore-not-found"));
    stage.kube.apply(&format!(
        "
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{ name: {class}, labels: {{ app.kubernetes.io/name: ingress-nginx }} }}
spec: {{ controller: k8s.io/ingress-nginx }}
"
    ))?;
    let endpoint = Endpoint::new(stage, "web", &[&web])?;
    endpoint.clone().class(format!("ingress_class = \"{class}\"")).configure(stage)?;
    let plan = stage.terraform(&["plan", "-no-color", "-input=false"])?.ok()?;
    let plan = plan.says(&[
        "ingress-nginx is retired",
        "security.hsts_max_age is up to the administrator of ingress-nginx",
        "security.content_type_nosniff is up to the administrator of ingress-nginx",
    ])?;
    ensure!(plan.text().matches("Warning:").count() == 1, "one message with a list: {}", plan.text());
    stage.kube.run(&["delete", "ingressclass", &class])?.ok()?;

    endpoint.class("ingress_class = \"nginx\"").configure(stage)?;
    let applied = stage.apply()?.ok()?;
    applied.says(&["security.hsts_max_age has no effect with Traefik's ingress-nginx provider"])?;
    let answer = expect_served(stage, &web)?;
    ensure!(answer.header("strict-transport-security").is_none(), "nobody promised that: {answer:?}");
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    expect_outcomes(&state, &web, "passed", &["chain", "names", "status", "redirect"])?;
    expect_outcomes(&state, &web, "skipped", &["header Strict-Transport-Security", "header X-Content-Type-Options"])?;
    let ingress = stage.kube.get(&["ingress", "-n", &stage.name, "web"])?.unwrap_or_default();
    ensure!(ingress["spec"]["ingressClassName"] == "nginx", "{ingress:#}");
    ensure!(!ingress.to_string().contains("snippet"), "a snippet: {ingress:#}");
    ensure!(objects(stage, "ingresses,middlewares.traefik.io")?.len() == 1, "one ingress is enough");
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    expect_gone(stage, &["web-account", "web-tls"])
}
