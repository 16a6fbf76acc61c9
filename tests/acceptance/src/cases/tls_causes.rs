//! Why a certificate is not issued: each cause is brought about for real, and terraform's error names it and its remedy, as
//! soon as the chain shows it. Then the cause is mended, and the next apply goes on at once.

mod authority;
mod away;
mod dns;
mod issuer;
mod solver;

use anyhow::{Context as _, Result, ensure};

use crate::command::Output;
use crate::tls::{Endpoint, expect_served};
use crate::{Case, Stage, When, guide};

pub(super) const CASES: &[Case] = &[
    Case { name: "tls_causes::issuer_missing", when: When::Always, run: issuer::missing },
    Case { name: "tls_causes::rate_limited", when: When::Always, run: authority::rate_limited },
    Case { name: "tls_causes::caa", when: When::Full, run: authority::caa },
    Case { name: "tls_causes::name_refused", when: When::Full, run: authority::name_refused },
    Case { name: "tls_causes::issuer_not_ready", when: When::Full, run: issuer::not_ready },
    Case { name: "tls_causes::issuer_without_its_secret", when: When::Full, run: issuer::without_its_secret },
    Case { name: "tls_causes::token_refused", when: When::Full, run: dns::token_refused },
    Case { name: "tls_causes::token_refused_by_cloudflare", when: When::Full, run: dns::refused_by_cloudflare },
    Case { name: "tls_causes::wrong_zone", when: When::Full, run: dns::wrong_zone },
    Case { name: "tls_causes::dns_missing", when: When::Full, run: dns::missing },
    Case { name: "tls_causes::port_80_closed", when: When::Full, run: solver::port_closed },
    Case { name: "tls_causes::solver_of_no_class", when: When::Full, run: solver::no_class },
    Case { name: "tls_causes::solver_that_nobody_serves", when: When::Full, run: solver::nobody_serves },
    Case { name: "tls_causes::solver_for_other_names", when: When::Full, run: solver::other_names },
    Case { name: "tls_causes::webhook_away", when: When::Full, run: away::webhook },
    Case { name: "tls_causes::cert_manager_away", when: When::Full, run: away::controller },
];

/// The resource of all configurations here.
const WEB: &str = "ffe_tls_endpoint.web";

/// Applies what must fail for a cause: the error has it with these sentences, and the wait ended because of what the chain
/// shows.
fn fails(stage: &mut Stage, cause: &str, sentences: &[&str]) -> Result<Output> {
    let output = stage.apply()?.failed_with(&[&format!(": {cause}: "), "What to do:"])?.says(sentences)?;
    // The runbook says the same.
    let runbook = guide::trouble(&stage.surroundings.root)?;
    let told = guide::parts_about(&runbook, cause).with_context(|| format!("the runbook has no row about {cause}"))?;
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let output = output.says(&told)?;
    for late in ["was not reached within", "Error: Timed out"] {
        ensure!(!output.flat().contains(late), "it waited out its time:\n{}", output.text());
    }
    Ok(output)
}

/// The same for what is made for the first time: nothing of it is in the state, and the error lists what is in the cluster,
/// in commands that hold. Returns those.
fn creation_fails(stage: &mut Stage, cause: &str, sentences: &[&str]) -> Result<Vec<String>> {
    let output = fails(stage, cause, sentences)?;
    let unfinished =
        format!("Nothing is in the state. These remain, marked as an unfinished endpoint {}/web", stage.name);
    let output = output.says(&[&unfinished])?;
    ensure!(stage.state(WEB)?.is_none(), "a failed create is in the state");
    let text = output.text();
    let lines = text.lines().map(|line| line.trim_start_matches(['│', ' ']));
    let commands: Vec<String> = lines.filter(|line| line.starts_with("kubectl delete ")).map(str::to_owned).collect();
    ensure!(!commands.is_empty(), "the error does not say how to remove what remains:\n{text}");
    for command in &commands {
        // Looked at instead of removed.
        stage.shell(&command.replacen("kubectl delete", "kubectl get", 1))?.ok()?;
    }
    ensure!(stage.planned_actions()? == [(WEB.to_owned(), "create".to_owned())]);
    Ok(commands)
}

/// Applies what was mended: it goes on at once, whatever time cert-manager would have waited, and is served.
fn converges(stage: &mut Stage, endpoint: &Endpoint) -> Result<()> {
    stage.apply()?.ok()?;
    for host in &endpoint.hosts {
        expect_served(stage, host)?;
    }
    let status = stage.expect_state(WEB)?["certificate_status"].clone();
    ensure!(status["ready"] == true, "{status:#}");
    stage.expect_empty_plan()
}

/// An issuer of somebody else: the testbed's ACME server, with what a solver says beside HTTP-01 through Traefik.
fn issuer_of_theirs(stage: &Stage, name: &str, more: &str) -> Result<()> {
    use base64::Engine as _;
    let tls = crate::tls::surroundings(stage)?;
    let authority = base64::engine::general_purpose::STANDARD.encode(std::fs::read(&tls.authority)?);
    crate::tls::apply(
        stage,
        &format!(
            "
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{ name: {name} }}
spec:
  acme:
    server: {directory}
    caBundle: {authority}
    privateKeySecretRef: {{ name: {name}-account }}
    solvers: [{{ {more}http01: {{ ingress: {{ ingressClassName: traefik }} }} }}]
",
            directory = tls.directory
        ),
    )
}
