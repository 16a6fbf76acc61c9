//! Asking a cluster by kubectl: independent of the provider's own code.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::process;

/// kubectl with one kubeconfig.
#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub(crate) fn new(program: PathBuf, kubeconfig: &Path) -> Kubectl {
        Kubectl { program, kubeconfig: kubeconfig.to_path_buf() }
    }

    /// A command, not run yet.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("KUBECONFIG", &self.kubeconfig).args(arguments);
        command
    }

    /// Runs a command and returns what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn output(&self, arguments: &[&str]) -> Result<String> {
        process::output(&mut self.command(arguments))
    }

    /// What tells one cluster from another: the identity of its namespace kube-system.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub(crate) fn cluster_identity(&self) -> Result<String> {
        self.output(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"])
    }

    /// Opens a way to a port of a service, as long as the value lives.
    ///
    /// # Errors
    /// When kubectl does not say within its own time that the way is open.
    pub(crate) fn forward(&self, namespace: &str, service: &str, port: u64) -> Result<Forward> {
        let target = format!("service/{service}");
        let ports = format!(":{port}");
        let mut command =
            self.command(&["port-forward", "--namespace", namespace, "--address", "127.0.0.1", &target, &ports]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut said = String::new();
        let mut stdout = child.stdout.take().map(BufReader::new);
        if let Some(stdout) = &mut stdout {
            stdout.read_line(&mut said)?;
        }
        let Some(local) = local_port(&said) else {
            let mut why = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                let _ = child.kill();
                stderr.read_to_string(&mut why)?;
            }
            bail!("no way to {target} in {namespace}: {}{}", said.trim(), why.trim());
        };
        Ok(Forward { child, local, _stdout: stdout })
    }
}

/// `Forwarding from 127.0.0.1:40123 -> 8000`
fn local_port(line: &str) -> Option<u16> {
    line.split_once("127.0.0.1:")?.1.split(' ').next()?.parse().ok()
}

/// A way to a service, open until this is dropped.
#[derive(Debug)]
pub(crate) struct Forward {
    child: Child,
    local: u16,
    /// kubectl reports each connection there, and ends when nobody listens any more.
    _stdout: Option<BufReader<ChildStdout>>,
}

impl Forward {
    /// Asks for a path; status and body of the answer.
    ///
    /// # Errors
    /// When there is no answer within 20 seconds.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<(StatusCode, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = async { tokio::time::timeout(Duration::from_secs(20), ask(self.local, path, headers)).await? };
        runtime.block_on(answer).with_context(|| format!("no answer for {path}"))
    }
}

async fn ask(port: u16, path: &str, headers: &[(&str, &str)]) -> Result<(StatusCode, String)> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::get(path).header("host", "127.0.0.1");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    connection.abort();
    Ok((status, String::from_utf8_lossy(&body).trim().to_owned()))
}

impl Drop for Forward {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_local_port_is_read_from_what_kubectl_says() {
        assert_eq!(local_port("Forwarding from 127.0.0.1:40123 -> 8000\n"), Some(40123));
        assert_eq!(local_port("error: service not found\n"), None);
    }
}
