//! Dumps on an SFTP server: rclone's own, which stands for any other, in a pod of the namespace.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::{filled, is_as};
use crate::cases::failures::schema;
use crate::cases::kills::journal;
use crate::cases::lifecycle::stack;
use crate::{Stage, program, run};

/// A pod that serves a scratch volume, at the address `sftp:2022`.
const SERVER: &str = r#"
apiVersion: v1
kind: Service
metadata: { name: sftp, namespace: NAMESPACE }
spec: { selector: { app: sftp }, ports: [{ port: 2022 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: sftp, namespace: NAMESPACE, labels: { app: sftp } }
spec:
  terminationGracePeriodSeconds: 1
  securityContext: { runAsNonRoot: true, runAsUser: 999, fsGroup: 999, seccompProfile: { type: RuntimeDefault } }
  volumes: [{ name: data, emptyDir: {} }, { name: keys, secret: { secretName: sftp-server, defaultMode: 0440 } }]
  containers:
  - name: sftp
    image: ffe-postgres:15
    command: [rclone, serve, sftp, /data, --addr, ":2022", --key, /keys/host, --authorized-keys, /keys/authorized]
    env: [{ name: RCLONE_CONFIG, value: "" }]
    resources: { requests: { cpu: 10m, memory: 64Mi }, limits: { cpu: 500m, memory: 256Mi } }
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
    readinessProbe: { tcpSocket: { port: 2022 }, periodSeconds: 1 }
    volumeMounts: [{ name: data, mountPath: /data }, { name: keys, mountPath: /keys }]
"#;

/// A pair of keys: the private one as OpenSSH writes it, and the public one on a line.
fn pair(folder: &Path, name: &str) -> Result<(String, String)> {
    let path = folder.join(name);
    let mut make = program("/usr/bin/ssh-keygen");
    run(make.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&path))?.ok()?;
    let public = std::fs::read_to_string(path.with_extension("pub"))?;
    Ok((std::fs::read_to_string(&path)?, public.trim().to_owned()))
}

fn secret(stage: &Stage, name: &str, content: &[(&str, &str)]) -> Result<()> {
    let lines: String = content
        .iter()
        .map(|(key, value)| format!("  {key}: {}\n", serde_json::to_string(value).unwrap_or_default()))
        .collect();
    stage.kube.apply(&format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{ name: {name}, namespace: {} }}\nstringData:\n{lines}",
        stage.name
    ))
}

/// The stack with a dump on the server before each migration.
fn backed_up(stage: &Stage, tag: &str) -> String {
    let backup = r#"migration = {
    backup    = "always"
    backup_to = {
      rclone_image = "ffe-postgres:15"
      rclone = {
        backend = "sftp"
        path    = "/my backups/dev"
        options = { host = "sftp", port = "2022", user = "backup" }
        secret  = "sftp"
      }
    }"#;
    stack(stage, tag, "").replace("migration = {", backup)
}

pub(super) fn with_host_keys(stage: &mut Stage) -> Result<()> {
    let keys = tempfile::tempdir()?;
    let ((host, host_line), (own, own_line)) = (pair(keys.path(), "host")?, pair(keys.path(), "own")?);
    let (_, other_line) = pair(keys.path(), "other")?;
    stage.configure(&stack(stage, "1.0.0", "").replace("migration = {", "migration = {\n    backup = \"never\""))?;
    stage.apply()?.ok()?;
    secret(stage, "sftp-server", &[("host", &host), ("authorized", &own_line)])?;
    stage.kube.apply(&SERVER.replace("NAMESPACE", &stage.name))?;
    stage.kube.until("the SFTP server is ready", Duration::from_secs(120), |kube| {
        let pod = kube.get(&["pod", "sftp", "-n", &stage.name])?.context("no pod sftp")?;
        Ok(pod["status"]["containerStatuses"][0]["ready"] == true)
    })?;

    // Nobody says which server it is, or somebody says that it is another one: nothing is changed, and nothing is shown.
    let key = own.lines().nth(1).context("a key of several lines")?.to_owned();
    let another = format!("[sftp]:2022 {other_line}");
    for (known, says) in [
        (None, &["ssh-keyscan -p PORT HOST", "under the key known_hosts"][..]),
        (Some(another.as_str()), &["knownhosts: key mismatch"]),
    ] {
        let mut content = vec![("RCLONE_CONFIG_STORE_KEY_PEM", own.as_str())];
        content.extend(known.map(|line| ("known_hosts", line)));
        secret(stage, "sftp", &content)?;
        stage.configure(&backed_up(stage, "1.1.0"))?;
        let output = stage.apply()?.failed_with(&["The backup before the migration failed", "Nothing was changed"])?;
        let output = output.says(says)?;
        ensure!(!output.text().contains(&key), "the private key is shown");
        ensure!(schema(stage)? == "0003_positions", "the schema is at {}", schema(stage)?);
    }
    secret(
        stage,
        "sftp",
        &[("RCLONE_CONFIG_STORE_KEY_PEM", &own), ("known_hosts", &format!("[sftp]:2022 {host_line}"))],
    )?;
    let content = filled(stage)?;
    stage.configure(&backed_up(stage, "1.1.0"))?;
    stage.apply()?.ok()?;
    stage.expect_empty_plan()?;
    let journal = journal(&stage.kube, &stage.name, "ffe-backend")?.context("no journal")?;
    let last = journal["runs"].as_array().and_then(|runs| runs.last()).context("no run in the journal")?;
    let location = last["backup"]["location"].as_str().unwrap_or_default();
    ensure!(location.starts_with("sftp:/my backups/dev/"), "{location}");
    let file = location.trim_start_matches("sftp:");
    let look = ["exec", "-n", &stage.name, "sftp", "--", "ls", &format!("/data{file}")];
    stage.kube.run(&look)?.ok()?;

    // What was there before the migration comes back by the command of the journal.
    ensure!(schema(stage)? == "0004_feedback", "the schema is at {}", schema(stage)?);
    let restore = last["restore"].as_str().context("no restore command")?.to_owned();
    stage.shell(&restore)?.ok()?;
    ensure!(schema(stage)? == "0003_positions", "the restore did not bring the schema back: {}", schema(stage)?);
    is_as(stage, &content)?;
    let text = journal.to_string();
    ensure!(!text.contains(&key), "the private key is in the journal");
    stage.destroy()?.ok().map(|_| ())
}
