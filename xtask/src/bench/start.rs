//! From the start of the plugin's process to its answer with the schema.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

use super::report::Start;
use super::usage;

/// What Terraform says so that a plugin knows who starts it.
const COOKIE: (&str, &str) =
    ("TF_PLUGIN_MAGIC_COOKIE", "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2");

/// Starts the plugin several times, one after the other. Without TLS, which adds the same to every plugin.
pub(super) fn measure(plugin: &Path, runs: usize) -> Result<Start> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut times = Vec::new();
    let mut sizes = Vec::new();
    for _ in 0..runs {
        let (time, size) = runtime.block_on(once(plugin))?;
        times.push(time);
        sizes.push(size);
    }
    Ok(Start { schema: usage::middle(&times, |time| *time), resident: usage::middle(&sizes, |size| *size) })
}

async fn once(plugin: &Path) -> Result<(Duration, u64)> {
    let started = Instant::now();
    let mut child = Command::new(plugin)
        .env(COOKIE.0, COOKIE.1)
        .env("PLUGIN_PROTOCOL_VERSIONS", "6")
        .env_remove("PLUGIN_CLIENT_CERT")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", plugin.display()))?;
    let stdout = child.stdout.take().context("the plugin has no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).await?;
    let socket = line.split('|').nth(3).with_context(|| format!("the plugin said {line:?} instead of its address"))?;
    ask(socket).await?;
    let time = started.elapsed();
    let size = child.id().and_then(usage::resident).context("the plugin is gone")?;
    child.kill().await?;
    // Killed, it could not remove it itself.
    let _ = std::fs::remove_file(socket);
    Ok((time, size))
}

/// One call: an empty message, and the answer read to its end.
async fn ask(socket: &str) -> Result<()> {
    let stream = UnixStream::connect(socket).await?;
    let window = 16 << 20;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .initial_connection_window_size(window)
        .handshake::<_, Bytes>(stream)
        .await?;
    let connection = tokio::spawn(connection);
    let request = http::Request::post("http://localhost/tfplugin6.Provider/GetProviderSchema")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())?;
    let (answer, mut message) = client.ready().await?.send_request(request, false)?;
    message.send_data(Bytes::from_static(&[0; 5]), true)?;
    let mut body = answer.await?.into_body();
    let mut size = 0;
    while let Some(part) = body.data().await {
        size += part?.len();
    }
    let trailers = body.trailers().await?;
    let status = trailers.as_ref().and_then(|trailers| trailers.get("grpc-status")).map(http::HeaderValue::as_bytes);
    ensure!(size > 5 && status == Some(b"0".as_slice()), "the plugin answered the schema call with status {status:?}");
    connection.abort();
    Ok(())
}
