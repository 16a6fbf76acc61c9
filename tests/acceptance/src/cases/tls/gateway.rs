//! Routes of the Gateway API, with a listener of the endpoint's own on a Gateway that others use.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value as Json;

use crate::Stage;
use crate::tls::{Endpoint, backend, expect_gone, expect_headers, expect_outcomes, expect_served, host, objects};

const GATEWAY: &str = "\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { namespace: traefik, name: shared }
spec:
  gatewayClassName: traefik
";

/// The listeners of the Gateway that are the testbed's, and this case's of somebody else.
fn of_others(stage: &Stage) -> Result<Vec<Json>> {
    let theirs = ["http".to_owned(), stage.name.clone()];
    Ok(listeners(stage)?.into_iter().filter(|one| theirs.iter().any(|name| one["name"] == name.as_str())).collect())
}

fn listeners(stage: &Stage) -> Result<Vec<Json>> {
    let gateway = stage.kube.get(&["gateway", "-n", "traefik", "shared"])?.context("no Gateway")?;
    Ok(gateway["spec"]["listeners"].as_array().cloned().unwrap_or_default())
}

/// Those for a host.
fn listeners_for(stage: &Stage, host: &str) -> Result<Vec<Json>> {
    Ok(listeners(stage)?.into_iter().filter(|one| one["hostname"] == host).collect())
}

pub(super) fn listener(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, other, namespace) = (host(stage, "web")?, host(stage, "other")?, stage.name.clone());
    let side = stage.side("gateway")?;
    let (empty, theirs) = (side.join("empty.yaml"), side.join("theirs.yaml"));
    std::fs::write(&empty, GATEWAY)?;
    let listener = format!(
        "  listeners:\n  - {{ name: {namespace}, hostname: {other}, port: 80, protocol: HTTP, \
         allowedRoutes: {{ namespaces: {{ from: Same }} }} }}\n"
    );
    std::fs::write(&theirs, format!("{GATEWAY}{listener}"))?;
    for manager in [namespace.clone(), format!("terraform-provider-ffe/{namespace}/web")] {
        let file = empty.display();
        stage.afterwards(&format!("kubectl apply --server-side --field-manager={manager} -f {file}"));
    }
    let manager = format!("--field-manager={namespace}");
    stage.kube.run(&["apply", "--server-side", &manager, "-f", &theirs.to_string_lossy()])?.ok()?;
    let before = of_others(stage)?;
    ensure!(before.len() == 2, "{before:#?}");

    // Without a listener it is said which is missing, and with which Secret.
    let shared = |manage: bool| {
        format!("gateway = {{ name = \"shared\", namespace = \"traefik\", manage_listener = {manage} }}")
    };
    let endpoint = Endpoint::new(stage, "web", &[&web])?.class(shared(false));
    endpoint.configure(stage)?;
    let secret = format!("{namespace}/web-tls");
    stage.apply()?.failed_with(&["Gateway traefik/shared", "listener", &web, &secret, "manage_listener"])?;
    ensure!(objects(stage, "httproutes,certificates")?.is_empty(), "something was made all the same");

    let endpoint = endpoint.class(shared(true));
    endpoint.configure(stage)?;
    stage.apply()?.ok()?;
    expect_headers(&expect_served(stage, &web)?)?;
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    expect_outcomes(
        &state,
        &web,
        "passed",
        &["chain", "names", "status", "redirect", "header X-Content-Type-Options"],
    )?;
    ensure!(objects(stage, "ingresses")?.is_empty(), "an Ingress beside the routes");
    let ours = listeners_for(stage, &web)?;
    ensure!(ours.len() == 1 && ours[0]["tls"]["certificateRefs"][0]["name"] == "web-tls", "{ours:#?}");
    ensure!(of_others(stage)? == before, "the listeners of others: {:#?}", listeners(stage)?);
    stage.expect_empty_plan()?;

    // Somebody takes the listener away: the plan says so, and the apply puts it back.
    let ours = format!("--field-manager=terraform-provider-ffe/{namespace}/web");
    stage.kube.run(&["apply", "--server-side", &ours, "-f", &empty.to_string_lossy()])?.ok()?;
    ensure!(listeners_for(stage, &web)?.is_empty(), "{:#?}", listeners(stage)?);
    ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.web".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    expect_served(stage, &web)?;
    stage.expect_empty_plan()?;

    stage.destroy()?.ok()?;
    ensure!(listeners_for(stage, &web)?.is_empty(), "our listener stays: {:#?}", listeners(stage)?);
    ensure!(of_others(stage)? == before, "the listeners of others: {:#?}", listeners(stage)?);
    expect_gone(stage, &["web-account", "web-tls"])
}

/// Endpoints that share a Gateway do not know each other; and one moves there from an ingress class and back.
pub(super) fn shared(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (one, two, namespace) = (host(stage, "one")?, host(stage, "two")?, stage.name.clone());
    let empty = stage.side("gateway")?.join("empty.yaml");
    std::fs::write(&empty, GATEWAY)?;
    for name in ["one", "two"] {
        let (manager, file) = (format!("terraform-provider-ffe/{namespace}/{name}"), empty.display());
        stage.afterwards(&format!("kubectl apply --server-side --field-manager={manager} -f {file}"));
    }
    let gateway = "gateway = { name = \"shared\", namespace = \"traefik\", manage_listener = true }";
    let internal = |host: &str, name: &str| {
        Ok::<_, anyhow::Error>(Endpoint::new(stage, name, &[host])?.issuer("self_signed = {}"))
    };
    let (first, second) = (internal(&one, "one")?, internal(&two, "two")?.class(gateway));
    let write = |stage: &Stage, all: &[&Endpoint]| {
        let all = all.iter().map(|endpoint| endpoint.hcl(stage)).collect::<Result<Vec<_>>>()?;
        stage.configure(&all.concat())
    };
    write(stage, &[&first.clone().class(gateway), &second])?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let count =
        |stage: &Stage| Ok::<_, anyhow::Error>((listeners_for(stage, &one)?.len(), listeners_for(stage, &two)?.len()));
    ensure!(count(stage)? == (1, 1), "{:#?}", listeners(stage)?);
    let serial = stage.expect_state("ffe_tls_endpoint.one")?["certificate_status"]["serial"].clone();

    // To an ingress class: the routes and the listener of the one go, the other's stay; the certificate is the same.
    write(stage, &[&first, &second])?;
    ensure!(stage.planned_actions()? == [("ffe_tls_endpoint.one".to_owned(), "update".to_owned())]);
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(count(stage)? == (0, 1), "{:#?}", listeners(stage)?);
    let routes = objects(stage, "httproutes,ingresses")?;
    let of = |kind: &str, name: &str| routes.iter().filter(|one| one.starts_with(kind) && one.contains(name)).count();
    ensure!(of("httproute", "/one") == 0 && of("ingress", "/one") == 2 && of("httproute", "/two") == 2, "{routes:?}");
    let now = stage.expect_state("ffe_tls_endpoint.one")?["certificate_status"]["serial"].clone();
    ensure!(now == serial, "another certificate: {now}");

    // And back.
    write(stage, &[&first.clone().class(gateway), &second])?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    ensure!(objects(stage, "ingresses,middlewares.traefik.io")?.is_empty(), "{:?}", objects(stage, "ingresses")?);
    write(stage, &[&first.clone().class(gateway)])?;
    stage.apply()?.ok()?;
    ensure!(count(stage)? == (1, 0), "{:#?}", listeners(stage)?);
    stage.expect_empty_plan()?;
    stage.destroy()?.ok()?;
    ensure!(count(stage)? == (0, 0), "{:#?}", listeners(stage)?);
    expect_gone(stage, &["one-tls", "two-tls"])
}
