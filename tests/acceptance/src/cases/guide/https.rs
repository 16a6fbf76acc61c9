//! The guide about HTTPS and the runbook for it: every configuration is one, every command says something.

use anyhow::{Context as _, Result, ensure};

use crate::tls::{Endpoint, SOON, apply, backend, host, surroundings};
use crate::{Stage, guide};

/// The configurations are what the provider's schema and checks take.
pub(super) fn configurations(stage: &mut Stage) -> Result<()> {
    let text = guide::https(&stage.surroundings.root)?;
    let all = guide::configurations(&text);
    ensure!(all.len() >= 8, "the guide has {} configurations", all.len());
    for body in all {
        let mut variables: Vec<&str> = body
            .split("var.")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next())
            .collect();
        variables.sort_unstable();
        variables.dedup();
        let declared: String =
            variables.iter().map(|name| format!("variable \"{name}\" {{ ephemeral = true }}\n")).collect();
        stage.configure_with(&format!("{declared}\n{body}"))?;
        stage.terraform(&["validate", "-no-color"])?.ok().with_context(|| body.to_owned())?;
        std::fs::write(stage.folder.join("main.tf"), body)?;
        stage.terraform(&["fmt", "-check", "-diff"])?.ok().with_context(|| body.to_owned())?;
    }
    Ok(())
}

/// A certificate that is issued, and one that waits for a name that does not resolve.
const WAITING: &str = "
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: { name: waiting }
spec: { secretName: waiting, dnsNames: [HOST], issuerRef: { name: web } }
";

pub(super) fn commands(stage: &mut Stage) -> Result<()> {
    let tls = surroundings(stage)?;
    let root = stage.surroundings.root.clone();
    let (trouble, https) = (guide::trouble(&root)?, guide::https(&root)?);
    // The guide's end with what takes everything down.
    let mut all = guide::commands(&trouble);
    all.extend(guide::commands_in_tables(&trouble));
    all.extend(guide::commands(&https));
    ensure!(all.len() > 30, "guide and runbook have {} commands", all.len());

    backend(stage)?;
    let web = host(stage, "web")?;
    Endpoint::new(stage, "web", &[&web])?.configure(stage)?;
    stage.apply()?.ok()?;
    apply(stage, &WAITING.replace("HOST", &format!("web.{}.missing.{}", stage.name, tls.zone)))?;
    let namespace = stage.name.clone();
    stage.kube.until("the other one has a challenge", SOON, |kube| {
        Ok(!kube.names(&namespace, "challenges.acme.cert-manager.io")?.is_empty())
    })?;
    checked(stage, &https)?;
    // Who types these commands resolves the names, and trusts the authorities.
    let bundle = stage.side("roots")?.join("bundle.pem");
    std::fs::write(&bundle, [std::fs::read(&tls.authority)?, std::fs::read(&tls.roots)?].concat())?;
    let head = format!(
        "set -eo pipefail\nmount --bind {} /etc/resolv.conf\nexport CURL_CA_BUNDLE={}\n",
        tls.resolv_conf.display(),
        bundle.display()
    );
    let script = stage.side("typed")?.join("command.sh");
    for command in &all {
        let typed = command
            .replace("NAMESPACE", &namespace)
            .replace("NAME", "web")
            .replace("HOST", &web)
            .replace("ZONE", &format!("caa.{}", tls.zone))
            .replace("SERVER", &tls.directory);
        let output = if let Some(arguments) = typed.strip_prefix("terraform ") {
            terraform(stage, arguments)?
        } else {
            std::fs::write(&script, format!("{head}{typed}\n"))?;
            stage.shell(&format!("unshare --mount bash {}", script.display()))?
        };
        ensure!(output.code == 0, "{typed}\n{}", output.text());
        ensure!(!output.text().trim().is_empty(), "{typed} says nothing");
    }
    ensure!(stage.state("ffe_tls_endpoint.web")?.is_none(), "the guide does not end with its removal");
    Ok(())
}

/// The guide's check of a certificate: nothing is said of a good one, and the cause of another.
fn checked(stage: &mut Stage, guide: &str) -> Result<()> {
    let endpoint = std::fs::read_to_string(stage.folder.join("main.tf"))?;
    let check = guide::configurations(guide).into_iter().find(|body| body.contains("data \"ffe_certificate\""));
    let check = check.context("the guide has no check of a certificate")?.replace("production", &stage.name);
    let main = stage.folder.join("main.tf");
    std::fs::write(&main, format!("{endpoint}\n{}", check.replace("api-tls", "web-tls")))?;
    let good = stage.apply()?.ok()?;
    ensure!(!good.text().contains("Check block"), "{}", good.text());
    std::fs::write(&main, format!("{endpoint}\n{}", check.replace("api-tls", "waiting")))?;
    let kube = stage.kube.clone();
    kube.until("the check says why the other one is not issued", SOON, |_| {
        let told = stage.apply()?.ok()?.flat();
        Ok(told.contains("Check block assertion failed")
            && told.contains("does not resolve: ")
            && told.contains("Make an A, AAAA or CNAME record for"))
    })?;
    std::fs::write(&main, endpoint)?;
    Ok(())
}

/// A command of terraform, answered with yes.
fn terraform(stage: &mut Stage, arguments: &str) -> Result<crate::Output> {
    let mut arguments: Vec<&str> = arguments.split_whitespace().collect();
    match arguments.first() {
        Some(&("apply" | "destroy")) => arguments.push("-auto-approve"),
        // What was made by hand is in no state.
        Some(&"import") => stage.forget_state()?,
        _ => {}
    }
    stage.terraform(&arguments)
}
