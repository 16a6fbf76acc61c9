//! From where an endpoint is looked at: by its name, at its address where the name is not known here, and from inside the
//! cluster.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use anyhow::{Result, ensure};

use crate::Stage;
use crate::tls::{Endpoint, apply, backend, expect_gone, expect_outcomes, host, set_address, surroundings};

/// A pod in front of the ingress controller, as the controller's own pod would be.
const DOOR: &str = r#"
apiVersion: v1
kind: Pod
metadata: { name: door, labels: { app: door } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: door
    image: ffe-backend:1.0.0
    readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 }
    command: [python3, -c]
    args:
    - |
      import asyncio
      async def copy(reader, writer):
        while data := await reader.read(65536):
          writer.write(data)
          await writer.drain()
        writer.close()
      def to(port):
        async def serve(reader, writer):
          there, back = await asyncio.open_connection("NODE", port)
          await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)
        return serve
      async def main():
        servers = [await asyncio.start_server(to(port), "", 8000 + port) for port in (80, 443)]
        await asyncio.gather(*(server.serve_forever() for server in servers))
      asyncio.run(main())
---
apiVersion: v1
kind: Service
metadata: { name: door }
spec:
  selector: { app: door }
  ports: [{ name: web, port: 80, targetPort: 8080 }, { name: websecure, port: 443, targetPort: 8443 }]
"#;

/// An address of this machine at which nobody listens.
const NOBODY: &str = "127.0.0.203";

/// A terraform that resolves names as the testbed's DNS server does. Only what it starts sees that.
fn knowing_names(stage: &mut Stage) -> Result<()> {
    let known = surroundings(stage)?.resolv_conf;
    let script = format!(
        "#!/bin/sh\nexec unshare --mount sh -ec 'mount --bind \"$0\" /etc/resolv.conf; exec \"$@\"' {} {} \"$@\"\n",
        known.display(),
        stage.surroundings.terraform.display()
    );
    let path = stage.side("bin")?.join("terraform");
    std::fs::write(&path, script)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    let mut surroundings = stage.surroundings.as_ref().clone();
    surroundings.terraform = path;
    stage.surroundings = Arc::new(surroundings);
    Ok(())
}

pub(super) fn all(stage: &mut Stage) -> Result<()> {
    backend(stage)?;
    let (web, node) = (host(stage, "web")?, surroundings(stage)?.node_ip);
    apply(stage, &DOOR.replace("NODE", &node))?;
    let all = ["reachable", "names", "certificate", "status", "redirect", "header X-Content-Type-Options"];
    let endpoint = Endpoint::new(stage, "web", &[&web])?.issuer("self_signed = {}");

    // Nobody here knows the name: that is said, and it is looked at the address that the controller gave.
    endpoint.seen("").configure(stage)?;
    stage.apply()?.ok()?.says(&[&format!("{web} does not lead to the endpoint"), &format!("{web} A {node}")])?;
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    expect_outcomes(&state, &web, "failed", &["resolved"])?;
    expect_outcomes(&state, &web, "passed", &all)?;
    ensure!(state["verify_results"].to_string().contains(&format!("(at {node})")), "{state:#}");
    stage.expect_empty_plan()?;

    // Through the controller's pods.
    let inside =
        format!("from = \"inside\"\n    controller = {{ namespace = \"{}\", service = \"door\" }}", stage.name);
    endpoint.seen(inside).configure(stage)?;
    stage.apply()?.ok()?;
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    expect_outcomes(&state, &web, "passed", &all)?;
    let way = format!("(from inside the cluster, by service {}/door)", stage.name);
    ensure!(state["verify_results"].to_string().contains(&way), "{state:#}");
    stage.expect_empty_plan()?;

    // By its name.
    knowing_names(stage)?;
    endpoint.seen("from = \"here\"").configure(stage)?;
    let applied = stage.apply()?.ok()?;
    ensure!(!applied.text().contains("does not lead"), "{}", applied.text());
    let state = stage.expect_state("ffe_tls_endpoint.web")?;
    expect_outcomes(&state, &web, "passed", &all)?;
    expect_outcomes(&state, &web, "passed", &["resolved"])?;

    // An old record beside the right one: some clients go there.
    let two = host(stage, "two")?;
    for address in [node.as_str(), NOBODY] {
        set_address(stage, &two, address)?;
    }
    let split = Endpoint::new(stage, "two", &[&two])?.issuer("self_signed = {}").seen("");
    stage.configure(&format!("{}{}", endpoint.seen("from = \"here\"").hcl(stage)?, split.hcl(stage)?))?;
    stage.apply()?.failed_with(&[
        &format!("https://{two} is not as expected"),
        &format!("no connection to {two} ({NOBODY}:443)"),
        &format!("(at {NOBODY})"),
    ])?;
    stage.destroy()?.ok()?;
    expect_gone(stage, &["web-tls"])
}
