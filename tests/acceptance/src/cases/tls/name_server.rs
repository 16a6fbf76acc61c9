//! DNS records at a name server of one's own: the testbed's, by dynamic updates.

use anyhow::{Result, ensure};

use crate::tls::{Endpoint, backend, expect_gone, host, surroundings};
use crate::{Stage, program};

/// What the server has of a type, as dig writes it.
fn ask(stage: &Stage, name: &str, kind: &str) -> Result<Vec<String>> {
    let server = surroundings(stage)?.dns_server;
    let (address, port) = server.rsplit_once(':').unwrap_or((&server, "53"));
    let mut dig = program("dig");
    dig.args([&format!("@{address}"), "-p", port, "+tcp", "+short", name, kind]);
    let answer = crate::run(&mut dig)?.ok()?;
    Ok(answer.stdout.lines().map(str::to_owned).collect())
}

pub(super) fn records(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let web = host(stage, "web")?;
    let tls = surroundings(stage)?;
    let key = std::fs::read_to_string(&tls.key_secret)?.trim().to_owned();
    stage.set("TF_VAR_key", key.clone());
    let (address, port) = tls.dns_server.rsplit_once(':').unwrap_or((&tls.dns_server, "53"));
    let write = |stage: &Stage, dns: &str, verify: &str| -> Result<()> {
        let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("self_signed = {}").verify(verify).more(dns);
        stage.configure_with(&format!(
            r#"
variable "key" {{
  ephemeral = true
}}

provider "ffe" {{
  kubernetes = {{ config_path = "{kubeconfig}" }}
  rfc2136    = {{ server = "{address}", port = {port}, key_name = "{name}", key_secret = var.key }}
}}
{endpoint}"#,
            kubeconfig = stage.surroundings.kubeconfig.display(),
            name = tls.key_name,
            endpoint = endpoint.hcl(stage)?,
        ))
    };
    // Every name of the zone has an address by a wildcard: that is nobody's record of this host.
    write(stage, "dns = { provider = \"rfc2136\", target = \"192.0.2.1\" }", "enabled = false")?;
    stage.apply()?.ok()?;
    ensure!(ask(stage, &web, "A")? == ["192.0.2.1"], "{:?}", ask(stage, &web, "A")?);
    let mark = ask(stage, &format!("_ffe-owner.{web}"), "TXT")?;
    let owner = format!("managed by terraform-provider-ffe: {}/web@", stage.name);
    ensure!(mark.len() == 1 && mark[0].contains(&owner), "{mark:?}");
    ensure!(stage.expect_state("ffe_tls_endpoint.web")?["dns_records"][&web] == format!("{web} A 192.0.2.1"));
    stage.expect_empty_plan()?;

    // To the ingress itself, and looked at there.
    write(stage, "dns = { provider = \"rfc2136\" }", "")?;
    stage.apply()?.ok()?;
    ensure!(ask(stage, &web, "A")? == [tls.node_ip.as_str()], "{:?}", ask(stage, &web, "A")?);
    stage.expect_empty_plan()?;

    stage.destroy()?.ok()?;
    let left = ask(stage, &format!("_ffe-owner.{web}"), "TXT")?;
    ensure!(left.is_empty(), "the mark stays: {left:?}");
    expect_gone(stage, &["web-tls"])?;
    for entry in std::fs::read_dir(&stage.folder)? {
        let path = entry?.path();
        if path.is_file() {
            let found = String::from_utf8_lossy(&std::fs::read(&path)?).contains(&key);
            ensure!(!found, "the key is in {}", path.display());
        }
    }
    Ok(())
}
